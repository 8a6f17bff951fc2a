//! How what is shown looks, and the phrases that all of it has in common.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::clean;
use super::layout::{Span, plain, styled};
use crate::model::duration::in_words;

pub(super) const LABEL: Style = Style::new().dimmed();
pub(super) const BAD: Style = AnsiColor::Red.on_default();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const CAREFUL: Style = AnsiColor::Yellow.on_default();
pub(super) const STRONG: Style = Style::new().bold();

/// A sentence that ends in a command: the command stands out.
pub(super) fn instruction(sentence: &str) -> Vec<Span> {
    let sentence = clean(sentence).into_owned();
    match sentence.rsplit_once(": ") {
        Some((before, command)) => vec![plain(format!("{before}: ")), styled(STRONG, command)],
        None => vec![plain(sentence)],
    }
}

/// `12 min ago`. A clock that was set back makes no difference worth a word.
pub(super) fn ago(now: Timestamp, then: Timestamp) -> String {
    format!("{} ago", since_then(now, then))
}

/// `12 min`.
pub(super) fn since_then(now: Timestamp, then: Timestamp) -> String {
    in_words(Duration::try_from(now.duration_since(then)).unwrap_or_default())
}
