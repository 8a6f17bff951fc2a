//! Reads a package to its last byte.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use tar::{Archive, Entry};

use super::bounds::Allowed;
use super::digests::{Member, Tee, Whole};
use super::members::{Damage, ENDING, Members, members};
use crate::portage::output::gpg::Doubt;

/// A longer signature is none, in bytes: that of a key of 16384 bits has 3 KiB in ASCII armour.
const LONGEST: u64 = 16 << 10;

/// A package that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// What the package index ought to say of it.
    pub whole: Whole,
    /// It has signatures, good or bad.
    pub is_signed: bool,
}

/// Checks one package to its last byte; `size` is the length of the file. Signatures are not looked at.
///
/// # Errors
/// As for [`check`](super::check).
pub fn verify<R: Read>(reader: R, size: u64) -> Result<Sound, Damage> {
    read(reader, size)?.verify()
}

/// What a package is, read to its last byte. Whether that is as it should be is not judged: so it can be read where nobody knows of keys.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reading {
    pub(super) members: Members,
    pub(super) whole: Whole,
    /// What else is needed where there are signatures.
    pub(super) parts: Parts,
}

/// Reads a package to its last byte; `size` is the length of the file.
///
/// # Errors
/// As for [`check`](super::check), but for members that are not what the Manifest says.
pub fn read<R: Read>(reader: R, size: u64) -> Result<Reading, Damage> {
    if size == 0 {
        return Err(Damage::Empty);
    }
    let left = Cell::new(None);
    let mut parts = Parts::default();
    let mut archive = Archive::new(Allowed::new(Tee::new(reader), &left));
    let members = members(archive.entries()?, size, &left, |entry| parts.take(entry).map(Some))?;
    // Behind the last member there is padding, which the digests of the whole file cover.
    let whole = archive.into_inner().into_inner().finish()?;
    Ok(Reading { members, whole, parts })
}

impl Reading {
    /// Whether it is all that its Manifest says. Signatures are not looked at.
    ///
    /// # Errors
    /// As for [`check`](super::check).
    pub fn verify(self) -> Result<Sound, Damage> {
        self.members.compare()?;
        Ok(Sound { is_signed: self.members.are_signed(), whole: self.whole })
    }
}

/// What has to be looked at a second time.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Parts {
    places: BTreeMap<String, Place>,
    /// The signatures, by the names of what they sign.
    signatures: BTreeMap<String, Vec<u8>>,
}

/// Where the data of a member is in the file.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) start: u64,
    pub(super) length: u64,
}

impl Parts {
    /// Reads a member.
    fn take<R: Read>(&mut self, entry: &mut Entry<R>) -> io::Result<Member> {
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = path.rsplit('/').next().unwrap_or_default();
        let Some(of) = name.strip_suffix(ENDING) else {
            let place = Place { start: entry.raw_file_position(), length: entry.size() };
            self.places.insert(name.to_owned(), place);
            return Member::read(entry);
        };
        if entry.size() > LONGEST {
            let what = format!("{name} is longer than any signature");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let mut signature = Vec::new();
        entry.read_to_end(&mut signature)?;
        let member = Member::read(&signature[..])?;
        self.signatures.insert(of.to_owned(), signature);
        Ok(member)
    }

    /// Each member that has to be signed, and its signature.
    pub(super) fn pairs(&self, members: &Members) -> Result<Vec<(Place, &[u8])>, Damage> {
        let names = members.found.keys();
        let signed = names.filter(|name| *name != "gpkg-1" && !name.ends_with(ENDING));
        let pair = |name| Some((*self.places.get(name)?, self.signatures.get(name)?.as_slice()));
        signed.map(|name| pair(name).ok_or(Damage::Signature(Doubt::Unsigned))).collect()
    }
}
