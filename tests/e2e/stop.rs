//! `docker stop` in the middle of things, and `docker start` after it.

use std::thread;
use std::time::Duration;

use gbsup::model::status::{Mode, Status};

use crate::support::{Builder, QUICK, Recipe, docker};

/// How long docker waits before it kills, and `stop.grace`, where it is to be seen that nobody waits for it.
const LONG: Duration = Duration::from_mins(5);

/// Everything that was built is there, each package built as often as it has to be.
#[track_caller]
fn assert_built(builder: &Builder, expected: &[(&str, usize)]) {
    let compiled = builder.compiled();
    for (package, times) in expected {
        let count = compiled.iter().filter(|compiled| compiled == package).count();
        assert_eq!(count, *times, "{package} was built {count} times: {compiled:?}");
        assert!(builder.has(package), "{package} is not installed");
    }
}

#[test]
fn while_building_it_keeps_what_is_finished_and_goes_on() {
    let mut builder = Builder::with_world(&[QUICK, &["test-slow/compile"]].concat());
    builder.wait_at("compile");
    builder.wait_for("the others are done", |status| status.progress.done == 4);
    builder.sh("rm /run/test/at-compile");
    let before = builder.packages();
    assert_eq!(before.len(), 4);

    // Docker would have killed it after ten seconds.
    assert_eq!(builder.stop().1, 0);
    let logs = builder.logs();
    assert!(logs.contains("stopping: ending build"), "{logs}");
    assert!(!logs.contains("killing what is left"), "{logs}");

    builder.start();
    builder.wait_at("compile");
    builder.go("compile");
    let status = builder.wait_waiting();
    assert_eq!(status.cycle.map(|cycle| cycle.id), Some(1), "the cycle goes on");
    assert_eq!(builder.emerges().len(), 2, "the step goes on where it was: {:?}", builder.emerges());
    assert_built(&builder, &[("test-quick/t1-1", 1), ("test-quick/t4-1", 1), ("test-slow/compile-1", 2)]);
    let after = builder.packages();
    assert_eq!(after.len(), 5);
    for (package, inode) in &before {
        assert_eq!(after.get(package), Some(inode), "{package} was made anew");
    }
    builder.assert_tidy();
}

#[test]
fn while_merging_it_lets_the_merge_finish() {
    let mut builder = Recipe::new(&["test-slow/preinst"])
        .env("GBSUP_STOP_GRACE", "120s")
        .args(&["--stop-timeout", "150"])
        .start();
    builder.wait_at("preinst");
    let name = builder.name().to_owned();
    let stopping = thread::spawn(move || docker(&["stop", &name]));
    let letting =
        |status: &Status| status.state == Mode::Stopping && status.headline.contains("finish merging");
    let status = builder.wait_for("it lets the merge finish", letting);
    assert!(status.headline.contains("test-slow/preinst-1"), "{}", status.headline);
    builder.gbsup(&["resume"]).exited(4);
    builder.go("preinst");
    stopping.join().expect("docker stop ends").ok();
    assert_eq!(builder.wait_exit(), 0);

    builder.start();
    builder.wait_waiting();
    assert_built(&builder, &[("test-slow/preinst-1", 1)]);
    // An interrupted emerge may leave the socket behind on which it told what it does; nothing else.
    let logs = builder.logs();
    let mut repaired = logs.lines().filter(|line| line.contains("repaired:"));
    assert!(repaired.all(|line| line.contains("belongs to an emerge that is gone")), "{logs}");
    builder.assert_tidy();
}

#[test]
fn a_merge_that_does_not_end_is_cut_short_in_time_and_repaired() {
    let mut builder = Builder::with_world(&["test-slow/preinst"]);
    builder.wait_at("preinst");
    let before = builder.packages();
    // Docker would have killed it after ten seconds.
    assert_eq!(builder.stop().1, 0);

    builder.start();
    builder.go("preinst");
    builder.wait_waiting();
    assert_built(&builder, &[("test-slow/preinst-1", 1)]);
    assert_eq!(builder.packages(), before, "the packages were finished already");
    let logs = builder.logs();
    assert!(logs.contains("repaired: test-slow/preinst-1"), "{logs}");
    builder.assert_tidy();
}

#[test]
fn whatever_else_it_does_it_leaves_at_once() {
    // A failure, a wait, a sync that does not end.
    let mut builder = Recipe::new(&["test-quick/t4", "test-fail/broken"])
        .executable("/opt/sync", SYNC)
        .config(CONFIG)
        .env("GBSUP_STOP_GRACE", "300s")
        .args(&["--stop-timeout", "300"])
        .start();
    builder.wait_paused();
    let stopped_at_once = |builder: &mut Builder, what: &str| {
        let (took, code) = builder.stop();
        assert_eq!(code, 0, "{what}");
        assert!(took < LONG / 2, "{what}: {took:?}");
        let logs = builder.logs();
        let last = logs.lines().last().unwrap_or_default();
        assert!(last.ends_with("stopped; the next start goes on from here"), "{what}: {last}");
    };
    stopped_at_once(&mut builder, "paused");
    builder.start();
    let status = builder.wait_paused();
    assert!(status.headline.contains("test-fail/broken-1"), "the pause stays: {}", status.headline);
    builder.repair();
    builder.resume();
    builder.wait_waiting();
    stopped_at_once(&mut builder, "waiting");
    builder.start();
    builder.wait_waiting();
    builder.sh("touch /run/test/slow-sync");
    builder.gbsup(&["sync"]).ok();
    builder.wait_file("/run/test/at-sync");
    stopped_at_once(&mut builder, "syncing");
    builder.start();
    builder.sh("rm /run/test/slow-sync");
    builder.wait_for("it is past the sync", |status| status.step == "wait");
    builder.assert_tidy();
}

const CONFIG: &str = "[sync]\ncommand = [\"/opt/sync\"]\n";

const SYNC: &str = "\
#!/bin/bash
[ -e /run/test/slow-sync ] || exit 0
touch /run/test/at-sync
while [ -e /run/test/slow-sync ]; do sleep 0.1; done
";
