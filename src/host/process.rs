//! One child: its own session, its output into the log file and to the console, its end.
//!
//! Its standard output and error are one pipe of ours, never a descriptor of the container: a
//! stopped `docker attach` would block it there. The pipe is drained by a thread that writes every
//! byte to the file first and hands whole lines on after that. In both, names and passwords in addresses are concealed: logs and
//! messages go further than this container.

use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::model::{Exit, Force};
use crate::portage::command::{Command, Inherits};
use crate::portage::output::conceal::Concealing;
use crate::{children, procs, sys};

/// Raised in every job, so that the kernel short of memory takes a compiler and not the builder.
const OOM_SCORE_ADJ: i16 = 400;
/// The largest pipe a process may ask for without privileges (pipe(7)).
const PIPE_SIZE: i32 = 1 << 20;
/// What is left of a job's group when its leader has ended gets this long after TERM.
const STRAGGLERS: Duration = Duration::from_secs(2);
/// The user and the group `nobody`, everywhere.
pub(crate) const NOBODY: (u32, u32) = (65_534, 65_534);
/// A line without an end is handed on in pieces of this size.
const LONGEST_LINE: usize = 64 << 10;

/// The way to signal whatever process of a job runs at the moment.
#[derive(Clone, Default)]
pub(crate) struct Handle {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    leader: Option<Pid>,
    /// The strongest signal so far.
    told: Option<Force>,
}

impl Inner {
    /// Signals the process group, if there is one.
    fn deliver(&self, force: Force) {
        let Some(leader) = self.leader else { return };
        let signal = match force {
            Force::Interrupt => Signal::SIGINT,
            Force::Terminate => Signal::SIGTERM,
            Force::Kill => Signal::SIGKILL,
        };
        if force == Force::Kill {
            for process in procs::family(leader.as_raw()) {
                let _gone = kill(Pid::from_raw(process.pid), signal);
            }
        }
        let _gone = killpg(leader, signal);
    }
}

impl Handle {
    /// Signals the job's process group; KILL also reaches descendants that left it. From now on no
    /// further process of the job begins, and one that is just beginning gets the signal once it is there.
    pub(crate) fn signal(&self, force: Force) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.told = inner.told.max(Some(force));
        inner.deliver(force);
    }

    /// Whether the job was told to stop.
    pub(crate) fn stopped(&self) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).told.is_some()
    }

    /// The process that leads the job's session, while one runs.
    pub(crate) fn leader(&self) -> Option<i32> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).leader.map(Pid::as_raw)
    }

    /// A process leads the job from now on. What it was told while that was being started is not lost.
    fn begins(&self, leader: Pid) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.leader = Some(leader);
        if let Some(force) = inner.told {
            inner.deliver(force);
        }
    }

    /// It has ended.
    fn ended(&self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).leader = None;
    }
}

/// What takes a child's output.
pub(crate) trait Sink: Send {
    /// Bytes as they come, for whoever wants an answer and shows it to nobody.
    fn answer(&mut self, _: &[u8]) {}
    /// The same as they may be shown, for the log file. An error is reported, the reading goes on.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Whole lines of that, each with its end.
    fn lines(&mut self, lines: &[u8]);
    /// Looks at the machine while the child works, and says how soon it wants to look again, if at all.
    fn look(&mut self) -> Option<Duration> {
        None
    }
}

/// What is needed to run a child.
pub(crate) struct Launch<'a> {
    /// The way to signal it.
    pub handle: &'a Handle,
    /// What it gets of the container's environment.
    pub inherits: Inherits<'a>,
    /// The number in its mark and in the job file.
    pub job: u64,
    /// Where its pid is written down for PID 1; absent before the volume is ours.
    pub job_file: Option<&'a Path>,
    /// What it reads on standard input.
    pub input: &'a [u8],
    /// What it has as standard input instead; its own end of a way.
    pub stdin: Option<OwnedFd>,
    /// The user and the group that it runs as where it would run as root; root's own when absent.
    pub user: Option<(u32, u32)>,
}

impl<'a> Launch<'a> {
    /// A child that nobody needs to find again, with nothing to read.
    pub(crate) fn new(handle: &'a Handle, inherits: Inherits<'a>) -> Self {
        Self { handle, inherits, job: 0, job_file: None, input: &[], stdin: None, user: None }
    }
}

/// How a child ended, and whether the log file has all of its output.
pub(crate) struct Ended {
    /// How it ended.
    pub exit: Exit,
    /// Why bytes are missing from the log file.
    pub log_error: Option<io::Error>,
}

impl Launch<'_> {
    /// Runs a command to its end, its output going to `sink`.
    pub(crate) fn run(&self, command: &Command, sink: &mut dyn Sink) -> Ended {
        if self.handle.stopped() {
            return Ended { exit: Exit::Signal(Signal::SIGINT as i32), log_error: None };
        }
        match self.attended(command, sink) {
            Ok((exit, log_error)) => Ended { exit, log_error },
            Err(error) => Ended { exit: Exit::NotStarted(not_started(command, &error)), log_error: None },
        }
    }

    /// Starts the child once there is a thread that reads what it prints.
    fn attended(&self, command: &Command, sink: &mut dyn Sink) -> io::Result<(Exit, Option<io::Error>)> {
        let (reader, writer) = io::pipe()?;
        let _smaller = fcntl(&reader, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE));
        // Dropping `ended` tells the drain that nothing more is to be waited for.
        let (over, ended) = io::pipe()?;
        thread::scope(|scope| {
            let drained = thread::Builder::new()
                .name("output".into())
                .spawn_scoped(scope, || drain(reader, &over, command.private, sink))?;
            self.note(0);
            let exit = self.spawn(command, writer).map(|child| self.end_of(&child));
            self.forget();
            drop(ended);
            let log_error = drained.join().unwrap_or(None);
            Ok((exit?, log_error))
        })
    }

    /// Waits for the child, and for what it leaves in its group.
    fn end_of(&self, child: &duct::Handle) -> Exit {
        let leader = child.pids().first().map_or(0, |pid| i32::try_from(*pid).unwrap_or(0));
        self.note(leader);
        let leader = Pid::from_raw(leader);
        self.handle.begins(leader);
        // The leader stays a zombie until its group is gone, so that no number is used twice.
        while waitid(Id::Pid(leader), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
        end_group(leader);
        self.handle.ended();
        match child.wait() {
            Ok(output) => exit_of(output.status),
            Err(error) => Exit::NotStarted(format!("its end was not seen: {error}")),
        }
    }

    fn spawn(&self, command: &Command, output: io::PipeWriter) -> io::Result<duct::Handle> {
        let (program, arguments) =
            command.argv.split_first().map_or(("true", &[][..]), |(p, a)| (p.as_str(), a));
        let expression = duct::cmd(program, arguments).dir("/");
        let expression = match (&self.stdin, self.input) {
            (Some(stdin), _) => expression.stdin_file(stdin.try_clone()?),
            (None, []) => expression.stdin_null(),
            (None, input) => expression.stdin_file(sys::file_in_memory(input)?),
        };
        let own = command.env.iter().cloned().chain(children::mark(self.job));
        let expression = expression
            // The order counts: what stands last is applied first.
            .stderr_to_stdout()
            .stdout_file(output)
            .unchecked()
            .full_env(children::environment(self.inherits, own));
        let user = self.user.filter(|_| nix::unistd::geteuid().is_root());
        let child = sys::Child { session: true, oom_score_adj: Some(OOM_SCORE_ADJ), ..sys::Child::default() };
        expression
            .before_spawn(move |command| {
                if let Some((uid, gid)) = user {
                    command.uid(uid).gid(gid);
                }
                sys::isolate(command, child);
                Ok(())
            })
            .start()
    }

    /// Writes the job file: number, pid (0: about to begin), start time. Without it a supervisor
    /// that comes after a crash would not find the job; a full disk must not stop a build for that.
    fn note(&self, pid: i32) {
        if let Some(file) = self.job_file {
            let start = procs::started(pid).unwrap_or(0);
            drop(std::fs::write(file, format!("{} {pid} {start}\n", self.job)));
        }
    }

    fn forget(&self) {
        if let Some(file) = self.job_file {
            drop(std::fs::remove_file(file));
        }
    }
}

fn not_started(command: &Command, error: &io::Error) -> String {
    let program = command.argv.first().map_or("", String::as_str);
    match error.kind() {
        io::ErrorKind::NotFound => format!("{program} is not installed in this container"),
        io::ErrorKind::WouldBlock => {
            format!("{program} could not be started: there are as many processes as there may be ({error})")
        }
        _ => format!("{program} could not be started: {error}"),
    }
}

fn exit_of(status: std::process::ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or(0)),
    }
}

/// Ends what the leader left behind in its group: a daemon that a build started would hold the pipe
/// and the next merge. Leaves at once when there is nothing.
fn end_group(leader: Pid) {
    let others = || procs::group(leader.as_raw()).into_iter().any(|pid| pid != leader.as_raw());
    if !others() {
        return;
    }
    let _gone = killpg(leader, Signal::SIGTERM);
    let deadline = Instant::now() + STRAGGLERS;
    while others() {
        if Instant::now() >= deadline {
            let _gone = killpg(leader, Signal::SIGKILL);
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Reads until the end of the pipe, or, once `over` has hung up, until nothing more lies in it.
fn drain(mut reader: PipeReader, over: &PipeReader, private: bool, sink: &mut dyn Sink) -> Option<io::Error> {
    if let Err(error) = fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)) {
        return Some(error.into());
    }
    let mut buffer = vec![0; 256 << 10];
    let mut held = Vec::new();
    let mut problem = None;
    let mut concealing = Concealing::default();
    let mut show = |bytes: &[u8], sink: &mut dyn Sink| {
        if let Err(error) = sink.write(bytes) {
            problem.get_or_insert(error);
        }
        hand_on(bytes, &mut held, sink);
    };
    let mut failed = None;
    let mut next = sink.look().map(|wait| Instant::now() + wait);
    loop {
        if next.is_some_and(|next| next <= Instant::now()) {
            next = sink.look().map(|wait| Instant::now() + wait);
        }
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                let bytes = &buffer[..count];
                sink.answer(bytes);
                if !private {
                    show(&concealing.pass(bytes), sink);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut waited = [
                    PollFd::new(reader.as_fd(), PollFlags::POLLIN),
                    PollFd::new(over.as_fd(), PollFlags::POLLIN),
                ];
                let polled = poll(&mut waited, until(next));
                let nothing_left = waited[0].any() != Some(true) && waited[1].any() == Some(true);
                if nothing_left || polled.is_err_and(|error| error != Errno::EINTR) {
                    break;
                }
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    show(&concealing.end(), sink);
    if !held.is_empty() {
        held.push(b'\n');
        sink.lines(&held);
    }
    problem.or(failed)
}

/// As a timeout, rounded up so that it is not polled in vain.
fn until(next: Option<Instant>) -> PollTimeout {
    let Some(next) = next else { return PollTimeout::NONE };
    let left = next.saturating_duration_since(Instant::now()).as_millis().saturating_add(1);
    PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
}

/// Hands on the whole lines of what was read and keeps the beginning of the next one.
fn hand_on(bytes: &[u8], held: &mut Vec<u8>, sink: &mut dyn Sink) {
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
        held.extend_from_slice(bytes);
        if held.len() > LONGEST_LINE {
            held.push(b'\n');
            sink.lines(held);
            held.clear();
        }
        return;
    };
    let (whole, rest) = bytes.split_at(end + 1);
    if held.is_empty() {
        sink.lines(whole);
    } else {
        held.extend_from_slice(whole);
        sink.lines(held);
        held.clear();
    }
    held.extend_from_slice(rest);
}

/// No answer is longer; of what prints more, nothing more is kept, nor written down.
const LONGEST_ANSWER: usize = 32 << 20;

/// A sink that writes a file and keeps the text, for short answers such as those of portageq.
pub(crate) struct Capture<'a> {
    /// The step's log file.
    pub file: &'a mut (dyn Write + Send),
    /// What was printed.
    pub text: Vec<u8>,
}

impl Sink for Capture<'_> {
    /// As it came: what is read line by line elsewhere is cut where a line is very long.
    fn answer(&mut self, bytes: &[u8]) {
        let room = LONGEST_ANSWER.saturating_sub(self.text.len());
        self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.text.len() < LONGEST_ANSWER { self.file.write_all(bytes) } else { Ok(()) }
    }

    fn lines(&mut self, _: &[u8]) {}
}

/// The answer of a command of Portage, for whoever has no job to run it in; nothing when it could not be started. `more` is
/// `build.environment`.
pub(crate) fn ask_here(more: &[String], command: &Command) -> Option<Vec<u8>> {
    let mut nowhere = io::sink();
    let mut sink = Capture { file: &mut nowhere, text: Vec::new() };
    let ended = Launch::new(&Handle::default(), Inherits::Portage(more)).run(command, &mut sink);
    (!matches!(ended.exit, Exit::NotStarted(_))).then_some(sink.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_long_as_it_is() {
        let command = Command {
            argv: [
                "sh",
                "-c",
                "for n in 1 2 3; do head -c 100000 /dev/zero | tr '\\0' x; done; echo; echo end",
            ]
            .map(str::to_owned)
            .to_vec(),
            env: Vec::new(),
            private: false,
        };
        let text = ask_here(&[], &command).unwrap();
        assert_eq!((text.len(), text.iter().filter(|byte| **byte == b'\n').count()), (300_005, 2));
    }

    #[test]
    fn an_answer_without_an_end_is_bounded() {
        let mut written = Vec::new();
        let mut sink = Capture { file: &mut written, text: Vec::new() };
        let handle = Handle::default();
        let argv = ["sh", "-c", "head -c 40000000 /dev/zero"].map(str::to_owned).to_vec();
        let command = Command { argv, env: Vec::new(), private: false };
        Launch::new(&handle, Inherits::Nothing).run(&command, &mut sink);
        assert_eq!(sink.text.len(), LONGEST_ANSWER);
        assert!(written.len() <= LONGEST_ANSWER);
    }

    #[test]
    fn what_is_shown_has_no_password_and_what_is_private_is_not_shown() {
        let argv = ["echo", "-n", "fatal: https://me:s3cret@host/x"].map(str::to_owned).to_vec();
        let mut command = Command { argv, env: Vec::new(), private: false };
        let handle = Handle::default();
        let launch = Launch::new(&handle, Inherits::Nothing);
        let mut sink = Memory::default();
        launch.run(&command, &mut sink);
        let shown = "fatal: https://***@host/x";
        assert_eq!((sink.raw.as_slice(), sink.lines), (shown.as_bytes(), format!("{shown}\n").into_bytes()));
        let mut written = Vec::new();
        let mut sink = Capture { file: &mut written, text: Vec::new() };
        launch.run(&command, &mut sink);
        assert!(String::from_utf8_lossy(&sink.text).contains("s3cret"), "who asks is answered");
        assert_eq!(written, shown.as_bytes());
        command.private = true;
        let mut written = Vec::new();
        let mut sink = Capture { file: &mut written, text: Vec::new() };
        launch.run(&command, &mut sink);
        assert!(String::from_utf8_lossy(&sink.text).contains("s3cret") && written.is_empty());
    }

    #[derive(Default)]
    struct Memory {
        raw: Vec<u8>,
        lines: Vec<u8>,
        full: bool,
    }

    impl Sink for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.raw.extend_from_slice(bytes);
            if self.full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }

        fn lines(&mut self, lines: &[u8]) {
            assert!(lines.ends_with(b"\n"));
            self.lines.extend_from_slice(lines);
        }
    }

    fn run(handle: &Handle, script: &str, sink: &mut Memory) -> Ended {
        let argv = ["bash", "-c", script].map(str::to_owned).to_vec();
        let launch = Launch { job: 7, ..Launch::new(handle, Inherits::Nothing) };
        launch.run(&Command { argv, env: vec![("LC_ALL".into(), "C.UTF-8".into())], private: false }, sink)
    }

    #[test]
    fn a_child_has_its_own_session_and_nothing_of_ours() {
        let mut sink = Memory::default();
        let script = "read line; echo \"stdin ended: $?\"; ps -o sid=,pgid= -p $$ | tr -s ' '; echo $$; env | grep -c CARGO; \
                      for n in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$n ] && echo -n leak $n; done; grep -E 'Sig(Blk|Ign)' /proc/self/status; echo -n no end >&2";
        let ended = run(&Handle::default(), script, &mut sink);
        assert_eq!(ended.exit, Exit::Code(0));
        let text = String::from_utf8(sink.lines).unwrap();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        assert_eq!(lines[0], "stdin ended: 1");
        assert_eq!(lines[1], format!("{0} {0}", lines[2]));
        assert_eq!(lines[3], "0", "the environment is the container's: {text}");
        assert!(lines[4].starts_with("SigBlk"), "a descriptor too many: {text}");
        assert!(text.contains("SigBlk:\t0000000000000000"), "{text}");
        assert!(text.contains("SigIgn:\t0000000000000000"), "{text}");
        assert_eq!(lines.last(), Some(&"no end"));
        assert!(!sink.raw.ends_with(b"\n"), "the file has what was printed and no more");
    }

    #[test]
    fn ends_are_told_apart() {
        let mut sink = Memory::default();
        assert_eq!(run(&Handle::default(), "exit 3", &mut sink).exit, Exit::Code(3));
        assert_eq!(run(&Handle::default(), "kill -9 $$", &mut sink).exit, Exit::Signal(9));
        let handle = Handle::default();
        let launch = Launch::new(&handle, Inherits::Nothing);
        let missing = Command { argv: vec!["no-such-program-anywhere".into()], env: vec![], private: false };
        let Exit::NotStarted(why) = launch.run(&missing, &mut sink).exit else { panic!("it was started") };
        assert_eq!(why, "no-such-program-anywhere is not installed in this container");
    }

    #[test]
    fn a_daemon_left_in_the_group_holds_nothing_up() {
        let mut sink = Memory::default();
        let begun = Instant::now();
        let ended = run(
            &Handle::default(),
            "trap '' TERM; (while :; do read -t 60 <> <(:); done) & echo $!",
            &mut sink,
        );
        assert_eq!(ended.exit, Exit::Code(0));
        assert!(begun.elapsed() < Duration::from_secs(30));
        let daemon: i32 = String::from_utf8(sink.lines).unwrap().trim().parse().unwrap();
        let gone = || procs::all().unwrap().iter().all(|process| process.pid != daemon || !process.lives());
        let deadline = Instant::now() + Duration::from_secs(10);
        while !gone() && Instant::now() < deadline {
            thread::yield_now();
        }
        assert!(gone());
    }

    #[test]
    fn a_daemon_in_another_session_holds_nothing_up() {
        let mut sink = Memory::default();
        // Before it has a session of its own, it ends with the group.
        let script = "ready=$(mktemp -u) && mkfifo $ready
            setsid bash -c \"echo >$ready; exec sleep 300\" &
            read -r <$ready; rm $ready; echo $!";
        let ended = run(&Handle::default(), script, &mut sink);
        assert_eq!(ended.exit, Exit::Code(0));
        let daemon: i32 = String::from_utf8(sink.lines).unwrap().trim().parse().unwrap();
        kill(Pid::from_raw(daemon), Signal::SIGKILL).unwrap();
    }

    #[test]
    fn a_full_disk_does_not_stop_the_reading() {
        let mut sink = Memory { full: true, ..Memory::default() };
        let ended = run(&Handle::default(), "seq 300000", &mut sink);
        assert_eq!(ended.exit, Exit::Code(0));
        assert_eq!(ended.log_error.unwrap().kind(), io::ErrorKind::StorageFull);
        assert_eq!(sink.lines, sink.raw);
        assert_eq!(sink.lines.iter().filter(|byte| **byte == b'\n').count(), 300_000);
    }

    #[test]
    fn a_signal_while_a_child_is_being_started_reaches_it() {
        for (force, signal) in [(Force::Interrupt, 2), (Force::Terminate, 15), (Force::Kill, 9)] {
            let handle = Handle::default();
            let launch = Launch::new(&handle, Inherits::Nothing);
            let argv = ["sleep", "300"].map(str::to_owned).to_vec();
            // After the look whether it may begin.
            handle.signal(force);
            let sink = &mut Memory::default();
            let (exit, _) =
                launch.attended(&Command { argv, env: Vec::new(), private: false }, sink).unwrap();
            assert_eq!(exit, Exit::Signal(signal));
        }
    }

    #[test]
    fn a_stopped_job_begins_nothing_more() {
        let handle = Handle::default();
        let other = handle.clone();
        let mut sink = Memory::default();
        let stopper = thread::spawn(move || {
            while other.inner.lock().unwrap().leader.is_none() {
                thread::yield_now();
            }
            other.signal(Force::Kill);
        });
        let ended = run(&handle, "while :; do read -t 60 <> <(:); done", &mut sink);
        stopper.join().unwrap();
        assert_eq!(ended.exit, Exit::Signal(9));
        let after = run(&handle, "echo never", &mut sink);
        assert_eq!(after.exit, Exit::Signal(2));
        assert!(sink.raw.is_empty());
    }
}
