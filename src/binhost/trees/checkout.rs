//! Brings a tree of a store back as files.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Component, Path};

use super::reader::Reader;
use super::store::Store;
use super::{Error, at};
use crate::git::{Id, Kind, Mode, tree_entries};

/// Writes the files of a tree into a directory that is not there yet, for anybody to read.
///
/// # Errors
/// When something is not in the store any more, cannot be written, or it was told to stop. What was written until then stays.
pub(crate) fn checkout(
    store: &Store,
    tree: Id,
    to: &Path,
    mut stopped: impl FnMut() -> bool,
) -> Result<(), Error> {
    let packs = store.packs();
    let reader = Reader::open(store, packs.iter())?;
    let mut left = vec![(tree, to.to_owned())];
    while let Some((id, directory)) = left.pop() {
        if stopped() {
            return Err(Error::Stopped);
        }
        DirBuilder::new().mode(0o755).create(&directory).map_err(at(&directory))?;
        let (kind, content) = reader.content(id)?;
        let entries = tree_entries(&content).filter(|_| kind == Kind::Tree).ok_or(Error::Lost(id))?;
        for entry in entries {
            let name = Path::new(OsStr::from_bytes(&entry.name));
            // It was a name in a directory once.
            if !matches!(name.components().collect::<Vec<_>>()[..], [Component::Normal(only)] if only == name)
            {
                return Err(Error::Lost(id));
            }
            let path = directory.join(name);
            if entry.mode == Mode::Tree {
                left.push((entry.id, path));
                continue;
            }
            let (_, content) = reader.content(entry.id)?;
            let written = match entry.mode {
                Mode::Link => symlink(OsStr::from_bytes(&content), &path),
                Mode::Executable => file(&path, &content, 0o755),
                Mode::File | Mode::Tree => file(&path, &content, 0o644),
            };
            written.map_err(at(path))?;
        }
    }
    Ok(())
}

fn file(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    File::options().write(true).create_new(true).mode(mode).open(path)?.write_all(content)
}
