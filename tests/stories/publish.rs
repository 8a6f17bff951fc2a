//! Clients are offered releases.

use std::time::Duration;

use gbsup::config::{Config, Publisher};
use gbsup::decide::view;
use gbsup::model::failure::{Class, Failure};
use gbsup::model::records::Record;
use gbsup::model::release::{Current, Demanding, Published};
use gbsup::model::request::{Reply, Request};
use gbsup::model::status::Mode;
use gbsup::model::{Action, Event, Report, Step, Work};
use gbsup::portage::files::gpkg::image::Demand;
use gbsup::portage::names::cpv::Cpv;
use jiff::Timestamp;

use crate::story::{Story, completed, emerging, resume};

fn release(number: u32, again: Option<u32>) -> Current {
    let id = |number: u32| format!("2026-11-22.{number}").parse().unwrap();
    Current { id: id(number), packages: 213, published: Timestamp::UNIX_EPOCH, again: again.map(id) }
}

fn published(number: u32, new: bool) -> Report {
    let changes = "2 upgraded".to_owned();
    Report::Published(Box::new(Published {
        current: release(number, None),
        new,
        changes,
        held: 1,
        kernel: None,
        opaque: None,
        running: None,
        trees: Vec::new(),
    }))
}

fn said(actions: &[Action]) -> Vec<&str> {
    let said = actions.iter().filter_map(|action| match action {
        Action::Say(text) => Some(text.as_str()),
        _ => None,
    });
    said.collect()
}

fn released(story: &Story) -> usize {
    story.records.iter().filter(|record| matches!(record, Record::Released { .. })).count()
}

#[test]
fn a_cycle_publishes_before_it_prunes() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Audit);
    story.expect(Mode::Running, "publishing what is good");
    story.end(published(1, true));
    assert_eq!(story.running(), Step::Prune);
    story.through(Step::Prune);
    story.expect(
        Mode::Waiting,
        "everything is up to date (release 2026-11-22.1, 213 packages); next sync in 1 d",
    );
    assert_eq!(story.status().release.unwrap().id, "2026-11-22.1");
    // A restart still knows, and one that offers just the same is no other one.
    story.restart("one", false);
    story.take(Event::Offered(Some(release(1, None))));
    story.ask(Request::Sync);
    story.through(Step::Audit);
    let (job, _) = story.job.take().unwrap();
    let actions = story.take(Event::Ended { job, report: published(1, false) });
    let words = "nothing to publish: release 2026-11-22.1 already offers exactly that; 1 held back";
    assert_eq!(said(&actions), [words]);
    assert_eq!(released(&story), 1);
}

#[test]
fn what_cannot_be_published_pauses_and_the_old_release_stays() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Audit);
    story.end(published(1, true));
    story.through(Step::Prune);
    story.ask(Request::Sync);
    story.through(Step::Audit);
    let failure = Failure::new(Class::BinpkgCorrupt, "nothing was published: a file changed");
    story.end(Report::Failed(Box::new(failure)));
    story.expect(Mode::Paused, "nothing was published: a file changed. Repair it, then: gbsup resume");
    assert_eq!(story.status().release.unwrap().id, "2026-11-22.1");
    let Reply::Denied { message } = story.ask(Request::Publish) else { panic!("it is paused") };
    assert!(message.ends_with("gbsup publish --once"), "{message}");
    story.ask(resume());
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Audit, "nothing else is done again");
    story.through(Step::Audit);
    // Without space, some is made first.
    let full = Failure { may_pass: true, ..Failure::new(Class::DiskFull, "nothing was published: no space") };
    story.end(Report::Failed(Box::new(full)));
    assert!(matches!(story.job, Some((_, Work::Prune { at: Step::Publish }))), "{:?}", story.job);
}

#[test]
fn publishing_can_be_asked_for() {
    let mut story = Story::begin(|_| {});
    assert!(matches!(story.ask(Request::Publish), Reply::Already { .. }), "the cycle will");
    story.through(Step::Audit);
    assert!(matches!(story.ask(Request::Publish), Reply::Already { .. }), "it does just now");
    story.through(Step::Publish);
    assert!(matches!(story.ask(Request::Publish), Reply::Accepted { .. }));
    assert!(matches!(story.ask(Request::Publish), Reply::Already { .. }));
    assert_eq!(story.status().pending, ["publish"]);
    // What was remembered is done after a restart, too, in a cycle of its own.
    story.restart("one", true);
    story.through(Step::Prune);
    assert_eq!(story.status().cycle.unwrap().id, 2);
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Audit, "nothing is built");
    story.through(Step::Audit);
    assert_eq!(story.status().pending, [""; 0]);
    story.end(published(1, true));
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "everything is up to date (release 2026-11-22.1, 213 packages)");
    // While it waits it is done at once.
    assert!(matches!(story.ask(Request::Publish), Reply::Accepted { .. }));
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Audit);
}

#[test]
fn an_older_release_is_told_until_there_is_another_one() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Audit);
    story.end(published(2, true));
    story.through(Step::Prune);
    story.take(Event::Offered(Some(release(3, Some(1)))));
    story.expect(Mode::Waiting, "(release 2026-11-22.3, 213 packages)");
    assert_eq!(story.status().release.unwrap().again.as_deref(), Some("2026-11-22.1"));
    let warnings = story.status().warnings;
    assert!(warnings[0].starts_with("clients are offered what release 2026-11-22.1 offered"), "{warnings:?}");
    assert_eq!(released(&story), 2);
    story.pass(Duration::from_hours(24).as_secs());
    story.through(Step::Audit);
    story.end(published(4, true));
    assert_eq!(story.status().warnings, [""; 0]);
}

#[test]
fn a_package_for_a_newer_kernel_than_there_is_is_told() {
    let demanding = |kernel: &str| Demanding {
        package: Cpv::parse(b"dev-qt/qtbase-6.8").unwrap(),
        demand: Demand { kernel: kernel.parse().unwrap(), file: "/usr/lib64/libQt6Core.so.6".into() },
    };
    let report = |kernel: Option<&str>, running: &str| {
        let Report::Published(mut published) = published(1, true) else { unreachable!("it is one") };
        published.kernel = kernel.map(demanding);
        published.running = running.parse().ok();
        Report::Published(published)
    };
    let mut story = Story::begin(|config| config.publish.client_kernel = "4.4".parse().ok());
    let mut warnings = |kernel, running| {
        story.through(Step::Audit);
        story.end(report(kernel, running));
        let warnings = story.status().warnings;
        story.through(Step::Prune);
        story.ask(Request::Sync);
        warnings
    };
    let old = "/usr/lib64/libQt6Core.so.6 of dev-qt/qtbase-6.8 demands Linux 4.11.0, and publish.client_kernel is \
               4.4.0: with a glibc before 2.36 it is not found there";
    assert_eq!(warnings(Some("4.11"), "6.18"), [old]);
    assert_eq!(warnings(Some("4.4"), "6.18"), [""; 0]);
    assert_eq!(
        warnings(Some("3.2"), "2.6.32"),
        [old.replace("4.11.0", "3.2.0")
            .replace("publish.client_kernel is 4.4.0", "this machine's is 2.6.32")]
    );
    assert_eq!(warnings(None, "6.18"), [""; 0]);
}

#[test]
fn an_offer_that_waits_for_its_publisher_is_in_the_headline_until_it_is_published() {
    let mut story = Story::begin(|config| config.publish.by = Publisher::Separate);
    story.through(Step::Rebuild);
    let text = Some("the offer of today waits for its publisher".to_owned());
    story.take(Event::Warning { key: view::UNPUBLISHED, text });
    story.end(Report::Nothing);
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "; a newer offer waits for its publisher");
    assert_eq!(story.status().warnings, ["the offer of today waits for its publisher"]);
    story.take(Event::Offered(Some(release(1, None))));
    assert!(!story.status().headline.contains("publisher"), "{}", story.status().headline);
    assert_eq!(story.status().warnings, [""; 0]);
}

/// A build in which one of two packages failed.
fn half_built(change: impl FnOnce(&mut Config)) -> Story {
    let mut story = Story::begin(change);
    story.through(Step::Plan);
    story.print(emerging("a"));
    story.print(completed("a"));
    let failure = Failure { package: Some("app-misc/b-1".into()), ..Failure::new(Class::Compile, "no luck") };
    story.end(Report::Failed(Box::new(failure)));
    story
}

#[test]
fn what_is_good_is_published_before_a_person_is_waited_for() {
    let mut story = half_built(|_| {});
    story.through(Step::Audit);
    story.expect(Mode::Running, "app-misc/b-1 failed; publishing what is good");
    // Cut short, it is done from the audit on, and what failed is still known.
    story.restart("one", false);
    story.through(Step::Audit);
    story.end(published(1, true));
    story.expect(Mode::Paused, "app-misc/b-1: no luck");
    assert_eq!(story.status().step, "build");
    assert_eq!(released(&story), 1);
    // With it repaired the cycle goes on with the build, and ends as ever.
    story.ask(resume());
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "everything is up to date");
}

#[test]
fn what_cannot_be_published_then_is_told_with_what_failed() {
    let mut story = half_built(|_| {});
    story.through(Step::Audit);
    story.end(Report::Failed(Box::new(Failure::new(Class::Volume, "nothing was published: full"))));
    let failures = story.status().pause.unwrap().failures;
    let messages: Vec<_> = failures.iter().map(|failure| failure.message.as_str()).collect();
    assert_eq!(messages, ["no luck", "nothing was published: full"]);
    assert_eq!(story.status().step, "build");
}

#[test]
fn nothing_is_published_first_when_that_is_not_wanted() {
    let story = half_built(|config| config.publish.hold_back = false);
    story.expect(Mode::Paused, "app-misc/b-1: no luck");
}
