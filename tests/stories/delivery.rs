//! Messages that do not arrive.

use gbsup::config::News;
use gbsup::model::notice::{Note, Way};
use gbsup::model::state::State;
use gbsup::model::status::Mode;
use gbsup::model::{Action, Claimed, Event, Report, Step};

use crate::notices::configured;
use crate::story::{Story, completed, emerging, ran};

/// The messages that this leads to, none of which arrives.
fn lost(story: &mut Story, event: Event) -> Vec<Note> {
    let actions = story.take(event);
    let notes = actions.into_iter().filter_map(|action| match action {
        Action::Notify { note, .. } => Some(*note),
        _ => None,
    });
    notes.collect()
}

fn refused() -> Event {
    Event::Delivered { way: Way::Webhook, problem: Some("nobody listens".into()) }
}

#[test]
fn what_does_not_arrive_is_tried_again_a_few_times() {
    let mut story = Story::begin(configured);
    story.through(Step::Plan);
    let (job, _) = story.job.take().unwrap();
    let first = lost(&mut story, Event::Ended { job, report: Report::Ran(ran(1)) });
    let [first] = first.as_slice() else { panic!("{first:?}") };
    assert_eq!(lost(&mut story, Event::Timer), [], "one at a time");
    for minutes in [1, 5, 15] {
        story.take(refused());
        assert!(story.status().warnings.iter().any(|warning| warning.contains("nobody listens")));
        story.seconds += minutes * 60;
        assert_eq!(lost(&mut story, Event::Timer), std::slice::from_ref(first));
    }
    story.take(refused());
    story.seconds += 86_400;
    assert_eq!(lost(&mut story, Event::Timer), []);
    story.expect(Mode::Paused, "");
}

#[test]
fn what_was_not_delivered_when_the_container_was_killed_is_delivered_later() {
    let mut story = Story::begin(configured);
    story.through(Step::Plan);
    story.end(Report::Ran(ran(1)));
    let durable = story.state.durable.clone();
    for (arrived, sent) in [(false, 1), (true, 0)] {
        let mut durable = durable.clone();
        if arrived {
            durable.notices.owed.clear();
        }
        story.state = State::new(story.state.live.config.clone(), story.now());
        let claimed =
            Claimed { durable: Some(durable), plan: None, last_cycle: 0, root: "one".into(), boot: true };
        assert_eq!(lost(&mut story, Event::Claimed(Box::new(claimed))).len(), sent);
    }
}

/// A message that has not arrived stays the one to deliver.
#[test]
fn what_can_wait_takes_the_place_of_nothing() {
    let mut story = Story::begin(|config| {
        configured(config);
        config.notify.events.push(News::Finished);
    });
    story.take(Event::Warning { key: "news", text: Some("unread news: Signed packages".into()) });
    story.through(Step::Plan);
    story.print(emerging("a"));
    story.print(completed("a"));
    let kinds = |notes: Vec<Note>| notes.into_iter().map(|note| note.kind).collect::<Vec<_>>();
    while story.running() != Step::Prune {
        story.end(Report::Nothing);
    }
    let (job, _) = story.job.take().unwrap();
    assert_eq!(kinds(lost(&mut story, Event::Ended { job, report: Report::Nothing })), [News::Finished]);
    story.take(refused());
    story.seconds += 3600;
    assert_eq!(kinds(lost(&mut story, Event::Timer)), [News::Finished]);
    let arrived = Event::Delivered { way: Way::Webhook, problem: None };
    assert_eq!(kinds(lost(&mut story, arrived)), [News::Attention]);
}
