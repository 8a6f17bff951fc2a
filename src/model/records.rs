//! What is remembered of cycles, steps and packages.
//!
//! A [`Record`] is one fact, made by the core when it happens and kept on the volume. The rows are
//! what a reader gets back: `gbsup history` prints them, `gbsup history --json` is them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ccache::CacheUse;
use super::duration::Eta;
use super::helpers::Files;
use super::release::Id;
use crate::words::words;

/// One fact worth remembering.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// A cycle began.
    CycleStarted {
        /// Its number.
        cycle: u64,
        /// When.
        at: Timestamp,
        /// Why: `first`, `start`, `interval`, `requested`, `new-root`.
        reason: String,
    },
    /// A cycle ended.
    CycleEnded {
        /// Its number.
        cycle: u64,
        /// When.
        at: Timestamp,
        /// How.
        outcome: Outcome,
        /// Seconds that its build worked, pauses not counted: what its predictions are measured by.
        /// Absent when it was not let finish.
        worked: Option<u64>,
    },
    /// A build began, and this is how long it should take.
    Predicted {
        /// The cycle's number.
        cycle: u64,
        /// When.
        at: Timestamp,
        /// Seconds that the build of this cycle had worked before.
        after: u64,
        /// How many packages it set out to merge.
        packages: u64,
        /// How long it should take.
        eta: Eta,
    },
    /// A step began; one that is resumed begins again.
    StepStarted {
        /// The cycle's number.
        cycle: u64,
        /// The step's name, as in the status.
        step: String,
        /// When.
        at: Timestamp,
        /// Where its output goes, as a path inside the container.
        log: Option<String>,
    },
    /// A step ended.
    StepEnded {
        /// The cycle's number.
        cycle: u64,
        /// The step's name.
        step: String,
        /// When.
        at: Timestamp,
        /// How.
        outcome: Outcome,
    },
    /// A package was merged or failed.
    Package {
        /// The cycle's number.
        cycle: u64,
        /// The step's name.
        step: String,
        /// `category/name-version`.
        package: String,
        /// Taken from a binpkg.
        binary: bool,
        /// When its work began.
        started: Timestamp,
        /// When it ended.
        ended: Timestamp,
        /// How it ended.
        outcome: PackageOutcome,
        /// Its log, as a path inside the container.
        log: Option<String>,
        /// Why it failed, in one sentence.
        message: Option<String>,
    },
    /// Something is done about a failure before a person is asked.
    RemedyStarted {
        /// The cycle's number.
        cycle: u64,
        /// The step's name.
        step: String,
        /// The class of the failure, as in the status.
        class: String,
        /// The packages it is for, as `category/name-version`; empty when it is for the step.
        packages: Vec<String>,
        /// When.
        at: Timestamp,
        /// What is done, in a few words.
        what: String,
    },
    /// It was done, whatever came of it.
    RemedyEnded {
        /// The cycle's number.
        cycle: u64,
        /// When.
        at: Timestamp,
        /// Done: it helped.
        outcome: Outcome,
    },
    /// Clients are offered another release.
    Released {
        /// The number of the newest cycle.
        cycle: u64,
        /// When that was seen.
        at: Timestamp,
        /// The release.
        release: Id,
        /// How many packages it has.
        packages: u64,
        /// The older release whose packages these are, when somebody rolled back to it.
        again: Option<Id>,
    },
    /// What ccache was good for so far; the newest of a cycle counts.
    Ccache {
        /// The cycle's number.
        cycle: u64,
        /// When it was counted.
        at: Timestamp,
        /// All of the cycle.
        used: CacheUse,
    },
    /// What became of the files of a package so far, or of all of a cycle; the newest of each counts.
    Helped {
        /// The cycle's number.
        cycle: u64,
        /// When it was counted.
        at: Timestamp,
        /// `category/name-version`; absent for all of the cycle.
        package: Option<String>,
        /// What became of them.
        files: Files,
    },
    /// Why a package failed, found out when its step had ended.
    Reason {
        /// The cycle's number.
        cycle: u64,
        /// `category/name-version`.
        package: String,
        /// When it was found out.
        at: Timestamp,
        /// One sentence.
        message: String,
        /// Its log, as a path inside the container.
        log: Option<String>,
    },
}

/// How a cycle or a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything was done.
    Done,
    /// Something failed; a person decides.
    Failed,
    /// It was not let finish: a stop, a new cycle, or the end of the container.
    Interrupted,
}

/// How the work on a package ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageOutcome {
    /// Merged, from source or from a binpkg.
    Built,
    /// Not merged.
    Failed,
}

words!(Outcome, PackageOutcome);

/// A cycle as it is read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleRow {
    /// Its number.
    pub id: u64,
    /// When it began.
    pub started: Timestamp,
    /// Why it began.
    pub reason: String,
    /// When it ended; absent while it runs or when nobody saw it end.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Its steps, in the order in which they began.
    pub steps: Vec<StepRow>,
    /// Its packages with their last outcome, in the order in which they ended.
    pub packages: Vec<PackageRow>,
    /// How long its build should take, each time one began.
    pub predictions: Vec<PredictionRow>,
    /// What was done about failures, in the order in which it began.
    pub remedies: Vec<RemedyRow>,
    /// What clients were offered from then on, in order.
    pub releases: Vec<ReleaseRow>,
    /// What ccache was good for; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ccache: Option<CacheUse>,
    /// What became of its files; absent without helpers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
}

impl CycleRow {
    /// How many packages were built from source.
    pub(crate) fn built(&self) -> usize {
        self.count(|package| package.outcome == PackageOutcome::Built && !package.binary)
    }

    /// How many packages came from a binpkg.
    pub(crate) fn binary(&self) -> usize {
        self.count(|package| package.outcome == PackageOutcome::Built && package.binary)
    }

    /// How many packages failed and were not built later in the cycle.
    pub(crate) fn failed(&self) -> usize {
        self.count(|package| package.outcome == PackageOutcome::Failed)
    }

    fn count(&self, which: impl Fn(&PackageRow) -> bool) -> usize {
        self.packages.iter().filter(|package| which(package)).count()
    }
}

/// A prediction as it is read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PredictionRow {
    /// When the build began.
    pub at: Timestamp,
    /// How many packages it set out to merge.
    pub packages: u64,
    /// How long it should take, in seconds.
    #[serde(flatten)]
    pub eta: Eta,
    /// How long it took, in seconds, pauses not counted; absent until the cycle is done.
    pub took: Option<u64>,
}

impl PredictionRow {
    /// By which part of the time it took the likely time was wrong, in per cent; nothing when it is
    /// not over or took less than a second.
    pub(crate) fn error(&self) -> Option<u64> {
        let took = self.took?;
        (self.eta.likely.abs_diff(took) * 100).checked_div(took)
    }

    /// Whether it took as long as was said, from the low to the high end.
    pub(crate) fn in_range(&self) -> bool {
        self.took.is_some_and(|took| (self.eta.low..=self.eta.high).contains(&took))
    }
}

/// A release as it is read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRow {
    /// Its name.
    pub release: String,
    /// When it was offered.
    pub at: Timestamp,
    /// How many packages it has.
    pub packages: u64,
    /// The older release whose packages these are.
    pub again: Option<String>,
}

/// What was done about a failure, as it is read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemedyRow {
    /// The step.
    pub step: String,
    /// The class of the failure.
    pub class: String,
    /// The packages it was for; empty when it was for the step.
    pub packages: Vec<String>,
    /// What was done.
    pub what: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; absent while it acts and when nobody saw it end.
    pub ended: Option<Timestamp>,
    /// Whether it helped.
    pub outcome: Option<Outcome>,
}

/// A step as it is read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRow {
    /// Its name.
    pub step: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Its log.
    pub log: Option<String>,
}

/// A build that failed, and its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRow {
    /// The cycle it was in.
    pub cycle: u64,
    /// `category/name-version`.
    pub package: String,
    /// A path inside the container.
    pub log: String,
}

/// A package as it is read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageRow {
    /// `category/name-version`.
    pub package: String,
    /// The step it belongs to.
    pub step: String,
    /// Taken from a binpkg.
    pub binary: bool,
    /// When its work began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// How it ended.
    pub outcome: PackageOutcome,
    /// Its log.
    pub log: Option<String>,
    /// Why it failed.
    pub message: Option<String>,
    /// What became of its files in this cycle; absent where nothing is known of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
}
