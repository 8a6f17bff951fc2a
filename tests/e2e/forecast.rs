//! How long it takes: from the builds before, and told afterwards.

use crate::support::Recipe;

/// The same package a second time: while it is built there is an estimate, and afterwards a score.
#[test]
fn a_second_build_says_how_long_it_takes_and_how_good_that_was() {
    let mut builder =
        Recipe::new(&["test-slow/compile", "test-quick/t1"]).env("GBSUP_BUILD_JOBS", "1").start();
    builder.wait_at("compile");
    let status = builder.wait_building("test-slow/compile");
    // What was built a moment ago says nothing about it.
    let unknown = status.progress.eta.map(|eta| eta.unknown);
    assert_eq!((unknown, status.jobs[0].estimate), (Some(1), None), "{}", status.headline);
    assert!(!status.headline.contains("about"), "{}", status.headline);
    let page = builder.gbsup(&["status"]).ok();
    assert!(page.contains("time unknown, 1 of 1 never built here"), "{page}");
    builder.go("compile");
    builder.wait_waiting();
    let history = builder.gbsup(&["history"]).ok();
    assert!(!history.contains("predicted"), "{history}");

    builder.sh("rm /run/test/go-compile");
    builder.tree(&["bump", "test-slow/compile", "1", "2"]);
    builder.tree(&["bump", "test-quick/t1", "1", "2"]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_at("compile");
    let status = builder.wait_building("test-slow/compile");
    let eta = status.progress.eta.expect("both were built before");
    assert!(eta.low <= eta.likely && eta.likely <= eta.high && eta.unknown == 0, "{eta:?}");
    assert!(status.jobs[0].estimate.is_some(), "{:?}", status.jobs);
    assert!(status.headline.contains(" of about "), "{}", status.headline);
    assert!(status.headline.contains(", all done in "), "{}", status.headline);
    let page = builder.gbsup(&["status"]).ok();
    assert!(page.contains("  left     "), "{page}");

    // What is held is not what takes long.
    builder.gbsup(&["pause", "--now", "--wait"]).ok();
    let status = builder.wait_paused_by_operator();
    assert_eq!(status.progress.eta, None);
    // What the killed build has left, and a pause that is long enough to be told from the building.
    builder.sh("rm -f /run/test/at-compile && sleep 15");
    builder.resume();
    builder.wait_at("compile");
    builder.go("compile");
    builder.wait_waiting();
    let history = builder.gbsup(&["history", "--json"]).ok();
    let history: serde_json::Value = serde_json::from_str(&history).expect("JSON");
    let predictions = history[0]["predictions"].as_array().expect("a list");
    assert_eq!(predictions.len(), 2, "one for each time the build began: {predictions:?}");
    let seconds = |name: &str| predictions[0][name].as_u64();
    assert!(seconds("likely").is_some() && seconds("took").is_some(), "{predictions:?}");
    let cycle = &history[0];
    let span = |text: &str| text.parse::<jiff::Timestamp>().expect("a time");
    let whole = span(cycle["ended"].as_str().expect("it is over"))
        .duration_since(span(predictions[0]["at"].as_str().expect("a time")));
    let took = i64::try_from(seconds("took").expect("it was measured")).expect("seconds");
    assert!(took + 15 <= whole.as_secs(), "{took} s of {} s, of which 15 s were a pause", whole.as_secs());
    assert!(builder.gbsup(&["history"]).ok().contains("\tpredicted "), "for people, too");
}

/// Without FEATURES=observability the phase comes from what the build has left in its directory.
#[test]
fn the_phase_is_known_with_and_without_emerge_saying_it() {
    let mut builder = Recipe::new(&["test-slow/compile"]).start();
    builder.wait_at("compile");
    builder.wait_for("it compiles", |status| status.jobs.first().is_some_and(|job| job.phase == "compile"));
    builder.sh("test -S /run/portage/emerge-*.sock");
    builder.go("compile");
    builder.wait_waiting();
    builder.remove();

    let mut builder = Recipe::new(&["test-slow/compile"]).env("FEATURES", "-observability").start();
    builder.wait_at("compile");
    builder.wait_for("it compiles", |status| status.jobs.first().is_some_and(|job| job.phase == "compile"));
    builder.sh("! test -e /run/portage/emerge-*.sock");
    builder.go("compile");
    builder.wait_waiting();
}

/// A power loss in the middle of a cycle: what it had merged before still counts.
#[test]
fn a_kill_forgets_no_package() {
    let mut builder =
        Recipe::new(&["test-slow/compile", "test-quick/t1"]).env("GBSUP_BUILD_JOBS", "1").start();
    builder.wait_at("compile");
    let status = builder.wait_building("test-slow/compile");
    assert_eq!((status.progress.done, status.progress.total), (1, 2), "{}", status.headline);
    builder.kill();
    builder.start();
    let status = builder.wait_for("it runs", |status| status.progress.total > 0);
    assert_eq!((status.progress.done, status.progress.total), (1, 2), "{}", status.headline);
    let status = builder.wait_building("test-slow/compile");
    assert_eq!((status.progress.done, status.progress.total), (1, 2), "{}", status.headline);
    builder.go("compile");
    let status = builder.wait_waiting();
    assert_eq!((status.progress.source, status.progress.total), (2, 2), "{}", status.headline);
    assert_eq!(status.cycle.map(|cycle| cycle.id), Some(1));
    builder.assert_tidy();
}
