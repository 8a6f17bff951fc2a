//! What happens, and what is to be performed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ccache::Moment;
use super::estimates::Estimates;
use super::failure::Failure;
use super::job::Force;
use super::notice::{Note, Way};
use super::offer::{Broken, Held};
use super::prune::Pruned;
use super::rebuilds::Stale;
use super::records::Record;
use super::release::{Current, Published};
use super::request::{Reply, Request};
use super::stall::Pulse;
use super::state::{CyclePlan, Durable};
use super::status::VolumeInfo;
use super::work::Untried;
use crate::config::{Config, Http};
use crate::model::JobId;
use crate::model::ran::Ran;
use crate::model::work::Work;
use crate::portage::files::live::LiveJob;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::ccache::Counters;
use crate::portage::output::circular::Circle;
use crate::portage::output::plan::Plan;
use crate::portage::output::scanner::Progress;
use crate::portage::output::sync::Synced;

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
        /// Installed, and their merge, which had not ended, failed when it was tried again: `category/name-version`.
        unmerged: Vec<String>,
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
    /// What changed since the last cycle that was done, as a job found it; see [`rebuilds`](super::rebuilds).
    Changed {
        /// The job.
        job: JobId,
        /// All of it.
        changes: Vec<crate::model::rebuilds::Change>,
    },
    /// What a job is about to rebuild because of that.
    Stale {
        /// The job.
        job: JobId,
        /// The packages.
        packages: Vec<Stale>,
    },
    /// What ccache has counted, before and after a command of a job that builds.
    Ccache {
        /// The job.
        job: JobId,
        /// Which of the two.
        moment: Moment,
        /// The counters.
        counters: Counters,
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
        /// One line for each process; see [`stall::tree`](super::stall::tree).
        processes: Vec<String>,
    },
    /// The server has ended; its last word, or how.
    ServerEnded(String),
    /// Helpers came, went, or compiled.
    Helped(Box<super::helpers::Helpers>),
    /// A message or a sign of life arrived, or did not.
    Delivered {
        /// How it went.
        way: Way,
        /// Why it did not arrive.
        problem: Option<String>,
    },
    /// The clients were looked at, or rehearsed.
    Rehearsed {
        /// All that there are.
        clients: Arc<Vec<super::client::Client>>,
        /// One sentence for each that would compile more than before.
        worse: Vec<String>,
    },
    /// Something an operator should know began (a sentence) or ended (nothing).
    Warning {
        /// Which, so that it can end.
        key: &'static str,
        /// The sentence.
        text: Option<String>,
    },
}

/// Something to perform.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Write [`State::durable`](super::state::State::durable) to the volume before anything that follows.
    Persist,
    /// Write [`State::plan`](super::state::State::plan) to the volume.
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
