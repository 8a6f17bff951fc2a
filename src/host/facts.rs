//! What a command leaves behind besides its output: facts for [`Ran`](crate::model::Ran).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::live::BUILDS;
use crate::beneath::{self, Beneath, Entry};
use crate::portage::files::renamed;
use crate::portage::files::repository::Repositories;
use crate::portage::names::atom::Atom;
use crate::portage::output::buildlog::{self, BuildLog};
use crate::portage::output::conceal::concealed;
use crate::portage::output::scanner::{Evidence, FailedPackage};

/// How much of a package's log is read for the ebuild's last words.
const LOG_TAIL: u64 = 256 << 10;
/// How much of a compressed one is unpacked for that.
const LONGEST_LOG: u64 = 256 << 20;

/// What the log of each failed package says. Where it is, emerge says; an ebuild can print what looks the same.
pub(crate) fn build_logs(volume: &Path, evidence: &Evidence) -> BTreeMap<String, BuildLog> {
    let log = |failed: &FailedPackage| {
        let died = failed.die.as_ref().and_then(|die| die.log.clone());
        Some((failed.package.to_string(), failed.log.clone().or(died)?))
    };
    let logs = evidence.failed.iter().filter_map(log);
    logs.filter_map(|(package, log)| {
        Some((package, buildlog::examine(&concealed(&tail(volume, &log).ok()?))))
    })
    .collect()
}

/// Takes back the names of logs that are not there: Portage removes some of those that its messages name.
pub(crate) fn forget_missing_logs(volume: &Path, evidence: &mut Evidence) {
    let is_there = |log: &PathBuf| opened(volume, log).is_ok();
    for failed in &mut evidence.failed {
        failed.log = failed.log.take().filter(is_there);
        if let Some(die) = &mut failed.die {
            die.log = die.log.take().filter(is_there);
        }
    }
}

/// Portage's settings (portage(5)) may be directories of files or one file each: those that are one file.
pub(crate) fn single_files() -> Vec<String> {
    let names = [
        "bashrc",
        "package.accept_keywords",
        "package.env",
        "package.license",
        "package.unmask",
        "package.use",
    ];
    let single = names.iter().filter(|name| Path::new("/etc/portage").join(name).is_file());
    single.map(|name| (*name).to_owned()).collect()
}

/// Bytes of the longest file of renamed packages that is read; a quarter of Gentoo's has some ten thousand.
const LONGEST_UPDATES: u64 = 1 << 20;

/// What these repositories call packages now that a command did not find.
pub(crate) fn renamed(evidence: &Evidence, repositories: &Repositories) -> BTreeMap<String, String> {
    let unfound: BTreeSet<String> =
        evidence.unfound().filter_map(|atom| Some(Atom::parse(atom).ok()?.cp().to_owned())).collect();
    if unfound.is_empty() {
        return BTreeMap::new();
    }
    let texts = repositories.all.iter().filter_map(|repository| {
        let updates = Beneath::open(&repository.location.join("profiles/updates")).ok()?;
        let files = updates.list(".").ok()?;
        let text = |entry: &Entry| {
            let name = entry.path.file_name()?.to_str()?.to_owned();
            Some((name, updates.read(&entry.path, LONGEST_UPDATES).ok()?))
        };
        Some(files.iter().filter_map(text).collect::<Vec<_>>())
    });
    let mut all = BTreeMap::new();
    for files in texts {
        all.append(&mut renamed::read(files.iter().map(|(name, text)| (name.as_str(), text.as_slice()))));
    }
    all.retain(|name, _| unfound.contains(name));
    all
}

fn opened(volume: &Path, log: &Path) -> io::Result<File> {
    beneath::log(log, &[&volume.join("log"), Path::new(BUILDS)])
}

fn tail(volume: &Path, path: &Path) -> io::Result<Vec<u8>> {
    let mut file = opened(volume, path)?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        return Ok(compressed_tail(file));
    }
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
    let mut text = Vec::new();
    file.take(LOG_TAIL).read_to_end(&mut text)?;
    Ok(text)
}

/// The end of a log that FEATURES=compress-build-logs has compressed; of one that was cut short, of what there is.
fn compressed_tail(file: impl Read) -> Vec<u8> {
    let mut log = MultiGzDecoder::new(file).take(LONGEST_LOG);
    let keep = usize::try_from(LOG_TAIL).unwrap_or(usize::MAX);
    let (mut text, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    while let Ok(length @ 1..) = log.read(&mut piece) {
        text.extend_from_slice(&piece[..length]);
        if text.len() > 2 * keep {
            text.drain(..text.len() - keep);
        }
    }
    text.drain(..text.len().saturating_sub(keep));
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn compressed_logs_are_read_as_far_as_they_go() {
        let lines: Vec<String> = (0..100_000).map(|n| format!("line {n}")).collect();
        let text = lines.join("\n");
        let packed = gzip(text.as_bytes());
        let tail = compressed_tail(&packed[..]);
        assert_eq!(tail.len() as u64, LOG_TAIL);
        assert!(text.as_bytes().ends_with(&tail));
        assert_eq!(compressed_tail(&gzip(b"short\n")[..]), b"short\n");
        // A build that was killed together with the compressor.
        let half = compressed_tail(&packed[..packed.len() / 2]);
        assert!(!half.is_empty() && String::from_utf8_lossy(&half).contains("\nline "));
        assert!(compressed_tail(&b"no gzip"[..]).is_empty());
        // A few bytes that become a great many have an end.
        let bomb = gzip(&vec![b'x'; usize::try_from(LONGEST_LOG).unwrap() + 1]);
        assert_eq!(compressed_tail(&bomb[..]).len() as u64, LOG_TAIL);
    }
}
