//! Init never waits for somebody to read what it says.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;

use crate::support::{Container, Setup, wait_until};

/// Its first instance dies, which init has to say something about; the second stays.
const DIES_ONCE: &str = "
    [ $GBSUP_RESTARTS = 0 ] && exit 1
    trap 'exit 0' TERM; echo ready >>$DIR/log; while :; do sleep 0.05; done";

/// The second supervisor starts, orphans are reaped, and TERM ends it all.
fn goes_on(mut container: Container) {
    container.until("log", "ready");
    let init = container.init().to_string();
    let orphan = ["-t", &init, "-p", "sh", "-c", "(sleep 0.01 &)"];
    assert!(std::process::Command::new("nsenter").args(orphan).status().expect("it runs").success());
    wait_until("the orphan is reaped", || container.processes().len() == 3 && container.zombies() == 0);
    container.signal(libc::SIGTERM);
    assert_eq!(container.end().code, 0);
}

/// A pipe that takes no byte more.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).expect("a pipe");
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("set");
    let mut file = File::from(writer.try_clone().expect("cloned"));
    while file.write(&[b'.'; 4096]).is_ok() {}
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).expect("set");
    (reader, writer)
}

#[test]
fn a_reader_that_does_not_read() {
    let (reader, writer) = full_pipe();
    let stdout = writer.try_clone().expect("cloned");
    let setup = Setup::supervisor(DIES_ONCE).stdio(Stdio::null(), stdout.into(), writer.into());
    goes_on(setup.start());
    drop(reader);
}

/// The descriptor that others share must not become non-blocking.
#[test]
fn the_shared_descriptor_is_left_alone() {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).expect("a pipe");
    let kept = writer.try_clone().expect("cloned");
    let stdout = writer.try_clone().expect("cloned");
    let setup = Setup::supervisor(DIES_ONCE).stdio(Stdio::null(), stdout.into(), writer.into());
    goes_on(setup.start());
    let flags = OFlag::from_bits_truncate(fcntl(&kept, FcntlArg::F_GETFL).expect("read"));
    assert!(!flags.contains(OFlag::O_NONBLOCK));
    drop(kept);
    let mut said = String::new();
    File::from(reader).read_to_string(&mut said).expect("text");
    assert_eq!(said, "gbsup[1]: supervisor exited with code 1 (death 1 of 5 in ten minutes), again in 1 s\n");
}

#[test]
fn a_reader_that_has_gone() {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).expect("a pipe");
    drop(reader);
    let stdout = writer.try_clone().expect("cloned");
    let setup = Setup::supervisor(DIES_ONCE).stdio(Stdio::null(), stdout.into(), writer.into());
    goes_on(setup.start());
}

#[test]
fn a_full_disk() {
    let full = || Stdio::from(File::options().write(true).open("/dev/full").expect("opens"));
    goes_on(Setup::supervisor(DIES_ONCE).stdio(Stdio::null(), full(), full()).start());
}

#[test]
fn no_descriptor_at_all() {
    let closing = ["sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"];
    goes_on(Setup::supervisor(DIES_ONCE).through(&closing).start());
}

#[test]
fn a_log_file_is_appended_to() {
    let setup = Setup::supervisor(DIES_ONCE);
    fs::write(setup.dir().join("stderr"), "before\n").expect("written");
    let mut container = setup.start();
    container.until("log", "ready");
    let said = container.read("stderr");
    assert!(said.starts_with("before\ngbsup[1]: supervisor exited"), "{said}");
    container.signal(libc::SIGTERM);
    container.end();
}

/// Some log daemons hand out a socket, which cannot be opened a second time.
#[test]
fn a_socket_is_written_to() {
    let (mut reader, writer) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let stdout = OwnedFd::from(writer.try_clone().expect("cloned"));
    let stderr = OwnedFd::from(writer);
    goes_on(Setup::supervisor(DIES_ONCE).stdio(Stdio::null(), stdout.into(), stderr.into()).start());
    let mut said = String::new();
    reader.read_to_string(&mut said).expect("text");
    assert!(said.starts_with("gbsup[1]: supervisor exited"), "{said}");
}
