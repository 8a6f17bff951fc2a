//! Files of which only the older part goes: Portage's `emerge.log` and the history.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::below;
use crate::beneath::Beneath;
use crate::config;
use crate::core::prune::{Kind, Removal, Why};
use crate::portage::files::log_end;
use crate::procs;
use crate::supervisor::history::History;
use crate::supervisor::history::forget::forget;

/// The part of both that goes.
pub(super) fn survey(volume: &Path, policy: &config::Prune) -> Vec<Removal> {
    let emerge_log = policy.emerge_log.and_then(|most| emerge_log(volume, most));
    emerge_log.into_iter().chain(policy.history.and_then(|longest| history(volume, longest))).collect()
}

/// Half of the log stays, so that it is not written anew in each cycle.
fn emerge_log(volume: &Path, most: u64) -> Option<Removal> {
    let logs = Beneath::open(&volume.join("log")).ok()?;
    let size = logs.file("emerge.log").ok()?.metadata().ok()?.len();
    (size > most && procs::portage_pids().is_empty()).then(|| Removal {
        kind: Kind::EmergeLog,
        root: logs.path().to_owned(),
        path: logs.path().join("emerge.log"),
        size: size - most / 2,
        age: 0,
        why: Why::TooMuch,
    })
}

fn history(volume: &Path, longest: Duration) -> Option<Removal> {
    let path = volume.join("state/history.db");
    let size = History::read(&path).and_then(|history| history.old(before(longest))).ok()?;
    let (root, age) = (volume.join("state"), longest.as_secs());
    (size > 0).then_some(Removal { kind: Kind::History, root, path, size, age, why: Why::Old })
}

fn before(age: Duration) -> Timestamp {
    Timestamp::now().checked_sub(age).unwrap_or(Timestamp::MIN)
}

/// Takes it away.
pub(super) fn remove(removal: &Removal) -> io::Result<()> {
    if removal.kind == Kind::History {
        return forget(&removal.path, before(Duration::from_secs(removal.age))).map_err(io::Error::other);
    }
    let (logs, name) = below(removal)?;
    let mut log = Vec::new();
    let mut file = logs.file(name)?;
    file.read_to_end(&mut log)?;
    let keep = usize::try_from((log.len() as u64).saturating_sub(removal.size)).unwrap_or(usize::MAX);
    let end = log_end::end(&log, keep);
    // Portage opens the log for each line, so one that begins now would write into the file that goes.
    let grown = file.metadata()?.len() != log.len() as u64;
    if grown || !procs::portage_pids().is_empty() {
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, "Portage is writing to it"));
    }
    logs.replace(name, &end)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_long_log_loses_its_older_half_and_a_short_one_nothing() {
        let volume = tempfile::tempdir().unwrap();
        let path = volume.path().join("log/emerge.log");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "1: Started emerge on: Nov 22, 2026 14:30:00\n1:  *** terminating.\n".repeat(1000))
            .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
        let size = fs::metadata(&path).unwrap().len();
        assert_eq!(emerge_log(volume.path(), size), None);
        let Some(removal) = emerge_log(volume.path(), size - 1) else { return };
        remove(&removal).unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert!(meta.len() <= size / 2 && meta.len() > size / 3, "{}", meta.len());
        assert_eq!((meta.mode() & 0o777, fs::read_dir(path.parent().unwrap()).unwrap().count()), (0o660, 1));
        fs::remove_file(&path).unwrap();
        let other = volume.path().join("other");
        fs::write(&other, "x".repeat(5000)).unwrap();
        symlink(&other, &path).unwrap();
        assert_eq!(emerge_log(volume.path(), 10), None, "what somebody planted is not written to");
    }
}
