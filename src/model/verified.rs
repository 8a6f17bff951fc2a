//! What looking into the binary packages found.

use serde::Serialize;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Packages in the index.
    pub packages: usize,
    /// How many of them were read.
    pub read: usize,
    /// How many bytes that were.
    pub bytes: u64,
    /// What is wrong, in the order of the index.
    pub findings: Vec<Finding>,
    /// That there are signatures which were not checked, and why, in one sentence.
    pub unchecked: Option<String>,
}

/// Something wrong with one package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Below PKGDIR.
    pub path: String,
    /// What it is about.
    pub kind: Kind,
    /// What is wrong, in words that follow the path.
    pub what: String,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The file is damaged.
    Damaged,
    /// The file is not there, or cannot be read.
    Missing,
    /// The file is whole, and the index describes another one.
    Index,
    /// The file is whole, and clients cannot read it.
    Unfit,
    /// The file is whole, and the key that signed it has expired since.
    Key,
    /// The file is whole, and nothing shows that it comes from whom it should.
    Signature,
}
