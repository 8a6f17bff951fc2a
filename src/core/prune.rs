//! What may go when room is needed, or time has passed: logs, sources that nothing refers to, what failed
//! builds left, and binary packages that were set aside. A finished binary package never goes.
//!
//! A bound keeps a mistake small: of a kind only a part goes at once, the oldest first.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::status::in_words;
use crate::config;

/// Of each kind so many files may go at once, however few there are of it.
const AT_LEAST: usize = 10;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What failed builds left in Portage's build directory: one directory.
    Leftover,
    /// A binary package that was set aside, or the text that says why.
    Quarantined,
    /// A source file to which no Manifest refers.
    Distfile,
    /// The log of a package.
    PackageLog,
    /// The log of a step.
    StepLog,
}

impl Kind {
    const ALL: [Self; 5] =
        [Self::Leftover, Self::Quarantined, Self::Distfile, Self::PackageLog, Self::StepLog];

    /// How it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Leftover => "failed build",
            Self::Quarantined => "set aside",
            Self::Distfile => "source",
            Self::PackageLog => "package log",
            Self::StepLog => "step log",
        }
    }

    fn is_log(self) -> bool {
        matches!(self, Self::PackageLog | Self::StepLog)
    }

    fn longest(self, policy: &config::Prune) -> Option<Duration> {
        match self {
            Self::Leftover => policy.leftovers,
            Self::Quarantined => policy.quarantine,
            Self::Distfile => policy.distfiles,
            Self::PackageLog | Self::StepLog => policy.logs,
        }
    }
}

/// A file that is there, or a directory that goes as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub path: PathBuf,
    /// Bytes, with all that is below it.
    pub size: u64,
    /// How long ago it was last changed.
    pub age: Duration,
    /// It stays whatever the policy says: something may still need it.
    pub needed: bool,
}

/// Why something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It is older than the policy lets it become.
    Old,
    /// The logs take more room together than the policy gives them.
    TooMuch,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Old => "old enough",
            Self::TooMuch => "the logs are larger than [prune] log_size",
        })
    }
}

/// Something that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Seconds since it was last changed.
    pub age: u64,
    /// Why it goes.
    pub why: Why,
}

impl Removal {
    /// `source /d/x.tar.gz, unchanged for 41 d: old enough`
    #[must_use]
    pub fn sentence(&self) -> String {
        let age = in_words(Duration::from_secs(self.age));
        format!("{} {}, unchanged for {age}: {}", self.kind.name(), self.path.display(), self.why)
    }
}

/// What came of pruning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many files or directories went.
    pub files: u64,
    /// How many bytes they held.
    pub freed: u64,
    /// What could not be looked at or removed, one sentence each.
    pub problems: Vec<String>,
}

/// What goes by this policy, of each kind the oldest first.
#[must_use]
pub fn choose(items: &[Item], policy: &config::Prune) -> Vec<Removal> {
    let mut going: Vec<(&Item, Why)> = Vec::new();
    for kind in Kind::ALL {
        let Some(longest) = kind.longest(policy) else { continue };
        let old = items.iter().filter(|item| item.kind == kind && !item.needed && item.age > longest);
        going.extend(old.map(|item| (item, Why::Old)));
    }
    going.extend(too_much(items, &going, policy).into_iter().map(|item| (item, Why::TooMuch)));
    going.sort_by(|(a, _), (b, _)| (a.kind, b.age, &a.path).cmp(&(b.kind, a.age, &b.path)));
    let mut chosen = Vec::new();
    for kind in Kind::ALL {
        let all = items.iter().filter(|item| item.kind == kind).count();
        let most = (all * usize::from(policy.cap) / 100).max(AT_LEAST);
        let of_kind = going.iter().filter(|(item, _)| item.kind == kind).take(most);
        chosen.extend(of_kind.map(|(item, why)| Removal {
            kind,
            path: item.path.clone(),
            size: item.size,
            age: item.age.as_secs(),
            why: *why,
        }));
    }
    chosen
}

/// The oldest of the logs that are left, until the others are small enough.
fn too_much<'a>(items: &'a [Item], going: &[(&Item, Why)], policy: &config::Prune) -> Vec<&'a Item> {
    let Some(most) = policy.log_size else { return Vec::new() };
    let stays = |item: &&Item| item.kind.is_log() && !going.iter().any(|(gone, _)| gone.path == item.path);
    let mut left: Vec<&Item> = items.iter().filter(stays).collect();
    left.sort_by_key(|item| std::cmp::Reverse(item.age));
    let mut size: u64 = left.iter().map(|item| item.size).sum();
    let mut more = Vec::new();
    for item in left.into_iter().filter(|item| !item.needed) {
        if size <= most {
            break;
        }
        size -= item.size;
        more.push(item);
    }
    more
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn item(kind: Kind, name: &str, days: u32) -> Item {
        Item { kind, path: name.into(), size: 100, age: DAY * days, needed: false }
    }

    fn names(items: &[Item], policy: &config::Prune) -> Vec<String> {
        choose(items, policy)
            .iter()
            .map(|gone| format!("{} {}", gone.path.display(), gone.age / 86_400))
            .collect()
    }

    fn policy() -> config::Prune {
        config::Prune {
            logs: Some(DAY * 90),
            log_size: None,
            distfiles: Some(DAY * 60),
            leftovers: Some(DAY * 7),
            quarantine: None,
            cap: 50,
        }
    }

    #[test]
    fn what_is_old_goes_unless_it_is_needed() {
        let items = [
            item(Kind::PackageLog, "young", 89),
            item(Kind::PackageLog, "old", 91),
            Item { needed: true, ..item(Kind::PackageLog, "of a failure", 300) },
            item(Kind::StepLog, "step", 100),
            item(Kind::Distfile, "used lately", 60),
            item(Kind::Distfile, "unused", 61),
            item(Kind::Leftover, "work", 8),
            item(Kind::Quarantined, "never", 9999),
        ];
        assert_eq!(names(&items, &policy()), ["work 8", "unused 61", "old 91", "step 100"]);
    }

    #[test]
    fn only_a_part_goes_at_once_and_the_oldest_first() {
        let many: Vec<_> = (0..40).map(|n| item(Kind::Distfile, &format!("d{n}"), 100 + n)).collect();
        let gone = names(&many, &policy());
        assert_eq!((gone.len(), gone[0].as_str(), gone[19].as_str()), (20, "d39 139", "d20 120"));
        assert_eq!(names(&many[..12], &policy()).len(), 10, "a few may always go");
        assert_eq!(names(&many, &config::Prune { cap: 100, ..policy() }).len(), 40);
    }

    #[test]
    fn logs_have_a_size_together() {
        let items = [
            item(Kind::PackageLog, "newest", 1),
            item(Kind::StepLog, "older", 5),
            item(Kind::PackageLog, "oldest", 9),
            Item { needed: true, ..item(Kind::PackageLog, "of a failure", 20) },
            item(Kind::PackageLog, "old anyway", 91),
            item(Kind::Distfile, "no log", 9),
        ];
        let sized = |log_size| config::Prune { log_size: Some(log_size), ..policy() };
        assert_eq!(names(&items, &sized(400)), ["old anyway 91"]);
        assert_eq!(names(&items, &sized(399)), ["old anyway 91", "oldest 9"]);
        assert_eq!(names(&items, &sized(250)), ["old anyway 91", "oldest 9", "older 5"]);
        assert_eq!(names(&items, &sized(0)), ["old anyway 91", "oldest 9", "newest 1", "older 5"]);
    }

    #[test]
    fn it_says_what_goes_and_why() {
        let gone = choose(&[item(Kind::Distfile, "/d/x.tar.gz", 61)], &policy());
        assert_eq!(gone[0].sentence(), "source /d/x.tar.gz, unchanged for 61 d: old enough");
    }
}
