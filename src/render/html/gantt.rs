//! Which package ran when, as a picture: a lane for each that ran at the same time, the steps above them.
//!
//! Times in which nothing ran (a pause, a wait) are drawn short, so that a night does not push the work together.

use jiff::Timestamp;
use maud::{Markup, html};

use super::parts::{between, clock, text};
use crate::model::records::{CycleRow, PackageOutcome, PackageRow};

/// A gap of more seconds is drawn short.
const GAP: i64 = 600;
/// How wide such a gap is, of [`WHOLE`].
const SHORT: i64 = 150;
/// The width of the picture.
const WHOLE: i64 = 10_000;
/// Bars at the most; the shortest are left out, and none that failed.
const BARS: usize = 600;
/// Lanes at the most.
const LANES: usize = 64;
/// From this width on a bar has a name in it.
const NAMED: i64 = 550;
/// Pixels of a lane, and of the row of steps.
const LANE: usize = 20;
const STEPS: usize = 22;

/// Where each moment is in the picture.
struct Scale {
    /// From a moment to another one, and from a place to another one.
    pieces: Vec<(i64, i64, i64, i64)>,
}

impl Scale {
    /// For the times in which something ran, in any order.
    fn of(mut busy: Vec<(i64, i64)>) -> Self {
        busy.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::new();
        for (from, to) in busy {
            match merged.last_mut() {
                Some((_, end)) if from <= *end + GAP => *end = to.max(*end),
                _ => merged.push((from, to.max(from))),
            }
        }
        let gaps = i64::try_from(merged.len().saturating_sub(1)).unwrap_or(0);
        // However many there are, most of the picture is of work.
        let short = SHORT.min(WHOLE / 4 / gaps.max(1));
        let total: i64 = merged.iter().map(|(from, to)| to - from).sum::<i64>().max(1);
        let room = WHOLE - gaps * short;
        let place = |worked: i64| i64::try_from(i128::from(room) * i128::from(worked) / i128::from(total));
        let (mut worked, mut gaps) = (0, 0);
        let pieces = merged.into_iter().map(|(from, to)| {
            let begin = place(worked).unwrap_or(room) + gaps;
            worked += to - from;
            let end = place(worked).unwrap_or(room) + gaps;
            gaps += short;
            (from, to, begin, end)
        });
        Self { pieces: pieces.collect() }
    }

    fn at(&self, second: i64) -> i64 {
        let mut place = 0;
        for (from, to, begin, end) in &self.pieces {
            if second < *from {
                return *begin;
            }
            place = *end;
            if second <= *to {
                return begin + (end - begin) * (second - from) / (to - from).max(1);
            }
        }
        place
    }
}

/// A bar in a lane.
struct Bar<'a> {
    lane: usize,
    package: &'a PackageRow,
}

fn lanes(cycle: &CycleRow) -> (usize, Vec<Bar<'_>>) {
    let mut rows: Vec<&PackageRow> = cycle.packages.iter().collect();
    rows.sort_by_key(|row| row.started);
    let mut ends: Vec<Timestamp> = Vec::new();
    let mut bars = Vec::new();
    for package in rows {
        let lane = ends.iter().position(|end| *end <= package.started).unwrap_or(ends.len()).min(LANES - 1);
        match ends.get_mut(lane) {
            Some(end) => *end = package.ended.max(*end),
            None => ends.push(package.ended),
        }
        bars.push(Bar { lane, package });
    }
    (ends.len(), bars)
}

/// The picture of a cycle until this moment; a table of the same stands below it.
pub(super) fn gantt(cycle: &CycleRow, until: Timestamp) -> Markup {
    let second = |at: Timestamp| at.as_second();
    let end_of = |ended: Option<Timestamp>, started: Timestamp| ended.unwrap_or(until).max(started);
    let steps =
        cycle.steps.iter().map(|step| (second(step.started), second(end_of(step.ended, step.started))));
    let packages = cycle.packages.iter().map(|row| (second(row.started), second(row.ended)));
    let busy: Vec<_> = steps.chain(packages).collect();
    let Some(last) = busy.iter().map(|(_, to)| *to).max() else { return html! {} };
    // Where nothing has run since, as in a pause, the picture ends before this moment.
    let last = Timestamp::from_second(last).map_or(until, |last| last.min(until));
    let scale = Scale::of(busy);
    let (count, mut bars) = lanes(cycle);
    let all = bars.len();
    bars.sort_by_key(|bar| {
        let failed = bar.package.outcome == PackageOutcome::Failed;
        (!failed, second(bar.package.started) - second(bar.package.ended))
    });
    bars.truncate(BARS);
    let height = STEPS + count * LANE + 4;
    let label = format!(
        "Which of {all} packages ran when in this cycle, from its start for {}",
        between(cycle.started, last)
    );
    html! {
        section aria-labelledby="h-when" {
            h2 #h-when { "When" }
            svg.gantt width="100%" height=(height) role="img" aria-label=(label) {
                @for (index, step) in cycle.steps.iter().enumerate() {
                    @let (from, to) = (scale.at(second(step.started)), scale.at(second(end_of(step.ended, step.started))));
                    (bar(from, to, 0, STEPS - 6, if index % 2 == 0 { "step" } else { "step odd" }, &step.step,
                        &format!("{}, {}", step.step, between(step.started, end_of(step.ended, step.started)))))
                }
                @for one in &bars {
                    @let row = one.package;
                    @let (from, to) = (scale.at(second(row.started)), scale.at(second(row.ended)));
                    @let class = match (row.outcome, row.binary) {
                        (PackageOutcome::Failed, _) => "bad",
                        (PackageOutcome::Built, true) => "binary",
                        (PackageOutcome::Built, false) => "ok",
                    };
                    @let name = row.package.rsplit('/').next().unwrap_or_default();
                    (bar(from, to, STEPS + one.lane * LANE, LANE - 4, class, name,
                        &format!("{}, {}", row.package, between(row.started, row.ended))))
                }
            }
            p.sub.ends { (clock(cycle.started)) (clock(last)) }
            @if all > bars.len() { p.sub { "The " (all - bars.len()) " shortest are in the table alone." } }
        }
    }
}

/// `from` and `to` are parts of [`WHOLE`], the rest is pixels.
fn bar(from: i64, to: i64, y: usize, height: usize, class: &str, name: &str, title: &str) -> Markup {
    // Nothing is too short to be seen.
    let width = (to - from).clamp(12, WHOLE);
    let from = from.min(WHOLE - width);
    html! {
        svg x=(percent(from)) y=(y) width=(percent(width)) height=(height) {
            title { (text(title)) }
            rect class=(class) width="100%" height="100%" rx="2" {}
            @if width >= NAMED { text x="5" y=(height - 4) { (text(name)) } }
        }
    }
}

fn percent(part: i64) -> String {
    format!("{}.{:02}%", part / 100, part % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_is_drawn_short() {
        // An hour of work, a night, an hour of work.
        let scale = Scale::of(vec![(0, 1800), (1800, 3600), (40_000, 43_600)]);
        assert_eq!((scale.at(0), scale.at(43_600)), (0, WHOLE));
        assert_eq!(scale.at(3600), (WHOLE - SHORT) / 2);
        assert_eq!(scale.at(20_000), scale.at(40_000));
        assert_eq!(scale.at(40_000) - scale.at(3600), SHORT);
        assert_eq!(scale.at(1800), (WHOLE - SHORT) / 4);
        // Many of them leave room for the work.
        let scale = Scale::of((0..1000).map(|n| (n * 10_000, n * 10_000 + 10)).collect());
        assert!((WHOLE - 300..=WHOLE).contains(&scale.at(9_990_010)), "{}", scale.at(9_990_010));
        let nothing = Scale::of(vec![(5, 5)]);
        assert_eq!((nothing.at(0), nothing.at(5), nothing.at(9)), (0, 0, 0));
    }
}
