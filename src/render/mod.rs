//! [`Status`] and history as people read them. Pure: the look of the terminal comes in as a value.
//!
//! Everything that comes from outside (names of packages, the words of an ebuild, reasons of
//! operators) passes through [`clean`] on its way out, so that nothing in it reaches a terminal as
//! a command.

use std::borrow::Cow;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::model::status::{Mode, Status, Why, size};

mod ansi;
pub mod api;
pub mod atom;
mod audit;
mod ccache;
pub mod client_config;
mod clients;
mod compare;
mod elog;
mod farm;
mod fingerprint;
mod fit;
mod history;
pub mod html;
mod key;
mod known;
mod layout;
pub mod message;
pub mod metrics;
mod page;
mod plan;
mod prune;
mod release;
mod style;
mod table;
pub mod top;
mod verified;

pub use audit::audited;
pub use clients::{changes_with_clients, client, client_added, client_in_short, clients};
pub use compare::differences;
pub use elog::elog;
pub use farm::farm;
pub use fingerprint::fingerprint;
pub use history::history;
pub use key::keys;
pub use known::{failures, skipped};
pub use layout::{Look, wrapped};
pub use page::{page, page_within};
pub use plan::{left_out, plan, plan_of, reasons, reasons_in_short, stale, why};
pub use prune::prune;
pub use release::{bisect, changes, diff, releases};
pub use verified::{verified, verified_release};

/// The status in one line: its headline.
#[must_use]
pub fn line(status: &Status) -> String {
    let (state, rest) = headline(status);
    format!("{state}: {rest}")
}

/// The state and what the headline says after it.
fn headline(status: &Status) -> (String, Cow<'_, str>) {
    let state = status.state.to_string();
    let rest = status.headline.strip_prefix(&state).and_then(|rest| rest.strip_prefix(": "));
    (state, clean(rest.unwrap_or(&status.headline)))
}

/// The colour of a state.
fn state_style(status: &Status) -> Style {
    let colour = match (status.state, status.pause.as_ref().map(|pause| pause.why)) {
        (Mode::Paused, Some(Why::Operator)) | (Mode::Starting | Mode::Stopping, _) => AnsiColor::Yellow,
        (Mode::Paused | Mode::Degraded, _) => AnsiColor::Red,
        (Mode::Running, _) => AnsiColor::Cyan,
        (Mode::Waiting, _) => AnsiColor::Green,
    };
    colour.on_default().bold()
}

/// The text without anything a terminal would act on: control characters are spelled out, line
/// breaks and tabs become spaces, and marks that turn the direction of writing are left out.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| !c.is_control() && !is_directional(c);
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => cleaned.push(' '),
            c if is_directional(c) => {}
            c if c.is_control() => {
                let _ = write!(cleaned, "\\x{:02x}", u32::from(c));
            }
            c => cleaned.push(c),
        }
    }
    Cow::Owned(cleaned)
}

/// A line without its durations: two lines that differ in nothing else say the same.
#[must_use]
pub fn timeless(line: &str) -> String {
    fn bare(word: &str) -> &str {
        word.trim_matches(['(', ')', ',', ';', '.'])
    }
    let is_number =
        |word: &str| !bare(word).is_empty() && bare(word).bytes().all(|byte| byte.is_ascii_digit());
    let mut kept = Vec::new();
    let mut words = line.split(' ').peekable();
    while let Some(word) = words.next() {
        let unit = words.peek().is_some_and(|next| matches!(bare(next), "s" | "min" | "h" | "d"));
        if is_number(word) && unit {
            words.next();
        } else {
            kept.push(word);
        }
    }
    kept.join(" ")
}

/// How many rows of a terminal a line of a page takes.
#[must_use]
pub fn rows(line: &str, width: usize) -> usize {
    let bare = anstream::adapter::strip_str(line).to_string();
    layout::columns(&bare).div_ceil(width.max(1)).max(1)
}

pub(crate) fn is_directional(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Why a cycle began, as people say it; the word of the status and of the history is for programs.
fn reason(word: &str) -> &str {
    match word {
        "new-root" => "new container",
        "requested" => "asked for",
        "start" => "container start",
        "first" => "first start",
        word => word,
    }
}

/// `1 package`, `2 packages`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests;
