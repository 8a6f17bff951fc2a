//! Room is made, at the end of a cycle and when there is none.

use gbsup::model::failure::{Class, Failure};
use gbsup::model::prune::Pruned;
use gbsup::model::status::Mode;
use gbsup::model::{Report, Step, Work};

use crate::story::{Story, cpv, resume};

fn full(name: Option<&str>) -> Report {
    let package = name.map(|name| cpv(name).to_string());
    let full = Failure::new(Class::DiskFull, "no space is left on /v");
    Report::Failed(Box::new(Failure { package, may_pass: true, ..full }))
}

fn pruned(freed: u64) -> Report {
    Report::Pruned(Pruned { files: u64::from(freed > 0), freed, problems: Vec::new() })
}

#[test]
fn what_found_no_space_is_built_again_when_some_was_freed() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.end(full(Some("a")));
    story.expect(Mode::Running, "no space is left; removing what [prune] of the configuration does not keep");
    assert!(matches!(story.job, Some((_, Work::Prune { at: Step::Build }))), "{:?}", story.job);
    // Killed before that was done, it is done again.
    story.restart("one", true);
    story.through(Step::Preflight);
    assert!(matches!(story.job, Some((_, Work::Prune { at: Step::Build }))), "{:?}", story.job);
    story.end(pruned(300 << 20));
    // A package that could not be written leaves a name behind.
    story.through(Step::Preflight);
    story.builds_again("a");
    assert_eq!(
        story.status().remedies,
        [
            "app-misc/a-1 found no space left at first; attempt 2 worked",
            "no space was left; 300 MiB were freed by pruning"
        ]
    );
    let began = "disk-full app-misc/a-1: pruned";
    assert_eq!(story.remedies(), [began, began, "done", "disk-full app-misc/a-1: built again", "done"]);
}

#[test]
fn a_person_is_asked_when_nothing_could_be_freed_or_it_did_not_help() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.end(full(Some("a")));
    story.end(pruned(0));
    story.expect(Mode::Paused, "app-misc/a-1: no space is left on /v");
    let evidence = &story.status().pause.unwrap().failures[0].evidence;
    assert_eq!(evidence.last().map(String::as_str), Some("pruning freed nothing (gbsup prune --dry-run)"));

    story.ask(resume());
    story.through(Step::Plan);
    story.end(full(Some("a")));
    story.end(pruned(1));
    story.through(Step::Preflight);
    story.end(full(Some("a")));
    story.expect(Mode::Paused, "app-misc/a-1: no space is left on /v");

    let mut story = Story::begin(|config| config.remedy.disk_full = false);
    story.through(Step::Plan);
    story.end(full(Some("a")));
    story.expect(Mode::Paused, "app-misc/a-1: no space is left on /v");
}

#[test]
fn a_step_that_found_no_space_is_run_again_once() {
    let mut story = Story::begin(|_| {});
    story.end(full(None));
    assert!(matches!(story.job, Some((_, Work::Prune { at: Step::Preflight }))), "{:?}", story.job);
    story.end(pruned(1 << 30));
    assert_eq!(story.running(), Step::Preflight);
    story.end(full(None));
    story.expect(Mode::Paused, "no space is left on /v");

    let mut story = Story::begin(|_| {});
    story.through(Step::SelfUpdate);
    story.end(full(None));
    story.end(pruned(1 << 30));
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Plan, "by way of the preflight");
    story.through(Step::Prune);
    assert_eq!(story.status().remedies, ["no space was left; 1.0 GiB were freed by pruning"]);
}

#[test]
fn what_cannot_be_pruned_is_told_and_no_reason_to_stop() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Publish);
    story.expect(Mode::Running, "removing what is no longer needed");
    let problems = vec!["/v/log/x.log cannot be removed: no".to_owned()];
    story.end(Report::Pruned(Pruned { files: 0, freed: 0, problems }));
    story.expect(Mode::Waiting, "everything is up to date");
    let warning = "not everything could be pruned: /v/log/x.log cannot be removed: no";
    assert_eq!(story.status().warnings, [warning]);
    story.pass(24 * 3600);
    story.through(Step::Publish);
    story.end(full(None));
    story.expect(Mode::Waiting, "everything is up to date");
    assert_eq!(story.status().warnings, ["nothing was pruned: no space is left on /v"]);
    story.pass(24 * 3600);
    story.through(Step::Prune);
    assert_eq!(story.status().warnings, [""; 0]);
}

/// A tmpfs at the build directory is not made larger by removing binary packages.
#[test]
fn nothing_is_pruned_for_what_pruning_does_not_help() {
    for name in [None, Some("a")] {
        let mut story = Story::begin(|_| {});
        story.through(Step::Plan);
        let Report::Failed(failure) = full(name) else { unreachable!("it is one") };
        story.end(Report::Failed(Box::new(Failure { may_pass: false, ..*failure })));
        story.expect(Mode::Paused, "no space is left on /v");
    }
}
