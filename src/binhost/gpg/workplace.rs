//! The directories in which GnuPG works.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::fcntl::OFlag;

use crate::volume::Locked;

/// Where memory is a file system. Paths of sockets are short.
const MEMORY: &str = "/dev/shm";
/// How the directories there begin; the number of the process follows, and one more.
const PREFIX: &str = "gbsup-gpg-";

/// A directory that only this user can look into, as long as the value lives.
///
/// It is locked all that time: a number of a process says nothing, since containers that share their memory count each
/// for itself.
#[derive(Debug)]
pub(super) struct Workplace {
    path: PathBuf,
    _lock: Locked,
}

/// Removes what processes left that were killed. An agent that loses its directory ends, and with it what it knows
/// of the key.
pub(crate) fn sweep() {
    remove_old(&parent());
}

fn parent() -> PathBuf {
    let memory = Path::new(MEMORY);
    if memory.is_dir() { memory.to_owned() } else { env::temp_dir() }
}

fn remove_old(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let opened = if is_ours { open(&entry.path()).ok() } else { None };
        if let Some(_locked) = opened.and_then(|directory| Locked::unless_held(directory).ok()) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

impl Workplace {
    /// A new one; where none could be made, and why, otherwise.
    pub(super) fn new() -> Result<Self, (PathBuf, io::Error)> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let parent = parent();
        remove_old(&parent);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("{PREFIX}{}-{number}", process::id()));
            match make(&path) {
                Ok(Some(lock)) => return Ok(Self { path, _lock: lock }),
                Ok(None) => {}
                Err(problem) => return Err((path, problem)),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.path));
    }
}

/// Makes a directory and locks it; nothing when somebody else has that name, or took it for one that was left.
fn make(path: &Path) -> io::Result<Option<Locked>> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
        made => made?,
    }
    let directory = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match Locked::unless_held(directory) {
        Ok(locked) => Ok(path.exists().then_some(locked)),
        Err((_, TryLockError::WouldBlock)) => Ok(None),
        Err((_, TryLockError::Error(error))) => Err(error),
    }
}

/// Everybody can write where these directories are: nothing else with such a name is opened.
fn open(path: &Path) -> io::Result<File> {
    let only = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(only.bits()).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_killed_processes_left_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let [used, left, link, other] =
            ["gbsup-gpg-1-0", "gbsup-gpg-1-1", "gbsup-gpg-1-2", "other"].map(|name| parent.path().join(name));
        let lock = make(&used).unwrap().expect("it is new");
        assert!(make(&used).unwrap().is_none(), "somebody has it");
        drop(make(&left).unwrap().expect("it is new"));
        fs::write(left.join("gpg-agent.conf"), "").unwrap();
        fs::create_dir(&other).unwrap();
        symlink(&other, &link).unwrap();
        remove_old(parent.path());
        let is_there = |path: &Path| path.symlink_metadata().is_ok();
        assert_eq!([&used, &left, &link, &other].map(|path| is_there(path)), [true, false, true, true]);
        drop(lock);
        remove_old(parent.path());
        assert!(!is_there(&used));
        assert!(make(&parent.path().join("missing/x")).is_err());
    }
}
