//! What the server's process could still do after it has given up its rights, tried by code that wants to: in a process
//! of its own, once with everything given up, and once as the user it was, with nothing but landlock to hold it. It has the
//! socket by which the supervisor tells how the builder is, as the server has. The same of what asks other builders, by its own way.
//!
//! Without libtest, since landlock holds only the thread that asks for it and those that it starts.

use std::fs::{self, File};
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio, id};

use gbsup::confine::{Held, asks, confine, holds_files, landlock};
use nix::fcntl::{OFlag, openat};
use nix::sys::signal::kill;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Pid, Uid, chown, geteuid, getppid, setuid};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("probe") => {
            for done in probe(&arguments[2], Path::new(&arguments[3]), &arguments[4], &arguments[5]) {
                println!("{done}");
            }
            ExitCode::SUCCESS
        }
        // Arguments of a test runner mean nothing here.
        _ => check(),
    }
}

/// Runs the probe both ways. It may read what is offered, and nothing else.
fn check() -> ExitCode {
    let volume = tempfile::tempdir().unwrap();
    let root = volume.path();
    fs::create_dir_all(root.join("releases/one")).unwrap();
    fs::create_dir_all(root.join("state")).unwrap();
    for logs in ["log/build", "steps"] {
        fs::create_dir_all(root.join(logs)).unwrap();
    }
    for log in ["log/build/x.log", "steps/x.log"] {
        fs::write(root.join(log), "log").unwrap();
    }
    fs::write(root.join("releases/one/Packages"), "offered").unwrap();
    // As open as can be: it is not their modes that keep it out.
    for path in ["state/state.json", "state/key"] {
        fs::write(root.join(path), "SECRET").unwrap();
    }
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    // As Portage leaves them.
    let group = root.join("log/build/group.log");
    fs::write(&group, "log").unwrap();
    fs::set_permissions(&group, fs::Permissions::from_mode(0o660)).unwrap();
    if geteuid().is_root() {
        chown(&group, Some(Uid::from_raw(250)), Some(Gid::from_raw(250))).unwrap();
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let beside = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = beside.local_addr().unwrap().to_string();
    let _abstract = UnixListener::bind_addr(&abstract_address(id())).unwrap();
    let _control = UnixListener::bind(root.join("control.sock")).unwrap();
    fs::set_permissions(root.join("control.sock"), fs::Permissions::from_mode(0o600)).unwrap();

    let mut wrong = 0;
    for way in ["landlock", "everything", "everything and logs", "asks"] {
        let (mut tells, told) = UnixStream::pair().unwrap();
        tells.shutdown(Shutdown::Read).unwrap();
        tells.write_all(b"told").unwrap();
        let probe = Command::new("/proc/self/exe")
            .args(["probe", way])
            .arg(root)
            .arg(&address)
            .arg(&other)
            .stdin(OwnedFd::from(told))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let ran = probe.unwrap().wait_with_output().unwrap();
        let done = String::from_utf8_lossy(&ran.stdout).into_owned();
        let mut expected =
            vec!["hear what the supervisor tells", "read releases/one/Packages", "list releases"];
        if way == "landlock" && geteuid().is_root() {
            // Only its user keeps it from these.
            expected.insert(1, "ask the supervisor by its control socket");
            expected.push("be root");
        }
        if way == "everything and logs" {
            let logs = ["read a log of a build", "read a log of a step", "read a log of Portage's group"];
            let logs = &logs[..if geteuid().is_root() { 3 } else { 2 }];
            expected.splice(2..2, logs.iter().copied());
        }
        if way == "asks" {
            expected = vec!["hear what the supervisor tells", "read /etc/hosts", "connect to a server"];
        }
        if ran.status.success() && done.lines().eq(expected.iter().copied()) {
            println!("test {way} ... ok");
        } else {
            println!("test {way} ... FAILED: it could {done:?}, not {expected:?}");
            println!("{} {}", ran.status, String::from_utf8_lossy(&ran.stderr));
            wrong += 1;
        }
    }
    ExitCode::from(wrong)
}

fn abstract_address(pid: u32) -> SocketAddr {
    SocketAddr::from_abstract_name(format!("gbsup-confine-{pid}")).unwrap()
}

/// Gives up its rights and tells what it can still do.
fn probe(way: &str, volume: &Path, address: &str, other: &str) -> Vec<String> {
    let releases = File::open(volume.join("releases")).unwrap();
    let logs = ["log", "steps"].map(|name| File::open(volume.join(name)).unwrap());
    let logs = [logs[0].as_fd(), logs[1].as_fd()];
    let held = match way {
        "landlock" => landlock(&[releases.as_fd()]).unwrap(),
        "everything" => confine(releases.as_fd(), &[], 64).unwrap(),
        "asks" => asks(&[port_of(address)], &[]).unwrap(),
        _ => confine(releases.as_fd(), &logs, 64).unwrap(),
    };
    assert!(holds_files());
    assert_eq!(held, Held::Fully, "this test needs a kernel with landlock (6.12 or later)");

    let parent = getppid();
    let read = |path: &str| File::open(path).and_then(|mut file| file.read_exact(&mut [0])).is_ok();
    let in_volume = |path: &str| read(&volume.join(path).display().to_string());
    let below = |path: &str| openat(releases.as_fd(), path, OFlag::O_RDONLY, Mode::empty()).is_ok();
    let written = |path: &Path| File::create(path).and_then(|mut file| file.write_all(b"x")).is_ok();
    let offered = volume.join("releases/one/Packages");
    let supervisor = || UnixStream::from(io::stdin().as_fd().try_clone_to_owned().unwrap());
    let tried = [
        ("hear what the supervisor tells", supervisor().read_exact(&mut [0; 4]).is_ok()),
        ("answer the supervisor", supervisor().write(b"x").is_ok()),
        ("hand the supervisor a file", hand_over(&supervisor(), releases.as_fd())),
        (
            "ask the supervisor by its control socket",
            UnixStream::connect(volume.join("control.sock")).is_ok(),
        ),
        ("read releases/one/Packages", in_volume("releases/one/Packages")),
        ("read a log of a build", in_volume("log/build/x.log")),
        ("read a log of a step", in_volume("steps/x.log")),
        ("read a log of Portage's group", in_volume("log/build/group.log")),
        (
            "write to a log of Portage's group",
            File::options().append(true).open(volume.join("log/build/group.log")).is_ok(),
        ),
        ("cut such a log short", nix::unistd::truncate(&volume.join("log/build/group.log"), 0).is_ok()),
        ("put something beside a log", written(&volume.join("log/build/new.log"))),
        ("list releases", fs::read_dir(volume.join("releases")).is_ok()),
        ("read state/state.json", in_volume("state/state.json")),
        ("read state/key", in_volume("state/key")),
        ("read ../state/key from releases", below("../state/key")),
        ("list the volume", fs::read_dir(volume).is_ok()),
        ("read /etc/hosts", read("/etc/hosts")),
        ("read /etc/shadow", read("/etc/shadow")),
        ("read /etc/passwd", read("/etc/passwd")),
        ("read its own environment", read("/proc/self/environ")),
        ("read the environment of PID 1", read("/proc/1/environ")),
        ("read the environment of its parent", read(&format!("/proc/{parent}/environ"))),
        ("open the memory of its parent", File::open(format!("/proc/{parent}/mem")).is_ok()),
        ("open a device", File::options().write(true).open("/dev/kmsg").is_ok()),
        ("write over a package", written(&offered)),
        ("make a file in releases", written(&volume.join("releases/new"))),
        ("make a file in /tmp", written(Path::new("/tmp/gbsup-confine-new"))),
        ("cut a package short", nix::unistd::truncate(&offered, 0).is_ok()),
        ("remove a package", fs::remove_file(&offered).is_ok()),
        ("rename a package", fs::rename(&offered, volume.join("releases/one/x")).is_ok()),
        ("link to a file", fs::hard_link(volume.join("state/key"), volume.join("releases/key")).is_ok()),
        ("make a directory", fs::create_dir(volume.join("releases/directory")).is_ok()),
        ("run a program", Command::new("/bin/true").status().is_ok()),
        ("run itself", Command::new("/proc/self/exe").status().is_ok()),
        ("connect to a server", TcpStream::connect(address).is_ok()),
        ("connect to another server", TcpStream::connect(other).is_ok()),
        ("listen elsewhere", TcpListener::bind("127.0.0.1:0").is_ok()),
        (
            "reach a socket of another process",
            UnixStream::connect_addr(&abstract_address(parent_id())).is_ok(),
        ),
        ("signal its parent", kill(parent, None).is_ok()),
        ("signal PID 1", kill(Pid::from_raw(1), None).is_ok()),
        ("be root", setuid(Uid::from_raw(0)).is_ok()),
    ];
    // Owners are no matter of landlock; as root without its user given up it may change those of what it may open.
    let owner = way != "landlock" && chown(&offered, Some(Uid::from_raw(0)), None).is_ok();
    let tried = tried.into_iter().chain([("own a package", owner)]);
    tried.filter(|(_, done)| *done).map(|(what, _)| what.to_owned()).collect()
}

fn hand_over(to: &UnixStream, file: BorrowedFd<'_>) -> bool {
    let files = [file.as_raw_fd()];
    let (bytes, with) = ([IoSlice::new(b"x")], [ControlMessage::ScmRights(&files)]);
    sendmsg::<()>(to.as_raw_fd(), &bytes, &with, MsgFlags::MSG_NOSIGNAL, None).is_ok()
}

fn port_of(address: &str) -> u16 {
    address.rsplit_once(':').unwrap().1.parse().unwrap()
}

fn parent_id() -> u32 {
    u32::try_from(getppid().as_raw()).unwrap()
}
