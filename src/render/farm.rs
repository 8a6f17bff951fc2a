//! `gbsup status --all`: several builders in a table; and what its cells say, wherever it is shown.

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::clean;
use super::layout::Look;
use super::style::{BAD, CAREFUL, GOOD, LABEL, since_then};
use super::table::{Cell, Shape, table};
use crate::model::farm::{Brief, Farm, Member};
use crate::model::status::Mode;

/// All of them, a line each; below it what is to be known of those that do not answer. A pipe gets the same columns, separated by tabs.
#[must_use]
pub fn farm(farm: &Farm, now: Timestamp, look: Look) -> String {
    let rows: Vec<[Cell; 10]> = farm.builders.iter().map(|member| row(member, now)).collect();
    table(
        ["builder", "state", "step", "done", "left", "failed", "time left", "release", "age", ""],
        Shape { right: &[3, 4, 5], below: &[9], below_at_last: &[6, 8], whole: &[0, 1, 2, 6, 7, 8] },
        &rows,
        look,
    )
}

fn row(member: &Member, now: Timestamp) -> [Cell; 10] {
    let Cells { state, step, done, left, failed, time, release, age } = Cells::of(member, now);
    let plain = |text: String| (text, Style::new());
    let failures = if failed == "0" { Style::new() } else { BAD };
    [
        plain(clean(&member.name).into_owned()),
        (state, style(member)),
        plain(step),
        plain(done),
        plain(left),
        (failed, failures),
        plain(time),
        plain(release),
        plain(age),
        (absence(member, now).unwrap_or_default(), LABEL),
    ]
}

fn style(member: &Member) -> Style {
    match &member.status {
        _ if member.away.is_some() => BAD,
        Some(brief) if brief.needs_a_person() => BAD,
        Some(brief) => match brief.state {
            Mode::Running => AnsiColor::Cyan.on_default(),
            Mode::Waiting => GOOD,
            Mode::Starting | Mode::Paused | Mode::Stopping | Mode::Degraded => CAREFUL,
        },
        None => LABEL,
    }
}

/// The numbers of one of them, as they were when it was heard last. What says nothing is empty.
pub(super) struct Cells {
    pub(super) state: String,
    pub(super) step: String,
    pub(super) done: String,
    pub(super) left: String,
    pub(super) failed: String,
    /// Until all is done.
    pub(super) time: String,
    pub(super) release: String,
    /// Of the release.
    pub(super) age: String,
}

impl Cells {
    pub(super) fn of(member: &Member, now: Timestamp) -> Self {
        let none = String::new;
        let state = match (&member.away, &member.status) {
            (Some(_), _) => "away".to_owned(),
            (None, Some(brief)) => brief.state.to_string(),
            (None, None) => "not heard yet".to_owned(),
        };
        let Some(brief) = &member.status else {
            let (step, done, left, failed) = (none(), none(), none(), none());
            return Self { state, step, done, left, failed, time: none(), release: none(), age: none() };
        };
        let progress = &brief.progress;
        let over = matches!(brief.state, Mode::Waiting | Mode::Degraded);
        let counted = !over && progress.total.max(progress.done).max(progress.failed) > 0;
        let number = |number: u64| if counted { number.to_string() } else { none() };
        let time = progress.eta.filter(|_| counted).and_then(|eta| eta.in_short(progress.left()));
        let release = brief.release.as_ref();
        Self {
            state,
            step: clean(&brief.step).into_owned(),
            done: number(progress.done),
            left: number(progress.left()),
            failed: number(progress.failed),
            time: time.unwrap_or_default(),
            release: release.map(|release| clean(&release.id).into_owned()).unwrap_or_default(),
            age: release.map(|release| since_then(now, release.published)).unwrap_or_default(),
        }
    }
}

/// What a builder says of itself, after its state.
pub(super) fn headline(brief: &Brief) -> String {
    let state = brief.state.to_string();
    let rest = brief.headline.strip_prefix(&state).and_then(|rest| rest.strip_prefix(": "));
    clean(rest.unwrap_or(&brief.headline)).into_owned()
}

/// Why one is away, since when, and how old the rest is.
pub(super) fn absence(member: &Member, now: Timestamp) -> Option<String> {
    let away = member.away.as_ref()?;
    let why = clean(&away.why);
    let seconds = now.duration_since(away.since).as_secs();
    // Of one that was never heard it is known since when it was asked in vain, and not since when it is away.
    let least = if member.heard.is_none() { "at least " } else { "" };
    let since =
        if seconds > 0 { format!(" for {least}{}", since_then(now, away.since)) } else { String::new() };
    let age = member.heard.map(|heard| format!("; this is as it was {} ago", since_then(now, heard)));
    Some(format!("away{since}: {why}{}", age.unwrap_or_default()))
}

/// All of them in one sentence: `3 builders: 1 needs a person, 1 is away`.
pub(super) fn sentence(farm: &Farm) -> String {
    let count = |is: &dyn Fn(&Member) -> bool| farm.builders.iter().filter(|member| is(member)).count();
    let away = count(&|member| member.away.is_some());
    let held =
        count(&|member| member.away.is_none() && member.status.as_ref().is_some_and(Brief::needs_a_person));
    let works = count(&|member| {
        member.away.is_none() && member.status.as_ref().is_some_and(|brief| brief.state == Mode::Running)
    });
    let said = |number: usize, one: &str, several: &str| match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        number => Some(format!("{number} {several}")),
    };
    let parts = [
        said(held, "needs a person", "need a person"),
        said(away, "is away", "are away"),
        said(works, "builds", "build"),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let all = super::count(farm.builders.len(), "builder");
    if parts.is_empty() { all } else { format!("{all}: {}", parts.join(", ")) }
}
