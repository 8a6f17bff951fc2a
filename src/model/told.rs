//! What the supervisor tells the server that it started: a snapshot first, then what changed, a line of JSON each.
//!
//! The way leads in one direction alone: the supervisor never reads from it. Whatever came first, each message stands for
//! all earlier ones of its kind, so that a reader who is slow misses nothing that still holds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::duration::in_words;
use super::records::CycleRow;
use super::status::{Mode, Status};
use crate::portage::output::plan::{Action, Planned, Reason};

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "kebab-case")]
pub enum Told {
    /// How it is.
    Status {
        /// As everybody sees it.
        status: Box<Status>,
    },
    /// What is left to do.
    Left {
        /// In the order in which it is done.
        left: Vec<Left>,
    },
    /// What the history has of some cycles: of all that are told at first, later of those that changed.
    Cycles {
        /// Each whole, the newest first.
        cycles: Vec<CycleRow>,
    },
}

/// A package that is still to be merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// `category/name-version`.
    pub package: String,
    /// Taken from a binary package.
    pub binary: bool,
    /// Seconds that it should take; absent when it was never completed here in this way.
    pub takes: Option<u64>,
    /// What happens to it; absent when the plan of the cycle did not have it.
    pub action: Option<Action>,
    /// The versions that it replaces.
    pub before: Vec<String>,
    /// Why it is merged.
    pub why: Vec<Reason>,
    /// See [`Planned::use_changes`].
    pub use_changes: Vec<String>,
}

impl Left {
    /// A package of which the plan says so much.
    pub(crate) fn new(package: &str, binary: bool, takes: Option<u64>, planned: Option<&Planned>) -> Self {
        Self {
            package: package.to_owned(),
            binary,
            takes,
            action: planned.map(|planned| planned.action),
            before: planned.map(|planned| planned.old.clone()).unwrap_or_default(),
            why: planned.map(|planned| planned.why.clone()).unwrap_or_default(),
            use_changes: planned.map(|planned| planned.use_changes.clone()).unwrap_or_default(),
        }
    }
}

impl Status {
    /// The same status as it reads at a later moment, in which nothing happened. A builder that waits or is paused makes no
    /// other one until something happens, so that it can sleep; of what it says then only the time to the next cycle passes.
    #[must_use]
    pub fn later(&self, now: Timestamp) -> Self {
        let mut later = self.clone();
        if now <= self.now {
            return later;
        }
        later.now = now;
        if let (Mode::Waiting, Some(next)) = (self.state, self.next_cycle) {
            let until = |from| {
                format!("next sync in {}", in_words(next.duration_since(from).try_into().unwrap_or_default()))
            };
            later.headline = self.headline.replace(&until(self.now), &until(now));
        }
        later
    }
}
