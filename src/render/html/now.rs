//! The first page: how the builder is, from the first second of its first build.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::parts::{
    ago, between, clock, coded_log, counting, failed_log, figure, instruction, line, linked, moment,
    newest_log, package, seconds, since, text,
};
use super::{Builder, Page, Tone, beside, first};
use crate::model::failure::{Class, Failure};
use crate::model::records::PackageOutcome;
use crate::model::status::{Mode, Progress, Status, kind};
use crate::model::told::Left;
use crate::model::work::Step;
use crate::render::plan::totals;
use crate::render::{headline, reason, reasons_in_short};

/// How many of each kind are shown before the page refers to where all of them are.
const LEFT: usize = 12;
const FAILED: usize = 25;
const KNOWN: usize = 15;
const SENTENCES: usize = 15;
const RECENT: usize = 8;
/// A builder at work that was not heard for so long may be stuck.
const SILENT: SignedDuration = SignedDuration::from_secs(20);

/// The page; `now` is when it is read.
#[must_use]
pub fn now(builder: Builder<'_>, now: Timestamp) -> Page {
    let mut page = Page { below: "/", live: Some("/api/v1/events?page"), ..Page::default() };
    let Some(status) = builder.status else {
        page.title = format!("{} · packages", builder.name);
        page.live = None;
        page.parts = vec![("head", alone())];
        return page;
    };
    let (state, rest) = headline(status);
    page.title = format!("{state}: {} · {}", short(status), builder.name);
    page.tone = Tone::of(status);
    page.key = format!("{state} {}", text(&status.step));
    page.parts = vec![
        ("head", head(&state, &rest, status, now)),
        ("todo", todo(status)),
        ("warned", warned(status)),
        ("progress", progress(status)),
    ];
    if status.state == Mode::Degraded {
        // Nobody is there who knows more.
        page.column = vec![("offer", beside::published())];
        page.aside = vec![("around", beside::around_degraded(status))];
        return page;
    }
    page.column = vec![
        ("jobs", jobs(status, builder.logs)),
        ("failed", failed(status, builder.logs)),
        ("next", next(builder.left)),
        ("comes", comes(builder, status)),
        ("recent", recent(builder, status.now)),
        ("known", known(status, builder.logs)),
        ("done", done(status)),
    ];
    page.aside = vec![
        ("offer", beside::offer(status)),
        ("clients", beside::clients(status)),
        ("cycles", beside::cycles(builder.cycles, status.now)),
        ("around", beside::around(status, builder.logs)),
    ];
    page
}

/// What fits into a tab.
fn short(status: &Status) -> String {
    match (status.state, status.progress) {
        (Mode::Running | Mode::Paused, Progress { total, done, .. }) if total > 0 => {
            format!("{done} of {total}")
        }
        _ => status.step.clone(),
    }
}

/// A server with a volume and no builder.
fn alone() -> Markup {
    html! {
        h1 { "This server hands out packages." }
        p.sub { "No builder tells it how it is: it runs by itself, with the volume of one." }
        ul.plain {
            li { a href="/binpkgs/" { "The packages on offer" } }
            li { a href="/releases/" { "All releases" } }
        }
    }
}

fn head(state: &str, rest: &str, status: &Status, now: Timestamp) -> Markup {
    let silent = now.duration_since(status.now);
    let works = matches!(status.state, Mode::Starting | Mode::Running | Mode::Stopping);
    html! {
        h1 { span.state { (state) ":" } " " (words(rest, status)) }
        p.sub {
            @if let Some(cycle) = &status.cycle {
                span { "cycle " a href={ "/cycles/" (cycle.id) } { (cycle.id) } ", began " (ago(status.now, cycle.started))
                    " (" (text(reason(&cycle.reason))) ")" }
            }
            @if let Some(next) = status.next_cycle { span { "next cycle at " (moment(next)) } }
            @if !status.pending.is_empty() { span { "asked for: " (text(&status.pending.join(", "))) } }
        }
        @if works && silent > SILENT {
            p.warn { "The supervisor was last heard " (since(status.now, now)) " ago; this is as it was then." }
        }
    }
}

/// The headline, in which the time of the package at work goes on.
fn words(rest: &str, status: &Status) -> Markup {
    let rest = text(rest);
    let counted = status.jobs.first().and_then(|job| {
        let before = format!("({}, ", text(&job.phase));
        let (first, after) = rest.split_once(&before)?;
        let after = after.strip_prefix(&seconds(job.elapsed))?;
        Some(html! { (first) (before) (counting(job.elapsed)) (after) })
    });
    counted.unwrap_or_else(|| html! { (rest) })
}

/// What a person is to do, with what to type.
fn todo(status: &Status) -> Markup {
    if status.state == Mode::Degraded {
        return degraded();
    }
    let Some(pause) = &status.pause else { return html! {} };
    html! {
        section.todo aria-labelledby="h-todo" {
            h2 #h-todo { "To do" }
            ol { @for action in &pause.actions { li { (instruction(action)) } } }
            p.sub { "Typed in the container: " code { "docker exec -it NAME bash" } }
            @if let Some(until) = pause.until { p.sub { "It goes on by itself in " (between(status.now, until)) "." } }
        }
    }
}

/// What a person is to do when there is no supervisor.
fn degraded() -> Markup {
    html! {
        section.todo aria-labelledby="h-todo" {
            h2 #h-todo { "To do" }
            ol {
                li { span { "Read why it dies: " } code.cmd { "docker logs --tail 50 NAME" } }
                li { span { "Have it tried again: " } code.cmd { "docker exec NAME gbsup resume" } }
                li { span { "Or go back to the image that worked, with the same volume." } }
            }
            p.sub { "Nothing is built until then. What is published stays on offer, and no package that was finished is lost." }
        }
    }
}

fn warned(status: &Status) -> Markup {
    let (shown, more) = first(&status.warnings, SENTENCES);
    html! {
        @for warning in shown { p.warn { (text(warning)) } }
        @if more > 0 { p.sub { "and " (more) " more: " code { "gbsup status --json" } } }
    }
}

fn progress(status: &Status) -> Markup {
    let progress = &status.progress;
    let over = matches!(status.state, Mode::Waiting | Mode::Degraded);
    if over || progress.total == 0 && progress.done == 0 && progress.failed == 0 {
        return html! {};
    }
    let building = matches!(status.step.as_str(), "build" | "rebuild") && !status.jobs.is_empty();
    html! {
        section aria-label="Progress" {
            (bar(progress, status.jobs.len()))
            dl.figures {
                (figure(progress.done, if progress.binary > 0 { "done" } else { "built" }, "well"))
                @if progress.failed > 0 { (figure(progress.failed, "failed", "bad")) }
                (figure(progress.left(), "to go", ""))
                @match progress.eta {
                    Some(eta) => {
                        @match eta.in_short(progress.left()) {
                            Some(likely) => (figure(text(&likely), "time left", "time")),
                            None => (figure("unknown", "time left", "time")),
                        }
                    }
                    None if building => (figure("unknown", "time left", "time")),
                    None => {}
                }
            }
            p.sub {
                @match progress.eta {
                    Some(eta) if eta.in_short(progress.left()).is_some() => {
                        span { "done between " (clock(after(status.now, eta.low))) " and " (clock(after(status.now, eta.high))) }
                        @if eta.unknown > 0 {
                            span { (eta.unknown) " of the packages were never built here" }
                        }
                    }
                    Some(eta) => span { (eta.in_full(progress.left())) },
                    None if building => span { "nothing was built here before, so it is not known how long that takes" },
                    None => {}
                }
                @if progress.binary > 0 { span { (progress.source) " built, " (progress.binary) " from binary packages" } }
                @if let Some(plan) = status.plan.filter(|plan| plan.packages > 0) { span { "planned: " (totals(plan)) } }
            }
        }
    }
}

fn after(now: Timestamp, seconds: u64) -> Timestamp {
    let seconds = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    now.checked_add(seconds).unwrap_or(Timestamp::MAX)
}

/// What is done, failed, in work and to come of all packages, from the left.
fn bar(progress: &Progress, at_work: usize) -> Markup {
    let total = progress.total.max(progress.done + progress.failed).max(1);
    let width = |packages: u64| packages.saturating_mul(1000) / total;
    // Neither a failure nor what is in work is too small to be seen.
    let failed = if progress.failed > 0 { width(progress.failed).max(6) } else { 0 };
    let done = width(progress.done).min(1000 - failed);
    let left = 1000 - done - failed;
    let working = u64::try_from(at_work).unwrap_or(u64::MAX);
    let now = if at_work > 0 { width(working).max(6).min(left) } else { 0 };
    let label =
        format!("{} of {total} packages done, {} failed, {at_work} in work", progress.done, progress.failed);
    html! {
        svg.bar viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label=(label) {
            rect.none width="1000" height="10" {}
            rect.ok width=(done) height="10" {}
            rect.bad x=(done) width=(failed) height="10" {}
            rect.now x=(done + failed) width=(now) height="10" {}
        }
    }
}

fn jobs(status: &Status, logs: Option<&str>) -> Markup {
    if status.jobs.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="h-jobs" {
            h2 #h-jobs { "At work" }
            table {
                thead { tr { th scope="col" { "package" } th scope="col" { "phase" } th.n scope="col" { "for" } th.n scope="col" { "of about" } } }
                tbody {
                    @for job in &status.jobs {
                        tr {
                            th scope="row" {
                                @if logs.is_some() { a href=(coded_log(&format!("newest/{}", job.package))) { (package(&job.package)) } }
                                @else { (package(&job.package)) }
                                @if let Some(files) = job.files { div.why { (files.in_words()) } }
                                @if let Some(estimate) = job.estimate {
                                    (line(job.elapsed, estimate, job.elapsed > estimate.saturating_mul(3) / 2))
                                }
                            }
                            td { (text(&job.phase)) @if job.binary { span.dim { ", binary" } } }
                            td.n { (counting(job.elapsed)) }
                            td.n { @match job.estimate { Some(estimate) => (seconds(estimate)), None => span.dim { "unknown" } } }
                        }
                    }
                }
            }
        }
    }
}

/// What failed and what could not be tried without it.
fn failed(status: &Status, logs: Option<&str>) -> Markup {
    let failures = status.pause.as_ref().map_or(status.failed.as_slice(), |pause| pause.failures.as_slice());
    let (not_tried, failed): (Vec<_>, Vec<_>) =
        failures.iter().partition(|failure| failure.class == Class::NotTried);
    if failures.is_empty() {
        return html! {};
    }
    let (shown, more) = first(&failed, FAILED);
    let (untried, more_untried) = first(&not_tried, FAILED);
    html! {
        section aria-labelledby="h-failed" {
            h2 #h-failed { "Failed" }
            @for failure in shown { (one(failure, logs)) }
            @if more > 0 { p.sub { "and " (more) " more: " code { "gbsup failures" } } }
            @if !not_tried.is_empty() {
                h3 { "Not tried because of that" }
                ul.plain {
                    @for failure in untried {
                        li { (package(failure.package.as_deref().unwrap_or_default())) " " span.dim { (text(&failure.message)) } }
                    }
                    @if more_untried > 0 { li.dim { "and " (more_untried) " more" } }
                }
            }
        }
    }
}

fn one(failure: &Failure, logs: Option<&str>) -> Markup {
    let name = failure.package.as_deref().unwrap_or_default();
    html! {
        article.failure {
            p {
                @if !name.is_empty() { (linked(name)) " " }
                span.class { (text(&kind(failure.class, failure.phase.as_deref()))) }
            }
            p.words { (text(&failure.message)) }
            @if let Some(path) = &failure.log { p.sub { span { (failed_log(logs, path)) } } }
            @if !failure.evidence.is_empty() {
                details data-key=(text(name)) {
                    summary { "the lines that show it" }
                    pre tabindex="0" { @for line in &failure.evidence { (text(line)) "\n" } }
                }
            }
            @if !failure.suggestions.is_empty() {
                ul.try { @for suggestion in &failure.suggestions { li { code.cmd { (text(suggestion)) } } } }
            }
        }
    }
}

fn next(left: &[Left]) -> Markup {
    if left.is_empty() {
        return html! {};
    }
    let (shown, more) = first(left, LEFT);
    html! {
        section aria-labelledby="h-next" {
            h2 #h-next { "Next" }
            (list(shown))
            @if more > 0 { p.sub { a href="/plan/" { "all " (left.len()) } } }
        }
    }
}

/// What happens before there is anything to show: a first cycle has to get to its plan.
fn comes(builder: Builder<'_>, status: &Status) -> Markup {
    let begins = matches!(status.state, Mode::Starting | Mode::Running);
    if !begins || status.release.is_some() || status.progress.total > 0 || !builder.left.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="h-comes" {
            h2 #h-comes { "The first cycle" }
            ol.plain {
                @for step in Step::all() {
                    @let now = step.to_string() == status.step;
                    li aria-current=[now.then_some("step")] { (step.doing()) }
                }
            }
            p.sub { "The packages are shown here once it is worked out which they are." }
        }
    }
}

/// Packages that are still to be merged, in order.
pub(super) fn list(left: &[Left]) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "package" } th scope="col" { "from" } th.n scope="col" { "takes" } } }
            tbody {
                @for one in left {
                    tr {
                        th scope="row" {
                            (package(&one.package))
                            @if !one.before.is_empty() { " " span.dim.was { "(was " (text(&one.before.join(", "))) ")" } }
                            @let why = reasons_in_short(&one.why, &one.use_changes);
                            @if !why.is_empty() { div.why { (text(&why)) } }
                        }
                        td { @if one.binary { "binary" } @else { "source" } }
                        td.n { @match one.takes { Some(takes) => (seconds(takes)), None => span.dim { "unknown" } } }
                    }
                }
            }
        }
    }
}

/// What is known to fail and is left out.
fn known(status: &Status, logs: Option<&str>) -> Markup {
    if status.known.is_empty() && status.skipped.is_empty() {
        return html! {};
    }
    let (shown, more) = first(&status.known, KNOWN);
    html! {
        section aria-labelledby="h-known" {
            h2 #h-known { "Left out" }
            ul.plain {
                @for one in shown {
                    li {
                        (linked(&one.package)) " "
                        span.class { (text(&kind(one.class, one.phase.as_deref()))) }
                        div.why { (text(&one.message)) "; failing for " (since(one.since, status.now)) }
                        @if let Some(path) = &one.log { div.why { (failed_log(logs, path)) } }
                    }
                }
                @if more > 0 { li.dim { "and " (more) " more: " code { "gbsup failures" } } }
                @for one in &status.skipped {
                    li { (package(&one.package)) span.dim { " skipped until another version than " (text(&one.version)) " is offered" } }
                }
            }
        }
    }
}

/// What was done about trouble, and what changed.
fn done(status: &Status) -> Markup {
    if status.remedies.is_empty() && status.changes.is_empty() {
        return html! {};
    }
    let (remedies, more_remedies) = first(&status.remedies, SENTENCES);
    let (changes, more_changes) = first(&status.changes, SENTENCES);
    html! {
        section aria-labelledby="h-done" {
            h2 #h-done { "Of note" }
            ul.plain {
                @for sentence in remedies.iter().chain(changes) { li { (text(sentence)) } }
                @if more_remedies + more_changes > 0 {
                    li.dim { "and " (more_remedies + more_changes) " more: " code { "gbsup status --json" } }
                }
            }
        }
    }
}

/// What was merged last, the newest first.
fn recent(Builder { cycles, logs, .. }: Builder<'_>, now: Timestamp) -> Markup {
    let Some(cycle) = cycles.iter().find(|cycle| !cycle.packages.is_empty()) else { return html! {} };
    let built = cycle.packages.iter().rev().filter(|package| package.outcome == PackageOutcome::Built);
    let built: Vec<_> = built.take(RECENT).collect();
    html! {
        @if !built.is_empty() {
            section aria-labelledby="h-recent" {
                h2 #h-recent { "Done lately" }
                table {
                    thead { tr { th scope="col" { "package" } th scope="col" { "from" } th.n scope="col" { "took" } } }
                    tbody {
                        @for one in built {
                            tr {
                                th scope="row" {
                                    (package(&one.package))
                                    div.why {
                                        (ago(now, one.ended))
                                        @if let Some(address) = newest_log(logs, one) { ", " a href=(address) { "log" } }
                                    }
                                }
                                td { @if one.binary { "binary" } @else { "source" } }
                                td.n { (between(one.started, one.ended)) }
                            }
                        }
                    }
                }
                p.sub { a href={ "/cycles/" (cycle.id) } { "all of cycle " (cycle.id) } }
            }
        }
    }
}
