//! What is known to fail, and what a person skips.

use anstyle::Style;
use jiff::Timestamp;

use super::layout::{Layout, Look, plain, styled};
use super::style::{CAREFUL, LABEL, STRONG, instruction};
use super::table::{Shape, table};
use super::{clean, count};
use crate::model::status::{Mode, Skipped, Status, StillFailing, kind};

/// How many packages of a kind the page shows before it refers to `gbsup failures` or `gbsup skip`.
const SHOWN: usize = 5;

/// What brings a package back that is known to fail.
const BACK: &str = "tried again when what goes into it changes, or on request: gbsup resume";

/// The part of the page about them.
pub(super) fn rows(page: &mut Layout, status: &Status) {
    for failing in status.known.iter().take(SHOWN) {
        still(page, failing);
    }
    if status.known.len() > SHOWN {
        page.row("", LABEL, &[plain(format!("and {} more: gbsup failures", status.known.len() - SHOWN))]);
    }
    if !status.known.is_empty() && status.state == Mode::Waiting {
        page.row("", LABEL, &instruction(BACK));
    }
    for (index, skipped) in status.skipped.iter().take(SHOWN).enumerate() {
        let text = format!(
            "{} until another version than {} is offered",
            clean(&skipped.package),
            clean(&skipped.version)
        );
        page.row(if index == 0 { "skipped" } else { "" }, CAREFUL, &[plain(text)]);
    }
    if status.skipped.len() > SHOWN {
        page.row("", LABEL, &[plain(format!("and {} more: gbsup skip", status.skipped.len() - SHOWN))]);
    }
}

fn still(page: &mut Layout, failing: &StillFailing) {
    let kind = kind(failing.class, failing.phase.as_deref());
    let since = format!(" since {} ({})", day(failing.since), clean(&kind));
    page.row("failing", CAREFUL, &[styled(STRONG, clean(&failing.package)), plain(since)]);
    page.row("", LABEL, &[plain(clean(&failing.message))]);
    if let Some(log) = &failing.log {
        page.row("", LABEL, &[plain(clean(log))]);
    }
}

/// What still fails, in full.
pub(super) fn in_full(page: &mut Layout, known: &[StillFailing]) {
    page.gap();
    page.paragraph(0, &[styled(STRONG, format!("{} still failing:", count(known.len(), "package")))]);
    for failing in known {
        page.gap();
        page.paragraph(2, &[styled(STRONG, clean(&failing.package))]);
        page.row("what", LABEL, &[styled(CAREFUL, clean(&failing.message))]);
        page.row("kind", LABEL, &[plain(failing.class.to_string())]);
        let last = if failing.last == failing.since {
            String::new()
        } else {
            format!(", tried last {}", day(failing.last))
        };
        page.row("since", LABEL, &[plain(format!("{}{last}", day(failing.since)))]);
        if let Some(log) = &failing.log {
            page.row("log", LABEL, &[plain(clean(log))]);
        }
    }
    page.gap();
    page.paragraph(0, &instruction(BACK));
}

/// What is skipped, as a table. A pipe gets the same columns, separated by tabs.
#[must_use]
pub fn skipped(status: &Status, look: Look) -> String {
    let row = |skipped: &Skipped| {
        [clean(&skipped.package).into_owned(), clean(&skipped.version).into_owned(), day(skipped.since)]
            .map(|text| (text, Style::new()))
    };
    let rows: Vec<_> = status.skipped.iter().map(row).collect();
    table(["package", "until another version than", "since"], Shape::default(), &rows, look)
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}
