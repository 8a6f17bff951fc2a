//! Tables: aligned columns on a terminal, columns separated by tabs for a pipe.

use std::fmt::Write as _;

use anstyle::Style;

use super::Look;
use super::layout::{columns, pad};
use super::style::LABEL;

/// What stands in one place of a table.
pub(super) type Cell = (String, Style);

/// Rows below their titles, with the numbers of `right` lined up on the right. A pipe gets the rows
/// alone.
pub(super) fn table<const N: usize>(
    titles: [&str; N],
    right: &[usize],
    rows: &[[Cell; N]],
    look: Look,
) -> String {
    if look.width.is_none() {
        return rows.iter().fold(String::new(), |table, row| {
            let words: Vec<_> = row.iter().map(|(text, _)| text.as_str()).collect();
            table + &words.join("\t") + "\n"
        });
    }
    let widths: Vec<_> = (0..N)
        .map(|column| {
            let cells = rows.iter().map(|row| columns(&row[column].0));
            cells.chain([columns(titles[column])]).max().unwrap_or(0)
        })
        .collect();
    let titles = titles.map(|title| (title.to_string(), LABEL));
    let mut table = String::new();
    for row in std::iter::once(&titles).chain(rows) {
        let mut line = String::new();
        for (column, (text, style)) in row.iter().enumerate() {
            let style = look.style(*style);
            let cell = if right.contains(&column) {
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
