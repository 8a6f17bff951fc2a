//! What goes: what a kill left behind, and releases that are too many.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use jiff::Timestamp;

use super::labels::labels;
use super::ledger::{Publisher, turns};
use super::{At, Error, LINK, NEW, OLD, Releases};
use crate::model::release::{Id, retired};

/// A release that may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    /// Which.
    pub id: Id,
    /// Its directory.
    pub path: PathBuf,
    /// Bytes that are freed by that: those of files that are nowhere else.
    pub size: u64,
    /// When it was made.
    pub published: Option<Timestamp>,
}

/// Removes what a kill left behind. Nothing is done while somebody publishes.
pub fn sweep(volume: &Path, now: Timestamp) -> Result<Vec<String>, Error> {
    let releases = Releases::on(volume);
    if !releases.directory().exists() {
        return Ok(Vec::new());
    }
    match Publisher::unless_busy(&releases)? {
        Some(mut publisher) => publisher.sweep(now),
        None => Ok(Vec::new()),
    }
}

/// The releases that are too many, when so many are kept.
#[must_use]
pub fn expired(volume: &Path, keep: usize, now: Timestamp) -> Vec<Retired> {
    let releases = Releases::on(volume);
    let linked: Vec<Id> = releases.current().into_iter().chain(releases.previous()).collect();
    if linked.is_empty() {
        return Vec::new();
    }
    // Where nobody knows what a person wants to keep, nothing goes.
    let Ok(labels) = labels(&releases) else { return Vec::new() };
    let mut there = releases.ids();
    there.retain(|id| !labels.keeps(*id));
    let ids = retired(&there, &linked, &turns(&releases), keep, now);
    let retired = |id| {
        let path = releases.place(id);
        let published = releases.read(id).ok().map(|release| release.published);
        Retired { id, size: size_of_its_own(&path), path, published }
    };
    ids.into_iter().map(retired).collect()
}

/// Removes the release that is at this place, unless `current` or `previous` leads to it by now.
///
/// # Errors
/// When one does, or when the system does not let it go.
pub fn remove(place: &Path) -> io::Result<()> {
    let id = place.file_name().and_then(|name| name.to_str()?.parse::<Id>().ok());
    let (Some(id), Some(volume)) = (id, place.parent().and_then(Path::parent)) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let publisher = Publisher::new(&Releases::on(volume)).map_err(io::Error::other)?;
    let releases = &publisher.releases;
    if releases.current() == Some(id) || releases.previous() == Some(id) {
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, "clients are offered it"));
    }
    if labels(releases).map_err(io::Error::other)?.keeps(id) {
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, "somebody wants it kept"));
    }
    publisher.discard(id).map_err(io::Error::other)
}

impl Publisher {
    /// Removes what a kill left behind; one sentence for each.
    pub(super) fn sweep(&mut self, now: Timestamp) -> Result<Vec<String>, Error> {
        self.note_turn(now)?;
        let directory = self.releases.directory();
        let mut swept = Vec::new();
        for entry in fs::read_dir(&directory).at(&directory)?.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let path = entry.path();
            if name.starts_with(LINK) {
                fs::remove_file(&path).at(&path)?;
            } else if name.starts_with(NEW) || name.starts_with(OLD) {
                fs::remove_dir_all(&path).at(&path)?;
            } else {
                continue;
            }
            swept.push(format!("releases/{name}, which was left unfinished, was removed"));
        }
        // One that was finished and never switched to.
        let current = self.releases.current();
        for id in self.releases.ids() {
            if current.is_some_and(|current| id > current) && !self.was_offered(id) {
                self.discard(id)?;
                swept.push(format!("release {id}, which was never offered, was removed"));
            }
        }
        Ok(swept)
    }

    /// Removes a release, under another name, so that half of one is never taken for one.
    pub(super) fn discard(&self, id: Id) -> Result<(), Error> {
        let path = self.releases.place(id);
        let old = self.releases.directory().join(format!("{OLD}{id}"));
        match fs::rename(&path, &old) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            renamed => renamed.at(&path)?,
        }
        fs::remove_dir_all(&old).at(&old)
    }
}

fn size_of_its_own(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let size = |path: PathBuf| match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => size_of_its_own(&path),
        Ok(meta) if meta.nlink() == 1 => meta.len(),
        _ => 0,
    };
    entries.map(|entry| size(entry.path())).sum()
}
