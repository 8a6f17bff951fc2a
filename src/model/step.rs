//! The steps of a cycle.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

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
    /// All of them, in their order, each with its name in the status, in history and of the log file.
    const TABLE: [(Self, &str); 9] = [
        (Self::Preflight, "preflight"),
        (Self::Sync, "sync"),
        (Self::SelfUpdate, "self-update"),
        (Self::Plan, "plan"),
        (Self::Build, "build"),
        (Self::Rebuild, "rebuild"),
        (Self::Audit, "audit"),
        (Self::Publish, "publish"),
        (Self::Prune, "prune"),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::TABLE[self as usize].1
    }

    /// The step after this one; nothing when the cycle is over.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::TABLE.get(self as usize + 1).map(|(step, _)| *step)
    }
}

/// What the directory of the logs of steps is called on the volume.
pub const STEPS: &str = "steps";

/// Where the output of a step goes.
#[must_use]
pub fn step_log(volume: &Path, cycle: u64, step: Step) -> PathBuf {
    volume.join(STEPS).join(cycle.to_string()).join(step.name()).with_extension("log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_step_at_its_place_and_by_its_name_on_the_volume() {
        for (place, (step, name)) in Step::TABLE.into_iter().enumerate() {
            assert_eq!(step as usize, place);
            assert_eq!(serde_json::to_value(step).unwrap(), name);
        }
    }
}
