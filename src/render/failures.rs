//! `gbsup failures`: what failed, in full.

use super::known::in_full;
use super::layout::{Layout, Look, plain, styled};
use super::style::{BAD, LABEL, STRONG};
use super::{clean, count};
use crate::model::failure::Failure;
use crate::model::status::StillFailing;

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
