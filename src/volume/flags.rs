//! Flag files: what is touched in `control/` from the host side of the volume.
//!
//! `resume`, `sync` and `stop` are taken and removed; `pause` holds while it exists. The kernel
//! tells when something changes, so nothing polls; every notice, of whatever kind, leads to one
//! look at the directory, and so does a queue that ran over.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use crate::model::request::Request;
use crate::model::{Asker, Event};
use crate::watch::Watch;

/// The directory and the kernel's watch on it.
pub(crate) struct Flags {
    directory: PathBuf,
    watch: Arc<Watch>,
}

/// What a look at the directory found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Requests, whose files are gone now.
    pub requests: Vec<Request>,
    /// The `pause` file is there.
    pub hold: bool,
    /// Names that mean nothing.
    pub unknown: Vec<String>,
    /// Requests that are not made because their entry cannot be removed, one sentence each.
    pub stuck: Vec<String>,
}

impl Taken {
    /// What the loop is to know of it.
    pub(crate) fn events(self) -> impl Iterator<Item = Event> {
        let text = (!self.stuck.is_empty()).then(|| self.stuck.join("; "));
        let asked = self.requests.into_iter().map(|request| Event::Asked { by: Asker::Flag, request });
        [Event::Hold(self.hold)].into_iter().chain(asked).chain([Event::Warning { key: "flags", text }])
    }
}

impl Flags {
    /// Begins to watch. What the watch tells means: look.
    pub(crate) fn watch(directory: PathBuf, watch: Arc<Watch>) -> io::Result<Self> {
        let flags = Self { directory, watch };
        flags.renew()?;
        Ok(flags)
    }

    /// Watches the directory again, after it may have been made anew.
    pub(crate) fn renew(&self) -> io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        self.watch.only(&[&self.directory]).map(drop)
    }

    /// Looks at the directory and takes the requests that lie there.
    pub(crate) fn look(&self) -> io::Result<Taken> {
        look(&self.directory)
    }
}

fn look(directory: &Path) -> io::Result<Taken> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let mut found = Taken { requests: Vec::new(), hold: false, unknown: Vec::new(), stuck: Vec::new() };
    for name in names {
        let request = match name.as_str() {
            "resume" => Request::Resume { skip: Vec::new() },
            "sync" => Request::Sync,
            "stop" => Request::Stop,
            "pause" => {
                found.hold = true;
                continue;
            }
            // Editors and atomic writers leave dotfiles.
            _ if name.starts_with('.') => continue,
            _ => {
                found.unknown.push(name);
                continue;
            }
        };
        let entry = directory.join(&name);
        match fs::remove_file(&entry) {
            Ok(()) => found.requests.push(request),
            // Somebody took it back.
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => {}
            // It would be made again and again.
            Err(problem) => found.stuck.push(stuck(&entry, &problem)),
        }
    }
    Ok(found)
}

/// Why a request is not made. A pipe, a link or a device is as good as a file; only these two are left.
fn stuck(entry: &Path, problem: &io::Error) -> String {
    let shown = entry.display();
    if entry.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        return format!("the flag {shown} is a directory and no file, so it is not followed: rmdir {shown}");
    }
    format!("the flag {shown} cannot be removed ({problem}), so it is not followed: lsattr {shown}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn requests_are_taken_and_pause_stays() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["sync", "pause", ".sync.swp", "resume", "restart"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let found = look(dir.path()).unwrap();
        assert_eq!(found.requests, [Request::Resume { skip: vec![] }, Request::Sync]);
        assert!(found.hold);
        assert_eq!(found.unknown, ["restart"]);
        let found = look(dir.path()).unwrap();
        assert_eq!((found.requests.len(), found.hold), (0, true));
    }

    #[test]
    fn an_entry_that_cannot_be_taken_is_named_and_hides_no_other() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("resume")).unwrap();
        nix::unistd::mkfifo(&dir.path().join("stop"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        std::os::unix::fs::symlink("/nowhere", dir.path().join("sync")).unwrap();
        std::os::unix::fs::symlink("/nowhere", dir.path().join("pause")).unwrap();
        fs::create_dir(dir.path().join("start")).unwrap();
        let found = look(dir.path()).unwrap();
        assert_eq!(found.requests, [Request::Stop, Request::Sync]);
        assert!(found.hold);
        assert_eq!(found.unknown, ["start"]);
        let told = format!("rmdir {}/resume", dir.path().display());
        assert!(found.stuck.len() == 1 && found.stuck[0].ends_with(&told), "{:?}", found.stuck);
    }

    #[test]
    fn a_touch_is_noticed_also_after_the_directory_was_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let control = dir.path().join("control");
        let (watch, long) = (Watch::new().unwrap(), Some(Duration::from_mins(1)));
        let flags = Flags::watch(control.clone(), Arc::clone(&watch)).unwrap();
        fs::write(control.join("sync"), "").unwrap();
        watch.wait(long).unwrap();
        assert_eq!(flags.look().unwrap().requests, [Request::Sync]);
        fs::remove_dir_all(&control).unwrap();
        flags.renew().unwrap();
        watch.wait(Some(Duration::ZERO)).unwrap();
        fs::write(control.join("stop"), "").unwrap();
        watch.wait(long).unwrap();
        assert_eq!(flags.look().unwrap().requests, [Request::Stop]);
    }
}
