//! What lies in a directory, as items that may go.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::beneath::{self, Beneath, Entry};
use crate::model::prune::{Item, Kind, Removal};

/// The directory, when it is there and nobody has put a link in its place.
pub(super) fn place(directory: &Path) -> Option<Beneath> {
    Beneath::open(directory).ok()
}

pub(super) fn list(place: &Beneath, path: impl AsRef<Path>) -> Vec<Entry> {
    place.list(path).unwrap_or_default()
}

pub(super) fn files(place: &Beneath, path: impl AsRef<Path>) -> Vec<Entry> {
    list(place, path).into_iter().filter(|entry| entry.kind == beneath::Kind::File).collect()
}

pub(super) fn items_of(
    kind: Kind,
    place: &Beneath,
    entries: impl IntoIterator<Item = Entry>,
) -> impl Iterator<Item = Item> {
    entries.into_iter().map(move |entry| item(kind, place, &entry))
}

pub(super) fn item(kind: Kind, place: &Beneath, entry: &Entry) -> Item {
    let root = place.path().to_owned();
    let path = root.join(&entry.path);
    Item { kind, root, path, size: entry.size, age: since(entry.modified), needed: false }
}

/// The trusted directory that holds what goes, opened anew, and the path from there.
pub(super) fn below(removal: &Removal) -> io::Result<(Beneath, &Path)> {
    let path = removal.path.strip_prefix(&removal.root).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok((Beneath::open(&removal.root)?, path))
}

/// What lies in the future is new.
pub(super) fn since(then: SystemTime) -> Duration {
    SystemTime::now().duration_since(then).unwrap_or_default()
}
