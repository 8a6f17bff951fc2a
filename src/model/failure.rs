//! What went wrong: class, package, phase, one sentence, and what to do about it.
//!
//! Portage's exit code says nothing (it is 1 for everything), so a failure is made from what was
//! printed: the evidence of [`crate::portage::output::scanner`] and the `die` of a build log. What is not
//! recognised stays [`Class::Unknown`], with the last lines of the right log.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// What kind of trouble stopped a step. The names are those of the status (kebab case).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The ebuild repositories could not be synced.
    Sync,
    /// A source archive could not be fetched.
    Fetch,
    /// A source archive is not the one that the Manifest describes.
    Verify,
    /// A phase of an ebuild died.
    Compile,
    /// The tests of a package failed.
    Test,
    /// A package wants to install files that another one owns.
    Collision,
    /// Dependencies that need each other.
    Circular,
    /// Everything that satisfies an atom is masked.
    Masked,
    /// A dependency wants other USE flags than are set.
    UseChange,
    /// REQUIRED_USE is not met.
    RequiredUse,
    /// Two versions are wanted in one slot.
    SlotConflict,
    /// Packages that exclude each other.
    Blocker,
    /// Nothing in the repositories satisfies an atom.
    MissingPackage,
    /// A world atom no longer exists. Portage goes on without it, so this is told as a warning.
    WorldAtomGone,
    /// No space left on a file system that a build needs.
    DiskFull,
    /// The kernel killed processes of the step because memory ran out.
    OutOfMemory,
    /// The kernel refused a process or a thread because there were as many as may be.
    TooManyProcesses,
    /// A process of the step was killed by a signal, and not for lack of memory.
    Killed,
    /// A build printed nothing and used no CPU for as long as `build.stall`.
    Stalled,
    /// A binary package is damaged.
    BinpkgCorrupt,
    /// A package was not tried, because of others that failed or are left out.
    NotTried,
    /// A binary package is whole, and the program to read it or the key to trust it is not there.
    BinpkgUnusable,
    /// `/etc/portage/make.profile` does not lead to a profile.
    ProfileInvalid,
    /// Another Portage held a lock that the step needed, and the step ended while it waited for it.
    PortageLocked,
    /// The volume cannot be used: read-only, not a directory, or held by another builder.
    Volume,
    /// Portage's or gbsup's own configuration.
    Config,
    /// The container engine withholds a right that a builder needs.
    Engine,
    /// Somebody else than gbsup told Portage to stop.
    Interrupted,
    /// A defect of gbsup itself or of the container (a command that is not there).
    Internal,
    /// Not recognised.
    Unknown,
}

impl Class {
    /// The name as it stands in the status and in history.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Fetch => "fetch",
            Self::Verify => "verify",
            Self::Compile => "compile",
            Self::Test => "test",
            Self::Collision => "collision",
            Self::Circular => "circular",
            Self::Masked => "masked",
            Self::UseChange => "use-change",
            Self::RequiredUse => "required-use",
            Self::SlotConflict => "slot-conflict",
            Self::Blocker => "blocker",
            Self::MissingPackage => "missing-package",
            Self::WorldAtomGone => "world-atom-gone",
            Self::DiskFull => "disk-full",
            Self::OutOfMemory => "out-of-memory",
            Self::TooManyProcesses => "too-many-processes",
            Self::Killed => "killed",
            Self::Stalled => "stalled",
            Self::BinpkgCorrupt => "binpkg-corrupt",
            Self::NotTried => "not-tried",
            Self::BinpkgUnusable => "binpkg-unusable",
            Self::ProfileInvalid => "profile-invalid",
            Self::PortageLocked => "portage-locked",
            Self::Volume => "volume",
            Self::Config => "config",
            Self::Engine => "engine",
            Self::Interrupted => "interrupted",
            Self::Internal => "internal",
            Self::Unknown => "unknown",
        }
    }
}

/// One thing that stopped a step, as people and programs read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of trouble.
    pub class: Class,
    /// The package concerned, as `category/name-version`, or the atom where there is no package.
    pub package: Option<String>,
    /// The ebuild phase that died (`compile`, `install` ...).
    pub phase: Option<String>,
    /// One sentence without a full stop, the ebuild's or the resolver's own words where there are any.
    pub message: String,
    /// Lines of output that show it, oldest first.
    pub evidence: Vec<String>,
    /// The log to read, as a path inside the container.
    pub log: Option<String>,
    /// Commands to type inside the container, in order.
    pub suggestions: Vec<String>,
    /// It may pass without a person: a server that did not answer, a full file system that pruning makes room
    /// on, and the like.
    #[serde(default)]
    pub may_pass: bool,
}

impl Failure {
    /// A failure with a class and a sentence, and nothing else known.
    #[must_use]
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            package: None,
            phase: None,
            message: message.into(),
            evidence: Vec::new(),
            log: None,
            suggestions: Vec::new(),
            may_pass: false,
        }
    }

    /// Older failures and newer ones together, of each package the newer.
    #[must_use]
    pub fn newest(mut older: Vec<Self>, newer: Vec<Self>) -> Vec<Self> {
        let again: HashSet<Option<&String>> = newer.iter().map(|new| new.package.as_ref()).collect();
        older.retain(|old| old.package.is_none() || !again.contains(&old.package.as_ref()));
        older.extend(newer);
        older
    }

    /// The failure in one line: `app/x-1.2 failed in compile: no luck`.
    #[must_use]
    pub fn headline(&self) -> String {
        match (&self.package, &self.phase) {
            // What was killed is a detail, and the phase is where chance had it.
            (Some(package), _) if self.class == Class::OutOfMemory => format!("{package} ran out of memory"),
            (Some(package), Some(phase)) => format!("{package} failed in {phase}: {}", self.message),
            (Some(package), None) => format!("{package}: {}", self.message),
            (None, _) => self.message.clone(),
        }
    }
}

/// Why work cannot go on.
pub type Trouble = Box<Failure>;
