//! What PID 1 needs whatever it runs: its signals, its sleep, the meaning of an exit.

use std::os::fd::BorrowedFd;
use std::process::ExitStatus;
use std::time::Duration;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::config::Config;
use crate::signals::SignalSet;
use crate::sys::{self, Signals};

/// The configuration. Read when it is needed and not before, so that an init that has nothing to do
/// stays small. With problems in it, which are the supervisor's to report, the defaults count.
pub(crate) fn settings() -> Config {
    crate::config::load().unwrap_or_default()
}

/// Whether this process is the init of its PID namespace.
pub(crate) fn is_pid_1() -> bool {
    std::process::id() == 1
}

/// Catches `caught`, ignores whatever else would end this process without a fault of its own, and
/// makes orphans come here when this is not PID 1.
///
/// SIGTTIN and SIGTTOU are ignored because a message to a terminal that was handed over must not
/// stop init, SIGPIPE because a reader of messages may leave.
///
/// SIGBUS and SIGSEGV lose the handler with which Rust reports a stack overflow: its stack holds one
/// signal, and a second one sent meanwhile would end this process. At their defaults the kernel keeps
/// them, sent from anywhere, from PID 1.
pub(crate) fn prepare(caught: SignalSet) -> std::io::Result<Signals> {
    sys::restore(SignalSet::of(&[libc::SIGBUS, libc::SIGSEGV]));
    sys::ignore(ENDING.minus(caught));
    if !is_pid_1() {
        nix::sys::prctl::set_child_subreaper(true)?;
    }
    Signals::catch(caught.with(libc::SIGCHLD))
}

/// Has a signal come and be looked at, and sends `pid` none, so that the code for the next one is there
/// when it comes and need not be fetched first.
pub(crate) fn rehearse(pid: i32) {
    let _ = sys::kill(pid, 0);
    let own = i32::try_from(std::process::id()).unwrap_or(1);
    let _ = sys::kill(own, libc::SIGCHLD);
}

/// Every signal whose default ends or stops a process, without those that report a fault in its own
/// code (ILL, TRAP, ABRT, BUS, FPE, SEGV, SYS), those nobody can catch, and the two that stop and
/// resume a program on the terminal it was started from.
pub(crate) const ENDING: SignalSet = SignalSet::of(&[
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGPIPE,
    libc::SIGALRM,
    libc::SIGTERM,
    libc::SIGSTKFLT,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGXCPU,
    libc::SIGXFSZ,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGIO,
    libc::SIGPWR,
])
.union(SignalSet::REAL_TIME);

/// Sleeps until a signal comes, one of `others` is readable, or `timeout` is over; without a
/// timeout and without either for ever.
pub(crate) fn sleep(signals: &Signals, others: &[BorrowedFd<'_>], timeout: Option<Duration>) {
    // A fraction of a millisecond must not become 0, which would be a busy loop.
    let timeout = timeout.map_or(PollTimeout::NONE, |time| {
        PollTimeout::try_from(time + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
    });
    let signals = PollFd::new(std::os::fd::AsFd::as_fd(signals), PollFlags::POLLIN);
    // An interrupted poll is a signal to look at, like a readable pipe.
    let _ = if others.is_empty() {
        poll(&mut [signals], timeout)
    } else {
        let others = others.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN));
        poll(&mut std::iter::once(signals).chain(others).collect::<Vec<_>>(), timeout)
    };
}

/// The exit code a shell would report: the code itself, or 128 and the signal.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
