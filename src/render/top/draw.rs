//! Lines into the cells of a terminal.

use anstyle::{AnsiColor, Color, Effects};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color as Paint, Modifier, Style};

use crate::render::layout::{Look, Span, columns, styled};
use crate::render::style::{LABEL, STRONG};

/// Writes a line into the first row of a place; what does not fit is cut, and is seen to be.
pub(super) fn put(look: Look, area: Rect, spans: &[Span], buffer: &mut Buffer) {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return;
    }
    let mut x = area.x;
    for span in spans {
        let room = usize::from(area.right() - x);
        x = buffer.set_stringn(x, area.y, &span.text, room, ink(span.style, look)).0;
        if columns(&span.text) > room {
            let cell = &mut buffer[(area.right() - 1, area.y)];
            cell.set_symbol(if look.unicode { "…" } else { ">" }).set_style(ink(LABEL, look));
            return;
        }
    }
}

/// Titles with what is said of each, on a line that leads to the edge; the one where somebody is stands out.
pub(super) fn title(look: Look, area: Rect, titles: &[(&str, &str, bool)], buffer: &mut Buffer) {
    let dash = if look.unicode { "─" } else { "-" };
    let mut spans = Vec::new();
    for (name, more, here) in titles {
        spans.push(styled(LABEL, format!("{dash} ")));
        let strong = anstyle::Style::new().bold().underline();
        spans.push(styled(if *here { strong } else { STRONG }, *name));
        spans.push(styled(LABEL, if more.is_empty() { " ".to_owned() } else { format!(" {more} ") }));
    }
    let used: usize = spans.iter().map(|span| columns(&span.text)).sum();
    spans.push(styled(LABEL, dash.repeat(usize::from(area.width).saturating_sub(used))));
    put(look, area, &spans, buffer);
}

/// A style as the terminal is told it. Without colours what is strong or faint is still so.
fn ink(style: anstyle::Style, look: Look) -> Style {
    let mut ink = Style::new();
    if let Some(Color::Ansi(colour)) = style.get_fg_color().filter(|_| look.colour) {
        ink = ink.fg(match colour {
            AnsiColor::Red | AnsiColor::BrightRed => Paint::Red,
            AnsiColor::Green | AnsiColor::BrightGreen => Paint::Green,
            AnsiColor::Yellow | AnsiColor::BrightYellow => Paint::Yellow,
            AnsiColor::Blue | AnsiColor::BrightBlue => Paint::Blue,
            AnsiColor::Magenta | AnsiColor::BrightMagenta => Paint::Magenta,
            AnsiColor::Cyan | AnsiColor::BrightCyan => Paint::Cyan,
            AnsiColor::Black | AnsiColor::BrightBlack | AnsiColor::White | AnsiColor::BrightWhite => {
                Paint::Reset
            }
        });
    }
    let effects = style.get_effects();
    for (effect, modifier) in [
        (Effects::BOLD, Modifier::BOLD),
        (Effects::DIMMED, Modifier::DIM),
        (Effects::UNDERLINE, Modifier::UNDERLINED),
    ] {
        if effects.contains(effect) {
            ink = ink.add_modifier(modifier);
        }
    }
    ink
}
