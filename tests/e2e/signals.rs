//! `docker kill -s`: every signal that means something, in the states where it does.

use std::time::{Duration, Instant};

use gbsup::model::status::{Mode, Status};
use jiff::Timestamp;

use crate::support::{Builder, Recipe, host_wait};

fn cycle(status: &Status) -> u64 {
    status.cycle.as_ref().map_or(0, |cycle| cycle.id)
}

#[test]
fn usr1_begins_a_sync_at_once() {
    let mut builder = Builder::settled(&["test-quick/t1"]);
    let before = builder.wait_waiting();
    builder.tree(&["bump", "test-quick/t1", "1", "2"]);
    // Long before anything else would begin one. Two commands of Portage come first, which take their time on a busy machine.
    let begun = Instant::now();
    builder.sh("portageq envvar PKGDIR");
    let limit = Duration::from_secs(10).max(begun.elapsed() * 10);
    let asked = Timestamp::now();
    builder.signal("USR1");
    let syncing = builder.wait_for("it syncs", |status| cycle(status) == 2 && status.step == "sync");
    let took = syncing.since.duration_since(asked);
    assert!(took.unsigned_abs() < limit, "the sync began after {took:#}, not within {limit:?}");
    let status = builder.wait_waiting();
    assert_eq!(status.cycle.map(|cycle| cycle.reason).as_deref(), Some("requested"));
    assert_ne!(status.sync.revision, before.sync.revision, "the new commit is there");
    assert!(builder.has("test-quick/t1-2"));
    builder.assert_tidy();
}

#[test]
fn usr1_leaves_a_pause_for_a_new_cycle() {
    let mut builder = Builder::settled(&["test-quick/t1", "test-fail/broken"]);
    builder.wait_paused();
    builder.repair();
    builder.signal("USR1");
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    assert!(status.headline.contains("test-fail/broken-1 still failing"), "{}", status.headline);
    // Nothing of what gbsup looks at has changed, but a person knows better.
    builder.signal("USR2");
    builder.wait_cycle(3);
    builder.wait_waiting();
    assert!(builder.has("test-fail/broken-1"));
}

/// Forwarded to emerge it would end in a debugger, which waits for ever.
#[test]
fn five_usr1_while_building_are_one_sync_and_disturb_nothing() {
    let mut builder = Builder::with_world(&["test-slow/compile", "test-quick/t1"]);
    builder.wait_at("compile");
    for _ in 0..5 {
        builder.signal("USR1");
    }
    let status = builder.wait_for("the sync is remembered", |status| status.pending == ["sync"]);
    assert_eq!((status.state, cycle(&status)), (Mode::Running, 1));
    // The command answers after every signal before it was taken in.
    assert!(builder.gbsup(&["sync"]).ok().contains("remembered already"));
    builder.go("compile");
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    assert_eq!((cycle(&status), status.pending.len()), (2, 0));
    assert!(builder.steps(3).is_empty(), "one sync, not two");
    assert!(builder.steps(2).contains(&"sync".to_owned()));
    assert_eq!(builder.compiled().iter().filter(|p| *p == "test-slow/compile-1").count(), 1);
    assert!(!builder.logs().contains("(Pdb)"));
    builder.assert_tidy();
}

#[test]
fn usr2_resumes_and_says_so_when_there_is_nothing_to_resume() {
    let mut builder = Builder::settled(&["test-quick/t1", "test-fail/broken"]);
    builder.wait_paused();
    builder.repair();
    builder.signal("USR2");
    builder.wait_for("it goes on", |status| status.state == Mode::Running);
    let status = builder.wait_waiting();
    assert_eq!(cycle(&status), 1, "the same cycle goes on");
    builder.signal("USR2");
    host_wait("the log says why not", || builder.logs().contains("signal: nothing to resume"));
}

#[test]
fn hup_takes_a_good_configuration_and_refuses_a_bad_one() {
    let mut builder =
        Recipe::new(&["test-quick/t1"]).config("[cycle]\ninterval = \"10h\"\n[build]\njobs = 1\n").start();
    let hours = |status: &Status| {
        let next = status.next_cycle.expect("a time");
        (next.duration_since(status.since).as_secs() + 1800) / 3600
    };
    let status = builder.wait_waiting();
    assert_eq!(hours(&status), 10);
    assert!(builder.step_log(1, "build").contains("--jobs=1 "));

    builder.sh("printf '[cycle]\\ninterval = \"soon\"\\n[bulid]\\n' >/etc/gbsup/gbsup.toml");
    builder.signal("HUP");
    let refused = |status: &Status| status.warnings.iter().any(|warning| warning.contains("is not used"));
    let status = builder.wait_for("it refuses", refused);
    assert_eq!((status.state, hours(&status)), (Mode::Waiting, 10));
    let logs = builder.logs();
    assert!(logs.contains("soon") && logs.contains("bulid"), "every problem is named: {logs}");

    builder.sh("printf '[cycle]\\ninterval = \"20h\"\\n[build]\\njobs = 2\\n' >/etc/gbsup/gbsup.toml");
    builder.signal("HUP");
    let status = builder.wait_for("it takes it over", |status| !refused(status));
    assert_eq!(hours(&status), 20, "{}", status.headline);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_waiting();
    assert!(builder.step_log(2, "plan").contains("--jobs=2 "));
}

#[test]
fn quit_writes_the_status_into_the_log() {
    let mut builder = Builder::settled(&["test-quick/t1"]);
    builder.wait_waiting();
    builder.signal("QUIT");
    host_wait("the status is in the log", || {
        let logs = builder.logs();
        logs.split_once("status:\n").is_some_and(|(_, page)| page.contains("volume   /var/lib/gbsup"))
    });
    assert!(builder.is_running());
    assert_eq!(builder.stop().1, 0);
}
