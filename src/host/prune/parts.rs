//! Files of which only the older part goes: Portage's `emerge.log`, its `elog/summary.log`, and the history.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::entries::below;
use crate::beneath::Beneath;
use crate::model::prune::{Kind, Removal, Why};
use crate::portage::files::log::{MOST, after_cut};
use crate::portage::files::log_end;
use crate::portage::output::elog;
use crate::volume::history::History;
use crate::volume::history::forget::forget;
use crate::{config, procs};

/// Those to which Portage adds for ever.
const LOGS: [(Kind, &str); 2] = [(Kind::EmergeLog, "emerge.log"), (Kind::Messages, "elog/summary.log")];

/// The part of each that goes.
pub(crate) fn survey(volume: &Path, policy: &config::Prune) -> Vec<Removal> {
    let most = policy.emerge_log.unwrap_or(u64::MAX);
    let logs =
        LOGS.iter().filter(|_| !is_written()).filter_map(|(kind, name)| log(volume, *kind, name, most));
    logs.chain(policy.history.and_then(|longest| history(volume, longest))).collect()
}

/// Whether Portage may be writing to its logs.
fn is_written() -> bool {
    !procs::portage_pids().is_empty()
}

/// Half of the log stays, so that it is not written anew in each cycle.
fn log(volume: &Path, kind: Kind, name: &str, most: u64) -> Option<Removal> {
    let logs = Beneath::open(&volume.join("log")).ok()?;
    let size = logs.file(name).ok()?.metadata().ok()?.len();
    (size > most).then(|| Removal {
        kind,
        root: logs.path().to_owned(),
        path: logs.path().join(name),
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
pub(crate) fn remove(removal: &Removal) -> io::Result<()> {
    if removal.kind == Kind::History {
        return forget(&removal.path, before(Duration::from_secs(removal.age))).map_err(io::Error::other);
    }
    shorten(removal, is_written)
}

fn shorten(removal: &Removal, is_written: impl Fn() -> bool) -> io::Result<()> {
    let (logs, name) = below(removal)?;
    let mut log = Vec::new();
    let mut file = logs.file(name)?;
    let length = file.metadata()?.len();
    let keep = length.saturating_sub(removal.size);
    let from = length.saturating_sub(keep.max(MOST));
    file.seek(SeekFrom::Start(from))?;
    (&file).take(length - from).read_to_end(&mut log)?;
    // Where it begins in the middle of a line, that is no line.
    let partial = if from == 0 { 0 } else { after_cut(&log).unwrap_or(log.len()) };
    let (log, keep) = (&log[partial..], usize::try_from(keep).unwrap_or(usize::MAX));
    let end = match removal.kind {
        Kind::Messages => elog::end(log, keep).to_owned(),
        _ => log_end::end(log, keep),
    };
    // Portage opens the log for each line, so one that begins now would write into the file that goes.
    let grown = file.metadata()?.len() != length;
    if grown || is_written() {
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
        let emerge_log = |most| log(volume.path(), Kind::EmergeLog, "emerge.log", most);
        assert_eq!(emerge_log(size), None);
        let removal = emerge_log(size - 1).unwrap();
        let refused = shorten(&removal, || true).unwrap_err();
        assert_eq!((refused.kind(), fs::metadata(&path).unwrap().len()), (io::ErrorKind::ResourceBusy, size));
        shorten(&removal, || false).unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert!(meta.len() <= size / 2 && meta.len() > size / 3, "{}", meta.len());
        assert_eq!((meta.mode() & 0o777, fs::read_dir(path.parent().unwrap()).unwrap().count()), (0o660, 1));
        fs::remove_file(&path).unwrap();
        let other = volume.path().join("other");
        fs::write(&other, "x".repeat(5000)).unwrap();
        symlink(&other, &path).unwrap();
        assert_eq!(emerge_log(10), None, "what somebody planted is not written to");
    }

    /// It is as long as the file system lets the user portage make it, and no block of it is written.
    #[test]
    fn of_a_log_without_end_the_end_stays() {
        let volume = tempfile::tempdir().unwrap();
        let path = volume.path().join("log/emerge.log");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = fs::File::create(&path).unwrap();
        [4 << 40, 4 << 30].into_iter().find(|length| file.set_len(*length).is_ok()).unwrap();
        let run = "1: Started emerge on: Nov 22, 2026 14:30:00\n1:  *** terminating.\n";
        fs::write(path.with_extension("end"), "\n".to_owned() + run).unwrap();
        io::copy(
            &mut fs::File::open(path.with_extension("end")).unwrap(),
            &mut fs::File::options().append(true).open(&path).unwrap(),
        )
        .unwrap();
        let removal = log(volume.path(), Kind::EmergeLog, "emerge.log", 1 << 20).unwrap();
        shorten(&removal, || false).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), run);
    }

    #[test]
    fn messages_go_as_wholes() {
        let volume = tempfile::tempdir().unwrap();
        let path = volume.path().join("log/elog/summary.log");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let captured = include_str!("../../../tests/captured/elog-summary.txt");
        fs::write(&path, captured.repeat(50)).unwrap();
        let messages = || log(volume.path(), Kind::Messages, "elog/summary.log", captured.len() as u64 * 9);
        let removal = messages().unwrap();
        assert!(removal.sentence().starts_with("messages /"), "{}", removal.sentence());
        shorten(&removal, || false).unwrap();
        let left = fs::read_to_string(&path).unwrap();
        assert!(left.starts_with(">>> Messages generated by process ") && left.ends_with(captured));
        assert!(left.len() <= captured.len() * 5 && left.len() > captured.len() * 3, "{}", left.len());
        assert_eq!(messages(), None);
    }
}
