//! The one state value: what survives a restart, and what only this process knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ccache::Counted;
use super::estimates::Estimates;
use super::failure::Failure;
use super::helpers::Helpers;
use super::job::Job;
use super::known::KnownFailure;
use super::narrowing::Narrowing;
use super::notice::{Notices, Outbox};
use super::offer::Broken;
use super::rebuilds::{Change, Stale};
use super::release::Current;
use super::remedy::{Remedy, Treated, Untangled};
use super::request::PauseMode;
use super::server::{self, Server};
use super::skip::Skip;
use super::status::{VolumeInfo, Why};
use super::work::Leftover;
use super::{JobId, Now, Step};
use crate::config::Config;
use crate::model::job::Tally;
use crate::model::sync::SyncRecord;
use crate::portage::output::plan::Plan;
use crate::words::words;

words!(Reason);

/// The version of `state.json`. It counts up when something in it means something else than before; a field or a word more
/// is no new version. A file of a higher one is read all the same ([`crate::volume::kept`]), unless it forbids that
/// ([`Format::oldest_reader`]).
pub const SCHEMA: u32 = 1;

/// What a `state.json` of every version says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Format {
    /// [`SCHEMA`] of who wrote it.
    pub schema: u32,
    /// The lowest version whose readers may go on with it: an older one would do harm, because what it knows means something
    /// else.
    #[serde(default)]
    pub oldest_reader: u32,
}

/// Everything.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// What is on the volume as `state/state.json`.
    pub durable: Durable,
    /// What the present cycle set out to merge, once that is known. It is on the volume as well, as
    /// `state/plan.json`: it is large and changes once in a cycle, the durable state is small and
    /// changes all the time.
    pub plan: Option<Arc<CyclePlan>>,
    /// What is gone with the process.
    pub live: Live,
}

/// What survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durable {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Where the loop is.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// The cycle that runs or ran last.
    pub cycle: Option<Cycle>,
    /// The number of the newest job on this volume.
    pub last_job: JobId,
    /// Requests remembered until the next safe point.
    pub pending: Pending,
    /// What syncing did.
    pub sync: SyncRecord,
    /// The root file system that this state describes; see [`super::Claimed::root`].
    pub root: Option<String>,
    /// Packages that failed and were not merged since, in the order in which they failed last.
    #[serde(default)]
    pub known: Vec<KnownFailure>,
    /// What the last audit found broken although it was built anew; it is not built again for the same reason.
    #[serde(default)]
    pub broken: Vec<Broken>,
    /// What a person keeps out of every cycle.
    #[serde(default)]
    pub skips: Vec<Skip>,
    /// What people were told.
    #[serde(default)]
    pub notices: Notices,
    /// What clients are offered, as far as it was looked at.
    #[serde(default)]
    pub release: Option<Current>,
}

/// What a cycle set out to merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CyclePlan {
    /// The cycle it belongs to; to any other it means nothing.
    pub cycle: u64,
    /// When it was made.
    pub made: Timestamp,
    /// The packages.
    #[serde(flatten)]
    pub plan: Plan,
}

/// Where the loop is. Stopping is not a phase: it ends the process and leaves the phase as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// A cycle is on its way, at this step.
    Running(Step),
    /// Held.
    Paused(Pause),
    /// The cycle is done; the next one begins at this time, or on request only.
    Waiting(Option<Timestamp>),
}

impl Default for Phase {
    fn default() -> Self {
        Self::Waiting(None)
    }
}

/// Why it is held, and where it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who holds it.
    pub why: Why,
    /// It ends when the `pause` flag file goes away.
    pub by_flag: bool,
    /// What failed; empty when an operator holds it.
    pub failures: Vec<Failure>,
    /// An operator's words.
    pub reason: Option<String>,
    /// The step to go on with; absent: the cycle was over, so wait for the next.
    pub at: Option<Step>,
    /// When the next cycle was to begin, if it was over.
    pub due: Option<Timestamp>,
}

/// A cycle.
///
/// It is one flat object in `state.json`, where each field is understood or not by itself ([`crate::volume::kept`]). So it is flat here as
/// well, and only its order tells what belongs together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    // --- Which one it is, and where it goes on.
    /// Counted from 1 on the volume.
    pub id: u64,
    /// When it began.
    pub started: Timestamp,
    /// Why.
    pub reason: Reason,
    /// The sync of this cycle was asked for, so `sync.min_interval` does not hold it.
    pub forced: bool,
    /// The step to go on with after the preflight, when the cycle was interrupted.
    pub goal: Option<Step>,
    /// Atoms that an operator asked to leave out.
    pub exclude: Vec<String>,
    /// It has ended.
    pub over: bool,

    // --- How far it is.
    /// What it merged, as `category/name-version`.
    pub merged: Vec<String>,
    /// What was counted so far; failures only of jobs that are over.
    pub tally: Tally,
    /// How many packages it sets out to merge in all, those that are merged already among them:
    /// from its plan, or from a job that did not get through all of them. What was left out because
    /// of a failure counts too. Zero when nothing is left.
    #[serde(default)]
    pub planned: u64,
    /// Seconds that its build has worked since it was first predicted how long it would take; neither
    /// pauses nor the time between a kill and the last package before it.
    #[serde(default)]
    pub worked: u64,
    /// How many bytes were freed because no space was left.
    #[serde(default)]
    pub freed: u64,
    /// What ccache was good for; absent where there is none.
    #[serde(default)]
    pub ccache: Option<Counted>,

    // --- What it does about what fails.
    /// The remedy at work.
    pub remedy: Option<Remedy>,
    /// What was built again in this cycle, until a person took over.
    pub treated: Vec<Treated>,
    /// How many circles of packages that need each other this cycle met, until a person took over.
    pub circles: u32,
    /// What was done about them.
    pub untangled: Vec<Untangled>,
    /// What it leaves out because it is known to fail.
    #[serde(default)]
    pub narrowing: Narrowing,
    /// Installed, but with a failed postinst: Portage counts them as done and would not come back
    /// to them, so they are merged again when the build is resumed.
    #[serde(default)]
    pub merge_again: Vec<String>,
    /// What its audit step builds anew now, and what it has built so.
    #[serde(default)]
    pub mending: Mending,

    // --- What it came upon.
    /// See [`super::Ran::toolchain`]; that of its newest command.
    #[serde(default)]
    pub toolchain: String,
    /// What had changed since the last cycle that was done.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// What its rebuild step rebuilt, or set out to.
    #[serde(default)]
    pub stale: Vec<Stale>,
    /// What its build did not build although it is wanted, one sentence each: Portage passes that
    /// over without failing.
    #[serde(default)]
    pub passed_over: Vec<String>,
    /// What its build left untried.
    #[serde(default)]
    pub rest: Option<Leftover>,
    /// What failed in its build, and is told as soon as the rest is built and published.
    #[serde(default)]
    pub owed: Vec<Failure>,
    /// What is held back from clients, one sentence each.
    #[serde(default)]
    pub held: Vec<String>,
}

/// What an audit builds anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mending {
    /// What it is about to build, until that has ended.
    pub now: Vec<Broken>,
    /// What it has built; none of it is built twice for the same reason.
    pub tried: Vec<Broken>,
}

/// Why a cycle began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The first on this volume.
    #[default]
    First,
    /// The container was started.
    Start,
    /// The interval was over.
    Interval,
    /// An operator asked.
    Requested,
    /// A container made anew came to an old volume.
    NewRoot,
}

/// Requests remembered until the next safe point, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// A new cycle with a sync.
    pub sync: bool,
    /// A pause.
    pub pause: Option<PendingPause>,
    /// A publication.
    #[serde(default)]
    pub publish: bool,
}

/// A pause that waits for its moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingPause {
    /// When it takes effect.
    pub mode: PauseMode,
    /// An operator's words.
    pub reason: Option<String>,
}

/// Whether the volume is ours.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Volume {
    /// Being taken.
    #[default]
    Claiming,
    /// Ours.
    Ours,
    /// Not ours; nothing is written and nothing runs.
    Refused(Box<Failure>),
}

/// What is gone with the process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// The configuration in force.
    pub config: Config,
    /// Whether the volume is ours.
    pub volume: Volume,
    /// What it looks like.
    pub space: VolumeInfo,
    /// See [`super::Claimed::last_cycle`].
    pub last_cycle: u64,
    /// The job that runs.
    pub job: Option<Job>,
    /// The `pause` flag file is there.
    pub hold: bool,
    /// The process is to end.
    pub stopping: bool,
    /// When a failed sync is tried again, in monotonic time.
    pub retry: Option<Duration>,
    /// When the next cycle begins, in monotonic time.
    pub next: Option<Duration>,
    /// How long things take here; known while a cycle builds.
    pub estimates: Arc<Estimates>,
    /// Messages on their way and still to come.
    pub outbox: Outbox,
    /// The process that serves clients.
    pub server: Server,
    /// Those who compile for it.
    pub helpers: Helpers,
    /// The repositories that the last preflight did not find, by name.
    pub missing: Vec<String>,
    /// The clients that are known, and how a release fits each.
    pub clients: Arc<Vec<super::client::Client>>,
    /// What an operator should know, by key.
    pub warnings: BTreeMap<&'static str, String>,
    /// How many supervisors came before this one in this container.
    pub restarts: u32,
}

impl State {
    /// The state of a process that has just begun and knows nothing of its volume.
    #[must_use]
    pub fn new(config: Config, now: Now) -> Self {
        let space = VolumeInfo { path: config.volume.path.display().to_string(), mounted: true, free: 0 };
        Self {
            durable: Durable { schema: SCHEMA, since: now.wall, ..Durable::default() },
            plan: None,
            live: Live { config, space, ..Live::default() },
        }
    }

    /// What the present cycle leaves out: for a person, for this cycle or for longer, and because it is known
    /// to fail.
    pub(crate) fn exclude(&self) -> Vec<String> {
        let narrowing = self.durable.cycle.as_ref().map(|cycle| &cycle.narrowing);
        let mut atoms = match narrowing {
            Some(narrowing) if !narrowing.heeds_people() => Vec::new(),
            _ => self.left_out(),
        };
        atoms.extend(narrowing.into_iter().flat_map(Narrowing::atoms).cloned());
        atoms.sort();
        atoms.dedup();
        atoms
    }

    /// What a person leaves out, of this cycle or of all.
    pub(crate) fn left_out(&self) -> Vec<String> {
        let cycle = self.durable.cycle.iter().flat_map(|cycle| &cycle.exclude);
        cycle.chain(self.durable.skips.iter().map(|skip| &skip.package)).cloned().collect()
    }

    /// The earliest deadline, in monotonic time. Nothing: only an event moves this state, and the
    /// process may sleep for ever.
    #[must_use]
    pub fn wake(&self) -> Option<Duration> {
        let job = self.live.job.as_ref();
        let halt = job.and_then(Job::deadline);
        let watch = job.filter(|job| job.halt.is_none()).and_then(|job| job.watch).map(|watch| watch.due());
        // On the way out, and before the volume is ours or refused, nobody is told anything.
        let silent = self.live.stopping || self.live.volume == Volume::Claiming;
        let outbox = if silent { None } else { self.live.outbox.wake() };
        let troubled = self.live.warnings.contains_key(server::WARNING);
        let server = if self.live.stopping { None } else { self.live.server.wake(troubled) };
        [halt, watch, self.live.retry, self.live.next, outbox, server].into_iter().flatten().min()
    }
}
