//! What jobs do.

use serde::{Deserialize, Serialize};

use super::Step;
use super::offer::Broken;
use super::rebuilds::Stale;
use super::remedy::Change;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::circular::Solution;

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
