//! Takes the files of a repository into its store.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufWriter, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::store::{NewFile, Store};
use super::{Error, at};
use crate::beneath::{self, Beneath};
use crate::git::{Entry, Id, Kind, Mode, Pack, tree};

/// No file of a repository is that long.
const LONGEST: u64 = 64 << 20;
/// No repository is that deep.
const DEPTH: usize = 32;
/// What is kept free for the packages, which come first.
const RESERVE: u64 = 256 << 20;
/// After so many bytes it is looked again whether there is room.
const STEP: u64 = 8 << 20;
/// What may lie in a repository and is none of it: `PORTAGE_RSYNC_OPTS` of Portage names the same, and a client without git has the last.
const NOT_OF_IT: [&str; 5] = ["distfiles", "local", "packages", "lost+found", ".gbsup-commit"];

/// Takes the files below a directory as they are; their tree. What the store has already costs nothing more.
///
/// # Errors
/// When something cannot be read or written, or there is too little room. Clients then see what they saw before.
pub(crate) fn gather(
    store: &Store,
    location: &Path,
    free: impl Fn() -> u64,
    stopped: impl FnMut() -> bool,
) -> Result<Id, Error> {
    let place = Beneath::open(location).map_err(at(location))?;
    store.prepare()?;
    let packs = store.packs();
    let (new, file) = NewFile::in_store(store)?;
    let pack = Pack::begin(BufWriter::new(file)).map_err(at(new.path()))?;
    let known = Store::objects(&packs);
    let mut gathering =
        Gathering { place: &place, known, pack, path: new.path().to_owned(), looked: 0, free, stopped };
    gathering.look()?;
    let root = gathering.directory(Path::new("."), 0)?;
    let root = root.ok_or_else(|| Error::Empty(location.to_owned()))?;
    let count = gathering.pack.count();
    let (_, packed) = gathering.pack.end().map_err(at(new.path()))?;
    if count > 0 {
        let name = store.adopt(&new, packed)?;
        let mut names: Vec<String> = packs.into_iter().map(|pack| pack.name).collect();
        names.retain(|other| *other != name);
        names.push(name);
        store.tell(&names)?;
    }
    Ok(root)
}

struct Gathering<'a, F, S> {
    place: &'a Beneath,
    /// What needs no further copy.
    known: HashSet<Id>,
    pack: Pack<BufWriter<File>>,
    path: PathBuf,
    /// How long the pack was when it was last looked whether there is room.
    looked: u64,
    free: F,
    stopped: S,
}

impl<F: Fn() -> u64, S: FnMut() -> bool> Gathering<'_, F, S> {
    /// What is in a directory; nothing when that are only directories that are empty.
    fn directory(&mut self, path: &Path, depth: usize) -> Result<Option<Id>, Error> {
        if (self.stopped)() {
            return Err(Error::Stopped);
        }
        let whole = |path: &Path| self.place.path().join(path);
        let mut entries = Vec::new();
        for entry in self.place.list(path).map_err(at(whole(path)))? {
            let name = entry.path.file_name().unwrap_or_default();
            if is_of_git(name) || depth == 0 && NOT_OF_IT.iter().any(|other| *other == name) {
                continue;
            }
            let found = match entry.kind {
                beneath::Kind::File => Some(self.file(&entry.path)?),
                beneath::Kind::Directory if depth < DEPTH => {
                    self.directory(&entry.path, depth + 1)?.map(|id| (Mode::Tree, id))
                }
                // What is neither is nothing that git knows.
                beneath::Kind::Directory | beneath::Kind::Other => match self.place.link(&entry.path) {
                    Ok(target) => {
                        let target = target.as_os_str().as_bytes();
                        Some((Mode::Link, self.add(Kind::Blob, target)?))
                    }
                    Err(_) => None,
                },
            };
            entries.extend(found.map(|(mode, id)| Entry { mode, name: name.as_bytes().to_vec(), id }));
        }
        if entries.is_empty() {
            return Ok(None);
        }
        self.add(Kind::Tree, &tree(entries)).map(Some)
    }

    fn file(&mut self, path: &Path) -> Result<(Mode, Id), Error> {
        let whole = self.place.path().join(path);
        let opened = self.place.file(path).and_then(|file| Ok((file.metadata()?.permissions().mode(), file)));
        let (mode, file) = opened.map_err(at(&whole))?;
        let mut content = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut content).map_err(at(&whole))?;
        if content.len() as u64 > LONGEST {
            return Err(Error::TooLong(whole));
        }
        let mode = if mode & 0o100 == 0 { Mode::File } else { Mode::Executable };
        Ok((mode, self.add(Kind::Blob, &content)?))
    }

    fn add(&mut self, kind: Kind, content: &[u8]) -> Result<Id, Error> {
        let id = Id::of(kind, content);
        if self.known.insert(id) {
            self.pack.add(kind, id, content).map_err(at(&self.path))?;
            if self.pack.size() >= self.looked + STEP {
                self.look()?;
            }
        }
        Ok(id)
    }

    /// Whether there is still room.
    fn look(&mut self) -> Result<(), Error> {
        self.looked = self.pack.size();
        if (self.free)() < RESERVE { Err(Error::NoRoom(RESERVE >> 20)) } else { Ok(()) }
    }
}

/// What git keeps for itself, and checks out of no tree, by its name on any file system.
fn is_of_git(name: &OsStr) -> bool {
    name.eq_ignore_ascii_case(".git") || name.eq_ignore_ascii_case("git~1")
}
