//! No space is left: what the policy does not keep is removed, and when that freed any, what failed for it is done
//! once more.

use serde::{Deserialize, Serialize};

use super::Step;
use super::failure::{Class, Failure};
use super::remedy::Treated;

/// Room that is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// The step that found none.
    pub at: Step,
    /// What failed, and what a person is told when nothing could be freed.
    pub failures: Vec<Failure>,
}

/// What a failure is counted by: its package, or the step when it is about none.
fn who(failure: &Failure, at: Step) -> &str {
    failure.package.as_deref().unwrap_or(at.name())
}

fn tried(failure: &Failure, at: Step, treated: &[Treated]) -> bool {
    treated.iter().any(|past| past.class == Class::DiskFull && past.package == who(failure, at))
}

/// Whether room is to be made: for each package, and for each step, once, and only where pruning makes any.
#[must_use]
pub fn is_wanted(failures: &[Failure], at: Step, treated: &[Treated]) -> bool {
    let helps = |failure: &Failure| failure.class == Class::DiskFull && failure.may_pass;
    failures.iter().any(|failure| helps(failure) && !tried(failure, at, treated))
}

/// Counts the attempt of a step that failed without a package; packages are counted when they are built.
pub fn count(room: &Room, treated: &mut Vec<Treated>) {
    let full = room.failures.iter().filter(|failure| failure.class == Class::DiskFull);
    if full.clone().any(|failure| failure.package.is_none()) {
        let package = room.at.name().to_owned();
        treated.push(Treated { class: Class::DiskFull, package, attempts: 1, cured: false });
    }
}

impl Room {
    /// What is going on, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        "no space is left; removing what [prune] of the configuration does not keep".to_owned()
    }

    /// The packages that found none.
    #[must_use]
    pub fn packages(&self) -> Vec<String> {
        let full = self.failures.iter().filter(|failure| failure.class == Class::DiskFull);
        full.filter_map(|failure| failure.package.clone()).collect()
    }

    /// The failures, when nothing could be freed.
    #[must_use]
    pub fn in_vain(mut self) -> Vec<Failure> {
        for failure in self.failures.iter_mut().filter(|failure| failure.class == Class::DiskFull) {
            failure.evidence.push("pruning freed nothing (gbsup prune --dry-run)".to_owned());
        }
        self.failures
    }
}
