//! `gbsup top`: the builder as `/` shows it, on a terminal.
//!
//! A screen is a function of what is known, of where somebody is on it, and of its size. The headline, the bar and what to do are made
//! by what makes the page of `gbsup status`.
//!
//! ```text
//! 80 columns: what it does, to do, how far      200 columns: the same
//!             one list of those there are                    every list    the log
//!             the log
//!             the keys, a question, or the answer            the keys
//! ```

mod draw;
mod kept;
mod lists;
mod log;
mod place;
mod view;

use anstyle::Style;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::layout::{Layout, Look, Span, columns, plain, styled, wrap};
use super::style::{BAD, CAREFUL, GOOD, LABEL, STRONG};
use super::{clean, headline, page, state_style};
use crate::model::status::Mode;
use draw::{put, title};
use lists::Line;

pub use kept::Log;
pub use lists::{Failing, count, failing};
pub use place::{Pane, Place};
pub use view::{Foot, View};

/// From so many columns and rows on the lists are beside the log, and all of them are shown.
const WIDE: (u16, u16) = (120, 24);
/// From so many rows on there is a blank line after the headline.
const TALL: u16 = 30;
/// Rows that the lists and the log have, whatever there is to say above them, where the screen has so many.
const BELOW: u16 = 8;
/// Below so many rows there is either a list or the log.
const ONE: u16 = 8;
/// Rows of what is said besides of the line that is chosen.
const MORE: usize = 6;

/// Rows of what the builder says to a request.
const FOOT: usize = 4;

/// The keys, in the order in which they are shown.
const KEYS: [(&str, &str); 14] = [
    ("Tab, Shift-Tab", "to the next list or the log, and to the one before"),
    ("j k, arrows", "down and up; the log of what is chosen is shown"),
    ("Enter", "into the log, and back"),
    ("PgUp, PgDn", "through the log, which is not followed then"),
    ("g, G", "to its beginning; to its end, to follow it again"),
    ("h l, arrows", "to the left and to the right in its long lines"),
    ("p", "pause after the packages that are being built"),
    ("P", "pause when the cycle is over"),
    ("r", "resume, or try again what still fails"),
    ("x", "skip the failed package that is chosen"),
    ("s", "sync, and begin a new cycle"),
    ("?", "these keys"),
    ("Ctrl-Z", "back to the shell until it says fg"),
    ("q, Esc, Ctrl-C", "leave; the builder goes on"),
];

/// Where everything is on the screen. What there is no room for is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Areas {
    head: Rect,
    lists: Vec<(Pane, Rect)>,
    /// The lists share a place, and the line above it names all of them.
    shared: bool,
    log: Rect,
    foot: Rect,
}

impl Areas {
    /// Rows of the log.
    #[must_use]
    pub fn log_rows(&self) -> u16 {
        self.log.height.saturating_sub(1)
    }
}

/// The lists that have something in them.
#[must_use]
pub fn panes(view: &View<'_>) -> Vec<Pane> {
    Pane::ALL.into_iter().filter(|pane| count(view, *pane) > 0).collect()
}

/// Where everything is.
#[must_use]
pub fn areas(view: &View<'_>, area: Rect) -> Areas {
    let foot_rows =
        u16::try_from(foot(view, usize::from(area.width)).len()).unwrap_or(1).min(area.height - 1);
    let above = area.height - foot_rows;
    let head_rows = u16::try_from(head(view, area).len()).unwrap_or(u16::MAX).min(above);
    let head = Rect { height: head_rows, ..area };
    let foot = Rect { y: area.y + above, height: foot_rows, ..area };
    let body = Rect { y: area.y + head_rows, height: above - head_rows, ..area };
    let none = Rect { height: 0, ..body };
    let panes = panes(view);
    if area.width >= WIDE.0 && area.height >= WIDE.1 && !panes.is_empty() {
        // The lists are read, the log is glanced at.
        let left = Rect { width: (area.width * 9 / 20).max(70), ..body };
        let log = Rect { x: left.right() + 2, width: body.width - left.width - 2, ..body };
        let wanted = panes.iter().map(|pane| {
            let lines = lists::lines(view, *pane, usize::from(left.width)).len();
            let more = if *pane == view.place.pane && !view.place.in_log { MORE } else { 0 };
            u16::try_from(lines + more + 2).unwrap_or(u16::MAX)
        });
        let mut y = left.y;
        let shares = share(left.height, &wanted.collect::<Vec<_>>());
        let lists = panes.into_iter().zip(shares).map(|(pane, height)| {
            let place = Rect { y, height, ..left };
            y += height;
            (pane, place)
        });
        return Areas { head, lists: lists.collect(), shared: false, log, foot };
    }
    let pane = if panes.contains(&view.place.pane) { Some(view.place.pane) } else { panes.first().copied() };
    let (list, log) = match pane {
        None => (none, body),
        Some(_) if body.height < ONE && view.place.in_log => (none, body),
        Some(_) if body.height < ONE => (body, none),
        Some(pane) => {
            let lines = lists::lines(view, pane, usize::from(body.width)).len();
            let wanted = u16::try_from(lines + 1).unwrap_or(u16::MAX);
            let more = if view.place.in_log { 0 } else { 2 };
            let list =
                Rect { height: wanted.saturating_add(more).clamp(4, (body.height / 2).max(4)), ..body };
            (list, Rect { y: list.bottom(), height: body.height - list.height, ..body })
        }
    };
    Areas { head, lists: pane.map(|pane| (pane, list)).into_iter().collect(), shared: true, log, foot }
}

/// Gives each what it wants of so many rows, and all who want more the same.
fn share(rows: u16, wanted: &[u16]) -> Vec<u16> {
    let mut shares = vec![0; wanted.len()];
    let mut left = rows;
    while left > 0 {
        let before = left;
        for (share, wanted) in shares.iter_mut().zip(wanted) {
            if *share < *wanted && left > 0 {
                *share += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    shares
}

/// Draws the screen.
pub fn top(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let view = &View { look: Look { width: Some(usize::from(area.width)), ..view.look }, ..*view };
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return;
    }
    let areas = areas(view, area);
    rows(view, areas.head, &head(view, area), buffer);
    if view.place.help {
        let body = Rect { y: areas.head.bottom(), height: areas.foot.y - areas.head.bottom(), ..area };
        help(view, body, buffer);
    } else {
        for (pane, place) in &areas.lists {
            list(view, *pane, *place, areas.shared, buffer);
        }
        if areas.log.height > 0 {
            log::draw(view, areas.log, buffer);
        }
    }
    rows(view, areas.foot, &foot(view, usize::from(area.width)), buffer);
}

fn rows(view: &View<'_>, area: Rect, lines: &[Vec<Span>], buffer: &mut Buffer) {
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        put(view.look, Rect { y, height: 1, ..area }, line, buffer);
    }
}

/// What matters most: that nobody answers, the headline, how far it is, and what to do. Of what there is no room for, what to do
/// goes last.
fn head(view: &View<'_>, area: Rect) -> Vec<Vec<Span>> {
    let below = if area.height >= BELOW * 2 { BELOW } else { 1 };
    let most = usize::from(area.height.saturating_sub(below).max(1));
    let mut lines = Vec::new();
    for (progress, warnings) in [(true, true), (true, false), (false, false)] {
        lines = head_with(view, area, progress, warnings);
        if lines.len() <= most {
            return lines;
        }
    }
    lines.truncate(most);
    lines
}

fn head_with(view: &View<'_>, area: Rect, progress: bool, warnings: bool) -> Vec<Vec<Span>> {
    let status = view.status;
    let mut page = Layout::new(Look { width: Some(usize::from(area.width)), ..view.look });
    if let Some(lost) = view.lost {
        page.paragraph(2, &[styled(BAD.bold(), clean(lost))]);
    }
    let (state, rest) = headline(status);
    page.paragraph(state.len() + 2, &[styled(state_style(status), state), plain(": "), styled(STRONG, rest)]);
    let gap = |page: &mut Layout| {
        if area.height >= TALL {
            page.gap();
        }
    };
    gap(&mut page);
    if progress {
        page::progress(&mut page, status);
    }
    gap(&mut page);
    if status.state == Mode::Degraded {
        lists::to_do_when_degraded(&mut page);
    }
    page::to_do(&mut page, status);
    if warnings {
        for warning in &status.warnings {
            page.row("warning", CAREFUL, &[plain(clean(warning))]);
        }
    }
    let mut lines = page.into_lines();
    if area.height >= TALL {
        lines.push(Vec::new());
    }
    lines
}

/// A list below its title.
fn list(view: &View<'_>, pane: Pane, area: Rect, shared: bool, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let width = usize::from(area.width);
    let lines = lists::lines(view, pane, width.saturating_sub(if pane == Pane::Around { 0 } else { 2 }));
    let counts: Vec<(Pane, String)> = if shared { panes(view) } else { vec![pane] }
        .into_iter()
        .map(|pane| (pane, if pane == Pane::Around { String::new() } else { number(view, pane) }))
        .collect();
    let here = |of: Pane| of == pane && (shared || of == view.place.pane) && !view.place.in_log;
    let titles: Vec<_> = counts.iter().map(|(of, count)| (of.title(), count.as_str(), here(*of))).collect();
    title(view.look, Rect { height: 1, ..area }, &titles, buffer);
    let height = usize::from(area.height - 1);
    let focused = here(pane);
    let chosen = view.place.chosen(pane).min(lines.len().saturating_sub(1));
    let more = lines.get(chosen).filter(|_| focused && height > 2).map(|line| details(line, width));
    let mut more = more.unwrap_or_default();
    more.truncate(MORE.min(height.saturating_sub(2)));
    // The line that is chosen is as near to the middle as the ends of the list allow.
    let room = height - more.len().min(height);
    let first = chosen.saturating_sub(room / 2).min(lines.len().saturating_sub(room));
    let mut shown = Vec::new();
    for (index, line) in lines.iter().enumerate().skip(first).take(room) {
        let mark = match (pane, index == chosen, view.look.unicode) {
            (Pane::Around, _, _) => "",
            (_, false, _) => "  ",
            (_, true, true) => "▸ ",
            (_, true, false) => "> ",
        };
        let style = if focused { state_style(view.status) } else { LABEL };
        let mut spans = vec![styled(style, mark)];
        spans.extend(line.spans.iter().cloned());
        shown.push(spans);
        if index == chosen {
            shown.append(&mut more);
        }
    }
    rows(view, Rect { y: area.y + 1, height: area.height - 1, ..area }, &shown, buffer);
}

fn number(view: &View<'_>, pane: Pane) -> String {
    match pane {
        Pane::Jobs => view.status.jobs.len().to_string(),
        pane => count(view, pane).to_string(),
    }
}

/// What is said besides of a line, where that is more than the line shows.
fn details(line: &Line, width: usize) -> Vec<Vec<Span>> {
    let used: usize = line.spans.iter().map(|span| columns(&span.text)).sum();
    let said = usize::from(used + 2 <= width);
    let indented = |mut line: Vec<Span>| {
        line.insert(0, plain("    "));
        line
    };
    let wrapped =
        line.more.iter().skip(said).flat_map(|spans| wrap(spans, Some(width.saturating_sub(4).max(1)), 0));
    wrapped.map(indented).collect()
}

fn help(view: &View<'_>, area: Rect, buffer: &mut Buffer) {
    let mut lines = vec![vec![styled(STRONG, "Keys")]];
    let wide = KEYS.iter().map(|(key, _)| columns(key)).max().unwrap_or(0);
    for (key, does) in KEYS {
        lines.push(vec![styled(STRONG, format!("  {key:wide$}  ")), plain(does)]);
    }
    rows(view, area, &lines, buffer);
}

/// The last row; what is asked and answered may need some more.
fn foot(view: &View<'_>, width: usize) -> Vec<Vec<Span>> {
    let spans = match view.foot {
        Foot::Keys => return vec![hints(view, width)],
        Foot::Question(question) => {
            vec![styled(CAREFUL.bold(), clean(question)), styled(STRONG, " (y/n)")]
        }
        Foot::Asking(what) => vec![styled(LABEL, format!("{} ...", clean(what)))],
        Foot::Answer(answer) => vec![styled(GOOD, clean(answer))],
        Foot::Refusal(refusal) => vec![styled(BAD, clean(refusal))],
    };
    let mut lines = wrap(&spans, Some(width), 0);
    lines.truncate(FOOT);
    lines
}

/// The keys that mean something now, as many of them as fit; how to leave and how to see all of them first.
fn hints(view: &View<'_>, width: usize) -> Vec<Span> {
    let status = view.status;
    let is_paused = matches!(status.state, Mode::Paused | Mode::Degraded);
    let hints = [
        (true, "q", "leave"),
        (true, "?", "keys"),
        (is_paused || !status.pending.is_empty(), "r", "resume"),
        (!failing(status).is_empty(), "x", "skip"),
        (status.state == Mode::Running, "p", "pause"),
        (status.state == Mode::Running, "P", "after the cycle"),
        (status.state != Mode::Degraded, "s", "sync"),
        (true, "Tab", "next list"),
        (true, "PgUp", "log"),
    ];
    let mut spans = Vec::new();
    let mut used = 0;
    for (_, key, word) in hints.into_iter().filter(|(is, _, _)| *is) {
        let more = columns(key) + columns(word) + 3;
        if used + more > width + 2 && used > 0 {
            break;
        }
        used += more;
        spans.push(styled(Style::new().bold(), key));
        spans.push(styled(LABEL, format!(" {word}  ")));
    }
    spans
}

#[cfg(test)]
mod tests;
