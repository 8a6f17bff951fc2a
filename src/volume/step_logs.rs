//! Where the logs of steps are: `steps/<cycle>/<step>.log` on the volume, which is root's alone.
//!
//! Older versions had them in `log/cycle`, and `log` belongs to Portage. They are moved once; for people and their scripts a link
//! stays there, which nothing of gbsup follows.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::Path;

use crate::beneath::{Beneath, Kind};
use crate::model::work::STEPS;

/// Where they were.
const OLD: &str = "log/cycle";
/// What leads there from `log`.
const LINK: &str = "../steps";

/// Portage's record of what it did, in `log`.
const EMERGE_LOG: &str = "emerge.log";

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

/// Removes what stands in the place of emerge.log and is no file: Portage itself, as root, would wait at a pipe for ever and write
/// through a link of another user. A link of root's is an administrator's.
pub(crate) fn unblock(volume: &Path) -> io::Result<Option<String>> {
    let Ok(log) = Beneath::open(&volume.join("log")) else { return Ok(None) };
    match log.entry(EMERGE_LOG) {
        Ok(entry) if entry.kind != Kind::File && entry.owner != 0 => {}
        _ => return Ok(None),
    }
    log.remove_all(EMERGE_LOG)?;
    Ok(Some(format!("log/{EMERGE_LOG} was no file, and emerge would have waited for it: removed")))
}

/// The highest cycle of which there are logs.
pub(crate) fn last_cycle(volume: &Path) -> u64 {
    [STEPS, OLD].iter().filter_map(|place| highest(&volume.join(place))).max().unwrap_or(0)
}

fn highest(place: &Path) -> Option<u64> {
    // The link is the same directory once more.
    if fs::symlink_metadata(place).ok()?.is_symlink() {
        return None;
    }
    let entries = Beneath::open(place).ok()?.list(".").ok()?;
    entries.iter().filter_map(|entry| entry.path.file_name().and_then(OsStr::to_str)?.parse().ok()).max()
}

/// Moves the old directory to the new place, if root made it and the new place is free.
fn adopt(old: &Path, steps: &Path) -> io::Result<bool> {
    if fs::symlink_metadata(steps).is_ok() {
        // Empty as a rule: made by an installation that then went back to an older version.
        drop(fs::remove_dir(steps));
    }
    let ours = |meta: fs::Metadata| {
        meta.is_dir() && (meta.uid() == 0 || meta.uid() == nix::unistd::geteuid().as_raw())
    };
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

/// Keeps the link in `log`, whatever is in its place but a directory.
fn link(volume: &Path) -> io::Result<()> {
    let (log, name) = match Beneath::open(&volume.join("log")) {
        Ok(log) => (log, "cycle"),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(problem) => return Err(problem),
    };
    match log.entry(name) {
        Ok(entry) if entry.kind == Kind::Directory => return Ok(()),
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
        // An older version in between has written through the link.
        fs::create_dir(volume.join("log/cycle/3")).unwrap();
        assert_eq!(last_cycle(volume), 3);
    }
}
