//! A volume that a newer gbsup has written to.

use gbsup::model::failure::Class;
use gbsup::model::status::Mode;
use serde_json::Value;

use crate::support::{Builder, Recipe, VOLUME};

const NEWER: &str = include_str!("../fixtures/volume/newer/state/state.json");

fn state(builder: &Builder) -> Value {
    serde_json::from_str(&builder.sh(&format!("cat {VOLUME}/state/state.json"))).unwrap()
}

#[test]
fn an_image_that_was_rolled_back_keeps_pause_skips_and_known_failures() {
    let mut builder = Recipe::new(&["test-quick/t4", "test-quick/t5", "test-fail/broken"])
        .file(&format!("{VOLUME}/state/state.json"), NEWER)
        .start();
    let status = builder.wait_for("it is held", |status| status.state == Mode::Paused);
    assert!(status.headline.contains("the month's electricity is used up"), "{}", status.headline);
    let told =
        |warning: &String| warning.contains("was written by a newer gbsup (format 2, this one knows 1)");
    assert!(status.warnings.iter().any(told), "{:?}", status.warnings);
    let known: Vec<_> = status.known.iter().map(|known| (known.package.as_str(), known.class)).collect();
    assert_eq!(known, [("test-fail/broken-1", Class::Unknown)]);
    assert!(builder.gbsup(&["skip"]).ok().contains("test-quick/t5"));
    let before: Value = serde_json::from_str(NEWER).unwrap();
    let kept = state(&builder);
    for part in ["schema", "temper", "skips"] {
        assert_eq!(kept[part], before[part], "{part}");
    }
    assert_eq!(kept["phase"]["paused"]["why"], "quota");
    assert_eq!(kept["known"][0]["class"], "heat");

    builder.gbsup(&["resume"]).ok();
    let status = builder.wait_for("it failed again", |status| {
        status.state == Mode::Paused && !status.pause.as_ref().is_none_or(|pause| pause.failures.is_empty())
    });
    assert!(status.headline.contains("test-fail/broken-1"), "{}", status.headline);
    let compiled = builder.compiled();
    assert!(compiled.iter().any(|package| package == "test-quick/t4-1"), "{compiled:?}");
    assert!(compiled.iter().all(|package| package != "test-quick/t5-1"), "it is skipped: {compiled:?}");
    assert_eq!(state(&builder)["skips"], before["skips"]);
    assert_eq!(builder.stop().1, 0);
}
