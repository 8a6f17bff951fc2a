//! The machines that compile for this one (`[helpers]`), as the process that stands between them and the builder tells it, a line of JSON for
//! each change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the scheduler calls the builder's own daemon; no helper may be called so.
pub(crate) const BUILDER: &str = "builder";
/// So many helpers at a time.
pub(crate) const MOST: usize = 200;

/// A helper that takes jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Helper {
    /// What it calls itself: letters, digits, dots, hyphens and underscores.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// How many files it compiles at a time.
    pub slots: u32,
}

/// Who is there, and why the last one that went has gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {
    /// Those that take jobs, by name.
    pub helpers: Vec<Helper>,
    /// A sentence about one that was taken out or let in no further.
    pub lost: Option<String>,
}

/// What is known of the helpers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Helpers {
    /// Who is there.
    pub present: Present,
    /// How many files each has compiled since the cycle began, the builder under its own name.
    pub compiled: BTreeMap<String, u64>,
    /// Why nothing can be given to any; absent while all that it takes runs.
    pub down: Option<String>,
}

impl Helpers {
    /// How many files they compile at a time, all together.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.present.helpers.iter().fold(0, |sum, helper| sum.saturating_add(helper.slots))
    }

    /// How many files were compiled by helpers, and how many in all.
    #[must_use]
    pub fn files(&self) -> (u64, u64) {
        let all = self.compiled.values().sum();
        let own = self.compiled.get(BUILDER).copied().unwrap_or_default();
        (all - own, all)
    }
}
