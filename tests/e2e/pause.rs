//! `gbsup pause`, in each of its ways.

use gbsup::model::status::Mode;

use crate::support::{Builder, Recipe};

#[test]
fn now_stops_the_build_and_resume_begins_it_again() {
    let mut builder = Builder::with_world(&["test-slow/compile", "test-quick/t1"]);
    builder.wait_at("compile");
    let said = builder.gbsup(&["pause", "--now", "--wait", "--reason", "moving the volume"]).ok();
    assert!(said.contains("held by an operator (moving the volume)"), "{said}");
    let status = builder.wait_paused_by_operator();
    assert_eq!(status.step, "build");
    builder.assert_nothing_runs();
    assert!(builder.gbsup(&["pause"]).ok().contains("paused already"));
    builder.gbsup(&["health"]).ok();

    builder.sh("rm -f /run/test/at-compile; touch /run/test/go-compile");
    builder.resume();
    builder.wait_waiting();
    assert!(builder.has("test-slow/compile-1"));
    builder.assert_tidy();
}

/// `test-quick/t4-2` needs `test-slow/compile`, so it comes after it.
fn in_the_middle_of_two() -> Builder {
    let mut builder = Recipe::settled(&["test-quick/t4"]).config("[build]\njobs = 1\n").start();
    builder.wait_waiting();
    builder.tree(&["bump", "test-quick/t4", "1", "2", "s|^SLOT.*|&\\nDEPEND=\"test-slow/compile\"|"]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_at("compile");
    builder
}

#[test]
fn after_package_ends_what_was_begun_and_begins_nothing() {
    let mut builder = in_the_middle_of_two();
    assert!(builder.gbsup(&["pause", "--after-package"]).ok().contains("after the packages"));
    builder.wait_for("it is remembered", |status| status.pending == ["pause"]);
    builder.go("compile");
    builder.wait_paused_by_operator();
    assert!(builder.has("test-slow/compile-1") && !builder.has("test-quick/t4-2"));
    builder.assert_nothing_runs();
    let before = builder.packages();
    builder.resume();
    builder.wait_waiting();
    assert!(builder.has("test-quick/t4-2"));
    for (package, inode) in before {
        assert_eq!(builder.packages().get(&package), Some(&inode), "{package} was made anew");
    }
    builder.assert_tidy();
}

#[test]
fn after_cycle_holds_instead_of_waiting() {
    let mut builder = in_the_middle_of_two();
    assert!(builder.gbsup(&["pause", "--after-cycle"]).ok().contains("at the end of this cycle"));
    builder.go("compile");
    let status = builder.wait_paused_by_operator();
    assert_eq!(status.step, "wait");
    assert!(builder.has("test-quick/t4-2"));
    assert!(builder.resume().contains("going back to waiting"));
    let status = builder.wait_waiting();
    assert!(status.next_cycle.is_some());
    assert_eq!(status.cycle.map(|cycle| cycle.id), Some(2));
}

#[test]
fn a_pause_that_was_asked_for_can_be_called_off() {
    let mut builder = in_the_middle_of_two();
    builder.gbsup(&["pause"]).ok();
    builder.wait_for("it is remembered", |status| status.pending == ["pause"]);
    assert!(builder.gbsup(&["resume"]).ok().contains("called off"));
    builder.go("compile");
    let status = builder.wait_waiting();
    assert_eq!(status.state, Mode::Waiting);
    assert!(builder.has("test-quick/t4-2"));
}

/// Nothing runs while it waits, so it is held at once, also over a restart.
#[test]
fn a_pause_while_waiting_outlives_the_container() {
    let mut builder = Builder::settled(&["test-quick/t1"]);
    builder.wait_waiting();
    builder.gbsup(&["pause", "--reason", "holidays"]).ok();
    builder.wait_paused_by_operator();
    builder.kill();
    builder.start();
    let status = builder.wait_paused_by_operator();
    assert!(status.headline.contains("holidays"), "{}", status.headline);
    builder.resume();
    builder.wait_waiting();
}
