//! `gbsup history`: one line per cycle.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::Style;
use jiff::Timestamp;

use super::layout::{columns, pad};
use super::page::{BAD, CAREFUL, GOOD, LABEL};
use super::{Look, clean};
use crate::core::history::{CycleRow, Outcome};
use crate::core::status::in_words;

const TITLES: [&str; 8] = ["cycle", "started (UTC)", "took", "why", "built", "binary", "failed", "outcome"];

/// Cycles as a table. A pipe gets the same columns, separated by tabs.
#[must_use]
pub fn history(cycles: &[CycleRow], now: Timestamp, look: Look) -> String {
    let rows: Vec<_> =
        cycles.iter().enumerate().map(|(index, cycle)| cells(cycle, index == 0, now)).collect();
    let titles = TITLES.map(|title| (title.to_string(), LABEL));
    if look.width.is_none() {
        return rows.iter().fold(String::new(), |table, row| {
            let words: Vec<_> = row.iter().map(|(text, _)| text.as_str()).collect();
            table + &words.join("\t") + "\n"
        });
    }
    let widths: Vec<_> = (0..TITLES.len())
        .map(|column| {
            let cells = rows.iter().map(|row| columns(&row[column].0));
            cells.chain([columns(TITLES[column])]).max().unwrap_or(0)
        })
        .collect();
    let mut table = String::new();
    for row in std::iter::once(&titles).chain(&rows) {
        let mut line = String::new();
        for (column, (text, style)) in row.iter().enumerate() {
            let style = look.style(*style);
            // Numbers line up on the right.
            let cell = if matches!(column, 0 | 4..=6) {
                format!("{text:>width$}", width = widths[column])
            } else {
                pad(text, widths[column])
            };
            let separator = if column == 0 { "" } else { "  " };
            let _ = write!(line, "{separator}{style}{cell}{style:#}");
        }
        let _ = writeln!(table, "{}", line.trim_end());
    }
    table
}

fn cells(cycle: &CycleRow, newest: bool, now: Timestamp) -> [(String, Style); 8] {
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
