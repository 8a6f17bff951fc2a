//! The steps of a cycle, and what jobs do.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::offer::Broken;
use super::rebuilds::Stale;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::circular::Solution;
use crate::words::words;

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

    /// In their order.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::TABLE.into_iter().map(|(step, _)| step)
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

/// One step's work, with everything the performer needs that only the core knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// See [`Step::Preflight`].
    Preflight {
        /// What is installed and known to fail in its `pkg_postinst`, as `category/name-version`: it is no
        /// merge that was cut short, and is tried again when that is due.
        failed: Vec<String>,
    },
    /// See [`Step::Sync`].
    Sync {
        /// The names of the repositories that it is about; empty: all that are to be synced.
        only: Vec<String>,
    },
    /// See [`Step::SelfUpdate`].
    SelfUpdate,
    /// See [`Step::Plan`].
    Plan {
        /// Atoms to leave out.
        exclude: Vec<String>,
        /// Of which of them it has to be known what version Portage would take.
        skips: Vec<String>,
    },
    /// See [`Step::Build`].
    Build {
        /// Atoms to leave out.
        exclude: Vec<String>,
        /// Packages to merge again first, as `category/name-version`.
        merge_again: Vec<String>,
    },
    /// A part of [`Step::Build`]: packages that failed and are tried again.
    Again {
        /// Those packages, as `category/name-version`.
        packages: Vec<String>,
        /// What is done otherwise this time.
        change: Change,
        /// Atoms to leave out.
        exclude: Vec<String>,
    },
    /// A part of [`Step::Build`]: what it left untried; see [`rest`](crate::decide::rest).
    Rest {
        /// What to try.
        targets: Vec<Target>,
        /// Atoms to leave out.
        exclude: Vec<String>,
        /// Atoms of what failed.
        failed: Vec<String>,
    },
    /// A part of the step `at`: what Portage knows of a circular dependency that stopped it.
    Circle {
        /// The step.
        at: Step,
        /// Portage's words about it.
        text: Vec<String>,
        /// It was met while this was being built.
        within: Option<Solution>,
        /// Atoms to leave out.
        exclude: Vec<String>,
    },
    /// A part of the step `at`: one package with other USE flags, so that a circle is broken.
    Untangle {
        /// The step.
        at: Step,
        /// The package and its flags.
        solution: Solution,
        /// Atoms to leave out.
        exclude: Vec<String>,
    },
    /// See [`Step::Audit`].
    Audit {
        /// What to build from source before.
        rebuild: Vec<Broken>,
        /// What was built so already and is no better for it.
        tried: Vec<Broken>,
        /// Atoms of what fails or is left out: nothing is built anew for the lack of it.
        failing: Vec<String>,
        /// Atoms to leave out.
        exclude: Vec<String>,
    },
    /// See [`Step::Publish`].
    Publish {
        /// What this cycle rebuilt, and why.
        stale: Vec<Stale>,
    },
    /// See [`Step::Prune`]; or a part of the step `at`, which found no space.
    Prune {
        /// The step.
        at: Step,
    },
    /// See [`Step::Rebuild`].
    Rebuild {
        /// What this cycle merged, as `category/name-version`.
        merged: Vec<String>,
        /// Atoms to leave out.
        exclude: Vec<String>,
    },
}

impl Work {
    /// Whether something is done about a failure, so that it belongs into the history; looking for what
    /// could be done does not.
    pub(crate) fn is_remedy(&self) -> bool {
        match self {
            Self::Again { .. } | Self::Untangle { .. } => true,
            Self::Prune { at } => *at != Step::Prune,
            _ => false,
        }
    }

    /// The step this is the work of.
    #[must_use]
    pub fn step(&self) -> Step {
        match self {
            Self::Preflight { .. } => Step::Preflight,
            Self::Sync { .. } => Step::Sync,
            Self::SelfUpdate => Step::SelfUpdate,
            Self::Plan { .. } => Step::Plan,
            Self::Build { .. } | Self::Again { .. } | Self::Rest { .. } => Step::Build,
            Self::Circle { at, .. } | Self::Untangle { at, .. } | Self::Prune { at } => *at,
            Self::Rebuild { .. } => Step::Rebuild,
            Self::Audit { .. } => Step::Audit,
            Self::Publish { .. } => Step::Publish,
        }
    }
}

/// What is done otherwise when packages are built again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: it may go well this time.
    Nothing,
    /// They are built one at a time and with fewer processes each.
    Fewer(Fewer),
    /// What there is of binary packages of them is set aside first.
    SetAside,
}

/// How many processes a build runs that ran out of memory with all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fewer {
    /// Half as many as MAKEOPTS says.
    Half,
    /// One.
    One,
}

impl Fewer {
    /// So many, when there were `jobs`.
    pub(crate) fn of(self, jobs: u32) -> u32 {
        match self {
            Self::Half => (jobs / 2).max(1),
            Self::One => 1,
        }
    }

    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Half => "half the jobs",
            Self::One => "one job",
        }
    }
}

/// A package that is to be built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The package.
    pub package: Cpv,
    /// Its slot.
    pub slot: String,
}

/// What a build left untried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// What is tried of it.
    pub targets: Vec<Target>,
    /// Atoms of what failed.
    pub failed: Vec<String>,
    /// It was tried.
    pub over: bool,
}

/// A package that was not tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untried {
    /// The package.
    pub package: Cpv,
    /// Why, in words that follow its name.
    pub why: String,
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
