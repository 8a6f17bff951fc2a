//! What emerge would do, and why. [`Reader`] makes it from what emerge prints.

mod reader;

use serde::{Deserialize, Serialize};

use crate::portage::names::cpv::Cpv;

pub(super) use reader::listed;
pub use reader::{Reader, Unread};

/// What emerge would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What it would merge, in an order in which that is possible.
    pub packages: Vec<Planned>,
    /// What it would remove because it stands in the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Cpv>,
}

/// One package to merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The package.
    pub cpv: Cpv,
    /// Its slot.
    pub slot: String,
    /// Its sub-slot; the slot again where it has none.
    pub sub_slot: String,
    /// The repository it comes from.
    pub repo: String,
    /// Taken from a binary package, not built.
    pub binary: bool,
    /// What happens to it.
    pub action: Action,
    /// The installed versions it replaces, or those that stay beside it in other slots.
    pub old: Vec<String>,
    /// USE flags that are not as in the installed version, marked as emerge(1) marks them: `doc*`
    /// another state, `doc%` new, `(-doc%*)` gone. Expanded ones have their whole name.
    pub use_changes: Vec<String>,
    /// Why, the most telling reason first.
    pub why: Vec<Reason>,
    /// Bytes to download, as Portage rounds them up to whole KiB.
    pub download: u64,
    /// The USE flags it is merged with, as Portage shows them without its marks: `doc`, `-test`.
    #[serde(default)]
    pub flags: Vec<String>,
    /// A digest of what a build of it is made from: the ebuild and what belongs to it, the flags, and the
    /// settings that reach it. Empty where that was not looked up.
    #[serde(default)]
    pub inputs: String,
}

/// What happens to a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// No version of it is installed.
    New,
    /// Others are installed, in other slots.
    NewSlot,
    /// A newer version takes the place of an older one.
    Update,
    /// An older version takes the place of a newer one.
    Downgrade,
    /// The same version again.
    Reinstall,
    /// The same version again, because a package it was built against changes its slot or sub-slot.
    Rebuild,
}

/// Why a package is merged, or why it is built although there is a binary package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    /// The slot or sub-slot of these packages changes.
    SlotRebuild {
        /// Who causes it; empty where Portage does not tell.
        because: Vec<Cpv>,
    },
    /// Its own slot or sub-slot changes without its version.
    SlotChanged {
        /// The slot and sub-slot of what is installed: `0/1`.
        from: String,
    },
    /// The state of [`Planned::use_changes`] is another one than that of what is installed.
    UseChanged,
    /// It is installed, and there is a binary package of it, but the ebuild names other dependencies
    /// than one of the two was built with.
    DependenciesChanged,
    /// It is installed as it should be, but there is no binary package of it.
    NoBinary,
    /// Built, because its binary package was built with other USE flags than are wanted.
    BinaryUse {
        /// The flags that differ, as the binary package has them: `doc`, `-doc`.
        flags: Vec<String>,
    },
    /// Built, although there is a binary package of it with the right USE flags: it was built with
    /// other dependencies or for another slot, or the options exclude it.
    BinaryUnfit,
    /// Another package needs it.
    NeededBy {
        /// Who, who needs that one in turn, and so on.
        packages: Vec<Cpv>,
    },
    /// Nothing that Portage shows needs it: the targets name it.
    Target,
}

/// Packages counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// To merge.
    pub packages: u64,
    /// Of those, built from source.
    pub source: u64,
    /// Of those, taken from a binary package.
    pub binary: u64,
    /// Bytes to download.
    pub download: u64,
}

impl Plan {
    /// How much it is.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.packages.iter().fold(Totals::default(), |sum, package| Totals {
            packages: sum.packages + 1,
            source: sum.source + u64::from(!package.binary),
            binary: sum.binary + u64::from(package.binary),
            download: sum.download.saturating_add(package.download),
        })
    }

    /// The packages that a person may call so, see [`Cpv::is_called`].
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Planned> {
        self.packages.iter().filter(move |package| package.cpv.is_called(name))
    }
}
