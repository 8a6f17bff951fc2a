//! What went wrong: class, package, phase, one sentence, and what to do about it.
//!
//! Portage's exit code says nothing (it is 1 for everything), so a failure is made from what was
//! printed: the evidence of [`crate::portage::output::scanner`] and the `die` of a build log. What is not
//! recognised stays [`Class::Unknown`], with the last lines of the right log.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::words::words;

/// The table of the classes: each with whether it [`Remains`].
macro_rules! classes {
    (enum $Class:ident { $($(#[$about:meta])* $class:ident: $remains:ident,)* }) => {
        /// What kind of trouble stopped a step. The names are those of the status (kebab case).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $Class {
            $($(#[$about])* $class,)*
        }

        impl $Class {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$class),*];

            /// Whether it comes back.
            pub(crate) fn remains(self) -> Remains {
                match self {
                    $(Self::$class => Remains::$remains,)*
                }
            }
        }
    };
}

/// Whether a failure comes back as long as nobody repairs the package, so that it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// It does.
    Lasts,
    /// It is the machine's (no room, no network, a lock, a signal to emerge) and passes with its cause, or it is the
    /// resolver's, which knows no package that failed.
    Passes,
    /// Unless it [`may_pass`](Failure::may_pass).
    MayPass,
}

classes! {
    enum Class {
        /// The ebuild repositories could not be synced.
        Sync: Passes,
        /// A source archive could not be fetched.
        Fetch: MayPass,
        /// A source archive is not the one that the Manifest describes.
        Verify: Lasts,
        /// A phase of an ebuild died.
        Compile: Lasts,
        /// The tests of a package failed.
        Test: Lasts,
        /// A package wants to install files that another one owns.
        Collision: Lasts,
        /// Dependencies that need each other.
        Circular: Passes,
        /// Everything that satisfies an atom is masked.
        Masked: Passes,
        /// A dependency wants other USE flags than are set.
        UseChange: Passes,
        /// REQUIRED_USE is not met.
        RequiredUse: Passes,
        /// Two versions are wanted in one slot.
        SlotConflict: Passes,
        /// Packages that exclude each other.
        Blocker: Passes,
        /// Nothing in the repositories satisfies an atom.
        MissingPackage: Passes,
        /// A world atom no longer exists. Portage goes on without it, so this is told as a warning.
        WorldAtomGone: Passes,
        /// No space left on a file system that a build needs.
        DiskFull: Passes,
        /// The kernel killed processes of the step because memory ran out.
        OutOfMemory: Lasts,
        /// The kernel refused a process or a thread because there were as many as may be.
        TooManyProcesses: Passes,
        /// A process of the step was killed by a signal, and not for lack of memory.
        Killed: Lasts,
        /// A build printed nothing and used no CPU for as long as `build.stall`.
        Stalled: Lasts,
        /// A binary package is damaged. It is set aside, and what is built in its place may be sound.
        BinpkgCorrupt: Passes,
        /// A package was not tried, because of others that failed or are left out.
        NotTried: Passes,
        /// A binary package is whole, and the program to read it or the key to trust it is not there.
        BinpkgUnusable: Passes,
        /// `/etc/portage/make.profile` does not lead to a profile.
        ProfileInvalid: Passes,
        /// Another Portage held a lock that the step needed, and the step ended while it waited for it.
        PortageLocked: Passes,
        /// The volume cannot be used: read-only, not a directory, or held by another builder.
        Volume: Passes,
        /// Portage's or gbsup's own configuration.
        Config: Passes,
        /// The container engine withholds a right that a builder needs.
        Engine: Passes,
        /// Somebody else than gbsup told Portage to stop.
        Interrupted: Passes,
        /// A defect of gbsup itself or of the container (a command that is not there).
        Internal: Passes,
        /// Not recognised.
        Unknown: Lasts,
    }
}

words!(Class);

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
    pub(crate) fn newest(mut older: Vec<Self>, newer: Vec<Self>) -> Vec<Self> {
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
