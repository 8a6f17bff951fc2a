//! A release: what clients are offered, exactly as it was published, and how two of them differ.
//!
//! It is a directory with an index of its own, and nothing in it is ever changed. `release.json` says what it is;
//! [`Release`] is that file.

mod diff;
mod id;
mod keep;
mod shown;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::offer::Held;
use crate::portage::cpv::Cpv;

pub use diff::{Change, Diff};
pub use id::{Id, NotAnId};
pub use keep::{Turn, retired};
pub use shown::Shown;

/// What `release.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The version of this format, [`Release::SCHEMA`].
    pub schema: u32,
    /// Its name.
    pub id: Id,
    /// When it was made, in whole seconds: the `TIMESTAMP` of its index. Each release has a later one than all before
    /// it, since a client takes an index over only when it is newer than the one it has
    /// (`portage/dbapi/bintree.py:_populate_remote`).
    pub published: Timestamp,
    /// The release whose packages these are, when somebody went back to it.
    #[serde(default)]
    pub again: Option<Id>,
    /// The version of gbsup that made it.
    pub gbsup: String,
    /// How the packages came to be.
    #[serde(flatten)]
    pub origin: Origin,
    /// The packages, in the order of the index.
    pub packages: Vec<Entry>,
    /// What clients are not offered, and why.
    pub held: Vec<Held>,
    /// The index of the packages, plain and compressed.
    pub index: Vec<IndexFile>,
}

impl Release {
    /// The version of the format.
    pub const SCHEMA: u32 = 1;

    /// Bytes of all packages.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.packages.iter().map(|package| package.size).sum()
    }

    /// Whether it offers the same packages, and holds back the same, as one made of these would.
    #[must_use]
    pub fn offers(&self, packages: &[Entry], held: &[Held]) -> bool {
        let same = |ours: &Entry, theirs: &Entry| ours.path == theirs.path && ours.sha1 == theirs.sha1;
        self.packages.len() == packages.len()
            && self.packages.iter().zip(packages).all(|(ours, theirs)| same(ours, theirs))
            && self.held == held
    }
}

/// A package of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which.
    pub cpv: Cpv,
    /// Its slot, without the sub-slot.
    pub slot: String,
    /// The number of its build, where it has one.
    pub build_id: Option<u64>,
    /// Its file below the release, the same as below PKGDIR.
    pub path: String,
    /// The size of the file in bytes.
    pub size: u64,
    /// Digests of the file, in hexadecimal digits.
    pub md5: String,
    /// See there.
    pub sha1: String,
    /// See there.
    pub sha512: String,
    /// Why it was built, in words; absent when the builder does not know.
    #[serde(default)]
    pub why: Option<String>,
}

/// How the packages of a release came to be. On the volume as `state/origin.json`, since a publisher may work
/// where there is no Portage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The cycle that was the last to change something; absent when a person asked.
    #[serde(default)]
    pub cycle: Option<u64>,
    /// The version of Portage.
    #[serde(default)]
    pub portage: Option<String>,
    /// The commits of the ebuild repositories, by their names.
    #[serde(default)]
    pub revisions: BTreeMap<String, String>,
    /// A digest (SHA256) of the configuration that reaches every build: `make.conf`, the profile, `bashrc` and
    /// the environments of packages.
    #[serde(default)]
    pub configuration: Option<String>,
}

/// A file of the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexFile {
    /// `Packages` or `Packages.gz`.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// In hexadecimal digits.
    pub sha512: String,
}

/// The release that is offered, and how it came to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Current {
    /// Its name.
    pub id: Id,
    /// How many packages it has.
    pub packages: u64,
    /// When it was published.
    pub published: Timestamp,
    /// See [`Release::again`].
    pub again: Option<Id>,
}

impl From<&Release> for Current {
    fn from(release: &Release) -> Self {
        let packages = u64::try_from(release.packages.len()).unwrap_or(u64::MAX);
        Self { id: release.id, packages, published: release.published, again: release.again }
    }
}

/// What came of publishing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The release that is offered now.
    pub current: Current,
    /// It was made just now; otherwise it was there and offers the same already.
    pub new: bool,
    /// What changed, in a few words.
    pub changes: String,
    /// How many packages are held back.
    pub held: u64,
}
