//! The directories of the logs of builds and of steps.
//!
//! `log/` belongs to Portage's user, so nothing in it is trusted: [`Beneath`] follows no link, opens regular files alone and
//! waits for no pipe.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use super::lent::{place, shown};
use super::tree::Opened;
use crate::beneath::{Beneath, Kind};
use crate::model::work::STEPS;
use crate::portage::files::log_name::LogName;
use crate::portage::names::cpv::Cpv;

/// The directories of the logs, opened once.
#[derive(Debug)]
pub(super) struct Logs {
    packages: Beneath,
    steps: Beneath,
}

impl Logs {
    /// Opens them.
    pub(super) fn open(volume: &Path) -> io::Result<Self> {
        Ok(Self { packages: place(&volume.join("log"))?, steps: place(&volume.join(STEPS))? })
    }

    /// For whoever confines this process to them.
    pub(super) fn directories(&self) -> [BorrowedFd<'_>; 2] {
        [self.packages.handle(), self.steps.handle()]
    }

    /// A log at a path below them; that of a step begins with `steps/`.
    pub(super) fn file(&self, path: &str) -> io::Result<Opened> {
        if path.strip_suffix(".gz").unwrap_or(path).strip_suffix(".log").is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = match path.strip_prefix(STEPS).and_then(|below| below.strip_prefix('/')) {
            Some(step) => self.steps.file(step),
            None => self.packages.file(path),
        };
        shown(file)
    }

    /// The newest log of this version of a package.
    pub(super) fn newest(&self, cpv: &Cpv) -> Option<String> {
        let split = format!("build/{}", cpv.category());
        let entries =
            [split.as_str(), "."].into_iter().flat_map(|place| self.packages.list(place).unwrap_or_default());
        let logs = entries.filter(|entry| entry.kind == Kind::File).filter_map(|entry| {
            let path = entry.path.to_str()?.to_owned();
            Some((LogName::parse(&path)?, path))
        });
        let of_it = logs.filter(|(name, _)| name.cpv == *cpv);
        of_it.reduce(|a, b| if a.0.is_before(&b.0) { b } else { a }).map(|(_, path)| path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode as FileMode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn only_logs_are_opened() {
        let volume = tempfile::tempdir().unwrap();
        let logs = Logs::open(volume.path()).unwrap();
        let at = |path: &str| volume.path().join(path);
        fs::create_dir_all(at("log/build/a")).unwrap();
        fs::create_dir_all(at("steps/1")).unwrap();
        fs::write(at("secret.log"), "SECRET").unwrap();
        for path in [
            "log/build/a/b-1:20261120-101500.log",
            "log/a:b-1:20261121-101500.log",
            "log/notes.txt",
            "steps/1/build.log",
        ] {
            fs::write(at(path), "x").unwrap();
        }
        symlink("../secret.log", at("log/link.log")).unwrap();
        symlink("../../", at("log/out")).unwrap();
        symlink("../steps", at("log/cycle")).unwrap();
        mkfifo(&at("log/pipe.log"), FileMode::S_IRWXU).unwrap();
        fs::create_dir(at("log/directory.log")).unwrap();
        for path in ["build/a/b-1:20261120-101500.log", "a:b-1:20261121-101500.log", "steps/1/build.log"] {
            assert_eq!(logs.file(path).map(|opened| opened.size).ok(), Some(1), "{path}");
        }
        for path in [
            "notes.txt",
            "link.log",
            "out/secret.log",
            "cycle/1/build.log",
            "pipe.log",
            "directory.log",
            "steps/../secret.log",
            "../secret.log",
            "steps/1",
            "steps/",
            "",
        ] {
            assert_eq!(logs.file(path).unwrap_err().kind(), io::ErrorKind::NotFound, "{path}");
        }
        let cpv = |name: &str| Cpv::parse(name.as_bytes()).unwrap();
        assert_eq!(logs.newest(&cpv("a/b-1")).as_deref(), Some("a:b-1:20261121-101500.log"));
        assert_eq!(logs.newest(&cpv("a/b-2")), None);
    }
}
