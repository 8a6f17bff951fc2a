//! [`Status`]: the one public snapshot. Text, JSON and everything else a person or program sees is
//! a pure function of it, so no two views disagree.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ccache::CacheUse;
use super::duration::{Eta, in_words};
use super::failure::{Class, Failure};
use super::helpers::Files;
use crate::portage::output::plan::Totals;
use crate::words::words;

words!(Mode);

/// The version of the status format; it changes when a key changes its meaning.
pub const SCHEMA: u32 = 1;

/// What the builder is doing, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The volume is being taken; nothing is known yet.
    Starting,
    /// A cycle is on its way.
    Running,
    /// Held, by a failure or an operator; see [`Status::pause`].
    Paused,
    /// Everything is done; the next cycle has a time or a request to wait for.
    Waiting,
    /// On the way out.
    Stopping,
    /// The supervisor keeps dying; PID 1 answers in its place.
    Degraded,
}

/// The cycle that runs, or the last one that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleInfo {
    /// Counted from 1 on the volume.
    pub id: u64,
    /// When it began.
    pub started: Timestamp,
    /// Why it began: `first`, `start`, `interval`, `requested`, `new-root`.
    pub reason: String,
}

/// How far the packages of this cycle are. Counts never go backwards within a cycle's step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Packages merged.
    pub done: u64,
    /// Packages Portage set out to merge.
    pub total: u64,
    /// Packages that failed.
    pub failed: u64,
    /// Of those merged, how many came from a binpkg.
    pub binary: u64,
    /// Of those merged, how many were built from source.
    pub source: u64,
    /// Seconds that remain; absent while nothing is known.
    pub eta: Option<Eta>,
}

impl Progress {
    /// How many packages are still to be merged.
    pub(crate) fn left(&self) -> u64 {
        self.total.saturating_sub(self.done).saturating_sub(self.failed)
    }
}

/// A package in work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobInfo {
    /// `category/name-version`.
    pub package: String,
    /// The ebuild phase where Portage tells it, else `build` or `merge`.
    pub phase: String,
    /// Seconds since it began.
    pub elapsed: u64,
    /// Seconds it is expected to take in all; absent while nothing is known.
    pub estimate: Option<u64>,
    /// Taken from a binpkg.
    pub binary: bool,
    /// What became of its files; absent without helpers, and while none of them is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
}

impl JobInfo {
    /// `3 min of about 10 min`
    pub(crate) fn time(&self) -> String {
        let elapsed = in_words(Duration::from_secs(self.elapsed));
        match self.estimate {
            Some(estimate @ 1..) => format!("{elapsed} of about {}", in_words(Duration::from_secs(estimate))),
            _ => elapsed,
        }
    }
}

/// Who holds the builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// A step failed.
    Failure,
    /// A person asked for it, by command or by the `pause` flag file.
    Operator,
}

/// Why the builder is paused and how it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseInfo {
    /// Who holds it.
    pub why: Why,
    /// What failed; empty when an operator holds it.
    pub failures: Vec<Failure>,
    /// When it ends by itself; absent: only a person ends it.
    pub until: Option<Timestamp>,
    /// What to do, in order: sentences that end in a command to type.
    pub actions: Vec<String>,
}

/// What was synced, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncInfo {
    /// The last sync that worked.
    pub last: Option<Timestamp>,
    /// The revision of the main repository after it, where known.
    pub revision: Option<String>,
    /// Since when syncing fails, so that an old tree is built; absent when all is well, and also when all that fails
    /// are repositories beside the main one.
    pub stale_since: Option<Timestamp>,
    /// Each repository, by name.
    #[serde(default)]
    pub repositories: Vec<RepositoryInfo>,
}

/// An ebuild repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryInfo {
    /// Its name.
    pub name: String,
    /// The last sync of it that worked.
    pub last: Option<Timestamp>,
    /// What it was at then: a commit or a timestamp, where known.
    pub revision: Option<String>,
    /// Why it could not be synced since; absent when all is well.
    pub error: Option<String>,
}

/// The volume that must survive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeInfo {
    /// Where it is in the container.
    pub path: String,
    /// Whether something is mounted there; if not, the packages die with the container.
    pub mounted: bool,
    /// Bytes free for root.
    pub free: u64,
}

/// The release that clients are offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseInfo {
    /// Its name.
    pub id: String,
    /// How many packages it holds.
    pub packages: u64,
    /// When it was switched to.
    pub published: Timestamp,
    /// The older release whose packages these are, when somebody rolled back to it.
    #[serde(default)]
    pub again: Option<String>,
}

/// A client that the builder knows, and what an update of it would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientInfo {
    /// What it is called.
    pub name: String,
    /// The release that it was rehearsed with; absent before that, and then nothing else is known.
    pub release: Option<String>,
    /// How many packages it would install as they are offered.
    pub binary: u64,
    /// How many it would compile.
    pub compiled: u64,
    /// How long those take here, in seconds, as far as that is known.
    pub seconds: Option<u64>,
    /// Why nobody knows; absent when it is known.
    pub problem: Option<String>,
    /// All of that in one sentence.
    pub text: String,
}

impl ClientInfo {
    /// In numbers alone: how others are configured is nobody's business.
    fn for_all(self) -> Self {
        let Self { name, release, binary, compiled, seconds, problem, text: _ } = self;
        let text = match (&release, &problem, compiled) {
            (None, ..) => format!("{name}: not rehearsed yet"),
            (_, Some(_), _) => format!("{name}: not known"),
            (.., 0) => format!("{name}: {binary} from the release, nothing to compile"),
            (..) => format!("{name}: {binary} from the release, {compiled} compiled"),
        };
        let problem = problem.map(|_| format!("gbsup clients {name} says why"));
        Self { name, release, binary, compiled, seconds, problem, text }
    }
}

/// A package that failed, and is not built again until something that goes into it changes or a person asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StillFailing {
    /// `category/name-version`.
    pub package: String,
    /// The kind of trouble.
    pub class: Class,
    /// The ebuild phase that died, where there is one.
    pub phase: Option<String>,
    /// One sentence without a full stop.
    pub message: String,
    /// The log of the last attempt, as a path inside the container.
    pub log: Option<String>,
    /// When this version failed first.
    pub since: Timestamp,
    /// When it failed last.
    pub last: Timestamp,
}

/// A package that a person keeps out of every cycle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// `category/name`, with the slot where it was named.
    pub package: String,
    /// It is built again when another version than this one is offered: `category/name-version`.
    pub version: String,
    /// When that was said.
    pub since: Timestamp,
}

/// The helpers, and what they did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelpersInfo {
    /// Those that take files.
    pub present: Vec<HelperInfo>,
    /// Files that helpers have compiled since the cycle began.
    pub remote: u64,
    /// Files that were compiled here although they could have been given to one.
    pub local: u64,
}

impl HelpersInfo {
    /// `212 of 240 files on 3 helpers`
    pub(crate) fn in_words(&self) -> String {
        let plural = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        let helpers = plural(self.present.len() as u64, "helper");
        match self.remote + self.local {
            0 => format!("{helpers}, no file yet"),
            all => format!("{} of {} on {helpers}", self.remote, plural(all, "file")),
        }
    }
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelperInfo {
    /// What it calls itself.
    pub name: String,
    /// How many files it compiles at a time.
    pub slots: u32,
    /// How many it has compiled since the cycle began.
    pub files: u64,
}

/// Everything a user can see, in one value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version of gbsup.
    pub version: String,
    /// One word.
    pub state: Mode,
    /// The step of the cycle: `preflight`, `sync`, `self-update`, `plan`, `build`, `rebuild`, `publish`,
    /// `prune`, `wait`.
    pub step: String,
    /// One sentence a tired person understands; the same in every view. Begins with the state.
    pub headline: String,
    /// Since when it is in this state and step.
    pub since: Timestamp,
    /// When this snapshot was made; `elapsed` and the like count to here.
    pub now: Timestamp,
    /// The cycle that runs, or the last one.
    pub cycle: Option<CycleInfo>,
    /// How far it is.
    pub progress: Progress,
    /// What the plan of this cycle came to; absent until there is one. After a pause it is about
    /// what was left to do. The packages themselves: `gbsup plan`.
    pub plan: Option<Totals>,
    /// What is in work.
    pub jobs: Vec<JobInfo>,
    /// Present exactly when `state` is `paused`.
    pub pause: Option<PauseInfo>,
    /// What is known to fail, but for what is in `pause.failures`. What keeps failing with the same inputs is
    /// no reason to pause, and no person is needed for it.
    #[serde(default)]
    pub known: Vec<StillFailing>,
    /// What a person keeps out of every cycle.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// What failed in this cycle so far and holds the builder when its step ends, or when what is good is published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failure>,
    /// Requests that wait for the next safe point: `sync`, `pause`, `publish`.
    pub pending: Vec<String>,
    /// When the next cycle begins by itself.
    pub next_cycle: Option<Timestamp>,
    /// The release clients are offered; absent before the first one.
    pub release: Option<ReleaseInfo>,
    /// What syncing did.
    pub sync: SyncInfo,
    /// Where the packages go.
    pub volume: VolumeInfo,
    /// The log of the step that runs or ran last, as a path inside the container.
    pub log: Option<String>,
    /// What other packages are built against and changed since the last cycle that was done, and what is
    /// rebuilt because of that; one sentence each.
    pub changes: Vec<String>,
    /// What was done to the system to get on, one sentence each, while and after it acts.
    pub remedies: Vec<String>,
    /// What a person should know although the builder goes on.
    pub warnings: Vec<String>,
    /// How often the supervisor was started again since the container began.
    #[serde(default)]
    pub restarts: u32,
    /// The clients that are known.
    #[serde(default)]
    pub clients: Vec<ClientInfo>,
    /// Those who compile for it; absent where there are to be none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helpers: Option<HelpersInfo>,
    /// What ccache was good for in this cycle; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ccache: Option<CacheUse>,
}

impl Status {
    /// The same as it is handed out to whoever asks over the network.
    #[must_use]
    pub(crate) fn for_all(self) -> Self {
        Self { clients: self.clients.into_iter().map(ClientInfo::for_all).collect(), ..self }
    }
}

/// The kind of a failure as people say it: the phase of an ebuild that died, where the class is no more than that.
pub(crate) fn kind(class: Class, phase: Option<&str>) -> String {
    match phase {
        Some(phase) if class == Class::Compile => phase.to_owned(),
        _ => class.to_string(),
    }
}

/// Bytes as people say them.
pub(crate) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            let decimals = usize::from(unit != "B" && value < 100.0);
            return format!("{value:.decimals$} {unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_files_helpers_have_compiled() {
        let helper = HelperInfo { name: "h1".into(), slots: 2, files: 3 };
        let one = HelpersInfo { present: vec![helper.clone()], remote: 0, local: 0 };
        assert_eq!(one.in_words(), "1 helper, no file yet");
        let three = HelpersInfo { present: vec![helper; 3], remote: 212, local: 28 };
        assert_eq!(three.in_words(), "212 of 240 files on 3 helpers");
    }

    #[test]
    fn a_package_has_as_much_time_as_is_known() {
        let job = |estimate| JobInfo { elapsed: 0, estimate, ..JobInfo::default() };
        assert_eq!(
            [Some(0), None, Some(90)].map(|estimate| job(estimate).time()),
            ["0 s", "0 s", "0 s of about 1 min"]
        );
    }
}
