//! A supervisor that is stopped or hangs.

use nix::libc;

use crate::support::{Process, Setup, signals, wait_until};

/// Stays until TERM, a person's signals doing nothing.
const STAY: &str =
    "trap 'exit 0' TERM; trap : USR1; echo ready $GBSUP_ENDED >>$DIR/log; while :; do sleep 0.05; done";
/// Answers when it is asked for a sign of life.
const ANSWERS: &str = "trap 'kill -CONT $PPID' URG";
/// Knows the question and gives no answer: the shell is there, what it stands for hangs.
const HANGS: &str = "trap : URG";

fn supervisor(manner: &str) -> Setup {
    Setup::supervisor(&format!("{manner}\n{STAY}"))
}

/// A signal that is not taken and a client that is not answered, and then one that is neither.
#[test]
fn one_that_gives_no_sign_of_life_is_killed_and_the_next_is_told_why() {
    let manner = format!("[ $GBSUP_RESTARTS = 2 ] && {ANSWERS} || {HANGS}");
    let mut container = supervisor(&manner).start();
    container.until("log", "ready");
    container.signal(libc::SIGUSR1);
    container
        .until("log", "ready hung and gave no sign of life for a minute after signal 10, and was killed\n");
    let said = container.read("stderr");
    let line = "gbsup[1]: supervisor hung and gave no sign of life for a minute after signal 10, and was killed \
                (death 1 of 5 in ten minutes), again in 1 s\n";
    assert!(said.starts_with(line), "{said}");
    container.signal(libc::SIGURG);
    container
        .until("stderr", "a client got no answer from the supervisor, which is asked for a sign of life\n");
    container.until("log", "ready hung and gave no sign of life for a minute, and was killed\n");
    container.signal(libc::SIGURG);
    container.until("stderr", "gbsup[1]: the supervisor gives a sign of life\n");
    container.signal(libc::SIGTERM);
    assert_eq!(container.end().code, 0);
}

#[test]
fn a_stop_is_noticed_at_once_and_ends_after_a_minute() {
    let mut container = supervisor(ANSWERS).start();
    container.until("log", "ready");
    let supervisor = container.main_child();
    let stop = || gbsup::sys::kill(supervisor, libc::SIGSTOP).expect("it runs");
    let stopped = "gbsup[1]: the supervisor was stopped by signal 19; in a minute it is told to go on\n";
    let on = "gbsup[1]: the supervisor goes on\n";
    let mut told = String::new();
    // Somebody ends it before.
    stop();
    told += stopped;
    container.until("stderr", &told);
    gbsup::sys::kill(supervisor, libc::SIGCONT).expect("it is there");
    told += on;
    container.until("stderr", &told);
    // Nobody does.
    stop();
    told = told + stopped + "gbsup[1]: the supervisor is stopped; telling it to go on\n" + on;
    container.until("stderr", &told);
    // A stop of the builder needs it.
    stop();
    told += stopped;
    container.until("stderr", &told);
    container.signal(libc::SIGTERM);
    let ended = container.end();
    assert_eq!(ended.code, 0);
    assert!(!ended.stderr.contains("death"), "{}", ended.stderr);
}

#[test]
fn one_that_stops_while_it_leaves_is_told_to_go_on() {
    let script = "trap 'echo leaving >>$DIR/log; kill -STOP $$; exit 7' TERM; echo ready >>$DIR/log
        while :; do sleep 0.05; done";
    let mut container = Setup::supervisor(script).start();
    container.until("log", "ready");
    container.signal(libc::SIGTERM);
    let ended = container.end();
    assert_eq!(ended.code, 7);
    assert!(ended.stderr.contains("stopped while it stops the builder"), "{}", ended.stderr);
}

/// It may be anything, a program that knows nothing of it too.
#[test]
fn one_that_does_not_know_the_question_is_left_alone() {
    let mut container = Setup::supervisor(&format!("echo up >>$DIR/log; {STAY}")).start();
    container.until("log", "ready");
    let supervisor = container.main_child();
    assert!(!signals(supervisor, "SigCgt").contains(libc::SIGURG));
    container.signal(libc::SIGURG);
    container.signal(libc::SIGUSR1);
    gbsup::sys::kill(supervisor, libc::SIGSTOP).expect("it runs");
    wait_until("it is stopped", || Process::read(supervisor).is_some_and(|process| process.state == 'T'));
    container.signal(libc::SIGURG);
    gbsup::sys::kill(supervisor, libc::SIGCONT).expect("it is there");
    container.signal(libc::SIGTERM);
    let ended = container.end();
    assert_eq!(ended.code, 0);
    assert!(!ended.stderr.contains("sign of life") && !ended.stderr.contains("stopped"), "{}", ended.stderr);
}
