//! Packages that are known to fail: remembered with what went into them, and not tried again until
//! something of that changes or a person asks.
//!
//! They are part of the durable state and not of the history, because they decide what is built. Before
//! and after an event they tell what is new: a package that came to the list has failed, one that left
//! it was merged (then it stands in [`Cycle::merged`](super::state::Cycle::merged)) or is no longer wanted.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::failure::{Class, Failure, Remains};
use crate::portage::names::cpv::Cpv;
use crate::portage::names::exclude::Excluded;
use crate::portage::output::plan::{Plan, Planned};

/// A package that failed and was not merged since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFailure {
    /// The package.
    pub package: Cpv,
    /// Its slot.
    pub slot: String,
    /// The kind of trouble.
    pub class: Class,
    /// The ebuild phase that died, where there is one.
    pub phase: Option<String>,
    /// One sentence without a full stop, see [`Failure::message`].
    pub message: String,
    /// The log of the last attempt, as a path inside the container.
    pub log: Option<String>,
    /// When this version failed first.
    pub since: Timestamp,
    /// When it failed last.
    pub last: Timestamp,
    /// What it failed with the last time.
    pub inputs: Inputs,
    /// The cycle for which a person asked to have it tried again.
    pub asked: Option<u64>,
    /// The builder never rested in a pause for it, since something else that was asked for came first. It pauses for
    /// it at the end of the next cycle, whatever that is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untold: bool,
}

/// What decides whether a build can end in another way than the last one.
///
/// Of the ebuild this is a digest of what it consists of and not the revision of its repository, which
/// changes with every sync. What a package is linked to is left out: libraries change all the time, and
/// hardly one of these changes repairs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// [`Planned::inputs`], before the build.
    pub package: String,
    /// [`Ran::toolchain`](super::Ran::toolchain), after the build: it may have brought another compiler.
    pub toolchain: String,
}

/// Whether a failure comes back as long as nobody repairs the package.
#[must_use]
pub fn is_remembered(failure: &Failure) -> bool {
    match failure.class.remains() {
        Remains::Lasts => true,
        Remains::Passes => false,
        // A server that was out of order is tried again by whatever cycle comes next.
        Remains::MayPass => !failure.may_pass,
    }
}

impl KnownFailure {
    /// What `--exclude` is given: `category/name:slot`. Other slots of the package are others.
    pub(crate) fn atom(&self) -> String {
        atom(&self.package, &self.slot)
    }

    /// The failure as far as it is remembered.
    pub(crate) fn failure(&self) -> Failure {
        Failure {
            package: Some(self.package.to_string()),
            phase: self.phase.clone(),
            log: self.log.clone(),
            ..Failure::new(self.class, self.message.clone())
        }
    }

    /// Whether an atom that a person wrote means it.
    pub(crate) fn is_meant_by(&self, atoms: &Excluded) -> bool {
        atoms.takes(self.package.cp(), &self.slot)
    }

    /// Whether it is installed although it failed: of all phases that of `pkg_postinst` alone comes after the merge.
    pub(crate) fn is_half_done(&self) -> bool {
        self.phase.as_deref() == Some("postinst")
    }

    /// Whether a build of what is planned of this version would only repeat the failure.
    fn is_repeated_by(&self, planned: &Planned, toolchain: &str, cycle: u64) -> bool {
        let same = self.inputs.package == planned.inputs && self.inputs.toolchain == toolchain;
        // A binary package that somebody made meanwhile is no build. Files in the way are in its way, too.
        same && self.asked != Some(cycle) && (!planned.binary || self.class == Class::Collision)
    }
}

/// `category/name:slot`.
pub(crate) fn atom(package: &Cpv, slot: &str) -> String {
    format!("{}:{slot}", package.cp())
}

/// Leaves of these failures those of packages that are among the known ones, or those that are not.
pub(crate) fn retain(failures: &mut Vec<Failure>, known: &[KnownFailure], among: bool) {
    let known: HashSet<&str> = known.iter().map(|past| past.package.as_str()).collect();
    failures.retain(|failure| failure.package.as_deref().is_some_and(|it| known.contains(it)) == among);
}

/// What a plan has, by version.
fn by_version(plan: &Plan) -> HashMap<&Cpv, &Planned> {
    let mut versions = HashMap::new();
    for planned in &plan.packages {
        versions.entry(&planned.cpv).or_insert(planned);
    }
    versions
}

/// Those whose failure this plan of a cycle would only repeat.
#[must_use]
pub fn repeated<'a>(
    known: &'a [KnownFailure],
    plan: &Plan,
    toolchain: &str,
    cycle: u64,
) -> Vec<&'a KnownFailure> {
    let versions = by_version(plan);
    let is_repeated = |past: &&KnownFailure| {
        versions.get(&past.package).is_some_and(|planned| past.is_repeated_by(planned, toolchain, cycle))
    };
    known.iter().filter(is_repeated).collect()
}

/// Writes down what failed of a plan. Where a file system was full nobody knows what that did to the others.
pub(crate) fn remember(
    known: &mut Vec<KnownFailure>,
    failures: &[Failure],
    plan: &Plan,
    toolchain: &str,
    now: Timestamp,
) {
    if failures.iter().any(|failure| failure.class == Class::DiskFull) {
        return;
    }
    let versions = by_version(plan);
    let begun: HashMap<Cpv, Timestamp> =
        known.iter().map(|past| (past.package.clone(), past.since)).collect();
    let mut newer: Vec<KnownFailure> = Vec::new();
    // Of a package that failed twice the last time counts.
    let mut seen = HashSet::new();
    for failure in failures.iter().rev().filter(|failure| is_remembered(failure)) {
        let Some(package) = failure.package.as_ref().and_then(|package| Cpv::parse(package.as_bytes()))
        else {
            continue;
        };
        // What was not planned (Portage changed its mind on the way) has inputs that nobody knows.
        let Some(planned) = versions.get(&package).filter(|planned| !planned.inputs.is_empty()) else {
            continue;
        };
        if !seen.insert(package.clone()) {
            continue;
        }
        let since = begun.get(&package).copied().unwrap_or(now);
        newer.push(KnownFailure {
            slot: planned.slot.clone(),
            class: failure.class,
            phase: failure.phase.clone(),
            message: failure.message.clone(),
            log: failure.log.clone(),
            since,
            last: now,
            inputs: Inputs { package: planned.inputs.clone(), toolchain: toolchain.to_owned() },
            asked: None,
            untold: true,
            package,
        });
    }
    known.retain(|past| !seen.contains(&past.package));
    known.extend(newer.into_iter().rev());
}

/// Forgets what a plan of everything has no use for: another version took its place, or nothing needs it any
/// more. `skipped` is left out of it for good, `for_now` only for this cycle, and with that whatever nothing
/// else needs.
pub(crate) fn forget_unwanted(
    known: &mut Vec<KnownFailure>,
    plan: &Plan,
    skipped: &[String],
    for_now: &[String],
) {
    let mut slots: HashMap<(&str, &str), &Planned> = HashMap::new();
    for planned in &plan.packages {
        slots.entry((planned.cpv.cp(), &planned.slot)).or_insert(planned);
    }
    let skipped = Excluded::by(skipped.iter().map(String::as_str));
    known.retain(|past| {
        match slots.get(&(past.package.cp(), past.slot.as_str())) {
            // What takes its place.
            Some(planned) => planned.cpv == past.package,
            // Portage sees no reason to build what is installed.
            None => past.is_half_done() || !for_now.is_empty() || past.is_meant_by(&skipped),
        }
    });
}

/// Packages that are installed although they failed, as `category/name-version`.
pub(crate) fn half_done(known: &[KnownFailure]) -> Vec<String> {
    known.iter().filter(|past| past.is_half_done()).map(|past| past.package.to_string()).collect()
}

/// Has everything tried again in this cycle. What is left out of it is not tried in a later one for that.
pub(crate) fn ask_again(known: &mut [KnownFailure], cycle: u64) {
    for past in known {
        past.asked = Some(cycle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portage::output::plan::Reader;

    fn plan(lines: &[&str]) -> Plan {
        let mut reader = Reader::new();
        for line in lines {
            reader.line(line.as_bytes());
        }
        let mut plan = reader.finish(&[]);
        for planned in &mut plan.packages {
            planned.inputs = "inputs".into();
        }
        plan
    }

    fn failed(package: &str, class: Class) -> Failure {
        Failure { package: Some(package.into()), ..Failure::new(class, "no luck") }
    }

    fn remembered(failures: &[Failure]) -> Vec<KnownFailure> {
        let plan = plan(&["[ebuild  N     ] a/b-1:2::r  0 KiB", "[ebuild  N     ] a/c-1::r  0 KiB"]);
        let mut known = Vec::new();
        remember(&mut known, failures, &plan, "gcc-14", Timestamp::UNIX_EPOCH);
        known
    }

    #[test]
    fn only_what_will_fail_again_is_remembered() {
        let names = |failures: &[Failure]| {
            remembered(failures).iter().map(|past| past.package.to_string()).collect::<Vec<_>>()
        };
        let (compile, full) = (failed("a/b-1", Class::Compile), failed("a/c-1", Class::DiskFull));
        assert_eq!(names(std::slice::from_ref(&compile)), ["a/b-1"]);
        assert!(names(&[compile.clone(), full]).is_empty(), "a full disk spoils everything");
        assert_eq!(names(&[failed("a/c-1", Class::Fetch), compile]), ["a/c-1", "a/b-1"]);
        for nothing in [failed("a/unplanned-1", Class::Test), failed("a/b", Class::Unknown)] {
            assert!(names(&[nothing]).is_empty());
        }
        assert!(names(&[Failure::new(Class::Unknown, "no package")]).is_empty());
    }

    #[test]
    fn a_build_is_a_repetition_when_nothing_in_it_differs() {
        let known = remembered(&[failed("a/b-1", Class::Compile)]);
        let collision = remembered(&[failed("a/b-1", Class::Collision)]);
        assert_eq!(known[0].atom(), "a/b:2");
        let same = plan(&["[ebuild  N     ] a/b-1:2::r  0 KiB"]);
        let is_repeated = |known: &KnownFailure, plan: &Plan, toolchain: &str, cycle| {
            !repeated(std::slice::from_ref(known), plan, toolchain, cycle).is_empty()
        };
        assert!(is_repeated(&known[0], &same, "gcc-14", 7));
        assert!(!is_repeated(&known[0], &same, "gcc-15", 7));
        let other = plan(&["[ebuild  N     ] a/b-2:2::r  0 KiB"]);
        assert!(!is_repeated(&known[0], &other, "gcc-14", 7));
        let binary = plan(&["[binary  N     ] a/b-1-1:2::r  0 KiB"]);
        assert!(!is_repeated(&known[0], &binary, "gcc-14", 7), "that is no build");
        assert!(is_repeated(&collision[0], &binary, "gcc-14", 7), "that is in the way of its files, too");
        let asked = KnownFailure { asked: Some(7), ..known[0].clone() };
        assert!(!is_repeated(&asked, &same, "gcc-14", 7) && is_repeated(&asked, &same, "gcc-14", 8));
    }
}
