//! The loop that keeps a supervisor running.

use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::common::{exit_code, prepare, rehearse, settings, sleep};
use super::deaths::{Deaths, LIMIT, Verdict};
use super::degraded::{Degraded, Wish};
use super::job::{self, Clearing, HowFar};
use super::say::say;
use super::sweep::{HURRY, sweep};
use super::watch::{Doubt, Next, Stands, Watch};
use crate::procs::{self, Process};
use crate::signals::SignalSet;
use crate::sys::{self, Child, Signals, Waited, isolate};

/// The signals that mean something to the supervisor, and to it only: SIGUSR1 would drop an emerge
/// into its debugger.
const MEANT_FOR_IT: SignalSet =
    SignalSet::of(&[libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2]);
/// Those that are about the supervisor and meant for init.
const ABOUT_IT: SignalSet = SignalSet::of(&[procs::COMPLAINT, procs::ANSWER]);

/// The supervisor's exit code after a stop that was asked for, by signal or through it.
const STOPPED: i32 = 0;
/// Its exit code for a configuration that it cannot start with.
const BAD_CONFIGURATION: i32 = 2;
/// How soon after the first start [`BAD_CONFIGURATION`] means that.
const STARTUP: Duration = Duration::from_secs(30);
/// What a supervisor gets as its `oom_score_adj`: the kernel shall take it before init, and its jobs,
/// which it raises further, before it.
const OOM_SCORE_ADJ: i16 = 100;
/// How long a new supervisor may take to catch a signal before it is sent it regardless.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to look whether it does, while there is a signal for it.
const TICK: Duration = Duration::from_millis(20);

/// Names a program to start in the supervisor's place. It is there for tests of init, which need supervisors that die.
const PROGRAM: &str = "GBSUP_SUPERVISOR";

/// Keeps a supervisor running until a stop is asked for, and returns the code it left.
pub(super) fn run() -> u8 {
    const FAILED: u8 = 1;
    match prepare(MEANT_FOR_IT.union(ABOUT_IT)) {
        Ok(signals) => {
            let _ = std::env::set_current_dir("/");
            Init::new(signals).run()
        }
        Err(error) => {
            say(&format!("cannot catch signals: {error}"));
            FAILED
        }
    }
}

struct Init {
    signals: Signals,
    state: State,
    deaths: Deaths,
    restarts: u32,
    /// Signals that came for the supervisor and that it has not been sent.
    held: SignalSet,
    /// The supervisor that runs has been asked for a sign of life.
    watch: Option<Watch>,
    /// It was killed for this.
    condemned: Option<String>,
    /// How the one before it ended.
    ended: Option<String>,
}

enum State {
    /// The supervisor runs.
    Running(Supervisor),
    /// It runs and has been told to stop, which ends at `deadline` at the latest.
    Stopping { supervisor: Supervisor, deadline: Instant },
    /// It died, and what it left is being stopped; then there is a start at a time, or there is none.
    Clearing { job: Clearing, then: Then },
    /// The next one starts then.
    Waiting { until: Instant },
    /// It died too often. Init answers in its place.
    Degraded(Degraded),
}

#[derive(Clone, Copy)]
struct Supervisor {
    pid: i32,
    since: Instant,
}

/// What follows when nothing of the dead supervisor is left.
enum Then {
    Start(Instant),
    GiveUp(String),
}

/// How init ends: with this code, when the rest is gone or the deadline is over.
struct Ending {
    code: u8,
    deadline: Instant,
}

impl Init {
    fn new(signals: Signals) -> Init {
        let state = State::Waiting { until: Instant::now() };
        Init {
            signals,
            state,
            deaths: Deaths::none(),
            restarts: 0,
            held: SignalSet::EMPTY,
            watch: None,
            condemned: None,
            ended: None,
        }
    }

    fn run(mut self) -> u8 {
        self.start();
        let exit = loop {
            self.sleep();
            if let ControlFlow::Break(exit) = self.turn(Instant::now()) {
                break exit;
            }
        };
        sweep(&self.signals, exit.deadline);
        exit.code
    }

    /// Waits for a signal, and for whatever else the state waits for.
    fn sleep(&self) {
        let tick = (!self.held.is_empty()).then_some(TICK);
        let until = |at: Instant| Some(at.saturating_duration_since(Instant::now()));
        match &self.state {
            State::Running(_) => {
                sleep(&self.signals, &[], tick.or(self.watch.as_ref().and_then(|watch| until(watch.next()))));
            }
            State::Stopping { deadline, .. } => sleep(&self.signals, &[], tick.or(until(*deadline))),
            State::Clearing { .. } => sleep(&self.signals, &[], Some(job::TICK)),
            State::Waiting { until: start } => sleep(&self.signals, &[], until(*start)),
            State::Degraded(init) => sleep(&self.signals, &init.descriptors(), init.due().and_then(until)),
        }
    }

    /// Everything that is to be done after a wake-up.
    fn turn(&mut self, now: Instant) -> ControlFlow<Ending> {
        // Signals first: as long as the supervisor is not reaped, its pid is its own.
        for signal in self.signals.take().without(libc::SIGCHLD).iter() {
            self.signalled(signal, now)?;
        }
        self.deliver(now);
        self.notice_stop(now);
        if let Some(status) = self.reap() {
            self.ended(status, now)?;
        }
        self.due(now)
    }

    /// A signal has come.
    fn signalled(&mut self, signal: i32, now: Instant) -> ControlFlow<Ending> {
        match (signal, &mut self.state) {
            (procs::COMPLAINT, State::Running(_)) => self.doubt(Doubt::Client, now),
            (procs::ANSWER, State::Running(_)) => {
                if let Some(relief) = self.watch.take().and_then(Watch::answered) {
                    say(relief);
                }
            }
            (procs::COMPLAINT | procs::ANSWER, _) => {}
            (libc::SIGTERM | libc::SIGINT, State::Running(supervisor)) => {
                let supervisor = *supervisor;
                let deadline = now + settings().stop.grace;
                self.state = State::Stopping { supervisor, deadline };
                self.held = self.held.with(signal);
                // One that was stopped has to go on to obey.
                if self.watch.take().is_some() && stands(supervisor.pid) == Stands::Stopped {
                    let _ = sys::kill(supervisor.pid, libc::SIGCONT);
                }
            }
            (libc::SIGTERM | libc::SIGINT, State::Stopping { deadline, .. }) => {
                *deadline = (*deadline).min(now + HURRY);
                self.held = self.held.with(signal);
            }
            (libc::SIGTERM | libc::SIGINT, _) => return stop(now),
            (libc::SIGUSR2, State::Degraded(_)) => self.resume(),
            (libc::SIGQUIT, State::Degraded(init)) => say(init.headline()),
            (_, state) => {
                match (signal, state) {
                    (libc::SIGUSR2, State::Waiting { until }) => *until = now,
                    (libc::SIGUSR2, State::Clearing { then, .. }) => *then = Then::Start(now),
                    _ => {}
                }
                self.held = self.held.with(signal);
            }
        }
        ControlFlow::Continue(())
    }

    /// Sends the supervisor what came for it, once it catches that: before it does, most signals
    /// would end it. Without a supervisor the signals wait for the next one.
    fn deliver(&mut self, now: Instant) {
        let (State::Running(supervisor) | State::Stopping { supervisor, .. }) = &self.state else { return };
        if self.held.is_empty() {
            return;
        }
        let supervisor = *supervisor;
        let patient = now.duration_since(supervisor.since) < PATIENCE;
        let ready = if patient { caught_by(supervisor.pid) } else { None };
        for signal in self.held.iter() {
            if ready.is_none_or(|caught| caught.contains(signal)) {
                let _ = sys::kill(supervisor.pid, signal);
                self.held = self.held.without(signal);
                self.doubt(Doubt::Signal(signal), now);
            }
        }
    }

    // --- Does it still answer? ------------------------------------------------------------------

    /// Asks the supervisor for a sign of life, unless that was done. One that stops has its grace instead.
    fn doubt(&mut self, doubt: Doubt, now: Instant) {
        let State::Running(supervisor) = &self.state else { return };
        if self.watch.is_some() || self.condemned.is_some() || !answers(supervisor.pid) {
            return;
        }
        match doubt {
            Doubt::Signal(_) => {}
            Doubt::Client => {
                say("a client got no answer from the supervisor, which is asked for a sign of life");
            }
            Doubt::Stopped(signal) => {
                say(&format!(
                    "the supervisor was stopped by signal {signal}; in a minute it is told to go on"
                ));
            }
        }
        self.watch = Some(Watch::begin(doubt, now));
        let _ = sys::kill(supervisor.pid, procs::QUESTION);
    }

    /// Looks whether the supervisor was stopped. What a debugger does to it is no stop.
    fn notice_stop(&mut self, now: Instant) {
        let (State::Running(supervisor) | State::Stopping { supervisor, .. }) = &self.state else { return };
        let pid = supervisor.pid;
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG;
        let Ok(WaitStatus::Stopped(_, signal)) = waitid(Id::Pid(Pid::from_raw(pid)), flags) else { return };
        if matches!(self.state, State::Stopping { .. }) {
            say("the supervisor was stopped while it stops the builder; it is told to go on");
            let _ = sys::kill(pid, libc::SIGCONT);
        } else {
            self.doubt(Doubt::Stopped(signal as i32), now);
        }
    }

    /// Looks at a supervisor that owes a sign of life.
    fn look(&mut self, pid: i32, now: Instant) {
        let Some(watch) = &mut self.watch else { return };
        let mut found = Stands::Free;
        let look = || {
            found = stands(pid);
            found
        };
        match watch.look(look, now) {
            None | Some(Next::Excuse { first: false }) => {}
            // It may not have been listening before.
            Some(Next::Ask) => drop(sys::kill(pid, procs::QUESTION)),
            Some(Next::GoOn) => {
                say("the supervisor is stopped; telling it to go on");
                let _ = sys::kill(pid, libc::SIGCONT);
            }
            Some(Next::Excuse { first: true }) => match found {
                Stands::Traced(tracer) => say(&format!(
                    "the supervisor gives no sign of life; process {tracer} traces it, so it is left alone"
                )),
                _ => say(
                    "the supervisor gives no sign of life; it waits in the kernel, mostly for a disk, and a new one would too",
                ),
            },
            Some(Next::Kill) => {
                self.condemned = Some(watch.in_words());
                self.watch = None;
                let _ = sys::kill(pid, libc::SIGKILL);
            }
        }
    }

    /// Reaps whatever has ended, and returns how the supervisor did if it is among that. The bell for
    /// one child can stand for many, and for the supervisor.
    fn reap(&self) -> Option<ExitStatus> {
        let supervisor = match &self.state {
            State::Running(supervisor) | State::Stopping { supervisor, .. } => Some(supervisor.pid),
            _ => None,
        };
        let mut ended = None;
        while let Waited::Child(pid, status) = sys::wait_any() {
            if Some(pid) == supervisor {
                ended = Some(status);
            }
        }
        ended
    }

    /// The supervisor has ended.
    fn ended(&mut self, status: ExitStatus, now: Instant) -> ControlFlow<Ending> {
        let supervisor = match &self.state {
            State::Stopping { deadline, .. } => {
                return ControlFlow::Break(Ending { code: exit_code(status), deadline: *deadline });
            }
            State::Running(supervisor) => *supervisor,
            _ => return ControlFlow::Continue(()),
        };
        let ran = now.duration_since(supervisor.since);
        match status.code() {
            Some(STOPPED) => return stop(now),
            Some(BAD_CONFIGURATION) if self.restarts == 0 && ran < STARTUP => {
                return ControlFlow::Break(Ending { code: exit_code(status), ..exit(now) });
            }
            _ => {}
        }
        let how = self.condemned.take().unwrap_or_else(|| in_words(status));
        self.watch = None;
        self.ended = Some(how.clone());
        let then = match self.deaths.record(ran, now) {
            Verdict::Again { nth, delay } => {
                let delay_in_words = delay.as_secs();
                say(&format!(
                    "supervisor {how} (death {nth} of {LIMIT} in ten minutes), again in {delay_in_words} s"
                ));
                Then::Start(now + delay)
            }
            Verdict::GiveUp => Then::GiveUp(how),
        };
        let job = Clearing::begin(&settings().volume.path, self.restarts, now);
        self.restarts = self.restarts.saturating_add(1);
        self.state = State::Clearing { job, then };
        ControlFlow::Continue(())
    }

    /// Does what the time has come for.
    fn due(&mut self, now: Instant) -> ControlFlow<Ending> {
        match &mut self.state {
            State::Running(supervisor) => {
                let pid = supervisor.pid;
                self.look(pid, now);
            }
            State::Stopping { deadline, .. } if now < *deadline => {}
            State::Stopping { .. } => {
                say("the supervisor did not stop in time");
                return ControlFlow::Break(Ending { code: 128 + KILLED, deadline: now });
            }
            State::Clearing { job, then } => {
                if job.go_on(now) == HowFar::Done {
                    self.state = match then {
                        Then::Start(at) => State::Waiting { until: *at },
                        Then::GiveUp(how) => State::Degraded(Degraded::begin(how)),
                    };
                }
            }
            State::Waiting { until } if now < *until => {}
            State::Waiting { .. } => self.start(),
            State::Degraded(init) => match init.serve(now) {
                Wish::Nothing => {}
                Wish::Resume => self.resume(),
                Wish::Stop => return stop(now),
            },
        }
        ControlFlow::Continue(())
    }

    /// Leaves the degraded state with a clean record.
    fn resume(&mut self) {
        say("starting the supervisor again, as asked");
        self.deaths = Deaths::none();
        // The socket goes before the supervisor that wants its name comes.
        self.state = State::Waiting { until: Instant::now() };
        self.start();
    }

    /// Starts the supervisor. What prevents that, such as a limit on processes, passes by itself: it is
    /// tried again and counts as no death.
    fn start(&mut self) {
        let now = Instant::now();
        self.state = match spawn(self.restarts, self.ended.as_deref()) {
            Ok(pid) => {
                sys::let_go_of_program();
                rehearse(pid);
                State::Running(Supervisor { pid, since: now })
            }
            Err(error) => {
                let delay = self.deaths.next_delay();
                say(&format!("cannot start the supervisor: {error}; again in {} s", delay.as_secs()));
                State::Waiting { until: now + delay }
            }
        };
    }
}

/// The signal of last resort, as part of an exit code.
const KILLED: u8 = 9;

/// An end that was asked for.
fn stop(now: Instant) -> ControlFlow<Ending> {
    ControlFlow::Break(exit(now))
}

fn exit(now: Instant) -> Ending {
    Ending { code: 0, deadline: now + settings().stop.grace }
}

/// Starts the supervisor, which learns from `GBSUP_RESTARTS` how many came before it, and from `GBSUP_ENDED` how the last of
/// them ended. It gets the container's environment whole: it is configured by that, and hands on to its own children what is meant for them (`children`).
///
/// [`PROGRAM`] names another program to start, with the same argument.
fn spawn(restarts: u32, ended: Option<&str>) -> std::io::Result<i32> {
    let program = std::env::var_os(PROGRAM).unwrap_or_else(|| "/proc/self/exe".into());
    let mut command = Command::new(program);
    command.arg("supervisor").env(procs::RESTARTS, restarts.to_string()).stdin(Stdio::null());
    match ended {
        Some(how) => command.env(procs::ENDED, how),
        None => command.env_remove(procs::ENDED),
    };
    isolate(&mut command, Child { session: true, oom_score_adj: Some(OOM_SCORE_ADJ), ..Child::default() });
    let child = command.spawn()?;
    i32::try_from(child.id()).map_err(std::io::Error::other)
}

/// The signals a process has handlers for; none when that cannot be told.
///
/// Those it blocks do not count: a C library blocks all of them for the moment in which it starts a
/// process, and afterwards they would end it.
fn caught_by(pid: i32) -> Option<SignalSet> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    SignalSet::from_hex(status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?)
}

/// Whether a supervisor knows that a sign of life is asked of it. One of a test may not.
fn answers(pid: i32) -> bool {
    std::env::var_os(PROGRAM).is_none()
        || caught_by(pid).is_some_and(|caught| caught.contains(procs::QUESTION))
}

fn stands(pid: i32) -> Stands {
    match (procs::tracer(pid), Process::read(pid).map(|process| process.state)) {
        (Some(tracer), _) => Stands::Traced(tracer),
        (None, Some('D')) => Stands::InKernel,
        (None, Some('T')) => Stands::Stopped,
        (None, None | Some('Z' | 'X')) => Stands::Gone,
        (None, Some(_)) => Stands::Free,
    }
}

/// `died by signal 9` or `exited with code 101`.
fn in_words(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("died by signal {signal}"),
        None => format!("exited with code {}", exit_code(status)),
    }
}
