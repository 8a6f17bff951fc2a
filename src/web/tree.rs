//! The directory of the releases, opened once: everything is looked up below it, by the kernel's own rules.
//!
//! No symbolic link is followed, whoever made it; `current` is read as a text, which has to be the name of a release.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use nix::dir::{Dir, Type};
use nix::fcntl::{OFlag, open, readlinkat};
use nix::sys::stat::{Mode, fstat};
use serde::Deserialize;

use super::conditional::{Version, time};
use super::kept::Kept;
use super::path::Place;
use crate::model::release::Id;
use crate::{beneath, git};

/// The most that is read of a file whose text is needed here: `release.json` of tens of thousands of packages.
const LONGEST_TEXT: u64 = 64 << 20;

/// In so many releases a package is looked for that has left the one on offer. Daily ones are a month; no emerge goes by an index that
/// is older.
const RECENT: usize = 32;

/// The name of the index, and of the same compressed.
pub(super) const PACKAGES: &str = "Packages";
pub(super) const PACKAGES_GZ: &str = "Packages.gz";

/// What was found.
pub(super) enum Found {
    /// A file.
    File(Arc<Opened>),
    /// A directory, and what is in it, by name: directories with a slash behind them, files with their sizes.
    Directory(Vec<(String, Option<u64>)>),
}

/// What of a release says by whom it is signed.
#[derive(Deserialize)]
struct Signed {
    #[serde(default)]
    signed: Option<String>,
}

/// A file that is open, and stays whole whatever becomes of its name.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) size: u64,
    pub(super) version: Version,
}

impl Opened {
    /// A file that somebody opened; only a regular one that may be read.
    pub(super) fn new(file: File) -> io::Result<Self> {
        let meta = file.metadata()?;
        if meta.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !meta.is_file() || meta.permissions().mode() & 0o444 == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        let tag = format!("\"{:x}-{:x}-{:x}.{:x}\"", meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec());
        let version = Version { tag, modified: time(meta.mtime()) };
        Ok(Self { size: meta.len(), version, file })
    }
}

/// `releases/` of a volume.
#[derive(Debug)]
pub(super) struct Tree {
    directory: OwnedFd,
    /// See [`Tree::url`].
    url: String,
    /// Files of indices.
    index: Kept<Arc<Opened>>,
    /// Pages of releases.
    pages: Kept<Bytes>,
    /// By which keys releases are signed.
    signed: Kept<Bytes>,
    /// The newest releases.
    recent: Kept<Arc<[Id]>>,
}

impl Tree {
    /// Opens it.
    pub(super) fn open(directory: &Path, url: &str) -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self {
            directory: open(directory, flags, Mode::empty())?,
            url: url.to_owned(),
            index: Kept::default(),
            pages: Kept::default(),
            signed: Kept::default(),
            recent: Kept::default(),
        })
    }

    /// Where clients find the packages, as it is configured; empty when it is not.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// For whoever confines this process to it.
    pub(super) fn directory(&self) -> &OwnedFd {
        &self.directory
    }

    /// Whether it was removed: a new one may have its name, which is not seen from here.
    pub(super) fn is_gone(&self) -> bool {
        fstat(&self.directory).is_ok_and(|meta| meta.st_nlink == 0)
    }

    /// The release that is offered.
    pub(super) fn current(&self) -> Option<Id> {
        readlinkat(&self.directory, "current").ok()?.to_str()?.parse().ok()
    }

    /// The releases that are there, the newest first.
    pub(super) fn ids(&self) -> io::Result<Vec<Id>> {
        let mut ids: Vec<Id> =
            self.names(".")?.into_iter().filter_map(|(name, _)| name.parse().ok()).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        Ok(ids)
    }

    /// The newest of the releases that are older than this one.
    pub(super) fn before(&self, id: Id) -> Option<Id> {
        self.ids().unwrap_or_default().into_iter().find(|other| *other < id)
    }

    /// The newest releases beside this one.
    pub(super) fn recent(&self, besides: Id) -> Arc<[Id]> {
        let list = || {
            let ids = self.ids()?.into_iter().filter(|id| *id != besides);
            io::Result::Ok(ids.take(RECENT).collect())
        };
        self.recent.get(besides, "recent", Instant::now(), list).unwrap_or_else(|_| Arc::from([]))
    }

    /// Something of a release.
    pub(super) fn find(&self, id: Id, place: &Place) -> io::Result<Found> {
        let path = match place.path.as_str() {
            "" => id.to_string(),
            below => format!("{id}/{below}"),
        };
        if place.slash {
            let mut names: Vec<_> = self.names(&path)?;
            names.retain(|(name, _)| !name.starts_with('.'));
            let size = |path: String| self.file(&path).ok().map(|opened| opened.size);
            let entry = |(name, directory)| {
                let size = if directory { None } else { size(format!("{path}/{name}")) };
                (if directory { format!("{name}/") } else { name }, size)
            };
            return Ok(Found::Directory(names.into_iter().map(entry).collect()));
        }
        let opened = match [PACKAGES, PACKAGES_GZ].into_iter().find(|name| *name == place.path) {
            Some(name) => self.index(id, name)?,
            None => Arc::new(self.file(&path)?),
        };
        Ok(Found::File(opened))
    }

    /// A file of the index of a release.
    pub(super) fn index(&self, id: Id, name: &'static str) -> io::Result<Arc<Opened>> {
        self.index.get(id, name, Instant::now(), || self.file(&format!("{id}/{name}")).map(Arc::new))
    }

    /// The page of a release, written by `write` when it is not kept from a moment ago.
    pub(super) fn page<E>(&self, id: Id, write: impl FnOnce() -> Result<String, E>) -> Result<Bytes, E> {
        self.pages.get(id, "page", Instant::now(), || write().map(Bytes::from))
    }

    /// The fingerprint of the key that a release is signed with; nothing when it is not.
    pub(super) fn signed(&self, id: Id) -> io::Result<Bytes> {
        self.signed.get(id, "signed", Instant::now(), || {
            let text = self.text(&format!("{id}/release.json"))?;
            let read: Signed = serde_json::from_str(&text)?;
            io::Result::Ok(Bytes::from(read.signed.unwrap_or_default()))
        })
    }

    /// A file beside the releases or below one.
    pub(super) fn file(&self, path: &str) -> io::Result<Opened> {
        // A pipe that somebody put there must not be waited for.
        let file = File::from(self.look(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?);
        Opened::new(file)
    }

    /// The whole text of a file.
    pub(super) fn text(&self, path: &str) -> io::Result<String> {
        let mut text = String::new();
        self.file(path)?.file.take(LONGEST_TEXT).read_to_string(&mut text)?;
        Ok(text)
    }

    /// The first bytes of a text; what is cut through or is no text is replaced.
    pub(super) fn beginning(&self, path: &str, bytes: u64) -> io::Result<String> {
        let mut text = Vec::new();
        self.file(path)?.file.take(bytes).read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The steps of a repository that is at this path, by the commits before and after.
    pub(super) fn steps(&self, repository: &str) -> Vec<(git::Id, git::Id)> {
        let names = self.names(&format!("{repository}/steps")).unwrap_or_default();
        let step = |(name, _): (String, bool)| {
            let (old, new) = name.split_once('-')?;
            Some((old.parse().ok()?, new.parse().ok()?))
        };
        names.into_iter().filter_map(step).collect()
    }

    /// The names in a directory, sorted, and which of them are directories. Links are left out.
    fn names(&self, path: &str) -> io::Result<Vec<(String, bool)>> {
        let mut directory = Dir::from_fd(self.look(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?)?;
        let mut names = Vec::new();
        for entry in directory.iter() {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            match entry.file_type() {
                Some(Type::Directory) if name != "." && name != ".." => names.push((name.to_owned(), true)),
                Some(Type::File) => names.push((name.to_owned(), false)),
                _ => {}
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn look(&self, path: &str, flags: OFlag) -> io::Result<OwnedFd> {
        // A link, or what leads out: neither exists here.
        beneath::look(self.directory.as_fd(), Path::new(path), flags).map_err(|problem| {
            let hidden =
                matches!(problem.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory);
            if hidden { io::ErrorKind::NotFound.into() } else { problem }
        })
    }
}
