use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;

use nix::sys::stat::mknod;
use nix::unistd::mkfifo;

use super::look::step_by_step;
use super::*;

/// A directory of others, and beside it one of root with a file that nothing here may touch.
fn planted() -> (tempfile::TempDir, Beneath) {
    let place = tempfile::tempdir().unwrap();
    let (ours, theirs) = (place.path().join("ours"), place.path().join("theirs"));
    fs::create_dir(&ours).unwrap();
    fs::create_dir(&theirs).unwrap();
    fs::write(ours.join("secret.log"), "secret").unwrap();
    fs::set_permissions(ours.join("secret.log"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(theirs.join("plain.log"), "plain").unwrap();
    symlink("../ours/secret.log", theirs.join("link.log")).unwrap();
    symlink("../ours", theirs.join("directory")).unwrap();
    fs::hard_link(ours.join("secret.log"), theirs.join("second.log")).unwrap();
    mkfifo(&theirs.join("pipe.log"), Mode::S_IRWXU).unwrap();
    drop(std::os::unix::net::UnixListener::bind(theirs.join("socket.log")).unwrap());
    mknod(&theirs.join("device.log"), SFlag::S_IFCHR, Mode::S_IRWXU, nix::sys::stat::makedev(1, 5)).unwrap();
    let beneath = Beneath::open(&theirs).unwrap();
    (place, beneath)
}

const REFUSED: &[&str] = &[
    "link.log",
    "directory/secret.log",
    "second.log",
    "pipe.log",
    "socket.log",
    "device.log",
    ".",
    "../ours/secret.log",
    "/etc/passwd",
];

#[test]
fn only_plain_files_are_opened_and_nothing_is_waited_for() {
    let (place, theirs) = planted();
    assert_eq!(theirs.read("plain.log", 5).unwrap(), b"plain");
    assert_eq!(theirs.read("plain.log", 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    for name in REFUSED {
        assert!(theirs.file(name).is_err(), "{name}");
        let named = log(&theirs.path().join(name), &[theirs.path()]);
        assert!(named.is_err(), "{name}");
    }
    let elsewhere = place.path().join("theirs/../theirs/plain.log");
    assert!(log(&elsewhere, &[]).is_err());
    fs::write(place.path().join("ours/other.log"), "").unwrap();
    assert!(log(&place.path().join("ours/other.log"), &[]).is_ok(), "no link leads there");
    assert!(log(Path::new("/etc/passwd"), &[]).is_err(), "it is no log");
}

/// Kernels and container engines without openat2 get the same answers.
#[test]
fn step_by_step_it_is_the_same() {
    let (_place, theirs) = planted();
    let open = |name: &str, flags| {
        step_by_step(theirs.directory.as_fd(), Path::new(name), flags | OFlag::O_NOFOLLOW)
    };
    assert!(open("plain.log", OFlag::O_RDONLY).is_ok());
    assert!(open(".", OFlag::O_RDONLY | OFlag::O_DIRECTORY).is_ok());
    for name in ["link.log", "directory/secret.log", "socket.log", "../ours/secret.log", "/etc/passwd"] {
        assert!(open(name, OFlag::O_RDONLY | OFlag::O_NONBLOCK).is_err(), "{name}");
    }
}

#[test]
fn what_is_removed_is_here_and_not_where_a_link_leads() {
    let (place, theirs) = planted();
    for name in ["directory/secret.log", "../ours/secret.log"] {
        assert!(theirs.remove(name).is_err() && theirs.remove_all(name).is_err(), "{name}");
    }
    fs::create_dir_all(theirs.path().join("tree/below")).unwrap();
    symlink("../../../ours", theirs.path().join("tree/below/out")).unwrap();
    let mut deep = theirs.path().join("tree");
    for _ in 0..200 {
        deep.push("d");
        fs::create_dir(&deep).unwrap();
        fs::write(deep.join("file"), "x").unwrap();
    }
    theirs.remove_all("tree").unwrap();
    theirs.remove_all("directory").unwrap();
    theirs.remove("link.log").unwrap();
    assert!(theirs.entry("tree").is_err() && theirs.entry("directory").is_err());
    assert_eq!(fs::read_to_string(place.path().join("ours/secret.log")).unwrap(), "secret");
}

#[test]
fn a_link_in_place_of_the_directory_is_followed_when_it_is_roots() {
    let (place, _) = planted();
    let link = place.path().join("moved");
    symlink("theirs", &link).unwrap();
    assert_eq!(Beneath::open(&link).unwrap().read("plain.log", 9).unwrap(), b"plain");
    std::os::unix::fs::lchown(&link, Some(PORTAGE_ID), Some(PORTAGE_ID)).unwrap();
    assert!(Beneath::open(&link).is_err());
    assert!(Beneath::open(&place.path().join("ours/secret.log")).is_err());
}

#[test]
fn what_is_there_is_told_without_following() {
    let (_place, theirs) = planted();
    let kind = |name: &str| theirs.entry(name).unwrap().kind;
    assert_eq!(
        (kind("plain.log"), kind("link.log"), kind("directory")),
        (Kind::File, Kind::Other, Kind::Other)
    );
    let files: Vec<_> = theirs.files().unwrap().into_iter().map(|entry| entry.path).collect();
    assert_eq!(files, ["plain.log", "second.log"].map(PathBuf::from));
    assert_eq!(theirs.link("link.log").unwrap(), Path::new("../ours/secret.log"));
}

#[test]
fn what_root_makes_may_have_other_names() {
    let (_place, theirs) = planted();
    assert!(theirs.linked("second.log").is_ok(), "a second name is no harm where root alone makes them");
    for name in REFUSED.iter().filter(|name| **name != "second.log") {
        assert!(theirs.linked(name).is_err(), "{name}");
    }
}

#[test]
fn a_directory_that_is_made_is_no_link() {
    let (place, theirs) = planted();
    let ours = || fs::metadata(place.path().join("ours")).unwrap().permissions().mode();
    let before = ours();
    for name in ["new", "directory", "plain.log", "pipe.log", "new"] {
        theirs.make(name, (0, PORTAGE_ID), 0o3775).unwrap();
        let meta = fs::symlink_metadata(theirs.path().join(name)).unwrap();
        assert!(meta.is_dir(), "{name}");
        assert_eq!((meta.mode() & 0o7777, meta.uid(), meta.gid()), (0o3775, 0, PORTAGE_ID), "{name}");
    }
    assert_eq!(ours(), before);
    // What is in it stays, and whose it was does not matter.
    fs::write(theirs.path().join("new/file"), "x").unwrap();
    std::os::unix::fs::chown(theirs.path().join("new"), Some(PORTAGE_ID), Some(0)).unwrap();
    theirs.make("new", (0, PORTAGE_ID), 0o3775).unwrap();
    let meta = fs::metadata(theirs.path().join("new")).unwrap();
    assert_eq!((meta.mode() & 0o7777, meta.uid(), meta.gid()), (0o3775, 0, PORTAGE_ID));
    assert_eq!(theirs.read("new/file", 1).unwrap(), b"x");
}

#[test]
fn what_gets_a_second_name_or_moves_is_a_file() {
    let (place, theirs) = planted();
    let (theirs, mut near) = (Arc::new(theirs), Near::default());
    let to = place.path().join("new");
    for name in ["link.log", "pipe.log", "directory/secret.log", "../ours/secret.log"] {
        assert!(near.link_to(&theirs, Path::new(name), &to).is_err(), "{name}");
        assert!(fs::symlink_metadata(&to).is_err(), "nothing of {name} is left");
    }
    near.link_to(&theirs, Path::new("plain.log"), &to).unwrap();
    assert_eq!(fs::read(&to).unwrap(), b"plain");
    fs::remove_file(&to).unwrap();
    assert!(theirs.move_to("link.log", &to).is_err());
    assert!(fs::symlink_metadata(&to).is_err() && theirs.entry("link.log").is_err(), "it is gone from both");
    theirs.move_to("plain.log", &to).unwrap();
    assert!(theirs.entry("plain.log").is_err() && to.exists());
}

#[test]
fn what_is_digested_is_below_and_has_an_end() {
    let (place, theirs) = planted();
    symlink("plain.log", theirs.path().join("inside.log")).unwrap();
    assert_eq!(theirs.digested("inside.log").unwrap(), b"plain");
    for name in ["link.log", "pipe.log", "directory/secret.log", "../ours/secret.log"] {
        assert!(theirs.digested(name).is_err(), "{name}");
    }
    File::create(place.path().join("long")).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(digested(&place.path().join("long")).unwrap().len(), 16 << 20);
}
