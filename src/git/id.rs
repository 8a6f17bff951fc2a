//! The names of objects.

use std::fmt;
use std::str::FromStr;

use sha1::{Digest, Sha1};

/// The name of an object: the SHA-1 of what it is and of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id(pub [u8; 20]);

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A tree as it was at some time, and where it came from.
    Commit,
    /// The names in a directory.
    Tree,
    /// The content of a file, or what a link says.
    Blob,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
        }
    }

    pub(super) fn number(self) -> u8 {
        match self {
            Self::Commit => 1,
            Self::Tree => 2,
            Self::Blob => 3,
        }
    }

    pub(super) fn of_number(number: u8) -> Option<Self> {
        [Self::Commit, Self::Tree, Self::Blob].into_iter().find(|kind| kind.number() == number)
    }
}

impl Id {
    /// That of an object.
    pub(crate) fn of(kind: Kind, content: &[u8]) -> Self {
        let head = format!("{} {}\0", kind.word(), content.len());
        Self(Sha1::new().chain_update(head).chain_update(content).finalize().into())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What is no name of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAnId;

impl FromStr for Id {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let digits = text.as_bytes();
        if digits.len() != 40 || !digits.iter().all(|digit| b"0123456789abcdef".contains(digit)) {
            return Err(NotAnId);
        }
        let mut id = [0; 20];
        for (byte, pair) in id.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| NotAnId)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NotAnId)?;
        }
        Ok(Self(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_git() {
        // git hash-object -t blob /dev/null; git hash-object -t tree /dev/null
        for (kind, content, name) in [
            (Kind::Blob, &b""[..], "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
            (Kind::Tree, b"", "4b825dc642cb6eb9a060e54bf8d69288fbee4904"),
            (Kind::Blob, b"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
        ] {
            assert_eq!(Id::of(kind, content).to_string(), name);
            assert_eq!(name.parse(), Ok(Id::of(kind, content)));
        }
        for text in ["", "e69de29b", "E69DE29BB2D1D6434B8B29AE775AD8C2E48C5391", &"é".repeat(20)] {
            assert_eq!(text.parse::<Id>(), Err(NotAnId), "{text}");
        }
    }
}
