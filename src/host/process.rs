//! One child: its own session, its output into the log file and to the console, its end.
//!
//! Its standard output and error are one pipe of ours, never a descriptor of the container: a
//! stopped `docker attach` would block it there. A thread drains the pipe ([`super::output`]).

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::output::{Capture, Sink, drain};
use crate::model::{Exit, Force};
use crate::portage::command::{Command, Inherits};
use crate::{children, procs, sys};

/// Raised in every job, so that the kernel short of memory takes a compiler and not the builder.
const OOM_SCORE_ADJ: i16 = 400;
/// The largest pipe a process may ask for without privileges (pipe(7)).
const PIPE_SIZE: i32 = 1 << 20;
/// What is left of a job's group when its leader has ended gets this long after TERM.
const STRAGGLERS: Duration = Duration::from_secs(2);
/// The user and the group `nobody`, everywhere.
pub(crate) const NOBODY: (u32, u32) = (65_534, 65_534);

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

/// The answer of a command of Portage, for whoever has no job to run it in; nothing when it could not be started. `more` is
/// `build.environment`.
pub(crate) fn ask_here(more: &[String], command: &Command) -> Option<Vec<u8>> {
    let mut nowhere = io::sink();
    let mut sink = Capture { file: &mut nowhere, text: Vec::new() };
    let ended = Launch::new(&Handle::default(), Inherits::Portage(more)).run(command, &mut sink);
    (!matches!(ended.exit, Exit::NotStarted(_))).then_some(sink.text)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A sink that keeps everything.
    #[derive(Default)]
    pub(crate) struct Memory {
        pub raw: Vec<u8>,
        pub lines: Vec<u8>,
        pub full: bool,
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

    pub(crate) fn run(handle: &Handle, script: &str, sink: &mut Memory) -> Ended {
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
