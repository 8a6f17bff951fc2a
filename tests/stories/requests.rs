//! Requests, pauses and stops, and what they wait for.

use std::time::Duration;

use gbsup::config::Config;
use gbsup::model::request::{PauseMode, Reply, Request};
use gbsup::model::status::Mode;
use gbsup::model::{Event, Force, Report, Step};

use crate::story::{Story, completed, emerging, installing, pause, ran, resume};

#[test]
fn five_syncs_while_building_are_one_cycle_more() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    assert!(matches!(story.ask(Request::Sync), Reply::Accepted { .. }));
    for _ in 0..4 {
        assert!(matches!(story.ask(Request::Sync), Reply::Already { .. }));
    }
    assert!(story.forces.is_empty(), "emerge was disturbed");
    story.through(Step::Prune);
    assert_eq!(story.status().cycle.unwrap().id, 2);
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "");
}

#[test]
fn a_pause_after_the_package_waits_for_those_in_work_and_no_others() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.print(emerging("a"));
    story.print(emerging("b"));
    story.ask(pause(PauseMode::AfterPackage));
    story.print(completed("a"));
    story.print(emerging("c"));
    assert!(story.forces.is_empty());
    story.print(completed("b"));
    assert_eq!(story.forces, [Force::Interrupt]);
    story.end(Report::Ran(ran(130)));
    story.expect(Mode::Paused, "held by an operator (lunch)");
    story.ask(resume());
    story.through(Step::Plan);
    assert_eq!(story.running(), Step::Build);
}

#[test]
fn a_merge_is_let_finish_before_a_stop() {
    let mut story = Story::begin(|config| config.stop.grace = Duration::from_secs(100));
    story.through(Step::Plan);
    story.print(emerging("a"));
    story.print(emerging("b"));
    story.print(installing("a"));
    story.take(Event::Terminate);
    assert!(story.forces.is_empty());
    story.expect(Mode::Stopping, "letting app-misc/a-1 finish merging");
    story.print(completed("a"));
    assert_eq!(story.forces, [Force::Interrupt]);
    story.end(Report::Ran(ran(130)));
    assert!(story.gone);
    story.restart("one", true);
    story.through(Step::Plan);
    assert_eq!(story.running(), Step::Build, "it did not go on where it was");
}

#[test]
fn a_merge_that_does_not_finish_is_interrupted_within_the_grace() {
    let mut story = Story::begin(|config| config.stop.grace = Duration::from_secs(100));
    story.through(Step::Plan);
    story.print(emerging("a"));
    story.print(installing("a"));
    story.take(Event::Terminate);
    for (seconds, forces) in [(59, 0), (1, 1), (14, 1), (1, 2), (9, 2), (1, 3)] {
        story.pass(seconds);
        assert_eq!(story.forces.len(), forces, "after {} s", story.seconds);
    }
    assert_eq!(story.forces, [Force::Interrupt, Force::Terminate, Force::Kill]);
}

#[test]
fn a_second_stop_hurries() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.take(Event::Terminate);
    story.take(Event::Terminate);
    story.take(Event::Terminate);
    assert_eq!(story.forces, [Force::Interrupt, Force::Terminate, Force::Kill]);
}

#[test]
fn the_pause_flag_holds_and_a_sync_waits_for_it() {
    let mut story = Story::begin(|_| {});
    story.take(Event::Hold(true));
    story.through(Step::Preflight);
    story.expect(Mode::Paused, "held by the flag file /var/lib/gbsup/control/pause; remove it to go on");
    assert!(matches!(story.ask(resume()), Reply::Denied { .. }));
    assert!(matches!(story.ask(Request::Sync), Reply::Accepted { .. }));
    assert_eq!(story.status().pending, ["sync"]);
    story.restart("one", true);
    assert_eq!(story.status().pending, ["sync"]);
    story.take(Event::Hold(false));
    assert_eq!(story.running(), Step::Preflight);
}

#[test]
fn a_pause_keeps_the_time_of_the_next_cycle() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Prune);
    story.pass(3600);
    story.ask(pause(PauseMode::AfterCycle));
    story.expect(Mode::Paused, "lunch");
    story.seconds += 3600;
    story.ask(resume());
    story.expect(Mode::Waiting, "next sync in 22 h");
}

#[test]
fn what_cannot_change_while_running_stays() {
    let mut story = Story::begin(|_| {});
    let mut config = Config::default();
    config.volume.path = "/elsewhere".into();
    config.build.keep_going = false;
    story.take(Event::Reloaded(Ok(Box::new(config))));
    assert_eq!(story.state.live.config.volume.path.to_str(), Some("/var/lib/gbsup"));
    assert!(!story.state.live.config.build.keep_going);
    assert!(story.status().warnings.iter().any(|warning| warning.contains("next start")));
    story.take(Event::Reloaded(Err("gbsup.toml:3: nonsense\nand more".into())));
    assert!(!story.state.live.config.build.keep_going);
    assert!(story.status().warnings.iter().any(|warning| warning.contains("gbsup.toml:3: nonsense")));
}

#[test]
fn another_interval_counts_from_the_end_of_the_cycle() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Prune);
    story.pass(3600);
    let interval = |hours| {
        let mut config = Config::default();
        config.cycle.interval = hours;
        Event::Reloaded(Ok(Box::new(config)))
    };
    story.take(interval(Some(Duration::from_hours(2))));
    story.expect(Mode::Waiting, "next sync in 1 h");
    story.take(interval(None));
    story.expect(Mode::Waiting, "on request");
    story.take(interval(Some(Duration::from_hours(2))));
    story.pass(3599);
    story.expect(Mode::Waiting, "next sync in 1 s");
    story.pass(1);
    assert_eq!(story.running(), Step::Preflight);
}
