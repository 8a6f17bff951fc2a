//! Remedies: what is at work, and what became of it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{self, Config};
use crate::model::duration::in_words;
use crate::model::failure::{Class, Failure};
use crate::model::work::{Change, Fewer, Step};
use crate::portage::output::circular::Solution;
use crate::words::and_more;

/// A remedy that builds packages again: one line for each class that has such a one.
struct Again {
    class: Class,
    /// It is for nothing but what may pass without a person.
    passing: bool,
    /// The waits before its attempts; as many attempts are made.
    waits: fn(&config::Remedy) -> Vec<Duration>,
    /// What an attempt does otherwise, after so many before it.
    change: fn(u32) -> Change,
    /// What failed, in words that follow a package.
    trouble: &'static str,
}

/// All of them.
const AGAIN: [Again; 5] = [
    Again {
        class: Class::Fetch,
        passing: true,
        waits: |config| config.fetch.clone(),
        change: |_| Change::Nothing,
        trouble: "could not be fetched",
    },
    Again {
        class: Class::OutOfMemory,
        passing: false,
        waits: |config| at_once(if config.out_of_memory { 2 } else { 0 }),
        change: |before| Change::Fewer(if before == 0 { Fewer::Half } else { Fewer::One }),
        trouble: "ran out of memory",
    },
    Again {
        class: Class::Stalled,
        passing: false,
        waits: |config| at_once(config.stalled.into()),
        change: |_| Change::Nothing,
        trouble: "stalled",
    },
    Again {
        class: Class::BinpkgCorrupt,
        passing: false,
        waits: |config| at_once(config.binpkg_corrupt.into()),
        change: |_| Change::SetAside,
        trouble: "is damaged",
    },
    Again {
        // After room was made.
        class: Class::DiskFull,
        passing: true,
        waits: |config| at_once(config.disk_full.into()),
        change: |_| Change::Nothing,
        trouble: "found no space left",
    },
];

fn at_once(attempts: usize) -> Vec<Duration> {
    vec![Duration::ZERO; attempts]
}

impl Again {
    fn of(class: Class) -> Option<&'static Self> {
        AGAIN.iter().find(|again| again.class == class)
    }
}

/// The most attempts that a class has, whatever the configuration says of waiting between them.
fn attempts(class: Class, config: &Config) -> usize {
    Again::of(class).map_or(0, |again| (again.waits)(&config.remedy).len())
}

/// How long to wait before a failure is tried again after so many attempts; `None`: it is not.
pub(crate) fn next_attempt(failure: &Failure, before: u32, config: &Config) -> Option<Duration> {
    let again = Again::of(failure.class).filter(|again| failure.may_pass || !again.passing)?;
    (again.waits)(&config.remedy).get(usize::try_from(before).ok()?).copied()
}

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

impl Remedy {
    /// It does not begin before.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Again(treatment) => treatment.due,
            Self::Untangle(_) | Self::Room(_) => None,
        }
    }

    /// The class of failure it is for, the packages, and what is done, in a few words: for the history.
    pub(crate) fn deed(&self) -> (Class, Vec<String>, String) {
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
    pub(crate) fn sentence(&self, left: Option<Duration>, config: &Config) -> String {
        match self {
            Self::Again(treatment) => treatment.sentence(left, config),
            Self::Untangle(untangling) => untangling.sentence(),
            Self::Room(_) => Room::sentence(),
        }
    }
}

impl Treatment {
    /// What this attempt does otherwise than the one before.
    pub(crate) fn change(&self) -> Change {
        Again::of(self.class).map_or(Change::Nothing, |again| (again.change)(self.before))
    }

    /// What is going on, in one sentence: `a/b-1 could not be fetched; trying again in 55 s (attempt 2 of 4)`.
    fn sentence(&self, left: Option<Duration>, config: &Config) -> String {
        let more = and_more(self.packages.len().saturating_sub(1));
        let first = self.packages.first().map_or("a package", String::as_str);
        let when = match left {
            Some(left) if !left.is_zero() => format!("trying again in {}", in_words(left)),
            _ => "trying again now".to_owned(),
        };
        let trouble = trouble(self.class);
        let trouble = match self.change() {
            Change::Fewer(fewer) => format!("{trouble}; {when} with {}", fewer.in_words()),
            Change::SetAside => {
                return format!(
                    "the binary package of {first}{more} {trouble}; it is set aside and built from source"
                );
            }
            Change::Nothing => format!("{trouble}; {when}"),
        };
        // The first attempt was the build's own.
        let (attempt, of) = (self.before + 2, attempts(self.class, config) + 1);
        format!("{first}{more} {trouble} (attempt {attempt} of {of})")
    }
}

impl Treated {
    pub(crate) fn is_of(&self, class: Class, package: &str) -> bool {
        self.class == class && self.package == package
    }

    /// What became of it, in one sentence; nothing while it is not known.
    pub(crate) fn sentence(&self) -> Option<String> {
        let Self { class, package, attempts, cured } = self;
        let change = Again::of(*class)?.change;
        let trouble = trouble(*class);
        cured.then(|| match change(attempts.saturating_sub(1)) {
            Change::Fewer(fewer) => {
                format!("{package} {trouble} at first; it was built with {}", fewer.in_words())
            }
            Change::SetAside => {
                format!("the binary package of {package} was damaged; it was set aside and built from source")
            }
            Change::Nothing => format!("{package} {trouble} at first; attempt {} worked", attempts + 1),
        })
    }
}

fn trouble(class: Class) -> &'static str {
    Again::of(class).map_or("failed", |again| again.trouble)
}

/// A circle that is being broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untangling {
    /// The step that met it, and that is run again afterwards.
    pub at: Step,
    /// What a person is told when it cannot be broken.
    pub failure: Failure,
    /// Portage's words about it.
    pub text: Vec<String>,
    /// It was met while this was being built, to break another one.
    pub within: Option<Solution>,
    /// What is built to break it; nothing while that is being looked for.
    pub solution: Option<Solution>,
}

/// What broke a circle, or was of no use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untangled {
    /// What was built.
    pub solution: Solution,
    /// It was built and installed.
    pub built: bool,
}

impl Untangling {
    /// What is going on, in one sentence.
    pub(crate) fn sentence(&self) -> String {
        match &self.solution {
            Some(solution) => format!(
                "packages need each other; {} is built with USE=\"{}\" first",
                solution.package,
                solution.flags()
            ),
            None => "packages need each other; looking for a way to build one of them first".to_owned(),
        }
    }
}

impl Untangled {
    /// What was done, in one sentence; nothing when it was of no use.
    pub(crate) fn sentence(&self) -> Option<String> {
        let Solution { package, .. } = &self.solution;
        let flags = self.solution.flags();
        self.built.then(|| {
            format!(
                "{package} was built with USE=\"{flags}\" for a while, because packages needed each other"
            )
        })
    }
}

/// Room that is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// The step that found none.
    pub at: Step,
    /// What failed, and what a person is told when nothing could be freed.
    pub failures: Vec<Failure>,
}

impl Room {
    /// What is going on, in one sentence.
    pub(crate) fn sentence() -> String {
        "no space is left; removing what [prune] of the configuration does not keep".to_owned()
    }

    /// The packages that found none.
    pub(crate) fn packages(&self) -> Vec<String> {
        let full = self.failures.iter().filter(|failure| failure.class == Class::DiskFull);
        full.filter_map(|failure| failure.package.clone()).collect()
    }

    /// The failures, when nothing could be freed.
    pub(crate) fn in_vain(mut self) -> Vec<Failure> {
        for failure in self.failures.iter_mut().filter(|failure| failure.class == Class::DiskFull) {
            failure.evidence.push("pruning freed nothing (gbsup prune --dry-run)".to_owned());
        }
        self.failures
    }
}
