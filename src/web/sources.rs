//! The source archives of the builder, as a mirror has them, so that a farm fetches each but once.
//!
//! Portage asks a mirror (`GENTOO_MIRRORS`) for `/distfiles/layout.conf` first, which says where a file lies
//! (`portage/package/ebuild/fetch.py`, GLEP 75). Here it lies as in DISTDIR: all in one directory. Whoever fetches one holds it
//! against the Manifest of its own repository, so nothing here has to be trusted.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use super::lent::{place, shown};
use super::tree::Opened;
use crate::beneath::Beneath;
use crate::portage::files::binpkg::WRONG_DIGEST;

/// The layout file of a mirror, and what is in it.
pub(super) const LAYOUT: (&str, &str) = ("layout.conf", "[structure]\n0=flat\n");

/// What Portage is not done with ends so (`portage/package/ebuild/fetch.py:_download_suffix`).
const UNFINISHED: &str = ".__download__";

/// DISTDIR, opened once. Portage's group may write there, so nothing in it is trusted: no link is followed.
#[derive(Debug)]
pub(super) struct Sources(Beneath);

impl Sources {
    /// Opens the directory of a volume.
    pub(super) fn open(volume: &Path) -> io::Result<Self> {
        place(&volume.join("distfiles")).map(Self)
    }

    /// For whoever confines this process to it.
    pub(super) fn directory(&self) -> BorrowedFd<'_> {
        self.0.handle()
    }

    /// A source that has been fetched as a whole, by its name.
    pub(super) fn file(&self, name: &str) -> io::Result<Opened> {
        let unfinished = name.ends_with(UNFINISHED) || name.contains(WRONG_DIGEST);
        if name.contains('/') || name.starts_with('.') || unfinished {
            return Err(io::ErrorKind::NotFound.into());
        }
        shown(self.0.file(name))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn only_whole_sources_are_opened() {
        let volume = tempfile::tempdir().unwrap();
        let at = |path: &str| volume.path().join(path);
        fs::create_dir_all(at("distfiles/git3-src/x.git")).unwrap();
        for path in [
            "secret",
            "distfiles/a-1.tar.gz",
            "distfiles/b-1.tar.gz.__download__",
            "distfiles/c-1.tar.gz._checksum_failure_.x1y2",
            "distfiles/.d-1.tar.gz.portage_lockfile",
            "distfiles/git3-src/x.git/HEAD",
        ] {
            fs::write(at(path), "x").unwrap();
        }
        symlink("../secret", at("distfiles/link.tar.gz")).unwrap();
        mkfifo(&at("distfiles/pipe.tar.gz"), Mode::S_IRWXU).unwrap();
        let sources = Sources::open(volume.path()).unwrap();
        assert_eq!(sources.file("a-1.tar.gz").unwrap().size, 1);
        for name in [
            "b-1.tar.gz",
            "b-1.tar.gz.__download__",
            "c-1.tar.gz._checksum_failure_.x1y2",
            ".d-1.tar.gz.portage_lockfile",
            "git3-src",
            "git3-src/x.git/HEAD",
            "link.tar.gz",
            "pipe.tar.gz",
            "../secret",
            "",
        ] {
            assert!(sources.file(name).is_err(), "{name}");
        }
    }
}
