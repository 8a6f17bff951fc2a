//! The cycles, and one of them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use maud::{Markup, html};

use super::gantt::gantt;
use super::parts::{between, coded, failed_log, linked, log, moment, newest_log, package, seconds, text};
use super::{Builder, Page};
use crate::model::ccache::CacheUse;
use crate::model::records::{CycleRow, Outcome, PackageOutcome, PackageRow};
use crate::render::reason;

/// The cycles, the newest first; `now` is when the list is read.
#[must_use]
pub fn cycles(builder: Builder<'_>, now: Timestamp) -> Page {
    let list = html! {
        h1 { "Cycles" }
        @if builder.cycles.is_empty() { p { "No cycle is known yet." } }
        @else {
            table.many {
                thead { tr {
                    th scope="col" { "cycle" } th.n scope="col" { "built" } th.n.wide scope="col" { "binary" }
                    th.n scope="col" { "failed" } th.n scope="col" { "took" } th.n.wide scope="col" { "predicted" }
                } }
                tbody { @for (index, cycle) in builder.cycles.iter().enumerate() { (row(cycle, index == 0, now)) } }
            }
        }
    };
    Page {
        title: format!("Cycles · {}", builder.name),
        below: "/cycles/",
        parts: vec![("list", list)],
        ..Page::default()
    }
}

fn row(cycle: &CycleRow, newest: bool, now: Timestamp) -> Markup {
    html! {
        tr {
            th scope="row" {
                a href={ "/cycles/" (cycle.id) } { (cycle.id) } ", " (outcome(cycle, newest))
                div.why { (moment(cycle.started)) ", " (text(reason(&cycle.reason))) }
                @for release in &cycle.releases { div.why { "release " a href={ "/releases/" (coded(&release.release)) "/" } { (text(&release.release)) } } }
            }
            td.n { (cycle.built()) }
            td.n.wide { (cycle.binary()) }
            td.n { @if cycle.failed() > 0 { span.bad { (cycle.failed()) } } @else { "0" } }
            td.n { (took(cycle, newest, now)) }
            td.n.wide { @if let Some(first) = cycle.predictions.first() { (seconds(first.eta.likely)) } }
        }
    }
}

fn outcome(cycle: &CycleRow, newest: bool) -> Markup {
    html! {
        @match cycle.outcome {
            Some(Outcome::Done) => "done",
            Some(outcome) => span.bad { (outcome) },
            None if newest => "not over",
            None => span.dim { "unknown" },
        }
    }
}

fn took(cycle: &CycleRow, newest: bool, now: Timestamp) -> Markup {
    html! {
        @match cycle.ended {
            Some(ended) => (between(cycle.started, ended)),
            None if newest && cycle.outcome.is_none() => { (between(cycle.started, now)) " so far" }
            None => span.dim { "?" },
        }
    }
}

/// One of the cycles, and how it differs from the one before; nothing when it is not known.
#[must_use]
pub fn cycle(builder: Builder<'_>, id: u64, now: Timestamp) -> Option<Page> {
    let at = builder.cycles.iter().position(|cycle| cycle.id == id)?;
    let (cycle, before) = (builder.cycles[at], builder.cycles.get(at + 1).copied());
    let newer = at.checked_sub(1).and_then(|at| builder.cycles.get(at)).map(|cycle| cycle.id);
    let newest = at == 0;
    let head = html! {
        h1 { "Cycle " (cycle.id) ", " (outcome(cycle, newest)) }
        p.sub {
            span { "began " (moment(cycle.started)) " (" (text(reason(&cycle.reason))) ")" }
            span { "took " (took(cycle, newest, now)) }
            span { (cycle.built()) " built, " (cycle.binary()) " from binary packages, " (cycle.failed()) " failed" }
            @if let Some(share) = cycle.ccache.and_then(CacheUse::share) { span { (share) " files from ccache" } }
            @if let Some(files) = cycle.files { span { (files.in_words()) } }
            @for release in &cycle.releases {
                span { "release " a href={ "/releases/" (coded(&release.release)) "/" } { (text(&release.release)) } }
            }
        }
        p.sub {
            @if let Some(before) = before { a href={ "/cycles/" (before.id) } { "the one before" } }
            @if let Some(newer) = newer { a href={ "/cycles/" (newer) } { "the one after" } }
        }
    };
    let until = cycle.ended.unwrap_or(if newest { now } else { last(cycle) });
    Some(Page {
        title: format!("Cycle {} · {}", cycle.id, builder.name),
        below: "/cycles/",
        parts: vec![
            ("head", head),
            ("when", gantt(cycle, until)),
            ("differs", differs(cycle, before)),
            ("packages", packages(cycle, builder.logs, newest)),
            ("predicted", predicted(cycle)),
            ("remedies", remedies(cycle)),
            ("steps", steps(cycle, builder.logs, now)),
        ],
        ..Page::default()
    })
}

/// When something happened last in a cycle of which nobody saw the end.
fn last(cycle: &CycleRow) -> Timestamp {
    let steps = cycle.steps.iter().map(|step| step.ended.unwrap_or(step.started));
    let packages = cycle.packages.iter().map(|package| package.ended);
    steps.chain(packages).max().unwrap_or(cycle.started)
}

fn failures(cycle: &CycleRow) -> BTreeSet<&str> {
    let failed = cycle.packages.iter().filter(|package| package.outcome == PackageOutcome::Failed);
    failed.map(|package| package.package.as_str()).collect()
}

/// What fails for the first time, and what does not fail any more.
fn differs(cycle: &CycleRow, before: Option<&CycleRow>) -> Markup {
    let Some(before) = before else { return html! {} };
    let (now, then) = (failures(cycle), failures(before));
    let name = |package: &str| package.rsplit_once('-').map_or(package, |(name, _)| name).to_owned();
    let built: BTreeSet<String> = cycle
        .packages
        .iter()
        .filter(|package| package.outcome == PackageOutcome::Built)
        .map(|package| name(&package.package))
        .collect();
    let new: Vec<_> = now.difference(&then).collect();
    let repaired: Vec<_> = then.difference(&now).filter(|package| built.contains(&name(package))).collect();
    html! {
        @if !new.is_empty() || !repaired.is_empty() {
            section aria-labelledby="h-differs" {
                h2 #h-differs { "Since cycle " (before.id) }
                ul.plain {
                    @for one in new { li { (package(one)) span.bad { " fails, and did not" } } }
                    @for one in repaired { li { (package(one)) " is repaired" } }
                }
            }
        }
    }
}

fn packages(cycle: &CycleRow, logs: Option<&str>, newest: bool) -> Markup {
    if cycle.packages.is_empty() {
        return html! {};
    }
    let mut rows: Vec<&PackageRow> = cycle.packages.iter().collect();
    rows.sort_by_key(|row| (row.outcome == PackageOutcome::Built, row.started));
    html! {
        section aria-labelledby="h-packages" {
            h2 #h-packages { "Packages" }
            table {
                thead { tr {
                    th scope="col" { "package" } th scope="col" { "outcome" } th.n.wide scope="col" { "began" } th.n scope="col" { "took" }
                } }
                tbody {
                    @for row in rows {
                        tr {
                            th scope="row" {
                                (linked(&row.package))
                                @if let Some(files) = row.files { div.why { (files.in_words()) } }
                                @if row.outcome == PackageOutcome::Failed {
                                    @if let Some(message) = &row.message { div.why { (text(message)) } }
                                    @if let Some(path) = &row.log { div.why { (failed_log(logs, path)) } }
                                } @else if let (Some(_), Some(path)) = (logs, &row.log) { div.why { (log(logs, path)) } }
                                @else if let Some(address) = newest_log(logs, row).filter(|_| newest) { div.why { a href=(address) { "log" } } }
                            }
                            td { @match (row.outcome, row.binary) {
                                (PackageOutcome::Failed, _) => span.bad { "failed" },
                                (PackageOutcome::Built, true) => "binary",
                                (PackageOutcome::Built, false) => "built",
                            } }
                            td.n.wide { (moment(row.started)) }
                            td.n { (between(row.started, row.ended)) }
                        }
                    }
                }
            }
        }
    }
}

fn predicted(cycle: &CycleRow) -> Markup {
    html! {
        @if !cycle.predictions.is_empty() {
            section aria-labelledby="h-predicted" {
                h2 #h-predicted { "Predicted" }
                table {
                    thead { tr { th scope="col" { "at" } th.n scope="col" { "packages" } th.n scope="col" { "predicted" } th.n scope="col" { "took" } } }
                    tbody {
                        @for one in &cycle.predictions {
                            tr {
                                th scope="row" { (moment(one.at)) }
                                td.n { (one.packages) }
                                td.n { (seconds(one.eta.likely)) div.why { span.whole { (seconds(one.eta.low)) " to" } " " span.whole { (seconds(one.eta.high)) } } }
                                td.n { @if let Some(took) = one.took { (seconds(took)) @if !one.in_range() { div.why { "outside" } } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn remedies(cycle: &CycleRow) -> Markup {
    html! {
        @if !cycle.remedies.is_empty() {
            section aria-labelledby="h-remedies" {
                h2 #h-remedies { "What was done about trouble" }
                ul.plain {
                    @for one in &cycle.remedies {
                        li {
                            span.class { (text(&one.class)) } " " (text(&one.what))
                            @if let Some(outcome) = one.outcome { span.dim { ", " @if outcome == Outcome::Done { "which helped" } @else { (outcome) } } }
                            @if !one.packages.is_empty() { div.why { (text(&one.packages.join(", "))) } }
                        }
                    }
                }
            }
        }
    }
}

fn steps(cycle: &CycleRow, logs: Option<&str>, now: Timestamp) -> Markup {
    html! {
        section aria-labelledby="h-steps" {
            h2 #h-steps { "Steps" }
            table {
                thead { tr { th scope="col" { "step" } th scope="col" { "outcome" } th.n.wide scope="col" { "began" } th.n scope="col" { "took" } } }
                tbody {
                    @for step in &cycle.steps {
                        tr {
                            th scope="row" { (text(&step.step)) @if let Some(path) = &step.log { div.why { (log(logs, path)) } } }
                            td { @match step.outcome {
                                Some(Outcome::Done) => "done",
                                Some(outcome) => span.bad { (outcome) },
                                None => "",
                            } }
                            td.n.wide { (moment(step.started)) }
                            td.n { @match (step.ended, step.outcome) {
                                (Some(ended), _) => (between(step.started, ended)),
                                (None, None) if cycle.outcome.is_none() => { (between(step.started, now)) " so far" }
                                _ => "?",
                            } }
                        }
                    }
                }
            }
        }
    }
}
