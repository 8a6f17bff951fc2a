//! What failed, what is known to fail, and what a person skips.

use anstyle::Style;
use jiff::Timestamp;

use super::layout::{Layout, Look, plain, styled};
use super::style::{BAD, CAREFUL, LABEL, STRONG, instruction};
use super::table::{Shape, table};
use super::{clean, count};
use crate::model::failure::Failure;
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

/// Failures with the ebuild's words, the evidence, the log and what to type, and then what still fails.
#[must_use]
pub fn failures(failures: &[Failure], known: &[StillFailing], look: Look) -> String {
    let mut page = Layout::new(look);
    if !failures.is_empty() {
        page.paragraph(0, &[styled(STRONG, format!("{}:", count(failures.len(), "failure")))]);
    }
    for failure in failures {
        page.gap();
        let name = failure.package.as_deref().map_or_else(|| failure.class.to_string().into(), clean);
        page.paragraph(2, &[styled(STRONG, name)]);
        page.row("what", LABEL, &[styled(BAD, clean(&failure.message))]);
        // `compile` says it already.
        let phase = failure.phase.as_deref().filter(|phase| **phase != failure.class.to_string());
        let phase = phase.map(|phase| format!(", in the {} phase", clean(phase)));
        page.row("kind", LABEL, &[plain(format!("{}{}", failure.class, phase.unwrap_or_default()))]);
        for (index, evidence) in failure.evidence.iter().enumerate() {
            page.row(if index == 0 { "evidence" } else { "" }, LABEL, &[plain(clean(evidence))]);
        }
        if let Some(log) = &failure.log {
            page.row("log", LABEL, &[plain(clean(log))]);
        }
        for (index, suggestion) in failure.suggestions.iter().enumerate() {
            page.row(if index == 0 { "try" } else { "" }, LABEL, &[styled(STRONG, clean(suggestion))]);
        }
    }
    if !known.is_empty() {
        in_full(&mut page, known);
    }
    page.finish()
}
