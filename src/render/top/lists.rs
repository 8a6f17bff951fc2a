//! The lists of the screen: what each line says, and what is said besides of the one that is chosen.

use std::time::Duration;

use anstyle::Style;
use jiff::Timestamp;

use super::place::Pane;
use super::view::View;
use crate::model::duration::in_words;
use crate::model::failure::Class;
use crate::model::records::{CycleRow, Outcome};
use crate::model::status::{JobInfo, Mode, Progress, Status, kind};
use crate::model::told::Left;
use crate::render::layout::{Layout, Look, Span, columns, pad, plain, styled};
use crate::render::style::{BAD, CAREFUL, GOOD, LABEL, STRONG, ago, instruction, since_then};
use crate::render::{clean, page, reasons_in_short};

/// Cells of the picture of how far a package is.
const BAR: usize = 12;
/// From so many columns on a list has what helps and is not needed.
const ROOMY: usize = 70;

/// What a person is to do when there is no supervisor: sentences that end in a command to type.
const DEGRADED: [&str; 3] = [
    "read why it dies: docker logs --tail 50 NAME",
    "have it tried again: gbsup resume",
    "or go back to the image that worked, with the same volume",
];

/// A line of a list.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) spans: Vec<Span>,
    /// What is said besides when it is chosen, a paragraph each; the first is in the line as well, as far as that goes.
    pub(super) more: Vec<Vec<Span>>,
}

/// Something that failed.
#[derive(Debug)]
pub struct Failing<'a> {
    /// `category/name-version`, where it was a package.
    pub package: Option<&'a str>,
    /// The log of it.
    pub log: Option<&'a str>,
    class: Class,
    phase: Option<&'a str>,
    message: &'a str,
    suggestions: &'a [String],
    since: Option<Timestamp>,
}

/// What failed in this cycle, then what is known to fail.
#[must_use]
pub fn failing(status: &Status) -> Vec<Failing<'_>> {
    let failures = status.pause.as_ref().map_or(&[][..], |pause| &pause.failures);
    let failed = failures.iter().chain(&status.failed).map(|failure| Failing {
        package: failure.package.as_deref(),
        log: failure.log.as_deref(),
        class: failure.class,
        phase: failure.phase.as_deref(),
        message: &failure.message,
        suggestions: &failure.suggestions,
        since: None,
    });
    let known = status.known.iter().map(|one| Failing {
        package: Some(&one.package),
        log: one.log.as_deref(),
        class: one.class,
        phase: one.phase.as_deref(),
        message: &one.message,
        suggestions: &[],
        since: Some(one.since),
    });
    failed.chain(known).collect()
}

/// How many lines a list has that can be chosen.
#[must_use]
pub fn count(view: &View<'_>, pane: Pane) -> usize {
    match pane {
        Pane::Jobs => view.status.jobs.len() + usize::from(view.status.log.is_some()),
        Pane::Failed => failing(view.status).len(),
        Pane::Next => view.left.len(),
        Pane::Cycles => view.cycles.len(),
        Pane::Around => around(view.status, view.look, ROOMY).len(),
    }
}

/// The lines of a list that is so many columns wide.
pub(super) fn lines(view: &View<'_>, pane: Pane, width: usize) -> Vec<Line> {
    match pane {
        Pane::Jobs => jobs(view.status, view.look, width),
        Pane::Failed => failed(view.status),
        Pane::Next => next(view.left, width),
        Pane::Cycles => cycles(view.cycles, view.status.now),
        Pane::Around => around(view.status, view.look, width),
    }
}

fn widest<'a>(texts: impl Iterator<Item = &'a String>) -> usize {
    texts.map(|text| columns(text)).max().unwrap_or(0)
}

fn words(seconds: u64) -> String {
    in_words(Duration::from_secs(seconds))
}

fn jobs(status: &Status, look: Look, width: usize) -> Vec<Line> {
    let phase = |job: &JobInfo| {
        let phase = clean(&job.phase);
        if job.binary { format!("{phase}, binary") } else { phase.into_owned() }
    };
    let names: Vec<String> = status.jobs.iter().map(|job| clean(&job.package).into_owned()).collect();
    let phases: Vec<String> = status.jobs.iter().map(phase).collect();
    let (wide, phase_wide) = (widest(names.iter()), widest(phases.iter()));
    let line = |((job, name), phase): ((&JobInfo, &String), &String)| {
        let time = job.time();
        let mut spans =
            vec![styled(STRONG, pad(name, wide)), plain(format!("  {}  ", pad(phase, phase_wide)))];
        if width >= ROOMY && wide + phase_wide + BAR + 30 < width {
            spans.extend(job_bar(job, look));
            spans.push(plain("  "));
        }
        spans.push(plain(time));
        Line { spans, more: Vec::new() }
    };
    let mut lines: Vec<Line> = status.jobs.iter().zip(&names).zip(&phases).map(line).collect();
    if status.log.is_some() {
        let step = match status.state {
            Mode::Running => {
                format!(
                    "the step itself: {}, for {}",
                    clean(&status.step),
                    since_then(status.now, status.since)
                )
            }
            _ => "the step that ran last".to_owned(),
        };
        lines.push(Line { spans: vec![styled(LABEL, step)], more: Vec::new() });
    }
    lines
}

/// How far a package is, by what it should take; blank where nobody knows.
fn job_bar(job: &JobInfo, look: Look) -> Vec<Span> {
    let Some(estimate) = job.estimate.filter(|estimate| *estimate > 0) else {
        return vec![plain(" ".repeat(BAR + if look.unicode { 0 } else { 2 }))];
    };
    let progress = Progress { done: job.elapsed.min(estimate), total: estimate, ..Progress::default() };
    page::bar(&progress, BAR, look)
}

fn failed(status: &Status) -> Vec<Line> {
    let failing = failing(status);
    let names: Vec<String> =
        failing.iter().map(|one| clean(one.package.unwrap_or("the cycle")).into_owned()).collect();
    let wide = widest(names.iter());
    let line = |(one, name): (&Failing<'_>, &String)| {
        let kind = kind(one.class, one.phase);
        let style = match (one.class, one.since) {
            (Class::NotTried, _) => LABEL,
            (_, Some(_)) => CAREFUL,
            _ => BAD,
        };
        let mut spans = vec![
            styled(STRONG, pad(name, wide)),
            styled(style, format!("  {}  ", clean(&kind))),
            plain(clean(one.message)),
        ];
        if let Some(since) = one.since {
            spans.push(styled(LABEL, format!(", since {}", since.strftime("%Y-%m-%d"))));
        }
        let mut more = vec![vec![plain(clean(one.message))]];
        more.extend(one.log.map(|log| vec![styled(LABEL, clean(log))]));
        more.extend(one.suggestions.iter().map(|suggestion| vec![styled(STRONG, clean(suggestion))]));
        Line { spans, more }
    };
    failing.iter().zip(&names).map(line).collect()
}

fn next(left: &[Left], width: usize) -> Vec<Line> {
    let names: Vec<String> = left.iter().map(|one| clean(&one.package).into_owned()).collect();
    // A name of an unusual length makes only its own line long.
    let wide = widest(names.iter()).min(width / 2);
    let line = |(one, name): (&Left, &String)| {
        let takes = one.takes.map_or_else(|| "unknown".to_owned(), words);
        let from = if one.binary { "binary" } else { "source" };
        let mut why = reasons_in_short(&one.why, &one.use_changes);
        if !one.before.is_empty() {
            let before = format!("from {}", clean(&one.before.join(", ")));
            why = if why.is_empty() { before } else { format!("{before}; {why}") };
        }
        let mut spans = vec![styled(STRONG, pad(name, wide)), plain(format!("  {from}  {takes:<12}"))];
        spans.push(styled(LABEL, why.clone()));
        Line { spans, more: if why.is_empty() { Vec::new() } else { vec![vec![styled(LABEL, why)]] } }
    };
    left.iter().zip(&names).map(line).collect()
}

fn cycles(cycles: &[CycleRow], now: Timestamp) -> Vec<Line> {
    let number = widest(cycles.first().map(|cycle| cycle.id.to_string()).iter());
    let line = |(index, cycle): (usize, &CycleRow)| {
        let (outcome, style) = match cycle.outcome {
            Some(outcome @ Outcome::Done) => (outcome.to_string(), GOOD),
            Some(outcome @ Outcome::Failed) => (outcome.to_string(), BAD),
            Some(outcome @ Outcome::Interrupted) => (outcome.to_string(), CAREFUL),
            None if index == 0 => ("not over".to_owned(), Style::new()),
            None => ("unknown".to_owned(), CAREFUL),
        };
        let took = match cycle.ended {
            Some(ended) => since_then(ended, cycle.started),
            None if index == 0 => format!("{} so far", since_then(now, cycle.started)),
            None => "?".to_owned(),
        };
        let failed = cycle.failed();
        let mut spans = vec![
            styled(STRONG, format!("{:>number$}", cycle.id)),
            plain(format!("  {:<15}", ago(now, cycle.started))),
            plain(format!("  {took:<16}")),
            plain(format!("  {:>4} built  {:>4} binary  ", cycle.built(), cycle.binary())),
            styled(if failed > 0 { BAD } else { Style::new() }, format!("{failed:>3} failed")),
            styled(style, format!("  {outcome}")),
        ];
        for release in &cycle.releases {
            spans.push(styled(LABEL, format!("  {}", clean(&release.release))));
        }
        Line { spans, more: Vec::new() }
    };
    cycles.iter().enumerate().map(line).collect()
}

fn around(status: &Status, look: Look, width: usize) -> Vec<Line> {
    let mut rows = Layout::new(Look { width: Some(width), ..look });
    page::around(&mut rows, status);
    rows.into_lines().into_iter().map(|spans| Line { spans, more: Vec::new() }).collect()
}

/// What to do about a builder that has no supervisor any more.
pub(super) fn to_do_when_degraded(rows: &mut Layout) {
    for (index, action) in DEGRADED.iter().enumerate() {
        rows.row(if index == 0 { "to do" } else { "" }, LABEL, &instruction(action));
    }
}
