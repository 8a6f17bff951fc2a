//! What fails holds nothing else up: what is left out beside it, what is tried in the end, and what is named.

use std::collections::BTreeMap;

use gbsup::model::failure::Class;
use gbsup::model::request::Request;
use gbsup::model::skip::ToSkip;
use gbsup::model::status::Mode;
use gbsup::model::{Exit, Ran, Report, Step, Work};
use gbsup::portage::output::plan::Plan;
use gbsup::portage::output::scanner::{How, Progress};

use crate::known::{excluded, fails, took, with_failure};
use crate::story::{Story, completed, cpv, emerging, evidence, planned, ran, untried};

#[test]
fn nothing_is_built_in_the_place_of_what_fails() {
    let mut story = with_failure(Class::Compile);
    story.end(planned(&["a", "b"]));
    // Without `b` the resolver takes an older `a`, which nobody asked for.
    let mut older = planned(&["a"]);
    if let Report::Planned { plan, .. } = &mut older {
        plan.packages[0].cpv = "app-misc/a-0.9".to_owned().try_into().unwrap();
    }
    story.end(older);
    assert_eq!(excluded(&story), ["app-misc/a:0", "app-misc/b:0"]);
    story.end(planned(&[]));
    story.through(Step::Prune);
    assert!(story.status().warnings.iter().any(|warning| warning.ends_with("fails: app-misc/a-1")));
}

#[test]
fn what_needs_it_is_left_out_as_well_and_in_the_end_it_is_tried() {
    let text = b"\n!!! All ebuilds that could satisfy \"app-misc/b\" have been masked.\n\
        !!! One of the following masked packages is required to complete your request:\n\
        - app-misc/b-1::pocket (masked by: exclude option)\n\n\
        (dependency required by \"app-misc/a-1::pocket\" [ebuild])\n\
        (dependency required by \"app-misc/a\" [argument])\n";
    let unresolved = || Report::Planned {
        ran: Box::new(Ran { evidence: evidence(text), exit: Exit::Code(1), ..*ran(1) }),
        plan: Plan::default(),
        offered: BTreeMap::new(),
    };
    let mut story = with_failure(Class::Compile);
    story.end(planned(&["a", "b", "c"]));
    story.end(unresolved());
    assert_eq!(excluded(&story), ["app-misc/a", "app-misc/b:0"]);
    // That was no help, and `b` is not tried again for it: the others are asked for by name.
    story.looks_at_rest = true;
    story.end(unresolved());
    let Some((_, Work::Rest { targets, exclude, .. })) = &story.job else { panic!("{:?}", story.job) };
    let names: Vec<&str> = targets.iter().map(|target| target.package.as_str()).collect();
    assert_eq!(
        (names, exclude.as_slice()),
        (vec!["app-misc/a-1", "app-misc/c-1"], &["app-misc/b:0".to_owned()][..])
    );
    let refused = targets[..1].to_vec();
    story.print(emerging("c"));
    story.print(completed("c"));
    story.end(untried(&refused));
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "app-misc/b-1 still failing");
    let warnings = story.status().warnings;
    assert!(warnings.iter().any(|warning| warning.ends_with("fails: app-misc/a-1")), "{warnings:?}");
    // As far as that goes, the resolver's trouble is a reason to pause.
    let mut story = with_failure(Class::Compile);
    story.end(unresolved());
    story.expect(Mode::Paused, "app-misc/b: left out");
}

/// What Portage passes over for a person's sake is asked for without that, and then by name.
#[test]
fn what_a_person_leaves_out_holds_nothing_else_up() {
    let passed_over = || {
        let text = b"\n!!! Ebuilds for the following packages are either all\n!!! masked or don't exist:\napp-misc/c\n";
        Report::Planned {
            ran: Box::new(Ran { evidence: evidence(text), ..*ran(0) }),
            plan: Plan::default(),
            offered: BTreeMap::new(),
        }
    };
    let mut story = Story::begin(|_| {});
    story.looks_at_rest = true;
    story.ask(Request::Skip { packages: vec![ToSkip { package: "app-misc/b".into(), version: cpv("b") }] });
    story.through(Step::SelfUpdate);
    assert_eq!(excluded(&story), ["app-misc/b"]);
    story.end(passed_over());
    assert!(excluded(&story).is_empty());
    story.end(planned(&["b", "c"]));
    assert_eq!(excluded(&story), ["app-misc/b"]);
    story.end(passed_over());
    let Some((_, Work::Rest { targets, exclude, .. })) = &story.job else { panic!("{:?}", story.job) };
    assert_eq!((targets[0].package.as_str(), exclude[0].as_str()), ("app-misc/c-1", "app-misc/b"));
    let targets = targets.clone();
    story.end(untried(&targets));
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "everything else is up to date");
    let warnings = story.status().warnings;
    let [waits] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert_eq!(waits, "not built, because of what is left out: app-misc/c-1");
}

/// What a build left untried is built before a person is called, and nothing of it is counted or tried twice.
#[test]
fn what_fails_holds_nothing_else_up() {
    let mut story = Story::begin(|_| {});
    story.looks_at_rest = true;
    story.through(Step::SelfUpdate);
    story.end(planned(&["a", "b", "c", "d", "e"]));
    story.print(emerging("a"));
    story.print(completed("a"));
    story.print(emerging("b"));
    story.print(Progress::Failed { package: cpv("b"), how: How::Build, log: None });
    story.end(fails("b", Class::Compile));
    let Some((_, Work::Rest { targets, failed, .. })) = &story.job else { panic!("{:?}", story.job) };
    let names: Vec<&str> = targets.iter().map(|target| target.package.as_str()).collect();
    assert_eq!(
        (names, failed.as_slice()),
        (vec!["app-misc/c-1", "app-misc/d-1", "app-misc/e-1"], &["app-misc/b:0".to_owned()][..])
    );
    assert_eq!(story.status().progress.failed, 1);
    let e = targets[2..].to_vec();
    // As long as it goes on it is known how long it takes.
    story.take(took(&[("a", 20), ("c", 30)]));
    assert_eq!(story.status().progress.eta.map(|eta| (eta.likely, eta.unknown)), Some((80, 2)));
    for name in ["c", "d"] {
        story.print(emerging(name));
        story.print(completed(name));
    }
    story.end(untried(&e));
    // What is merged may have others be rebuilt, without what failed.
    let Some((_, Work::Rebuild { exclude, .. })) = &story.job else { panic!("{:?}", story.job) };
    assert_eq!(exclude, &["app-misc/b:0"]);
    story.end(fails("d", Class::Compile));
    // What is good is published first, and nothing is built anew for the lack of what failed.
    let Some((_, Work::Audit { failing, .. })) = &story.job else { panic!("{:?}", story.job) };
    assert!(failing.contains(&"app-misc/b:0".to_owned()), "{failing:?}");
    story.through(Step::Publish);
    story.expect(Mode::Paused, "paused: app-misc/b-1: no luck (and 1 more failure); 3 of 5 built.");
    let failures = story.status().pause.unwrap().failures;
    let told: Vec<_> =
        failures.iter().map(|failure| (failure.package.as_deref().unwrap(), failure.class)).collect();
    assert_eq!(
        told,
        [
            ("app-misc/b-1", Class::Compile),
            ("app-misc/d-1", Class::Compile),
            ("app-misc/e-1", Class::NotTried)
        ]
    );
    assert_eq!(failures[2].message, "it was not tried: it needs app-misc/b, which failed");
    assert_eq!(story.status().progress.failed, 2);
}
