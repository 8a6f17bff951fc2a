//! `tests/fixtures/volume` has what each released version left on a volume. All of it is understood, and so it is with fields
//! more, as a newer version may write them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::binhost::origin::known_facts;
use crate::binhost::release::Releases;
use crate::binhost::{offer, verify};
use crate::host::installed::settled;
use crate::model::release::Id;
use crate::model::state::CyclePlan;
use crate::volume::history::History;
use crate::volume::store::{Store, plan_file};

/// What a version had on its volume; the packages are not among it.
fn released() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/volume");
    let versions = fs::read_dir(all).unwrap().flatten().map(|entry| entry.path());
    versions.filter(|version| !version.ends_with("newer")).collect()
}

/// A copy, each file that is JSON after a change.
fn copy(from: &Path, to: &Path, change: &dyn Fn(&mut Value)) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to, change);
        } else if path.extension().is_some_and(|end| end == "json") {
            let mut value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            change(&mut value);
            fs::write(to, value.to_string()).unwrap();
        } else {
            fs::copy(path, to).unwrap();
        }
    }
}

/// A field more in each object of a list, and in the whole. Other objects may be maps, whose keys are names of something.
fn add_fields(value: &mut Value) {
    fn add(value: &mut Value) {
        if let Value::Object(fields) = value {
            fields.insert("unheard-of".to_owned(), json!({ "a": [null] }));
        }
    }
    fn in_lists(value: &mut Value) {
        match value {
            Value::Array(list) => {
                list.iter_mut().for_each(add);
                list.iter_mut().for_each(in_lists);
            }
            Value::Object(fields) => fields.values_mut().for_each(in_lists),
            _ => {}
        }
    }
    add(value);
    in_lists(value);
}

#[test]
fn what_they_left_is_understood() {
    let own = released().iter().any(|volume| volume.ends_with(env!("CARGO_PKG_VERSION")));
    assert!(own, "tests/fixtures/volume has nothing of this version");
    for from in released() {
        for change in [&|_: &mut Value| {}, &add_fields as &dyn Fn(&mut Value)] {
            let volume = tempfile::tempdir().unwrap();
            let volume = volume.path();
            copy(&from, volume, change);
            let from = from.display();

            let taken = Store::take(volume, true).ok().unwrap();
            let (durable, plan) = (taken.claimed.durable.unwrap(), taken.claimed.plan.unwrap());
            assert!(taken.warnings.is_empty(), "{from}: {:?}", taken.warnings);
            assert_eq!((durable.skips.len(), durable.known.len()), (1, 1), "{from}");
            assert_eq!((plan.cycle, plan.plan.packages.len()), (1, 3), "{from}");
            serde_json::from_slice::<CyclePlan>(&fs::read(plan_file(volume)).unwrap()).unwrap();

            let history = History::read(&volume.join("state/history.db")).unwrap();
            let (cycles, failed) = (history.cycles(None).unwrap(), history.failed().unwrap());
            assert_eq!((cycles.len(), failed.len()), (1, 1), "{from}");
            assert_eq!(failed[0].package, "test-fail/broken-1", "{from}");
            drop(history);
            let (history, warning) = History::open(&volume.join("state/history.db")).unwrap();
            assert_eq!((history.last_cycle().unwrap(), warning), (Some(1), None), "{from}");

            assert_eq!(settled(volume).unwrap().slots.len(), 3, "{from}");
            assert_eq!(known_facts(volume).reasons.len(), 2, "{from}");
            let known = serde_json::to_value(verify::known(volume)).unwrap();
            assert_eq!(known["files"].as_object().map(serde_json::Map::len), Some(2), "{from}");
            assert_eq!(offer::read(volume).unwrap().unwrap().packages.len(), 2, "{from}");
            assert_eq!(verify::read_index(&volume.join("binpkgs")).unwrap().packages.len(), 2, "{from}");

            let id: Id = "2026-11-28.1".parse().unwrap();
            let releases = Releases::on(volume);
            let release = releases.read(id).unwrap();
            assert_eq!((release.packages.len(), release.held.len()), (2, 0), "{from}");
            assert_eq!(verify::read_index(&releases.place(id)).unwrap().packages.len(), 2, "{from}");
        }
    }
}
