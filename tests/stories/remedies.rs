//! What is done about failures before a person is asked.

use std::collections::BTreeMap;

use gbsup::model::failure::{Class, Failure};
use gbsup::model::request::Reply;
use gbsup::model::status::Mode;
use gbsup::model::work::{Change, Fewer};
use gbsup::model::{Report, Step, Work};
use gbsup::portage::output::buildlog::BuildLog;
use gbsup::portage::output::circular::{Circle, Solution};
use gbsup::portage::output::fetch::Trouble;
use gbsup::portage::output::markers::ProblemKind;
use gbsup::portage::output::plan::Plan;
use gbsup::portage::output::problem::Problem;
use gbsup::portage::output::scanner::{FailedPackage, How};

use crate::story::{Story, completed, cpv, emerging, ran, resume};

/// A build in which these packages failed to be fetched, for a reason that may pass or not.
fn unfetched(packages: &[(&str, bool)]) -> Report {
    let mut ran = ran(1);
    for (name, may_pass) in packages {
        let package = cpv(name);
        let log = BuildLog {
            fetch: if *may_pass { Trouble::Passing } else { Trouble::Lasting },
            problems: vec![Problem {
                kind: ProblemKind::Fetch,
                subject: Some(format!("{name}.tar.gz")),
                package: None,
                lines: vec![format!("!!! Couldn't download '{name}.tar.gz'. Aborting.")],
                omitted: 0,
                remedy: Vec::new(),
            }],
            ..BuildLog::default()
        };
        ran.logs.insert(package.to_string(), log);
        ran.evidence.failed.push(FailedPackage { package, how: How::Build, log: None, die: None });
    }
    Report::Ran(ran)
}

#[track_caller]
fn again(story: &Story) -> Vec<String> {
    match &story.job.as_ref().expect("a job runs").1 {
        Work::Again { packages, .. } => packages.clone(),
        other => panic!("it is not tried again but {other:?}"),
    }
}

#[test]
fn what_could_not_be_fetched_is_fetched_later_and_then_all_is_built() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.end(unfetched(&[("a", true)]));
    story.expect(Mode::Running, "app-misc/a-1 could not be fetched; trying again in 1 min (attempt 2 of 4)");
    assert!(story.job.is_none());
    // In the middle of the wait the container is started again.
    story.seconds += 20;
    story.restart("one", true);
    story.through(Step::Preflight);
    story.expect(Mode::Running, "trying again in 40 s");
    story.pass(40);
    assert_eq!(again(&story), ["app-misc/a-1"]);
    story.end(unfetched(&[("a", true)]));
    story.expect(Mode::Running, "trying again in 5 min (attempt 3 of 4)");
    story.pass(300);
    story.print(emerging("a"));
    story.print(completed("a"));
    story.end(Report::Ran(ran(0)));
    assert!(matches!(story.job, Some((_, Work::Build { .. }))), "what waited for it is built");
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "everything is up to date");
    assert_eq!(story.status().remedies, ["app-misc/a-1 could not be fetched at first; attempt 3 worked"]);
}

#[test]
fn a_server_that_does_not_come_back_is_left_to_a_person() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    for minutes in [1, 5, 15] {
        story.end(unfetched(&[("a", true)]));
        story.pass(minutes * 60);
        assert_eq!(again(&story), ["app-misc/a-1"]);
    }
    story.end(unfetched(&[("a", true)]));
    story.expect(Mode::Paused, "app-misc/a-1 failed in fetch");
    let evidence = &story.status().pause.unwrap().failures[0].evidence;
    assert_eq!(evidence.last().map(String::as_str), Some("tried again 3 times, without success"));
    // Somebody who says resume wants all of it again.
    story.ask(resume());
    story.through(Step::Plan);
    story.end(unfetched(&[("a", true)]));
    story.expect(Mode::Running, "attempt 2 of 4");
}

#[test]
fn only_what_may_pass_is_tried_again_and_the_rest_waits_for_a_person() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.end(unfetched(&[("a", true), ("b", false)]));
    assert_eq!(story.status().remedies.len(), 1);
    assert_eq!(story.ask(resume()), Reply::Accepted { message: "trying the build again now".into() });
    assert_eq!(again(&story), ["app-misc/a-1"]);
    story.print(emerging("a"));
    story.print(completed("a"));
    story.end(Report::Ran(ran(0)));
    story.through(Step::Publish);
    story.expect(Mode::Paused, "app-misc/b-1 failed in fetch");
    assert_eq!(story.status().progress.failed, 1);
}

/// A build in which memory ran out for this package.
fn starved(name: &str) -> Report {
    let failure =
        Failure { package: Some(cpv(name).to_string()), ..Failure::new(Class::OutOfMemory, "no memory") };
    Report::Failed(Box::new(failure))
}

#[test]
fn what_ran_out_of_memory_is_built_with_fewer_jobs() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    for (fewer, words) in
        [(Fewer::Half, "half the jobs (attempt 2 of 3)"), (Fewer::One, "one job (attempt 3 of 3)")]
    {
        story.end(starved("a"));
        assert!(story.status().remedies[0].ends_with(words), "{:?}", story.status().remedies);
        let Some((_, Work::Again { packages, change: Change::Fewer(given), .. })) = &story.job else {
            panic!("{:?}", story.job)
        };
        assert_eq!((packages.as_slice(), *given), (&["app-misc/a-1".to_owned()][..], fewer));
    }
    // Killed in the middle, it goes on with one job.
    story.restart("one", true);
    story.through(Step::Preflight);
    let one = |work: &Work| matches!(work, Work::Again { change: Change::Fewer(Fewer::One), .. });
    assert!(story.job.as_ref().is_some_and(|(_, work)| one(work)), "{:?}", story.job);
    story.print(emerging("a"));
    story.print(completed("a"));
    story.end(Report::Ran(ran(0)));
    story.through(Step::Prune);
    assert_eq!(
        story.status().remedies,
        ["app-misc/a-1 ran out of memory at first; it was built with one job"]
    );
    let began = |jobs: &str| format!("out-of-memory app-misc/a-1: built again with {jobs}");
    assert_eq!(
        story.remedies(),
        [began("half the jobs"), "failed".into(), began("one job"), began("one job"), "done".into()]
    );

    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    (0..3).for_each(|_| story.end(starved("a")));
    story.expect(Mode::Paused, "app-misc/a-1 ran out of memory");
    let mut story = Story::begin(|config| config.remedy.out_of_memory = false);
    story.through(Step::Plan);
    story.end(starved("a"));
    story.expect(Mode::Paused, "app-misc/a-1 ran out of memory");
}

/// A plan that met a circular dependency.
fn tangled() -> Report {
    let Report::Ran(ran) = tangled_within() else { panic!("emerge was run") };
    Report::Planned { ran, plan: Plan::default(), offered: BTreeMap::new() }
}

/// The same, of a package that was built to break one.
fn tangled_within() -> Report {
    let mut ran = ran(1);
    ran.evidence.problems.push(Problem {
        kind: ProblemKind::Circular,
        subject: None,
        package: None,
        lines: vec![" * Error: circular dependencies:".to_owned()],
        omitted: 0,
        remedy: Vec::new(),
    });
    Report::Ran(ran)
}

fn circle(solutions: &[&str]) -> Report {
    let solution =
        |name: &&str| Solution { package: cpv(name), flags: BTreeMap::from([("loop".to_owned(), false)]) };
    Report::Circle(Circle {
        packages: vec![cpv("a"), cpv("b")],
        solutions: solutions.iter().map(solution).collect(),
    })
}

#[track_caller]
fn untangled(story: &Story) -> String {
    match &story.job.as_ref().expect("a job runs").1 {
        Work::Untangle { solution, .. } => solution.package.to_string(),
        other => panic!("nothing is untangled but {other:?}"),
    }
}

#[test]
fn a_circle_is_broken_and_the_build_goes_on() {
    let mut story = Story::begin(|_| {});
    story.through(Step::SelfUpdate);
    story.end(tangled());
    assert!(matches!(story.job, Some((_, Work::Circle { .. }))));
    story.end(circle(&["a", "b"]));
    story.expect(Mode::Running, "packages need each other; app-misc/a-1 is built with USE=\"-loop\" first");
    // Killed meanwhile, it does the same again.
    story.restart("one", true);
    story.through(Step::Preflight);
    assert_eq!(untangled(&story), "app-misc/a-1");
    story.end(Report::Ran(ran(0)));
    assert!(matches!(story.job, Some((_, Work::Plan { .. }))));
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "everything is up to date");
    assert_eq!(
        story.status().remedies,
        ["app-misc/a-1 was built with USE=\"-loop\" for a while, because packages needed each other"]
    );
    let began = "circular app-misc/a-1: built with USE=\"-loop\" for a while";
    assert_eq!(story.remedies(), [began, began, "done"], "the first was cut short");
}

#[test]
fn a_circle_within_a_circle_is_broken_first() {
    let mut story = Story::begin(|_| {});
    story.through(Step::SelfUpdate);
    story.end(tangled());
    story.end(circle(&["a"]));
    assert_eq!(untangled(&story), "app-misc/a-1");
    story.end(tangled_within());
    let Some((_, Work::Circle { within: Some(within), .. })) = &story.job else { panic!("{:?}", story.job) };
    assert_eq!(within.package, cpv("a"));
    story.end(circle(&["b"]));
    assert_eq!(untangled(&story), "app-misc/b-1");
    story.end(Report::Ran(ran(0)));
    story.end(tangled());
    story.end(circle(&["a"]));
    assert_eq!(untangled(&story), "app-misc/a-1", "it was not the solution that was wrong");
    story.end(Report::Ran(ran(0)));
    story.through(Step::Prune);
    assert_eq!(story.status().remedies.len(), 2);
}

#[test]
fn a_circle_that_cannot_be_broken_is_named() {
    let mut story = Story::begin(|_| {});
    story.through(Step::SelfUpdate);
    story.end(tangled());
    story.end(circle(&["b"]));
    // It builds, and the circle is still there.
    story.end(Report::Ran(ran(0)));
    story.end(tangled());
    story.end(circle(&["b"]));
    story.expect(
        Mode::Paused,
        "packages need each other to be built: app-misc/a-1 needs app-misc/b-1 needs app-misc/a-1",
    );
    let evidence = &story.status().pause.unwrap().failures[0].evidence;
    assert_eq!(
        evidence.last().map(String::as_str),
        Some("tried without success: app-misc/b-1 with USE=\"-loop\"")
    );

    let mut story = Story::begin(|config| config.remedy.circular = false);
    story.through(Step::SelfUpdate);
    story.end(tangled());
    story.expect(Mode::Paused, "packages need each other to be built");
}

/// Each way out leads to the next circle, for ever if it were let.
#[test]
fn circles_come_to_an_end() {
    let mut story = Story::begin(|_| {});
    story.through(Step::SelfUpdate);
    let names: Vec<String> = (0..30).map(|n| format!("p{n}")).collect();
    let mut attempts = 0;
    for name in &names {
        story.end(tangled());
        story.end(circle(&[name]));
        if story.job.is_none() {
            break;
        }
        story.end(Report::Ran(ran(0)));
        attempts += 1;
    }
    assert_eq!(attempts, 10);
    story.expect(Mode::Paused, "packages need each other to be built");
}

#[test]
fn without_the_remedy_a_person_is_asked_at_once() {
    let mut story = Story::begin(|config| config.remedy.fetch.clear());
    story.through(Step::Plan);
    story.end(unfetched(&[("a", true)]));
    story.expect(Mode::Paused, "app-misc/a-1 failed in fetch");
}

/// A build in which Portage found a binary package damaged.
fn damaged(name: &str) -> Report {
    let failure =
        Failure { package: Some(cpv(name).to_string()), ..Failure::new(Class::BinpkgCorrupt, "damaged") };
    Report::Failed(Box::new(failure))
}

#[test]
fn a_damaged_binary_package_is_set_aside_and_built_from_source() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.end(damaged("a"));
    let said = "the binary package of app-misc/a-1 is damaged; it is set aside and built from source";
    assert_eq!(story.status().remedies, [said]);
    // Killed before it was done, it is done again.
    story.restart("one", true);
    story.through(Step::Preflight);
    let Some((_, Work::Again { change: Change::SetAside, .. })) = &story.job else {
        panic!("{:?}", story.job)
    };
    story.print(emerging("a"));
    story.print(completed("a"));
    story.end(Report::Ran(ran(0)));
    story.through(Step::Prune);
    let said = "the binary package of app-misc/a-1 was damaged; it was set aside and built from source";
    assert_eq!(story.status().remedies, [said]);
    let began = "binpkg-corrupt app-misc/a-1: binary package set aside, built from source";
    assert_eq!(story.remedies(), [began, began, "done"], "the first was cut short");

    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    (0..2).for_each(|_| story.end(damaged("a")));
    story.expect(Mode::Paused, "app-misc/a-1: damaged");
    let mut story = Story::begin(|config| config.remedy.binpkg_corrupt = false);
    story.through(Step::Plan);
    story.end(damaged("a"));
    story.expect(Mode::Paused, "app-misc/a-1: damaged");
}
