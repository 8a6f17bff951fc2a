//! A disk that says what was written to it and when that was flushed: one file in a FUSE file system of this process, under a loop
//! device. From its log the disk can be made as it would be after a power loss at any moment.
//!
//! A loop device passes a flush on as an fsync of its file, and has nothing to pass on for a write that demands to be on the disk, since the kernel
//! makes a write and a flush of that. So what was written before the last flush is there after a power loss, and of what came after it any part
//! may be.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation, INodeNo,
    LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyWrite, Request,
    WriteFlags,
};

use crate::support::{Random, command};

/// Its size in bytes. What was never written takes no room.
const SIZE: u64 = 512 << 20;
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
const NAME: &str = "disk";
const FILE: INodeNo = INodeNo(2);
const CACHED: Duration = Duration::from_hours(1);

enum Entry {
    Write { at: u64, data: Vec<u8> },
    Flush,
}

/// What happened to the disk, in order.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Entry>>>);

impl Log {
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much has happened.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// The writes and the flushes.
    pub fn counted(&self) -> (usize, usize) {
        let entries = self.entries();
        let flushes = entries.iter().filter(|entry| matches!(entry, Entry::Flush)).count();
        (entries.len() - flushes, flushes)
    }

    /// Writes to `image`, a copy of the disk as it was at first, what a power loss after `length` entries leaves: all before the last flush,
    /// and of what came after it each sector or not, by chance.
    pub fn cut(&self, image: &File, length: usize, random: &mut Random) {
        let entries = self.entries();
        let entries = &entries[..length];
        let flushed =
            entries.iter().rposition(|entry| matches!(entry, Entry::Flush)).map_or(0, |last| last + 1);
        // All or nothing of the cache, too: the disk was just about to write it, or was not.
        let chance = [0, 1, 2, 4][random.below(4) as usize];
        for (number, entry) in entries.iter().enumerate() {
            let Entry::Write { at, data } = entry else { continue };
            if number < flushed {
                image.write_all_at(data, *at).expect("room for it");
                continue;
            }
            for (sector, data) in (0u64..).zip(data.chunks(SECTOR)) {
                if random.below(4) < chance {
                    image.write_all_at(data, at + sector * SECTOR as u64).expect("room for it");
                }
            }
        }
    }
}

struct Served {
    file: File,
    log: Log,
}

fn attributes(ino: INodeNo) -> FileAttr {
    let is_file = ino == FILE;
    FileAttr {
        ino,
        size: if is_file { SIZE } else { 0 },
        blocks: if is_file { SIZE / 512 } else { 0 },
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: if is_file { FileType::RegularFile } else { FileType::Directory },
        perm: if is_file { 0o600 } else { 0o700 },
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == NAME {
            reply.entry(&CACHED, &attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&CACHED, &attributes(ino));
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut data = vec![0; size as usize];
        match self.file.read_at(&mut data, offset) {
            Ok(read) => reply.data(&data[..read]),
            Err(_) => reply.error(Errno::EIO),
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        if self.file.write_all_at(data, offset).is_err() {
            return reply.error(Errno::EIO);
        }
        self.log.entries().push(Entry::Write { at: offset, data: data.to_vec() });
        reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX));
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.log.entries().push(Entry::Flush);
        reply.ok();
    }

    // A close flushes nothing.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }
}

/// The disk, mounted.
pub struct Disk {
    directory: PathBuf,
    session: Option<BackgroundSession>,
    log: Log,
}

impl Disk {
    /// What this machine lacks for one.
    pub fn lacks() -> Option<String> {
        let missing = ["/dev/fuse", "/dev/loop-control"].into_iter().find(|path| !Path::new(path).exists());
        if let Some(path) = missing {
            return Some(format!("there is no {path}"));
        }
        (!nix::unistd::geteuid().is_root()).then(|| "only root may mount".to_owned())
    }

    /// An empty ext4 in a directory of its own.
    #[track_caller]
    pub fn new() -> Self {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let made = tempfile::Builder::new().prefix("power-").tempdir_in(parent).expect("a directory");
        let directory = made.keep();
        for name in ["served", "volume", "after"] {
            fs::create_dir(directory.join(name)).expect("a directory");
        }
        let path = |name: &str| directory.join(name).display().to_string();
        File::create(directory.join("first")).and_then(|file| file.set_len(SIZE)).expect("a file");
        command("mkfs.ext4", &["-q", "-F", &path("first")], None, &[]).ok();
        command("cp", &["--sparse=always", &path("first"), &path("now")], None, &[]).ok();
        let log = Log::default();
        let file = File::options().read(true).write(true).open(directory.join("now")).expect("it was made");
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("gbsup-power".to_owned())];
        let served = Served { file, log: log.clone() };
        let session = fuser::spawn_mount(served, directory.join("served"), &config).expect("root may mount");
        command("mount", &["-o", "loop", &path("served/disk"), &path("volume")], None, &[]).ok();
        Self { directory, session: Some(session), log }
    }

    /// Where it is mounted.
    pub fn volume(&self) -> PathBuf {
        self.directory.join("volume")
    }

    /// What happens to it.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Mounts what a power loss after `length` entries leaves; where.
    ///
    /// # Errors
    ///
    /// What mount said: the file system is beyond repair.
    pub fn after(&self, length: usize, random: &mut Random) -> Result<PathBuf, String> {
        self.unmount("after");
        let path = |name: &str| self.directory.join(name).display().to_string();
        // A loop device that the kernel has not let go of yet writes to the file that it was made of.
        drop(fs::remove_file(path("image")));
        command("cp", &["--sparse=always", &path("first"), &path("image")], None, &[]).ok();
        let image = File::options().write(true).open(self.directory.join("image")).expect("it was copied");
        self.log.cut(&image, length, random);
        drop(image);
        let ran = command("mount", &["-o", "loop", &path("image"), &path("after")], None, &[]);
        if ran.code == 0 { Ok(self.directory.join("after")) } else { Err(ran.err) }
    }

    /// Unmounts the disk for good.
    pub fn unmount(&self, name: &str) {
        command("umount", &["--lazy", &self.directory.join(name).display().to_string()], None, &[]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for name in ["after", "volume"] {
            self.unmount(name);
        }
        drop(self.session.take());
        drop(fs::remove_dir_all(&self.directory));
    }
}
