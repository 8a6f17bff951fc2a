//! The log on the screen: its last lines, or those that somebody went back to.

use anstyle::{AnsiColor, Style};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthChar;

use super::draw::{put, title};
use super::view::View;
use crate::portage::output::buildlog::{is_error, uncoloured};
use crate::render::ansi::{Pen, pieces};
use crate::render::clean;
use crate::render::layout::{Span, plain, styled};
use crate::render::style::{BAD, LABEL};

/// Columns from one tab stop to the next.
const TAB: usize = 8;

/// Draws it, below a line that says what it is.
pub(super) fn draw(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let (log, place) = (view.log, view.place);
    let height = u64::from(area.height.saturating_sub(1));
    let last = place.end.unwrap_or(log.end()).clamp(log.first().min(log.end()), log.end());
    // The first screen of a log is filled from its beginning.
    let last = last.max(log.first() + height).min(log.end());
    let from = last.saturating_sub(height).max(log.first());
    let follows = match place.end {
        None => "follows".to_owned(),
        Some(_) => format!("lines {} to {last} of {}; G follows again", from + 1, log.end()),
    };
    let name = if log.name.is_empty() { "Log" } else { &log.name };
    title(view.look, Rect { height: 1, ..area }, &[(name, &follows, place.in_log)], buffer);
    let mut row = area.y + 1;
    let mut next = |spans: &[Span]| {
        if row < area.bottom() {
            put(view.look, Rect { y: row, height: 1, ..area }, spans, buffer);
            row += 1;
        }
    };
    if let Some(problem) = &log.problem {
        return next(&[styled(LABEL, clean(problem))]);
    }
    if log.end() == 0 {
        return next(&[styled(LABEL, "Nothing is written in it yet.")]);
    }
    if from == log.first() && log.has_more && height > 1 && place.end.is_some() {
        next(&[styled(LABEL, "... what is before it: gbsup logs, or the page in the browser")]);
    }
    for number in from..last {
        if let Some(line) = log.line(number) {
            next(&written(line, usize::from(place.across)));
        }
    }
}

/// A line of a log without its first columns, with its colours, and nothing in it that a terminal would act on.
fn written(line: &str, across: usize) -> Vec<Span> {
    let base =
        if is_error(&String::from_utf8_lossy(&uncoloured(line.as_bytes()))) { BAD } else { Style::new() };
    let mut column = 0;
    let mut spans = Vec::new();
    for (pen, text) in pieces(line) {
        let mut shown = String::new();
        for c in text.chars() {
            let width = if c == '\t' { TAB - column % TAB } else { c.width().unwrap_or(0) };
            let visible = column >= across;
            column += width;
            match c {
                // What is left of a tab or of a wide character at the edge is blank.
                _ if !visible => shown.push_str(&" ".repeat(column.saturating_sub(across).min(width))),
                '\t' => shown.push_str(&" ".repeat(width)),
                c => shown.push(c),
            }
        }
        spans.push(styled(style(pen, base), shown));
    }
    if spans.is_empty() { vec![plain("")] } else { spans }
}

fn style(pen: Pen, base: Style) -> Style {
    const COLOURS: [AnsiColor; 8] = [
        AnsiColor::Black,
        AnsiColor::Red,
        AnsiColor::Green,
        AnsiColor::Yellow,
        AnsiColor::Blue,
        AnsiColor::Magenta,
        AnsiColor::Cyan,
        AnsiColor::White,
    ];
    // Black and white are the terminal's own two colours, whichever way round it has them.
    let colour = pen.colour.filter(|colour| (1..7).contains(colour));
    let style = match colour.and_then(|colour| COLOURS.get(usize::from(colour))) {
        Some(colour) => colour.on_default(),
        None => base,
    };
    let style = if pen.bold { style.bold() } else { style };
    if pen.dim || pen.colour == Some(0) { style.dimmed() } else { style }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str, across: usize) -> String {
        written(line, across).into_iter().map(|span| span.text).collect()
    }

    #[test]
    fn lines_are_shown_from_a_column_on() {
        for (line, across, shown) in [
            ("abc", 0, "abc"),
            ("abc", 1, "bc"),
            ("a\tb", 0, "a       b"),
            ("a\tb", 4, "    b"),
            ("日本", 1, " 本"),
            ("\u{1b}[31mred\u{1b}[2J\u{7}", 0, "red"),
            ("", 3, ""),
        ] {
            assert_eq!(text(line, across), shown, "{line:?} from {across}");
        }
    }
}
