//! The plan, and what it means for the build.

use std::collections::BTreeMap;

use gbsup::model::failure::Class;
use gbsup::model::request::Request;
use gbsup::model::status::Mode;
use gbsup::model::{Ran, Report, Step};
use gbsup::portage::output::plan::Plan;
use gbsup::portage::output::scanner::Progress;

use crate::story::{Story, completed, emerging, evidence, planned, ran, resume};

#[test]
fn what_the_resolver_finds_pauses_before_anything_is_built() {
    let mut story = Story::begin(|_| {});
    story.through(Step::SelfUpdate);
    let evidence = evidence(include_bytes!("../captured/missing-dependency.txt"));
    let ran = Box::new(Ran { evidence, ..*ran(1) });
    story.end(Report::Planned { ran, plan: Plan::default(), offered: BTreeMap::new() });
    story.expect(Mode::Paused, "test-none/gone: nothing in the repositories satisfies it");
    let status = story.status();
    assert_eq!((status.step.as_str(), status.plan), ("plan", None));
    let failure = &status.pause.unwrap().failures[0];
    assert_eq!(failure.class, Class::MissingPackage);
    assert!(failure.evidence.iter().any(|line| line.contains("dependency required by")), "{failure:#?}");
    assert!(story.plan.is_none(), "a plan that cannot be carried out was kept");
    story.ask(resume());
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Plan);
}

#[test]
fn a_build_of_nothing_is_left_out() {
    let mut story = Story::begin(|_| {});
    story.through(Step::SelfUpdate);
    let mut report = planned(&[]);
    if let Report::Planned { ran, .. } = &mut report {
        ran.evidence = evidence(include_bytes!("../captured/world-atom-gone.txt"));
    }
    story.end(report.clone());
    assert_eq!(story.running(), Step::Rebuild);
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "everything else is up to date; next sync");
    let status = story.status();
    assert!(status.log.unwrap().ends_with("/plan.log"), "there is no other");
    assert!(
        status.warnings.iter().any(|warning| warning.contains("test-none/gone")),
        "{:?}",
        status.warnings
    );

    // A list that could not be read is not an empty one.
    story.ask(Request::Sync);
    story.through(Step::SelfUpdate);
    story.print(Progress::Planned { total: 2, list: Vec::new() });
    story.end(report);
    assert_eq!(story.running(), Step::Build);
    assert_eq!(story.status().progress.total, 2);
}

#[test]
fn a_plan_survives_a_restart_and_belongs_to_its_cycle() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    let known = story.status().plan;
    assert_eq!(known.map(|plan| (plan.packages, plan.source, plan.download)), Some((3, 3, 3072)));
    story.expect(Mode::Running, "getting ready to build 3 packages");
    story.restart("one", false);
    assert_eq!(story.status().plan, known);
    assert_eq!(story.status().progress.total, 3);
    // Whatever is left is planned anew before it is built.
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Plan);
    story.through(Step::Prune);
    story.restart("one", false);
    assert_eq!(story.status().plan, known, "also while it waits");
    story.restart("two", true);
    assert_eq!(story.status().plan, None, "of another cycle");
}

#[test]
fn the_total_is_that_of_the_plan_whatever_a_part_of_the_build_says() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    for (said, total) in [(1, 3), (3, 3), (4, 4)] {
        story.print(Progress::Planned { total: said, list: Vec::new() });
        assert_eq!(story.status().progress.total, total, "after a list of {said}");
    }
    story.print(emerging("a"));
    story.print(completed("a"));
    story.restart("one", false);
    assert_eq!(story.status().progress.total, 4);
}
