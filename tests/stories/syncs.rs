//! Syncs of several repositories, and trees that are not there.

use std::time::Duration;

use gbsup::config::OnFailure;
use gbsup::model::failure::Class;
use gbsup::model::request::Request;
use gbsup::model::state::Durable;
use gbsup::model::status::Mode;
use gbsup::model::{Report, Step, Work};
use gbsup::portage::files::repository::Repository;
use gbsup::portage::output::sync::{Lack, Synced};

use crate::story::{Story, ran, repositories, resume, synced};

const MINUTES: [u64; 2] = [1, 5];

fn begin() -> Story {
    Story::begin(|config| config.sync.retries = MINUTES.map(Duration::from_mins).to_vec())
}

/// Which repositories the running sync is about.
#[track_caller]
fn only(story: &Story) -> Vec<String> {
    match &story.job {
        Some((_, Work::Sync { only })) => only.clone(),
        other => panic!("{other:?}"),
    }
}

fn missing(names: &[&str]) -> Report {
    let missing = names.iter().map(|name| (*name).to_owned()).collect();
    Report::Ready { repairs: Vec::new(), missing, unmerged: Vec::new() }
}

#[test]
fn a_dead_repository_makes_no_other_old() {
    let mut story = begin();
    story.through(Step::Preflight);
    assert_eq!(only(&story), [""; 0], "all of them");
    story.end(repositories(&[("gone", Some("no route")), ("pocket", None)]));
    story.expect(
        Mode::Running,
        "the repository gone could not be synced: no route; trying again in 1 min (attempt 2 of 3)",
    );
    let succeeded = story.status().sync.last.expect("the tree is new");
    for minutes in MINUTES {
        story.pass(60 * minutes);
        assert_eq!(only(&story), ["gone"], "what is well is left alone");
        story.restart("one", false);
        story.end(Report::Nothing);
        assert_eq!(only(&story), ["gone"], "a restart forgets nothing");
        story.end(repositories(&[("gone", Some("no route"))]));
    }
    assert_eq!(story.running(), Step::SelfUpdate);
    story.through(Step::Prune);
    story
        .expect(Mode::Waiting, "everything is up to date, but the repository gone could not be synced; next");
    let status = story.status();
    assert_eq!(status.sync.stale_since, None);
    assert_eq!(status.sync.last, Some(succeeded));
    assert_eq!(status.sync.revision.as_deref(), Some("pocket-abc"));
    let told = "the repository gone was never synced: no route; try: emaint sync -r gone";
    assert_eq!(status.warnings.iter().filter(|warning| *warning == told).count(), 1, "{:?}", status.warnings);
    assert!(status.warnings.iter().all(|warning| !warning.contains("the tree is as old")));
    let gone = &status.sync.repositories[0];
    assert_eq!((gone.name.as_str(), gone.last, gone.error.as_deref()), ("gone", None, Some("no route")));

    // The next cycle asks all of them again, and it is back.
    story.pass(86_400);
    story.end(Report::Nothing);
    assert_eq!(only(&story), [""; 0]);
    story.end(repositories(&[("gone", None), ("pocket", None)]));
    story.through(Step::Prune);
    assert_eq!(story.status().warnings.iter().filter(|warning| warning.contains("gone")).count(), 0);

    // Later it is older than the others.
    let at = story.status().sync.repositories[0].last.unwrap().strftime("%Y-%m-%d %H:%M UTC").to_string();
    story.state.live.config.sync.retries.clear();
    story.pass(86_400);
    story.end(Report::Nothing);
    story.end(repositories(&[("gone", Some("no route")), ("pocket", None)]));
    let told = format!("the repository gone is as old as {at}: no route; try: emaint sync -r gone");
    assert!(story.status().warnings.contains(&told), "{:?}", story.status().warnings);

    // What is no longer configured is no longer told of.
    story.through(Step::Prune);
    story.pass(86_400);
    story.end(Report::Nothing);
    let Report::Synced { ran, synced: mut found } = repositories(&[("pocket", None)]) else { panic!() };
    found.configured = vec!["pocket".to_owned()];
    story.end(Report::Synced { ran, synced: found });
    assert_eq!(story.status().sync.repositories.len(), 1);
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "everything is up to date; next");
}

#[test]
fn a_dead_main_repository_is_an_old_tree() {
    let mut story = begin();
    story.through(Step::Prune);
    let last = story.status().sync.last;
    story.pass(86_400);
    story.end(Report::Nothing);
    let round = [("gone", Some("no such host")), ("local", None), ("pocket", Some("no route"))];
    story.end(repositories(&round));
    story.expect(
        Mode::Running,
        "the repositories gone, pocket could not be synced: gone: no such host; trying",
    );
    story.pass(60);
    assert_eq!(only(&story), ["gone", "pocket"]);
    story.end(repositories(&[("gone", None), ("pocket", Some("no route"))]));
    story.pass(300);
    assert_eq!(only(&story), ["pocket"]);
    story.end(repositories(&[("pocket", Some("no route"))]));
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "with the tree of an earlier sync; next");
    let status = story.status();
    assert_eq!((status.sync.last, status.sync.stale_since), (last, last));
    assert_eq!(status.warnings.iter().filter(|warning| warning.contains("the tree is as old as")).count(), 1);
    assert!(
        status.warnings.iter().all(|warning| !warning.contains("the repository")),
        "{:?}",
        status.warnings
    );
}

#[test]
fn all_dead_are_told_in_one_sentence() {
    let mut story = begin();
    story.state.live.config.sync.retries.clear();
    story.through(Step::Preflight);
    story.end(repositories(&[("gone", Some("no route")), ("pocket", Some("no route"))]));
    assert_eq!(story.running(), Step::SelfUpdate);
    let warnings = story.status().warnings;
    let told: Vec<&String> = warnings.iter().filter(|warning| warning.contains("no route")).collect();
    assert_eq!(told.len(), 1, "{warnings:?}");
    assert!(told[0].contains("the sync failed: gone: no route (and so did pocket)"), "{told:?}");
}

#[test]
fn a_person_who_wants_it_is_waited_for_and_what_failed_alone_is_tried_again() {
    let mut story = Story::begin(|config| {
        config.sync.retries = Vec::new();
        config.sync.on_failure = OnFailure::Pause;
    });
    story.through(Step::Preflight);
    story.end(repositories(&[("gone", Some("no route")), ("pocket", None)]));
    story.expect(Mode::Paused, "the repository gone could not be synced: no route");
    let pause = story.status().pause.unwrap();
    assert_eq!(pause.failures[0].suggestions, ["emaint sync -r gone"]);
    story.ask(resume());
    story.through(Step::Preflight);
    assert_eq!(only(&story), ["gone"]);
    story.end(repositories(&[("gone", None)]));
    assert_eq!(story.running(), Step::SelfUpdate);
}

#[test]
fn hooks_and_indexes_are_told_of_and_nothing_is_synced_for_them() {
    let note = "the hook /etc/portage/postsync.d/90-bad failed after the sync";
    let mut story = begin();
    story.through(Step::Preflight);
    let Report::Synced { synced: mut found, .. } = repositories(&[("gone", Some("no")), ("pocket", None)])
    else {
        panic!()
    };
    found.notes = vec![note.to_owned()];
    story.end(Report::Synced { ran: ran(1), synced: found });
    story.pass(60);
    story.end(repositories(&[("gone", None)]));
    assert_eq!(story.running(), Step::SelfUpdate);
    assert!(story.status().warnings.contains(&note.to_owned()), "of the first attempt");
    story.restart("one", true);
    assert!(story.status().warnings.contains(&note.to_owned()));
    story.ask(Request::Sync);
    story.through(Step::Prune);
    story.through(Step::Sync);
    assert!(!story.status().warnings.contains(&note.to_owned()), "it went well this time");
}

#[test]
fn a_tree_that_is_missing_is_a_reason_to_sync() {
    let mut story = begin();
    story.through(Step::Prune);
    // It was synced a moment ago.
    story.restart("one", true);
    story.end(missing(&["pocket"]));
    assert_eq!(story.running(), Step::Sync);
    story.through(Step::Plan);
    // Whatever a person wants to go on with needs it.
    story.end(Report::Ran(ran(1)));
    story.expect(Mode::Paused, "emerge ended with code 1 in build");
    story.ask(resume());
    story.end(missing(&["pocket"]));
    assert_eq!(story.running(), Step::Sync);
    story.through(Step::Sync);
    assert_eq!(story.running(), Step::SelfUpdate);
}

#[test]
fn a_repository_that_cannot_be_had_is_not_asked_for_at_every_start() {
    let mut story = begin();
    story.state.live.config.sync.retries.clear();
    story.through(Step::Preflight);
    story.end(repositories(&[("gone", Some("no")), ("pocket", None)]));
    story.through(Step::Prune);
    story.restart("one", true);
    story.end(missing(&["gone"]));
    assert_eq!(story.running(), Step::SelfUpdate);
    story.through(Step::Prune);
    // One that was configured since is.
    story.restart("one", true);
    story.end(missing(&["gone", "local"]));
    assert_eq!(story.running(), Step::Sync);
}

fn lack(lasting: bool) -> Report {
    let Report::Synced { ran, mut synced } = repositories(&[("pocket", Some("no route"))]) else { panic!() };
    synced.lack = Some(Lack {
        repository: Repository {
            name: "pocket".into(),
            location: "/var/db/repos/pocket".into(),
            sync_type: "git".into(),
            sync_uri: "https://example.org/pocket.git".into(),
            auto_sync: true,
        },
        why: Some("no route".into()),
        lasting,
    });
    Report::Synced { ran, synced }
}

#[test]
fn without_the_main_repository_a_person_is_needed() {
    let mut story = begin();
    story.through(Step::Preflight);
    story.end(lack(false));
    story.expect(Mode::Running, "the sync failed: pocket: no route; trying again in 1 min");
    for minutes in MINUTES {
        story.pass(60 * minutes);
        story.end(lack(false));
    }
    let told = "the main repository pocket is not there: /var/db/repos/pocket has no profiles/repo_name; it is synced from https://example.org/pocket.git: no route";
    story.expect(Mode::Paused, told);
    let failure = &story.status().pause.unwrap().failures[0];
    assert_eq!(failure.class, Class::Sync);
    assert_eq!(failure.suggestions, ["emaint sync -r pocket", "ls -la /var/db/repos/pocket"]);
    for ask in [resume(), Request::Sync] {
        story.ask(ask);
        story.end(missing(&["pocket"]));
        assert_eq!(story.running(), Step::Sync);
        // What said that it worked and brought nothing does so again.
        story.end(lack(true));
        story.expect(Mode::Paused, told);
    }
    story.ask(resume());
    story.end(missing(&["pocket"]));
    story.end(synced());
    assert_eq!(story.running(), Step::SelfUpdate);
    assert_eq!(story.status().sync.stale_since, None);
}

#[test]
fn the_state_of_an_older_version_is_read() {
    let mut story = begin();
    story.through(Step::Prune);
    let mut old = serde_json::to_value(&story.state.durable).unwrap();
    let sync = old["sync"].as_object_mut().unwrap();
    for key in ["repositories", "main", "again", "notes"] {
        sync.remove(key).unwrap();
    }
    let durable: Durable = serde_json::from_value(old).unwrap();
    assert_eq!(durable.sync.succeeded, story.state.durable.sync.succeeded);
    // A sync of which nothing is known of single repositories counts as a whole.
    story.state.durable = durable;
    story.restart("one", true);
    story.ask(Request::Sync);
    story.through(Step::Preflight);
    let failed = Synced { failed: Some("/opt/pull ended with status 1".into()), ..Synced::default() };
    story.end(Report::Synced { ran: ran(1), synced: Box::new(failed) });
    story.expect(Mode::Running, "the sync failed: /opt/pull ended with status 1; trying again");
    story.pass(60);
    story.end(Report::Synced { ran: ran(0), synced: Box::default() });
    assert_eq!(story.running(), Step::SelfUpdate);
}
