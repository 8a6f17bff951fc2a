use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Red,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Part {
    package: String,
    kind: Kind,
    #[serde(default)]
    count: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Thing {
    schema: u32,
    #[serde(default)]
    parts: Vec<Part>,
    #[serde(default)]
    one: Option<Part>,
    #[serde(default)]
    by_name: BTreeMap<String, Part>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    by_kind: BTreeMap<Kind, Part>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    rare: bool,
}

fn instead(names: &str, _: &Value) -> Option<Value> {
    names.ends_with("kind").then(|| "unknown".into())
}

#[track_caller]
fn reading(file: &Value) -> Reading<Thing> {
    read(file.to_string().as_bytes(), instead).unwrap()
}

fn newer() -> Value {
    json!({
        "schema": 7,
        "mood": { "deep": [1, { "deeper": null }] },
        "parts": [
            { "package": "a/b", "kind": "red", "count": 1, "colour": "green" },
            { "package": "a/c", "kind": "plaid", "count": 2, "colour": ["red", "blue"] },
            { "package": "a/d", "shape": "round" },
        ],
        "one": { "package": "a/e", "kind": "plaid", "count": 3, "x": 1 },
        "by_name": { "f": { "package": "a/f", "kind": "red", "count": 4, "y": {} }, "g": 17 },
        "rare": true,
    })
}

#[test]
fn what_is_understood_is_read_and_all_is_written_back() {
    let mut reading = reading(&newer());
    assert_eq!(reading.foreign, ["by_name.g", "one.kind", "parts.kind", "parts"]);
    let packages: Vec<_> =
        reading.value.parts.iter().map(|part| (part.package.as_str(), &part.kind)).collect();
    assert_eq!(packages, [("a/b", &Kind::Red), ("a/c", &Kind::Unknown)]);
    assert_eq!(reading.value.one.as_ref().unwrap().count, 3);
    for _ in 0..3 {
        assert_eq!(reading.kept.restore(&reading.value).unwrap(), newer());
    }
}

#[test]
fn what_is_changed_is_written_as_it_is_with_what_was_beside_it() {
    let Reading { mut value, mut kept, .. } = reading(&newer());
    value.parts.remove(0);
    value.parts[0].count = 20;
    value.parts.push(Part { package: "a/h".into(), kind: Kind::Red, count: 5 });
    value.one.as_mut().unwrap().kind = Kind::Red;
    value.rare = false;
    let mut expected = newer();
    expected["parts"] = json!([
        { "package": "a/c", "kind": "plaid", "count": 20, "colour": ["red", "blue"] },
        { "package": "a/h", "kind": "red", "count": 5 },
        { "package": "a/d", "shape": "round" },
    ]);
    expected["one"]["kind"] = "red".into();
    expected.as_object_mut().unwrap().remove("rare");
    assert_eq!(kept.restore(&value).unwrap(), expected);
    // Nothing of it comes back in another one of the same kind.
    value.one = Some(Part { package: "a/i".into(), kind: Kind::Unknown, count: 0 });
    value.by_name.clear();
    expected["one"] = json!({ "package": "a/i", "kind": "unknown", "count": 0 });
    expected["by_name"] = json!({ "g": 17 });
    assert_eq!(kept.restore(&value).unwrap(), expected);
    value.one = None;
    expected["one"] = Value::Null;
    assert_eq!(kept.restore(&value).unwrap(), expected);
}

#[test]
fn a_key_that_is_not_known_costs_no_other_entry() {
    let part = |count: u32| json!({ "package": "a/b", "kind": "red", "count": count });
    let mut file = json!({ "schema": 1, "parts": [], "one": null, "by_name": {} });
    file["by_kind"] = json!({
        "plaid": part(1),
        "red": { "package": "a/b", "kind": "tartan", "count": 2, "colour": "green" },
        "striped": 17,
        "unknown": part(3),
    });
    let Reading { mut value, mut kept, mut foreign } = reading(&file);
    let counts: Vec<_> = value.by_kind.iter().map(|(kind, part)| (kind, part.count)).collect();
    assert_eq!(counts, [(&Kind::Red, 2), (&Kind::Unknown, 3)]);
    foreign.sort();
    assert_eq!(foreign, ["by_kind.plaid", "by_kind.red.kind", "by_kind.striped"]);
    assert_eq!(kept.restore(&value).unwrap(), file);
    value.by_kind.remove(&Kind::Unknown);
    value.by_kind.get_mut(&Kind::Red).unwrap().count = 20;
    file["by_kind"].as_object_mut().unwrap().remove("unknown");
    file["by_kind"]["red"]["count"] = 20.into();
    for _ in 0..2 {
        assert_eq!(kept.restore(&value).unwrap(), file);
    }
}

#[test]
fn a_file_of_this_version_is_written_as_it_is_made() {
    let file = json!({ "schema": 1, "parts": [], "one": null, "by_name": {} });
    let Reading { value, kept, foreign } = reading(&file);
    assert!(kept.is_empty() && foreign.is_empty());
    let older = reading(&json!({ "schema": 1 }));
    assert_eq!((&older.value, older.foreign.len()), (&value, 0), "what an older one lacks is no trouble");
}

#[test]
fn what_cannot_be_left_out_is_an_error() {
    for file in ["", "{", "{}", "[]", "null", r#"{"schema": "one"}"#, r#"{"parts": []}"#] {
        assert!(read::<Thing>(file.as_bytes(), instead).is_err(), "{file}");
    }
}

#[test]
fn a_word_that_is_there_a_thousand_times_is_one_repair() {
    let part = json!({ "package": "a/b", "kind": "plaid", "count": 1 });
    let file = json!({ "schema": 1, "parts": vec![part; 20_000] });
    let mut reading = reading(&file);
    assert_eq!(
        (reading.value.parts.len(), reading.foreign.as_slice()),
        (20_000, ["parts.kind".to_owned()].as_slice())
    );
    let restored = reading.kept.restore(&reading.value).unwrap();
    assert_eq!(restored["parts"], file["parts"]);
}
