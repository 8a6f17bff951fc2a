//! `gbsup status`: everything that matters about the builder on one page.

use jiff::Timestamp;

use super::layout::{Layout, Look, Span, columns, pad, plain, styled};
use super::plan::totals;
use super::style::{BAD, CAREFUL, GOOD, LABEL, STRONG, ago, instruction, since_then};
use super::{ccache, clean, count, headline, known, reason, size, state_style};
use crate::model::bounds::cut;
use crate::model::failure::Failure;
use crate::model::status::{JobInfo, Mode, Progress, Status};

/// How many failures the page shows before it refers to `gbsup failures`.
const SHOWN_FAILURES: usize = 5;

/// How much of a page there is room for. What to do is on it in any case.
#[derive(Clone, Copy)]
struct Room {
    failures: usize,
    /// How far it is, and what is in work.
    progress: bool,
    /// What is known to fail, the circumstances, and what changed.
    rest: bool,
}

/// From all to the least.
const ROOMS: [Room; 6] = [
    Room { failures: SHOWN_FAILURES, progress: true, rest: true },
    Room { failures: SHOWN_FAILURES, progress: true, rest: false },
    Room { failures: 2, progress: true, rest: false },
    Room { failures: 1, progress: true, rest: false },
    Room { failures: 1, progress: false, rest: false },
    // The headline names the first of them.
    Room { failures: 0, progress: false, rest: false },
];
/// How many remedies and how many warnings it shows before it refers to the whole status.
const SHOWN_SENTENCES: usize = 20;
/// Bytes of a sentence on the page.
const LONGEST: usize = 1000;
/// How many changes it shows before it refers to the whole status.
const SHOWN_CHANGES: usize = 5;

/// The status as a page.
#[must_use]
pub fn page(status: &Status, look: Look) -> String {
    page_with(status, look, ROOMS[0])
}

/// The status as a page of at most so many rows, if that is enough for what holds the builder and what to do about it. As
/// long as nothing does, the rest is cut off at the end by whoever shows it.
#[must_use]
pub fn page_within(status: &Status, look: Look, rows: usize) -> String {
    let mut page = page(status, look);
    if status.pause.is_none() {
        return page;
    }
    for room in &ROOMS[1..] {
        let width = look.width.unwrap_or(usize::MAX);
        if page.lines().map(|line| super::rows(line, width)).sum::<usize>() <= rows {
            break;
        }
        page = page_with(status, look, *room);
    }
    page
}

fn page_with(status: &Status, look: Look, room: Room) -> String {
    let mut page = Layout::new(look);
    let (state, rest) = headline(status);
    page.paragraph(state.len() + 2, &[styled(state_style(status), state), plain(": "), styled(STRONG, rest)]);
    page.gap();
    if room.rest {
        plan(&mut page, status);
    }
    if room.progress {
        progress(&mut page, status);
        jobs(&mut page, &status.jobs);
        page.gap();
    }
    pause(&mut page, status, room.failures);
    if !room.rest {
        return page.finish();
    }
    page.gap();
    known::rows(&mut page, status);
    page.gap();
    around(&mut page, status);
    page.finish()
}

/// The circumstances, and what a person should know besides.
pub(super) fn around(page: &mut Layout, status: &Status) {
    circumstances(page, status);
    if let Some(helpers) = &status.helpers {
        page.row("helpers", LABEL, &[plain(helpers.in_words())]);
    }
    page.gap();
    clients(page, status);
    page.gap();
    changes(page, &status.changes);
    sentences(page, "remedy", &status.remedies);
    sentences(page, "warning", &status.warnings);
}

pub(super) fn progress(page: &mut Layout, status: &Status) {
    let progress = &status.progress;
    if progress.total == 0 && progress.done == 0 && progress.failed == 0 {
        return;
    }
    let mut spans = Vec::new();
    if let Some(columns) = page.columns()
        && status.state != Mode::Waiting
    {
        spans = bar(progress, columns.min(60).saturating_sub(28).clamp(10, 32), page.look());
        spans.push(plain("  "));
    }
    spans.push(styled(STRONG, format!("{} of {}", progress.done, progress.total.max(progress.done))));
    if progress.failed > 0 {
        spans.push(plain(", "));
        spans.push(styled(BAD, format!("{} failed", progress.failed)));
    }
    if progress.binary > 0 {
        spans.push(plain(format!(" ({} built, {} from binaries)", progress.source, progress.binary)));
    }
    page.row("packages", LABEL, &spans);
    if let Some(eta) = progress.eta {
        page.row("left", LABEL, &[plain(eta.in_full(progress.left()))]);
    } else if !status.jobs.is_empty() && matches!(status.step.as_str(), "build" | "rebuild") {
        page.row("left", LABEL, &[plain("time unknown, nothing was built here before")]);
    }
}

/// What the cycle set out to do, as long as it is at it.
fn plan(page: &mut Layout, status: &Status) {
    if let Some(plan) = status.plan.filter(|plan| plan.packages > 0)
        && matches!(status.state, Mode::Running | Mode::Paused)
    {
        page.row("planned", LABEL, &[plain(totals(plan))]);
    }
}

pub(super) fn bar(progress: &Progress, width: usize, look: Look) -> Vec<Span> {
    let total = progress.total.max(progress.done + progress.failed).max(1);
    let cells = |packages: u64| -> usize {
        let cells = u128::from(packages) * width as u128 / u128::from(total);
        usize::try_from(cells).unwrap_or(width).min(width)
    };
    let over = cells(progress.done + progress.failed);
    // A failure is never too small to be seen.
    let failed = cells(progress.failed).max(usize::from(progress.failed > 0)).min(width);
    let done = over.saturating_sub(failed);
    let left = width - done - failed;
    if look.unicode {
        vec![
            styled(GOOD, "━".repeat(done)),
            styled(BAD, "━".repeat(failed)),
            styled(LABEL, if look.colour { "━" } else { "─" }.repeat(left)),
        ]
    } else {
        let bar = format!("[{}{}{}]", "#".repeat(done), "!".repeat(failed), "-".repeat(left));
        vec![plain(bar)]
    }
}

fn jobs(page: &mut Layout, jobs: &[JobInfo]) {
    let name = |job: &JobInfo| clean(&job.package).into_owned();
    let phase = |job: &JobInfo| {
        let phase = clean(&job.phase);
        if job.binary { format!("{phase}, binary") } else { phase.into_owned() }
    };
    let widest =
        |of: &dyn Fn(&JobInfo) -> String| jobs.iter().map(|job| columns(&of(job))).max().unwrap_or(0);
    let (names, phases) = (widest(&name), widest(&phase));
    // Columns where they fit, a sentence where they do not.
    let aligned = page.columns().is_some_and(|columns| names + phases + 24 <= columns);
    for (index, job) in jobs.iter().enumerate() {
        let label = if index == 0 { "now" } else { "" };
        let time = match job.files {
            Some(files) => format!("{}, {}", job.time(), files.in_words()),
            None => job.time(),
        };
        let spans = if aligned {
            vec![
                styled(STRONG, pad(&name(job), names)),
                plain(format!("  {}  ", pad(&phase(job), phases))),
                plain(time),
            ]
        } else {
            vec![styled(STRONG, name(job)), plain(format!(" ({}, {time})", phase(job)))]
        };
        page.row(label, LABEL, &spans);
    }
}

fn pause(page: &mut Layout, status: &Status, shown: usize) {
    let Some(pause) = &status.pause else { return };
    for failure in pause.failures.iter().take(shown) {
        failed(page, failure);
    }
    if shown > 0 {
        rest(page, pause.failures.len().saturating_sub(shown), "gbsup failures");
    }
    page.gap();
    to_do(page, status);
}

/// What a person is to do about a pause.
pub(super) fn to_do(page: &mut Layout, status: &Status) {
    let Some(pause) = &status.pause else { return };
    for (index, action) in pause.actions.iter().enumerate() {
        page.row(if index == 0 { "to do" } else { "" }, LABEL, &instruction(action));
    }
    if let Some(until) = pause.until {
        page.row("goes on", LABEL, &[plain(later(status.now, until))]);
    }
}

/// What failed, its words and its log.
fn failed(page: &mut Layout, failure: &Failure) {
    let message = clean(&failure.message);
    match failure.package.as_deref().map(clean) {
        Some(package) => {
            let phase = failure.phase.as_deref().map(|phase| format!(" in {}", clean(phase)));
            let title = [styled(STRONG, package), plain(phase.unwrap_or_default())];
            page.row("failed", BAD, &title);
            page.row("", LABEL, &[styled(BAD, message)]);
        }
        None => page.row("failed", BAD, &[styled(BAD, message)]),
    }
    if let Some(log) = &failure.log {
        page.row("", LABEL, &[plain(clean(log))]);
    }
}

/// A row for each of the first of these, as far as a person reads.
fn sentences(page: &mut Layout, label: &str, sentences: &[String]) {
    for sentence in sentences.iter().take(SHOWN_SENTENCES) {
        page.row(label, CAREFUL, &[plain(cut(&clean(sentence), LONGEST).into_owned())]);
    }
    rest(page, sentences.len().saturating_sub(SHOWN_SENTENCES), "gbsup status --json");
}

/// Which command tells of those that are not shown, when there are some.
fn rest(page: &mut Layout, left_out: usize, command: &str) {
    if left_out > 0 {
        page.row("", LABEL, &[plain(format!("and {left_out} more: {command}"))]);
    }
}

/// What each client would compile.
fn clients(page: &mut Layout, status: &Status) {
    for client in status.clients.iter().take(SHOWN_SENTENCES) {
        let style = if client.compiled > 0 || client.problem.is_some() { CAREFUL } else { LABEL };
        page.row("client", style, &[plain(cut(&clean(&client.text), LONGEST).into_owned())]);
    }
    rest(page, status.clients.len().saturating_sub(SHOWN_SENTENCES), "gbsup clients");
}

fn changes(page: &mut Layout, changes: &[String]) {
    // The last one says what is rebuilt for all of them.
    let from = changes.len().saturating_sub(SHOWN_CHANGES);
    for (index, change) in changes[from..].iter().enumerate() {
        page.row(
            if index == 0 { "changed" } else { "" },
            LABEL,
            &[plain(cut(&clean(change), LONGEST).into_owned())],
        );
    }
    if from > 0 {
        page.row("", LABEL, &[plain(format!("and {from} more: gbsup status --json"))]);
    }
}

fn circumstances(page: &mut Layout, status: &Status) {
    if let Some(cycle) = &status.cycle {
        let text = format!(
            "{}, began {} ({})",
            cycle.id,
            ago(status.now, cycle.started),
            clean(reason(&cycle.reason))
        );
        page.row("cycle", LABEL, &[plain(text)]);
    }
    if !status.pending.is_empty() {
        page.row("pending", LABEL, &[plain(clean(&status.pending.join(", ")))]);
    }
    sync(page, status);
    if let Some(next) = status.next_cycle {
        page.row("next", LABEL, &[plain(later(status.now, next))]);
    }
    if let Some(release) = &status.release {
        let text = format!(
            "{}, {}, published {}",
            clean(&release.id),
            count(usize::try_from(release.packages).unwrap_or(usize::MAX), "package"),
            ago(status.now, release.published)
        );
        page.row("release", LABEL, &[plain(text)]);
    }
    if let Some(used) = status.ccache {
        page.row("ccache", LABEL, &[plain(ccache::sentence(used))]);
    }
    let volume = &status.volume;
    let text = format!("{}, {} free", clean(&volume.path), size(volume.free));
    page.row("volume", LABEL, &[plain(text)]);
    if let Some(log) = &status.log {
        page.row("log", LABEL, &[plain(clean(log))]);
    }
}

fn sync(page: &mut Layout, status: &Status) {
    let mut spans = Vec::new();
    match status.sync.last {
        Some(last) => spans.push(plain(ago(status.now, last))),
        None if status.sync.stale_since.is_some() => spans.push(plain("never")),
        None => return,
    }
    if let Some(revision) = &status.sync.revision {
        // As many digits as git shows.
        let short: String = clean(revision).chars().take(12).collect();
        spans.push(plain(format!(", revision {short}")));
    }
    if let Some(since) = status.sync.stale_since {
        spans.push(styled(CAREFUL, format!(", failing for {}", since_then(status.now, since))));
    }
    let dead = status.sync.repositories.iter().filter(|one| one.error.is_some());
    let dead: Vec<String> = dead.map(|one| clean(&one.name).to_string()).collect();
    if !dead.is_empty() && status.sync.stale_since.is_none() {
        spans.push(styled(CAREFUL, format!(", but {}", dead.join(", "))));
    }
    page.row("synced", LABEL, &spans);
}

/// `in 23 h 40 min`.
fn later(now: Timestamp, then: Timestamp) -> String {
    format!("in {}", since_then(then, now))
}
