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
//! Portage names as in need of them when it gives up, until neither changes anything. Only a package of which nothing was
//! planned or installed stays: it is another member of a `||` group, and does as well.
//!
//! What the plan of everything had and the last one has not is not lost for that: with `--deep` Portage also masks what
//! needs an *installed* package that needs an excluded one. It is asked for by name after the build ([`rest`](crate::decide::rest)).
//!
//! What a person leaves out is left out from the start, since it may be what stands in the way of any plan. When Portage
//! passes something over then, it is asked what there would be without that, and the plan is narrowed by it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::known;
use crate::portage::names::cpv::Cpv;
use crate::portage::names::exclude::Excluded;
use crate::portage::output::plan::{Action, Plan, Planned};
use crate::words::and_more;

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
    /// It is looked what there would be to do if a person left nothing out.
    Whole,
    /// A plan without it is being made.
    AtWork {
        /// What is left out, as `category/name:slot` or `category/name`.
        atoms: Vec<String>,
        /// The plan of everything.
        whole: Vec<Cpv>,
        /// How many plans were made without it.
        rounds: u32,
        /// Of the atoms those that began it.
        #[serde(default)]
        cause: Cause,
        /// The plan of everything without what they mean.
        #[serde(default)]
        rest: Vec<Planned>,
    },
    /// The plan is made.
    Done {
        /// See [`Narrowing::AtWork`].
        atoms: Vec<String>,
        /// What is not built either, because it needs what is left out.
        waits: Vec<Cpv>,
        /// See [`Narrowing::AtWork`].
        #[serde(default)]
        cause: Cause,
        /// What is known of what waits, from the plan of everything.
        #[serde(default)]
        rest: Vec<Planned>,
    },
    /// There is no plan of everything, so what a person leaves out is left out and that is all.
    InVain,
}

/// What is left out to begin with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Atoms.
    pub atoms: Vec<String>,
    /// A person asked for some of that.
    pub asked: bool,
}

impl Narrowing {
    /// Leaves these out of a plan.
    pub(crate) fn begin(cause: Cause, plan: &Plan) -> Self {
        let whole = plan.packages.iter().map(|planned| planned.cpv.clone()).collect();
        let left_out = Excluded::by(cause.atoms.iter().map(String::as_str));
        let stays = |planned: &&Planned| !left_out.takes(planned.cpv.cp(), &planned.slot);
        let rest = plan.packages.iter().filter(stays).cloned().collect();
        Self::AtWork { atoms: cause.atoms.clone(), whole, rounds: 0, cause, rest }
    }

    /// Whether the plan that comes next leaves out what a person does.
    pub(crate) fn heeds_people(&self) -> bool {
        *self != Self::Whole
    }

    /// What is left out.
    pub(crate) fn atoms(&self) -> &[String] {
        match self {
            Self::AtWork { atoms, .. } | Self::Done { atoms, .. } => atoms,
            Self::None | Self::Whole | Self::InVain => &[],
        }
    }

    /// What is left out to begin with.
    pub(crate) fn cause(&self) -> &[String] {
        match self {
            Self::AtWork { cause, .. } | Self::Done { cause, .. } => &cause.atoms,
            Self::None | Self::Whole | Self::InVain => &[],
        }
    }

    /// What waits, as the plan of everything had it.
    pub(crate) fn rest(&self) -> &[Planned] {
        match self {
            Self::Done { rest, .. } => rest,
            _ => &[],
        }
    }

    /// Takes in a plan without what is left out. True: it has what the plan of everything had not, and there
    /// has to be another.
    pub(crate) fn next(&mut self, plan: &Plan) -> bool {
        let Self::AtWork { atoms, whole, rounds, .. } = self else { return false };
        let names: BTreeSet<&str> = whole.iter().map(Cpv::cp).collect();
        let whole: BTreeSet<&Cpv> = whole.iter().collect();
        let is_alternative =
            |planned: &Planned| planned.action == Action::New && !names.contains(planned.cpv.cp());
        let others =
            plan.packages.iter().filter(|planned| !whole.contains(&planned.cpv) && !is_alternative(planned));
        let more = others.map(|planned| known::atom(&planned.cpv, &planned.slot)).collect();
        if *rounds < ROUNDS && add(atoms, more) {
            *rounds += 1;
            return true;
        }
        self.settle(plan);
        false
    }

    /// Takes in that there is no plan without what is left out, because `needed_by` need it; the nearest first.
    /// True: there has to be another. When there is none to be had, everything waits.
    pub(crate) fn fails(&mut self, needed_by: &[Cpv]) -> bool {
        match self {
            Self::Whole => {
                *self = Self::InVain;
                true
            }
            Self::AtWork { atoms, rounds, .. } => {
                let more = needed_by.iter().map(|package| package.cp().to_owned()).collect();
                if *rounds < ROUNDS && add(atoms, more) {
                    *rounds += 1;
                    return true;
                }
                self.settle(&Plan::default());
                false
            }
            Self::None | Self::Done { .. } | Self::InVain => false,
        }
    }

    /// This is the plan.
    fn settle(&mut self, plan: &Plan) {
        let Self::AtWork { atoms, cause, rest, .. } = self else { return };
        let (atoms, cause, mut rest) = (std::mem::take(atoms), std::mem::take(cause), std::mem::take(rest));
        let planned: BTreeSet<&Cpv> = plan.packages.iter().map(|planned| &planned.cpv).collect();
        rest.retain(|waiting| !planned.contains(&waiting.cpv));
        let waits = rest.iter().map(|planned| planned.cpv.clone()).collect();
        *self = Self::Done { atoms, waits, cause, rest };
    }

    /// Takes in that this was merged after all.
    pub(crate) fn merged(&mut self, package: &str) {
        if let Self::Done { waits, rest, .. } = self {
            waits.retain(|waiting| waiting.as_str() != package);
            rest.retain(|waiting| waiting.cpv.as_str() != package);
        }
    }

    /// What a person should know about it, in one sentence.
    pub(crate) fn sentence(&self) -> Option<String> {
        match self {
            Self::Done { waits, cause, .. } if !waits.is_empty() => {
                let named: Vec<&str> = waits.iter().take(NAMED).map(Cpv::as_str).collect();
                let more = and_more(waits.len().saturating_sub(NAMED));
                let why = if cause.asked { "is left out" } else { "still fails" };
                Some(format!("not built, because of what {why}: {}{more}", named.join(" ")))
            }
            _ => None,
        }
    }
}

/// Adds what is not there; whether there was any of it.
fn add(atoms: &mut Vec<String>, more: BTreeSet<String>) -> bool {
    let before = atoms.len();
    let known: BTreeSet<&String> = atoms.iter().collect();
    let new: Vec<String> = more.into_iter().filter(|atom| !known.contains(atom)).collect();
    atoms.extend(new);
    atoms.len() > before
}
