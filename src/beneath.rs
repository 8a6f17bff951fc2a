//! Directories that others may write into, looked at and cleared by root.
//!
//! `log/`, `distfiles/`, Portage's build directory and the repositories belong to the user portage, and whatever runs there as
//! that user can plant what it likes under any name. So nothing is looked up there by a path from the root: a directory is opened
//! once, and the kernel looks everything else up below it, through no link (openat2(2)). Only regular files are opened, and opening
//! never waits for the other end of a pipe.

mod empty;
mod look;
mod near;

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, unlinkat};

use empty::empty;
pub(crate) use look::look;
use look::{DEPTH, look_within, names, refused};
pub(crate) use near::Near;

/// Links of root in the place of the directory itself that are followed one after the other.
const LINKS: usize = 8;
/// What is only digested or compared is looked at as far as this.
const DIGESTED: u64 = 16 << 20;
/// The user and the group `portage` of every Gentoo (acct-user/portage).
pub(crate) const PORTAGE_ID: u32 = 250;

/// A directory that others may write into.
#[derive(Debug)]
pub(crate) struct Beneath {
    directory: OwnedFd,
    path: PathBuf,
}

/// Something in such a directory.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its path below the directory.
    pub(crate) path: PathBuf,
    /// What it is.
    pub(crate) kind: Kind,
    /// Bytes.
    pub(crate) size: u64,
    /// Its number on its file system.
    pub(crate) inode: u64,
    /// The user that it belongs to.
    pub(crate) owner: u32,
    /// When its content was last changed.
    pub(crate) modified: SystemTime,
    /// When it came to this place, was changed or got another owner.
    pub(crate) changed: SystemTime,
}

/// What something is. A link is never followed, so what it leads to is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Other,
}

impl Beneath {
    /// Opens the directory. What leads to it is trusted, and a link in its own place when it is root's.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut place = path.to_owned();
        for _ in 0..LINKS {
            let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let found = openat(AT_FDCWD, &place, flags, Mode::empty())?;
            let meta = fstat(&found)?;
            match kind(&meta) {
                Kind::Directory => {
                    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
                    let directory = openat(&found, ".", flags, Mode::empty())?;
                    return Ok(Self { directory, path: path.to_owned() });
                }
                Kind::Other if is_link(&meta) && is_ours(&meta) => {
                    let target = PathBuf::from(readlinkat(&found, "")?);
                    place = place.parent().unwrap_or(Path::new("/")).join(target);
                }
                Kind::File => return Err(io::ErrorKind::NotADirectory.into()),
                Kind::Other => return Err(refused("is a link of another user or no directory")),
            }
        }
        Err(refused("is a chain of links"))
    }

    /// For whoever confines this process to it.
    pub(crate) fn handle(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in a directory below it (`.` for itself), by name. What vanishes meanwhile is left out.
    pub(crate) fn list(&self, path: impl AsRef<Path>) -> io::Result<Vec<Entry>> {
        let path = path.as_ref();
        let mut directory = Dir::from_fd(self.directory(path)?)?;
        let mut found = Vec::new();
        for name in names(&mut directory)? {
            if let Ok(meta) = fstatat(&directory, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                found.push(entry(relative(path).join(name), &meta));
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// What is at a path below it.
    pub(crate) fn entry(&self, path: impl AsRef<Path>) -> io::Result<Entry> {
        let (parent, name) = self.parent(path.as_ref())?;
        Ok(entry(path.as_ref().to_owned(), &fstatat(&parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?))
    }

    /// The text of a link below it.
    pub(crate) fn link(&self, path: impl AsRef<Path>) -> io::Result<PathBuf> {
        let (parent, name) = self.parent(path.as_ref())?;
        Ok(readlinkat(&parent, name)?.into())
    }

    /// A regular file below it, to be read. It may be long, and grow.
    ///
    /// # Errors
    /// Also for a file with another name somewhere that not everybody may read: it was linked here by whoever wants it shown.
    pub(crate) fn file(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let file = self.linked(path)?;
        if is_borrowed(&file.metadata()?) {
            return Err(refused("is a second name of a file of another user"));
        }
        Ok(file)
    }

    /// The same whatever other names it has, for a place where root alone makes files: releases are made of second names of
    /// binary packages.
    pub(crate) fn linked(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let file: File =
            look(self.directory.as_fd(), path.as_ref(), OFlag::O_RDONLY | OFlag::O_NONBLOCK)?.into();
        if !file.metadata()?.is_file() {
            return Err(refused("is not a regular file"));
        }
        Ok(file)
    }

    /// Makes sure of a directory right below it, with this owner, group and mode. What else has its name is removed: whoever put
    /// it there wants root to follow it.
    pub(crate) fn make(&self, name: &str, (owner, group): (u32, u32), mode: u32) -> io::Result<()> {
        if self.entry(name).is_ok_and(|entry| entry.kind != Kind::Directory) {
            self.remove(name)?;
        }
        match mkdirat(&self.directory, name, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(problem) => return Err(problem.into()),
        }
        let directory = self.directory(Path::new(name))?;
        let meta = fstat(&directory)?;
        let moved = meta.st_uid != owner || meta.st_gid != group;
        if moved {
            fchown(&directory, Some(Uid::from_raw(owner)), Some(Gid::from_raw(group)))?;
        }
        if moved || meta.st_mode & 0o7777 != mode {
            fchmod(&directory, Mode::from_bits_truncate(mode))?;
        }
        Ok(())
    }

    /// A handle on whatever is at a path below it, which opens nothing: no pipe is waited for, no device is started.
    pub(crate) fn any(&self, path: impl AsRef<Path>) -> io::Result<OwnedFd> {
        look(self.directory.as_fd(), path.as_ref(), OFlag::O_PATH)
    }

    /// The whole text of a file below it, if it is not longer than this.
    pub(crate) fn read(&self, path: impl AsRef<Path>, longest: u64) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        self.file(path)?.take(longest.saturating_add(1)).read_to_end(&mut text)?;
        if text.len() as u64 > longest {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(text)
    }

    /// Bytes of all that is below a directory.
    pub(crate) fn size(&self, path: impl AsRef<Path>) -> u64 {
        let mut size = 0_u64;
        let mut directories = vec![(path.as_ref().to_owned(), 0)];
        while let Some((directory, depth)) = directories.pop() {
            for entry in self.list(&directory).unwrap_or_default() {
                match entry.kind {
                    Kind::Directory if depth < DEPTH => directories.push((entry.path, depth + 1)),
                    Kind::Directory => {}
                    Kind::File | Kind::Other => size = size.saturating_add(entry.size),
                }
            }
        }
        size
    }

    /// The content of a regular file, through links that stay below the directory, and no more of it than 16 MiB: for what is
    /// only digested or compared.
    pub(crate) fn digested(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK;
        digest(look_within(self.directory.as_fd(), path.as_ref(), flags)?.into())
    }

    /// Moves a regular file below it to a place of ours, on the same file system.
    pub(crate) fn move_to(&self, path: impl AsRef<Path>, to: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path.as_ref())?;
        renameat(&parent, name, AT_FDCWD, to)?;
        Self::ours(to).map(drop)
    }

    /// Nobody can change any more what came to a place of ours, so it can be told now what it is.
    fn ours(to: &Path) -> io::Result<Metadata> {
        let meta = std::fs::symlink_metadata(to)?;
        if meta.is_file() {
            return Ok(meta);
        }
        std::fs::remove_file(to)?;
        Err(refused("is not a regular file"))
    }

    /// Every regular file below it.
    pub(crate) fn files(&self) -> io::Result<Vec<Entry>> {
        let mut found = Vec::new();
        let mut directories = vec![(PathBuf::from("."), 0)];
        while let Some((directory, depth)) = directories.pop() {
            let entries = match self.list(&directory) {
                Err(problem) if depth > 0 && problem.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                match entry.kind {
                    Kind::Directory if depth < DEPTH => directories.push((entry.path, depth + 1)),
                    Kind::File => found.push(entry),
                    Kind::Directory | Kind::Other => {}
                }
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Puts a file in the place of one below it, with the owner, the group and the mode of that.
    pub(crate) fn replace(&self, path: impl AsRef<Path>, text: &[u8]) -> io::Result<()> {
        let meta = self.file(path.as_ref())?.metadata()?;
        let (parent, name) = self.parent(path.as_ref())?;
        let mut new = OsString::from(".");
        new.push(name);
        new.push(".new");
        let _ = unlinkat(&parent, new.as_os_str(), UnlinkatFlags::NoRemoveDir);
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut file: File = openat(&parent, new.as_os_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR)?.into();
        let written = file.write_all(text).and_then(|()| {
            fchown(&file, Some(Uid::from_raw(meta.uid())), Some(Gid::from_raw(meta.gid())))?;
            file.set_permissions(meta.permissions())?;
            file.sync_all()
        });
        let replaced = written.and_then(|()| Ok(renameat(&parent, new.as_os_str(), &parent, name)?));
        if replaced.is_err() {
            let _ = unlinkat(&parent, new.as_os_str(), UnlinkatFlags::NoRemoveDir);
        }
        replaced
    }

    /// Removes what is at a path below it: a file, a link itself, or an empty directory.
    pub(crate) fn remove(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let (parent, name) = self.parent(path.as_ref())?;
        match unlinkat(&parent, name, UnlinkatFlags::NoRemoveDir) {
            Err(Errno::EISDIR) => Ok(unlinkat(&parent, name, UnlinkatFlags::RemoveDir)?),
            removed => Ok(removed?),
        }
    }

    /// Removes what is at a path below it, with all that is in it.
    pub(crate) fn remove_all(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let (parent, name) = self.parent(path.as_ref())?;
        match unlinkat(&parent, name, UnlinkatFlags::NoRemoveDir) {
            Err(Errno::EISDIR) => {}
            removed => return Ok(removed?),
        }
        empty(look(parent.as_fd(), Path::new(name), OFlag::O_RDONLY | OFlag::O_DIRECTORY)?)?;
        Ok(unlinkat(&parent, name, UnlinkatFlags::RemoveDir)?)
    }

    fn directory(&self, path: &Path) -> io::Result<OwnedFd> {
        look(self.directory.as_fd(), path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
    }

    /// The directory in which a path below it ends, and the last name.
    fn parent<'a>(&self, path: &'a Path) -> io::Result<(OwnedFd, &'a OsStr)> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok((look(self.directory.as_fd(), parent, OFlag::O_PATH | OFlag::O_DIRECTORY)?, name))
    }
}

/// Opens the file at a path that somebody named: below the first of these directories that it is in, else through no link at
/// all. A log, by its name; nothing else is ever meant.
pub(crate) fn log(path: &Path, roots: &[&Path]) -> io::Result<File> {
    let name = path.file_name().unwrap_or_default().as_bytes();
    if !name.ends_with(b".log") && !name.ends_with(b".log.gz") {
        return Err(refused("is not called a log"));
    }
    let below = roots.iter().find_map(|root| Some((*root, path.strip_prefix(root).ok()?)));
    let (root, rest) = match below {
        Some(below) => below,
        None => (Path::new("/"), path.strip_prefix("/").map_err(|_| io::ErrorKind::NotFound)?),
    };
    Beneath::open(root)?.file(rest)
}

/// The content of a regular file, through links too, and no more of it than 16 MiB: for what is only digested or compared, by
/// whoever must not wait at a pipe.
pub(crate) fn digested(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    digest(openat(AT_FDCWD, path, flags, Mode::empty())?.into())
}

fn digest(file: File) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(refused("is not a regular file"));
    }
    let mut text = Vec::new();
    file.take(DIGESTED).read_to_end(&mut text)?;
    Ok(text)
}

fn entry(path: PathBuf, meta: &FileStat) -> Entry {
    let at = |seconds: i64, more: i64| {
        SystemTime::UNIX_EPOCH
            + Duration::new(
                u64::try_from(seconds).unwrap_or_default(),
                u32::try_from(more).unwrap_or_default(),
            )
    };
    Entry {
        path,
        kind: kind(meta),
        size: u64::try_from(meta.st_size).unwrap_or_default(),
        inode: meta.st_ino,
        owner: meta.st_uid,
        modified: at(meta.st_mtime, meta.st_mtime_nsec),
        changed: at(meta.st_ctime, meta.st_ctime_nsec),
    }
}

fn kind(meta: &FileStat) -> Kind {
    match SFlag::from_bits_truncate(meta.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => Kind::File,
        SFlag::S_IFDIR => Kind::Directory,
        _ => Kind::Other,
    }
}

fn is_link(meta: &FileStat) -> bool {
    SFlag::from_bits_truncate(meta.st_mode) & SFlag::S_IFMT == SFlag::S_IFLNK
}

fn is_ours(meta: &FileStat) -> bool {
    meta.st_uid == 0 || meta.st_uid == nix::unistd::geteuid().as_raw()
}

/// A file of somebody else that has a second name here and that not everybody may read.
fn is_borrowed(meta: &Metadata) -> bool {
    meta.nlink() > 1 && meta.mode() & 0o004 == 0 && meta.uid() != PORTAGE_ID
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}

#[cfg(test)]
mod tests;
