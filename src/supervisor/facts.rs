//! What a command leaves behind besides its output: facts for [`Ran`](crate::core::Ran).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::portage::buildlog::{self, BuildLog};
use crate::portage::output::Evidence;

/// How much of a package's log is read for the ebuild's last words.
const LOG_TAIL: u64 = 256 << 10;
/// A file system with less than this is full for a build.
const FULL: u64 = 1 << 20;

/// What the log of each failed package says.
pub(super) fn build_logs(evidence: &Evidence) -> BTreeMap<String, BuildLog> {
    let logs =
        evidence.failed.iter().filter_map(|failed| Some((failed.package.to_string(), failed.log.as_ref()?)));
    logs.filter_map(|(package, log)| Some((package, buildlog::examine(&tail(log).ok()?)))).collect()
}

/// A file system that a build needs and that is full, or that the output says was full.
pub(super) fn full(volume: &Path, evidence: &Evidence, logs: &BTreeMap<String, BuildLog>) -> Option<String> {
    let free = |path: &str| statvfs(path).map_or(u64::MAX, |fs| fs.blocks_available() * fs.fragment_size());
    let volume = volume.display().to_string();
    let places = [volume.as_str(), "/var/tmp", "/"];
    if let Some(place) = places.iter().find(|place| free(place) < FULL) {
        return Some((*place).to_owned());
    }
    let said = evidence.tail.iter().any(|line| line.contains("No space left on device"))
        || logs.values().any(|log| log.no_space);
    said.then(|| places.iter().min_by_key(|place| free(place)).map(|place| (*place).to_owned())).flatten()
}

/// Portage's settings for packages (portage(5)) may be directories of files or one file each.
pub(super) fn single_files() -> Vec<String> {
    let names =
        ["package.accept_keywords", "package.env", "package.license", "package.unmask", "package.use"];
    let single = names.iter().filter(|name| Path::new("/etc/portage").join(name).is_file());
    single.map(|name| (*name).to_owned()).collect()
}

fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
    let mut text = Vec::new();
    file.take(LOG_TAIL).read_to_end(&mut text)?;
    Ok(text)
}
