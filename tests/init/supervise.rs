//! A supervisor that dies.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use nix::libc;
use serde_json::Value;

use crate::support::{Container, Process, Setup, signals, wait_until};

/// Writes down that it was started, as what number, then does `rest`.
fn counted(rest: &str) -> Setup {
    Setup::supervisor(&format!("echo start $GBSUP_RESTARTS $1 >>$DIR/log\n{rest}"))
}

/// Stays until TERM.
const STAY: &str = "trap 'exit 0' TERM; echo ready >>$DIR/log; while :; do sleep 0.05; done";

#[test]
fn a_killed_supervisor_is_started_again() {
    let mut container = counted(STAY).start();
    container.until("log", "ready");
    gbsup::sys::kill(container.main_child(), libc::SIGKILL).expect("it runs");
    container.until("log", "start 1 supervisor\nready");
    assert_eq!(container.read("log"), "start 0 supervisor\nready\nstart 1 supervisor\nready\n");
    container.signal(libc::SIGTERM);
    let ended = container.end();
    assert_eq!(ended.code, 0);
    let died = "gbsup[1]: supervisor died by signal 9 (death 1 of 5 in ten minutes), again in 1 s\n";
    // Its sleep is left running, unless it was between two of them.
    let left = "gbsup[1]: stopping what the supervisor left running: 1 process\n";
    let rest = ended.stderr.strip_prefix(died);
    assert!(rest.is_some_and(|rest| [left, ""].contains(&rest)), "{}", ended.stderr);
}

#[test]
fn a_panic_of_the_supervisor_is_not_the_end() {
    let mut container = counted(&format!("[ $GBSUP_RESTARTS = 0 ] && kill -ABRT $$\n{STAY}")).start();
    container.until("log", "ready");
    assert!(container.read("stderr").contains("supervisor died by signal 6 (death 1 of 5"));
    container.signal(libc::SIGTERM);
    assert_eq!(container.end().code, 0);
}

#[test]
fn code_2_of_a_later_start_is_a_death_like_any_other() {
    let container =
        counted(&format!("[ $GBSUP_RESTARTS = 0 ] && exit 1; [ $GBSUP_RESTARTS = 1 ] && exit 2\n{STAY}"))
            .start();
    container.until("log", "start 2 supervisor\nready");
    assert!(container.read("stderr").contains("supervisor exited with code 2 (death 2 of 5"));
}

#[test]
fn the_supervisor_starts_clean_and_in_a_session_of_its_own() {
    let mut container = counted(
        "readlink /proc/$$/fd/0 >>$DIR/log; pwd >>$DIR/log; cat /proc/$$/oom_score_adj >>$DIR/log
         echo done >>$DIR/log; exec sleep 1000",
    )
    .start();
    container.until("log", "done");
    let log = container.read("log");
    let score = log.strip_prefix("start 0 supervisor\n/dev/null\n/\n").unwrap_or_else(|| panic!("{log}"));
    let score: i32 = score.lines().next().and_then(|line| line.parse().ok()).expect("a number");
    assert!(score >= 100, "{score}");
    let supervisor = container.main_child();
    let process = Process::read(supervisor).expect("it runs");
    assert_eq!((process.group, process.session), (supervisor, supervisor));
    wait_until("it is no shell any more", || signals(supervisor, "SigCgt").is_empty());
    assert!(signals(supervisor, "SigBlk").union(signals(supervisor, "SigIgn")).is_empty());
}

/// A forced resync must not get lost because nobody was there to take it.
#[test]
fn a_signal_during_the_back_off_reaches_the_next_supervisor() {
    let mut container =
        counted(&format!("[ $GBSUP_RESTARTS = 0 ] && exit 1; trap 'echo USR1 >>$DIR/log' USR1\n{STAY}"))
            .start();
    container.until("stderr", "again in 1 s");
    container.signal(libc::SIGUSR1);
    container.until("log", "USR1");
    assert_eq!(container.read("log").lines().last(), Some("USR1"));
}

#[test]
fn usr2_ends_the_back_off() {
    let mut container = counted(&format!("[ $GBSUP_RESTARTS -lt 4 ] && exit 1; trap : USR2\n{STAY}")).start();
    container.until("stderr", "again in 4 s");
    let began = std::time::Instant::now();
    container.signal(libc::SIGUSR2);
    container.until("stderr", "again in 8 s");
    container.signal(libc::SIGUSR2);
    container.until("log", "ready");
    // Far less than both delays.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// The supervisor needs two descriptors more than the limit allows, until the limit is raised.
#[test]
fn a_supervisor_that_cannot_be_started_is_tried_again_and_counts_as_no_death() {
    let mut container = counted(STAY).through(&["prlimit", "--nofile=5:"]).start();
    container.until("stderr", "again in 2 s");
    let init = container.init().to_string();
    let raised = Command::new("prlimit").args(["--pid", &init, "--nofile=64:"]).status().expect("runs");
    assert!(raised.success());
    container.until("log", "start 0 supervisor\nready");
    let said = container.read("stderr");
    assert!(said.contains("cannot start the supervisor: ") && !said.contains("death"), "{said}");
}

/// Waits for the fifth death, the delays before which are cut short.
fn until_degraded(container: &mut Container) {
    for nth in 1..5 {
        container.until("stderr", &format!("death {nth} of 5"));
        container.signal(libc::SIGUSR2);
    }
    container.until("stderr", "degraded: ");
}

/// Dies until the file `repaired` is there.
fn broken() -> Container {
    let mut container = counted(&format!("[ -e $DIR/repaired ] || exit 1\n{STAY}")).start();
    until_degraded(&mut container);
    container
}

fn ask(container: &Container, request: &str) -> Value {
    let mut stream = UnixStream::connect(container.path("control.sock")).expect("init answers");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    writeln!(stream, "{request}").expect("sent");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("a reply");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

#[test]
fn five_deaths_make_it_degraded_and_it_answers_until_resume() {
    let mut container = broken();
    assert_eq!(container.read("log").lines().count(), 5);
    assert!(container.path("volume").exists());

    let reply = ask(&container, r#"{"request":"status"}"#);
    assert_eq!(reply["reply"], "status");
    let status = &reply["status"];
    assert_eq!((&status["schema"], &status["state"]), (&Value::from(1), &Value::from("degraded")));
    let headline = status["headline"].as_str().expect("a sentence");
    assert!(headline.starts_with("degraded: ") && headline.contains("gbsup resume"), "{headline}");
    for key in ["version", "step", "since", "progress", "jobs", "pending", "sync", "volume", "warnings"] {
        assert!(!status[key].is_null(), "{key}");
    }
    let mode = fs::metadata(container.path("control.sock")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    assert_eq!(ask(&container, r#"{"request":"sync"}"#)["reply"], "denied");
    assert_eq!(ask(&container, r#"{"request":"pause"}"#)["reply"], "denied");
    assert_eq!(ask(&container, "nonsense")["reply"], "invalid");
    // Neither a client that says nothing nor many of them keep the next one from being heard.
    let silent: Vec<_> =
        (0..5).map(|_| UnixStream::connect(container.path("control.sock")).expect("connects")).collect();
    assert_eq!(ask(&container, r#"{"request":"status"}"#)["reply"], "status");
    drop(silent);

    // It goes on reaping.
    let init = container.init().to_string();
    let orphan = ["-t", &init, "-p", "sh", "-c", "(sleep 0.01 &)"];
    assert!(Command::new("nsenter").args(orphan).status().expect("nsenter runs").success());
    wait_until("only init is left", || container.processes().len() == 1 && container.zombies() == 0);

    fs::write(container.path("repaired"), "").expect("written");
    assert_eq!(ask(&container, r#"{"request":"resume"}"#)["reply"], "accepted");
    container.until("log", "start 5 supervisor\nready");
    assert!(!container.path("control.sock").exists(), "the name is the supervisor's again");
    container.signal(libc::SIGTERM);
    assert_eq!(container.end().code, 0);
}

/// What a browser gets of `/`; nothing while nobody answers.
fn page(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

#[test]
fn a_degraded_builder_is_seen_in_a_browser() {
    let script = format!("[ -e $DIR/repaired ] || exit 1\n{STAY}");
    let mut container = counted(&script).env("GBSUP_HTTP_LISTEN", "127.0.0.1:0").start();
    until_degraded(&mut container);
    container.until("stderr", " on http://");
    let said = container.read("stderr");
    let address = said.split(" on http://").nth(1).and_then(|rest| rest.split('/').next());
    let address = address.expect("an address").to_owned();
    let says = |words: &str| page(&address).is_some_and(|text| text.contains(words));
    wait_until("the page says so", || says("the supervisor keeps dying"));
    assert!(says("docker exec NAME gbsup resume") && says("data-tone=\"bad\""), "{:?}", page(&address));
    // The next supervisor has a server of its own.
    fs::write(container.path("repaired"), "").expect("written");
    assert_eq!(ask(&container, r#"{"request":"resume"}"#)["reply"], "accepted");
    wait_until("it has ended", || page(&address).is_none());
    container.signal(libc::SIGTERM);
    assert_eq!(container.end().code, 0);
}

#[test]
fn usr2_ends_the_degraded_state_and_term_the_container() {
    let mut container = broken();
    container.signal(libc::SIGUSR2);
    container.until("stderr", "starting the supervisor again, as asked\n");
    container.until("stderr", "asked\ngbsup[1]: supervisor exited with code 1 (death 1 of 5");
    container.signal(libc::SIGTERM);
    assert_eq!(container.end().code, 0);

    let mut container = broken();
    container.signal(libc::SIGTERM);
    assert_eq!(container.end().code, 0);
}

#[test]
fn a_stale_socket_is_replaced_and_stop_is_understood() {
    let mut container = counted("rm -f $DIR/control.sock; exit 1").start();
    drop(std::os::unix::net::UnixListener::bind(container.path("control.sock")));
    until_degraded(&mut container);
    wait_until("it answers", || UnixStream::connect(container.path("control.sock")).is_ok());
    assert_eq!(ask(&container, r#"{"request":"stop"}"#)["reply"], "accepted");
    assert_eq!(container.end().code, 0);
}
