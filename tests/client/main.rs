//! The client against a supervisor that says what the test wants.

mod bounds;
mod ends;
mod fake;
mod logs;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use fake::{Answer, Builder, failure, paused, reply, status};
use gbsup::config::Config;
use gbsup::decide::step::step;
use gbsup::model::duration::Eta;
use gbsup::model::failure::Class;
use gbsup::model::farm::{Away, Brief, Farm, Member};
use gbsup::model::rebuilds::{Proof, Stale};
use gbsup::model::records::{Outcome, PackageOutcome, Record};
use gbsup::model::request::{PauseMode, Reply, Request};
use gbsup::model::state::{CyclePlan, State};
use gbsup::model::status::{Mode, Skipped, Status, StillFailing, Why};
use gbsup::model::{Claimed, Event, Now};
use gbsup::portage::names::cpv::Cpv;
use gbsup::portage::output::plan::Reader;
use gbsup::volume::history::History;
use jiff::{SignedDuration, Timestamp};

const WAITING: &str = "waiting: everything is up to date";

#[test]
fn every_answer_has_its_exit_code() {
    for (line, answer, expected) in [
        ("resume", Reply::Accepted { message: "going on".into() }, (0, "going on\n", "")),
        ("sync", Reply::Already { message: "a sync is pending".into() }, (0, "a sync is pending\n", "")),
        (
            "resume",
            Reply::Denied { message: "nothing is paused".into() },
            (4, "", "gbsup: nothing is paused\n"),
        ),
        ("pause", Reply::Invalid { message: "what?".into() }, (2, "", "gbsup: what?\n")),
        (
            "resume",
            Reply::Denied { message: "no \u{1b}[31m here".into() },
            (4, "", "gbsup: no \\x1b[31m here\n"),
        ),
        ("stop", Reply::Accepted { message: "stopping\u{1b}[31m".into() }, (0, "stopping\\x1b[31m\n", "")),
    ] {
        let builder = Builder::answering(move |_| reply(answer.clone()));
        let (code, out, err) = builder.run(line);
        assert_eq!((code, out.as_str(), err.as_str()), expected, "{line}");
    }
}

#[test]
fn requests_say_what_was_typed() {
    let builder = Builder::answering(|_| reply(Reply::Accepted { message: "yes".into() }));
    let mut expected = Vec::new();
    for (line, request) in [
        ("resume", Request::Resume { skip: vec![] }),
        ("resume --skip a/b --skip =c/d-1", Request::Resume { skip: vec!["a/b".into(), "=c/d-1".into()] }),
        ("pause", Request::Pause { mode: PauseMode::AfterPackage, reason: None }),
        ("pause --now --reason tired", Request::Pause { mode: PauseMode::Now, reason: Some("tired".into()) }),
        ("pause --after-cycle", Request::Pause { mode: PauseMode::AfterCycle, reason: None }),
        ("unskip a/b", Request::Unskip { packages: vec!["a/b".into()] }),
        ("sync", Request::Sync),
        ("stop", Request::Stop),
    ] {
        assert_eq!(builder.run(line).0, 0, "{line}");
        expected.push(request);
    }
    assert_eq!(builder.asked(), expected);
}

#[test]
fn without_a_supervisor_it_says_where_it_looked() {
    let builder = Builder::empty();
    let sentence = "gbsup: no supervisor answers at <volume>/control.sock: is this the builder container?\n";
    for line in [
        "status",
        "status --watch",
        "resume",
        "pause --wait",
        "failures",
        "skip",
        "unskip a/b",
        "health",
        "health --live",
        "logs --failed",
    ] {
        assert_eq!(builder.run(line), (3, String::new(), sentence.into()), "{line}");
    }
}

#[test]
fn a_supervisor_that_died_is_not_a_missing_one() {
    let builder = Builder::empty();
    drop(std::os::unix::net::UnixListener::bind(builder.socket()).unwrap());
    let (code, _, err) = builder.run("status");
    assert_eq!(code, 3);
    assert!(err.contains("it is gone or starting again"), "{err}");

    let (code, _, err) = Builder::answering(|_| Answer::Leave).run("status");
    assert_eq!(code, 3);
    assert!(err.contains("it went away"), "{err}");
}

#[test]
fn health_answers_in_time_when_the_supervisor_hangs() {
    for builder in [Builder::answering(|_| Answer::Silence), deaf()] {
        let begin = Instant::now();
        let (code, _, err) = builder.run("health --live");
        assert_eq!(code, 3);
        assert!(err.contains("it said nothing within"), "{err}");
        // Docker's own limit for it is 10 s.
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
}

/// A supervisor that listens, does not accept, and has as many callers as it has room for.
fn deaf() -> Builder {
    use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
    let builder = Builder::empty();
    let flags = SockFlag::SOCK_CLOEXEC;
    let listener = socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
    bind(std::os::fd::AsRawFd::as_raw_fd(&listener), &UnixAddr::new(&builder.socket()).unwrap()).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let caller = std::os::unix::net::UnixStream::connect(builder.socket()).unwrap();
    std::mem::forget((listener, caller));
    builder
}

#[test]
fn answers_of_another_version_are_called_so() {
    use std::io::{BufRead, BufReader, Write};
    let builder = Builder::empty();
    let listener = std::os::unix::net::UnixListener::bind(builder.socket()).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            BufReader::new(&stream).read_line(&mut String::new()).unwrap();
            stream.write_all(b"{\"reply\":\"new\"}\n").unwrap();
        }
    });
    let (code, _, err) = builder.run("status");
    assert_eq!(code, 1);
    assert!(err.contains("is it the same version"), "{err}");
}

#[test]
fn status_is_a_page_or_the_whole_value() {
    let builder = Builder::with(status(Mode::Waiting, WAITING));
    let (code, out, _) = builder.run("status");
    assert_eq!(code, 0);
    assert!(out.starts_with("waiting: everything is up to date\n\n  packages 5 of 7\n"), "{out}");
    assert!(!out.contains('\u{1b}'));
    let (code, out, _) = builder.run("status --json");
    assert_eq!(code, 0);
    let read: Status = serde_json::from_str(&out).unwrap();
    assert_eq!(read.headline, WAITING);
}

#[test]
fn health_tells_who_has_to_come() {
    let broken = || vec![failure("a/b-1", None)];
    for (status, code) in [
        (status(Mode::Waiting, WAITING), 0),
        (status(Mode::Running, "running: syncing"), 0),
        (paused(Why::Operator, vec![]), 0),
        (paused(Why::Failure, broken()), 5),
        (status(Mode::Degraded, "degraded: it keeps dying"), 5),
    ] {
        let builder = Builder::with(status.clone());
        assert_eq!(builder.run("health"), (code, format!("{}\n", status.headline), String::new()));
        assert_eq!(builder.run("health --live").0, 0);
        let (json_code, json, _) = builder.run("health --json");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((json_code, json["healthy"].as_bool()), (code, Some(code == 0)));
    }
}

#[test]
fn failures_are_shown_in_full() {
    let builder = Builder::with(paused(Why::Failure, vec![failure("a/b-1", Some("/v/log/b.log".into()))]));
    let (code, out, _) = builder.run("failures");
    assert_eq!(code, 0);
    assert!(out.contains("a/b-1") && out.contains("no luck today") && out.contains("/v/log/b.log"), "{out}");
    let (_, json, _) = builder.run("failures --json");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()[0]["package"], "a/b-1");

    let builder = Builder::with(status(Mode::Waiting, WAITING));
    let (code, out, _) = builder.run("failures");
    assert_eq!((code, out.as_str()), (0, "no failures (waiting: everything is up to date)\n"));
    assert_eq!(builder.run("failures --json"), (0, "[]\n".into(), String::new()));
    assert_eq!(builder.run("skip"), (0, "nothing is skipped\n".into(), String::new()));
}

#[test]
fn what_still_fails_is_shown_with_the_failures_and_is_healthy() {
    let mut waiting = status(Mode::Waiting, WAITING);
    waiting.known = vec![StillFailing {
        package: "a/b-1".into(),
        class: Class::Compile,
        phase: None,
        message: "no luck for days".into(),
        log: None,
        since: Timestamp::from_second(1_795_000_000).unwrap(),
        last: Timestamp::from_second(1_795_000_000).unwrap(),
    }];
    waiting.skipped = vec![Skipped {
        package: "a/c".into(),
        version: "a/c-2".into(),
        since: Timestamp::from_second(1_795_000_000).unwrap(),
    }];
    let builder = Builder::with(waiting);
    assert_eq!(builder.run("health").0, 0);
    let (code, out, _) = builder.run("failures");
    assert_eq!(code, 0);
    assert!(out.contains("a/b-1") && out.contains("no luck for days"), "{out}");
    let (_, json, _) = builder.run("failures --json");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json[0]["package"], &json[0]["since"]), (&"a/b-1".into(), &"2026-11-18T11:06:40Z".into()));
    let (_, out, _) = builder.run("skip");
    assert_eq!(out.trim_end().split('\t').collect::<Vec<_>>(), ["a/c", "a/c-2", "2026-11-18"]);
    let (_, json, _) = builder.run("skip --json");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()[0]["version"], "a/c-2");
}

#[test]
fn history_is_read_from_the_volume() {
    let builder = Builder::empty();
    let (code, _, err) = builder.run("history");
    assert_eq!(code, 1);
    assert_eq!(err, "gbsup: nothing is recorded yet: <volume>/state/history.db is not there\n");

    std::fs::create_dir(builder.volume().join("state")).unwrap();
    let (mut history, _) = History::open(&builder.volume().join("state/history.db")).unwrap();
    let at = |second: i64| Timestamp::from_second(1_795_000_000 + second).unwrap();
    for cycle in 1..=30 {
        let package = Record::Package {
            cycle,
            step: "build".into(),
            package: "a/b-1".into(),
            binary: cycle > 1,
            started: at(1),
            ended: at(2),
            outcome: PackageOutcome::Built,
            log: None,
            message: None,
        };
        let eta = Eta { low: 30, likely: 41, high: 60, unknown: 0 };
        for record in [
            Record::CycleStarted { cycle, at: at(0), reason: "interval".into() },
            Record::Predicted { cycle, at: at(1), after: 0, packages: 1, eta },
            package,
            Record::CycleEnded { cycle, at: at(600), outcome: Outcome::Done, worked: Some(44) },
        ] {
            history.record(&record).unwrap();
        }
    }
    let (code, out, _) = builder.run("history");
    assert_eq!(code, 0);
    assert_eq!(out.lines().count(), 20);
    assert_eq!(
        out.lines().next(),
        Some("30\t2026-11-18 11:06\t10 min\tinterval\t0\t1\t0\tdone\t\tpredicted 41 s, took 44 s\t\t\t")
    );
    let (_, json, _) = builder.run("history --json -n 2");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json.as_array().map(Vec::len), Some(2));
    assert_eq!((json[0]["id"].as_u64(), json[0]["binary"].as_u64()), (Some(30), Some(1)));
    assert_eq!(json[0]["packages"][0]["package"], "a/b-1");
    assert_eq!(
        (&json[0]["predictions"][0]["likely"], &json[0]["predictions"][0]["took"]),
        (&41.into(), &44.into())
    );
    assert_eq!(builder.run("history -n 0").0, 2);
}

#[test]
fn configuration_is_checked_and_shown() {
    let builder = Builder::empty();
    let bad = builder.file("bad.toml", "[build]\njobs = 0\n[stop]\ngrase = \"1s\"\n");
    let (code, out, err) = builder.run(&format!("config check --file {}", bad.display()));
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(
        err,
        "gbsup: <volume>/bad.toml:2: [build] jobs: expected \"auto\" or a whole number of at least 1, found 0\n\
         gbsup: <volume>/bad.toml:4: [stop] grase: unknown key; did you mean grace?\n"
    );
    let good = concat!(env!("CARGO_MANIFEST_DIR"), "/etc/gbsup.toml");
    assert_eq!(builder.run(&format!("config check --file {good}")).0, 0);
    assert_eq!(builder.run("config check --file /no/such/file").0, 2);
    let output = builder.command("config check").env("GBSUP_CONFIG", "/no/such/file").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let output = builder.command("config show").env_remove("GBSUP_VOLUME_PATH").output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(gbsup::config::check(Some(("shown", &shown)), std::iter::empty()), Ok(Config::default()));
}

#[test]
fn completions_and_man_pages_are_printed() {
    let builder = Builder::empty();
    for line in [
        "completions bash",
        "completions fish",
        "completions zsh",
        "man",
        "man logs",
        "--help",
        "--version",
        "logs -h",
    ] {
        let (code, out, err) = builder.run(line);
        assert!(code == 0 && !out.is_empty() && err.is_empty(), "{line}: {code} {err}");
    }
    assert!(builder.run("man").1.contains("Exit codes"));
    assert_eq!(builder.run("man nothing").0, 2);
    assert_eq!(builder.run("man supervisor").0, 2);
    assert_eq!(builder.run("nothing").0, 2);
    assert_eq!(builder.run("").0, 2);
}

#[test]
fn a_plan_is_read_from_the_volume_and_a_package_is_found_in_it() {
    let builder = Builder::empty();
    let missing = "gbsup: nothing is planned yet: <volume>/state/plan.json is not there\n".to_owned();
    assert_eq!(builder.run("plan"), (1, String::new(), missing.clone()));
    assert_eq!(builder.run("why zlib"), (1, String::new(), missing));

    let mut reader = Reader::new();
    for line in include_str!("../captured/plan-subslot.txt").lines() {
        reader.line(line.as_bytes());
    }
    let made = Timestamp::from_second(1_795_000_000).unwrap();
    let made = CyclePlan { cycle: 4, made, plan: reader.finish(&[]) };
    builder.file("state/plan.json", &serde_json::to_string(&made).unwrap());
    let (code, out, _) = builder.run("plan");
    assert_eq!(code, 0);
    assert_eq!(
        out,
        "update\ttest-quick/t1-2\t1\tsource\t\t\tneeded by test-quick/t2-1\n\
         rebuild\ttest-quick/t2-1\t\tsource\t\t\tthe slot or sub-slot of test-quick/t1-2 changes\n"
    );
    // One of the two was built before, in a minute.
    let log = "100:  >>> emerge (1 of 1) test-quick/t1-1 to /\n160:  ::: completed emerge (1 of 1) test-quick/t1-1 to /\n";
    builder.file("log/emerge.log", log);
    let (_, out, _) = builder.run("plan");
    assert!(out.starts_with("update\ttest-quick/t1-2\t1\tsource\t\t1 min\tneeded by"), "{out}");
    let (_, json, _) = builder.run("plan --json");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["cycle"].as_u64(), json["totals"]["source"].as_u64()), (Some(4), Some(2)));
    assert_eq!(json["packages"][1]["why"][0]["reason"], "slot-rebuild");
    assert_eq!(json["estimates"], serde_json::json!({ "test-quick/t1-2": 60 }));
    assert_eq!(json["eta"]["unknown"], 1);

    let (code, out, _) = builder.run("why t1");
    assert!(code == 0 && out.contains("test-quick/t1-2: update from 1"), "{out}");
    let (_, json, _) = builder.run("why --json =test-quick/t1-2");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json[0]["action"].as_str(), json[0]["old"][0].as_str()), (Some("update"), Some("1")));
    let absent = "gbsup: t3 is not in the plan of cycle 4; see: gbsup plan\n".to_owned();
    assert_eq!(builder.run("why t3"), (1, String::new(), absent));

    // What was built anew after the build is in the state.
    let proof = Proof::Modules { directory: "/usr/lib/perl5/5.40".into(), perl: "5.42".into() };
    let package = Cpv::parse(b"test-quick/t3-1").unwrap();
    let stale = Stale { package, atom: "test-quick/t3:0".into(), built: Some(1), proof };
    let now = Now { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
    let claimed = Claimed { durable: None, plan: None, last_cycle: 3, root: "one".into(), boot: true };
    let begun = State::new(Config::default(), now);
    let mut durable = step(begun, Event::Claimed(Box::new(claimed)), now).0.durable;
    durable.cycle.as_mut().unwrap().stale = vec![stale];
    builder.file("state/state.json", &serde_json::to_string(&durable).unwrap());
    let (code, out, _) = builder.run("why t3");
    assert!(code == 0 && out.contains("it has modules in /usr/lib/perl5/5.40, where Perl 5.42"), "{out}");
    let (_, json, _) = builder.run("why --json t3");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["proof"]["modules"]["perl"], "5.42");

    builder.file("state/plan.json", "{\"cycle\": 4");
    let (code, _, err) = builder.run("plan");
    assert!(code == 1 && err.contains("plan.json: is damaged"), "{err}");
}

/// A supervisor that takes a request, and then goes through these statuses.
fn taking(statuses: Vec<Status>) -> Builder {
    let (last, mut watched) = (statuses.last().cloned().unwrap(), Some(statuses));
    Builder::answering(move |request| match request {
        Request::Status => reply(Reply::Status { status: Box::new(last.clone()) }),
        Request::Watch => {
            let (send, stream) = std::sync::mpsc::channel();
            watched.take().into_iter().flatten().for_each(|status| send.send(status).unwrap());
            Answer::Stream(stream)
        }
        _ => reply(Reply::Accepted { message: "it begins".into() }),
    })
}

#[test]
fn who_waits_is_told_how_it_ended() {
    let before = status(Mode::Waiting, "waiting: since yesterday");
    let running = status(Mode::Running, "running: building");
    let pending = Status { pending: vec!["sync".into()], ..status(Mode::Paused, "paused: just now") };
    let failed = paused(Why::Failure, vec![failure("a/b-1", None)]);
    for verb in ["sync --wait", "publish --wait", "resume --wait"] {
        let done = status(Mode::Waiting, "waiting: all well");
        let builder = taking(vec![running.clone(), pending.clone(), running.clone(), done]);
        assert_eq!(builder.run(verb), (0, "it begins\nwaiting: all well\n".into(), String::new()), "{verb}");
        // What was so before the request says nothing about it.
        let (code, out, err) = taking(vec![before.clone(), running.clone(), failed.clone()]).run(verb);
        assert_eq!((code, out.as_str()), (1, "it begins\n"), "{verb}");
        assert_eq!(err, "gbsup: paused: no luck. Repair it, then: gbsup resume\n", "{verb}");
        let held = paused(Why::Operator, vec![]);
        assert_eq!(taking(vec![running.clone(), held]).run(verb).0, 4, "{verb}");
    }
    assert_eq!(taking(vec![running]).run("stop --wait").0, 0);
}

#[test]
fn failures_of_a_build_that_runs_are_shown() {
    let mut running = status(Mode::Running, "running: building");
    running.failed = vec![failure("a/b-1", Some("/log".into()))];
    let (code, out, _) = Builder::with(running).run("failures");
    assert!(code == 0 && out.contains("a/b-1") && out.contains("/log"), "{out}");
}

#[test]
fn before_the_first_release_all_verbs_say_the_same() {
    let builder = Builder::with(status(Mode::Running, "running: building"));
    for verb in ["releases", "diff"] {
        assert_eq!(builder.run(verb), (0, "nothing is published yet\n".into(), String::new()), "{verb}");
    }
    let (code, out, _) = builder.run("publish --once");
    assert!(code == 0 && out.starts_with("nothing to publish yet"), "{out}");
    assert!(builder.run("publish --once --json").1.contains("\"current\": null"));
}

/// What answers each request with this, as long as the test takes; where it listens.
fn answering(body: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            drop(BufReader::new(&stream).lines().map_while(Result::ok).find(String::is_empty));
            drop(write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        }
    });
    address
}

#[test]
fn since_when_another_is_away_is_what_the_server_of_this_builder_knows() {
    let (gone, never) = ("no-such-host.invalid", "nor-this-one.invalid");
    let ago = |hours: i64| Timestamp::now() - SignedDuration::from_secs(3600 * hours + 5);
    let away = |name: &str, status: Option<&Status>| Member {
        name: name.into(),
        url: Some(format!("http://{name}")),
        status: status.map(Brief::of),
        heard: status.map(|_| ago(4)),
        away: Some(Away { since: ago(3), why: "it was so".into() }),
    };
    let known = [away(gone, Some(&status(Mode::Waiting, WAITING))), away(never, None)];
    let known = Farm { schema: 1, builders: known.into() };
    let server = answering(serde_json::to_string(&known).unwrap());
    let builder = Builder::with(status(Mode::Waiting, WAITING));
    let told = |listen: &str| {
        let mut command = builder.command("status --all");
        command
            .env("GBSUP_HTTP_PEERS", format!("http://{gone} http://{never}"))
            .env("GBSUP_HTTP_LISTEN", listen);
        let out = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let lines: Vec<String> =
            out.lines().skip(1).map(|line| line.rsplit('\t').next().unwrap().to_owned()).collect();
        <[String; 2]>::try_from(lines).unwrap()
    };
    assert_eq!(
        told(&server.to_string()),
        [
            format!("away for 3 h: the host {gone} is not known; this is as it was 4 h ago"),
            format!("away for at least 3 h: the host {never} is not known")
        ]
    );
    // A server that says something else, one that is not there, and none at all: nothing is said of it.
    let other = answering("<html>".to_owned());
    for listen in [&other.to_string(), "127.0.0.1:9", ""] {
        let unknown = [gone, never].map(|name| format!("away: the host {name} is not known"));
        assert_eq!(told(listen), unknown, "{listen}");
    }
}

#[test]
fn others_are_shown_beside_this_builder() {
    let other = serde_json::to_string(&paused(Why::Failure, Vec::new())).unwrap();
    let url = format!("http://{}", answering(other));
    let builder = Builder::with(status(Mode::Waiting, WAITING));
    let peers = format!("{url} http://no-such-host.invalid");
    let run = |line: &str| {
        let mut command = builder.command(line);
        let ran = command.env("GBSUP_HTTP_PEERS", &peers).env("GBSUP_NOTIFY_NAME", "here").output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (ran.status.code().unwrap(), text(ran.stdout), text(ran.stderr))
    };
    let (code, out, err) = run("status --all");
    assert_eq!((code, err.as_str()), (0, ""));
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!([lines[0][0], lines[0][1]], ["here", "waiting"], "{out}");
    assert_eq!([lines[1][0], lines[1][1]], [url.strip_prefix("http://").unwrap(), "paused"], "{out}");
    assert_eq!(
        [lines[2][0], lines[2][1], lines[2][9]],
        ["no-such-host.invalid", "away", "away: the host no-such-host.invalid is not known"],
        "{out}"
    );
    let (code, out, _) = run("status --all --json");
    let farm: Farm = serde_json::from_str(&out).unwrap();
    assert_eq!((code, farm.builders.len(), farm.builders[0].url.as_deref()), (0, 3, None));
    assert_eq!(farm.builders[1].status.as_ref().unwrap().headline, paused(Why::Failure, Vec::new()).headline);
    // Without others it is there alone.
    assert_eq!(builder.run("status --all").1.lines().count(), 1);
    assert_eq!(builder.run("status --all --watch").0, 2);
}
