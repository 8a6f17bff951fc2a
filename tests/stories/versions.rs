//! A volume that comes to another version of gbsup. `tests/fixtures/volume` has one of each version, and one of a version to
//! come.

use gbsup::model::Step;
use gbsup::model::failure::Class;
use gbsup::model::notice::Way;
use gbsup::model::request::{Reply, Request};
use gbsup::model::state::{Durable, Phase};
use gbsup::model::status::{Mode, Why};
use gbsup::volume::foreign::in_state;
use gbsup::volume::kept::{self, Reading};
use serde_json::{Value, json};

use crate::story::Story;

/// Every version whose volumes there may be, and what its `state.json` was.
const RELEASED: &[(&str, &str)] = &[("0.1.0", include_str!("../fixtures/volume/0.1.0/state/state.json"))];
const NEWER: &str = include_str!("../fixtures/volume/newer/state/state.json");

#[track_caller]
fn read(text: &str) -> Reading<Durable> {
    kept::read(text.as_bytes(), in_state).expect("it is understood")
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Whether all of it is in the other one, which may have more fields.
fn is_in(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, part)| whole.get(name).is_some_and(|whole| is_in(part, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| is_in(part, whole))
        }
        _ => part == whole,
    }
}

#[test]
fn what_a_released_version_wrote_is_understood_to_the_last_field() {
    for (version, text) in RELEASED {
        let Reading { value: durable, foreign, .. } = read(text);
        assert!(foreign.is_empty(), "{version}: {foreign:?}");
        let written = serde_json::to_value(&durable).unwrap();
        assert!(is_in(&value(text), &written), "{version}: {written:#}");
    }
    let own = env!("CARGO_PKG_VERSION");
    assert!(RELEASED.iter().any(|(version, _)| *version == own), "tests/fixtures/volume has no {own}");
}

/// A builder in a new container on this volume, and the file as it leaves it.
fn started(text: &str) -> (Story, kept::Kept) {
    let Reading { value, kept, .. } = read(text);
    let mut story = Story::begin(|_| {});
    story.state = gbsup::model::state::State::new(story.state.live.config.clone(), story.now());
    story.job = None;
    story.claim(Some(value), "another", true);
    (story, kept)
}

/// Who holds it, and in which words.
#[track_caller]
fn pause(story: &Story) -> (Why, Option<&str>) {
    match &story.state.durable.phase {
        Phase::Paused(pause) => (pause.why, pause.reason.as_deref()),
        phase => panic!("it is not held: {phase:?}"),
    }
}

#[test]
fn a_newer_volume_keeps_what_a_person_decided_and_what_is_known() {
    let (mut story, mut kept) = started(NEWER);
    let status = story.status();
    assert_eq!(status.state, Mode::Paused);
    assert_eq!(pause(&story), (Why::Operator, Some("the month's electricity is used up")));
    let skips: Vec<_> = story.state.durable.skips.iter().map(|skip| skip.package.as_str()).collect();
    assert_eq!(skips, ["test-quick/t5"]);
    let known: Vec<_> = status.known.iter().map(|known| (known.package.as_str(), known.class)).collect();
    assert_eq!(known, [("test-fail/broken-1", Class::Unknown)]);

    // As the newer one finds it again.
    let left = kept.restore(&story.state.durable).unwrap();
    let before = value(NEWER);
    for part in ["schema", "temper", "skips", "release"] {
        assert_eq!(left[part], before[part], "{part}");
    }
    assert_eq!(left["known"][0]["class"], "heat");
    assert_eq!(left["known"][0]["temper"], before["known"][0]["temper"]);
    for part in ["why", "reason", "temper"] {
        assert_eq!(left["phase"]["paused"][part], before["phase"]["paused"][part], "{part}");
    }
    // What people were told is known, and what they are owed is sent.
    assert_eq!(left["notices"]["wrong"], before["notices"]["wrong"]);
    assert_eq!(left["notices"]["owed"]["pigeon"], before["notices"]["owed"]["pigeon"]);

    let reply = story.ask(Request::Resume { skip: Vec::new() });
    assert!(matches!(reply, Reply::Accepted { .. }), "{reply:?}");
    assert_eq!(story.running(), Step::Preflight);
    let resumed = kept.restore(&story.state.durable).unwrap();
    assert_eq!(resumed["phase"], json!({ "running": "preflight" }), "nothing of the pause is left");
    assert_eq!(resumed["skips"], before["skips"]);
}

#[test]
fn a_newer_volume_that_nothing_happens_to_is_as_it_was() {
    let Reading { value: durable, mut kept, foreign } = read(NEWER);
    assert_eq!(kept.restore(&durable).unwrap(), value(NEWER));
    let expected =
        ["cycle.reason", "known.class", "pending.pause.mode", "phase.paused.at", "phase.paused.why", "skips"];
    for what in expected {
        assert!(foreign.iter().any(|foreign| foreign == what), "{what} is not in {foreign:?}");
    }
}

#[test]
fn a_way_of_messages_that_is_not_known_leaves_the_others_as_they_are() {
    let Reading { value: mut durable, mut kept, foreign } = read(NEWER);
    let mut expected = value(NEWER);
    assert!(foreign.iter().any(|foreign| foreign == "notices.owed.pigeon"), "{foreign:?}");
    assert!(foreign.iter().all(|foreign| foreign != "notices" && foreign != "notices.owed"), "{foreign:?}");
    assert_eq!((durable.notices.wrong.len(), durable.notices.cycle), (1, 1));
    assert_eq!(durable.notices.owed.keys().collect::<Vec<_>>(), [&Way::Webhook]);

    durable.notices.cycle = 2;
    durable.notices.owed.get_mut(&Way::Webhook).unwrap().failed = 3;
    expected["notices"]["cycle"] = 2.into();
    expected["notices"]["owed"]["webhook"]["failed"] = 3.into();
    assert!(is_in(&expected["notices"], &kept.restore(&durable).unwrap()["notices"]));
    durable.notices.owed.clear();
    expected["notices"]["owed"].as_object_mut().unwrap().remove("webhook");
    let restored = kept.restore(&durable).unwrap();
    assert!(is_in(&expected["notices"], &restored["notices"]));
    assert_eq!(restored["notices"]["owed"], expected["notices"]["owed"]);
}

/// Does something with each value in turn.
fn each(value: &Value, change: &mut dyn FnMut(&mut Value), done: &mut dyn FnMut(Value)) {
    fn paths(value: &Value, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    paths(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
                }
            }
            Value::Array(list) => {
                for (index, value) in list.iter().enumerate() {
                    paths(value, &format!("{at}/{index}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    paths(value, "", &mut found);
    for path in found {
        let mut changed = value.clone();
        change(changed.pointer_mut(&path).unwrap());
        done(changed);
    }
}

#[test]
fn whatever_a_newer_one_puts_where_it_is_written_back() {
    for (version, text) in RELEASED {
        let old = value(text);
        let odd = [
            json!("unheard-of"),
            json!({ "unheard-of": { "reason": "why not" } }),
            json!([[1.5]]),
            json!(-1),
        ];
        let mut read_at_all = 0;
        let mut tried = 0;
        let mut check = |file: Value| {
            tried += 1;
            let Ok(mut reading) = kept::read::<Durable>(file.to_string().as_bytes(), in_state) else {
                return;
            };
            read_at_all += 1;
            assert_eq!(reading.kept.restore(&reading.value).unwrap(), file, "{version}");
            // So it is when what is beside it has changed.
            if file["notices"]["cycle"] == old["notices"]["cycle"] {
                let cycle = reading.value.notices.cycle;
                assert_eq!(old["notices"]["cycle"], cycle, "{file:#}");
                reading.value.notices.cycle += 1;
                let mut changed = file.clone();
                changed["notices"]["cycle"] = reading.value.notices.cycle.into();
                let restored = reading.kept.restore(&reading.value).unwrap();
                assert!(is_in(&changed, &restored), "{version}: {restored:#}");
            }
            // What does not concern it is understood as ever, and a pause is one.
            if file["skips"] == old["skips"] {
                assert_eq!(reading.value.skips.len(), 1);
            }
            if file["known"][0]["package"] == old["known"][0]["package"]
                && reading.foreign.iter().all(|at| at != "known")
            {
                assert_eq!(reading.value.known[0].package.as_str(), "test-fail/broken-1");
            }
            if file["phase"] == old["phase"] {
                assert!(matches!(reading.value.phase, Phase::Paused(_)), "{file:#}");
            }
        };
        for odd in &odd {
            each(&old, &mut |value| *value = odd.clone(), &mut check);
        }
        let mut add = |value: &mut Value| {
            if let Value::Object(fields) = value {
                fields.insert("unheard-of".to_owned(), json!({ "a": [null] }));
            }
        };
        each(&old, &mut add, &mut check);
        assert!(read_at_all * 100 > tried * 85, "{version}: {read_at_all} of {tried}");
    }
}

#[test]
fn a_phase_that_is_not_known_is_a_pause_with_its_words() {
    let mut file = value(NEWER);
    for (phase, words) in [
        (json!("hibernating"), "hibernating, which this version of gbsup does not know"),
        (
            json!({ "moved": { "to": 1, "reason": "see the other rack" } }),
            "moved, which this version of gbsup does not know: see the other rack",
        ),
    ] {
        file["phase"] = phase;
        let (story, mut kept) = started(&file.to_string());
        assert_eq!(pause(&story).1, Some(words));
        let Reading { value, .. } = read(&file.to_string());
        assert_eq!(kept.restore(&value).unwrap()["phase"], file["phase"]);
    }
}

#[test]
fn what_a_person_holds_stays_held_in_a_new_container() {
    let mut story = crate::known::known();
    let reason = Some("the room is too hot".to_owned());
    let mode = gbsup::model::request::PauseMode::Now;
    story.ask(Request::Pause { mode, reason: reason.clone() });
    story.restart("two", true);
    assert_eq!(pause(&story), (Why::Operator, reason.as_deref()));
    story.ask(Request::Resume { skip: Vec::new() });
    assert_eq!(story.running(), Step::Preflight);
}

/// Whatever a newer one puts in the place of a number, a word or a time, a person's pause holds, messages are sent, and
/// what is known stays known.
#[test]
fn a_value_that_is_not_known_takes_little_with_it() {
    fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| {
                    leaves(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
                });
            }
            Value::Array(list) => list
                .iter()
                .enumerate()
                .for_each(|(index, value)| leaves(value, &format!("{at}/{index}"), found)),
            _ => found.push(at.to_owned()),
        }
    }
    /// What a state is of no use without, and what tells one thing from another.
    const NEEDED: &[&str] = &[
        "/schema",
        "/known/0/package",
        "/known/0/inputs/package",
        "/known/0/inputs/toolchain",
        "/known/0/slot",
    ];
    let old = value(RELEASED[0].1);
    let mut found = Vec::new();
    leaves(&old, "", &mut found);
    found.retain(|path| !NEEDED.contains(&path.as_str()));
    assert!(found.len() > 80, "{}", found.len());
    for path in found {
        for odd in [json!("unheard-of"), json!({ "why": ["not"] }), json!(-1), json!([])] {
            let mut file = old.clone();
            *file.pointer_mut(&path).unwrap() = odd;
            let read = kept::read::<Durable>(file.to_string().as_bytes(), in_state);
            let Reading { value: durable, mut kept, foreign } =
                read.unwrap_or_else(|error| panic!("{path}: {error}"));
            let path = format!("{path}, {} so {foreign:?} is not understood", file.pointer(&path).unwrap());
            assert!(matches!(durable.phase, Phase::Paused(_)), "{path}: {:?}", durable.phase);
            assert_eq!(durable.known.len(), 1, "{path}");
            assert_eq!(durable.notices.owed.keys().collect::<Vec<_>>(), [&Way::Webhook], "{path}");
            assert!(
                durable.cycle.is_some()
                    || path.starts_with("/cycle/id")
                    || path.starts_with("/cycle/started"),
                "{path}"
            );
            assert_eq!(kept.restore(&durable).unwrap(), file, "{path}");
        }
    }
}
