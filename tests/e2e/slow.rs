//! A disk that takes nothing any more: a file system of its own, frozen from outside.

use std::path::PathBuf;
use std::process::Command;

use gbsup::model::status::Mode;

use crate::support::Recipe;

/// A file with a file system in it, mounted on this machine.
struct Disk {
    directory: tempfile::TempDir,
    frozen: bool,
}

impl Disk {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("disk");
        std::fs::File::create(&file).and_then(|file| file.set_len(256 << 20)).expect("a sparse file");
        std::fs::create_dir(directory.path().join("mounted")).expect("a directory");
        let disk = Self { directory, frozen: false };
        assert!(run("mkfs.ext4", &["-q", "-F", &file.display().to_string()]));
        assert!(run("mount", &["-o", "loop", &file.display().to_string(), &disk.path()]), "this is not root");
        disk
    }

    fn place(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }

    fn path(&self) -> String {
        self.place().display().to_string()
    }

    fn freeze(&mut self) {
        assert!(run("fsfreeze", &["--freeze", &self.path()]));
        self.frozen = true;
    }

    fn thaw(&mut self) {
        self.frozen = false;
        assert!(run("fsfreeze", &["--unfreeze", &self.path()]));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.frozen {
            run("fsfreeze", &["--unfreeze", &self.path()]);
        }
        // The container that was using it may still be on its way out.
        run("umount", &["--lazy", &self.path()]);
    }
}

fn run(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).status().is_ok_and(|status| status.success())
}

#[test]
fn with_a_disk_that_hangs_everybody_is_answered_and_nothing_is_lost() {
    let mut disk = Disk::new();
    let volume = format!("{}:/var/lib/gbsup", disk.path());
    let mut builder = Recipe::new(&["test-quick/t1"]).no_volume().args(&["--volume", &volume]).start();
    builder.wait_waiting();
    builder.look_away();
    disk.freeze();
    builder.signal("USR1");
    // It is told, by a supervisor that cannot write that it begins a cycle, and so has not begun one.
    let status = builder
        .wait_for("it says why", |status| status.warnings.iter().any(|text| text.contains(" is slow: ")));
    assert_eq!((status.state, status.cycle.map(|cycle| cycle.id)), (Mode::Waiting, Some(1)));
    assert!(builder.gbsup(&["health"]).out.contains("waiting"));
    disk.thaw();
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    assert_eq!(status.warnings, [""; 0]);

    // A stop waits for it as well, and ends as any other.
    disk.freeze();
    builder.signal("USR1");
    builder.wait_for("it says why", |status| !status.warnings.is_empty());
    builder.signal("TERM");
    disk.thaw();
    assert_eq!(builder.wait_exit(), 0);
    builder.start();
    builder.wait_cycle(3);
    builder.wait_waiting();
    builder.remove();
}
