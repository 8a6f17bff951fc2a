//! A machine that installs what the builder offers, and how a release fits it: `clients/NAME/` on the volume.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::release::Id;
use crate::portage::names::cpv::Cpv;

/// The most bytes of a name, as that of a host has.
const LONGEST: usize = 64;

/// What a client is called: letters, digits, `.`, `_` and `-`, not a dot or a dash in front. So it is the name of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Name(String);

/// A text that is no such name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a name of letters, digits, `.`, `_` and `-`, such as laptop")]
pub struct NotAName;

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let is_one = (1..=LONGEST).contains(&text.len())
            && !text.starts_with(['.', '-'])
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if is_one { Ok(Self(text.to_owned())) } else { Err(NotAName) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl TryFrom<String> for Name {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

/// A client that the builder knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// What it is called.
    pub name: Name,
    /// When its configuration was added.
    pub added: Timestamp,
    /// How the release that it was rehearsed with fits it; absent before that.
    pub fit: Option<Fit>,
}

/// What an update of a client would do with a release: `clients/NAME/fit.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fit {
    /// The version of this format, [`Fit::SCHEMA`].
    pub schema: u32,
    /// The release.
    pub release: Id,
    /// When that was found.
    pub rehearsed: Timestamp,
    /// How many packages it would install as they are offered.
    pub binary: u64,
    /// Those that it would compile.
    pub compile: Vec<Compiled>,
    /// What is otherwise on the client and concerns all packages, a sentence each.
    #[serde(default)]
    pub drift: Vec<String>,
    /// Why nobody knows; absent when it is known.
    pub problem: Option<String>,
}

/// A package that a client would compile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// `category/name-version`.
    pub package: Cpv,
    /// Why, in a few words: `USE -bar`.
    pub why: String,
    /// The line of the client's configuration that is the reason: `package.use/x:1`; absent where no line is.
    pub place: Option<String>,
    /// How long it takes on the builder, in seconds; absent when that is not known.
    pub seconds: Option<u64>,
    /// What to add to the builder's configuration so that it would build this.
    #[serde(default)]
    pub add: Vec<Line>,
    /// The USE flags that are otherwise there, where these alone are the reason; true for one that is on. `clients.build_for` goes by it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: Flags,
}

/// USE flags; true for one that is on.
pub type Flags = BTreeMap<String, bool>;

/// A line for a file of the builder's configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Line {
    /// The file or directory: `/etc/portage/package.use`.
    pub file: String,
    /// What is to be in it.
    pub line: String,
}

impl Client {
    /// Whether nobody knows yet how this release fits it.
    pub(crate) fn is_due(&self, release: Id) -> bool {
        self.fit.as_ref().is_none_or(|fit| fit.release != release)
    }
}

impl Fit {
    /// The version of the format.
    pub const SCHEMA: u32 = 1;

    /// Seconds that all of it takes, and of how many packages that is known.
    #[must_use]
    pub fn seconds(&self) -> (u64, usize) {
        let known = self.compile.iter().filter_map(|compiled| compiled.seconds);
        known.fold((0, 0), |(seconds, packages), more| (seconds + more, packages + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_directory() {
        for good in ["laptop", "a", "desk-1.example.org", "A_b", "7"] {
            assert_eq!(good.parse::<Name>().map(String::from).as_deref(), Ok(good));
        }
        for bad in ["", ".", "..", ".new", "-a", "a/b", "a b", "a\n", "ä", &"a".repeat(65)] {
            assert_eq!(bad.parse::<Name>(), Err(NotAName), "{bad:?}");
        }
    }
}
