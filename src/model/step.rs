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
    /// All of them, in their order, each with what it does as the headline says it.
    const TABLE: [(Self, &str); 9] = [
        (Self::Preflight, "checking the volume and the system"),
        (Self::Sync, "syncing the ebuild repositories"),
        (Self::SelfUpdate, "checking whether Portage itself has an update"),
        (Self::Plan, "working out what to build"),
        (Self::Build, "building"),
        (Self::Rebuild, "checking what has to be rebuilt"),
        (Self::Audit, "checking what clients can be offered"),
        (Self::Publish, "publishing what is good"),
        (Self::Prune, "removing what is no longer needed"),
    ];

    /// What it does, where nothing more is known.
    pub(crate) fn doing(self) -> &'static str {
        Self::TABLE[self as usize].1
    }

    /// The step after this one; nothing when the cycle is over.
    pub(crate) fn next(self) -> Option<Self> {
        Self::TABLE.get(self as usize + 1).map(|(step, _)| *step)
    }
}

/// What the directory of the logs of steps is called on the volume.
pub(crate) const STEPS: &str = "steps";

/// Where the output of a step goes.
pub(crate) fn step_log(volume: &Path, cycle: u64, step: Step) -> PathBuf {
    volume.join(STEPS).join(cycle.to_string()).join(step.to_string()).with_extension("log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_step_at_its_place_and_by_its_name_on_the_volume() {
        let names = "preflight sync self-update plan build rebuild audit publish prune";
        let all = Step::TABLE.map(|(step, _)| step.to_string());
        assert_eq!(all.join(" "), names);
        for (place, (step, _)) in Step::TABLE.into_iter().enumerate() {
            assert_eq!(step as usize, place);
            assert_eq!(serde_json::to_value(step).unwrap(), step.to_string());
        }
    }
}
