//! Reads what is in the packs of a store.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::store::{Pack as Known, Store};
use super::{Error, at};
use crate::git::{Entry, Id, Kind, tree_entries, unpack};

/// Reads objects as they are packed.
pub(super) struct Reader<'a> {
    packs: Vec<(&'a Known, File)>,
}

impl<'a> Reader<'a> {
    pub(super) fn open(store: &Store, packs: impl Iterator<Item = &'a Known>) -> Result<Self, Error> {
        let open = |pack: &'a Known| {
            let path = store.of_pack(&pack.name, "pack");
            File::open(&path).map(|file| (pack, file)).map_err(at(path))
        };
        Ok(Self { packs: packs.map(open).collect::<Result<_, _>>()? })
    }

    pub(super) fn raw(&self, id: Id) -> Result<Vec<u8>, Error> {
        let found = self.packs.iter().find_map(|(pack, file)| Some((file, pack.index.place(id, pack.size)?)));
        let (file, (from, to)) = found.ok_or(Error::Lost(id))?;
        let mut raw = vec![0; usize::try_from(to - from).map_err(|_| Error::Lost(id))?];
        file.read_exact_at(&mut raw, from).map_err(|_| Error::Lost(id))?;
        Ok(raw)
    }

    /// What an object is.
    pub(super) fn content(&self, id: Id) -> Result<(Kind, Vec<u8>), Error> {
        unpack(&self.raw(id)?).ok_or(Error::Lost(id))
    }
}

/// What is in a tree as it is packed.
pub(super) fn entries(raw: &[u8]) -> Option<Vec<Entry>> {
    match unpack(raw)? {
        (Kind::Tree, content) => tree_entries(&content),
        _ => None,
    }
}
