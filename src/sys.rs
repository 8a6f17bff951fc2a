//! The system calls no safe crate offers in the form needed here.
//!
//! This is the only file of the crate with `unsafe` in it. What it knows: how a child is cut loose
//! from everything it would inherit ([`isolate`]), how signals become something to poll
//! ([`Signals`]), and waiting and killing with every signal number, real-time ones included, which
//! nix has no names for.
#![expect(unsafe_code, reason = "pre_exec, sigaction and the few system calls that nix has no form of")]

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::thread;

use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::signals::{LAST_SIGNAL, SignalSet, bit};

/// Finds out whether so many threads can be made besides those that there are, for libraries that panic where they
/// cannot. They have ended when this returns.
///
/// # Errors
/// The system's, for the first that could not be made.
pub(crate) fn threads(count: usize) -> io::Result<()> {
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let held = gate.lock();
        let wait = || drop(gate.lock());
        let made = (0..count).try_for_each(|_| thread::Builder::new().spawn_scoped(scope, wait).map(drop));
        drop(held);
        made
    })
}

/// A file in memory with these bytes, to be read from its beginning (memfd_create(2)).
///
/// # Errors
/// The system's, when there is no descriptor or no memory left.
pub(crate) fn file_in_memory(bytes: &[u8]) -> io::Result<File> {
    use std::io::{Seek, Write};
    let mut file = File::from(memfd_create(c"gbsup", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// Takes what came through a socket, and the descriptor that came with it (unix(7), SCM_RIGHTS); of several the first.
///
/// # Errors
/// The system's.
pub(crate) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = nix::cmsg_space!([RawFd; 1]);
    let mut parts = [io::IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let mut received = None;
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(descriptors) = part {
            for descriptor in descriptors {
                // SAFETY: the kernel has just made the descriptor for this process, and nobody else knows of it.
                received = received.or(Some(unsafe { OwnedFd::from_raw_fd(descriptor) }));
            }
        }
    }
    Ok((message.bytes, received))
}

/// What a child gets of its own besides a clean signal state; see [`isolate`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Child {
    /// `setsid`: a session and a process group of its own, no controlling terminal. The child's pid
    /// is then its group and its session, which is how all of its descendants are found again.
    pub session: bool,
    /// A process group of its own that is made the foreground group of the terminal on stdin, when
    /// there is one. For an interactive command; not together with `session`.
    pub foreground: bool,
    /// The least `oom_score_adj` (-1000 to 1000) the child runs with, so that the kernel short of
    /// memory takes it and not its parent. A higher inherited value stays.
    pub oom_score_adj: Option<i16>,
}

/// Makes `command` start without anything of ours: every signal at its default (SIGPIPE too), none
/// blocked, no descriptor open but 0 to 2, and what `child` says.
///
/// Stdin, stdout and stderr are the caller's business, as is the environment. Any failure before
/// `exec` is what `spawn` returns.
pub(crate) fn isolate(command: &mut Command, child: Child) {
    let oom_score_adj = child.oom_score_adj.and_then(decimal_if_raised);
    let prepare = move || {
        if child.session {
            check(
                // SAFETY: setsid takes no pointer and changes only the calling process.
                unsafe { libc::setsid() },
            )?;
        }
        if child.foreground {
            take_foreground()?;
        }
        default_signals();
        close_on_exec_from_3();
        if let Some(text) = &oom_score_adj {
            write_to(c"/proc/self/oom_score_adj", text.as_bytes());
        }
        Ok(())
    };
    // SAFETY: the closure runs between fork and exec. It allocates nothing, takes no lock and makes
    // only calls that are async-signal-safe: setsid, setpgid, tcsetpgrp, rt_sigaction, sigaction, sigprocmask,
    // close_range, fcntl, getrlimit, open, write and close.
    unsafe { command.pre_exec(prepare) };
}

/// What the handler has seen and [`Signals::take`] has not.
static SEEN: AtomicU64 = AtomicU64::new(0);
/// The end of the pipe that the handler writes to; -1 before there is one.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// Signals as something to poll: a handler notes the number and makes a pipe readable.
///
/// Handlers and never a blocked mask: `exec` keeps a mask but not a handler. One pipe and one
/// bit per signal, so that a flood of SIGCHLD costs one byte per wake-up and no memory.
#[derive(Debug)]
pub struct Signals {
    read: OwnedFd,
    /// Kept open for the handler.
    _write: OwnedFd,
}

impl Signals {
    /// Catches the signals of `caught` from now on, whatever a parent had blocked. One instance per
    /// process.
    pub(crate) fn catch(caught: SignalSet) -> io::Result<Signals> {
        let flags = nix::fcntl::OFlag::O_CLOEXEC | nix::fcntl::OFlag::O_NONBLOCK;
        let (read, write) = nix::unistd::pipe2(flags)?;
        WAKE.store(write.as_raw_fd(), Ordering::SeqCst);
        let handler: extern "C" fn(i32) = note;
        for signal in caught.iter() {
            set_action(signal, handler as libc::sighandler_t, libc::SA_RESTART);
        }
        unblock_signals();
        Ok(Signals { read, _write: write })
    }

    /// Takes what has come since the last call.
    pub(crate) fn take(&self) -> SignalSet {
        // The pipe is emptied before the bits are: a signal in between finds its bits taken along,
        // one after them writes a new byte.
        let mut bytes = [0; 16];
        let _ = nix::unistd::read(&self.read, &mut bytes);
        SignalSet::from_bits(SEEN.swap(0, Ordering::SeqCst))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}

/// The signal handler.
extern "C" fn note(signal: i32) {
    if SEEN.fetch_or(bit(signal), Ordering::SeqCst) == 0 {
        // SAFETY: errno belongs to this thread and write may change it, so it is put back. The byte
        // is valid; a pipe that is full or not there makes the call fail, and a full pipe wakes too.
        unsafe {
            let errno = libc::__errno_location();
            let kept = *errno;
            libc::write(WAKE.load(Ordering::SeqCst), c"!".as_ptr().cast(), 1);
            *errno = kept;
        }
    }
}

/// Makes this process ignore the signals of `ignored`. Children of [`isolate`] do not.
pub(crate) fn ignore(ignored: SignalSet) {
    for signal in ignored.iter() {
        set_action(signal, libc::SIG_IGN, 0);
    }
}

/// Gives the signals of `signals` their defaults back in this process.
pub(crate) fn restore(signals: SignalSet) {
    for signal in signals.iter() {
        set_action(signal, libc::SIG_DFL, 0);
    }
}

/// What [`wait_any`] found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Waited {
    /// This child ended and is reaped.
    Child(i32, ExitStatus),
    /// There are children, and none has ended.
    NoneEnded,
    /// There are no children.
    NoChildren,
}

/// Reaps one child of this process, whichever, without blocking.
pub(crate) fn wait_any() -> Waited {
    loop {
        let mut status = 0;
        // SAFETY: `status` outlives the call, which writes nothing else.
        match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | libc::__WALL) } {
            0 => return Waited::NoneEnded,
            pid if pid > 0 => return Waited::Child(pid, ExitStatus::from_raw(status)),
            _ => match io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR) => {}
                _ => return Waited::NoChildren,
            },
        }
    }
}

/// Sends `signal` as kill(2) does: to a process, to a group (negative), or to all (-1).
pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    check(
        // SAFETY: kill takes no pointer.
        unsafe { libc::kill(pid, signal) },
    )
}

/// Lets everything else on this machine come first, by so much of nice(2). Failing is no error: it is a courtesy.
pub(crate) fn give_way(niceness: i32) {
    // SAFETY: setpriority takes no pointer and changes only the calling process.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, niceness) };
}

/// Calls this process `title`, in the name that the kernel keeps (cut after 15 bytes) and in place of its
/// arguments where these leave room for it.
///
/// Its arguments are gone with that: for a process that has read them and never asks for them again.
pub(crate) fn set_title(title: &CStr) {
    let _ = nix::sys::prctl::set_name(title);
    let Some((start, room)) = arguments() else { return };
    let title = title.to_bytes_with_nul();
    if title.len() > room {
        return;
    }
    let arguments = std::ptr::with_exposed_provenance_mut::<u8>(start);
    // SAFETY: the kernel says that the arguments lie here, which are the process's to write to; the title fits, and
    // what is behind it becomes zero, so that every argument still ends in NUL.
    unsafe {
        std::ptr::copy_nonoverlapping(title.as_ptr(), arguments, title.len());
        std::ptr::write_bytes(arguments.add(title.len()), 0, room - title.len());
    }
}

/// Where the arguments of this process lie and how many bytes they take, as proc_pid_stat(5) has it (`arg_start`,
/// `arg_end`).
fn arguments() -> Option<(usize, usize)> {
    const AFTER_NAME: usize = 3;
    let line = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = line.rsplit_once(") ")?;
    let mut fields = rest.split_ascii_whitespace().skip(48 - AFTER_NAME).map(str::parse::<usize>);
    let (start, end) = (fields.next()?.ok()?, fields.next()?.ok()?);
    // The kernel writes 0 for what it does not tell.
    (start != 0).then(|| (start, end.saturating_sub(start)))
}

/// Closes every descriptor from 3 up. For the first line of a program that has opened none itself,
/// to let go of what its parent forgot to close.
pub(crate) fn close_from_3() {
    // SAFETY: close_range takes no pointer, and nothing of this program owns a descriptor yet.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0) };
    if done != 0 {
        for fd in 3..descriptor_limit() {
            // SAFETY: as above; one that is not open makes the call fail, no more.
            unsafe { libc::close(fd) };
        }
    }
}

// Set by the linker: where the file is mapped, and where its code ends.
unsafe extern "C" {
    static __executable_start: u8;
    static etext: u8;
}

/// Lets go of the program's own pages, code and constants, so that a process that will sleep for
/// long does not hold on to what it needed to get there.
///
/// Whoever touches a page gets the 64 kB around it mapped, which adds up to megabytes. Those needed
/// again come back, from the page cache, when they are touched.
pub(crate) fn let_go_of_program() {
    let (start, end) = (&raw const __executable_start, &raw const etext);
    let length = end.addr().saturating_sub(start.addr());
    // SAFETY: from its start to the page its code ends in the program is mapped from its file and never
    // written to, so that dropping it loses nothing: the next access reads the same bytes.
    unsafe { libc::madvise(start.cast_mut().cast(), length, libc::MADV_DONTNEED) };
}

/// `wanted` as text when it is more than this process, and so its child, already has.
fn decimal_if_raised(wanted: i16) -> Option<String> {
    let current = std::fs::read_to_string("/proc/self/oom_score_adj").ok()?;
    let current: i16 = current.trim().parse().ok()?;
    (wanted > current).then(|| wanted.to_string())
}

/// Puts the calling process into a group of its own and gives that group the terminal on stdin.
fn take_foreground() -> io::Result<()> {
    check(
        // SAFETY: setpgid takes no pointer and changes only the calling process.
        unsafe { libc::setpgid(0, 0) },
    )?;
    set_action(libc::SIGTTOU, libc::SIG_IGN, 0);
    // SAFETY: tcsetpgrp and getpid take no pointer. Without a terminal the call fails, and there is
    // nothing to hand over; SIGTTOU, which stops a background process that does this, is ignored.
    unsafe { libc::tcsetpgrp(libc::STDIN_FILENO, libc::getpid()) };
    Ok(())
}

/// Every signal at its default and none blocked.
fn default_signals() {
    /// What the kernel reads in `rt_sigaction`, all zero: `SIG_DFL`, no flags, empty mask.
    const DEFAULT: [u64; 4] = [0; 4];
    const MASK_BYTES: usize = 8;
    for signal in 1..=LAST_SIGNAL {
        // The system call itself, since the C library's function refuses the two signals it keeps
        // for itself, and a parent may have left those ignored. KILL and STOP fail, as they should.
        // SAFETY: the kernel reads no more than DEFAULT holds and writes nothing.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                DEFAULT.as_ptr(),
                std::ptr::null_mut::<u64>(),
                MASK_BYTES,
            )
        };
    }
    unblock_signals();
}

/// Empties the signal mask of the calling thread.
fn unblock_signals() {
    // SAFETY: an all-zero sigset_t is a valid value, sigemptyset fills it, and sigprocmask reads it.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Sets what `signal` does. Signals that cannot be changed (KILL, STOP, the C library's own) stay.
fn set_action(signal: i32, handler: libc::sighandler_t, flags: i32) {
    // SAFETY: an all-zero sigaction is a valid value (empty mask, no restorer); `handler` is SIG_DFL,
    // SIG_IGN or a function of this file that is safe to run as a handler.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}

/// Marks every descriptor from 3 up to be closed by `exec`.
///
/// Marked and not closed: one of them is the pipe on which std reports that `exec` failed.
fn close_on_exec_from_3() {
    // SAFETY: close_range takes no pointer; the descriptors stay open for whoever owns them here.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if done != 0 {
        for fd in 3..descriptor_limit() {
            // SAFETY: F_SETFD takes an integer; a descriptor that is not open makes it fail, no more.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
}

/// Where to stop looking for descriptors on a kernel without `close_range` (before Linux 5.11).
/// Bounded, since container engines set limits of a thousand million.
fn descriptor_limit() -> i32 {
    const MOST: libc::rlim_t = 65_536;
    // SAFETY: an all-zero rlimit is a valid value, and getrlimit fills it.
    let limit = unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur
    };
    i32::try_from(limit.min(MOST)).unwrap_or(0)
}

/// Writes `text` to `path`; failing is not an error of the child that does it.
fn write_to(path: &CStr, text: &[u8]) {
    // SAFETY: `path` ends in NUL, `text` is valid for its length, and the descriptor is ours alone.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd >= 0 {
            libc::write(fd, text.as_ptr().cast(), text.len());
            libc::close(fd);
        }
    }
}

/// A descriptor of which an event loop learns that it can be read from. It must be called within the loop.
pub(crate) fn registered(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor belongs to the registration and stays open as long as that lasts.
    unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }.map_err(io::Error::from)
}

/// The error of a call that returned -1.
fn check(result: i32) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    /// What a child that was isolated sees of itself in /proc.
    fn report(child: Child, script: &str) -> String {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        isolate(&mut command, child);
        let output = command.output().expect("sh runs");
        String::from_utf8(output.stdout).expect("text")
    }

    #[test]
    fn a_child_has_no_signal_blocked_or_ignored() {
        let status = report(Child::default(), "grep -E '^Sig(Blk|Ign)' /proc/self/status");
        for line in status.lines() {
            assert!(line.ends_with("0000000000000000"), "{status}");
        }
        assert_eq!(status.lines().count(), 2);
    }

    #[test]
    fn a_child_inherits_only_the_three_standard_descriptors() {
        let open = "fd=0; while [ $fd -lt 256 ]; do [ -e /proc/$$/fd/$fd ] && echo $fd; fd=$((fd + 1)); done";
        let leaked = File::open("/dev/null").expect("/dev/null opens");
        nix::fcntl::fcntl(&leaked, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()))
            .expect("the flag is cleared");
        assert_eq!(report(Child::default(), open), "0\n1\n2\n");
    }

    #[test]
    fn a_session_has_its_leader_as_group_and_session() {
        let child = Child { session: true, ..Child::default() };
        let ids = report(child, "cut -d' ' -f1,5,6 /proc/$$/stat");
        let ids: Vec<&str> = ids.split_whitespace().collect();
        assert!(ids.len() == 3 && ids.iter().all(|id| id == &ids[0]), "{ids:?}");
    }

    #[test]
    fn oom_score_adj_is_raised_and_never_lowered() {
        let own = std::fs::read_to_string("/proc/self/oom_score_adj").expect("readable");
        let raised = Child { oom_score_adj: Some(765), ..Child::default() };
        let lowered = Child { oom_score_adj: Some(-1000), ..Child::default() };
        assert_eq!(report(raised, "cat /proc/self/oom_score_adj").trim(), "765");
        assert_eq!(report(lowered, "cat /proc/self/oom_score_adj"), own);
    }
}
