//! What clients are to be offered: the outcome of the audit, and all that a publisher goes by.
//!
//! It is on the volume (`state/offer.json`), since a publisher may work in another container, which has neither
//! the ebuild repositories nor what is installed here.

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
    /// One instance for each package and slot, in the order of the index.
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
