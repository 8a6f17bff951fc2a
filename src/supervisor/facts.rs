//! What a command leaves behind besides its output: facts for [`Ran`](crate::core::Ran).

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::live::BUILDS;
use crate::beneath;
use crate::portage::buildlog::{self, BuildLog};
use crate::portage::output::{Evidence, FailedPackage};

/// How much of a package's log is read for the ebuild's last words.
const LOG_TAIL: u64 = 256 << 10;

/// What the log of each failed package says. Where it is, emerge says; an ebuild can print what looks the same.
pub(super) fn build_logs(volume: &Path, evidence: &Evidence) -> BTreeMap<String, BuildLog> {
    let log = |failed: &FailedPackage| {
        let died = failed.die.as_ref().and_then(|die| die.log.clone());
        Some((failed.package.to_string(), failed.log.clone().or(died)?))
    };
    let logs = evidence.failed.iter().filter_map(log);
    logs.filter_map(|(package, log)| Some((package, buildlog::examine(&tail(volume, &log).ok()?)))).collect()
}

/// Takes back the names of logs that are not there: Portage removes some of those that its messages name.
pub(super) fn forget_missing_logs(evidence: &mut Evidence) {
    let is_there = |log: &PathBuf| log.is_file();
    for failed in &mut evidence.failed {
        failed.log = failed.log.take().filter(is_there);
        if let Some(die) = &mut failed.die {
            die.log = die.log.take().filter(is_there);
        }
    }
}

/// Portage's settings for packages (portage(5)) may be directories of files or one file each.
pub(super) fn single_files() -> Vec<String> {
    let names =
        ["package.accept_keywords", "package.env", "package.license", "package.unmask", "package.use"];
    let single = names.iter().filter(|name| Path::new("/etc/portage").join(name).is_file());
    single.map(|name| (*name).to_owned()).collect()
}

fn tail(volume: &Path, path: &Path) -> io::Result<Vec<u8>> {
    let mut file = beneath::log(path, &[&volume.join("log"), Path::new(BUILDS)])?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
    let mut text = Vec::new();
    file.take(LOG_TAIL).read_to_end(&mut text)?;
    Ok(text)
}
