//! The members of a package, and what its Manifest says of them.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek};

use serde::{Deserialize, Serialize};
use tar::{Archive, Entries, Entry};

use super::bounds::{self, Allowed};
use super::digests::Member;
use crate::portage::output::gpg::Doubt;

/// How the name of a signature ends.
pub(super) const ENDING: &str = ".sig";

/// What is wrong with a file. The text is what the operator reads after its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Damage {
    /// Nothing was written into the reserved name.
    #[error("it is empty")]
    Empty,
    /// The tar ends too early or is none.
    #[error("it is cut short or not a tar file: {0}")]
    Unreadable(String),
    /// A member's data would lie beyond the end of the file.
    #[error("it is cut short: {0} is incomplete")]
    CutShort(String),
    /// Not exactly one directory level, the same for all, or one name twice.
    #[error("it is not laid out like a binary package: {0}")]
    Layout(String),
    /// A part that every package has is not there.
    #[error("it has no {0}")]
    Missing(Cow<'static, str>),
    /// A member and the Manifest do not agree.
    #[error("{0} is not what its Manifest says")]
    Mismatch(String),
    /// It is whole; Portage packed it without BINPKG_COMPRESS, and reads such with the same setting alone.
    #[error(
        "it was packed without compression (BINPKG_COMPRESS=none), and only a Portage with the same setting can read it"
    )]
    Uncompressed,
    /// Whoever reads it comes to the end of what a reader may take.
    #[error("reading it takes more memory or processor time than any package does")]
    Demanding,
    /// It is whole, but its signature does not show that it comes from whom it should.
    #[error("{0}")]
    #[serde(skip)]
    Signature(Doubt),
}

impl From<io::Error> for Damage {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl Damage {
    /// What is told of a file, in words that follow its name. Only what is not whole is called damaged.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Uncompressed => format!("is whole, but {self}"),
            Self::Signature(doubt) => format!("cannot be trusted: {doubt}"),
            Self::Demanding => format!("is too demanding: {self}"),
            _ => format!("is damaged: {self}"),
        }
    }
}

/// More members, or a longer Manifest, than any package has.
const MAX_MEMBERS: usize = 64;
const MAX_MANIFEST: u64 = 256 << 10;

/// Checks structure and sizes of one package; `size` is the length of the file.
///
/// # Errors
/// The first [`Damage`] found. An error of the reader counts as damage, too.
pub fn check<R: Read + Seek>(reader: R, size: u64) -> Result<(), Damage> {
    if size == 0 {
        return Err(Damage::Empty);
    }
    let left = Cell::new(None);
    let mut archive = Archive::new(Allowed::new(reader, &left));
    members(archive.entries_with_seek()?, size, &left, |_| Ok(None))?.compare()
}

/// The names of its members, such as `image.tar.zst`; `size` is the length of the file.
///
/// # Errors
/// As for [`check`].
pub fn names<R: Read + Seek>(reader: R, size: u64) -> Result<Vec<String>, Damage> {
    let left = Cell::new(None);
    let mut archive = Archive::new(Allowed::new(reader, &left));
    Ok(members(archive.entries_with_seek()?, size, &left, |_| Ok(None))?.found.into_keys().collect())
}

/// What the members of a package are, and what its Manifest says that they are.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Members {
    /// By their names: how long they are, and their digests where those were worked out.
    pub(super) found: BTreeMap<String, (u64, Option<Member>)>,
    pub(super) manifest: String,
}

/// Goes through the members. `digest` reads their data, of all or of none; `left` is what [`Allowed`] goes by.
pub(super) fn members<'a, R: Read + 'a>(
    mut entries: Entries<'a, R>,
    size: u64,
    left: &Cell<Option<u64>>,
    mut digest: impl FnMut(&mut Entry<'a, R>) -> io::Result<Option<Member>>,
) -> Result<Members, Damage> {
    let mut prefix: Option<String> = None;
    let mut found = BTreeMap::new();
    let mut manifest = None;
    while let Some(entry) = bounds::next(&mut entries, left, 0) {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some((directory, name)) = path.split_once('/').filter(|(d, n)| !d.is_empty() && !n.contains('/'))
        else {
            return Err(Damage::Layout(path));
        };
        if prefix.get_or_insert_with(|| directory.to_owned()) != directory || found.len() >= MAX_MEMBERS {
            return Err(Damage::Layout(path));
        }
        let length = entry.size();
        if entry.raw_file_position().saturating_add(length) > size {
            return Err(Damage::CutShort(name.to_owned()));
        }
        let digests = if name == "Manifest" {
            if length > MAX_MANIFEST {
                return Err(Damage::Layout("its Manifest is longer than that of any package".to_owned()));
            }
            let mut text = Vec::new();
            entry.read_to_end(&mut text)?;
            manifest = Some(String::from_utf8_lossy(&text).into_owned());
            None
        } else {
            digest(&mut entry)?
        };
        if found.insert(name.to_owned(), (length, digests)).is_some() {
            return Err(Damage::Layout(format!("{name} twice")));
        }
    }
    found.remove("Manifest");
    let manifest = manifest.ok_or(Damage::Missing("Manifest".into()))?;
    for (part, start) in [("gpkg-1", "gpkg-1"), ("metadata", "metadata.tar"), ("image", "image.tar")] {
        if !found.keys().any(|name| name.starts_with(start)) {
            return Err(Damage::Missing(part.into()));
        }
    }
    Ok(Members { found, manifest })
}

impl Members {
    /// Whether there is any signature; then Portage wants one of everything.
    pub(super) fn are_signed(&self) -> bool {
        self.manifest.contains("-----BEGIN PGP SIGNATURE-----")
            || self.found.keys().any(|name| name.ends_with(ENDING))
    }

    /// Every member is listed as it is, and every listed file is a member.
    pub(super) fn compare(&self) -> Result<(), Damage> {
        let mut listed = BTreeMap::new();
        for line in self.manifest.lines() {
            let mut words = line.split_whitespace();
            // A signed Manifest has lines of the signature around these.
            if words.next() != Some("DATA") {
                continue;
            }
            if let (Some(name), Some(Ok(size))) = (words.next(), words.next().map(str::parse::<u64>)) {
                listed.insert(name, (size, words));
            }
        }
        for (name, (size, digests)) in &self.found {
            let is_it = listed.remove(name.as_str()).is_some_and(|(listed, words)| {
                listed == *size && digests.as_ref().is_none_or(|digests| digests.are(words))
            });
            if !is_it {
                return Err(Damage::Mismatch(name.clone()));
            }
        }
        if let Some(name) = listed.keys().next() {
            return Err(Damage::Mismatch((*name).to_owned()));
        }
        // Only of what is whole it is the setting that is at fault.
        let is_plain = ["metadata.tar", "image.tar"].iter().any(|name| self.found.contains_key(*name));
        if is_plain { Err(Damage::Uncompressed) } else { Ok(()) }
    }
}
