//! What is done about a failure before a person is asked: bounded, written down, and visible in the
//! status while and after it acts. Nothing else is ever done to the user's system in silence.
//!
//! A remedy is for packages, not for a step: only those it is for are built again, and what failed for
//! other reasons meanwhile waits, untouched, for the person who is needed anyway.

use std::time::Duration;

use super::cycle;
use crate::config::Config;
use crate::model::failure::{Class, Failure};
use crate::model::remedy::{Room, Treated, Treatment, next_attempt};
use crate::model::state::Cycle;
use crate::model::{Now, Report, Step};
use crate::portage::output::circular::{Circle, Solution};
use crate::portage::output::markers::ProblemKind;

/// No wait for an attempt is longer, whatever the clock says.
pub(crate) const LONGEST: Duration = Duration::from_hours(24);

/// What to do about these failures, or all of them back when only a person can do something.
///
/// # Errors
///
/// The failures, each with a line of evidence about the attempts made.
pub(crate) fn choose(
    failures: Vec<Failure>,
    treated: &[Treated],
    config: &Config,
    now: Now,
) -> Result<Treatment, Vec<Failure>> {
    let tried = |failure: &Failure| {
        let package = failure.package.as_deref();
        let same = |past: &&Treated| package.is_some_and(|package| past.is_of(failure.class, package));
        treated.iter().find(same).map_or(0, |past| past.attempts)
    };
    let wait = |failure: &Failure| {
        failure.package.as_ref().and_then(|_| next_attempt(failure, tried(failure), config))
    };
    let Some((first, wait_first)) = failures.iter().find_map(|failure| Some((failure, wait(failure)?)))
    else {
        return Err(failures.into_iter().map(|failure| in_vain(tried(&failure), failure)).collect());
    };
    let (class, before) = (first.class, tried(first));
    let (mine, others): (Vec<_>, Vec<_>) =
        failures.into_iter().partition(|f| f.class == class && wait(f).is_some() && tried(f) == before);
    Ok(Treatment {
        class,
        packages: mine.into_iter().filter_map(|failure| failure.package).collect(),
        before,
        due: (!wait_first.is_zero()).then(|| cycle::later(now.wall, wait_first)),
        others,
    })
}

/// Portage's words about a circular dependency, when that is what stopped emerge.
pub(crate) fn circle(report: &Report) -> Option<Vec<String>> {
    let (Report::Ran(ran) | Report::Planned { ran, .. }) = report else { return None };
    let problem = ran.evidence.main_problem().filter(|problem| problem.kind == ProblemKind::Circular)?;
    ran.evidence.failed.is_empty().then(|| problem.lines.clone())
}

fn in_vain(attempts: u32, mut failure: Failure) -> Failure {
    if attempts > 0 {
        let times = if attempts == 1 { "once".to_owned() } else { format!("{attempts} times") };
        failure.evidence.push(format!("tried again {times}, without success"));
    }
    failure
}

/// Counts an attempt of a treatment.
pub(crate) fn count(treatment: &Treatment, treated: &mut Vec<Treated>) {
    for package in &treatment.packages {
        match treated.iter_mut().find(|past| past.is_of(treatment.class, package)) {
            Some(past) => past.attempts = past.attempts.saturating_add(1),
            None => treated.push(Treated {
                class: treatment.class,
                package: package.clone(),
                attempts: 1,
                cured: false,
            }),
        }
    }
}

/// Writes down that a package was merged, however that came about.
pub(crate) fn merged(package: &str, treated: &mut [Treated]) {
    for past in treated.iter_mut().filter(|past| past.package == package) {
        past.cured = true;
    }
}

/// How many circles one cycle may have. Each is met once, unless there is another within it.
const MOST_CIRCLES: u32 = 10;

/// The solution to try next. One more attempt is counted with it.
pub(crate) fn solution(circle: &Circle, cycle: &mut Cycle) -> Option<Solution> {
    let solution = circle.solution(&solutions_tried(cycle)).filter(|_| cycle.circles < MOST_CIRCLES)?;
    cycle.circles += 1;
    Some(solution.clone())
}

fn solutions_tried(cycle: &Cycle) -> Vec<Solution> {
    cycle.untangled.iter().map(|past| past.solution.clone()).collect()
}

/// What the builder would do about a circle, when it is met in a rehearsal; nothing when only a person can do
/// something.
pub(crate) fn ahead(circle: &Circle) -> Option<String> {
    let solution = circle.solution(&[])?;
    Some(format!(
        "{}; the builder breaks that by itself and builds {} with USE=\"{}\" first, and what else there is to build \
         is known after that",
        circle.complaint(),
        solution.package,
        solution.flags()
    ))
}

/// What a person is told: the circle by name, and what was tried.
pub(crate) fn given_up(mut failure: Failure, circle: &Circle, cycle: &Cycle) -> Failure {
    if !circle.packages.is_empty() {
        failure.message = circle.complaint();
        if let Some(log) =
            failure.log.as_deref().filter(|_| circle.solution(&solutions_tried(cycle)).is_none())
        {
            failure.suggestions = circle.ways_out(log);
        }
    }
    for past in &cycle.untangled {
        let solution = &past.solution;
        failure.evidence.push(format!(
            "tried without success: {} with USE=\"{}\"",
            solution.package,
            solution.flags()
        ));
    }
    failure
}

/// What a failure is counted by: its package, or the step when it is about none.
fn who(failure: &Failure, at: Step) -> String {
    failure.package.clone().unwrap_or_else(|| at.to_string())
}

fn room_was_made(failure: &Failure, at: Step, treated: &[Treated]) -> bool {
    treated.iter().any(|past| past.class == Class::DiskFull && past.package == who(failure, at))
}

/// Whether room is to be made: for each package, and for each step, once, and only where pruning makes any.
pub(crate) fn wants_room(failures: &[Failure], at: Step, treated: &[Treated]) -> bool {
    let helps = |failure: &Failure| failure.class == Class::DiskFull && failure.may_pass;
    failures.iter().any(|failure| helps(failure) && !room_was_made(failure, at, treated))
}

/// Counts the attempt of a step that failed without a package; packages are counted when they are built.
pub(crate) fn count_room(room: &Room, treated: &mut Vec<Treated>) {
    let full = room.failures.iter().filter(|failure| failure.class == Class::DiskFull);
    if full.clone().any(|failure| failure.package.is_none()) {
        let package = room.at.to_string();
        treated.push(Treated { class: Class::DiskFull, package, attempts: 1, cured: false });
    }
}
