//! Clones of repositories that git left half done when it was killed.
//!
//! Portage clones where there is no `.git`, into a directory that has to be empty, and fetches into one that is there
//! (`portage/sync/modules/git/git.py`). So what a kill in the middle of the first clone leaves is refused at every sync
//! from then on, and with `sync-depth = 0` a clone without files is even called up to date.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::quarantine::unreadable;
use super::repair;
use super::task::Task;
use crate::beneath::Beneath;
use crate::host::places::{is_there, listing, names};
use crate::model::Exit;
use crate::model::failure::Trouble;
use crate::portage::command::{self, Command};
use crate::portage::files::repository::Repository;
use crate::portage::output::sync::Synced;
use crate::procs;

/// No file that is read here is longer: the longest has a line for each branch and tag.
const LONGEST: u64 = 16 << 20;

/// Makes a repository ready for a sync; one sentence for each thing done. Nothing goes that a person may have made:
/// a clone is removed only if it has neither a commit nor a file, and files are written only where none is.
pub(crate) fn mend(task: &mut Task, repository: &Repository, done: &mut Vec<String>) -> Result<(), Trouble> {
    let location = &repository.location;
    let git = location.join(".git");
    let is_clone = git.symlink_metadata().is_ok_and(|meta| meta.is_dir());
    if repository.sync_type != "git" || !is_clone || !procs::git_pids().is_empty() {
        return Ok(());
    }
    repair::unlock(location, &procs::portage_pids(), done)?;
    let has_files = names(location).iter().any(|name| name != ".git");
    let has_commits = has_references(&git);
    if !has_commits && !has_files && is_clone_of(&git, &repository.sync_uri) {
        let removed = Beneath::open(location).and_then(|place| place.remove_all(".git"));
        removed.map_err(|problem| unreadable(&git, &problem))?;
        done.push(format!(
            "the clone of {} in {} was cut short and holds nothing: removed, so that it is cloned again",
            repository.name,
            location.display()
        ));
    } else if has_commits && (!git.join("index").exists() || !is_there(location)) {
        let path = location.display().to_string();
        if !git.join("index").exists() {
            ask_git(task, location, &command::check_out(&path, false))?;
        }
        ask_git(task, location, &command::check_out(&path, true))?;
        if is_there(location) {
            done.push(format!("files of {} in {path} were missing: checked out again", repository.name));
        }
    }
    Ok(())
}

/// Looks whether all of a repository is there after its sync: git calls a clone up to date whatever became of its
/// files. Those that are missing are written. A clone that git cannot read is named with what makes a new one.
pub(crate) fn complete(task: &mut Task, repository: &Repository, synced: &mut Synced) -> Result<(), Trouble> {
    let location = &repository.location;
    let is_clone = location.join(".git").symlink_metadata().is_ok_and(|meta| meta.is_dir());
    if repository.sync_type != "git" || !is_clone || task.handle.stopped() || !procs::git_pids().is_empty() {
        return Ok(());
    }
    let path = location.display().to_string();
    let listed = ask_git(task, location, &command::lost_files(&path))?;
    let at_head = ask_git(task, location, &command::is_at_head(&path))?;
    let mut damage = damage(&listed).or_else(|| damage(&at_head));
    if damage.is_none() && synced.failures().any(|(name, _)| name == repository.name) {
        damage = self::damage(&ask_git(task, location, &command::is_connected(&path))?);
    }
    if let Some(words) = damage {
        synced.damaged(repository, &words);
        return Ok(());
    }
    let lost = lines(&listed);
    let mut left = lost;
    if lost > 0 {
        ask_git(task, location, &command::check_out(&path, true))?;
        left = lines(&ask_git(task, location, &command::lost_files(&path))?);
    }
    synced.complete(repository, lost, left, at_head.0 != Exit::Code(1));
    Ok(())
}

/// What git said when it gave up, which it does with 128.
fn damage((exit, text): &(Exit, Vec<u8>)) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let words = || text.lines().filter_map(|line| line.strip_prefix("fatal: ")).next_back();
    (*exit == Exit::Code(128)).then(|| words().unwrap_or("it gave no reason").to_owned())
}

fn lines((exit, text): &(Exit, Vec<u8>)) -> usize {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    if *exit == Exit::Code(0) { lines.count() } else { 0 }
}

/// Asks git. A clone has its own configuration, which names programs to run, so whoever owns the clone owns them as well: git runs as
/// that user, as it does in Portage's own sync (make.conf(5), FEATURES, usersync).
fn ask_git(task: &mut Task, location: &Path, command: &Command) -> Result<(Exit, Vec<u8>), Trouble> {
    let owner = |path: &Path| {
        let meta = path.symlink_metadata().ok()?;
        Some((meta.uid(), meta.gid())).filter(|(uid, _)| *uid != 0)
    };
    let owner = owner(location).or_else(|| owner(&location.join(".git")));
    task.capture_as(owner, command)
}

/// Whether any commit has a name. What is not readable may have one.
fn has_references(git: &Path) -> bool {
    git.join("packed-refs").exists() || listing(&git.join("refs")).map_or(true, |files| !files.is_empty())
}

/// Whether it was made to fetch from there, or not yet told from where.
fn is_clone_of(git: &Path, uri: &str) -> bool {
    let config = Beneath::open(git).and_then(|git| git.read("config", LONGEST)).unwrap_or_default();
    let config = String::from_utf8_lossy(&config);
    // git is given a path where repos.conf has a file:// (`git.py:new`).
    let path = |uri: &str| uri.strip_prefix("file://").unwrap_or(uri).to_owned();
    let url = |line: &str| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "url").then(|| path(value.trim()))
    };
    config.lines().filter_map(url).all(|url| url == path(uri))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn whose_clone_it_is() {
        let git = std::env::temp_dir().join(format!("gbsup-clones-{}", std::process::id()));
        fs::create_dir_all(git.join("refs/heads")).unwrap();
        assert!(!has_references(&git));
        assert!(is_clone_of(&git, "https://x.example/a"));
        fs::write(git.join("config"), "[remote \"origin\"]\n\turl = /srv/tree\n").unwrap();
        assert!(is_clone_of(&git, "file:///srv/tree"));
        assert!(!is_clone_of(&git, "https://x.example/a"));
        fs::write(git.join("refs/heads/main"), "f00\n").unwrap();
        assert!(has_references(&git));
        fs::remove_file(git.join("refs/heads/main")).unwrap();
        fs::write(git.join("packed-refs"), "# pack-refs with: peeled\nba5 refs/heads/main\n").unwrap();
        assert!(has_references(&git));
        fs::remove_dir_all(&git).unwrap();
    }
}
