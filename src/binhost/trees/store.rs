//! The objects of one repository.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::{Error, at};
use crate::git::{Id, Index, Packed, seal};

/// Where the repositories are, beside the releases.
pub(super) const TREES: &str = "tree";
/// What clients are sent that have the commit before, below the repository.
const STEPS: &str = "steps";
/// The same for a server of plain files.
const BUNDLES: &str = "bundles";
/// What a file is called as long as it is being written.
const NEW: &str = ".new";

/// An object as it is packed, after its name and that of its base.
pub(super) type Object = (Id, Option<Id>, Vec<u8>);

/// The objects of one repository.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    place: PathBuf,
}

/// A pack of a store, with its index.
#[derive(Debug)]
pub(super) struct Pack {
    /// The sum by which it is named, in hexadecimal digits.
    pub(super) name: String,
    pub(super) index: Index,
    /// Bytes of the pack.
    pub(super) size: u64,
}

impl Store {
    /// That of the repository of this name, beside the releases in this directory.
    pub(crate) fn of(releases: &Path, name: &str) -> Self {
        Self { place: releases.join(TREES).join(format!("{name}.git")) }
    }

    /// The names of those that there are.
    pub(crate) fn names(releases: &Path) -> Vec<String> {
        let entries = fs::read_dir(releases.join(TREES)).into_iter().flatten().flatten();
        let name = |entry: fs::DirEntry| Some(entry.file_name().to_str()?.strip_suffix(".git")?.to_owned());
        entries.filter_map(name).collect()
    }

    /// Removes it.
    ///
    /// # Errors
    /// When the system does not let it go.
    pub(crate) fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.place)
    }

    pub(super) fn packs_in(&self) -> PathBuf {
        self.place.join("objects/pack")
    }

    fn list(&self) -> PathBuf {
        self.place.join("objects/info/packs")
    }

    /// A file of a pack.
    pub(super) fn of_pack(&self, name: &str, end: &str) -> PathBuf {
        self.packs_in().join(format!("pack-{name}.{end}"))
    }

    /// The file of an object that is in none.
    pub(super) fn loose(&self, id: Id) -> PathBuf {
        let name = id.to_string();
        let (start, rest) = name.split_at(2);
        self.place.join("objects").join(start).join(rest)
    }

    /// What clients are sent that have the commit before.
    pub(crate) fn steps(&self) -> PathBuf {
        self.place.join(STEPS)
    }

    /// The same, as bundles.
    pub(crate) fn bundles(&self) -> PathBuf {
        self.place.join(BUNDLES)
    }

    pub(crate) fn step(&self, old: Id, new: Id) -> PathBuf {
        self.steps().join(format!("{old}-{new}"))
    }

    /// The directories of objects that are in no pack.
    pub(super) fn loose_in(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.place.join("objects")).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().len() == 2).map(|entry| entry.path()).collect()
    }

    /// Makes its directories.
    pub(super) fn prepare(&self) -> Result<(), Error> {
        for directory in [self.packs_in(), self.place.join("objects/info")] {
            make(&directory)?;
        }
        Ok(())
    }

    /// The names of the packs that clients are told of, the oldest first.
    pub(super) fn told(&self) -> Vec<String> {
        let text = fs::read_to_string(self.list()).unwrap_or_default();
        let name = |line: &str| line.strip_prefix("P pack-")?.strip_suffix(".pack").map(str::to_owned);
        text.lines().filter_map(name).filter(|name| name.parse::<Id>().is_ok()).collect()
    }

    /// Those packs. One that is damaged is none: what was in it is written anew when it is
    /// needed.
    pub(super) fn packs(&self) -> Vec<Pack> {
        let pack = |name: String| {
            let index = Index::read(&fs::read(self.of_pack(&name, "idx")).ok()?)?;
            let mut file = File::open(self.of_pack(&name, "pack")).ok()?;
            let mut sum = [0; 20];
            file.seek(SeekFrom::End(-20)).ok()?;
            file.read_exact(&mut sum).ok()?;
            let size = file.stream_position().ok()?;
            (sum == index.sum).then_some(Pack { name, index, size })
        };
        self.told().into_iter().filter_map(pack).collect()
    }

    /// Tells clients of exactly these packs.
    pub(super) fn tell(&self, names: &[String]) -> Result<(), Error> {
        let text = names.iter().fold(String::new(), |text, name| text + "P pack-" + name + ".pack\n");
        write(&self.list(), text.as_bytes())
    }

    /// Every object that is in these packs.
    pub(super) fn objects(packs: &[Pack]) -> HashSet<Id> {
        packs.iter().flat_map(|pack| pack.index.ids()).collect()
    }

    /// Those of some objects that are there.
    pub(crate) fn present(&self, mut ids: Vec<Id>) -> Vec<Id> {
        let packs = self.packs();
        ids.retain(|id| packs.iter().any(|pack| pack.index.place(*id, pack.size).is_some()));
        ids
    }

    /// Whether an object is there.
    pub(crate) fn has(&self, id: Id) -> bool {
        !self.present(vec![id]).is_empty()
    }

    /// Gives a finished pack its name, which it returns. Clients are not told of it yet.
    pub(super) fn adopt(&self, new: &NewFile, packed: Vec<Packed>) -> Result<String, Error> {
        let open = || File::options().read(true).write(true).open(&new.path);
        let index = open().and_then(|mut file| seal(&mut file, packed)).map_err(at(&new.path))?;
        let Some(read) = Index::read(&index) else {
            return Err(at(&new.path)(io::ErrorKind::InvalidData.into()));
        };
        let name = Id(read.sum).to_string();
        let path = self.of_pack(&name, "pack");
        fs::rename(&new.path, &path).map_err(at(&path))?;
        write(&self.of_pack(&name, "idx"), &index)?;
        drop(fs::remove_file(self.of_pack(&name, "retired")));
        Ok(name)
    }
}

/// A pack that is being written; it goes with the value, unless it was given a name.
#[derive(Debug)]
pub(super) struct NewFile {
    path: PathBuf,
}

impl NewFile {
    pub(super) fn in_store(store: &Store) -> Result<(Self, File), Error> {
        let path = store.packs_in().join(NEW);
        let file = File::create(&path).map_err(at(&path))?;
        Ok((Self { path }, file))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

/// A directory that servers may read, with all above it.
pub(super) fn make(directory: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(directory).map_err(at(directory))
}

/// Writes a file that is whole at any instant. It is on the disk before a release is switched to that needs it.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let new = path.with_file_name(NEW);
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        fs::rename(&new, path)
    });
    if written.is_err() {
        drop(fs::remove_file(&new));
    }
    written.map_err(at(path))
}
