//! What is mounted where the packages go, and how a file is written there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use serde::Serialize;

use crate::core::status::VolumeInfo;

/// The place, what is mounted there, and the space left. Without any of it: zero bytes.
#[must_use]
pub(crate) fn look(path: &Path) -> VolumeInfo {
    let free = statvfs(path).map_or(0, |fs| fs.blocks_available() * fs.fragment_size());
    VolumeInfo { path: path.display().to_string(), mounted: is_mounted(path, &mount_table()), free }
}

/// Where binary packages are on a volume: what its Portage has for PKGDIR, and what clients are offered from.
#[must_use]
pub(crate) fn pkgdir(volume: &Path) -> PathBuf {
    volume.join("binpkgs")
}

/// Whether the volume is one that Docker made because nobody named one; `docker rm -v` and
/// `docker run --rm` delete it without a word.
#[must_use]
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
