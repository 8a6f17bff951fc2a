//! The volume of a soak: a small file system in memory on this machine, of which the container has a slave mount. What is mounted
//! over it here is mounted over it there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{command, remove};

/// Mounts and directories that end with it.
pub struct Ground {
    directory: PathBuf,
}

impl Ground {
    /// An empty volume.
    #[track_caller]
    pub fn new() -> Self {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let made = tempfile::Builder::new().prefix("soak-").tempdir_in(parent).expect("a directory");
        let ground = Self { directory: made.keep() };
        for name in ["volume", "read-only", "empty"] {
            fs::create_dir(ground.directory.join(name)).expect("a directory");
        }
        let (volume, read_only) = (ground.text("volume"), ground.text("read-only"));
        mount(&["-t", "tmpfs", "-o", "size=256m,nr_inodes=40000,mode=755", "gbsup-soak", &volume]);
        mount(&["--bind", &volume, &read_only]);
        mount(&["-o", "remount,bind,ro", &read_only]);
        mount(&["--make-shared", &volume]);
        ground
    }

    fn text(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// The file system with the volume.
    pub fn volume(&self) -> PathBuf {
        self.directory.join("volume")
    }

    /// Mounts it over itself read-only. What is open stays writable, as with any such mount.
    #[track_caller]
    pub fn read_only(&self) {
        mount(&["--bind", &self.text("read-only"), &self.text("volume")]);
    }

    /// Mounts an empty directory over it.
    #[track_caller]
    pub fn vanish(&self) {
        mount(&["--bind", &self.text("empty"), &self.text("volume")]);
    }

    /// Takes away what was mounted over it.
    #[track_caller]
    pub fn back(&self) {
        command("umount", &["--lazy", &self.text("volume")], None, &[]).ok();
        // What was written while it was not there.
        command("find", &[&self.text("empty"), "-mindepth", "1", "-delete"], None, &[]).ok();
    }

    /// Takes all the room that is left.
    #[track_caller]
    pub fn fill(&self) {
        let room = nix::sys::statvfs::statvfs(&self.volume()).expect("it is mounted");
        let free = (room.blocks_available() * room.fragment_size()).to_string();
        // Somebody else may take a part of it meanwhile.
        command("fallocate", &["-l", &free, &self.text("volume/ballast")], None, &[]);
    }

    /// Takes all the inodes that are left.
    pub fn crowd(&self) {
        let crowd = self.volume().join("crowd");
        drop(fs::create_dir(&crowd));
        for number in 0..40_000 {
            if fs::write(crowd.join(number.to_string()), "").is_err() {
                break;
            }
        }
    }

    /// Gives back what [`Ground::fill`] and [`Ground::crowd`] took.
    pub fn free(&self) {
        drop(fs::remove_file(self.volume().join("ballast")));
        drop(fs::remove_dir_all(self.volume().join("crowd")));
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        for name in ["volume", "volume", "read-only"] {
            command("umount", &["--lazy", &self.text(name)], None, &[]);
        }
        remove(&self.directory);
    }
}

#[track_caller]
fn mount(args: &[&str]) {
    let ran = command("mount", args, None, &[]);
    assert_eq!(ran.code, 0, "this needs root: mount {args:?}: {}", ran.err);
}
