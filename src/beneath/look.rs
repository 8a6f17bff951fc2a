//! Opening what is below a directory, by the kernel's own rule or, where it has none, name by name.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::Mode;

/// How deep a tree is walked with all its directories open. Deeper ones are brought up before they are removed, and
/// what is in them is not counted.
pub(super) const DEPTH: usize = 64;

/// Opens what is at a path below a directory, through no link and out of it by none.
pub(crate) fn look(directory: BorrowedFd<'_>, path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
    open(directory, path, flags | OFlag::O_NOFOLLOW, ResolveFlag::RESOLVE_NO_SYMLINKS)
}

/// The same through links that stay below it. Without the kernel's rule there is no such link.
pub(super) fn look_within(directory: BorrowedFd<'_>, path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
    open(directory, path, flags, ResolveFlag::empty())
}

fn open(directory: BorrowedFd<'_>, path: &Path, flags: OFlag, more: ResolveFlag) -> io::Result<OwnedFd> {
    if path.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(refused("leads out of its place"));
    }
    let flags = flags | OFlag::O_CLOEXEC;
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS | more;
    let how = OpenHow::new().flags(flags).resolve(resolve);
    let mut opened = openat2(directory, path, how);
    // Another process moved something meanwhile: openat2(2) asks to try again.
    for _ in 0..8 {
        if !matches!(opened, Err(Errno::EAGAIN)) {
            break;
        }
        opened = openat2(directory, path, how);
    }
    match opened {
        // A kernel before 5.6, or a filter of the container engine that does not know the call.
        Err(Errno::ENOSYS | Errno::EPERM) => step_by_step(directory, path, flags | OFlag::O_NOFOLLOW),
        Err(Errno::ELOOP | Errno::EXDEV) => Err(refused("leads through a link or out of its place")),
        // What cannot be opened to be read is no regular file: a socket, a device without a driver.
        Err(Errno::ENXIO | Errno::ENODEV) => Err(refused("is not a regular file")),
        opened => Ok(opened?),
    }
}

/// The same by plain names, one after the other, each of which has to be a directory and no link.
pub(super) fn step_by_step(directory: BorrowedFd<'_>, path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::CurDir => {}
            _ => return Err(refused("leads out of its place")),
        }
    }
    let last = names.pop().unwrap_or(OsStr::new("."));
    let through = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut at = openat(directory, ".", through, Mode::empty())?;
    for name in names {
        at = openat(&at, name, through, Mode::empty())?;
    }
    match openat(&at, last, flags, Mode::empty()) {
        Err(Errno::ELOOP) => Err(refused("leads through a link or out of its place")),
        Err(Errno::ENXIO | Errno::ENODEV) => Err(refused("is not a regular file")),
        opened => Ok(opened?),
    }
}

pub(super) fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("not read or changed, since it {why}"))
}

/// The names in a directory, but for itself and the one above.
pub(super) fn names(directory: &mut Dir) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in directory.iter() {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}
