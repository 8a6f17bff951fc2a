//! What is built against something old, and what changed under it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::portage::files::vdb::Versioned;
use crate::portage::names::cpv::Cpv;

/// The package of which a new slot is installed but not used.
const COMPILER: &str = "sys-devel/gcc";

/// Of each package the directories that are named after versions.
pub(crate) type Directories = BTreeMap<Cpv, BTreeSet<Versioned>>;

/// Sub-slots by slot by `category/package`.
pub(crate) type Slots = BTreeMap<String, BTreeMap<String, String>>;

/// The words of each variable that says what to build for, such as `PYTHON_TARGETS`.
pub type Targets = BTreeMap<String, BTreeSet<String>>;

/// How the system was when a cycle was done. On the volume as `state/installed.json`; the next cycle is
/// compared with it, however often that is interrupted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settled {
    /// What was installed.
    pub slots: Slots,
    /// What it was built for.
    pub targets: Targets,
    /// What a rebuild did not change; it is not rebuilt for the same reason again.
    pub left: Vec<Stale>,
    /// The preserved libraries that a rebuild did not make superfluous, as Portage lists them.
    pub preserved: Vec<String>,
}

/// Something that other packages are built against changed. The text is a sentence without its period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// A sub-slot.
    SubSlot {
        /// `category/package`.
        package: String,
        /// Its slot.
        slot: String,
        /// The sub-slot before.
        old: String,
        /// The sub-slot now.
        new: String,
    },
    /// The slots of a package that was there before and still is.
    Slots {
        /// `category/package`.
        package: String,
        /// In these now.
        new: Vec<String>,
        /// No longer in these.
        gone: Vec<String>,
        /// In these before and now.
        kept: Vec<String>,
    },
    /// What to build for.
    Targets {
        /// The variable.
        variable: String,
        /// New words.
        new: Vec<String>,
        /// Words that are gone.
        gone: Vec<String>,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SubSlot { package, slot, old, new } => {
                let slot = if slot == "0" { String::new() } else { format!(":{slot}") };
                write!(f, "{package}{slot} went from {old} to {new}")
            }
            Self::Slots { package, new, gone, kept } => {
                let (new_slots, gone, kept) = (new.join(", "), gone.join(", "), kept.join(", "));
                match (new.is_empty(), gone.is_empty(), kept.is_empty()) {
                    (false, true, _) => write!(f, "{package} has slot {new_slots} beside {kept}")?,
                    (true, _, _) => write!(f, "{package} is no longer in slot {gone}")?,
                    (false, false, true) => write!(f, "{package} went from slot {gone} to {new_slots}")?,
                    (false, false, false) => {
                        write!(f, "{package} has slot {new_slots} beside {kept}, and no longer {gone}")?;
                    }
                }
                if package == COMPILER && !new.is_empty() && !kept.is_empty() {
                    write!(
                        f,
                        "; the compiler in use stays until another is selected: gcc-config --list-profiles"
                    )?;
                }
                Ok(())
            }
            Self::Targets { variable, new, gone } => {
                let signed = |sign: char, words: &[String]| {
                    words.iter().map(|word| format!("{sign}{word}")).collect::<Vec<_>>()
                };
                let words = [signed('+', new), signed('-', gone)].concat();
                write!(f, "{variable} changed: {}", words.join(" "))
            }
        }
    }
}

/// A package that is still built against something that is no longer there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    /// The package.
    pub package: Cpv,
    /// Whatever version there is for its slot, as an atom.
    pub atom: String,
    /// When it was built, in seconds since 1970.
    pub built: Option<i64>,
    /// How that is known.
    pub proof: Proof,
}

impl Stale {
    /// Whether it is the same package for the same reason, built then or now.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        self.package == other.package && self.proof == other.proof
    }
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.package, self.proof)
    }
}

/// How it is known that a package has to be rebuilt. The text goes on after the name of the package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// A dependency with `:=` is bound to a sub-slot that is not installed. Portage sees to that, but only
    /// where what it was asked to build leads to the package.
    Bound {
        /// The dependency, as `category/package:slot`.
        to: String,
        /// The sub-slot it is bound to.
        old: String,
        /// The one that is installed.
        new: String,
    },
    /// It has modules where only an older Perl looks for them.
    Modules {
        /// The directory.
        directory: String,
        /// The sub-slot of the Perl that is installed.
        perl: String,
    },
    /// It has files in a directory that is named after a version of what it depends on, and that is not installed.
    Directory {
        /// The directory.
        directory: String,
        /// The package that it is of, as it is installed.
        of: Cpv,
        /// Where that one is now.
        instead: String,
    },
    /// It links to a library that no package brings, and another version of that library is there.
    Library {
        /// The soname.
        soname: String,
        /// Those that are there.
        instead: Vec<String>,
    },
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bound { to, old, new } => {
                write!(f, "was built against {to}/{old}, which is {to}/{new} now")
            }
            Self::Modules { directory, perl } => {
                write!(f, "has modules in {directory}, where Perl {perl} does not look for them")
            }
            Self::Directory { directory, of, instead } => {
                write!(f, "has files in {directory}, while {of} has {instead}")
            }
            Self::Library { soname, instead } => {
                write!(f, "links to {soname}, which now exists only as {}", instead.join(", "))
            }
        }
    }
}
