//! Packages that are known to fail, and those that a person skips.

use std::collections::BTreeMap;
use std::sync::Arc;

use gbsup::model::estimates::Estimates;
use gbsup::model::failure::{Class, Failure};
use gbsup::model::request::{Reply, Request};
use gbsup::model::skip::ToSkip;
use gbsup::model::state::Durable;
use gbsup::model::status::Mode;
use gbsup::model::{Event, Report, Step, Work};
use gbsup::portage::files::built::Built;
use gbsup::portage::files::durations::Durations;
use gbsup::portage::output::plan::Plan;

use crate::story::{Story, completed, cpv, emerging, planned, ran, resume};

/// Earlier builds: each name with the seconds that it took.
pub(crate) fn took(builds: &[(&str, u64)]) -> Event {
    let mut durations = Durations::default();
    for (name, seconds) in builds {
        let package = cpv(name);
        let end = 1000 + seconds;
        let log = format!(
            "1000:  >>> emerge (1 of 1) {package} to /\n{end}:  ::: completed emerge (1 of 1) {package} to /\n{end}:  *** terminating.\n"
        );
        durations.read(log.as_bytes(), &Built::unknown());
    }
    Event::Estimates(Arc::new(Estimates::new(&durations, 1)))
}

fn failed(name: &str, class: Class) -> Failure {
    Failure { package: Some(cpv(name).to_string()), ..Failure::new(class, "no luck") }
}

pub(crate) fn fails(name: &str, class: Class) -> Report {
    Report::Failed(Box::new(failed(name, class)))
}

/// What the plan that runs leaves out.
#[track_caller]
pub(crate) fn excluded(story: &Story) -> Vec<String> {
    match &story.job {
        Some((_, Work::Plan { exclude, .. })) => exclude.clone(),
        other => panic!("no plan is made: {other:?}"),
    }
}

/// A cycle in which `b` fails, and the next one up to its plan.
pub(crate) fn with_failure(class: Class) -> Story {
    let mut story = Story::begin(|config| {
        config.remedy.binpkg_corrupt = false;
        config.remedy.disk_full = false;
    });
    story.through(Step::Plan);
    story.end(fails("b", class));
    assert_eq!(story.status().state, Mode::Paused);
    story.seconds += 86_400;
    story.ask(Request::Sync);
    story.through(Step::SelfUpdate);
    story
}

/// The same, and the next cycle comes to its end.
pub(crate) fn known() -> Story {
    let mut story = with_failure(Class::Compile);
    assert!(excluded(&story).is_empty(), "what is wanted is asked for first");
    story.end(planned(&["b", "c"]));
    assert_eq!(excluded(&story), ["app-misc/b:0"]);
    story.end(planned(&["c"]));
    story.through(Step::Prune);
    story
}

#[test]
fn what_only_fails_again_is_left_out_and_nobody_is_called() {
    let mut story = with_failure(Class::Compile);
    story.end(planned(&["a", "b", "c"]));
    assert_eq!(excluded(&story), ["app-misc/b:0"]);
    // Portage leaves out what needs it as well.
    story.end(planned(&["c"]));
    let Some((_, Work::Build { exclude, .. })) = &story.job else { panic!("{:?}", story.job) };
    assert_eq!(exclude, &["app-misc/b:0"]);
    story.through(Step::Prune);
    story.expect(
        Mode::Waiting,
        "everything else is up to date; app-misc/b-1 still failing since 2027-01-15 (compile); next sync in",
    );
    let status = story.status();
    let [known] = status.known.as_slice() else { panic!("{:?}", status.known) };
    assert_eq!((known.package.as_str(), known.class), ("app-misc/b-1", Class::Compile));
    assert_eq!((known.message.as_str(), known.since), ("no luck", known.last));
    let waits = |warning: &String| warning == "not built, because of what still fails: app-misc/a-1";
    assert!(status.warnings.iter().any(waits), "{:?}", status.warnings);

    // It is so after a restart, and in the next cycle.
    story.restart("one", false);
    assert_eq!(story.status().known, status.known);
    story.pass(86_400);
    story.through(Step::SelfUpdate);
    story.end(planned(&["b"]));
    story.end(planned(&[]));
    assert_eq!(story.running(), Step::Rebuild, "there is nothing to build");
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "app-misc/b-1 still failing since 2027-01-15");

    // What a container made anew brings is not known, and may be what was wanting.
    story.restart("two", true);
    story.through(Step::SelfUpdate);
    story.end(planned(&["b"]));
    assert_eq!(story.running(), Step::Build);
    story.end(fails("b", Class::Compile));
    story.expect(Mode::Paused, "app-misc/b-1");
    assert_eq!(story.state.durable.known[0].since, status.known[0].since);
}

/// It is installed, so no plan has it, and its work directory looks like a merge that was cut short.
#[test]
fn what_fails_after_its_merge_is_tried_when_somebody_asks() {
    let failed = || Failure { phase: Some("postinst".into()), ..failed("b", Class::Compile) };
    let mut story = Story::begin(|_| {});
    story.through(Step::Plan);
    story.end(Report::Failed(Box::new(failed())));
    assert_eq!(story.status().state, Mode::Paused);
    story.ask(Request::Sync);
    let preflight = Work::Preflight { failed: vec![cpv("b").to_string()] };
    assert_eq!(story.job.as_ref().map(|(_, work)| work), Some(&preflight));
    story.through(Step::SelfUpdate);
    story.end(planned(&[]));
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "app-misc/b-1 still failing since");

    story.ask(resume());
    story.through(Step::Preflight);
    story.end(planned(&[]));
    let work = Work::Build { exclude: vec![], merge_again: vec![cpv("b").to_string()] };
    assert_eq!(story.job.as_ref().map(|(_, work)| work), Some(&work));
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "everything is up to date");
}

#[test]
fn a_state_of_an_older_version_is_read() {
    let story = known();
    let mut old = serde_json::to_value(&story.state.durable).unwrap();
    for key in ["known", "skips"] {
        assert!(old.as_object_mut().unwrap().remove(key).is_some(), "{key}");
    }
    for key in ["narrowing", "toolchain"] {
        assert!(old["cycle"].as_object_mut().unwrap().remove(key).is_some(), "{key}");
    }
    let read: Durable = serde_json::from_value(old).unwrap();
    assert!(read.known.is_empty() && read.skips.is_empty());
}

#[test]
fn what_changed_is_tried_and_forgotten_once_it_is_built() {
    for change in ["ebuild", "toolchain"] {
        let mut story = known();
        story.ask(Request::Sync);
        story.through(Step::SelfUpdate);
        let mut report = planned(&["b"]);
        if let Report::Planned { plan, ran, .. } = &mut report {
            match change {
                "ebuild" => plan.packages[0].inputs = "other inputs".into(),
                _ => ran.toolchain = "gcc-15".into(),
            }
        }
        story.end(report);
        assert_eq!(story.running(), Step::Build, "{change}");
        assert_eq!(story.status().known.len(), 1, "nobody knows yet whether it helps");
        story.print(emerging("b"));
        story.print(completed("b"));
        story.end(Report::Ran(ran(0)));
        assert!(story.status().known.is_empty(), "{change}");
        story.through(Step::Prune);
        story.expect(Mode::Waiting, "everything is up to date (1 package built); next sync");
    }
}

#[test]
fn what_fails_otherwise_pauses_and_has_failed_since_the_first_time() {
    let mut story = known();
    let since = story.status().known[0].since;
    story.ask(Request::Sync);
    story.through(Step::SelfUpdate);
    let mut report = planned(&["b"]);
    if let Report::Planned { plan, .. } = &mut report {
        plan.packages[0].inputs = "other inputs".into();
    }
    story.end(report.clone());
    story.end(fails("b", Class::Test));
    story.expect(Mode::Paused, "app-misc/b-1: no luck");
    assert!(story.status().known.is_empty(), "it is what the pause is about");
    story.ask(Request::Sync);
    story.through(Step::SelfUpdate);
    story.end(report);
    story.end(planned(&[]));
    story.through(Step::Prune);
    let known = story.status().known;
    assert_eq!((known[0].class, known[0].since), (Class::Test, since));
    assert!(known[0].last > since);
}

#[test]
fn a_new_failure_beside_it_is_the_reason_to_pause() {
    let mut story = with_failure(Class::Compile);
    story.end(planned(&["b", "c"]));
    story.end(planned(&["c"]));
    story.end(fails("c", Class::Compile));
    story.expect(Mode::Paused, "app-misc/c-1: no luck");
    let status = story.status();
    assert!(!status.headline.contains("app-misc/b"), "{}", status.headline);
    let failures = status.pause.unwrap().failures;
    assert_eq!(failures.iter().map(|f| f.package.as_deref().unwrap()).collect::<Vec<_>>(), ["app-misc/c-1"]);
    assert_eq!(status.known.iter().map(|k| k.package.as_str()).collect::<Vec<_>>(), ["app-misc/b-1"]);
    // Whoever says resume means both.
    story.ask(resume());
    story.through(Step::Preflight);
    story.end(planned(&["b", "c"]));
    assert_eq!(story.running(), Step::Build);
}

#[test]
fn another_version_is_another_package() {
    let mut story = known();
    story.ask(Request::Sync);
    story.through(Step::SelfUpdate);
    story.end(planned(&["c"]));
    assert_eq!(story.running(), Step::Build);
    assert!(story.status().known.is_empty());
}

#[test]
fn what_is_wanted_again_tomorrow_is_not_forgotten() {
    let mut story = known();
    story.ask(resume());
    story.end(Report::Nothing);
    story.end(planned(&["a", "b"]));
    story.end(fails("b", Class::Compile));
    // Only `a` needs it, and a person leaves that out.
    story.ask(Request::Resume { skip: vec!["app-misc/a".into()] });
    story.through(Step::Preflight);
    story.end(planned(&[]));
    story.through(Step::Prune);
    assert_eq!(story.status().known.len(), 1);
    story.ask(Request::Sync);
    story.through(Step::SelfUpdate);
    story.end(planned(&["a", "b"]));
    assert_eq!(excluded(&story), ["app-misc/b:0"], "it was asked for in another cycle");
    story.end(planned(&[]));
    story.through(Step::Prune);
    story.ask(Request::Sync);
    story.through(Step::SelfUpdate);
    story.end(planned(&["a"]));
    assert!(story.status().known.is_empty(), "nothing needs it any more");
}

#[test]
fn what_is_of_the_machine_is_not_remembered() {
    for class in [Class::DiskFull, Class::Interrupted, Class::PortageLocked, Class::BinpkgCorrupt] {
        let mut story = with_failure(class);
        assert!(story.status().known.is_empty(), "{class:?}");
        story.end(planned(&["b", "c"]));
        assert_eq!(story.running(), Step::Build, "{class:?}");
    }
    // A server that did not answer may answer tomorrow.
    let mut story = Story::begin(|config| config.remedy.fetch.clear());
    story.through(Step::Plan);
    story.end(Report::Failed(Box::new(Failure { may_pass: true, ..failed("b", Class::Fetch) })));
    story.ask(Request::Sync);
    assert!(story.status().known.is_empty());
}

#[test]
fn resume_tries_it_again_while_it_waits_and_sync_does_not() {
    let mut story = known();
    story.ask(Request::Resume { skip: vec!["app-misc/b".into()] });
    story.expect(Mode::Waiting, "still failing");
    let Reply::Accepted { message } = story.ask(resume()) else { panic!("nothing to do") };
    assert_eq!(message, "trying again what still fails: app-misc/b-1");
    story.end(Report::Nothing);
    assert_eq!(story.running(), Step::Plan, "there is no need for a sync");
    story.end(planned(&["b"]));
    assert_eq!(story.running(), Step::Build);
    story.end(fails("b", Class::Compile));
    story.expect(Mode::Paused, "app-misc/b-1: no luck");
    // Without it, it goes on, and the next cycle does not try it either.
    story.ask(Request::Resume { skip: vec!["app-misc/b".into()] });
    story.through(Step::Preflight);
    assert_eq!(excluded(&story), ["app-misc/b"]);
    story.end(planned(&[]));
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "app-misc/b-1 still failing");
    story.ask(Request::Sync);
    story.through(Step::SelfUpdate);
    story.end(planned(&["b"]));
    assert_eq!(excluded(&story), ["app-misc/b:0"]);
}

#[test]
fn a_pause_of_an_operator_is_no_repair() {
    let mut story = known();
    story.take(Event::Hold(true));
    story.take(Event::Hold(false));
    story.ask(Request::Sync);
    story.through(Step::SelfUpdate);
    story.end(planned(&["b"]));
    assert_eq!(excluded(&story), ["app-misc/b:0"]);
    story.take(Event::Hold(true));
    story.end(planned(&[]));
    story.expect(Mode::Paused, "held");
    story.take(Event::Hold(false));
    assert_eq!(story.running(), Step::Preflight);
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "app-misc/b-1 still failing");
}

#[test]
fn a_skip_lasts_until_another_version_is_offered() {
    let skip = |name: &str| ToSkip { package: format!("app-misc/{name}"), version: cpv(name) };
    let mut story = known();
    let Reply::Accepted { message } = story.ask(Request::Skip { packages: vec![skip("b"), skip("c")] })
    else {
        panic!("it is possible")
    };
    assert_eq!(message, "skipped until another version is offered: app-misc/b (now 1), app-misc/c (now 1)");
    let status = story.status();
    assert!(status.known.is_empty(), "it is not going to be tried: {:?}", status.known);
    assert_eq!(status.skipped.len(), 2);
    story.expect(Mode::Waiting, "everything else is up to date");
    story.restart("one", false);
    story.ask(Request::Sync);
    story.through(Step::SelfUpdate);
    assert_eq!(excluded(&story), ["app-misc/b", "app-misc/c"]);

    // Another version of one of them, also when the resolver found fault with something else.
    let offered = BTreeMap::from([
        ("app-misc/b".to_owned(), cpv("b")),
        ("app-misc/c".to_owned(), "app-misc/c-2".to_owned().try_into().unwrap()),
    ]);
    story.end(Report::Planned { ran: ran(1), plan: Plan::default(), offered });
    assert_eq!(excluded(&story), ["app-misc/b"]);
    assert_eq!(story.status().skipped.len(), 1);

    assert!(matches!(
        story.ask(Request::Unskip { packages: vec!["app-misc/c".into()] }),
        Reply::Denied { .. }
    ));
    story.ask(Request::Unskip { packages: vec!["app-misc/b".into()] });
    assert!(story.status().skipped.is_empty());
}

#[test]
fn a_first_failure_is_told_although_a_sync_was_asked_for_before() {
    for publishes in [false, true] {
        let mut story = Story::begin(|_| {});
        story.through(Step::Plan);
        story.ask(Request::Sync);
        if publishes {
            story.print(emerging("a"));
            story.print(completed("a"));
        }
        story.end(fails("b", Class::Compile));
        if publishes {
            assert_eq!(story.running(), Step::Rebuild, "what is good comes first");
            story.through(Step::Publish);
        }
        assert_eq!(story.running(), Step::Preflight, "the sync that was remembered begins at once");
        story.through(Step::SelfUpdate);
        story.end(planned(&["b", "c"]));
        assert_eq!(excluded(&story), ["app-misc/b:0"], "the same is not tried twice");
        story.end(planned(&["c"]));
        story.restart("one", false);
        story.through(Step::Preflight);
        story.end(planned(&["b", "c"]));
        story.end(planned(&["c"]));
        story.through(Step::Publish);
        story.expect(Mode::Paused, "app-misc/b-1");
        let failures = story.status().pause.unwrap().failures;
        assert_eq!(failures.len(), 1, "{failures:?}");

        // Once is enough.
        story.ask(Request::Sync);
        story.through(Step::SelfUpdate);
        story.end(planned(&["b", "c"]));
        story.end(planned(&["c"]));
        story.through(Step::Prune);
        story.expect(Mode::Waiting, "app-misc/b-1 still failing");
    }
}

#[test]
fn what_the_sync_repaired_or_did_away_with_needs_no_telling() {
    for repaired in [false, true] {
        let mut story = Story::begin(|_| {});
        story.through(Step::Plan);
        story.ask(Request::Sync);
        story.end(fails("b", Class::Compile));
        story.through(Step::SelfUpdate);
        if repaired {
            let mut report = planned(&["b"]);
            let Report::Planned { plan, .. } = &mut report else { unreachable!() };
            plan.packages[0].inputs = "another ebuild".into();
            story.end(report);
            story.print(emerging("b"));
            story.print(completed("b"));
        } else {
            story.end(planned(&["c"]));
        }
        story.through(Step::Prune);
        story.expect(Mode::Waiting, "everything is up to date");
    }
}
