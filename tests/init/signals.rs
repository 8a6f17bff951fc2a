//! What each signal to PID 1 does.

use nix::libc;

use crate::support::{Process, Setup, wait_until};

/// Faults, which the kernel does not let an outsider do to PID 1.
const FAULTS: [i32; 7] =
    [libc::SIGILL, libc::SIGTRAP, libc::SIGABRT, libc::SIGBUS, libc::SIGFPE, libc::SIGSEGV, libc::SIGSYS];
/// Signals that init's own writing may bring, and that it keeps to itself.
const OWN: [i32; 3] = [libc::SIGPIPE, libc::SIGTTIN, libc::SIGTTOU];
/// Signals whose default does nothing to a running process.
const HARMLESS: [i32; 4] = [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH];
/// `RTMIN+3`, which tells systemd to halt.
const REAL_TIME: i32 = 37;

/// Every signal that can be sent to PID 1 without the kernel's ending or stopping it regardless.
fn all() -> impl Iterator<Item = i32> {
    (1..=31).chain([REAL_TIME]).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal))
}

#[test]
fn a_command_gets_every_signal_that_is_not_inits_own() {
    for signal in all() {
        let mut container = Setup::command(&["sleep", "1000"]).start();
        let command = container.main_child();
        container.signal(signal);
        if [&FAULTS[..], &OWN, &HARMLESS].concat().contains(&signal) {
            assert!(container.runs(), "signal {signal}");
            container.signal(libc::SIGTERM);
            assert_eq!(container.end().code, 128 + libc::SIGTERM, "signal {signal}");
        } else if signal == libc::SIGTSTP {
            let stopped = || Process::read(command).is_some_and(|process| process.state == 'T');
            wait_until("the command is stopped", stopped);
            container.signal(libc::SIGCONT);
            wait_until("the command goes on", || !stopped());
        } else {
            assert_eq!(container.end().code, 128 + signal);
        }
    }
}

/// One of them alone meets a handler of Rust's, two at once would overflow its stack.
#[test]
fn faults_from_outside_do_nothing_in_any_number() {
    let mut container = Setup::command(&["sleep", "1000"]).start();
    container.main_child();
    for _ in 0..100 {
        for signal in FAULTS {
            container.signal(signal);
        }
    }
    container.signal(libc::SIGTERM);
    assert_eq!(container.end().code, 128 + libc::SIGTERM);
}

#[test]
fn a_window_change_reaches_the_command_and_stops_nothing() {
    let script = "trap 'echo WINCH' WINCH; echo ready; while :; do sleep 0.05; done";
    let mut container = Setup::script(script).start();
    container.until("stdout", "ready");
    container.signal(libc::SIGWINCH);
    container.until("stdout", "WINCH");
    assert!(container.runs());
}

#[test]
fn kill_and_stop_from_inside_do_nothing() {
    assert_eq!(Setup::script("kill -KILL 1; kill -STOP 1; exit 5").run().code, 5);
}

/// A supervisor that writes down its signals and leaves on TERM, and a job of its that does so too.
const RECORDER: &str = "
    for name in HUP INT QUIT USR1 USR2; do trap \"echo $name >>$DIR/supervisor-got\" $name; done
    trap 'echo TERM >>$DIR/supervisor-got; exit 0' TERM
    env --default-signal=INT,QUIT setsid sh -c '
        for name in HUP INT QUIT USR1 USR2; do trap \"echo $name >>$DIR/job-got\" $name; done
        trap \"echo TERM >>$DIR/job-got; exit\" TERM
        echo up >>$DIR/job-is; while :; do sleep 0.05; done' &
    until [ -e $DIR/job-is ]; do sleep 0.01; done
    echo ready >>$DIR/log
    while :; do sleep 0.05; done";

#[test]
fn six_signals_reach_the_supervisor_and_it_alone() {
    let mut container = Setup::supervisor(RECORDER).start();
    container.until("log", "ready");
    let supervisor = container.main_child();
    for (signal, name) in
        [(libc::SIGHUP, "HUP"), (libc::SIGUSR1, "USR1"), (libc::SIGUSR2, "USR2"), (libc::SIGQUIT, "QUIT")]
    {
        container.signal(signal);
        container.until("supervisor-got", name);
    }
    let others = all().filter(|signal| {
        ![
            libc::SIGHUP,
            libc::SIGUSR1,
            libc::SIGUSR2,
            libc::SIGQUIT,
            libc::SIGTERM,
            libc::SIGINT,
            libc::SIGTSTP,
        ]
        .contains(signal)
    });
    for signal in others {
        container.signal(signal);
        assert!(container.runs(), "signal {signal}");
    }
    container.signal(libc::SIGINT);
    container.until("supervisor-got", "INT");
    assert_eq!(container.main_child(), supervisor);
    container.signal(libc::SIGTERM);
    let ended = container.end();
    let read = |name| std::fs::read_to_string(ended.dir.path().join(name)).unwrap_or_default();
    assert_eq!(read("supervisor-got"), "HUP\nUSR1\nUSR2\nQUIT\nINT\nTERM\n");
    assert_eq!(read("job-got"), "TERM\n", "which is the end of everything");
}

#[test]
fn a_signal_waits_until_the_supervisor_catches_it() {
    let slow = "
        echo started >>$DIR/log
        while [ ! -e $DIR/go-on ]; do sleep 0.01; done
        trap 'echo USR1 >>$DIR/log' USR1; trap 'exit 4' TERM
        while :; do sleep 0.05; done";
    let mut container = Setup::supervisor(slow).start();
    container.until("log", "started");
    container.signal(libc::SIGUSR1);
    container.signal(libc::SIGTERM);
    std::fs::write(container.path("go-on"), "").expect("written");
    let ended = container.end();
    assert_eq!(ended.code, 4);
    let log = std::fs::read_to_string(ended.dir.path().join("log")).expect("readable");
    assert_eq!(log, "started\nUSR1\n");
}
