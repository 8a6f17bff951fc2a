//! [`State`] → [`Status`]: everything a user can see, in one pure function.

mod failing;
mod left;

use std::collections::HashSet;
use std::time::Duration;

pub use left::still_to_merge;

use super::eta::Task;
use crate::model::failure::Class;
use crate::model::job::{Job, Stage, Tally, Then};
use crate::model::release::Current;
use crate::model::remedy::{Remedy, Treated, Untangled};
use crate::model::state::{Cycle, Live, Pause, Phase, State, Volume};
use crate::model::status::{
    self, CycleInfo, Eta, JobInfo, Mode, PauseInfo, Progress, ReleaseInfo, RepositoryInfo, Status, SyncInfo,
    Why, in_words, size,
};
use crate::model::sync::{self, RepositoryRecord};
use crate::model::{Now, Step, Work, step};

/// The warning that a job waits for a lock of another Portage: that is no failure, but the reason why
/// nothing moves, so it is in the headline as well.
pub const LOCKED: &str = "portage-locked";
/// The warning that the supervisor before this one died, or that this one was stopped: until the next cycle begins.
pub const ENDED: &str = "ended";
/// The warning while an offer waits for a publisher in another container; clients are offered something older
/// meanwhile, so it is in the headline as well.
pub const UNPUBLISHED: &str = "publisher";

/// So many commands are named as what to do about a pause.
const ACTIONS: usize = 20;
/// So many of the packages that are held back are named in the warning.
const NAMED: usize = 5;

/// The snapshot of this moment.
#[must_use]
pub fn status(state: &State, now: Now) -> Status {
    let State { durable, live, .. } = state;
    let mode = mode(state);
    let progress = progress(state, now);
    Status {
        schema: status::SCHEMA,
        version: crate::VERSION.to_owned(),
        state: mode,
        step: step_name(state),
        headline: format!("{mode}: {}", sentence(state, progress, now)),
        since: durable.since,
        now: now.wall,
        cycle: durable.cycle.as_ref().map(|cycle| CycleInfo {
            id: cycle.id,
            started: cycle.started,
            reason: cycle.reason.to_string(),
        }),
        progress,
        plan: state.plan.as_ref().map(|made| made.plan.totals()),
        jobs: jobs(live, now),
        pause: (mode == Mode::Paused).then(|| pause(state)),
        known: failing::known(state),
        skipped: failing::skipped(state),
        failed: failing::so_far(state),
        pending: pending(state),
        next_cycle: match durable.phase {
            Phase::Waiting(next) if mode == Mode::Waiting => next,
            _ => None,
        },
        release: durable.release.as_ref().map(release),
        sync: SyncInfo {
            last: durable.sync.succeeded,
            revision: durable.sync.revision.clone(),
            stale_since: durable.sync.stale_since,
            repositories: repositories(state),
        },
        volume: live.space.clone(),
        log: log(state),
        changes: durable.cycle.as_ref().map(changes).unwrap_or_default(),
        remedies: remedies(state, now),
        warnings: warnings(state),
        restarts: live.restarts,
    }
}

fn repositories(state: &State) -> Vec<RepositoryInfo> {
    let info = |(name, record): (&String, &RepositoryRecord)| RepositoryInfo {
        name: name.clone(),
        last: record.succeeded,
        revision: record.revision.clone(),
        error: record.error.clone(),
    };
    state.durable.sync.repositories.iter().map(info).collect()
}

fn mode(state: &State) -> Mode {
    match (&state.live.volume, &state.durable.phase) {
        _ if state.live.stopping => Mode::Stopping,
        (Volume::Claiming, _) => Mode::Starting,
        (Volume::Refused(_), _) | (_, Phase::Paused(_)) => Mode::Paused,
        (_, Phase::Running(_)) => Mode::Running,
        (_, Phase::Waiting(_)) => Mode::Waiting,
    }
}

fn step_name(state: &State) -> String {
    match &state.durable.phase {
        _ if state.live.volume != Volume::Ours => Step::Preflight.to_string(),
        Phase::Running(step) | Phase::Paused(Pause { at: Some(step), .. }) => step.to_string(),
        Phase::Paused(Pause { at: None, .. }) | Phase::Waiting(_) => "wait".to_owned(),
    }
}

/// The log of the step that runs or ran last.
fn log(state: &State) -> Option<String> {
    let cycle = state.durable.cycle.as_ref()?;
    let step = match &state.durable.phase {
        Phase::Running(step) | Phase::Paused(Pause { at: Some(step), .. }) => *step,
        // There was no build when there was nothing to build.
        Phase::Paused(Pause { at: None, .. }) | Phase::Waiting(_) => match &state.plan {
            Some(made) if made.plan.packages.is_empty() => Step::Plan,
            _ => Step::Build,
        },
    };
    Some(step::step_log(&state.live.config.volume.path, cycle.id, step).display().to_string())
}

fn progress(state: &State, now: Now) -> Progress {
    let cycle = state.durable.cycle.as_ref();
    let job = state.live.job.as_ref();
    let tally = cycle.map(|cycle| cycle.tally).unwrap_or_default();
    let planned = cycle.map_or(0, |cycle| cycle.planned);
    let planned = job.map_or(planned, |job| job.planned(planned));
    let Tally { binary, source, failed } = tally;
    let failed = failed + job.map_or(0, |job| job.tally.failed);
    Progress {
        done: tally.done(),
        total: (tally.done() + failed).max(planned),
        failed,
        binary,
        source,
        eta: eta(state, now),
    }
}

/// How long the packages of this step will still take. Nothing while Portage has not said which
/// ones they are, or when there is no earlier build to go by.
pub(crate) fn eta(state: &State, now: Now) -> Option<Eta> {
    let job = state.live.job.as_ref()?;
    let (Work::Build { .. } | Work::Rebuild { .. }) = job.work else { return None };
    let running = job.packages.values().map(|package| {
        let task = Task { package: &package.cpv, binary: package.binary };
        (task, now.mono.saturating_sub(package.since).as_secs())
    });
    let rest = job.rest.as_ref()?.iter();
    let rest = rest.map(|listed| Task { package: &listed.package, binary: listed.binary });
    state.live.estimates.eta(running, rest)
}

fn jobs(live: &Live, now: Now) -> Vec<JobInfo> {
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
        })
        .collect()
}

fn pending(state: &State) -> Vec<String> {
    let pending = &state.durable.pending;
    let sync = pending.sync.then(|| "sync".to_owned());
    let pause = pending.pause.as_ref().map(|_| "pause".to_owned());
    let publish = pending.publish.then(|| "publish".to_owned());
    sync.into_iter().chain(pause).chain(publish).collect()
}

fn release(current: &Current) -> ReleaseInfo {
    ReleaseInfo {
        id: current.id.to_string(),
        packages: current.packages,
        published: current.published,
        again: current.again.map(|id| id.to_string()),
    }
}

// --- The headline -------------------------------------------------------------------------------

fn sentence(state: &State, progress: Progress, now: Now) -> String {
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
        Some(Remedy::Room(room)) if room.at == step => return room.sentence(),
        _ => {}
    }
    match step {
        Step::Preflight => "checking the volume and the system".to_owned(),
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
            None => "syncing the ebuild repositories".to_owned(),
        },
        Step::SelfUpdate => "checking whether Portage itself has an update".to_owned(),
        Step::Plan => "working out what to build".to_owned(),
        Step::Build => match remedy(state) {
            Some(remedy @ Remedy::Again(_)) if retry.is_some() => remedy.sentence(left(*retry, now), config),
            Some(Remedy::Again(_)) => {
                packages("trying again", "trying what failed again", live, progress, now)
            }
            _ => {
                let before = format!("getting ready to build {}", count(progress.total - progress.done));
                packages("building", &before, live, progress, now)
            }
        },
        Step::Publish => format!("{}publishing what is good", owed(state)),
        Step::Prune => "removing what is no longer needed".to_owned(),
        Step::Audit => {
            owed(state) + &packages("rebuilding", "checking what clients can be offered", live, progress, now)
        }
        Step::Rebuild => {
            owed(state) + &packages("rebuilding", "checking what has to be rebuilt", live, progress, now)
        }
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
    let words = |seconds| in_words(Duration::from_secs(seconds));
    if let Some(oldest) = jobs.first() {
        let elapsed = words(oldest.elapsed);
        let estimate = oldest.estimate.map(|estimate| format!(" of about {}", words(estimate)));
        let estimate = estimate.unwrap_or_default();
        sentence += &format!(", {} ({}, {elapsed}{estimate})", oldest.package, oldest.phase);
        if jobs.len() > 1 {
            sentence += &format!(" and {} more", jobs.len() - 1);
        }
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

pub(super) fn count(packages: u64) -> String {
    format!("{packages} package{}", if packages == 1 { "" } else { "s" })
}

// --- What to do ---------------------------------------------------------------------------------

fn flag(state: &State) -> String {
    state.live.config.volume.path.join("control/pause").display().to_string()
}

fn pause(state: &State) -> PauseInfo {
    let (why, failures) = match (&state.live.volume, &state.durable.phase) {
        (Volume::Refused(failure), _) => (Why::Failure, vec![(**failure).clone()]),
        (_, Phase::Paused(pause)) => (pause.why, pause.failures.clone()),
        _ => (Why::Operator, Vec::new()),
    };
    let mut actions = Vec::new();
    if failures.iter().any(|failure| failure.log.is_some()) {
        actions.push("read what happened: gbsup logs --failed".to_owned());
    }
    // Of several failures the first suggestion each; `gbsup failures` has them all.
    let each = if failures.len() > 1 { 1 } else { usize::MAX };
    let mut commands = HashSet::new();
    for command in failures.iter().flat_map(|failure| failure.suggestions.iter().take(each)) {
        if commands.insert(command.as_str()) && commands.len() <= ACTIONS {
            actions.push(format!("try: {command}"));
        }
    }
    if commands.len() > ACTIONS {
        let more = commands.len() - ACTIONS;
        actions.push(format!("see the {more} others to try: gbsup failures"));
    }
    actions.push(match why {
        _ if state.live.hold => format!("go on with: rm {}", flag(state)),
        Why::Failure => "when it is repaired, go on with: gbsup resume".to_owned(),
        Why::Operator => "go on with: gbsup resume".to_owned(),
    });
    PauseInfo { why, failures, until: None, actions }
}

fn remedy(state: &State) -> Option<&Remedy> {
    state.durable.cycle.as_ref()?.remedy.as_ref()
}

fn left(deadline: Option<Duration>, now: Now) -> Option<Duration> {
    deadline.map(|at| at.saturating_sub(now.mono))
}

fn remedies(state: &State, now: Now) -> Vec<String> {
    let Live { config, retry, .. } = &state.live;
    let working = remedy(state).map(|remedy| remedy.sentence(left(*retry, now), config));
    let cycle = state.durable.cycle.as_ref();
    let treated = cycle.into_iter().flat_map(|cycle| &cycle.treated).filter_map(Treated::sentence);
    let untangled = cycle.into_iter().flat_map(|cycle| &cycle.untangled).filter_map(Untangled::sentence);
    let freed = cycle.map_or(0, |cycle| cycle.freed);
    let freed = (freed > 0).then(|| format!("no space was left; {} were freed by pruning", size(freed)));
    working.into_iter().chain(treated).chain(untangled).chain(freed).collect()
}

/// What changed, and what is rebuilt for it.
fn changes(cycle: &Cycle) -> Vec<String> {
    let names: Vec<&str> = cycle.stale.iter().map(|stale| stale.package.as_str()).collect();
    let rebuilt = (!names.is_empty())
        .then(|| format!("merged again, because of what they were built against: {}", names.join(", ")));
    cycle.changes.iter().map(ToString::to_string).chain(rebuilt).collect()
}

fn warnings(state: &State) -> Vec<String> {
    let State { durable, live, .. } = state;
    let mut warnings = Vec::new();
    if !live.space.mounted {
        warnings.push(format!(
            "nothing is mounted at {}: the packages will die with the container (docker run -v NAME:{0})",
            live.space.path
        ));
    }
    warnings.extend(durable.sync.old_tree());
    warnings.extend(durable.sync.dead().map(|(name, record)| sync::sentence(name, record)));
    warnings.extend(durable.sync.notes.iter().cloned());
    warnings.extend(durable.release.as_ref().and_then(older));
    warnings.extend(durable.cycle.as_ref().into_iter().flat_map(left_out));
    if live.hold && !matches!(&durable.phase, Phase::Paused(pause) if pause.by_flag) {
        warnings.push(format!("the flag file {} is there: no further step begins", flag(state)));
    }
    warnings.extend(live.warnings.values().cloned());
    warnings
}

/// That somebody went back to an older release.
fn older(current: &Current) -> Option<String> {
    let again = current.again?;
    Some(format!(
        "clients are offered what release {again} offered, since somebody rolled back to it; the next finished cycle publishes \
         what is new"
    ))
}

/// What a cycle does not build although it is wanted.
fn left_out(cycle: &Cycle) -> impl Iterator<Item = String> {
    let skipped = (!cycle.exclude.is_empty())
        .then(|| format!("left out until the next cycle, as an operator asked: {}", cycle.exclude.join(" ")));
    let held = (!cycle.held.is_empty()).then(|| {
        let mut named: Vec<&str> = cycle.held.iter().take(NAMED).map(String::as_str).collect();
        let more = format!("{} more (gbsup audit)", cycle.held.len() - named.len());
        if named.len() < cycle.held.len() {
            named.push(&more);
        }
        format!("held back from clients: {}", named.join("; "))
    });
    cycle.passed_over.iter().cloned().chain(cycle.narrowing.sentence()).chain(skipped).chain(held)
}
