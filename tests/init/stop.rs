//! Stopping: nobody is cut off early, nobody is waited for in vain.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use nix::libc;

use crate::support::{Container, Ended, GBSUP, Process, Setup, make_fifo, wait_until};

/// A supervisor that starts `others` and leaves with 7 on TERM.
fn with(others: &str) -> Setup {
    Setup::supervisor(&format!(
        "trap 'exit 7' TERM\n{others}\necho ready >>$DIR/log; while :; do sleep 0.05; done"
    ))
}

/// Sends TERM when everything is ready, and returns the end and how long it took.
fn stopped(mut container: Container) -> (Ended, Duration) {
    container.until("log", "ready");
    let began = Instant::now();
    container.signal(libc::SIGTERM);
    (container.end(), began.elapsed())
}

/// Less than the grace of 29 s in these tests, by as much as a busy machine may take.
const AT_ONCE: Duration = Duration::from_secs(20);

#[test]
fn it_leaves_at_once_with_the_supervisors_code() {
    let others = "setsid sleep 1001 & (setsid sh -c '(sleep 1002 &)' &) ; sh -c 'kill -STOP $$' &";
    let mut container = with(others).env("GBSUP_STOP_GRACE", "29s").start();
    // A shell's child that is not yet what it will be can lose a signal.
    wait_until("the others run", || {
        let run = container.processes();
        let named = |name: &str| run.iter().any(|process| process.line.starts_with(name));
        named("sleep 1001") && named("sleep 1002") && run.iter().any(|process| process.state == 'T')
    });
    let (ended, took) = stopped(container);
    assert_eq!(ended.code, 7);
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(ended.stderr, "");
}

/// Whoever looks for it finds a pid that is hardly its own any more. (One that hops as fast as it can is
/// left to the deadline at times.)
#[test]
fn what_is_born_in_that_moment_does_not_escape() {
    let hopper = "setsid perl -e 'while (1) { exit if fork; select undef, undef, undef, 0.001 }' &";
    let mut container = with(hopper).env("GBSUP_STOP_GRACE", "29s").start();
    wait_until("it hops", || container.processes().iter().any(|process| process.line.starts_with("perl")));
    let (ended, took) = stopped(container);
    assert_eq!(ended.code, 7);
    assert!(took < AT_ONCE, "{took:?}");
}

#[test]
fn a_slow_grandchild_may_finish() {
    let others = "(setsid sh -c '
        trap \"sleep 1; echo finished >>$DIR/log; exit\" TERM; echo up >>$DIR/log
        while :; do sleep 0.05; done' &)
        until grep -q up $DIR/log; do sleep 0.01; done";
    let (ended, took) = stopped(with(others).env("GBSUP_STOP_GRACE", "29s").start());
    assert_eq!(ended.code, 7);
    let log = std::fs::read_to_string(ended.dir.path().join("log")).expect("readable");
    assert_eq!(log, "up\nready\nfinished\n");
    assert!(took >= Duration::from_secs(1) && took < AT_ONCE, "{took:?}");
}

#[test]
fn who_ignores_term_is_killed_at_the_deadline() {
    let others = "(setsid sh -c 'trap \"\" TERM; echo up >>$DIR/log; while :; do sleep 1; done' &)
        until grep -q up $DIR/log; do sleep 0.01; done";
    let (ended, took) = stopped(with(others).env("GBSUP_STOP_GRACE", "1s").start());
    assert_eq!(ended.code, 7);
    assert!(took >= Duration::from_secs(1) && took < AT_ONCE, "{took:?}");
    assert!(
        ended.stderr.contains("the time to stop is over; killing what is left: pid "),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_supervisor_that_does_not_stop_is_killed_at_the_deadline() {
    let deaf = "trap : TERM; echo ready >>$DIR/log; while :; do sleep 0.05; done";
    let (ended, took) = stopped(Setup::supervisor(deaf).env("GBSUP_STOP_GRACE", "1s").start());
    assert_eq!(ended.code, 128 + libc::SIGKILL);
    assert!(took >= Duration::from_secs(1) && took < AT_ONCE, "{took:?}");
    assert!(ended.stderr.contains("the supervisor did not stop in time"), "{}", ended.stderr);
}

#[test]
fn a_second_term_or_int_shortens_the_grace() {
    for second in [libc::SIGTERM, libc::SIGINT] {
        let deaf = "trap 'echo TERM >>$DIR/log' TERM; trap 'echo INT >>$DIR/log' INT; echo ready >>$DIR/log
            while :; do sleep 0.05; done";
        let mut container = Setup::supervisor(deaf).env("GBSUP_STOP_GRACE", "29s").start();
        container.until("log", "ready");
        container.signal(libc::SIGTERM);
        container.until("log", "TERM");
        let began = Instant::now();
        container.signal(second);
        assert_eq!(container.end().code, 128 + libc::SIGKILL);
        assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    }
}

#[test]
fn a_second_term_shortens_the_sweep_too() {
    let others = "(setsid sh -c 'trap \"echo asked >>$DIR/log\" TERM; echo up >>$DIR/log; while :; do sleep 0.1; done' &)
        until grep -q up $DIR/log; do sleep 0.01; done";
    let mut container = with(others).env("GBSUP_STOP_GRACE", "29s").start();
    container.until("log", "ready");
    container.signal(libc::SIGTERM);
    container.until("log", "asked");
    let began = Instant::now();
    container.signal(libc::SIGTERM);
    assert_eq!(container.end().code, 7);
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

/// An interactive shell ignores TERM. One that came in by `docker exec` must not hold the container.
#[test]
fn a_shell_from_outside_does_not_hold_the_container() {
    let mut container = with("").env("GBSUP_STOP_GRACE", "29s").start();
    container.until("log", "ready");
    let init = container.init().to_string();
    let gate = container.path("gate");
    make_fifo(&gate);
    let log = container.path("log");
    let script = format!("trap '' TERM; echo in >>{}; read line <{}", log.display(), gate.display());
    let mut shell = Command::new("nsenter")
        .args(["-t", &init, "-p", "-m", "sh", "-c", &script])
        .spawn()
        .expect("nsenter runs");
    container.until("log", "in");
    let (ended, took) = stopped(container);
    assert_eq!(ended.code, 7);
    assert!(took < AT_ONCE, "{took:?}");
    shell.wait().expect("it is our child");
}

/// Its answer is on the way when everything else is asked to stop.
#[test]
fn a_client_may_print_its_answer() {
    let mut container = with("").env("GBSUP_STOP_GRACE", "29s").start();
    container.until("log", "ready");
    let init = container.init().to_string();
    let socket = container.path("control.sock");
    let listener = UnixListener::bind(&socket).expect("bound");
    let client = Command::new("nsenter")
        .args(["-t", &init, "-p", "-m", GBSUP, "stop"])
        .env("GBSUP_SOCKET", &socket)
        .stdout(Stdio::piped())
        .spawn()
        .expect("nsenter runs");
    let (mut stream, _) = listener.accept().expect("the client connects");
    BufReader::new(&stream).read_line(&mut String::new()).expect("it asks");
    let supervisor = container.main_child();
    container.signal(libc::SIGTERM);
    wait_until("the supervisor has left", || Process::read(supervisor).is_none());
    writeln!(stream, r#"{{"reply":"accepted","message":"stopping, says the test"}}"#).expect("answered");
    let output = client.wait_with_output().expect("it is our child");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "stopping, says the test\n");
    assert!(output.status.success());
    assert_eq!(container.end().code, 7);
}

/// An emerge that a person has started by hand is stopped like any other: asked, and waited for.
#[test]
fn what_a_shell_from_outside_runs_may_finish() {
    let mut container = with("").env("GBSUP_STOP_GRACE", "29s").start();
    container.until("log", "ready");
    let log = container.path("log").display().to_string();
    let (mut shell, mut keys) = bash_from_outside(&mut container);
    let script =
        format!("trap \"sleep 1; echo finished >>{log}; exit\" TERM; echo up >>{log}; sleep 1000 & wait");
    writeln!(keys, "sh -c '{script}'").expect("typed");
    container.until("log", "up");
    let (ended, took) = stopped(container);
    assert_eq!(ended.code, 7);
    assert_eq!(
        std::fs::read_to_string(ended.dir.path().join("log")).expect("readable"),
        "ready\nup\nfinished\n"
    );
    assert!(took < AT_ONCE, "{took:?}");
    shell.wait().expect("it is our child");
}

/// `docker exec -i CONTAINER bash -i`, and what it reads from.
fn bash_from_outside(container: &mut Container) -> (Child, ChildStdin) {
    let init = container.init().to_string();
    let mut command = Command::new("nsenter");
    command.args(["-t", &init, "-p", "-m", "bash", "--norc", "-i"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut shell = command.spawn().expect("nsenter runs");
    let keys = shell.stdin.take().expect("it is a pipe");
    (shell, keys)
}

#[test]
fn a_supervisor_that_leaves_with_0_has_been_asked_to() {
    let began = Instant::now();
    let ended = Setup::supervisor("setsid sleep 1000 & exit 0").run();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(began.elapsed() < AT_ONCE);
}

#[test]
fn a_bad_configuration_at_the_first_start_ends_it() {
    let ended = Setup::supervisor("exit 2").run();
    assert_eq!((ended.code, ended.stderr.as_str()), (2, ""));
}

#[test]
fn a_stop_while_there_is_no_supervisor_is_clean() {
    let mut container = Setup::supervisor("exit 1").start();
    container.until("stderr", "again in 2 s");
    let began = Instant::now();
    container.signal(libc::SIGTERM);
    assert_eq!(container.end().code, 0);
    assert!(began.elapsed() < AT_ONCE);
}

/// What a command leaves may clean up, though not for long.
#[test]
fn a_command_that_ends_gives_the_rest_a_moment() {
    let cleans = "(setsid sh -c 'trap \"sleep 0.5; echo finished >>$DIR/log; exit\" TERM; echo up >>$DIR/log
        while :; do sleep 0.05; done' &)
        until grep -q up $DIR/log; do sleep 0.01; done; exit 3";
    let ended = Setup::script(cleans).run();
    assert_eq!(ended.code, 3);
    let log = std::fs::read_to_string(ended.dir.path().join("log")).expect("readable");
    assert_eq!(log, "up\nfinished\n");

    let deaf = "(setsid sh -c 'trap \"\" TERM; echo up >>$DIR/log; while :; do sleep 1; done' &)
        until grep -q up $DIR/log; do sleep 0.01; done; exit 3";
    let began = Instant::now();
    assert_eq!(Setup::script(deaf).run().code, 3);
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}
