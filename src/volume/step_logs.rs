//! Where the logs of steps are: `steps/<cycle>/<step>.log` on the volume, which is root's alone.
//!
//! Older versions had them in `log/cycle`, and `log` belongs to Portage. They are moved once; for people and their scripts a link
//! stays there, which nothing of gbsup follows.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::Path;

use crate::beneath::{Beneath, Entry, Kind};
use crate::model::work::STEPS;

/// Where they were.
const OLD: &str = "log/cycle";
/// What leads there from `log`.
const LINK: &str = "../steps";

/// Its name there.
const NAME: &str = "cycle";

/// What Portage opens in `log` as root, by names that everybody knows: its record of what it did, what it fetches beside the builds,
/// and messages of packages.
const OPENED: [&str; 3] = ["emerge.log", "emerge-fetch.log", "elog/summary.log"];
/// Where in `log` it writes files whose names anybody can guess.
const WRITTEN: [&str; 2] = [".", "elog"];
/// No builder has as many cycles: a day each makes it a million years.
const NEVER: u64 = 1 << 32;

/// Makes the directory, moves what an older version left, and keeps the link. One sentence when something was moved.
pub(crate) fn prepare(volume: &Path) -> io::Result<Option<String>> {
    let (steps, old) = (volume.join(STEPS), volume.join(OLD));
    let moved = fs::symlink_metadata(&old).is_ok_and(|meta| meta.is_dir()) && adopt(&old, &steps)?;
    if !steps.is_dir() {
        DirBuilder::new().recursive(true).mode(0o755).create(&steps)?;
    }
    link(volume)?;
    Ok(moved.then(|| format!("the logs of steps are in {STEPS}/ now, and {OLD} is a link to it")))
}

/// Removes what stands in the place of a file that Portage opens as root and is none: it would wait at a pipe for ever and write
/// through a link of another user. A link of root's is an administrator's. One sentence for each.
pub(crate) fn unblock(volume: &Path) -> io::Result<Vec<String>> {
    let Ok(log) = Beneath::open(&volume.join("log")) else { return Ok(Vec::new()) };
    let mut done = Vec::new();
    for name in OPENED {
        if log.entry(name).is_ok_and(|entry| entry.kind != Kind::File && entry.owner != 0) {
            log.remove_all(name)?;
            done.push(format!("log/{name} was no file, and emerge would have waited for it: removed"));
        }
    }
    let mut others = 0_usize;
    for place in WRITTEN {
        let entries = log.list(place).unwrap_or_default();
        let planted =
            |entry: &&Entry| entry.kind == Kind::Other && entry.owner != 0 && entry.path != Path::new(NAME);
        for entry in entries.iter().filter(planted) {
            log.remove(&entry.path)?;
            others += 1;
        }
    }
    if others > 0 {
        done.push(format!(
            "{others} links or pipes of other users in log/, where Portage writes as root: removed"
        ));
    }
    Ok(done)
}

/// The highest cycle of which there are logs.
pub(crate) fn last_cycle(volume: &Path) -> u64 {
    [STEPS, OLD].iter().filter_map(|place| highest(&volume.join(place))).max().unwrap_or(0)
}

/// As far as root made the directory: whoever else writes into `log` could have the cycles counted as they like.
fn highest(place: &Path) -> Option<u64> {
    // The link is the same directory once more.
    if !is_ours(&fs::symlink_metadata(place).ok()?) {
        return None;
    }
    let entries = Beneath::open(place).ok()?.list(".").ok()?;
    let number = |entry: &Entry| entry.path.file_name().and_then(OsStr::to_str)?.parse().ok();
    entries.iter().filter_map(number).filter(|cycle| *cycle < NEVER).max()
}

/// Whether it is a directory of root's.
fn is_ours(meta: &fs::Metadata) -> bool {
    meta.is_dir() && (meta.uid() == 0 || meta.uid() == nix::unistd::geteuid().as_raw())
}

/// Moves the old directory to the new place, if root made it and the new place is free.
fn adopt(old: &Path, steps: &Path) -> io::Result<bool> {
    if fs::symlink_metadata(steps).is_ok() {
        // Empty as a rule: made by an installation that then went back to an older version.
        drop(fs::remove_dir(steps));
    }
    let ours = |meta: fs::Metadata| is_ours(&meta);
    if fs::symlink_metadata(steps).is_ok() || !fs::symlink_metadata(old).is_ok_and(ours) {
        return Ok(false);
    }
    match fs::rename(old, steps) {
        Ok(()) => {}
        // `log` is another file system: the old logs stay where they are.
        Err(problem) if problem.kind() == io::ErrorKind::CrossesDevices => return Ok(false),
        Err(problem) => return Err(problem),
    }
    // Whoever could write beside it may have put another one there in between.
    if !fs::symlink_metadata(steps).is_ok_and(ours) {
        fs::rename(steps, steps.with_file_name("steps.foreign"))?;
        return Ok(false);
    }
    Ok(true)
}

/// Keeps the link in `log`, whatever is in its place but a directory of root's.
fn link(volume: &Path) -> io::Result<()> {
    let (log, name) = match Beneath::open(&volume.join("log")) {
        Ok(log) => (log, NAME),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(problem) => return Err(problem),
    };
    match log.entry(name) {
        Ok(entry) if entry.kind == Kind::Directory && entry.owner == 0 => return Ok(()),
        Ok(entry) if entry.kind == Kind::Directory => log.remove_all(name)?,
        Ok(_) if log.link(name).is_ok_and(|target| target == Path::new(LINK)) => return Ok(()),
        Ok(_) => log.remove(name)?,
        Err(_) => {}
    }
    symlink(LINK, log.path().join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn old_logs_are_moved_once_and_a_link_stays() {
        let place = tempfile::tempdir().unwrap();
        let volume = place.path();
        fs::create_dir_all(volume.join("log/cycle/17")).unwrap();
        fs::write(volume.join("log/cycle/17/sync.log"), "old").unwrap();
        assert_eq!(last_cycle(volume), 17);
        assert!(prepare(volume).unwrap().is_some());
        assert_eq!(text(&volume.join("steps/17/sync.log")), "old");
        assert_eq!(text(&volume.join("log/cycle/17/sync.log")), "old");
        assert_eq!(last_cycle(volume), 17);
        assert_eq!(prepare(volume).unwrap(), None);
    }

    #[test]
    fn what_others_plant_in_its_place_is_not_taken_over() {
        let place = tempfile::tempdir().unwrap();
        let volume = place.path();
        fs::create_dir_all(volume.join("elsewhere/9")).unwrap();
        fs::create_dir(volume.join("log")).unwrap();
        symlink("../elsewhere", volume.join("log/cycle")).unwrap();
        assert_eq!(last_cycle(volume), 0);
        assert_eq!(prepare(volume).unwrap(), None);
        assert_eq!(fs::read_link(volume.join("log/cycle")).unwrap(), Path::new(LINK));
        assert!(volume.join("elsewhere/9").is_dir());
        // So is a directory, and how many cycles it says there were.
        fs::remove_file(volume.join("log/cycle")).unwrap();
        fs::create_dir_all(volume.join("log/cycle/7")).unwrap();
        fs::create_dir_all(volume.join("log/cycle/18446744073709551615")).unwrap();
        assert_eq!(last_cycle(volume), 7, "root's, but for what cannot be");
        std::os::unix::fs::lchown(volume.join("log/cycle"), Some(250), Some(250)).unwrap();
        assert_eq!(last_cycle(volume), 0);
        assert_eq!(prepare(volume).unwrap(), None);
        assert_eq!(fs::read_link(volume.join("log/cycle")).unwrap(), Path::new(LINK));
        // An older version in between has written through the link.
        fs::create_dir(volume.join("log/cycle/3")).unwrap();
        assert_eq!(last_cycle(volume), 3);
    }

    #[test]
    fn what_portage_would_follow_as_root_is_removed() {
        use nix::sys::stat::Mode;
        use nix::unistd::mkfifo;
        use std::os::unix::fs::lchown;

        let place = tempfile::tempdir().unwrap();
        let volume = place.path();
        fs::create_dir_all(volume.join("log/elog")).unwrap();
        let at = |name: &str| volume.join("log").join(name);
        fs::write(at("a:b-1:20261128-000000.log"), "").unwrap();
        symlink("/nowhere", at("mine.log")).unwrap();
        mkfifo(&at("emerge.log"), Mode::S_IRWXU).unwrap();
        for name in
            ["emerge-fetch.log", "elog/summary.log", "elog/a:b-1:20300101-000000.log", "x.log", "cycle"]
        {
            symlink("/nowhere", at(name)).unwrap();
        }
        for name in [
            "emerge.log",
            "emerge-fetch.log",
            "elog/summary.log",
            "elog/a:b-1:20300101-000000.log",
            "x.log",
            "cycle",
        ] {
            lchown(at(name), Some(250), Some(250)).unwrap();
        }
        let done = unblock(volume).unwrap();
        assert_eq!(done.len(), 4, "{done:?}");
        assert!(done[3].starts_with("2 links"), "{done:?}");
        let mut left: Vec<_> = ["", "elog"]
            .iter()
            .flat_map(|place| fs::read_dir(at(place)).unwrap())
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["a:b-1:20261128-000000.log", "cycle", "elog", "mine.log"]);
        assert!(unblock(volume).unwrap().is_empty());
    }
}
