//! [`State`] → [`Status`]: everything a user can see, in one pure function.

mod failing;
mod headline;
mod left;

use std::collections::HashSet;

use super::clients::sentence as sentence_of_client;
use super::eta::Task;
use crate::config::Engine;
use crate::model::client::Client;
use crate::model::duration::Eta;
use crate::model::helpers::Helpers;
use crate::model::job::Tally;
use crate::model::release::Current;
use crate::model::remedy::{Treated, Untangled};
use crate::model::state::{Cycle, Live, Pause, Phase, State, Volume};
use crate::model::status::{
    self, ClientInfo, CycleInfo, HelperInfo, HelpersInfo, Mode, PauseInfo, Progress, ReleaseInfo,
    RepositoryInfo, Status, SyncInfo, Why, size,
};
use crate::model::sync::{self, RepositoryRecord};
use crate::model::{Now, Step, Work, work};
use headline::{flag, jobs, remedy, sentence, time_left};

pub(in crate::decide) use headline::count;
pub use headline::{LOCKED, UNPUBLISHED};
pub use left::still_to_merge;

/// The warning that the supervisor before this one died, or that this one was stopped: until the next cycle begins.
pub const ENDED: &str = "ended";
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
        clients: live.clients.iter().map(client).collect(),
        helpers: (live.config.helpers.engine != Engine::None).then(|| helpers(&live.helpers)),
        ccache: durable.cycle.as_ref().and_then(|cycle| cycle.ccache).map(|counted| counted.used),
    }
}

fn helpers(helpers: &Helpers) -> HelpersInfo {
    let (remote, all) = helpers.files();
    let present = helpers.present.helpers.iter().map(|helper| HelperInfo {
        name: helper.name.clone(),
        slots: helper.slots,
        files: helpers.compiled.get(&helper.name).copied().unwrap_or_default(),
    });
    HelpersInfo { present: present.collect(), remote, local: all - remote }
}

fn client(client: &Client) -> ClientInfo {
    let name = client.name.to_string();
    let Some(fit) = &client.fit else {
        let text = format!("{name}: not rehearsed yet");
        return ClientInfo {
            name,
            release: None,
            binary: 0,
            compiled: 0,
            seconds: None,
            problem: None,
            text,
        };
    };
    let (seconds, known) = fit.seconds();
    ClientInfo {
        release: Some(fit.release.to_string()),
        binary: fit.binary,
        compiled: fit.compile.len() as u64,
        seconds: (known > 0).then_some(seconds),
        problem: fit.problem.clone(),
        text: sentence_of_client(&client.name, fit),
        name,
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
    Some(work::step_log(&state.live.config.volume.path, cycle.id, step).display().to_string())
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
    let rest: Vec<Task> = match (&job.work, &job.rest) {
        (Work::Build { .. } | Work::Rebuild { .. }, Some(listed)) => {
            listed.iter().map(|listed| Task { package: &listed.package, binary: listed.binary }).collect()
        }
        // Emerge lists only what it tries at a time.
        (Work::Rest { .. }, _) => {
            left::planned(state).map(|one| Task { package: &one.cpv, binary: one.binary }).collect()
        }
        _ => return None,
    };
    let running = job.packages.values().map(|package| {
        let task = Task { package: &package.cpv, binary: package.binary };
        (task, now.mono.saturating_sub(package.since).as_secs())
    });
    state.live.estimates.eta(running, rest)
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

fn remedies(state: &State, now: Now) -> Vec<String> {
    let Live { config, retry, .. } = &state.live;
    let working = remedy(state).map(|remedy| remedy.sentence(time_left(*retry, now), config));
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
