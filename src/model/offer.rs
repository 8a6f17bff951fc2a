//! What clients are to be offered: the outcome of the audit, and all that a publisher goes by.
//!
//! It is on the volume (`state/offer.json`), since a publisher may work in another container, which has neither
//! the ebuild repositories nor what is installed here.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::portage::names::cpv::Cpv;

/// What the audit found good, and what not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The version of this format, [`Offer::SCHEMA`].
    pub schema: u32,
    /// When the audit was done.
    pub made: Timestamp,
    /// The cycle that did it; absent when a person asked for it.
    pub cycle: Option<u64>,
    /// One instance for each package and slot, in the order of the index; behind them those that clients want with other flags.
    pub packages: Vec<Offered>,
    /// What clients are not offered, and why.
    pub held: Vec<Held>,
}

impl Offer {
    /// The version of the format.
    pub const SCHEMA: u32 = 1;
}

/// A binary package that is offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// Which.
    pub cpv: Cpv,
    /// Its slot, without the sub-slot.
    pub slot: String,
    /// Its file below PKGDIR.
    pub path: String,
    /// The size of the file in bytes.
    pub size: u64,
    /// The digest of the file that the audit read, in hexadecimal digits.
    pub sha1: String,
    /// The flags by which it is other than the common build of this version, for clients that want it so: `-bar foo`; absent for that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
}

/// A package that is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The newest build of it that there is.
    pub cpv: Cpv,
    /// Its slot, without the sub-slot.
    pub slot: String,
    /// What is wrong with it.
    pub why: Why,
    /// The same in words that follow the package's name, for people.
    pub what: String,
}

/// Why a package is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "about")]
pub enum Why {
    /// Its file is damaged, missing, or not the one that the index describes.
    File,
    /// It needs something that nothing offers: an atom of its dependencies.
    Missing(String),
    /// It needs a library that nothing offers: a soname.
    Soname(String),
    /// It needs a package that is held back itself.
    Needs(Cpv),
    /// Its licence or its RESTRICT forbid to hand it on, and the binhost is a public one.
    Licence,
}

/// An installed package of which a new build may be better than those there are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Broken {
    /// The package.
    pub package: Cpv,
    /// Its slot, without the sub-slot.
    pub slot: String,
    /// What is wrong, in words that follow its name.
    pub what: String,
    /// What is incomplete without it, where that is the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needed_by: Vec<Cpv>,
}

impl Broken {
    /// Whether another one is the same trouble, whoever suffers from it by now.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (&self.package, &self.slot, &self.what) == (&other.package, &other.slot, &other.what)
    }
}

/// `media-libs/libpng-1.6.40 is damaged: ...`, `sys-libs/zlib-1.3 has no binary package, and app-misc/a-1 needs it`
impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.package, self.what)?;
        let (named, rest) = self.needed_by.split_at(self.needed_by.len().min(NAMED));
        let named: Vec<String> = named.iter().map(ToString::to_string).collect();
        match (named.as_slice(), rest.len()) {
            ([], _) => Ok(()),
            ([one], 0) => write!(f, ", and {one} needs it"),
            ([first @ .., last], 0) => write!(f, ", and {} and {last} need it", first.join(", ")),
            (named, more) => write!(f, ", and {} and {more} more need it", named.join(", ")),
        }
    }
}

/// So many of those that need something are named in a sentence.
const NAMED: usize = 8;

impl Broken {
    /// What it lacks, as an atom, where that is what is wrong with it.
    pub(crate) fn lacks(&self) -> Option<&str> {
        self.what.strip_prefix(NEEDS)?.strip_suffix(NOT_OFFERED)
    }
}

/// What stands around what a package lacks.
pub(crate) const NEEDS: &str = "needs ";

pub(crate) const NOT_OFFERED: &str = ", which nothing offers";
