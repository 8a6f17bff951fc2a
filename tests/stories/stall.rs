//! What gives no sign of life.

use gbsup::model::failure::Class;
use gbsup::model::stall::Pulse;
use gbsup::model::status::Mode;
use gbsup::model::{Action, Event, Force, Report, Step};

use crate::story::{Story, completed, emerging, planned, ran, resume, unreachable};

/// Lets time pass in which the job gives no sign of life, until it is examined. How often it was looked at.
fn hang(story: &mut Story) -> u32 {
    let (job, _) = story.job.clone().expect("a job runs");
    for looks in 1..20 {
        story.seconds += 15 * 60;
        let asked = story.take(Event::Timer);
        assert!(asked.contains(&Action::Look { job }), "{asked:?}");
        let pulse = Pulse { output: 7, ..Pulse::default() };
        if story.take(Event::Pulse { job, pulse }).contains(&Action::Examine { job }) {
            story.take(Event::Examined { job, processes: vec!["7 (parent 1, S, -) sleep infinity".into()] });
            return looks;
        }
    }
    panic!("it was let hang");
}

#[test]
fn what_stalls_is_stopped_and_built_once_more() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.print(emerging("a"));
    assert_eq!(hang(&mut story), 9, "the first look sees that it began");
    story.expect(
        Mode::Running,
        "app-misc/a-1 printed nothing and used no processor for 2 h; it is being stopped",
    );
    assert_eq!(story.forces, [Force::Interrupt]);
    story.pass(8);
    story.pass(8);
    assert_eq!(story.forces, [Force::Interrupt, Force::Terminate, Force::Kill], "as a stop goes on");
    story.end(Report::Ran(ran(130)));
    assert_eq!(story.status().remedies, ["app-misc/a-1 stalled; trying again now (attempt 2 of 2)"]);

    // What was stopped by force may have left something, and a restart does not forget what is going on.
    assert_eq!(story.running(), Step::Preflight);
    story.restart("one", true);
    story.through(Step::Preflight);
    story.builds_again("a");
    assert_eq!(story.status().remedies, ["app-misc/a-1 stalled at first; attempt 2 worked"]);
}

#[test]
fn what_stalls_twice_is_left_to_a_person_with_what_it_was_doing() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    for _ in 0..2 {
        story.print(emerging("a"));
        hang(&mut story);
        story.end(Report::Ran(ran(130)));
        if story.running_step() == Some(Step::Preflight) {
            story.through(Step::Preflight);
        }
    }
    story.expect(Mode::Paused, "app-misc/a-1: it printed nothing and used no processor for 2 h");
    let failure = &story.status().pause.unwrap().failures[0];
    assert_eq!(failure.class, Class::Stalled);
    assert_eq!(
        failure.evidence,
        [
            "7 (parent 1, S, -) sleep infinity",
            "the files they had open are listed in /v/log",
            "tried again once, without success"
        ]
    );

    let mut story = Story::begin(|config| config.remedy.stalled = false);
    story.through(Step::Plan);
    story.print(emerging("a"));
    hang(&mut story);
    story.end(Report::Ran(ran(130)));
    story.expect(Mode::Paused, "app-misc/a-1: it printed nothing");
}

#[test]
fn a_sync_that_hangs_is_a_sync_that_failed() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Preflight);
    hang(&mut story);
    story.expect(Mode::Running, "sync printed nothing and used no processor for 2 h; it is being stopped");
    story.end(unreachable());
    story.expect(
        Mode::Running,
        "emerge printed nothing and used no processor for 2 h, so it was stopped; trying again in 1 min (attempt 2 of 4)",
    );
}

#[test]
fn a_resolver_that_hangs_is_left_to_a_person() {
    let mut story = Story::begin(|_| {});
    story.through(Step::SelfUpdate);
    hang(&mut story);
    let Report::Planned { ran, plan, offered } = planned(&[]) else { panic!("a plan") };
    let ran = Box::new(gbsup::model::Ran { exit: gbsup::model::Exit::Code(130), ..*ran });
    story.end(Report::Planned { ran, plan, offered });
    story.expect(Mode::Paused, "emerge printed nothing and used no processor for 2 h, so it was stopped");
    story.ask(resume());
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "everything is up to date");
}

#[test]
fn nobody_looks_when_nobody_wants_to_know() {
    let mut story = Story::begin(|config| config.build.stall = None);
    story.through(Step::Plan);
    assert_eq!(story.state.wake(), None, "nothing is polled");
    let mut story = Story::begin(|_| {});
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "everything is up to date");
    assert_eq!(story.state.wake(), story.state.live.next, "nothing is polled while it waits");
}

/// It ended by itself while it was being stopped, and well.
#[test]
fn what_ends_well_in_spite_of_it_is_well() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.print(emerging("a"));
    hang(&mut story);
    story.print(completed("a"));
    story.end(Report::Ran(ran(0)));
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "everything is up to date");
    assert_eq!(story.status().remedies, [""; 0]);
}
