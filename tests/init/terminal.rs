//! `gbsup init -- COMMAND` on a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;

use nix::fcntl::OFlag;
use nix::libc;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

use crate::support::{Container, Process, Setup, children, wait_until};

/// Starts a command on a terminal of its own, and returns the other end of that.
fn on_terminal(argv: &[&str]) -> (Container, File) {
    // Close-on-exec from the start: a terminal hangs up when nobody has its other end any more.
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).expect("a terminal");
    grantpt(&master).expect("granted");
    unlockpt(&master).expect("unlocked");
    let name = ptsname_r(&master).expect("it has a name");
    let slave = || {
        let flags = OFlag::O_NOCTTY.bits();
        Stdio::from(File::options().read(true).write(true).custom_flags(flags).open(&name).expect("opens"))
    };
    // PID 1 of a container with a terminal leads the session that has it.
    let setup = Setup::command(argv).becoming(&["setsid", "--ctty"]);
    let container = setup.stdio(slave(), slave(), slave()).start();
    (container, OwnedFd::from(master).into())
}

/// Waits until `pid` has a child named `name` in the foreground.
fn until_foreground(pid: i32, name: &str) -> i32 {
    let mut found = 0;
    wait_until(&format!("{name} is in the foreground"), || {
        let named = |pid: &i32| {
            let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            comm.trim() == name && Process::read(*pid).is_some_and(|it| it.group == it.foreground)
        };
        found = children(pid).into_iter().find(named).unwrap_or_default();
        found != 0
    });
    found
}

#[test]
fn a_shell_is_interactive() {
    let (mut container, mut keys) = on_terminal(&["bash", "--norc", "-i"]);
    let init = container.init();
    until_foreground(init, "bash");
    keys.write_all(b"exit 9\n").expect("typed");
    assert_eq!(container.end().code, 9);
}

#[test]
fn interrupt_ends_the_command_with_130() {
    let (mut container, mut keys) = on_terminal(&["sleep", "1000"]);
    let init = container.init();
    until_foreground(init, "sleep");
    keys.write_all(b"\x03").expect("typed");
    assert_eq!(container.end().code, 128 + libc::SIGINT);
}

#[test]
fn interrupt_ends_what_a_shell_runs_and_not_the_shell() {
    let (mut container, mut keys) = on_terminal(&["bash", "--norc", "-i"]);
    let init = container.init();
    let shell = until_foreground(init, "bash");
    keys.write_all(b"sleep 1000\n").expect("typed");
    until_foreground(shell, "sleep");
    keys.write_all(b"\x03").expect("typed");
    until_foreground(init, "bash");
    keys.write_all(b"exit\n").expect("typed");
    assert_eq!(container.end().code, 128 + libc::SIGINT);
}

#[test]
fn a_new_window_size_stops_nothing() {
    let (mut container, keys) = on_terminal(&["sleep", "1000"]);
    let init = container.init();
    until_foreground(init, "sleep");
    container.signal(libc::SIGWINCH);
    let resized = std::process::Command::new("stty")
        .args(["rows", "50", "cols", "100"])
        .stdin(keys.try_clone().expect("cloned"))
        .status()
        .expect("stty runs");
    assert!(resized.success());
    assert!(container.runs());
    container.signal(libc::SIGTERM);
    assert_eq!(container.end().code, 128 + libc::SIGTERM);
}

/// The terminal wants background writers stopped. What init has to say when the command has left
/// something behind must not stop init.
#[test]
fn init_speaks_from_the_background() {
    let deaf = "trap \"\" TERM; echo up; while :; do sleep 1; done";
    let script = format!(
        "stty tostop; kill -TTOU 1; kill -TTIN 1; mkfifo $DIR/up
         (setsid sh -c '{deaf}' >$DIR/up &); read up <$DIR/up; exit 3"
    );
    let (container, mut keys) = on_terminal(&["sh", "-c", &script]);
    assert_eq!(container.end().code, 3);
    let mut said = [0; 1024];
    let count = keys.read(&mut said).expect("it was said before the end");
    let said = String::from_utf8_lossy(&said[..count]).into_owned();
    assert!(said.starts_with("gbsup[1]: the time to stop is over; killing what is left: pid "), "{said}");
}

/// The terminal goes away: the kernel tells the leader of its session, which is init.
#[test]
fn a_hang_up_ends_the_command() {
    let (mut container, keys) = on_terminal(&["sleep", "1000"]);
    let init = container.init();
    until_foreground(init, "sleep");
    drop(keys);
    assert_eq!(container.end().code, 128 + libc::SIGHUP);
}
