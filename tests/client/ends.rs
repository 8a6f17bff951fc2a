//! Commands that go on until interrupted, and how they end.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use gbsup::model::request::{Reply, Request};
use gbsup::model::status::{Mode, Why};
use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};

use crate::fake::{Answer, Builder, paused, reply, status};

/// Waits for an end that must come by itself.
#[track_caller]
fn end(client: &mut Child) -> ExitStatus {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_mins(1) {
        if let Some(status) = client.try_wait().unwrap() {
            return status;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = client.kill();
    panic!("it is still there");
}

#[test]
fn watching_prints_one_line_per_change() {
    let (builder, send) = Builder::streaming();
    let mut client = builder.command("status --watch").spawn().unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    for headline in ["running: one (1 s)", "running: one (2 s)", "running: two (0 s)", "stopping: bye"] {
        let mode = if headline.starts_with("stopping") { Mode::Stopping } else { Mode::Running };
        send.send(status(mode, headline)).unwrap();
    }
    drop(send);
    for expected in ["running: one (1 s)", "running: two (0 s)", "stopping: bye"] {
        assert_eq!(lines.next().unwrap().unwrap(), expected);
    }
    assert_eq!(end(&mut client).code(), Some(3));
}

#[test]
fn watching_as_json_prints_one_object_per_line() {
    let (builder, send) = Builder::streaming();
    let mut client = builder.command("status --watch --json").spawn().unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    for done in 0..3 {
        let mut status = status(Mode::Running, "running: the same");
        status.progress.done = done;
        send.send(status).unwrap();
        let line: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["progress"]["done"], done);
    }
    client.kill().unwrap();
    client.wait().unwrap();
}

#[test]
fn watching_survives_a_supervisor_that_is_started_again() {
    let mut times = 0;
    let builder = Builder::answering(move |_| {
        times += 1;
        match times {
            1 => reply(Reply::Status { status: Box::new(status(Mode::Running, "running: before")) }),
            2 => Answer::Leave,
            _ => {
                let (send, statuses) = std::sync::mpsc::channel();
                send.send(status(Mode::Stopping, "stopping: after")).unwrap();
                Answer::Stream(statuses)
            }
        }
    });
    let (code, out, err) = builder.run("status --watch");
    assert_eq!((code, out.as_str()), (3, "running: before\nstopping: after\n"));
    assert!(err.contains("it went away; waiting for it"), "{err}");
}

#[test]
fn a_pause_is_waited_for() {
    let answers = |last: gbsup::model::status::Status| {
        Builder::answering(move |request| match request {
            Request::Watch => {
                let (send, statuses) = std::sync::mpsc::channel();
                send.send(status(Mode::Running, "running: the last package")).unwrap();
                send.send(last.clone()).unwrap();
                Answer::Stream(statuses)
            }
            _ => reply(Reply::Accepted { message: "pausing after this package".into() }),
        })
    };
    let (code, out, _) = answers(paused(Why::Operator, vec![])).run("pause --wait");
    assert_eq!(code, 0);
    assert_eq!(out, "pausing after this package\npaused: no luck. Repair it, then: gbsup resume\n");
    let (code, _, err) = answers(status(Mode::Stopping, "stopping: bye")).run("pause --wait");
    assert_eq!((code, err.as_str()), (4, "gbsup: the builder stops instead of pausing\n"));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let builder = Builder::with(status(Mode::Waiting, "waiting: all well"));
    for line in
        ["status", "status --json", "failures", "health", "config show", "completions bash", "man", "--help"]
    {
        let mut client = builder.command(line).spawn().unwrap();
        drop(client.stdout.take());
        let code = end(&mut client).code();
        let mut err = String::new();
        client.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((code, err.as_str()), (Some(0), ""), "{line}");
    }
}

#[test]
fn it_ends_when_the_reader_leaves_although_nothing_happens() {
    for line in ["logs -f", "status --watch"] {
        let builder = Builder::answering(|request| match request {
            Request::Watch => {
                let (send, statuses) = std::sync::mpsc::channel();
                send.send(status(Mode::Waiting, "waiting: all well")).unwrap();
                std::mem::forget(send);
                Answer::Stream(statuses)
            }
            _ => reply(Reply::Denied { message: "not now".into() }),
        });
        builder.file("steps/1/build.log", "one\n");
        let mut client = builder.command(line).spawn().unwrap();
        let mut stdout = BufReader::new(client.stdout.take().unwrap());
        stdout.read_line(&mut String::new()).unwrap();
        drop(stdout);
        end(&mut client);
    }
}

#[test]
fn it_ends_when_whoever_started_it_leaves() {
    let (builder, send) = Builder::streaming();
    send.send(status(Mode::Waiting, "waiting: all well")).unwrap();
    let mut client = builder.command("status --watch").stdin(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(client.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    drop(client.stdin.take());
    end(&mut client);
}

#[test]
fn a_stdin_without_an_end_in_sight_changes_nothing() {
    let (builder, send) = Builder::streaming();
    let (reading, writing) = std::io::pipe().unwrap();
    drop(writing);
    let mut client = builder.command("status --watch").stdin(reading).spawn().unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    for headline in ["running: one", "stopping: bye"] {
        let mode = if headline.starts_with("stopping") { Mode::Stopping } else { Mode::Running };
        send.send(status(mode, headline)).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), headline);
    }
    drop(send);
    assert_eq!(end(&mut client).code(), Some(3));
}

/// A terminal: the side of the user, and the side of programs. No program gets the former.
fn terminal() -> (PtyMaster, File) {
    let user = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&user).unwrap();
    unlockpt(&user).unwrap();
    let mut open = OpenOptions::new();
    open.read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits());
    let program = open.open(ptsname_r(&user).unwrap()).unwrap();
    (user, program)
}

#[test]
fn a_terminal_gets_colour_and_its_end_is_the_end() {
    let (builder, send) = Builder::streaming();
    send.send(status(Mode::Waiting, "waiting: all well")).unwrap();
    let (mut user, program) = terminal();
    // The terminal has to be the client's own, as it is in `docker exec -t`.
    let mut client = Command::new("setsid");
    client.args(["--ctty", env!("CARGO_BIN_EXE_gbsup"), "status", "--watch"]);
    client.env("GBSUP_SOCKET", builder.socket()).env("TERM", "xterm").env_remove("NO_COLOR");
    client.stdin(program.try_clone().unwrap()).stdout(program.try_clone().unwrap()).stderr(program);
    let mut child = client.spawn().unwrap();
    // The parent's copies would keep the terminal open.
    drop(client);
    let mut shown = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&shown).contains("free") {
        let length = user.read(&mut buffer).unwrap();
        shown.extend_from_slice(&buffer[..length]);
    }
    let shown = String::from_utf8_lossy(&shown);
    assert!(shown.contains("\u{1b}[32mwaiting\u{1b}[0m"), "{shown:?}");
    drop(user);
    end(&mut child);
}

#[test]
fn no_color_is_honoured_on_a_terminal() {
    let builder = Builder::with(status(Mode::Waiting, "waiting: all well"));
    let (mut user, program) = terminal();
    let mut client = builder.command("status");
    client.stdout(program).env("TERM", "xterm").env("NO_COLOR", "1");
    let mut child = client.spawn().unwrap();
    assert_eq!(end(&mut child).code(), Some(0));
    let mut shown = [0; 4096];
    let length = user.read(&mut shown).unwrap();
    let shown = String::from_utf8_lossy(&shown[..length]);
    assert!(shown.contains("waiting: all well") && !shown.contains('\u{1b}'), "{shown:?}");
}
