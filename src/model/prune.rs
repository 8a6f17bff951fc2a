//! What is there that may go, and what went.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::config;
use crate::model::duration::in_words;
use crate::portage::command::shell_word;

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
    /// A binary package that nothing needs.
    Binpkg,
    /// A release that is too many: one directory.
    Release,
    /// The log of a package.
    PackageLog,
    /// The log of a step.
    StepLog,
    /// What a package wanted to have read.
    Message,
    /// A file of the state that could not be read and was set aside.
    Damaged,
    /// The older half of Portage's `emerge.log`.
    EmergeLog,
    /// The older half of the file in which Portage has the messages of all packages, one after the other.
    Messages,
    /// The oldest cycles of the history.
    History,
}

impl Kind {
    /// Those that are files or directories which go by their age.
    pub(crate) const ALL: [Self; 8] = [
        Self::Leftover,
        Self::Quarantined,
        Self::Distfile,
        Self::Binpkg,
        Self::PackageLog,
        Self::StepLog,
        Self::Message,
        Self::Damaged,
    ];

    /// How it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Leftover => "failed build",
            Self::Quarantined => "set aside",
            Self::Distfile => "source",
            Self::Binpkg => "binary package",
            Self::Release => "release",
            Self::PackageLog => "package log",
            Self::StepLog => "step log",
            Self::Message => "message",
            Self::Damaged => "damaged state",
            Self::EmergeLog => "emerge.log",
            Self::Messages => "messages",
            Self::History => "history",
        }
    }

    pub(crate) fn is_log(self) -> bool {
        matches!(self, Self::PackageLog | Self::StepLog | Self::Message)
    }

    pub(crate) fn longest(self, policy: &config::Prune) -> Option<Duration> {
        match self {
            Self::Leftover => policy.leftovers,
            Self::Quarantined | Self::Damaged => policy.quarantine,
            Self::Distfile => policy.distfiles,
            Self::Binpkg => policy.binpkgs,
            Self::PackageLog | Self::StepLog | Self::Message => policy.logs,
            // Of releases the number counts and not the age, of the others a part of the file goes.
            Self::Release | Self::EmergeLog | Self::Messages | Self::History => None,
        }
    }
}

/// A file that is there, or a directory that goes as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// The directory that what leads to it is trusted up to; in it others may have planted links.
    pub root: PathBuf,
    /// Where it is, below that.
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
    /// Those of its kind take more room together than the policy gives them.
    TooMuch,
    /// There are more of its kind than are kept.
    TooMany,
}

/// Something that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// What it is.
    pub kind: Kind,
    /// The directory that what leads to it is trusted up to.
    #[serde(skip)]
    pub root: PathBuf,
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
    /// Why it goes, in a few words.
    pub(crate) fn reason(&self) -> &'static str {
        match (self.kind, self.why) {
            (Kind::Binpkg, Why::Old) => "nothing needs it",
            (Kind::EmergeLog | Kind::Messages, _) => "its older half: it is longer than [prune] emerge_log",
            (Kind::History, _) => "its cycles that are older than [prune] history",
            (_, Why::Old) => "old enough",
            (Kind::Binpkg, Why::TooMuch) => "what nothing needs is larger than [prune] binpkg_size",
            (Kind::Distfile, Why::TooMuch) => "what nothing refers to is larger than [prune] distfile_size",
            (_, Why::TooMany) => "more than [publish] keep",
            (_, Why::TooMuch) => "the logs are larger than [prune] log_size",
        }
    }

    /// `source /d/x.tar.gz, unchanged for 41 d: old enough`
    pub(crate) fn sentence(&self) -> String {
        let age = in_words(Duration::from_secs(self.age));
        let path = shell_word(&self.path.display().to_string());
        if matches!(self.kind, Kind::EmergeLog | Kind::Messages | Kind::History) {
            return format!("{} {path}: {}", self.kind.name(), self.reason());
        }
        format!("{} {path}, unchanged for {age}: {}", self.kind.name(), self.reason())
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
