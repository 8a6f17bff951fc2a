//! The steps of a cycle.

use std::path::{Path, PathBuf};

use crate::words::words;
use serde::{Deserialize, Serialize};

words!(Step);

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
    /// All of them, in their order.
    const ALL: [Self; 9] = [
        Self::Preflight,
        Self::Sync,
        Self::SelfUpdate,
        Self::Plan,
        Self::Build,
        Self::Rebuild,
        Self::Audit,
        Self::Publish,
        Self::Prune,
    ];

    /// The step after this one; nothing when the cycle is over.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied()
    }
}

/// What the directory of the logs of steps is called on the volume.
pub const STEPS: &str = "steps";

/// Where the output of a step goes.
#[must_use]
pub fn step_log(volume: &Path, cycle: u64, step: Step) -> PathBuf {
    volume.join(STEPS).join(cycle.to_string()).join(step.to_string()).with_extension("log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_step_at_its_place_and_by_its_name_on_the_volume() {
        let names = "preflight sync self-update plan build rebuild audit publish prune";
        let all = Step::ALL.map(|step| step.to_string());
        assert_eq!(all.join(" "), names);
        for (place, step) in Step::ALL.into_iter().enumerate() {
            assert_eq!(step as usize, place);
            assert_eq!(serde_json::to_value(step).unwrap(), step.to_string());
        }
    }
}
