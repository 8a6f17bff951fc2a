//! The headline: one sentence about what the builder does.

use std::time::Duration;

use super::failing;
use crate::model::duration::in_words;
use crate::model::failure::Class;
use crate::model::job::{Job, Stage, Then};
use crate::model::remedy::{Remedy, Room};
use crate::model::state::{Live, Pause, Phase, State, Volume};
use crate::model::status::{JobInfo, Progress, Why};
use crate::model::{Now, Step};
use crate::words::and_more;

/// The warning that a job waits for a lock of another Portage: that is no failure, but the reason why
/// nothing moves, so it is in the headline as well.
pub const LOCKED: &str = "portage-locked";
/// The warning while an offer waits for a publisher in another container; clients are offered something older
/// meanwhile, so it is in the headline as well.
pub const UNPUBLISHED: &str = "publisher";

pub(super) fn sentence(state: &State, progress: Progress, now: Now) -> String {
    if state.live.stopping {
        return stopping(state.live.job.as_ref());
    }
    match &state.live.volume {
        Volume::Claiming => return format!("taking the volume {}", state.live.space.path),
        // No repair inside makes another container of it.
        Volume::Refused(failure) if failure.class == Class::Engine => return failure.headline(),
        Volume::Refused(failure) => {
            return format!("{}. Repair it, then: gbsup resume", failure.headline());
        }
        Volume::Ours => {}
    }
    match &state.durable.phase {
        Phase::Running(step) => {
            let sentence = running(state, *step, progress, now);
            if state.live.warnings.contains_key(LOCKED) {
                format!("{sentence}, waiting for another Portage")
            } else {
                sentence
            }
        }
        Phase::Paused(pause) => paused(state, pause, progress),
        Phase::Waiting(next) => {
            let left = next.map(|next| Duration::try_from(next.duration_since(now.wall)).unwrap_or_default());
            let sentence = waiting(state, progress, left);
            if state.live.warnings.contains_key(UNPUBLISHED) {
                format!("{sentence}; a newer offer waits for its publisher")
            } else {
                sentence
            }
        }
    }
}

fn stopping(job: Option<&Job>) -> String {
    let Some(job) = job else { return "leaving".to_owned() };
    match job.merging().next() {
        Some(package) if job.halt.as_ref().is_some_and(|halt| halt.stage == Stage::Merging) => {
            format!("letting {package} finish merging")
        }
        _ => format!("ending {}", job.work.step()),
    }
}

fn running(state: &State, step: Step, progress: Progress, now: Now) -> String {
    let live = &state.live;
    let Live { job, retry, config, .. } = live;
    if let Some(stalled) = job.as_ref().and_then(|job| job.stalled.as_ref()) {
        let what = stalled.packages.first().map_or_else(|| step.to_string(), |(package, _)| package.clone());
        return format!("{what} {}; it is being stopped", stalled.sentence());
    }
    if let Some(job) = job
        && let Some(halt) = &job.halt
        && let Then::Pause(_) = halt.then
    {
        return match job.merging().next() {
            Some(package) if halt.stage == Stage::Merging => {
                format!("pausing as soon as {package} is merged")
            }
            _ => format!("pausing, {step} is being stopped"),
        };
    }
    match remedy(state) {
        Some(remedy @ Remedy::Untangle(untangling)) if untangling.at == step => {
            return remedy.sentence(None, config);
        }
        Some(Remedy::Room(room)) if room.at == step => return Room::sentence(),
        _ => {}
    }
    match step {
        Step::Sync => match retry {
            Some(at) => {
                let sync = &state.durable.sync;
                let left = in_words(at.saturating_sub(now.mono));
                if sync.failures == 0 {
                    return format!(
                        "the last {} syncs did not come to an end; syncing in {left}",
                        sync.cut_short
                    );
                }
                let error = sync.error.as_deref().unwrap_or("the sync failed");
                let tries = config.sync.retries.len() + 1;
                format!("{error}; trying again in {left} (attempt {} of {tries})", sync.failures + 1)
            }
            None => step.doing().to_owned(),
        },
        Step::Build => match remedy(state) {
            Some(remedy @ Remedy::Again(_)) if retry.is_some() => {
                remedy.sentence(time_left(*retry, now), config)
            }
            Some(Remedy::Again(_)) => {
                packages("trying again", "trying what failed again", live, progress, now)
            }
            _ => {
                let before = format!("getting ready to build {}", count(progress.total - progress.done));
                packages(step.doing(), &before, live, progress, now)
            }
        },
        Step::Publish => owed(state) + step.doing(),
        Step::Audit | Step::Rebuild => {
            owed(state) + &packages("rebuilding", step.doing(), live, progress, now)
        }
        _ => step.doing().to_owned(),
    }
}

/// What failed and is not told yet, in front of what is done meanwhile.
fn owed(state: &State) -> String {
    match state.durable.cycle.as_ref().map(|cycle| cycle.owed.as_slice()) {
        Some([failure]) => format!("{} failed; ", failure.package.as_deref().unwrap_or("a package")),
        Some(owed @ [_, ..]) => format!("{} packages failed; ", owed.len()),
        _ => String::new(),
    }
}

fn packages(verb: &str, before: &str, live: &Live, progress: Progress, now: Now) -> String {
    if live.job.as_ref().is_none_or(|job| job.total == 0) {
        return before.to_owned();
    }
    let position = (progress.done + progress.failed + 1).min(progress.total);
    let mut sentence = format!("{verb} {position} of {}", progress.total);
    let jobs = jobs(live, now);
    if let Some(oldest) = jobs.first() {
        let more = and_more(jobs.len() - 1);
        sentence += &format!(", {} ({}, {}){more}", oldest.package, oldest.phase, oldest.time());
    }
    if let Some(left) = progress.eta.and_then(|eta| eta.in_short(progress.left())) {
        sentence += &format!(", all done in {left}");
    }
    if progress.failed > 0 {
        sentence += &format!("; {} failed so far", progress.failed);
    }
    sentence
}

fn paused(state: &State, pause: &Pause, progress: Progress) -> String {
    match (pause.why, pause.failures.as_slice()) {
        (Why::Failure, [first, others @ ..]) => {
            let others = others.iter().filter(|failure| failure.class != Class::NotTried).count();
            let more = match others {
                0 => String::new(),
                1 => " (and 1 more failure)".to_owned(),
                n => format!(" (and {n} more failures)"),
            };
            let built = match pause.at {
                Some(Step::Build | Step::Rebuild) if progress.total > 0 => {
                    format!("; {} of {} built", progress.done, progress.total)
                }
                _ => String::new(),
            };
            format!("{}{more}{built}. Repair it, then: gbsup resume", first.headline())
        }
        (Why::Failure, []) => "a step failed. Repair it, then: gbsup resume".to_owned(),
        (Why::Operator, _) if pause.by_flag || state.live.hold => {
            format!("held by the flag file {}; remove it to go on", flag(state))
        }
        (Why::Operator, _) => match &pause.reason {
            Some(reason) => format!("held by an operator ({reason}); go on with: gbsup resume"),
            None => "held by an operator; go on with: gbsup resume".to_owned(),
        },
    }
}

fn waiting(state: &State, progress: Progress, left: Option<Duration>) -> String {
    let cycle = state.durable.cycle.as_ref();
    let all = cycle.is_none_or(|cycle| cycle.exclude.is_empty() && cycle.passed_over.is_empty())
        && state.durable.known.is_empty()
        && state.durable.skips.is_empty();
    let what = if all { "everything is up to date" } else { "everything else is up to date" };
    let how = match (progress.source, progress.binary) {
        (0, 0) => None,
        (built, 0) => Some(format!("{} built", count(built))),
        (0, binary) => Some(format!("{} merged from binpkgs", count(binary))),
        (built, binary) => Some(format!("{} built, {binary} merged from binpkgs", count(built))),
    };
    let release = state.durable.release.as_ref();
    let release = release.map(|release| format!("release {}, {}", release.id, count(release.packages)));
    let facts: Vec<String> = release.into_iter().chain(how).collect();
    let how = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join("; ")) };
    let old_tree = old_tree(state);
    let failing = failing::sentence(state).map(|sentence| format!("; {sentence}")).unwrap_or_default();
    let next = match left {
        Some(left) => format!("next sync in {}", in_words(left)),
        None => "the next cycle begins on request: gbsup sync".to_owned(),
    };
    format!("{what}{how}{old_tree}{failing}; {next}")
}

/// What of the tree is not new.
fn old_tree(state: &State) -> String {
    let sync = &state.durable.sync;
    let old = if sync.stale_since.is_some() { " with the tree of an earlier sync" } else { "" };
    let dead: Vec<&str> = sync.dead().map(|(name, _)| name).collect();
    match dead.as_slice() {
        [] => old.to_owned(),
        [name] => format!("{old}, but the repository {name} could not be synced"),
        names => format!("{old}, but the repositories {} could not be synced", names.join(", ")),
    }
}

pub(in crate::decide) fn count(packages: u64) -> String {
    format!("{packages} package{}", if packages == 1 { "" } else { "s" })
}

pub(super) fn flag(state: &State) -> String {
    state.live.config.volume.path.join("control/pause").display().to_string()
}

pub(super) fn remedy(state: &State) -> Option<&Remedy> {
    state.durable.cycle.as_ref()?.remedy.as_ref()
}

pub(super) fn time_left(deadline: Option<Duration>, now: Now) -> Option<Duration> {
    deadline.map(|at| at.saturating_sub(now.mono))
}

pub(super) fn jobs(live: &Live, now: Now) -> Vec<JobInfo> {
    let Some(job) = &live.job else { return Vec::new() };
    let mut packages: Vec<_> = job.packages.iter().collect();
    packages.sort_by_key(|(_, package)| package.since);
    packages
        .into_iter()
        .map(|(cpv, package)| JobInfo {
            package: cpv.clone(),
            phase: match &package.phase {
                _ if package.merging => "merge".to_owned(),
                Some(phase) => phase.clone(),
                None => "build".to_owned(),
            },
            elapsed: now.mono.saturating_sub(package.since).as_secs(),
            estimate: live.estimates.of(&package.cpv, package.binary).map(|estimate| estimate.likely),
            binary: package.binary,
            files: live.helpers.of_package(Some(job.cycle), cpv),
        })
        .collect()
}
