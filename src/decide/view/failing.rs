//! What is known to fail and what is skipped, as users see it.

use std::collections::HashSet;

use crate::model::failure::{Class, Failure};
use crate::model::known::KnownFailure;
use crate::model::skip::Skip;
use crate::model::state::{Phase, State};
use crate::model::status::{Skipped, StillFailing, kind};
use crate::words::and_more;

/// What is known to fail, but for what the builder is paused for.
pub(super) fn known(state: &State) -> Vec<StillFailing> {
    let seen = |past: &KnownFailure| StillFailing {
        package: past.package.to_string(),
        class: past.class,
        phase: past.phase.clone(),
        message: past.message.clone(),
        log: past.log.clone(),
        since: past.since,
        last: past.last,
    };
    others(state).map(seen).collect()
}

/// What failed in this cycle and is told in a pause later. Of the running step it is known what failed, and not yet why.
pub(super) fn so_far(state: &State) -> Vec<Failure> {
    if matches!(state.durable.phase, Phase::Paused(_)) {
        return Vec::new();
    }
    let cycle = state.durable.cycle.as_ref();
    let owed = cycle.map(|cycle| cycle.owed.clone()).unwrap_or_default();
    let failed = state.live.job.iter().flat_map(|job| &job.failed).map(|(package, log)| Failure {
        package: Some(package.clone()),
        log: log.clone(),
        ..Failure::new(Class::Unknown, "it failed; the reason is known when the step ends")
    });
    Failure::newest(owed, failed.collect())
}

/// What a person keeps out of every cycle.
pub(super) fn skipped(state: &State) -> Vec<Skipped> {
    let seen = |skip: &Skip| Skipped {
        package: skip.package.clone(),
        version: skip.version.to_string(),
        since: skip.since,
    };
    state.durable.skips.iter().map(seen).collect()
}

/// `a/b-1 and 2 more still failing since 2026-11-20 (compile)`: what has failed for the longest time.
pub(super) fn sentence(state: &State) -> Option<String> {
    let oldest = others(state).min_by_key(|past| past.since)?;
    let more = and_more(others(state).count().saturating_sub(1));
    let since = oldest.since.strftime("%Y-%m-%d");
    Some(format!(
        "{}{more} still failing since {since} ({})",
        oldest.package,
        kind(oldest.class, oldest.phase.as_deref())
    ))
}

fn others(state: &State) -> impl Iterator<Item = &KnownFailure> {
    let failures = match &state.durable.phase {
        Phase::Paused(pause) => pause.failures.as_slice(),
        Phase::Running(_) | Phase::Waiting(_) => &[],
    };
    let paused_for: HashSet<&str> =
        failures.iter().filter_map(|failure| failure.package.as_deref()).collect();
    state.durable.known.iter().filter(move |past| !paused_for.contains(past.package.as_str()))
}
