//! The history as a table.

use insta::assert_snapshot;

use super::*;
use crate::model::records::{CycleRow, PackageOutcome, PackageRow, PredictionRow, ReleaseRow, RemedyRow};

/// A cycle with three packages.
pub(super) fn cycle(id: u64, ended: Option<i64>, outcome: Option<Outcome>) -> CycleRow {
    let package = |package: &str, binary, outcome| PackageRow {
        package: package.into(),
        step: "build".into(),
        binary,
        started: at(60),
        ended: at(50),
        outcome,
        log: None,
        message: None,
        files: None,
    };
    CycleRow {
        id,
        started: at(100),
        reason: "requested".into(),
        ended: ended.map(at),
        outcome,
        steps: Vec::new(),
        packages: vec![
            package("a/a-1", false, PackageOutcome::Built),
            package("a/b-1", true, PackageOutcome::Built),
            package("a/c-1", false, PackageOutcome::Failed),
        ],
        predictions: Vec::new(),
        remedies: Vec::new(),
        releases: Vec::new(),
        ccache: None,
        files: None,
    }
}

fn prediction(likely: u64, took: Option<u64>) -> PredictionRow {
    let eta = Eta { low: likely * 3 / 4, likely, high: likely * 3 / 2, unknown: 0 };
    PredictionRow { at: at(60), packages: 3, eta, took }
}

fn remedy(class: &str) -> RemedyRow {
    RemedyRow {
        step: "build".into(),
        class: class.into(),
        packages: vec!["a/a-1".into()],
        what: "built again".into(),
        started: at(60),
        ended: Some(at(50)),
        outcome: Some(Outcome::Done),
    }
}

fn release(id: &str, again: Option<&str>) -> ReleaseRow {
    ReleaseRow { release: id.into(), at: at(50), packages: 3, again: again.map(String::from) }
}

#[test]
fn history_as_a_table() {
    let mut first = cycle(1, Some(90), Some(Outcome::Done));
    first.reason = "first".into();
    first.packages.truncate(2);
    let mut cycles = [
        cycle(12, None, None),
        cycle(11, Some(10), Some(Outcome::Failed)),
        cycle(10, None, Some(Outcome::Interrupted)),
        cycle(2, Some(80), Some(Outcome::Done)),
        first,
    ];
    cycles[0].predictions = vec![prediction(7800, None)];
    // What was predicted when it went on after a failure is not the whole.
    cycles[1].predictions = vec![prediction(2460, Some(2640)), prediction(60, Some(61))];
    cycles[3].predictions = vec![prediction(100, Some(400))];
    cycles[1].remedies = vec![remedy("circular"), remedy("stalled"), remedy("circular")];
    cycles[3].releases = vec![release("2026-11-18.2", None), release("2026-11-18.3", Some("2026-11-18.1"))];
    assert_snapshot!(history(&cycles, at(0), WIDE));
    assert_eq!(
        history(&cycles[3..], at(0), Look::PLAIN),
        "2\t2026-11-18 09:26\t20 min\trequested\t1\t1\t1\tdone\t\
         2026-11-18.2, 2026-11-18.3 (2026-11-18.1 again)\tpredicted 1 min, took 6 min\t\t\t\n\
         1\t2026-11-18 09:26\t10 min\tfirst\t1\t1\t0\tdone\t\t\t\t\t\n"
    );
}
