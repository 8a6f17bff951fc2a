//! What is told about a major update.

use gbsup::model::rebuilds::{Change, Proof, Stale};
use gbsup::model::{Action, Event, JobId, Step};

use crate::story::{Story, cpv};

fn perl(old: &str, new: &str) -> Change {
    Change::SubSlot { package: "dev-lang/perl".into(), slot: "0".into(), old: old.into(), new: new.into() }
}

fn stale(name: &str, directory: &str) -> Stale {
    let proof = Proof::Modules { directory: directory.into(), perl: "5.42".into() };
    Stale { package: cpv(name), atom: format!("app-misc/{name}:0"), built: Some(1), proof }
}

/// What the running job found.
fn find(story: &mut Story, changes: Vec<Change>, packages: Vec<Stale>) -> Vec<String> {
    let job = story.job.clone().expect("a job runs").0;
    let mut actions = story.take(Event::Changed { job, changes });
    actions.extend(story.take(Event::Stale { job, packages }));
    let said = |action| match action {
        Action::Say(text) => Some(text),
        _ => None,
    };
    actions.into_iter().filter_map(said).collect()
}

#[test]
fn what_changed_is_said_once_and_outlives_the_process() {
    let mut story = Story::begin(|_| {});
    story.through(Step::SelfUpdate);
    assert_eq!(find(&mut story, Vec::new(), Vec::new()), [""; 0]);
    story.through(Step::Build);
    let said = find(&mut story, vec![perl("5.40", "5.42")], vec![stale("a", "/old"), stale("b", "/old")]);
    assert_eq!(
        said,
        [
            "dev-lang/perl went from 5.40 to 5.42",
            "merged again: app-misc/a-1 has modules in /old, where Perl 5.42 does not look for them",
            "merged again: app-misc/b-1 has modules in /old, where Perl 5.42 does not look for them",
        ]
    );
    let shown = [
        "dev-lang/perl went from 5.40 to 5.42",
        "merged again, because of what they were built against: app-misc/a-1, app-misc/b-1",
    ];
    assert_eq!(story.status().changes, shown);

    // Killed before either was merged, the step comes to both again.
    story.restart("one", true);
    assert_eq!(story.status().changes, shown);
    story.through(Step::Preflight);
    assert_eq!(story.running(), Step::Rebuild);
    let said = find(&mut story, vec![perl("5.40", "5.42")], vec![stale("a", "/old"), stale("b", "/old")]);
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(story.status().changes, shown);
    story.through(Step::Prune);
    assert_eq!(story.status().changes, shown, "until the next cycle");
    story.pass(86_400);
    assert_eq!(story.status().changes, [""; 0]);
}

#[test]
fn what_an_earlier_job_found_means_nothing() {
    let mut story = Story::begin(|_| {});
    let before = story.state.clone();
    let job = JobId(77);
    assert_eq!(story.take(Event::Changed { job, changes: vec![perl("5.40", "5.42")] }), []);
    assert_eq!(story.take(Event::Stale { job, packages: vec![stale("a", "/old")] }), []);
    assert_eq!(story.state, before);
}
