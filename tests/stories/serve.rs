//! When the server is started, and started again.

use gbsup::config::{Config, Http};
use gbsup::model::failure::{Class, Failure};
use gbsup::model::state::State;
use gbsup::model::{Action, Event};

use crate::story::Story;

fn started(actions: &[Action]) -> Option<&Http> {
    actions.iter().find_map(|action| match action {
        Action::Serve(http) => Some(http),
        _ => None,
    })
}

fn stopped(actions: &[Action]) -> bool {
    actions.contains(&Action::StopServing)
}

fn ended(story: &mut Story) -> Vec<Action> {
    story.take(Event::ServerEnded("cannot listen on 0.0.0.0:8080".into()))
}

fn warned(story: &Story) -> Option<String> {
    story.status().warnings.into_iter().find(|warning| warning.starts_with("clients are not served"))
}

/// A builder whose server has just been started.
fn served() -> Story {
    let story = Story::begin(|_| {});
    assert!(story.served.is_some());
    story
}

#[test]
fn it_comes_back_later_each_time_and_people_are_told_until_it_lasts() {
    let mut story = served();
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(started(&ended(&mut story)), None);
        let text = warned(&story).unwrap();
        assert!(text.contains("cannot listen on 0.0.0.0:8080; it is tried again after "), "{text}");
        story.seconds += wait - 1;
        assert_eq!(started(&story.take(Event::Timer)), None);
        story.seconds += 1;
        assert!(started(&story.take(Event::Timer)).is_some(), "after {wait} s");
        assert!(warned(&story).is_some());
    }
    story.pass(4);
    assert!(warned(&story).is_some());
    story.pass(1);
    assert_eq!(warned(&story), None);
    // After a long time it is no longer held against it.
    story.pass(600);
    ended(&mut story);
    story.seconds += 1;
    assert!(started(&story.take(Event::Timer)).is_some());
}

#[test]
fn another_address_is_taken_over_at_once() {
    let mut story = served();
    let mut config = story.state.live.config.clone();
    config.http.url = "http://elsewhere/binpkgs".into();
    let actions = story.take(Event::Reloaded(Ok(Box::new(config.clone()))));
    assert!(!stopped(&actions), "nobody is cut off because clients know it by another name");
    config.http.listen = Some("127.0.0.1:1".parse().unwrap());
    let actions = story.take(Event::Reloaded(Ok(Box::new(config.clone()))));
    assert!(stopped(&actions) && started(&actions).is_none());
    assert!(!stopped(&story.take(Event::Timer)), "it was told once");
    let actions = ended(&mut story);
    assert_eq!(started(&actions).map(|http| http.listen), Some(config.http.listen));
    assert_eq!(warned(&story), None);
    config.http.listen = None;
    assert!(stopped(&story.take(Event::Reloaded(Ok(Box::new(config))))));
    assert_eq!(started(&ended(&mut story)), None);
    story.pass(100);
    assert_eq!(story.served.as_ref().map(|http| http.listen), Some(Some("127.0.0.1:1".parse().unwrap())));
}

#[test]
fn what_is_off_or_leaves_starts_none() {
    let story = Story::begin(|config| config.http.listen = None);
    assert_eq!(story.served, None);
    let mut story = served();
    story.take(Event::Terminate);
    assert_eq!(started(&ended(&mut story)), None);
    story.seconds += 100;
    assert_eq!(started(&story.take(Event::Timer)), None);
}

#[test]
fn whose_volume_is_refused_is_served_without_it_until_it_is_taken() {
    let mut story = served();
    story.state = State::new(Config::default(), story.now());
    let refusal = |class| Event::Refused(Box::new(Failure::new(class, "the volume is read-only")));
    assert!(started(&story.take(refusal(Class::Volume))).is_some());
    // Looked at again, and refused again: whoever reads the page goes on to do so.
    story.ask(gbsup::model::request::Request::Resume { skip: Vec::new() });
    assert!(!stopped(&story.take(refusal(Class::Volume))));
    let durable = served().state.durable;
    let claimed = gbsup::model::Claimed {
        durable: Some(durable),
        plan: None,
        last_cycle: 0,
        root: "r".into(),
        boot: true,
    };
    story.ask(gbsup::model::request::Request::Resume { skip: Vec::new() });
    assert!(stopped(&story.take(Event::Claimed(Box::new(claimed)))));
    assert!(started(&ended(&mut story)).is_some());

    // A container that is the wrong one has nothing started in it.
    story.state = State::new(Config::default(), story.now());
    assert_eq!(started(&story.take(refusal(Class::Engine))), None);
}
