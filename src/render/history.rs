//! `gbsup history`: one line per cycle.

use std::time::Duration;

use anstyle::Style;
use jiff::Timestamp;

use super::page::{BAD, CAREFUL, GOOD};
use super::table::{Cell, table};
use super::{Look, clean};
use crate::core::history::{CycleRow, Outcome};
use crate::core::status::in_words;

const TITLES: [&str; 8] = ["cycle", "started (UTC)", "took", "why", "built", "binary", "failed", "outcome"];
const NUMBERS: [usize; 4] = [0, 4, 5, 6];

/// Cycles as a table. A pipe gets the same columns, separated by tabs.
#[must_use]
pub fn history(cycles: &[CycleRow], now: Timestamp, look: Look) -> String {
    let rows: Vec<_> =
        cycles.iter().enumerate().map(|(index, cycle)| cells(cycle, index == 0, now)).collect();
    table(TITLES, &NUMBERS, &rows, look)
}

fn cells(cycle: &CycleRow, newest: bool, now: Timestamp) -> [Cell; 8] {
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
        Some(outcome @ Outcome::Done) => (outcome.name(), GOOD),
        Some(outcome @ Outcome::Failed) => (outcome.name(), BAD),
        Some(outcome @ Outcome::Interrupted) => (outcome.name(), CAREFUL),
        None if newest => ("not over", style),
        None => ("unknown", CAREFUL),
    };
    let failed = cycle.failed();
    [
        (cycle.id.to_string(), style),
        (cycle.started.strftime("%Y-%m-%d %H:%M").to_string(), style),
        (time, style),
        (clean(&cycle.reason).into_owned(), style),
        (cycle.built().to_string(), style),
        (cycle.binary().to_string(), style),
        (failed.to_string(), if failed > 0 { BAD } else { style }),
        (outcome.into(), colour),
    ]
}
