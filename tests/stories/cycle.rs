//! The way through a cycle: syncs, failures, and what follows them.

use std::collections::BTreeMap;
use std::time::Duration;

use gbsup::config::OnFailure;
use gbsup::decide::view;
use gbsup::model::ccache::Moment;
use gbsup::model::failure::{Class, Failure};
use gbsup::model::helpers::{Files, Helpers};
use gbsup::model::machine::{Machine, Place, Purpose};
use gbsup::model::records::Record;
use gbsup::model::request::{PauseMode, Reply, Request};
use gbsup::model::status::Mode;
use gbsup::model::{Action, Event, Exit, JobId, Ran, Report, Step, Work};
use gbsup::portage::output::ccache::Counters;
use gbsup::portage::output::plan::Plan;
use gbsup::portage::output::scanner::{FailedPackage, How, Progress};

use crate::story::{Story, completed, cpv, emerging, evidence, pause, planned, ran, resume, unreachable};

#[test]
fn a_first_cycle_goes_through_its_steps_and_waits() {
    let mut story = Story::begin(|_| {});
    for step in [
        Step::Preflight,
        Step::Sync,
        Step::SelfUpdate,
        Step::Plan,
        Step::Build,
        Step::Rebuild,
        Step::Audit,
        Step::Publish,
        Step::Prune,
    ] {
        assert_eq!(story.running(), step);
        story.through(step);
    }
    story.expect(Mode::Waiting, "everything is up to date; next sync in 1 d");
    assert_eq!(story.state.wake(), Some(Duration::from_hours(24)));
    story.pass(86_400);
    assert_eq!(story.running(), Step::Preflight);
    assert_eq!(story.status().cycle.unwrap().reason, "interval");
}

#[test]
fn a_failure_pauses_and_resume_runs_that_step_again() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.print(Progress::Planned { total: 3, list: Vec::new() });
    story.print(emerging("a"));
    story.print(completed("a"));
    let failure = Failure { package: Some("app-misc/b-1".into()), ..Failure::new(Class::Compile, "no luck") };
    story.end(Report::Failed(Box::new(failure)));
    // What is built is offered before anybody is waited for.
    story.expect(Mode::Running, "app-misc/b-1 failed; checking what has to be rebuilt");
    story.through(Step::Rebuild);
    story.expect(Mode::Running, "app-misc/b-1 failed; checking what clients can be offered");
    story.through(Step::Publish);
    story.expect(Mode::Paused, "app-misc/b-1: no luck; 1 of 3 built. Repair it, then: gbsup resume");
    story.restart("one", true);
    story.expect(Mode::Paused, "no luck; 1 of 3 built");
    assert!(matches!(story.ask(resume()), Reply::Accepted { .. }));
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Plan);
    assert_eq!(story.status().progress.total, 3, "until there is another plan");
    story.end(planned(&["b"]));
    assert_eq!(story.running(), Step::Build);
    assert_eq!(story.status().progress.total, 2, "what is merged, and what is left");
    story.through(Step::Prune);
    assert_eq!(story.status().progress.total, 1, "nothing is left to do");
    assert!(matches!(story.ask(resume()), Reply::Denied { .. }));
}

#[test]
fn what_the_tree_has_nothing_for_is_not_passed_over_in_silence() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    let mut ran = ran(0);
    ran.evidence = evidence(include_bytes!("../captured/world-atom-gone.txt"));
    story.end(Report::Ran(ran));
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "everything else is up to date");
    let warnings = story.status().warnings;
    assert!(
        warnings.iter().any(|warning| warning.contains("gone from the tree: test-none/gone")),
        "{warnings:?}"
    );
}

#[test]
fn a_new_root_on_an_old_volume_begins_anew_even_when_paused() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Sync);
    story.end(Report::Failed(Box::new(Failure::new(Class::Internal, "broken"))));
    story.restart("another", true);
    assert_eq!(story.running(), Step::Preflight);
    assert_eq!(story.status().cycle.unwrap().reason, "new-root");
    // Its own tree may be old, but the mirror was asked a moment ago.
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::SelfUpdate);
}

#[test]
fn a_sync_that_fails_is_tried_again_and_then_the_old_tree_is_built() {
    let mut story = Story::begin(|config| {
        config.sync.retries = vec![Duration::from_mins(1), Duration::from_mins(5)];
    });
    story.through(Step::Preflight);
    story.end(unreachable());
    story.expect(Mode::Running, "no route to host; trying again in 1 min (attempt 2 of 3)");
    story.pass(59);
    assert!(story.job.is_none());
    story.pass(1);
    story.end(unreachable());
    story.restart("one", false);
    story.through(Step::Preflight);
    assert!(story.job.is_none(), "a restart shortened the wait");
    story.pass(300);
    story.end(unreachable());
    assert_eq!(story.running(), Step::SelfUpdate);
    assert!(story.status().sync.stale_since.is_some());
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "with the tree of an earlier sync");
}

#[test]
fn a_sync_that_fails_pauses_when_configured_so() {
    let mut story = Story::begin(|config| {
        config.sync.retries = Vec::new();
        config.sync.on_failure = OnFailure::Pause;
    });
    story.through(Step::Preflight);
    story.end(unreachable());
    story.expect(Mode::Paused, "the sync failed: pocket: no route to host");
    story.ask(resume());
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Sync, "whatever the least interval says");
    story.through(Step::Prune);
    assert_eq!(story.status().sync.stale_since, None);
}

#[test]
fn the_least_interval_between_syncs_survives_restarts_and_yields_to_a_request() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Prune);
    for _ in 0..3 {
        story.seconds += 600;
        story.restart("one", true);
        story.through(Step::Preflight);
        assert_eq!(story.running(), Step::SelfUpdate, "a restart synced again");
        story.through(Step::Prune);
    }
    story.ask(Request::Sync);
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Sync);
}

/// Half a tree is not built, however lately the sync that left it was begun.
#[test]
fn a_sync_that_was_cut_short_is_made_up_for() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Sync);
    story.restart("one", true);
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Sync);
    story.restart("one", true);
    story.through(Step::Preflight);
    story.expect(Mode::Running, "the last 2 syncs did not come to an end; syncing in 1 min");
    assert!(story.job.is_none(), "killed again and again it would hammer the mirror");
    story.pass(60);
    story.through(Step::Sync);
    story.restart("one", true);
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::SelfUpdate, "it ended");
}

#[test]
fn a_sync_interrupted_by_a_pause_is_run_again_on_resume() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Preflight);
    story.ask(pause(PauseMode::Now));
    story.end(Report::Ran(ran(130)));
    story.expect(Mode::Paused, "lunch");
    story.ask(resume());
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Sync);
}

#[test]
fn a_package_whose_postinst_failed_is_merged_again_on_resume() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.print(emerging("a"));
    story.print(completed("a"));
    assert_eq!(story.status().progress.done, 1);
    story.print(Progress::Failed { package: cpv("a"), how: How::Postinst, log: None });
    let progress = story.status().progress;
    assert_eq!((progress.done, progress.failed), (0, 1), "Completed was not true");
    let mut failed = ran(1);
    failed.evidence.failed =
        vec![FailedPackage { package: cpv("a"), how: How::Postinst, log: None, die: None }];
    story.end(Report::Ran(failed));
    story.expect(Mode::Paused, "app-misc/a-1");
    story.ask(resume());
    story.through(Step::Preflight);
    // What the resolver meets meanwhile does not make it forget.
    story.end(Report::Planned { ran: ran(1), plan: Plan::default(), offered: BTreeMap::new() });
    story.ask(resume());
    story.through(Step::Preflight);
    // Portage has nothing to do any more, gbsup has.
    story.end(planned(&[]));
    let (_, work) = story.job.clone().unwrap();
    assert_eq!(work, Work::Build { exclude: vec![], merge_again: vec!["app-misc/a-1".into()] });
    assert_eq!(story.status().progress.total, 1);

    // Not once more when the preflight has found it and merged it.
    story.end(Report::Failed(Box::new(Failure::new(Class::Unknown, "something else"))));
    story.state.durable.cycle.as_mut().unwrap().merge_again = vec!["app-misc/a-1".into()];
    story.ask(resume());
    story.print(emerging("a"));
    story.print(completed("a"));
    story.through(Step::Plan);
    let (_, work) = story.job.clone().unwrap();
    assert_eq!(work, Work::Build { exclude: vec![], merge_again: vec![] });
}

/// After a kill nobody knows of it but the preflight, and to the plan it is up to date.
#[test]
fn a_merge_that_fails_again_in_the_preflight_is_tried_by_the_build() {
    let mut story = Story::begin(|_| {});
    story.end(Report::Ready {
        repairs: Vec::new(),
        missing: Vec::new(),
        unmerged: vec!["app-misc/a-1".into()],
    });
    story.through(Step::SelfUpdate);
    story.end(planned(&[]));
    let (_, work) = story.job.clone().unwrap();
    assert_eq!(work, Work::Build { exclude: vec![], merge_again: vec!["app-misc/a-1".into()] });
}

/// The preflight finds half a merge also of what the build was going to merge again.
#[test]
fn what_is_to_be_merged_again_is_so_once() {
    let mut story = Story::begin(|_| {});
    let [a, b] = ["app-misc/a-1", "app-misc/b-1"].map(str::to_owned);
    story.state.durable.cycle.as_mut().unwrap().merge_again = vec![b.clone()];
    story.end(Report::Ready {
        repairs: Vec::new(),
        missing: Vec::new(),
        unmerged: vec![a.clone(), b.clone()],
    });
    story.through(Step::SelfUpdate);
    story.end(planned(&[]));
    let (_, work) = story.job.clone().unwrap();
    assert_eq!(work, Work::Build { exclude: vec![], merge_again: vec![b, a] });
}

/// Portage itself does not survive a log that it cannot write.
#[test]
fn a_full_volume_is_named_whatever_it_did_to_emerge() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    let volume = Place {
        purpose: Purpose::Logs,
        directory: "/var/lib/gbsup/log".into(),
        path: "/var/lib/gbsup".into(),
        size: 10 << 30,
        free: 0,
        inodes: 0,
        inodes_free: 0,
        in_memory: false,
        prunable: true,
    };
    let machine = Machine { places: vec![volume], ..Machine::default() };
    let ran = Ran { exit: Exit::Signal(15), machine, ..*ran(1) };
    story.end(Report::Ran(Box::new(ran)));
    // Nothing is freed.
    story.end(Report::Nothing);
    story.expect(Mode::Paused, "no space is left on /var/lib/gbsup");
    let pause = story.status().pause.unwrap();
    assert_eq!(pause.failures[0].class, Class::DiskFull);
    assert_eq!(pause.actions[1], "try: df -h /var/lib/gbsup");
}

#[test]
fn the_history_learns_why_a_package_failed() {
    use gbsup::model::records::Record;
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.print(emerging("a"));
    story.print(Progress::Failed { package: cpv("a"), how: How::Build, log: None });
    let (job, _) = story.job.clone().unwrap();
    let failure = Failure { package: Some("app-misc/a-1".into()), ..Failure::new(Class::Compile, "no luck") };
    let actions = story.take(Event::Ended { job, report: Report::Failed(Box::new(failure)) });
    let reason = actions.iter().find_map(|action| match action {
        Action::Record(Record::Reason { package, message, .. }) => Some((package.as_str(), message.as_str())),
        _ => None,
    });
    assert_eq!(reason, Some(("app-misc/a-1", "no luck")));
    story.end(Report::Rest { ran: None, untried: Vec::new() });

    // What failed before its work began has no other record; an atom is no package.
    for (package, recorded) in [("app-misc/b-1", true), ("app-misc/b", false)] {
        story.ask(resume());
        story.through(Step::Plan);
        let (job, _) = story.job.clone().unwrap();
        let failure = Failure { package: Some(package.into()), ..Failure::new(Class::Compile, "too small") };
        let actions = story.take(Event::Ended { job, report: Report::Failed(Box::new(failure)) });
        let found = actions.iter().any(|action| {
            matches!(action, Action::Record(Record::Package { message: Some(words), .. }) if words == "too small")
        });
        assert_eq!(found, recorded, "{package}");
        story.end(Report::Rest { ran: None, untried: Vec::new() });
    }
}

#[test]
fn a_wait_for_another_portage_is_in_the_headline_and_no_failure() {
    let waits = |text: Option<&str>| Event::Warning { key: view::LOCKED, text: text.map(str::to_owned) };
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.print(emerging("a"));
    story.take(waits(Some("it waits for emerge b (pid 7)")));
    story.expect(Mode::Running, ", waiting for another Portage");
    story.take(waits(None));
    assert!(!story.status().headline.contains("waiting"));
    story.print(completed("a"));
    story.end(Report::Ran(Box::new(Ran { exit: Exit::Signal(15), ..*ran(1) })));
    story.expect(Mode::Paused, "emerge was told to stop, and not by gbsup (signal 15)");
    let class = |story: &Story| story.status().pause.unwrap().failures[0].class;
    assert_eq!(class(&story), Class::Interrupted, "it had got on");

    // Unless somebody ends the wait.
    story.ask(resume());
    story.through(Step::Plan);
    story.take(waits(Some("it waits for emerge b (pid 7)")));
    story.end(Report::Ran(Box::new(Ran { exit: Exit::Signal(15), ..*ran(1) })));
    assert_eq!(class(&story), Class::PortageLocked);
    assert_eq!(story.status().warnings, [""; 0]);
}

#[test]
fn files_of_helpers_are_kept_with_their_package() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.print(Progress::Planned { total: 2, list: Vec::new() });
    story.print(emerging("a"));
    let by = |helper: u64, own: u64| BTreeMap::from([("h1".to_owned(), helper), ("builder".to_owned(), own)]);
    let mut helpers = Helpers { cycle: Some(1), compiled: by(5, 3), ..Helpers::default() };
    helpers.packages.insert("app-misc/a-1".into(), by(4, 3));
    story.take(Event::Helped(Box::new(helpers.clone())));
    let files = |remote, local| Files { remote, local, helpers: 1 };
    assert_eq!(story.status().jobs[0].files, Some(files(4, 3)));
    let written = |story: &Story| {
        let helped = story.records.iter().filter_map(|record| match record {
            Record::Helped { cycle: 1, package, files, .. } => Some((package.clone(), *files)),
            Record::Helped { .. } => panic!("of another cycle"),
            _ => None,
        });
        helped.collect::<Vec<_>>()
    };
    assert_eq!(written(&story), [], "it is at work");
    story.print(completed("a"));
    let (a, all) = (Some("app-misc/a-1".to_owned()), None);
    let mut expected = vec![(a.clone(), files(4, 3)), (all.clone(), files(5, 3))];
    assert_eq!(written(&story), expected);
    // The last ones come when it is over.
    helpers.packages.insert("app-misc/a-1".into(), by(6, 3));
    helpers.compiled = by(7, 3);
    story.take(Event::Helped(Box::new(helpers.clone())));
    expected.extend([(a, files(6, 3)), (all, files(7, 3))]);
    assert_eq!(written(&story), expected);
    // What is of another cycle says nothing about this one.
    helpers.packages.insert("app-misc/b-1".into(), by(1, 1));
    helpers.cycle = Some(7);
    story.print(emerging("b"));
    story.take(Event::Helped(Box::new(helpers)));
    assert_eq!(story.status().jobs[0].files, None);
    story.print(completed("b"));
    assert_eq!(written(&story), expected);
}

#[test]
fn ccache_is_counted_for_the_cycle_that_used_it() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    let count = |story: &mut Story, moment, hits, misses| {
        let job = story.job.as_ref().map(|(job, _)| *job).expect("a job runs");
        story.take(Event::Ccache { job, moment, counters: Counters { hits, misses, size: 4096 } });
        story.status().ccache.map(|used| (used.hits, used.misses, used.size))
    };
    assert_eq!(story.status().ccache, None);
    assert_eq!(count(&mut story, Moment::Before, 70, 10), Some((0, 0, 4096)));
    assert_eq!(count(&mut story, Moment::After, 90, 11), Some((20, 1, 4096)));
    // A kill forgets none of it, and what was compiled in between was not for the cycle.
    story.restart("one", true);
    story.through(Step::Plan);
    assert_eq!(count(&mut story, Moment::Before, 95, 11), Some((20, 1, 4096)));
    assert_eq!(count(&mut story, Moment::After, 96, 11), Some((21, 1, 4096)));
    let written = story.records.iter().filter_map(|record| match record {
        Record::Ccache { cycle, used, .. } => Some((*cycle, used.hits)),
        _ => None,
    });
    assert_eq!(written.collect::<Vec<_>>(), [(1, 20), (1, 21)]);
    // What comes from a job that is over is nobody's.
    let late = Event::Ccache { job: JobId(1), moment: Moment::After, counters: Counters::default() };
    story.take(late);
    assert_eq!(story.status().ccache.map(|used| used.hits), Some(21));
    // The next cycle begins to count.
    story.through(Step::Prune);
    story.pass(86_400);
    assert_eq!(story.status().ccache, None);
}
