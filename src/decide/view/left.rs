//! What is still to be merged, in the order in which it is.

use std::collections::{HashMap, HashSet};

use crate::model::Step;
use crate::model::job::Job;
use crate::model::state::{Pause, Phase, State};
use crate::model::told::Left;
use crate::portage::output::plan::Planned;

/// What emerge has listed and not begun; before it has listed anything, what the plan of the cycle has and the cycle has not
/// merged. Nothing once the build is over.
#[must_use]
pub fn still_to_merge(state: &State) -> Vec<Left> {
    let Some(cycle) = state.durable.cycle.as_ref().filter(|cycle| !cycle.over) else { return Vec::new() };
    let made = state.plan.as_ref().filter(|made| made.cycle == cycle.id);
    let planned = || made.into_iter().flat_map(|made| &made.plan.packages);
    let estimates = &state.live.estimates;
    let job = state.live.job.as_ref();
    if let Some(rest) = job.and_then(|job| job.rest.as_ref()) {
        let known: HashMap<&str, &Planned> = planned().map(|one| (one.cpv.as_str(), one)).collect();
        let left = rest.iter().map(|listed| {
            let takes = estimates.of(&listed.package, listed.binary).map(|estimate| estimate.likely);
            let name = listed.package.as_str();
            Left::new(name, listed.binary, takes, known.get(name).copied())
        });
        return left.collect();
    }
    if !is_before_its_end(&state.durable.phase) {
        return Vec::new();
    }
    let left = self::planned(state).map(|one| {
        let takes = estimates.of(&one.cpv, one.binary).map(|estimate| estimate.likely);
        Left::new(one.cpv.as_str(), one.binary, takes, Some(one))
    });
    left.collect()
}

/// What the plan of this cycle has and the cycle has not merged, tried or begun.
pub(super) fn planned(state: &State) -> impl Iterator<Item = &Planned> {
    let cycle = state.durable.cycle.as_ref();
    let made = state.plan.as_ref().filter(|made| cycle.is_some_and(|cycle| made.cycle == cycle.id));
    let done = over(state, state.live.job.as_ref());
    let planned = made.into_iter().flat_map(|made| &made.plan.packages);
    planned.filter(move |one| !done.contains(one.cpv.as_str()))
}

/// Whether the build may still merge what was planned.
fn is_before_its_end(phase: &Phase) -> bool {
    let step = match phase {
        Phase::Running(step) | Phase::Paused(Pause { at: Some(step), .. }) => *step,
        Phase::Paused(Pause { at: None, .. }) | Phase::Waiting(_) => return false,
    };
    matches!(step, Step::Preflight | Step::Sync | Step::SelfUpdate | Step::Plan | Step::Build)
}

/// What is merged, in work, failed, or was not tried because of that.
fn over<'a>(state: &'a State, job: Option<&'a Job>) -> HashSet<&'a str> {
    let cycle = state.durable.cycle.iter();
    let merged = cycle.clone().flat_map(|cycle| cycle.merged.iter().map(String::as_str));
    let owed = cycle.flat_map(|cycle| &cycle.owed).filter_map(|failure| failure.package.as_deref());
    let held = match &state.durable.phase {
        Phase::Paused(pause) => pause.failures.as_slice(),
        _ => &[],
    };
    let held = held.iter().filter_map(|failure| failure.package.as_deref());
    let at_work = job.into_iter().flat_map(|job| {
        let merged = job.merged.iter().map(|(package, _)| package.as_str());
        merged.chain(job.packages.keys().map(String::as_str)).chain(job.failed.keys().map(String::as_str))
    });
    merged.chain(owed).chain(held).chain(at_work).collect()
}
