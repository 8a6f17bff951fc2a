//! Removing all that is in a directory, however deep.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, renameat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::look::{DEPTH, look, names};

/// Removes all that is in a directory. Directories far down are first moved up, so that no depth is too much.
pub(super) fn empty(top: OwnedFd) -> io::Result<()> {
    let mut number = 0_u64;
    // Each with the name that it has in the one before.
    let mut open = vec![(Dir::from_fd(top)?, OsString::new())];
    while let Some((directory, _)) = open.last_mut() {
        let mut below = None;
        for name in names(directory)? {
            match unlinkat(&*directory, name.as_os_str(), UnlinkatFlags::NoRemoveDir) {
                Err(Errno::EISDIR) => {}
                Ok(()) | Err(Errno::ENOENT) => continue,
                Err(problem) => return Err(problem.into()),
            }
            match unlinkat(&*directory, name.as_os_str(), UnlinkatFlags::RemoveDir) {
                Err(Errno::ENOTEMPTY | Errno::EEXIST) => {}
                Ok(()) | Err(Errno::ENOENT) => continue,
                Err(problem) => return Err(problem.into()),
            }
            below = Some(name);
            break;
        }
        let Some(name) = below else {
            let Some((_, name)) = open.pop() else { break };
            if let Some((parent, _)) = open.last() {
                match unlinkat(parent, name.as_os_str(), UnlinkatFlags::RemoveDir) {
                    // Somebody still writes there: it is emptied again.
                    Ok(()) | Err(Errno::ENOENT | Errno::ENOTEMPTY | Errno::EEXIST) => {}
                    Err(problem) => return Err(problem.into()),
                }
            }
            continue;
        };
        number += 1;
        if open.len() < DEPTH {
            let (directory, _) = &open[open.len() - 1];
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
            match look(directory.as_fd(), Path::new(&name), flags) {
                Ok(inner) => open.push((Dir::from_fd(inner)?, name)),
                Err(problem) if problem.kind() == io::ErrorKind::NotFound => {}
                Err(problem) => return Err(problem),
            }
        } else {
            let (top, directory) = (&open[0].0, &open[open.len() - 1].0);
            let up = OsString::from(format!(".gbsup-{number}-{}", std::process::id()));
            renameat(directory, name.as_os_str(), top, up.as_os_str())?;
        }
    }
    Ok(())
}
