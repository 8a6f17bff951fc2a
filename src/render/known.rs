//! What is known to fail.

use jiff::Timestamp;

use super::layout::{Layout, plain, styled};
use super::page::{CAREFUL, LABEL, STRONG, instruction};
use super::{clean, count};
use crate::core::status::{Mode, Status, StillFailing};

/// How many packages the page shows before it refers to `gbsup failures`.
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
}

fn still(page: &mut Layout, failing: &StillFailing) {
    let since = format!(" since {} ({})", day(failing.since), failing.class.name());
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
        page.row("kind", LABEL, &[plain(failing.class.name())]);
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

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}
