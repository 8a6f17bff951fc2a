//! Decides. One [`State`](state::State), one total function [`step::step`] that changes it, and nothing else:
//! no I/O, no clock, no randomness. The supervisor's loop selects an [`Event`], calls `step`, and
//! performs the [`Action`]s that come back.
//!
//! ```text
//!              Claimed                cycle due, sync asked for
//!   Starting ──────────┬────────────────────────┐◄─────────────────────────────┐
//!      │               ▼                        │                              │
//!      │   ┌─ Running{preflight → sync → self-update → plan → build → rebuild → audit → publish → prune}─► Waiting
//!      │   │     ▲        │ a step failed, an operator asked, the pause flag is there
//!      │   │     │resume  ▼
//!      └───┼───► Paused ◄─┴─────────────────────────────────────────────────────── (pause)
//!  refused │
//!          └─► stop asked: the job is halted, then Exit (the phase on the volume stays,
//!              so that the next start goes on where this one was)
//! ```
//!
//! What survives a restart is [`state::Durable`] and, beside it, the plan of the cycle; what only
//! this process knows is [`state::Live`].
//! Deadlines are kept in monotonic time and written down in wall time, so that a clock that jumps
//! moves nothing while the process lives.

pub mod audit;
pub mod bounds;
pub mod classify;
pub mod compare;
pub mod cycle;
pub mod engine;
pub mod eta;
pub mod failure;
pub mod foreign;
pub mod history;
pub mod job;
pub mod kept;
pub mod known;
pub mod machine;
pub mod major;
pub mod narrowing;
pub mod notice;
pub mod offer;
pub mod prune;
pub mod release;
pub mod remedy;
mod repositories;
pub mod request;
pub mod rest;
pub mod room;
pub mod server;
pub mod signing;
pub mod skip;
pub mod stall;
pub mod state;
pub mod status;
pub mod step;
pub mod untangle;
pub mod view;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Http};
use crate::portage::files::live::LiveJob;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::buildlog::BuildLog;
use crate::portage::output::circular::Circle;
use crate::portage::output::plan::Plan;
use crate::portage::output::problem::{Problem, ProblemKind};
use crate::portage::output::scanner::{Evidence, Progress};
use crate::portage::output::sync::Synced;

use audit::Broken;
use eta::Estimates;
use failure::Failure;
use history::Record;
use machine::Machine;
use major::Stale;
use notice::{Note, Way};
use offer::Held;
use prune::Pruned;
use release::{Current, Published};
use request::{Reply, Request};
use rest::Untried;
use stall::Pulse;
use state::{CyclePlan, Durable};
use status::VolumeInfo;

pub use work::Work;

/// A moment. Deadlines use `mono`, display uses `wall`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Time since the supervisor began; never goes backwards.
    pub mono: Duration,
    /// The time of day.
    pub wall: Timestamp,
}

/// Which spawn an exit or a line of output belongs to. Never used twice on one volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub u64);

/// The steps of a cycle, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The volume and the leftovers of a crash.
    Preflight,
    /// The ebuild repositories.
    Sync,
    /// Portage itself, when a newer one is there.
    SelfUpdate,
    /// What the build will merge, and why; nothing is changed.
    Plan,
    /// The targets, `@world` as a rule.
    Build,
    /// What the changes of this cycle make necessary.
    Rebuild,
    /// What of it clients can be offered.
    Audit,
    /// What is good is offered to clients.
    Publish,
    /// What is no longer needed is removed.
    Prune,
}

impl Step {
    /// The name in the status, in history and of the log file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Sync => "sync",
            Self::SelfUpdate => "self-update",
            Self::Plan => "plan",
            Self::Build => "build",
            Self::Rebuild => "rebuild",
            Self::Audit => "audit",
            Self::Publish => "publish",
            Self::Prune => "prune",
        }
    }
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It could not be started; why, in the system's words.
    NotStarted(String),
}

/// What a command left behind when it ended: facts, not judgements.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// The program's name, without its directory.
    pub program: String,
    /// The whole command line, to be typed again by hand.
    pub command: String,
    /// The log that has all of its output, as a path inside the container.
    pub log: String,
    /// How it ended.
    pub exit: Exit,
    /// What its output showed.
    pub evidence: Evidence,
    /// What the logs of the failed packages say, by `category/name-version`.
    pub logs: BTreeMap<String, BuildLog>,
    /// What the machine had to do with it.
    pub machine: Machine,
    /// The same for each failed package, from its start to its failure.
    pub moments: BTreeMap<String, Machine>,
    /// Which of Portage's settings for packages (`package.use` and the like, portage(5)) are one file
    /// and not a directory of files.
    pub single_files: Vec<String>,
    /// What packages are built with on this machine: the compilers and the C library that are installed, and
    /// which of them is chosen.
    pub toolchain: String,
}

impl Ran {
    /// Whether packages failed, each by itself, and nothing else stopped the command.
    #[must_use]
    pub fn failed_by_package(&self) -> bool {
        self.exit != Exit::Code(0) && !self.is_cut_short() && !self.evidence.failed.is_empty()
    }

    /// Whether the command did not come to an end of its own.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        let stopped = |problem: &Problem| problem.kind == ProblemKind::Interrupted;
        !matches!(self.exit, Exit::Code(_)) || self.evidence.problems.iter().any(stopped)
    }

    /// Two commands as one: this one came after another, of which packages had failed.
    #[must_use]
    pub fn after(mut self, before: Option<Self>) -> Self {
        let Some(before) = before else { return self };
        if self.exit == Exit::Code(0) {
            self.exit = before.exit;
            self.evidence.tail = before.evidence.tail;
            self.machine = before.machine;
        }
        self.evidence.failed.splice(0..0, before.evidence.failed);
        self.evidence.problems.splice(0..0, before.evidence.problems);
        self.logs.extend(before.logs);
        self.moments.extend(before.moments);
        self
    }
}

/// How a step's work ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// The step's commands ran; this is the last one, or the one that failed.
    Ran(Box<Ran>),
    /// There was nothing to do.
    Nothing,
    /// The sync ran.
    Synced {
        /// How the command ended; the last one, if it took several.
        ran: Box<Ran>,
        /// What came of each repository.
        synced: Box<Synced>,
    },
    /// The resolver was asked what it would do.
    Planned {
        /// How the command ended.
        ran: Box<Ran>,
        /// What it would do; of no meaning when the command failed.
        plan: Plan,
        /// The versions that Portage would take of what is to be skipped, by its atom; of what is not in
        /// here it would take none.
        offered: BTreeMap<String, Cpv>,
    },
    /// The preflight found the system fit to build, after these repairs (one sentence each).
    Ready {
        /// What was repaired.
        repairs: Vec<String>,
        /// The names of the repositories that are configured and not there.
        missing: Vec<String>,
    },
    /// What Portage knows of a circular dependency.
    Circle(Circle),
    /// What a build had left untried was tried; what failed of it, in one, and what could not be tried.
    Rest {
        /// The runs in which packages failed, as one.
        ran: Option<Box<Ran>>,
        /// What could not be tried, and why.
        untried: Vec<Untried>,
    },
    /// The binary packages were audited.
    Audited {
        /// What would be held back.
        held: Vec<Held>,
        /// What a build from source may put right.
        broken: Vec<Broken>,
        /// How many packages there are to offer.
        offered: usize,
    },
    /// Clients are offered what is good.
    Published(Box<Published>),
    /// What is no longer needed was removed.
    Pruned(Pruned),
    /// The performer itself found the trouble.
    Failed(Box<Failure>),
}

/// What taking the volume found.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The state that was on it; absent on a fresh volume or when it was damaged.
    pub durable: Option<Durable>,
    /// The plan that was on it, of whichever cycle; absent also when it was damaged.
    pub plan: Option<CyclePlan>,
    /// The highest cycle number that the volume knows of, so that a lost state does not begin
    /// again at one and mix its logs with older ones.
    pub last_cycle: u64,
    /// The identity of this root file system: the same after `docker stop` and `start` and in a
    /// `docker commit`, another one in a container made anew.
    pub root: String,
    /// The container has just started, as opposed to a supervisor that came back within it.
    pub boot: bool,
}

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A client on the control socket, by the number of its request.
    Client(u64),
    /// A signal to PID 1.
    Signal,
    /// A flag file.
    Flag,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The volume is ours.
    Claimed(Box<Claimed>),
    /// It is not, and this is why.
    Refused(Box<Failure>),
    /// A deadline may have passed.
    Timer,
    /// A job's output told something.
    Progress {
        /// The job.
        job: JobId,
        /// What it told.
        progress: Progress,
    },
    /// A job's work is over.
    Ended {
        /// The job.
        job: JobId,
        /// How.
        report: Report,
    },
    /// An operator asks for something.
    Asked {
        /// Who.
        by: Asker,
        /// What.
        request: Request,
    },
    /// The `pause` flag file appeared (true) or went away.
    Hold(bool),
    /// The configuration was read again; what was wrong with it otherwise.
    Reloaded(Result<Box<Config>, String>),
    /// The container is to end (TERM, INT); a second one hurries.
    Terminate,
    /// The volume was looked at.
    Volume(VolumeInfo),
    /// What clients are offered was looked at.
    Offered(Option<Current>),
    /// How long things take here, looked up before packages are merged.
    Estimates(Arc<Estimates>),
    /// What changed since the last cycle that was done, as a job found it; see [`major`].
    Changed {
        /// The job.
        job: JobId,
        /// All of it.
        changes: Vec<major::Change>,
    },
    /// What a job is about to rebuild because of that.
    Stale {
        /// The job.
        job: JobId,
        /// The packages.
        packages: Vec<Stale>,
    },
    /// Portage was asked what it is doing; see [`crate::portage::files::live`].
    Live(Vec<LiveJob>),
    /// A job was looked at, as [`Action::Look`] asked.
    Pulse {
        /// The job.
        job: JobId,
        /// What was to be seen.
        pulse: Pulse,
    },
    /// The processes of a job were written down, as [`Action::Examine`] asked.
    Examined {
        /// The job.
        job: JobId,
        /// One line for each process; see [`stall::tree`].
        processes: Vec<String>,
    },
    /// The server has ended; its last word, or how.
    ServerEnded(String),
    /// A message or a sign of life arrived, or did not.
    Delivered {
        /// How it went.
        way: Way,
        /// Why it did not arrive.
        problem: Option<String>,
    },
    /// Something an operator should know began (a sentence) or ended (nothing).
    Warning {
        /// Which, so that it can end.
        key: &'static str,
        /// The sentence.
        text: Option<String>,
    },
}

/// A signal to a job's process group, in the order of growing force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Force {
    /// SIGINT: Portage winds its builds down.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// Something to perform.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Write [`State::durable`](state::State::durable) to the volume before anything that follows.
    Persist,
    /// Write [`State::plan`](state::State::plan) to the volume.
    PersistPlan,
    /// Take the volume.
    Claim,
    /// Begin a job.
    Start {
        /// Its number.
        job: JobId,
        /// The cycle it belongs to.
        cycle: u64,
        /// What to do.
        work: Work,
    },
    /// Signal a job's process group.
    Signal {
        /// The job.
        job: JobId,
        /// How hard.
        force: Force,
    },
    /// See whether a job gives a sign of life; the answer is an [`Event::Pulse`].
    Look {
        /// The job.
        job: JobId,
    },
    /// Write down what the processes of a job are doing, in the log of its step; then comes an
    /// [`Event::Examined`].
    Examine {
        /// The job.
        job: JobId,
    },
    /// Answer a request; exactly one of these for each [`Event::Asked`].
    Answer {
        /// Whom.
        to: Asker,
        /// What.
        reply: Reply,
    },
    /// Write it to the history.
    Record(Record),
    /// Tell people; an [`Event::Delivered`] follows. Nothing waits for it.
    Notify {
        /// How; never the heartbeat.
        way: Way,
        /// What.
        note: Box<Note>,
    },
    /// Start the server; an [`Event::ServerEnded`] follows when it ends. Nothing waits for it.
    Serve(Http),
    /// Have it end.
    StopServing,
    /// Give a sign of life; an [`Event::Delivered`] follows.
    Beat,
    /// Say it in the log: what the headline alone does not tell.
    Say(String),
    /// Leave with this code.
    Exit(u8),
}
