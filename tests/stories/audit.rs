//! What is broken is built anew once, then held back, or holds the builder.

use gbsup::config::Linked;
use gbsup::model::failure::Class;
use gbsup::model::offer::Broken;
use gbsup::model::offer::{Held, Why};
use gbsup::model::request::PauseMode;
use gbsup::model::status::Mode;
use gbsup::model::{Ran, Report, Step, Work};

use crate::story::{Story, cpv, evidence, pause, ran, resume};

fn broken(name: &str, what: &str) -> Broken {
    Broken { package: cpv(name), slot: "0".into(), what: what.into(), needed_by: Vec::new() }
}

/// An audit that found this wrong with these packages.
fn audited(found: &[Broken]) -> Report {
    let held = |broken: &Broken| Held {
        cpv: broken.package.clone(),
        slot: "0".into(),
        why: Why::Missing("a/gone".into()),
        what: broken.what.clone(),
    };
    Report::Audited { held: found.iter().map(held).collect(), broken: found.to_vec(), offered: 7 }
}

/// What the audit that runs is to build anew.
#[track_caller]
fn rebuilds(story: &Story) -> Vec<String> {
    let Some((_, Work::Audit { rebuild, .. })) = &story.job else { panic!("{:?}", story.job) };
    rebuild.iter().map(|broken| broken.package.to_string()).collect()
}

const GONE: &str = "needs a/gone, which nothing offers";

#[test]
fn what_is_broken_is_built_anew_once_and_then_held_back() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Rebuild);
    story.expect(Mode::Running, "checking what clients can be offered");
    assert!(rebuilds(&story).is_empty());
    let both = [broken("a", GONE), broken("b", "is damaged: no")];
    story.end(audited(&both));
    assert_eq!(rebuilds(&story), ["app-misc/a-1", "app-misc/b-1"]);
    // One is better for it, another one is found, which is built in its turn.
    story.end(audited(&[broken("a", GONE), broken("c", GONE)]));
    assert_eq!(rebuilds(&story), ["app-misc/c-1"]);
    story.end(audited(&[broken("a", GONE)]));
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "everything is up to date");
    let warning = "held back from clients: app-misc/a-1 needs a/gone, which nothing offers";
    assert_eq!(story.status().warnings, [warning]);

    // In the next cycle it is as it was: nothing is built, the warning stays all the time.
    story.pass(24 * 3600);
    assert_eq!(story.status().warnings, [warning]);
    story.through(Step::Rebuild);
    assert!(rebuilds(&story).is_empty());
    story.end(audited(&[broken("a", GONE)]));
    assert_eq!(story.running(), Step::Publish);
    story.through(Step::Prune);
    // Something else is wrong with it now, and later nothing is.
    story.pass(24 * 3600);
    story.through(Step::Rebuild);
    story.end(audited(&[broken("a", "links to liba.so.1, which nothing offers")]));
    assert_eq!(rebuilds(&story), ["app-misc/a-1"]);
    story.end(audited(&[]));
    story.through(Step::Prune);
    assert_eq!(story.status().warnings, [""; 0]);
}

/// It is offered as it is, whether its new build is any better or not.
#[test]
fn what_is_only_built_with_another_version_of_a_library_is_never_held_back() {
    let mut story = Story::begin(|config| {
        config.rebuild.linked = Linked::Version;
        config.publish.hold_back = false;
    });
    let outdated = |library: &str| {
        let what = format!("links to app-misc/{library}, and was built with app-misc/lib-1");
        Report::Audited { held: Vec::new(), broken: vec![broken("user", &what)], offered: 7 }
    };
    story.through(Step::Rebuild);
    story.end(outdated("lib-2"));
    assert_eq!(rebuilds(&story), ["app-misc/user-1"]);
    story.end(outdated("lib-2"));
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "everything is up to date");
    assert_eq!(story.status().warnings, [""; 0]);
    for (library, is_built) in [("lib-2", false), ("lib-3", true)] {
        story.pass(24 * 3600);
        story.through(Step::Rebuild);
        story.end(outdated(library));
        assert_eq!(story.running(), if is_built { Step::Audit } else { Step::Publish });
        if is_built {
            assert_eq!(rebuilds(&story), ["app-misc/user-1"]);
            story.end(audited(&[]));
        }
        story.through(Step::Prune);
    }
}

#[test]
fn after_a_kill_it_is_built_again_and_counted_only_when_it_ended() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Rebuild);
    story.end(audited(&[broken("a", GONE)]));
    assert_eq!(rebuilds(&story), ["app-misc/a-1"]);
    story.restart("one", false);
    story.through(Step::Preflight);
    assert_eq!(rebuilds(&story), ["app-misc/a-1"]);
    story.ask(pause(PauseMode::Now));
    story.end(Report::Ran(ran(130)));
    story.expect(Mode::Paused, "");
    story.ask(resume());
    story.through(Step::Preflight);
    assert_eq!(rebuilds(&story), ["app-misc/a-1"]);
    story.end(audited(&[broken("a", GONE)]));
    assert_eq!(story.running(), Step::Publish);
}

#[test]
fn where_nothing_may_be_held_back_the_builder_pauses() {
    let mut story = Story::begin(|config| config.publish.hold_back = false);
    story.through(Step::Rebuild);
    let both = [broken("a", GONE), broken("b", "needs app-misc/a-1, which is held back")];
    story.end(audited(&both));
    story.end(audited(&both));
    story.expect(Mode::Paused, "app-misc/a-1: it needs a/gone, which nothing offers");
    let pause = story.status().pause.unwrap();
    assert_eq!(pause.failures.len(), 2);
    assert!(pause.actions.iter().any(|action| action.contains("=app-misc/a-1")), "{:?}", pause.actions);
    story.ask(resume());
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Audit);
    story.end(audited(&[]));
    assert_eq!(story.running(), Step::Publish);
}

/// The real resolver has the last word.
#[test]
fn what_clients_could_not_install_is_not_offered() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Rebuild);
    let evidence = evidence(include_bytes!("../captured/slot-conflict.txt"));
    story.end(Report::Ran(Box::new(Ran { evidence, ..*ran(1) })));
    story.expect(Mode::Paused, "clients could not install what is there, so it is not offered: ");
    let pause = story.status().pause.unwrap();
    assert_eq!(pause.failures[0].class, Class::SlotConflict);
    assert_eq!(pause.failures[0].suggestions, ["sh /run/gbsup/trial/again", "gbsup audit"]);
}
