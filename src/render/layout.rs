//! Labels on the left, wrapped text on the right.

use std::fmt::Write as _;

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

/// A piece of text in one style. What comes from outside is cleaned before it becomes one.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) style: Style,
}

/// Text in the terminal's own colour.
pub(super) fn plain(text: impl Into<String>) -> Span {
    Span { text: text.into(), style: Style::new() }
}

/// Text in a style.
pub(super) fn styled(style: Style, text: impl Into<String>) -> Span {
    Span { text: text.into(), style }
}

/// The column where text begins beside a label.
const LABEL: usize = 11;
/// Below this many columns a label is the first word of its text.
const NARROW: usize = 56;

/// A page that grows line by line.
pub(super) struct Layout {
    look: Look,
    lines: Vec<Vec<Span>>,
    blank: bool,
}

impl Layout {
    pub(super) fn new(look: Look) -> Self {
        Self { look, lines: Vec::new(), blank: false }
    }

    pub(super) fn look(&self) -> Look {
        self.look
    }

    /// A blank line before whatever comes next; never two, none at the end.
    pub(super) fn gap(&mut self) {
        self.blank = !self.lines.is_empty();
    }

    /// How many columns text beside a label has; `None`: no limit.
    pub(super) fn columns(&self) -> Option<usize> {
        self.look.width.map(|width| width.saturating_sub(self.indent()).max(10))
    }

    fn indent(&self) -> usize {
        if self.is_narrow() { 4 } else { LABEL }
    }

    fn is_narrow(&self) -> bool {
        self.look.width.is_some_and(|width| width < NARROW)
    }

    /// Text from the left edge; lines after the first are indented by `hang`.
    pub(super) fn paragraph(&mut self, hang: usize, spans: &[Span]) {
        let lines = wrap(spans, self.look.width, hang);
        for (index, line) in lines.iter().enumerate() {
            self.line(if index == 0 { 0 } else { hang }, line);
        }
    }

    /// A label and its text; without a label, more text of the one before.
    pub(super) fn row(&mut self, label: &str, style: Style, spans: &[Span]) {
        let indent = self.indent();
        if self.is_narrow() && !label.is_empty() {
            let whole: Vec<_> = [styled(style, format!("{label}: "))].iter().chain(spans).cloned().collect();
            let width = self.look.width.map(|width| width.saturating_sub(2));
            for (index, line) in wrap(&whole, width, indent - 2).iter().enumerate() {
                self.line(if index == 0 { 2 } else { indent }, line);
            }
            return;
        }
        for (index, mut line) in wrap(spans, self.columns(), 0).into_iter().enumerate() {
            if index == 0 && !label.is_empty() {
                line.insert(0, styled(style, pad(label, indent - 2)));
                self.line(2, &line);
            } else {
                self.line(indent, &line);
            }
        }
    }

    fn line(&mut self, indent: usize, spans: &[Span]) {
        if std::mem::take(&mut self.blank) {
            self.lines.push(Vec::new());
        }
        let mut line = vec![plain(" ".repeat(indent))];
        line.extend(spans.iter().filter(|span| !span.text.is_empty()).cloned());
        self.lines.push(line);
    }

    /// The page as lines, for whoever draws it in a place of its own.
    pub(super) fn into_lines(self) -> Vec<Vec<Span>> {
        self.lines
    }

    pub(super) fn finish(self) -> String {
        let mut page = String::new();
        for line in &self.lines {
            for span in line {
                let style = self.look.style(span.style);
                let _ = write!(page, "{style}{}{style:#}", span.text);
            }
            page.push('\n');
        }
        page
    }
}

/// Lines of unstyled text, those that are longer than the terminal is wide broken at spaces. What follows of one is indented further than its
/// beginning. A pipe gets them as they are.
#[must_use]
pub fn wrapped(text: &str, look: Look) -> String {
    let mut page = Layout::new(look);
    for line in text.lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        page.paragraph(indent + 2, &[plain(line)]);
    }
    page.finish()
}

/// Breaks text at spaces so that lines have at most `width` columns; `hang` columns of the lines
/// after the first are taken. A word that is longer than a line stays whole: paths are copied.
pub(super) fn wrap(spans: &[Span], width: Option<usize>, hang: usize) -> Vec<Vec<Span>> {
    let Some(width) = width else { return vec![spans.to_vec()] };
    let mut lines = Vec::new();
    let mut line = Vec::<Span>::new();
    let mut used = 0;
    for span in spans {
        for word in words(&span.text) {
            let limit = if lines.is_empty() { width } else { width.saturating_sub(hang) };
            let bare = columns(word.trim_end_matches(' '));
            if used > 0 && bare > 0 && used + bare > limit {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            match line.last_mut() {
                Some(last) if last.style == span.style => last.text.push_str(word),
                _ => line.push(styled(span.style, word)),
            }
            used += columns(word);
        }
    }
    lines.push(line);
    // A space in the last column would be a row of its own.
    for line in &mut lines {
        while let Some(last) = line.last_mut() {
            last.text.truncate(last.text.trim_end_matches(' ').len());
            if !last.text.is_empty() {
                break;
            }
            line.pop();
        }
    }
    lines
}

/// The text in pieces that stay together: words with the spaces after them, and numbers with their units.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = 0;
        loop {
            let word = rest[end..].split_inclusive(' ').next()?;
            end += word.len();
            let number = word.trim_start_matches('(').trim_end();
            let unit = rest[end..].split([' ', ',', ';', '.', ')']).next().unwrap_or_default();
            let is_number =
                !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            if !(is_number && matches!(unit, "s" | "min" | "h" | "d" | "B" | "KiB" | "MiB" | "GiB" | "TiB")) {
                break;
            }
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

/// How many columns a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// The text made as wide as the widest of a column.
pub(super) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// What the reader's side can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Colours may be used.
    pub colour: bool,
    /// Characters beyond ASCII may be used for drawing.
    pub unicode: bool,
    /// Columns; `None` for a pipe: nothing is wrapped, drawn or aligned to anything.
    pub width: Option<usize>,
}

impl Look {
    /// A pipe or a file.
    pub const PLAIN: Self = Self { colour: false, unicode: false, width: None };

    pub(super) fn style(self, style: Style) -> Style {
        if self.colour { style } else { Style::new() }
    }
}
