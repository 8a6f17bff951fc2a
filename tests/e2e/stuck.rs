//! A reader of standard output that does not read: nothing in the container waits for it.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::{Builder, Recipe, docker, host_wait};

/// Lines the sync prints: far more than every pipe and buffer on the way holds.
const LINES: u64 = 3_000_000;

/// A builder that prints a lot, not yet started.
fn talkative() -> Builder {
    Recipe::new(&["test-quick/t4"]).env("GBSUP_SYNC_COMMAND", &format!("seq {LINES}")).create()
}

/// `docker start --attach`, nobody reading what it prints.
struct Attached(Child);

impl Attached {
    fn start(builder: &Builder) -> Self {
        let mut command = Command::new("docker");
        command.args(["start", "--attach", builder.name()]).stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("docker starts");
        host_wait("it runs", || builder.is_running());
        Self(child)
    }
}

impl Drop for Attached {
    /// Docker itself waits for this reader before it does anything else with the container.
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[track_caller]
fn assert_log_complete(builder: &Builder) {
    let log = builder.step_log(1, "sync");
    let is_number = |line: &&str| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    let mut lines = log.lines().filter(is_number);
    for number in 1..=LINES {
        assert_eq!(lines.next().and_then(|line| line.parse().ok()), Some(number));
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn the_build_goes_on_and_lost_lines_are_counted() {
    let mut builder = talkative();
    let mut attached = Attached::start(&builder);
    let status = builder.wait_waiting();
    assert!(builder.has("test-quick/t4-1"));
    assert_log_complete(&builder);
    let said = status.warnings.iter().find(|warning| warning.contains("nobody read"));
    let said = said.unwrap_or_else(|| panic!("it says that lines were lost: {:?}", status.warnings));
    let lost = first_number(said);
    assert!(lost > LINES / 2, "{said}");

    // Somebody reads on: what is missing is told where it is missing.
    let mut stdout = attached.0.stdout.take().expect("it is piped");
    let reading = std::thread::spawn(move || {
        let mut all = Vec::new();
        stdout.read_to_end(&mut all).expect("a pipe");
        String::from_utf8_lossy(&all).into_owned()
    });
    // Once the buffers are empty lines go through again.
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_waiting();
    let (_, code) = builder.stop();
    assert_eq!(code, 0);
    drop(attached);
    let all = reading.join().expect("it reads");
    let told: u64 =
        all.lines().filter(|line| line.contains("lines are missing here")).map(first_number).sum();
    assert!(told >= lost, "{told} told in place of {lost}");
    let numbers = all.lines().filter(|line| line.bytes().all(|byte| byte.is_ascii_digit())).count() as u64;
    assert!(numbers + told >= 2 * LINES, "{numbers} seen and {told} told of {}", 2 * LINES);
}

fn first_number(text: &str) -> u64 {
    let digits = text.split(|c: char| !c.is_ascii_digit()).find(|word| !word.is_empty());
    digits.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Docker, in turn, waits for the reader before it believes that the container has ended; what can be
/// asked of gbsup is that its processes are gone.
#[test]
fn a_stop_is_obeyed() {
    let mut builder = talkative();
    let attached = Attached::start(&builder);
    let client = attached.0.id().to_string();
    assert!(Command::new("kill").args(["-STOP", &client]).status().expect("kill runs").success());
    builder.wait_waiting();
    builder.look_away();
    let pid = docker(&["inspect", "--format", "{{.State.Pid}}", builder.name()]).ok();
    let process = Path::new("/proc").join(pid.trim());
    assert!(process.exists());
    builder.signal("TERM");
    host_wait("PID 1 is gone", || !process.exists());
    drop(attached);
    assert_eq!(builder.wait_exit(), 0);
    assert_log_complete(&builder);
}
