//! Changes in files and directories, as the kernel tells them: inotify(7).
//!
//! Nothing polls, and no thread is needed: a container that may have no more of them still notices a flag file.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::io::unix::AsyncFd;

use crate::sys;

/// Everything but reading: who looks at a directory because of a change must not cause the next one.
const CHANGES: AddWatchFlags = AddWatchFlags::IN_ATTRIB
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_MODIFY)
    .union(AddWatchFlags::IN_MOVE)
    .union(AddWatchFlags::IN_MOVE_SELF);

/// Places that are watched.
pub(crate) struct Watch {
    kernel: Inotify,
    places: Mutex<HashMap<PathBuf, WatchDescriptor>>,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    ///
    /// The kernel's: a user may have so many of these (`fs.inotify.max_user_instances`).
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        let kernel = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        Ok(Arc::new(Self { kernel, places: Mutex::default() }))
    }

    /// Watches these and no others, the entries of a directory and not what is below them; says whether anything about that is new.
    ///
    /// # Errors
    ///
    /// The kernel's: a place is not there, or a user may watch no more (`fs.inotify.max_user_watches`).
    pub(crate) fn only(&self, wanted: &[&Path]) -> io::Result<bool> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let before = places.len();
        places.retain(|place, descriptor| {
            let stays = wanted.contains(&place.as_path());
            if !stays {
                // The place may be gone, and its watch with it.
                let _gone = self.kernel.rm_watch(*descriptor);
            }
            stays
        });
        let mut is_new = places.len() != before;
        for place in wanted {
            // A directory that was made anew has another descriptor than the one that was there before.
            let descriptor = self.kernel.add_watch(*place, CHANGES)?;
            is_new |= places.insert(place.to_path_buf(), descriptor) != Some(descriptor);
        }
        Ok(is_new)
    }

    /// Waits until something has changed, or for so long.
    pub(crate) fn wait(&self, at_most: Option<Duration>) -> io::Result<()> {
        let timeout = at_most.map_or(PollTimeout::NONE, |time| time.try_into().unwrap_or(PollTimeout::MAX));
        match poll(&mut [PollFd::new(self.kernel.as_fd(), PollFlags::POLLIN)], timeout) {
            // A signal, such as that of a terminal of another size.
            Ok(_) | Err(Errno::EINTR) => self.taken().map(drop),
            Err(problem) => Err(problem.into()),
        }
    }

    /// Waits until something has changed, or until there is something at another descriptor; whether that is so.
    pub(crate) fn wait_or(&self, other: BorrowedFd<'_>, at_most: Option<Duration>) -> io::Result<bool> {
        let timeout = at_most.map_or(PollTimeout::NONE, |time| time.try_into().unwrap_or(PollTimeout::MAX));
        let mut polled =
            [PollFd::new(self.kernel.as_fd(), PollFlags::POLLIN), PollFd::new(other, PollFlags::POLLIN)];
        match poll(&mut polled, timeout) {
            Ok(_) => {
                self.taken()?;
                Ok(polled[1].revents().is_some_and(|events| !events.is_empty()))
            }
            Err(Errno::EINTR) => Ok(false),
            Err(problem) => Err(problem.into()),
        }
    }

    /// Takes all that was told, since one look is enough for it; whether there was anything.
    fn taken(&self) -> io::Result<bool> {
        let mut any = false;
        loop {
            match self.kernel.read_events() {
                Ok(_) => any = true,
                Err(Errno::EAGAIN) => return Ok(any),
                Err(Errno::EINTR) => {}
                Err(problem) => return Err(problem.into()),
            }
        }
    }
}

/// A watch in an event loop.
pub(crate) struct Told {
    watch: Arc<Watch>,
    ready: AsyncFd<OwnedFd>,
}

impl Told {
    /// Registers with the loop that this is called in.
    pub(crate) fn new(watch: Arc<Watch>) -> io::Result<Self> {
        let ready = sys::registered(watch.kernel.as_fd().try_clone_to_owned()?)?;
        Ok(Self { watch, ready })
    }

    /// Waits until something has changed.
    pub(crate) async fn next(&self) -> io::Result<()> {
        loop {
            let mut ready = self.ready.readable().await?;
            let any = self.watch.taken()?;
            ready.clear_ready();
            if any {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const LONG: Option<Duration> = Some(Duration::from_mins(1));

    #[test]
    fn what_changes_is_told_and_what_is_looked_at_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        fs::create_dir(&one).unwrap();
        fs::create_dir(&other).unwrap();
        let watch = Watch::new().unwrap();
        assert!(watch.only(&[&one, &other]).unwrap());
        assert!(!watch.only(&[&other, &one]).unwrap());
        fs::read_dir(&one).unwrap().for_each(drop);
        assert!(!watch.taken().unwrap());
        fs::write(one.join("a"), "").unwrap();
        watch.wait(LONG).unwrap();
        assert!(watch.only(&[&other]).unwrap());
        watch.taken().unwrap();
        fs::write(one.join("b"), "").unwrap();
        assert!(!watch.taken().unwrap());
    }

    #[test]
    fn a_directory_that_was_made_anew_is_watched_again() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("place");
        let watch = Watch::new().unwrap();
        assert!(watch.only(&[&place]).is_err());
        fs::create_dir(&place).unwrap();
        watch.only(&[&place]).unwrap();
        fs::remove_dir(&place).unwrap();
        fs::create_dir(&place).unwrap();
        assert!(watch.only(&[&place]).unwrap());
        watch.taken().unwrap();
        fs::write(place.join("a"), "").unwrap();
        assert!(watch.taken().unwrap());
    }

    #[test]
    fn more_than_a_queue_takes_is_told_as_well() {
        let dir = tempfile::tempdir().unwrap();
        let watch = Watch::new().unwrap();
        watch.only(&[dir.path()]).unwrap();
        for number in 0..500 {
            fs::write(dir.path().join(format!("{number}{}", "-".repeat(200))), "").unwrap();
        }
        assert!(watch.taken().unwrap());
        assert!(!watch.taken().unwrap());
    }

    #[tokio::test]
    async fn an_event_loop_hears_it() {
        let dir = tempfile::tempdir().unwrap();
        let watch = Watch::new().unwrap();
        watch.only(&[dir.path()]).unwrap();
        let told = Told::new(watch).unwrap();
        for name in ["a", "b"] {
            fs::write(dir.path().join(name), "").unwrap();
            told.next().await.unwrap();
        }
    }
}
