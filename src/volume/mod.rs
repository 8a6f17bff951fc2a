//! What is mounted where the packages go, and how a file is written there.

pub(crate) mod clients;
pub mod emerge_log;
pub(crate) mod flags;
pub mod foreign;
pub mod history;
pub mod kept;
pub(crate) mod step_logs;
pub(crate) mod store;

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use serde::Serialize;

use crate::model::status::VolumeInfo;

/// The place, what is mounted there, and the space left. Without any of it: zero bytes.
pub(crate) fn look(path: &Path) -> VolumeInfo {
    let free = statvfs(path).map_or(0, |fs| fs.blocks_available() * fs.fragment_size());
    VolumeInfo { path: path.display().to_string(), mounted: is_mounted(path, &mount_table()), free }
}

/// Where binary packages are on a volume: what its Portage has for PKGDIR, and what clients are offered from.
pub(crate) fn pkgdir(volume: &Path) -> PathBuf {
    volume.join("binpkgs")
}

/// Where ccache keeps what was compiled. Another volume may be mounted there, for several builders.
pub(crate) fn ccache(volume: &Path) -> PathBuf {
    volume.join("ccache")
}

/// Whether the volume is one that Docker made because nobody named one; `docker rm -v` and
/// `docker run --rm` delete it without a word.
pub(crate) fn is_anonymous(path: &Path) -> bool {
    has_anonymous_root(path, &mount_table())
}

/// Writes a file so that it is whole at any instant: a new one, synced, renamed over the old one, the
/// directory synced.
pub(crate) fn replace(file: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let temp = file.with_file_name(format!(".{name}.new"));
    let mut out = File::create(&temp)?;
    out.write_all(&text)?;
    out.sync_all()?;
    fs::rename(&temp, file)?;
    File::open(file.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Makes an empty file whose time is now.
pub(crate) fn stamp(file: &Path) -> io::Result<()> {
    File::create(file).map(drop)
}

/// A file that is locked as long as the value lives.
///
/// It is unlocked and not only closed: a child that was forked for another command has the same open file until it executes
/// that, and would hold the lock so long.
#[derive(Debug)]
pub(crate) struct Locked(File);

impl Locked {
    /// Waits until nobody else has it.
    pub(crate) fn wait(file: File) -> io::Result<Self> {
        file.lock()?;
        Ok(Self(file))
    }

    /// The file itself comes back with [`TryLockError::WouldBlock`] when somebody has it.
    pub(crate) fn unless_held(file: File) -> Result<Self, (File, TryLockError)> {
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(error) => Err((file, error)),
        }
    }

    /// The file.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.0
    }

    /// What `fstat` says of it.
    pub(crate) fn metadata(&self) -> io::Result<fs::Metadata> {
        self.0.metadata()
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        drop(self.0.unlock());
    }
}

fn mount_table() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()
}

/// The mounts of a `/proc/self/mountinfo` (proc(5)): what is mounted of its file system, and where.
/// A blank is written as `\040`.
fn mounts(mountinfo: &str) -> impl Iterator<Item = (String, PathBuf)> {
    let unescape = |text: &str| text.replace(r"\040", " ").replace(r"\011", "\t").replace(r"\134", r"\");
    mountinfo.lines().filter_map(move |line| {
        let mut fields = line.split(' ').skip(3);
        Some((unescape(fields.next()?), PathBuf::from(unescape(fields.next()?))))
    })
}

/// Whether a mount other than the root file system holds `path`.
fn is_mounted(path: &Path, mountinfo: &str) -> bool {
    mounts(mountinfo).any(|(_, point)| point != Path::new("/") && path.starts_with(&point))
}

/// Docker names such a volume by 64 hexadecimal digits: `/var/lib/docker/volumes/HEX/_data`.
fn has_anonymous_root(path: &Path, mountinfo: &str) -> bool {
    mounts(mountinfo).filter(|(_, point)| point == path).any(|(root, _)| {
        let name = root.strip_suffix("/_data").and_then(|root| root.rsplit('/').next());
        name.is_some_and(|name| name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_with_its_value_whoever_else_has_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let open = || File::create(directory.path().join("lock")).unwrap();
        let file = open();
        // What a child has between fork and exec.
        let _inherited = file.try_clone().unwrap();
        let held = Locked::wait(file).unwrap();
        assert!(matches!(Locked::unless_held(open()), Err((_, TryLockError::WouldBlock))));
        drop(held);
        assert!(Locked::unless_held(open()).is_ok());
    }

    #[test]
    fn mounts_are_recognised() {
        let table = "21 1 254:0 / / rw - ext4 /dev/vda rw\n\
                     22 21 254:0 /v /var/lib/gbsup rw - ext4 /dev/vda rw\n\
                     23 21 0:5 / /mnt/with\\040blank rw - tmpfs tmpfs rw\n";
        for (path, mounted) in [
            ("/var/lib/gbsup", true),
            ("/var/lib/gbsup/x", true),
            ("/var/lib", false),
            ("/mnt/with blank", true),
        ] {
            assert_eq!(is_mounted(Path::new(path), table), mounted, "{path}");
        }
        let hex = "0123456789abcdef".repeat(4);
        for (root, anonymous) in [(hex.as_str(), true), ("gb", false), (&hex[1..], false)] {
            let table =
                format!("22 21 254:0 /var/lib/docker/volumes/{root}/_data /v rw - ext4 /dev/vda rw\n");
            assert_eq!(has_anonymous_root(Path::new("/v"), &table), anonymous, "{root}");
        }
    }
}
