//! The same for many files one after the other: the directory that two of them share is looked up once.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::fstatat;
use nix::unistd::linkat;

use super::{Beneath, Entry, entry};

/// The directory of the last file.
#[derive(Debug, Default)]
pub(crate) struct Near(Option<Last>);

#[derive(Debug)]
struct Last {
    place: Arc<Beneath>,
    path: PathBuf,
    directory: OwnedFd,
}

impl Near {
    /// See [`Beneath::entry`].
    pub(crate) fn entry(&mut self, place: &Arc<Beneath>, path: &Path) -> io::Result<Entry> {
        let (parent, name) = self.parent(place, path)?;
        Ok(entry(path.to_owned(), &fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?))
    }

    /// Gives a regular file below a directory a second name, which is in a place of ours; what it is there.
    pub(crate) fn link_to(&mut self, place: &Arc<Beneath>, path: &Path, to: &Path) -> io::Result<Metadata> {
        self.link(place, path, to)?;
        Beneath::ours(to)
    }

    /// The same from a place of ours, in which there is nothing but what was put there.
    pub(crate) fn link(&mut self, place: &Arc<Beneath>, path: &Path, to: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(place, path)?;
        Ok(linkat(parent, name, AT_FDCWD, to, AtFlags::empty())?)
    }

    fn parent<'a>(&mut self, place: &Arc<Beneath>, path: &'a Path) -> io::Result<(&OwnedFd, &'a OsStr)> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let parent = path.parent().unwrap_or(Path::new(""));
        let last = self.0.take().filter(|last| Arc::ptr_eq(&last.place, place) && last.path == parent);
        let last = match last {
            Some(last) => last,
            None => {
                let (directory, _) = place.parent(path)?;
                Last { place: Arc::clone(place), path: parent.to_owned(), directory }
            }
        };
        Ok((&self.0.insert(last).directory, name))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::beneath::Kind;

    #[test]
    fn files_are_found_in_whatever_order_and_place_they_are_asked_for() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (place, size) in [(&one, 1), (&two, 2)] {
            for (n, name) in ["a", "b/a", "b/c/a", "b/c/d"].iter().enumerate() {
                let path = place.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "x".repeat(10 * size + n)).unwrap();
            }
        }
        symlink(two.path().join("b"), one.path().join("link")).unwrap();
        symlink("a", one.path().join("b/link")).unwrap();
        let places = [&one, &two].map(|place| Arc::new(Beneath::open(place.path()).unwrap()));
        let mut near = Near::default();
        for (place, path, size) in [
            (0, "b/c/a", Some(12)),
            (0, "b/c/d", Some(13)),
            (1, "b/c/d", Some(23)),
            (1, "a", Some(20)),
            (0, "a", Some(10)),
            (0, "b/a", Some(11)),
            (0, "b/nothing", None),
            (0, "b/a", Some(11)),
            (0, "link/a", None),
            (0, "../a", None),
            (0, "b/c/d", Some(13)),
        ] {
            let found = near.entry(&places[place], Path::new(path));
            assert_eq!(found.ok().map(|entry| entry.size), size, "{place} {path}");
        }
        assert_eq!(near.entry(&places[0], Path::new("b/link")).unwrap().kind, Kind::Other);
        let to = two.path().join("linked");
        assert_eq!(near.link_to(&places[0], Path::new("b/c/d"), &to).unwrap().len(), 13);
        assert!(near.link(&places[0], Path::new("b/c/d"), &to).is_err(), "it is there");
        assert!(near.link_to(&places[0], Path::new("b/link"), &two.path().join("link")).is_err());
        assert!(!two.path().join("link").exists());
    }
}
