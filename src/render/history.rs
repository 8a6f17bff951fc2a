//! `gbsup history`: one line per cycle, and how good the predictions were.

use std::collections::BTreeMap;
use std::time::Duration;

use anstyle::Style;
use jiff::Timestamp;

use super::layout::Look;
use super::style::{BAD, CAREFUL, GOOD, LABEL};
use super::table::{Cell, Shape, table};
use super::{clean, count, reason};
use crate::model::ccache::CacheUse;
use crate::model::duration::in_words;
use crate::model::helpers::Files;
use crate::model::records::{CycleRow, Outcome};

const TITLES: [&str; 13] = [
    "cycle",
    "started (UTC)",
    "took",
    "why",
    "built",
    "binary",
    "failed",
    "outcome",
    "release",
    "time to build",
    "remedies",
    "ccache",
    "on helpers",
];
const NUMBERS: [usize; 4] = [0, 4, 5, 6];
/// What makes a row long: first what few cycles have, and why one began last.
const BELOW: [usize; 6] = [12, 11, 9, 10, 8, 3];

/// Cycles as a table. A pipe gets the same columns, separated by tabs.
#[must_use]
pub fn history(cycles: &[CycleRow], now: Timestamp, look: Look) -> String {
    let rows: Vec<_> =
        cycles.iter().enumerate().map(|(index, cycle)| cells(cycle, index == 0, now, look)).collect();
    let table = table(TITLES, Shape { right: &NUMBERS, below: &BELOW, ..Shape::default() }, &rows, look);
    match judgement(cycles).filter(|_| look.width.is_some()) {
        Some(sentence) => {
            let style = look.style(LABEL);
            format!("{table}\n{style}{sentence}{style:#}\n")
        }
        None => table,
    }
}

/// The prediction that a cycle's build began with, and what came of it.
fn predicted(cycle: &CycleRow) -> String {
    let Some(prediction) = cycle.predictions.first() else { return String::new() };
    let words = |seconds| in_words(Duration::from_secs(seconds));
    let likely = words(prediction.eta.likely);
    match prediction.took {
        Some(took) => format!("predicted {likely}, took {}", words(took)),
        None => format!("predicted {likely}"),
    }
}

/// For which classes of failure something was done, and how often: `circular 2, stalled`.
fn remedied(cycle: &CycleRow) -> String {
    let mut times = BTreeMap::<&str, usize>::new();
    for remedy in &cycle.remedies {
        *times.entry(&remedy.class).or_default() += 1;
    }
    let words = times.into_iter().map(|(class, times)| match times {
        1 => clean(class).into_owned(),
        times => format!("{} {times}", clean(class)),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// What clients were offered: `2026-11-22.1`, `2026-11-22.3 (2026-11-22.1 again)`.
fn released(cycle: &CycleRow) -> String {
    let words = cycle.releases.iter().map(|row| match &row.again {
        Some(again) => format!("{} ({} again)", clean(&row.release), clean(again)),
        None => clean(&row.release).into_owned(),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// How good the predictions of these cycles were; nothing when none of them is over.
fn judgement(cycles: &[CycleRow]) -> Option<String> {
    let judged: Vec<_> = cycles
        .iter()
        .filter_map(|cycle| cycle.predictions.first())
        .filter_map(|prediction| Some((prediction.error()?, prediction.in_range())))
        .collect();
    let mut errors: Vec<u64> = judged.iter().map(|(error, _)| *error).collect();
    errors.sort_unstable();
    let middle = errors.get(errors.len() / 2)?;
    let builds = count(judged.len(), "build");
    let in_range = judged.iter().filter(|(_, in_range)| *in_range).count();
    Some(format!("predictions of {builds}: off by {middle} % (median), {in_range} within the range given"))
}

fn cells(cycle: &CycleRow, newest: bool, now: Timestamp, look: Look) -> [Cell; 13] {
    let style = Style::new();
    let took = |until: Timestamp| {
        in_words(Duration::try_from(until.duration_since(cycle.started)).unwrap_or_default())
    };
    let time = match (cycle.ended, cycle.outcome) {
        (Some(ended), _) => took(ended),
        (None, None) if newest => format!("{} so far", took(now)),
        (None, _) => "?".into(),
    };
    let (outcome, colour) = match cycle.outcome {
        Some(outcome @ Outcome::Done) => (outcome.to_string(), GOOD),
        Some(outcome @ Outcome::Failed) => (outcome.to_string(), BAD),
        Some(outcome @ Outcome::Interrupted) => (outcome.to_string(), CAREFUL),
        None if newest => ("not over".into(), style),
        None => ("unknown".into(), CAREFUL),
    };
    let failed = cycle.failed();
    // A pipe gets the word of programs.
    let why = if look.width.is_some() { reason(&cycle.reason) } else { &cycle.reason };
    [
        (cycle.id.to_string(), style),
        (cycle.started.strftime("%Y-%m-%d %H:%M").to_string(), style),
        (time, style),
        (clean(why).into_owned(), style),
        (cycle.built().to_string(), style),
        (cycle.binary().to_string(), style),
        (failed.to_string(), if failed > 0 { BAD } else { style }),
        (outcome, colour),
        (released(cycle), style),
        (predicted(cycle), style),
        (remedied(cycle), style),
        (cycle.ccache.and_then(CacheUse::share).unwrap_or_default(), style),
        (cycle.files.map(Files::share).unwrap_or_default(), style),
    ]
}
