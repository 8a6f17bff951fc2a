//! What stands beside the state on the first page: what is offered and to whom, the cycles before, where the builder lives.

use jiff::Timestamp;
use maud::{Markup, html};

use super::first;
use super::parts::{ago, between, coded, log_address, moment, seconds, since, text};
use crate::model::failure::Class;
use crate::model::records::CycleRow;
use crate::model::status::{Status, size};
use crate::render::ccache;

/// How many of each kind are shown before the page refers to where all of them are.
const CYCLES: usize = 6;
const CLIENTS: usize = 15;

/// What there is to have while nobody knows what it is.
pub(super) fn published() -> Markup {
    html! {
        section aria-labelledby="h-offer" {
            h2 #h-offer { "On offer" }
            ul.plain {
                li { a href="/releases/" { "the releases" } }
                li { a href="/packages/" { "the packages" } }
                li { a href="/client.sh" { "the script for a client" } }
            }
        }
    }
}

pub(super) fn offer(status: &Status) -> Markup {
    html! {
        section aria-labelledby="h-offer" {
            h2 #h-offer { "On offer" }
            @match &status.release {
                Some(release) => {
                    p {
                        a href={ "/releases/" (coded(&release.id)) "/" } { (text(&release.id)) }
                        ", " (release.packages) @if release.packages == 1 { " package" } @else { " packages" }
                    }
                    p.sub { span {
                        "published " (ago(status.now, release.published))
                        @if let Some(again) = &release.again {
                            ", what " (text(again)) " offered, since somebody rolled back to it"
                        }
                    } }
                }
                None if is_refused(status) => {
                    p.dim { "Nothing while the volume is not used; what is on it is not touched." }
                }
                None => p.dim { "Nothing yet. What is built is offered when the cycle is done." },
            }
            @if !is_refused(status) { p.sub { a href="/client.sh" { "the script for a client" } } }
        }
    }
}

/// Whether the volume is not used, so that nothing of it is known. A cycle begins on one that is.
fn is_refused(status: &Status) -> bool {
    let failures = status.pause.as_ref().map(|pause| pause.failures.as_slice()).unwrap_or_default();
    status.cycle.is_none() && failures.iter().any(|failure| failure.class == Class::Volume)
}

/// How what is offered fits the clients that are known, in numbers: which packages, and why, is told in the container alone.
pub(super) fn clients(status: &Status) -> Markup {
    if status.clients.is_empty() {
        return html! {};
    }
    let (shown, more) = first(&status.clients, CLIENTS);
    html! {
        section aria-labelledby="h-clients" {
            h2 #h-clients { "Clients" }
            table {
                thead { tr { th scope="col" { "client" } th.n scope="col" { "offered" } th.n scope="col" { "compiled" } th.n scope="col" { "takes" } } }
                tbody {
                    @for client in shown { tr {
                        @match (&client.release, &client.problem) {
                            (None, _) => th scope="row" colspan="4" { (text(&client.name)) div.why { "not rehearsed yet" } },
                            (_, Some(_)) => th scope="row" colspan="4" {
                                (text(&client.name)) div.why { "not known: " code { "gbsup clients " (text(&client.name)) } }
                            },
                            (Some(release), None) => {
                                th scope="row" {
                                    (text(&client.name))
                                    @if !is_current(status, release) { div.why { "of " (text(release)) } }
                                }
                                td.n { (client.binary) }
                                td.n { @if client.compiled > 0 { strong { (client.compiled) } } @else { "0" } }
                                td.n { @if let Some(takes) = client.seconds.filter(|_| client.compiled > 0) { (seconds(takes)) } }
                            }
                        }
                    } }
                }
            }
            @if more > 0 { p.sub { "and " (more) " more: " code { "gbsup clients" } } }
        }
    }
}

fn is_current(status: &Status, release: &str) -> bool {
    status.release.as_ref().is_some_and(|current| current.id == release)
}

pub(super) fn cycles(cycles: &[&CycleRow], now: Timestamp) -> Markup {
    // The one at work is what the page is about.
    let over: Vec<_> = cycles.iter().filter(|cycle| cycle.outcome.is_some()).take(CYCLES).collect();
    if over.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="h-cycles" {
            h2 #h-cycles { "Cycles" }
            table {
                thead { tr { th scope="col" { "cycle" } th.n scope="col" { "built" } th.n scope="col" { "failed" } th.n scope="col" { "took" } } }
                tbody {
                    @for cycle in over {
                        tr {
                            th scope="row" { a href={ "/cycles/" (cycle.id) } { (cycle.id) } div.why { (ago(now, cycle.started)) } }
                            td.n { (cycle.built()) }
                            td.n { @if cycle.failed() > 0 { span.bad { (cycle.failed()) } } @else { "0" } }
                            td.n { @if let Some(ended) = cycle.ended { (between(cycle.started, ended)) } @else { "?" } }
                        }
                    }
                }
            }
            p.sub { a href="/cycles/" { "all cycles" } }
        }
    }
}

pub(super) fn around(status: &Status, logs: Option<&str>) -> Markup {
    html! {
        section aria-labelledby="h-around" {
            h2 #h-around { "Around" }
            dl.facts {
                @if let Some(helpers) = &status.helpers { dt { "helpers" } dd { (helpers.in_words()) } }
                @if !is_refused(status) {
                    dt { "synced" }
                    dd {
                        @match status.sync.last { Some(last) => (ago(status.now, last)), None => "never" }
                        @if let Some(since) = status.sync.stale_since { span.bad { ", failing for " (self::since(since, status.now)) } }
                    }
                }
                @for one in &status.sync.repositories {
                    dt.sub { (text(&one.name)) }
                    dd {
                        @if let Some(revision) = &one.revision { code { (text(revision).chars().take(12).collect::<String>()) } " " }
                        @match one.last { Some(last) => (ago(status.now, last)), None => "never" }
                        @if let Some(error) = &one.error { div.why.bad { (text(error)) } }
                    }
                }
                @if let Some(used) = status.ccache { dt { "ccache" } dd { (ccache::sentence(used)) } }
                (volume(status))
                @if let Some(path) = &status.log {
                    dt { "log" }
                    dd { @match logs.and_then(|logs| log_address(logs, path)) {
                        Some(address) => a href=(address) { "of the step" },
                        None => code { (text(path)) },
                    } }
                }
                dt { "step" }
                dd { (text(&status.step)) ", for " (since(status.since, status.now)) }
            }
        }
    }
}

/// The same of a builder without a supervisor, of which little is known.
pub(super) fn around_degraded(status: &Status) -> Markup {
    html! {
        section aria-labelledby="h-around" {
            h2 #h-around { "Around" }
            dl.facts {
                (volume(status))
                dt { "since" }
                dd { (moment(status.since)) }
            }
        }
    }
}

fn volume(status: &Status) -> Markup {
    html! {
        dt { "volume" }
        dd {
            (size(status.volume.free)) " free at " code { (text(&status.volume.path)) }
            @if !status.volume.mounted { div.why.bad { "nothing is mounted there" } }
        }
    }
}
