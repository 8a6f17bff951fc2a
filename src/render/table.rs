//! Tables: columns that fit the terminal, columns separated by tabs for a pipe.

use anstyle::Style;
use comfy_table::{
    Cell as Placed, CellAlignment, ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle, Table,
    TableStyle, Width,
};

use super::layout::{Layout, Look, Span, columns, styled};
use super::style::LABEL;

/// What stands in one place of a table.
pub(super) type Cell = (String, Style);

/// Between two columns, in columns of the terminal.
const SEPARATOR: usize = 2;
/// A column of sentences is no narrower, where there is room.
const READABLE: usize = 24;
/// Parts cells that stand beside each other, and rows, until each cell has got its style. Neither is in any text,
/// since control characters are cleaned away.
const BESIDE: char = '\u{1f}';
const BELOW: char = '\u{1e}';

/// What a table is like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape<'a> {
    /// The columns whose numbers are lined up on the right.
    pub(super) right: &'a [usize],
    /// The columns that stand below their row where the whole does not fit side by side, the first to go first.
    pub(super) below: &'a [usize],
    /// The same, where even their single words do not fit side by side.
    pub(super) below_at_last: &'a [usize],
    /// The columns that stay on one line.
    pub(super) whole: &'a [usize],
}

/// Rows below their titles, as wide as the terminal at most. A pipe gets the rows alone. A column of which nothing is
/// known is left out on a terminal.
pub(super) fn table<const N: usize>(
    titles: [&str; N],
    shape: Shape,
    rows: &[[Cell; N]],
    look: Look,
) -> String {
    let Some(width) = look.width else {
        return rows.iter().fold(String::new(), |table, row| {
            let words: Vec<_> = row.iter().map(|(text, _)| text.as_str()).collect();
            table + &words.join("\t") + "\n"
        });
    };
    let filled = |column: &usize| rows.iter().any(|row| !row[*column].0.is_empty());
    let all: Vec<usize> = (0..N).filter(filled).collect();
    let natural = |column: &usize| rows.iter().map(|row| columns(&row[*column].0)).max().unwrap_or(0);
    let wide = |column: &usize| natural(column).max(columns(titles[*column]));
    let mut needed: usize = all.iter().map(wide).sum::<usize>() + SEPARATOR * all.len().saturating_sub(1);
    let mut below = Vec::new();
    for column in shape.below.iter().filter(|column| all.contains(column)) {
        if needed > width {
            needed = needed.saturating_sub(wide(column) + SEPARATOR);
            below.push(*column);
        }
    }
    let heading = titles.map(|title| (title.to_owned(), LABEL));
    let whole: Vec<&[Cell; N]> = std::iter::once(&heading).chain(rows).collect();
    let rows_of_all = &whole;
    let least = |readable| move |column| least(rows_of_all, column, shape.whole.contains(&column), readable);
    let beside = |below: &[usize]| all.iter().copied().filter(|one| !below.contains(one)).collect::<Vec<_>>();
    for column in shape.below_at_last.iter().filter(|column| all.contains(column)) {
        if !fits(&beside(&below), least(READABLE), width) {
            below.push(*column);
        }
    }
    // Where even that does not help, each row is a name and what there is to say of it.
    if !fits(&beside(&below), least(0), width) {
        below = all.iter().copied().skip(1).collect();
    }
    below.sort_unstable();
    let beside = beside(&below);
    let untitled = beside.iter().all(|&column| titles[column].is_empty());
    let mut text = String::new();
    for (row, lines) in arranged(&whole, &beside, &shape, width).into_iter().enumerate() {
        if row == 0 && untitled {
            continue;
        }
        for line in lines {
            text += &styled_line(&line, whole[row], &beside, look);
        }
        if row > 0 {
            text += &own_lines(titles, whole[row], &below, look);
        }
    }
    text
}

/// How wide a column is at least: a name is copied, so no word is cut. Sentences want to be as wide as `readable`.
fn least<const N: usize>(rows: &[&[Cell; N]], column: usize, whole: bool, readable: usize) -> usize {
    let cells = || rows.iter().map(|row| row[column].0.as_str());
    let natural = cells().map(columns).max().unwrap_or(0);
    let word = cells().flat_map(|cell| cell.split(' ')).map(columns).max().unwrap_or(0);
    if whole { natural } else { word.max(natural.min(readable)) }
}

fn fits(beside: &[usize], least: impl Fn(usize) -> usize, width: usize) -> bool {
    let words: usize = beside.iter().map(|&column| least(column)).sum();
    words + SEPARATOR * beside.len().saturating_sub(1) <= width
}

/// Each row as lines of cells, all as wide as their columns.
fn arranged<const N: usize>(
    rows: &[&[Cell; N]],
    beside: &[usize],
    shape: &Shape,
    width: usize,
) -> Vec<Vec<Vec<String>>> {
    let mut table = Table::new();
    let lines = ContentLineStyle::none().junction(BESIDE);
    let between = LineStyle::none().fill(BELOW).junction(BELOW);
    table.load_style(TableStyle::new().header_lines(lines).content_lines(lines).row_separator(between));
    match u16::try_from(width) {
        Ok(width) => table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic),
        Err(_) => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    for row in rows {
        table.add_row(beside.iter().map(|&column| Placed::new(&row[column].0)));
    }
    let least = |readable| move |column: usize| least(rows, column, shape.whole.contains(&column), readable);
    let readable = [READABLE, 0].into_iter().find(|&readable| fits(beside, least(readable), width));
    for (index, &column) in beside.iter().enumerate() {
        let Some(placed) = table.column_mut(index) else { continue };
        // The line between two columns is the other half of their separator.
        let parted = index + 1 < beside.len();
        placed.set_padding((0, u16::from(parted)));
        if shape.right.contains(&column) {
            placed.set_cell_alignment(CellAlignment::Right);
        }
        if let Some(readable) = readable
            && let Ok(least) = u16::try_from(least(readable)(column) + usize::from(parted))
        {
            placed.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        }
    }
    let mut arranged = vec![Vec::new()];
    for line in table.lines() {
        if line.starts_with(BELOW) {
            arranged.push(Vec::new());
        } else if let Some(row) = arranged.last_mut() {
            row.push(line.split(BESIDE).map(str::to_owned).collect());
        }
    }
    arranged
}

fn styled_line<const N: usize>(cells: &[String], row: &[Cell; N], beside: &[usize], look: Look) -> String {
    let mut line = String::new();
    for (index, (cell, &column)) in cells.iter().zip(beside).enumerate() {
        let style = look.style(row[column].1);
        let separator = if index == 0 { "" } else { " " };
        line += &format!("{separator}{style}{cell}{style:#}");
    }
    format!("{}\n", line.trim_end())
}

/// What found no place beside the rest of its row.
fn own_lines<const N: usize>(titles: [&str; N], row: &[Cell; N], below: &[usize], look: Look) -> String {
    let mut words: Vec<Span> = Vec::new();
    for &column in below.iter().filter(|column| !row[**column].0.is_empty()) {
        let (text, style) = &row[column];
        let before = if words.is_empty() { "    " } else { " " };
        let colon = if titles[column].is_empty() { "" } else { ": " };
        if let Some(last) = words.last_mut() {
            last.text.push(';');
        }
        words.push(styled(LABEL, format!("{before}{}{colon}", titles[column])));
        words.push(styled(*style, text.clone()));
    }
    let mut page = Layout::new(look);
    if !words.is_empty() {
        page.paragraph(6, &words);
    }
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLES: [&str; 3] = ["package", "size", "why"];

    fn rows() -> Vec<[Cell; 3]> {
        let row = |package: &str, size: &str, why: &str| {
            [package, size, why].map(|text| (text.to_owned(), Style::new()))
        };
        vec![
            row("media-libs/freetype-2.12.1", "2.1 MiB", "its binary package was built with USE -harfbuzz"),
            row("a/b-1", "1 B", "asked for"),
        ]
    }

    fn look(width: usize) -> Look {
        Look { colour: false, unicode: true, width: Some(width) }
    }

    #[test]
    fn a_table_is_never_wider_than_the_terminal_and_cuts_no_name() {
        let wide = table(TITLES, Shape { right: &[1], ..Shape::default() }, &rows(), look(100));
        assert_eq!(
            wide,
            "package                        size  why\n\
             media-libs/freetype-2.12.1  2.1 MiB  its binary package was built with USE -harfbuzz\n\
             a/b-1                           1 B  asked for\n"
        );
        for width in 45..100 {
            let table = table(TITLES, Shape { right: &[1], ..Shape::default() }, &rows(), look(width));
            assert!(table.lines().all(|line| columns(line) <= width), "{width}: {table}");
            assert!(table.contains("media-libs/freetype-2.12.1"), "{width}: {table}");
            assert!(table.lines().all(|line| !line.is_empty()), "{width}: {table}");
        }
    }

    #[test]
    fn what_has_no_room_beside_the_rest_stands_below_it() {
        let shape = Shape { right: &[1], below: &[2], ..Shape::default() };
        assert_eq!(
            table(TITLES, shape, &rows(), look(60)),
            "package                        size\n\
             media-libs/freetype-2.12.1  2.1 MiB\n\
             \x20   why: its binary package was built with USE -harfbuzz\n\
             a/b-1                           1 B\n\
             \x20   why: asked for\n"
        );
        assert_eq!(table(TITLES, shape, &rows(), Look::PLAIN).lines().count(), 2);
    }

    #[test]
    fn a_column_goes_below_before_a_word_of_it_is_cut() {
        let shape = Shape { right: &[1], below_at_last: &[2], whole: &[1], ..Shape::default() };
        for width in 37..100 {
            let table = table(TITLES, shape, &rows(), look(width));
            assert!(table.lines().all(|line| columns(line) <= width), "{width}: {table}");
            for word in ["media-libs/freetype-2.12.1", "2.1 MiB", "-harfbuzz"] {
                assert!(table.contains(word), "{width}: {table}");
            }
            assert_eq!(table.contains("why: "), width < 61, "{width}: {table}");
        }
    }

    #[test]
    fn a_row_that_cannot_stand_side_by_side_becomes_a_name_and_what_there_is_to_say() {
        let shape = Shape { right: &[1], whole: &[1], ..Shape::default() };
        assert_eq!(
            table(TITLES, shape, &rows()[1..], look(16)),
            "package\na/b-1\n    size: 1 B;\n      why: asked\n      for\n"
        );
    }

    #[test]
    fn styles_and_empty_columns_take_no_room() {
        let mut rows = rows();
        for row in &mut rows {
            row[1].0.clear();
            row[0].1 = Style::new().bold();
        }
        let colour = Look { colour: true, ..look(100) };
        let text = table(TITLES, Shape::default(), &rows, colour);
        assert!(!text.contains("size"), "{text}");
        let bare = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(bare.lines().nth(2), Some("a/b-1                       asked for"));
    }
}
