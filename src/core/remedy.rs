//! What is done about a failure before a person is asked: bounded, written down, and visible in the
//! status while and after it acts. Nothing else is ever done to the user's system in silence.
//!
//! A remedy is for packages, not for a step: only those it is for are built again, and what failed for
//! other reasons meanwhile waits, untouched, for the person who is needed anyway.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::failure::{Class, Failure};
use super::room::Room;
use super::status::in_words;
use super::untangle::Untangling;
use super::{Now, Report, cycle};
use crate::config::Config;
use crate::portage::output::circular::Solution;
use crate::portage::output::problem::ProblemKind;

/// No wait for an attempt is longer, whatever the clock says.
pub const LONGEST: Duration = Duration::from_hours(24);

/// A remedy at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// Packages are built again.
    Again(Treatment),
    /// Packages that need each other to be built are built one after the other.
    Untangle(Box<Untangling>),
    /// Room is made where none is left.
    Room(Room),
}

/// Packages that are built again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Treatment {
    /// What it is for.
    pub class: Class,
    /// The packages to build again, as `category/name-version`; never empty.
    pub packages: Vec<String>,
    /// How often that was done before, in this cycle.
    pub before: u32,
    /// It does not begin before.
    pub due: Option<Timestamp>,
    /// What failed besides, and what a person is told when the remedy was of no use.
    pub others: Vec<Failure>,
}

/// What became of a package that had a remedy in this cycle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Treated {
    /// What the remedy was for.
    pub class: Class,
    /// The package, as `category/name-version`.
    pub package: String,
    /// How often it was built again.
    pub attempts: u32,
    /// It was merged after that.
    pub cured: bool,
}

/// The most attempts that a remedy has, whatever the configuration says of waiting between them.
fn attempts(class: Class, config: &Config) -> usize {
    match class {
        Class::Fetch => config.remedy.fetch.len(),
        Class::OutOfMemory if config.remedy.out_of_memory => 2,
        Class::Stalled if config.remedy.stalled => 1,
        Class::BinpkgCorrupt if config.remedy.binpkg_corrupt => 1,
        // After room was made.
        Class::DiskFull if config.remedy.disk_full => 1,
        _ => 0,
    }
}

/// How long to wait before the attempt that follows so many others.
fn wait(class: Class, before: u32, config: &Config) -> Option<Duration> {
    match class {
        Class::Fetch => config.remedy.fetch.get(usize::try_from(before).ok()?).copied(),
        _ => None,
    }
}

fn is_for(failure: &Failure) -> bool {
    match failure.class {
        Class::Fetch | Class::DiskFull => failure.may_pass,
        class => matches!(class, Class::OutOfMemory | Class::Stalled | Class::BinpkgCorrupt),
    }
}

/// What to do about these failures, or all of them back when only a person can do something.
///
/// # Errors
///
/// The failures, each with a line of evidence about the attempts made.
pub fn choose(
    failures: Vec<Failure>,
    treated: &[Treated],
    config: &Config,
    now: Now,
) -> Result<Treatment, Vec<Failure>> {
    let tried = |failure: &Failure| {
        let package = failure.package.as_deref();
        let same = |past: &&Treated| package.is_some_and(|package| past.is_of(failure.class, package));
        treated.iter().find(same).map_or(0, |past| past.attempts)
    };
    let helps = |failure: &Failure| {
        let left = usize::try_from(tried(failure)).is_ok_and(|n| n < attempts(failure.class, config));
        failure.package.is_some() && is_for(failure) && left
    };
    let Some(first) = failures.iter().find(|failure| helps(failure)) else {
        return Err(failures.into_iter().map(|failure| in_vain(tried(&failure), failure)).collect());
    };
    let (class, before) = (first.class, tried(first));
    let (mine, others): (Vec<_>, Vec<_>) =
        failures.into_iter().partition(|f| f.class == class && helps(f) && tried(f) == before);
    Ok(Treatment {
        class,
        packages: mine.into_iter().filter_map(|failure| failure.package).collect(),
        before,
        due: wait(class, before, config).map(|wait| cycle::later(now.wall, wait)),
        others,
    })
}

/// Portage's words about a circular dependency, when that is what stopped emerge.
#[must_use]
pub fn circle(report: &Report) -> Option<Vec<String>> {
    let (Report::Ran(ran) | Report::Planned { ran, .. }) = report else { return None };
    let problem = ran.evidence.main_problem().filter(|problem| problem.kind == ProblemKind::Circular)?;
    ran.evidence.failed.is_empty().then(|| problem.lines.clone())
}

fn in_vain(attempts: u32, mut failure: Failure) -> Failure {
    if attempts > 0 {
        let times = if attempts == 1 { "once".to_owned() } else { format!("{attempts} times") };
        failure.evidence.push(format!("tried again {times}, in vain"));
    }
    failure
}

/// Counts an attempt of a treatment.
pub fn count(treatment: &Treatment, treated: &mut Vec<Treated>) {
    for package in &treatment.packages {
        match treated.iter_mut().find(|past| past.is_of(treatment.class, package)) {
            Some(past) => past.attempts = past.attempts.saturating_add(1),
            None => treated.push(Treated {
                class: treatment.class,
                package: package.clone(),
                attempts: 1,
                cured: false,
            }),
        }
    }
}

/// Writes down that a package was merged, however that came about.
pub fn merged(package: &str, treated: &mut [Treated]) {
    for past in treated.iter_mut().filter(|past| past.package == package) {
        past.cured = true;
    }
}

impl Remedy {
    /// It does not begin before.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Again(treatment) => treatment.due,
            Self::Untangle(_) | Self::Room(_) => None,
        }
    }

    /// The class of failure it is for, the packages, and what is done, in a few words: for the history.
    #[must_use]
    pub fn deed(&self) -> (Class, Vec<String>, String) {
        match self {
            Self::Again(treatment) => {
                let what = match treatment.change() {
                    Change::Nothing => "built again".to_owned(),
                    Change::Fewer(fewer) => format!("built again with {}", fewer.in_words()),
                    Change::SetAside => "binary package set aside, built from source".to_owned(),
                };
                (treatment.class, treatment.packages.clone(), what)
            }
            Self::Untangle(untangling) => {
                let solution = untangling.solution.as_ref();
                let packages = solution.map(|solution| solution.package.to_string()).into_iter().collect();
                let flags = solution.map(Solution::flags).unwrap_or_default();
                (Class::Circular, packages, format!("built with USE=\"{flags}\" for a while"))
            }
            Self::Room(room) => (Class::DiskFull, room.packages(), "pruned".to_owned()),
        }
    }

    /// What is going on, in one sentence. `left` is the time until it begins.
    #[must_use]
    pub fn sentence(&self, left: Option<Duration>, config: &Config) -> String {
        match self {
            Self::Again(treatment) => treatment.sentence(left, config),
            Self::Untangle(untangling) => untangling.sentence(),
            Self::Room(room) => room.sentence(),
        }
    }
}

impl Treatment {
    /// What this attempt does otherwise than the one before.
    #[must_use]
    pub fn change(&self) -> Change {
        match self.class {
            Class::OutOfMemory => Change::Fewer(Fewer::after(self.before)),
            Class::BinpkgCorrupt => Change::SetAside,
            _ => Change::Nothing,
        }
    }

    /// What is going on, in one sentence: `a/b-1 could not be fetched; trying again in 55 s (attempt 2 of 4)`.
    fn sentence(&self, left: Option<Duration>, config: &Config) -> String {
        let more = match self.packages.len() {
            0 | 1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        let first = self.packages.first().map_or("a package", String::as_str);
        let when = match left {
            Some(left) if !left.is_zero() => format!("trying again in {}", in_words(left)),
            _ => "trying again now".to_owned(),
        };
        let trouble = match (self.change(), self.class) {
            (Change::Fewer(fewer), _) => format!("ran out of memory; {when} with {}", fewer.in_words()),
            (Change::SetAside, _) => {
                return format!(
                    "the binary package of {first}{more} is damaged; it is set aside and built from source"
                );
            }
            (Change::Nothing, Class::Stalled) => format!("stalled; {when}"),
            (Change::Nothing, Class::DiskFull) => format!("found no space left; {when}"),
            (Change::Nothing, _) => format!("could not be fetched; {when}"),
        };
        // The first attempt was the build's own.
        let (attempt, of) = (self.before + 2, attempts(self.class, config) + 1);
        format!("{first}{more} {trouble} (attempt {attempt} of {of})")
    }
}

impl Treated {
    fn is_of(&self, class: Class, package: &str) -> bool {
        self.class == class && self.package == package
    }

    /// What became of it, in one sentence; nothing while it is not known.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        let Self { class, package, attempts, cured } = self;
        cured.then(|| match class {
            Class::OutOfMemory => {
                let fewer = Fewer::after(attempts.saturating_sub(1));
                format!("{package} ran out of memory at first; it was built with {}", fewer.in_words())
            }
            Class::BinpkgCorrupt => {
                format!("the binary package of {package} was damaged; it was set aside and built from source")
            }
            Class::Stalled => format!("{package} stalled at first; attempt {} worked", attempts + 1),
            Class::DiskFull => {
                format!("{package} found no space left at first; attempt {} worked", attempts + 1)
            }
            _ => format!("{package} could not be fetched at first; attempt {} worked", attempts + 1),
        })
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
    /// What follows so many attempts that were in vain.
    fn after(attempts: u32) -> Self {
        if attempts == 0 { Self::Half } else { Self::One }
    }

    /// So many, when there were `jobs`.
    #[must_use]
    pub fn of(self, jobs: u32) -> u32 {
        match self {
            Self::Half => (jobs / 2).max(1),
            Self::One => 1,
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Half => "half the jobs",
            Self::One => "one job",
        }
    }
}
