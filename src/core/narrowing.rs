//! A plan without the packages that are known to fail.
//!
//! They are left out with `--exclude`, as what a person skips is. What Portage 3.0.83 makes of that with
//! `@world`, tried out for each case:
//!
//! - an excluded atom of the world file, or an excluded update: passed over in silence;
//! - a package that is not installed and needs an excluded one: backtracking masks it, and what needs it in
//!   turn, up to the world file, where it is reported as "masked or don't exist";
//! - an update that needs an excluded package: "skipped due to unsatisfied dependencies", the old version stays;
//! - the same with an older version in the tree: **that is taken**, although nobody wanted it;
//! - a target that is no set and needs an excluded package: nothing is resolved at all.
//!
//! So what a plan without them has that the plan of everything had not is left out as well, and so is what
//! Portage names as in need of them when it gives up, until neither changes anything. If Portage finds no
//! way without them, they are tried once more, as if nothing was known.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::known::{self, KnownFailure};
use crate::portage::cpv::Cpv;
use crate::portage::plan::Plan;

/// After so many plans the next one is taken as it is.
const ROUNDS: u32 = 6;

/// So many packages are named.
const NAMED: usize = 10;

/// What a cycle leaves out of its plan because it is known to fail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Narrowing {
    /// Nothing, or nothing yet.
    #[default]
    None,
    /// A plan without it is being made.
    AtWork {
        /// What is left out, as `category/name:slot` or `category/name`.
        atoms: Vec<String>,
        /// The plan of everything.
        whole: Vec<Cpv>,
        /// How many plans were made without it.
        rounds: u32,
    },
    /// The plan is made.
    Done {
        /// See [`Narrowing::AtWork`].
        atoms: Vec<String>,
        /// What is not built either, because it needs what is left out.
        waits: Vec<Cpv>,
    },
    /// Portage finds no plan without it, so everything is tried.
    InVain,
}

impl Narrowing {
    /// Leaves these out of a plan.
    #[must_use]
    pub fn begin(atoms: Vec<String>, plan: &Plan) -> Self {
        let whole = plan.packages.iter().map(|planned| planned.cpv.clone()).collect();
        Self::AtWork { atoms, whole, rounds: 0 }
    }

    /// What is left out.
    #[must_use]
    pub fn atoms(&self) -> &[String] {
        match self {
            Self::AtWork { atoms, .. } | Self::Done { atoms, .. } => atoms,
            Self::None | Self::InVain => &[],
        }
    }

    /// Takes in a plan without what is left out. True: it has what the plan of everything had not, and there
    /// has to be another.
    #[must_use]
    pub fn next(&mut self, plan: &Plan, failures: &[KnownFailure]) -> bool {
        let Self::AtWork { atoms, whole, rounds } = self else { return false };
        let others = plan.packages.iter().filter(|planned| !whole.contains(&planned.cpv));
        let more = others.map(|planned| known::atom(&planned.cpv, &planned.slot)).collect();
        if *rounds < ROUNDS && add(atoms, more) {
            *rounds += 1;
            return true;
        }
        let left_out = |cpv: &Cpv| {
            let known = failures.iter().any(|past| past.package == *cpv && atoms.contains(&past.atom()));
            known || plan.packages.iter().any(|planned| planned.cpv == *cpv)
        };
        let waits = whole.iter().filter(|cpv| !left_out(cpv)).cloned().collect();
        *self = Self::Done { atoms: std::mem::take(atoms), waits };
        false
    }

    /// Takes in that there is no plan without what is left out, because `needed_by` need it; the nearest first.
    /// True: there has to be another.
    #[must_use]
    pub fn fails(&mut self, needed_by: &[Cpv]) -> bool {
        let Self::AtWork { atoms, rounds, .. } = self else { return false };
        let more = needed_by.iter().map(|package| package.cp().to_owned()).collect();
        if *rounds < ROUNDS && add(atoms, more) {
            *rounds += 1;
        } else {
            *self = Self::InVain;
        }
        true
    }

    /// What a person should know about it, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        match self {
            Self::Done { waits, .. } if !waits.is_empty() => {
                let named: Vec<&str> = waits.iter().take(NAMED).map(Cpv::as_str).collect();
                let more = match waits.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    n => format!(" and {n} more"),
                };
                Some(format!("not built, because of what still fails: {}{more}", named.join(" ")))
            }
            Self::InVain => {
                Some("Portage finds no plan without what still fails, so it is tried again".to_owned())
            }
            Self::None | Self::AtWork { .. } | Self::Done { .. } => None,
        }
    }
}

/// Adds what is not there; whether there was any of it.
fn add(atoms: &mut Vec<String>, more: BTreeSet<String>) -> bool {
    let before = atoms.len();
    let new: Vec<String> = more.into_iter().filter(|atom| !atoms.contains(atom)).collect();
    atoms.extend(new);
    atoms.len() > before
}
