//! `gbsup logs`.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use gbsup::model::records::{Outcome, PackageOutcome, Record};
use gbsup::model::request::Reply;
use gbsup::model::status::{CycleInfo, JobInfo, Mode, Why};
use gbsup::volume::history::History;
use jiff::Timestamp;

use crate::fake::{Builder, failure, paused, reply, status};

#[test]
fn the_running_step_is_what_the_supervisor_says() {
    let log = tempfile::Builder::new().suffix(".log").tempfile().unwrap();
    fs::write(log.path(), "from the status\n").unwrap();
    let mut status = status(Mode::Running, "running: building");
    status.log = Some(log.path().display().to_string());
    assert_eq!(Builder::with(status).run("logs"), (0, "from the status\n".into(), String::new()));
}

#[test]
fn without_a_supervisor_it_is_the_newest_of_the_last_cycle() {
    let builder = Builder::empty();
    let (code, _, err) = builder.run("logs");
    assert_eq!((code, err.as_str()), (1, "gbsup: nothing has been logged yet below <volume>/steps\n"));
    builder.file("steps/9/rebuild.log", "old\n");
    builder.file("steps/10/sync.log", "synced\n");
    builder.file("steps/10/build.log", "building\n");
    assert_eq!(builder.run("logs"), (0, "building\n".into(), String::new()));
}

#[test]
fn a_cycle_is_printed_in_order() {
    let builder = Builder::empty();
    for step in
        ["publish", "build", "sync", "prune", "preflight", "audit", "other", "rebuild", "plan", "self-update"]
    {
        builder.file(&format!("steps/3/{step}.log"), &format!("{step}!\n"));
    }
    builder.file("steps/4/build.log", "x\n");
    let (code, out, _) = builder.run("logs --cycle 3");
    assert_eq!(code, 0);
    let steps = "preflight sync self-update plan build rebuild audit publish prune other";
    let expected: Vec<_> =
        steps.split(' ').map(|step| format!("==> <volume>/steps/3/{step}.log <==\n{step}!\n")).collect();
    assert_eq!(out, expected.join("\n"));
    let (code, _, err) = builder.run("logs --cycle 7");
    assert_eq!((code, err.as_str()), (1, "gbsup: no logs of cycle 7; there are logs of 3 to 4\n"));
}

#[test]
fn a_package_is_found_by_its_name() {
    let builder = Builder::empty();
    builder.file("log/build/app-misc/hello-2.10:20261122-101500.log", "hello\n");
    builder.file("log/build/app-text/hello-1:20261122-101500.log", "other\n");
    builder.file("log/build/app-misc/tree-2:20261122-101500.log.gz", "x");
    assert_eq!(builder.run("logs =app-misc/hello-2.10").1, "hello\n");
    let (code, out, err) = builder.run("logs hello");
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(err, "gbsup: hello may be any of app-misc/hello, app-text/hello: say which\n");
    let (code, _, err) = builder.run("logs tree");
    assert_eq!(code, 1);
    assert!(
        err.contains("the log is compressed; read it with: zcat <volume>/log/build/app-misc/tree"),
        "{err}"
    );
    assert_eq!(builder.run("logs nothing").0, 1);
}

#[test]
fn what_failed_is_printed_even_when_a_log_is_gone() {
    let builder = Builder::empty();
    let log = builder.file("b.log", "no luck\n");
    let gone = builder.volume().join("gone.log");
    let failures = vec![
        failure("a/gone-1", Some(gone.display().to_string())),
        failure("a/b-1", Some(log.display().to_string())),
        failure("a/c-1", None),
    ];
    let (code, out, err) = Builder::with(paused(Why::Failure, failures)).run("logs --failed");
    assert_eq!(code, 1);
    assert!(out.contains("b.log <==\nno luck\n"), "{out}");
    assert!(err.contains("gone.log: cannot be read"), "{err}");
    let (code, out, _) = Builder::with(status(Mode::Waiting, "waiting: all well")).run("logs --failed");
    assert_eq!((code, out.as_str()), (0, "no failures (waiting: all well)\n"));
}

/// Two cycles: a package fails and is built later in the first; the second begins ten seconds after it.
fn two_cycles(builder: &Builder) -> PathBuf {
    let log = builder.file("log/app-misc:hello-1:20270115-080001.log", "no luck\n");
    builder.file("log/app-misc:hello-1:20270115-080005.log", "built\n");
    builder.file("log/elog/app-misc:hello-1:20270115-080002.log", "ERROR: compile\nno luck\n");
    builder.file("log/elog/app-misc/hello-1:20270115-080012.log", "WARN: postinst\nlook at this\nand this\n");
    let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
    let package = |outcome, log: Option<String>| Record::Package {
        cycle: 1,
        step: "build".into(),
        package: "app-misc/hello-1".into(),
        binary: false,
        started: at(1),
        ended: at(2),
        outcome,
        log,
        message: None,
    };
    let started = |cycle, second| Record::CycleStarted { cycle, at: at(second), reason: "first".into() };
    let ended =
        |cycle, second| Record::CycleEnded { cycle, at: at(second), outcome: Outcome::Done, worked: None };
    fs::create_dir_all(builder.volume().join("state")).unwrap();
    let (mut history, _) = History::open(&builder.volume().join("state/history.db")).unwrap();
    for record in [
        started(1, 0),
        package(PackageOutcome::Failed, Some(log.display().to_string())),
        package(PackageOutcome::Built, None),
        ended(1, 6),
        started(2, 10),
        ended(2, 15),
    ] {
        history.record(&record).unwrap();
    }
    log
}

#[test]
fn a_failed_build_is_found_although_the_package_was_built_later() {
    let builder = Builder::empty();
    let (code, _, err) = builder.run("logs hello --failed");
    assert_eq!(
        (code, err.as_str()),
        (1, "gbsup: nothing is recorded yet: <volume>/state/history.db is not there\n")
    );
    two_cycles(&builder);
    assert_eq!(builder.run("logs hello --failed"), (0, "no luck\n".into(), String::new()));
    assert_eq!(builder.run("logs hello"), (0, "built\n".into(), String::new()));
    fs::remove_file(builder.volume().join("log/app-misc:hello-1:20270115-080005.log")).unwrap();
    assert_eq!(builder.run("logs hello"), (0, "no luck\n".into(), "gbsup: this build failed\n".into()));
    let (code, _, err) = builder.run("logs tree --failed");
    assert_eq!((code, err.as_str()), (1, "gbsup: no build of tree is known to have failed\n"));
}

#[test]
fn what_failed_in_the_newest_cycle_is_printed_when_nothing_holds_the_builder() {
    let mut status = status(Mode::Waiting, "waiting: all well");
    let started = Timestamp::from_second(1_800_000_000).unwrap();
    status.cycle = Some(CycleInfo { id: 1, started, reason: "first".into() });
    let builder = Builder::with(status);
    two_cycles(&builder);
    let (code, out, _) = builder.run("logs --failed");
    assert_eq!(code, 0);
    assert!(out.ends_with("app-misc:hello-1:20270115-080001.log <==\nno luck\n"), "{out}");
}

#[test]
fn what_ebuilds_want_to_be_read_is_sorted_by_cycle() {
    let builder = Builder::empty();
    two_cycles(&builder);
    let (code, out, _) = builder.run("logs --elog");
    assert_eq!(code, 0);
    assert!(out.starts_with("app-misc/hello-1  2027-01-15 08:00:12 UTC\n"), "{out}");
    assert!(out.contains("warn") && out.contains("look at this") && out.contains("and this"), "{out}");
    assert!(!out.contains("no luck"), "{out}");
    assert!(builder.run("logs --elog --cycle 1").1.contains("no luck"));
    let json: serde_json::Value = serde_json::from_str(&builder.run("logs --elog --json").1).unwrap();
    assert_eq!(
        json,
        serde_json::json!([{
            "package": "app-misc/hello-1",
            "at": "2027-01-15T08:00:12Z",
            "messages": [{ "class": "warn", "phase": "postinst", "lines": ["look at this", "and this"] }]
        }])
    );
    let (code, _, err) = builder.run("logs --elog --cycle 7");
    assert_eq!(
        (code, err.as_str()),
        (1, "gbsup: no cycle 7 is recorded; gbsup history lists those that are\n")
    );
    fs::remove_dir_all(builder.volume().join("log/elog")).unwrap();
    let (code, out, _) = builder.run("logs --elog");
    assert_eq!(code, 0);
    assert!(out.contains("cycle 2 left no messages") && out.contains("PORTAGE_ELOG_SYSTEM"), "{out}");
}

/// A client that goes on, and the lines it prints.
struct Following {
    client: Child,
    lines: Receiver<String>,
}

impl Following {
    fn new(builder: &Builder, line: &str) -> Self {
        let mut client = builder.command(line).spawn().unwrap();
        let (send, lines) = channel();
        let stdout = BufReader::new(client.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        Self { client, lines }
    }

    #[track_caller]
    fn expect(&self, expected: &str) {
        match self.lines.recv_timeout(Duration::from_mins(1)) {
            Ok(line) => assert!(line.ends_with(expected), "{line:?} instead of {expected:?}"),
            Err(error) => panic!("{expected:?} was not printed: {error}"),
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn following_goes_from_step_to_step_and_from_cycle_to_cycle() {
    let builder = Builder::empty();
    let following = Following::new(&builder, "logs -f");
    let sync = builder.file("steps/1/sync.log", "one\n");
    following.expect("steps/1/sync.log <==");
    following.expect("one");
    append(&sync, "two\n");
    following.expect("two");
    append(&sync, "last\n");
    let build = builder.file("steps/1/build.log", "three\n");
    following.expect("last");
    following.expect("");
    following.expect("steps/1/build.log <==");
    following.expect("three");
    builder.file("steps/2/sync.log", "four\n");
    following.expect("");
    following.expect("steps/2/sync.log <==");
    following.expect("four");
    append(&build, "of the old cycle\n");
    append(&builder.volume().join("steps/2/sync.log"), "five\n");
    following.expect("five");
}

#[test]
fn following_a_package_survives_its_log_being_emptied() {
    let working = Arc::new(AtomicBool::new(true));
    let (at_work, path) = (Arc::clone(&working), Arc::new(Mutex::new(String::new())));
    let volume = Arc::clone(&path);
    let builder = Builder::answering(move |_| {
        let mut status = status(Mode::Running, "running: building");
        status.volume.path.clone_from(&volume.lock().unwrap());
        let name = if at_work.load(Ordering::SeqCst) { "app-misc/hello-2.10" } else { "app-misc/tree-2" };
        status.jobs = vec![JobInfo {
            package: name.into(),
            phase: "compile".into(),
            elapsed: 1,
            estimate: None,
            binary: false,
            files: None,
        }];
        reply(Reply::Status { status: Box::new(status) })
    });
    *path.lock().unwrap() = builder.volume().display().to_string();
    let log =
        builder.file("log/build/app-misc/hello-2.10:20261122-101500.log", "one\ntwo\nfetching a file\n");
    let mut following = Following::new(&builder, "logs -f -n 1 hello");
    following.expect("fetching a file");
    fs::write(&log, "").unwrap();
    append(&log, "built\n");
    following.expect("built");
    // It ends with the build, whatever comes next.
    working.store(false, Ordering::SeqCst);
    append(&log, "merged\n");
    following.expect("merged");
    assert!(following.client.wait().unwrap().success());
}

#[test]
fn the_last_lines_are_enough() {
    let builder = Builder::empty();
    builder.file("steps/1/sync.log", "one\ntwo\n");
    builder.file("steps/1/build.log", "three\nfour\nfive\n");
    assert_eq!(builder.run("logs -n 2"), (0, "four\nfive\n".into(), String::new()));
    let (_, out, _) = builder.run("logs --cycle 1 -n 1");
    assert!(
        out.contains("two\n") && out.contains("five\n") && !out.contains("one") && !out.contains("four"),
        "{out}"
    );
}

#[test]
fn following_uses_no_time_while_nothing_happens() {
    let builder = Builder::empty();
    builder.file("steps/1/build.log", "one\n");
    let following = Following::new(&builder, "logs -f");
    following.expect("<==");
    following.expect("one");
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", following.client.id())).unwrap();
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = ticks();
    // Nothing can be waited for: the point is that nothing comes.
    thread::sleep(Duration::from_millis(500));
    assert!(ticks() - before <= 1);
}
