//! What a state or a release of a newer gbsup means to this one: for each word that may be an unknown one, the word that does least harm.

use serde_json::{Value, json};

/// So much of what is not understood is shown to people, in characters.
const SHOWN: usize = 200;

/// See [`super::kept::Instead`]; for `state.json`.
#[must_use]
pub fn in_state(names: &str, value: &Value) -> Option<Value> {
    let last = names.rsplit('.').next().unwrap_or_default();
    let word = match (names, last) {
        // It may have been a pause, and a pause that is kept for nothing does less harm than one that is gone.
        ("phase", _) => return Some(json!({ "paused": pause(value) })),
        // What the step did is done again, with all that comes before it.
        ("phase.running" | "phase.paused.at", _) => "preflight",
        ("phase.waiting" | "since" | "cycle.started" | "known.since" | "known.last", _) => {
            "1970-01-01T00:00:00Z"
        }
        // Half a tree may have been left, so that one is fetched before anything else.
        ("sync.cut_short", _) => return Some(1.into()),
        ("last_job" | "sync.failures" | "cycle.circles", _) | (_, "binary" | "source") => {
            return Some(0.into());
        }
        // Tried from the beginning, or counted so.
        (_, "failed") => return Some(0.into()),
        ("phase.paused.by_flag" | "pending.sync" | "cycle.forced" | "cycle.over", _) => {
            return Some(false.into());
        }
        ("known.message" | "cycle.owed.message", _) => return Some(said(value)),
        (_, "title" | "text") if names.starts_with("notices.") => return Some(said(value)),
        // Somebody holds it. A failure would be tried again in a new container.
        ("phase.paused.why", _) => "operator",
        ("pending.pause.mode", _) => "after-package",
        ("cycle.reason", _) => "requested",
        (_, "class") => "unknown",
        (_, "kind") if names.starts_with("notices.") => "paused",
        (_, "urgency") => "high",
        _ => return None,
    };
    Some(word.into())
}

/// See [`super::kept::Instead`]; for `release.json`.
pub(crate) fn in_release(names: &str, _: &Value) -> Option<Value> {
    // What is wrong with a package stands beside it in words; that it is held back is what counts.
    match names {
        "held.why" => Some(json!({ "is": "file" })),
        "held.why.is" => Some("file".into()),
        _ => None,
    }
}

/// A sentence for people, whatever it is made of there.
fn said(value: &Value) -> Value {
    let text = words(value).unwrap_or("what is said of it is not understood by this version of gbsup");
    text.into()
}

/// A pause until somebody says `resume`, with whatever words there are.
fn pause(phase: &Value) -> Value {
    let what = match phase {
        Value::Object(phase) => phase.keys().next().cloned().unwrap_or_default(),
        Value::String(phase) => phase.clone(),
        _ => String::new(),
    };
    let words = words(phase).unwrap_or_default();
    let dots = if words.is_empty() { "" } else { ": " };
    let reason = format!("{what}, which this version of gbsup does not know{dots}{words}");
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    json!({ "why": "operator", "by_flag": false, "failures": [], "reason": reason, "at": "preflight", "due": null })
}

/// What is said in a value for people.
fn words(value: &Value) -> Option<&str> {
    match value {
        Value::Object(fields) => {
            let said = ["reason", "message"].iter().find_map(|name| fields.get(*name)?.as_str());
            said.or_else(|| fields.values().find_map(words))
        }
        Value::Array(list) => list.iter().find_map(words),
        _ => None,
    }
}
