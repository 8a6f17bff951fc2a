//! Reads what Portage left on a volume about how long packages take.
//!
//! The log is one of years, and hardly anything of it is new from one time to the next. So what was learnt from it is kept beside it, in
//! `state/durations.json`, with how much of the log that is of and what its end was. Whoever comes next reads what follows; when the log is
//! not the same any more, or the file not as it was written, all of it. What was learnt while a binary package was there outlives that.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{pkgdir, replace};
use crate::beneath::Beneath;
use crate::portage::files::built::Built;
use crate::portage::files::durations::Durations;
use crate::portage::files::gpkg::digests::hex;
use crate::portage::files::log::{MOST, after_cut, whole};

/// How much is read at a time.
const PIECE: usize = 256 << 10;
/// So many bytes are read again sooner than what was learnt from them is written down.
const SMALL: u64 = 64 << 10;
/// By so many bytes the end of what was read is known again.
const END: u64 = 4 << 10;
/// The version of the file.
const SCHEMA: u32 = 1;

/// What was learnt from a part of a log.
#[derive(Debug, Serialize, Deserialize)]
struct Learnt {
    schema: u32,
    /// Of the log: one that was written anew is another file.
    inode: u64,
    /// So many bytes of it, which are whole lines.
    read: u64,
    /// The SHA256 of the last of them.
    end: String,
    durations: Durations,
}

/// How long packages took, by the log and the package index on this volume. What cannot be read is
/// not known: nothing depends on it but estimates.
#[must_use]
pub fn durations(volume: &Path) -> Durations {
    look(volume, MOST).0
}

/// The same by whoever keeps the volume: what was learnt is written down for the next time.
#[must_use]
pub fn learn(volume: &Path) -> Durations {
    let (durations, learnt) = look(volume, MOST);
    let news = learnt.filter(|progress| progress.read - progress.from >= SMALL);
    let Some(Progress { inode, read, end, .. }) = news else { return durations };
    // Only whole lines count as read, and of others nothing is in it.
    let learnt = Learnt { schema: SCHEMA, inode, read, end, durations };
    // Without it the log is read again.
    drop(replace(&file(volume), &learnt));
    learnt.durations
}

/// How far a log was read.
struct Progress {
    inode: u64,
    /// What was known before, in bytes.
    from: u64,
    read: u64,
    end: String,
}

fn file(volume: &Path) -> PathBuf {
    volume.join("state/durations.json")
}

fn look(volume: &Path, most: u64) -> (Durations, Option<Progress>) {
    let log = Beneath::open(&volume.join("log")).and_then(|logs| logs.file("emerge.log"));
    let Ok(log) = log else { return (Durations::default(), None) };
    let (from, mut durations) = match known(volume, &log) {
        Some(learnt) => (learnt.read, learnt.durations),
        None => (0, Durations::default()),
    };
    let progress = go_on(volume, log, (from, most), &mut durations);
    (durations, progress.ok())
}

/// What is known of this log, if it is still the same as far as that goes.
fn known(volume: &Path, log: &File) -> Option<Learnt> {
    let learnt: Learnt = serde_json::from_slice(&fs::read(file(volume)).ok()?).ok()?;
    let meta = log.metadata().ok()?;
    let is_of =
        |learnt: &Learnt| learnt.schema == SCHEMA && learnt.inode == meta.ino() && learnt.read <= meta.len();
    Some(learnt).filter(is_of).filter(|learnt| end(log, learnt.read).is_ok_and(|end| end == learnt.end))
}

/// Reads the log from there on, and at most so much of it. It is read and not mapped: whoever may write it may cut it short meanwhile.
fn go_on(
    volume: &Path,
    mut log: File,
    (from, most): (u64, u64),
    durations: &mut Durations,
) -> io::Result<Progress> {
    let built = Built::by(|| packages(volume).unwrap_or_default());
    let length = log.metadata()?.len();
    let start = from.max(length.saturating_sub(most));
    log.seek(SeekFrom::Start(start))?;
    // Where it begins in the middle of a line, that is no line.
    let mut is_whole = start == from;
    let (mut at, mut read) = (start, start);
    let mut piece = vec![0; PIECE];
    // What is appended meanwhile is for the next time.
    while at < length
        && let Ok(taken @ 1..) = log.read(&mut piece)
    {
        let mut bytes = &piece[..taken];
        if !is_whole && let Some(begin) = after_cut(bytes) {
            bytes = &bytes[begin..];
            is_whole = true;
        }
        if is_whole {
            durations.read(bytes, &built);
        }
        let lines = whole(&piece[..taken]) as u64;
        read = if lines > 0 { at + lines } else { read };
        at += taken as u64;
    }
    Ok(Progress { inode: log.metadata()?.ino(), from, read, end: end(&log, read)? })
}

/// What is known again of so many bytes of a log.
fn end(log: &File, read: u64) -> io::Result<String> {
    let from = read.saturating_sub(END);
    let mut end = vec![0; usize::try_from(read - from).unwrap_or_default()];
    log.read_exact_at(&mut end, from)?;
    Ok(hex(&Sha256::digest(&end)))
}

fn packages(volume: &Path) -> io::Result<Vec<u8>> {
    let mut index = Vec::new();
    Beneath::open(&pkgdir(volume))?.linked("Packages")?.read_to_end(&mut index)?;
    Ok(index)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs::OpenOptions;
    use std::io::Write as _;

    use tempfile::TempDir;

    use super::*;

    /// The log of runs with two jobs, each of which merges two packages, whose builds last longer from run to run.
    fn log(runs: std::ops::Range<u64>) -> String {
        runs.fold(String::new(), |mut log, n| {
            let (began, built, merged) = (n * 10_000, n * 10_000 + n + 5, n * 10_000 + n + 300);
            let _ = write!(
                log,
                "{began}: Started emerge on: x\n{began}:  *** emerge --jobs=2 @world\n\
                 {began}:  >>> emerge (1 of 2) a/a{0}-{n} to /\n{began}:  >>> emerge (2 of 2) a/b-{n} to /\n\
                 {built}:  === (2 of 2) Merging Binary (a/b-{n}::/p/b.gpkg.tar)\n{built}:  ::: completed emerge (2 of 2) a/b-{n} to /\n\
                 {merged}:  === (1 of 2) Merging (a/a{0}-{n}::/r/a.ebuild)\n{merged}:  ::: completed emerge (1 of 2) a/a{0}-{n} to /\n\
                 {merged}:  *** terminating.\n",
                n % 30
            );
            log
        })
    }

    /// A volume with this log, and the number of bytes of it that are known.
    fn volume(log: &str) -> TempDir {
        let volume = tempfile::tempdir().unwrap();
        for directory in ["log", "state", "binpkgs"] {
            fs::create_dir(volume.path().join(directory)).unwrap();
        }
        fs::write(volume.path().join("log/emerge.log"), log).unwrap();
        volume
    }

    fn append(volume: &TempDir, text: &[u8]) {
        let log = volume.path().join("log/emerge.log");
        OpenOptions::new().append(true).open(log).unwrap().write_all(text).unwrap();
    }

    /// So many bytes of the log are known.
    fn read(volume: &TempDir) -> Option<u64> {
        let learnt = fs::read(file(volume.path())).ok()?;
        Some(serde_json::from_slice::<Learnt>(&learnt).unwrap().read)
    }

    /// All that durations are asked for.
    fn said(durations: &Durations) -> String {
        let mut names: Vec<&str> = durations.names().collect();
        names.sort_unstable();
        let of = |name, binary| durations.of(name, binary).collect::<Vec<_>>();
        let all = names.iter().map(|name| (name, of(name, false), of(name, true)));
        format!("{:?} {:?}", all.collect::<Vec<_>>(), durations.at_once(2))
    }

    /// Whatever a log was cut at when it was read before: in a run, in a line, in the middle of a letter.
    #[test]
    fn a_log_that_is_read_in_parts_says_the_same() {
        let (before, after) = (log(1..300), log(300..302) + "3020000: é\n" + &log(302..303));
        assert!(before.len() as u64 > SMALL);
        let whole = said(&durations(volume(&(before.clone() + &after)).path()));
        assert!(whole.contains("(\"a/b\", [], ["), "{whole}");
        for cut in (0..after.len()).step_by(7) {
            let (volume, (first, second)) = (volume(&before), after.as_bytes().split_at(cut));
            append(&volume, first);
            let _ = learn(volume.path());
            let read = read(&volume).unwrap();
            assert!(read <= (before.len() + cut) as u64 && read >= before.len() as u64, "{cut}");
            append(&volume, second);
            assert_eq!(said(&durations(volume.path())), whole, "{cut}");
            assert_eq!(said(&learn(volume.path())), whole, "{cut}");
        }
    }

    #[test]
    fn what_is_known_is_not_read_again_and_small_news_are_not_written_down() {
        let text = log(1..300);
        let volume = volume(&text);
        let known = said(&learn(volume.path()));
        let length = text.len() as u64;
        assert_eq!(read(&volume), Some(length));
        // It was other runs, as nobody but this test knows.
        let log_file = OpenOptions::new().write(true).open(volume.path().join("log/emerge.log")).unwrap();
        log_file.write_all_at(&text.replace("a/b-", "a/c-").as_bytes()[..text.len() / 2], 0).unwrap();
        assert_eq!(said(&learn(volume.path())), known);
        append(&volume, log(300..301).as_bytes());
        assert_ne!(said(&learn(volume.path())), known);
        assert_eq!(read(&volume), Some(length));
        append(&volume, log(301..600).as_bytes());
        let _ = durations(volume.path());
        assert_eq!(read(&volume), Some(length), "whoever only looks writes nothing");
        let _ = learn(volume.path());
        assert_eq!(read(&volume), Some(length + log(300..600).len() as u64));
    }

    /// It is as long as the file system lets the user portage make it, and no block of it is written.
    #[test]
    fn of_a_log_without_end_the_end_is_read() {
        let volume = volume("");
        let log_file = OpenOptions::new().write(true).open(volume.path().join("log/emerge.log")).unwrap();
        let huge = [4 << 40, 4 << 30].into_iter().find(|length| log_file.set_len(*length).is_ok()).unwrap();
        append(&volume, format!("0\n{}", log(1..300)).as_bytes());
        let (durations, progress) = look(volume.path(), 1 << 20);
        assert_eq!(said(&durations), said(&self::durations(self::volume(&log(1..300)).path())));
        assert_eq!(progress.unwrap().read, huge + 2 + log(1..300).len() as u64);
    }

    /// What happens to a log and to what was learnt from it.
    type Change = fn(&Path, &Path, &str);

    #[test]
    fn another_log_and_a_damaged_file_are_read_from_the_begin() {
        let old = log(1..300);
        let half = old.len() / 2;
        let edited = old[..half].replace("a/b-", "a/c-") + &old[half..];
        let newer = log(300..700);
        let in_place: Change = |log, _, text| fs::write(log, text).unwrap();
        let renamed: Change = |log, _, text| {
            fs::write(log.with_extension("new"), text).unwrap();
            fs::rename(log.with_extension("new"), log).unwrap();
        };
        let damaged: Change = |_, file, _| fs::write(file, "{").unwrap();
        let later: Change = |_, file, _| {
            let text = fs::read_to_string(file).unwrap().replace("\"a/b\"", "\"a/c\"");
            fs::write(file, text.replace("\"schema\": 1", "\"schema\": 2")).unwrap();
        };
        let no_durations: Change = |_, file, _| {
            let text = fs::read_to_string(file).unwrap();
            fs::write(file, text.replace("\"a/b\": \"", "\"a/b\": \"x")).unwrap();
        };
        for (what, change, text) in [
            ("written anew", in_place, &newer),
            ("cut short", in_place, &log(1..200)),
            ("replaced by one with the same end", renamed, &edited),
            ("damaged", damaged, &old),
            ("later", later, &old),
            ("no durations", no_durations, &old),
        ] {
            let (fresh, volume) = (said(&durations(volume(text).path())), volume(&old));
            let _ = learn(volume.path());
            assert!(read(&volume).is_some());
            change(&volume.path().join("log/emerge.log"), &file(volume.path()), text);
            assert_eq!(said(&durations(volume.path())), fresh, "{what}");
            let _ = learn(volume.path());
            assert_eq!(read(&volume), Some(text.len() as u64), "{what}");
        }
    }

    /// Portage removes the package of an older version, and when that was built is not known any more.
    #[test]
    fn what_was_learnt_of_a_binary_package_outlives_it() {
        let volume = volume(&log(1..300));
        let index = (1..300).fold("VERSION: 0\n".to_owned(), |index, n| {
            index + &format!("\nCPV: a/a{}-{n}\nBUILD_TIME: {}\n", n % 30, n * 10_000 + 7)
        });
        fs::write(volume.path().join("binpkgs/Packages"), index).unwrap();
        let exact = learn(volume.path());
        assert!(exact.of("a/a7", false).all(|seconds| seconds == 7));
        fs::remove_file(volume.path().join("binpkgs/Packages")).unwrap();
        assert_eq!(said(&durations(volume.path())), said(&exact));
    }
}
