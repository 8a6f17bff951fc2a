//! What a request does to the state, and what the operator is told.

use crate::decide::view;
use crate::model::request::{PauseMode, Reply, Request};
use crate::model::skip::ToSkip;
use crate::model::state::{Pause, Phase, State, Volume};
use crate::model::status::Why;
use crate::model::{Now, Step};
use crate::portage::names::cpv;

/// What a request does to the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    Claim,
    Resume { skip: Vec<String> },
    TryAgain { skip: Vec<String> },
    ForgetPause,
    Retry,
    ForceSync,
    RememberSync,
    RememberPublish,
    Pause { mode: PauseMode, reason: Option<String> },
    Leave,
    Skip(Vec<ToSkip>),
    Unskip(Vec<String>),
}

/// Meets a request with the state: what it does and what the operator is told.
pub(crate) fn decide(state: &State, request: &Request, now: Now) -> (Effect, Reply) {
    if state.live.stopping {
        match request {
            Request::Status | Request::Watch => {}
            Request::Stop => return already("the builder is stopping already"),
            _ => return denied("the builder is stopping; start the container again first"),
        }
    }
    match request {
        Request::Status | Request::Watch => {
            (Effect::Nothing, Reply::Status { status: Box::new(view::status(state, now)) })
        }
        Request::Stop => accepted(Effect::Leave, "stopping: what is finished is kept, the container ends"),
        _ => match &state.live.volume {
            Volume::Claiming => denied("the builder is still starting; ask again in a moment"),
            Volume::Refused(_) => refused(request),
            Volume::Ours => match request {
                Request::Resume { skip } => resume(state, skip),
                Request::Pause { mode, reason } => pause(state, *mode, reason.clone()),
                Request::Skip { packages } => skip(state, packages),
                Request::Unskip { packages } => unskip(state, packages),
                Request::Publish => publish(state),
                _ => sync(state),
            },
        },
    }
}

fn accepted(effect: Effect, message: impl Into<String>) -> (Effect, Reply) {
    (effect, Reply::Accepted { message: message.into() })
}

fn already(message: impl Into<String>) -> (Effect, Reply) {
    (Effect::Nothing, Reply::Already { message: message.into() })
}

fn denied(message: impl Into<String>) -> (Effect, Reply) {
    (Effect::Nothing, Reply::Denied { message: message.into() })
}

/// While the volume is refused nothing runs; looking at it again is all there is to do.
fn refused(request: &Request) -> (Effect, Reply) {
    match request {
        Request::Pause { .. } => already("paused already: the volume cannot be used"),
        Request::Sync | Request::Publish | Request::Skip { .. } | Request::Unskip { .. } => {
            denied("the volume cannot be used; repair it, then: gbsup resume")
        }
        _ => accepted(Effect::Claim, "looking at the volume again"),
    }
}

fn resume(state: &State, skip: &[String]) -> (Effect, Reply) {
    if let Some(wrong) = skip.iter().find(|atom| cpv::exclude_atom(atom).is_none()) {
        let message = format!("{wrong} means no package that Portage could leave out");
        return (Effect::Nothing, Reply::Invalid { message });
    }
    if state.live.hold {
        let flag = state.live.config.volume.path.join("control/pause");
        return denied(format!("the flag file {} holds the builder; remove it to go on", flag.display()));
    }
    match &state.durable.phase {
        Phase::Paused(pause) => {
            let message = match pause.at {
                Some(step) => format!("resuming at {}", step.name()),
                None => "going back to waiting for the next cycle".to_owned(),
            };
            accepted(Effect::Resume { skip: skip.to_vec() }, message)
        }
        Phase::Running(step) if state.live.retry.is_some() => {
            accepted(Effect::Retry, format!("trying the {} again now", step.name()))
        }
        Phase::Running(_) | Phase::Waiting(_) => {
            let halting = state.live.job.as_ref().is_some_and(|job| job.halt.is_some());
            if halting {
                denied("a pause is taking effect; say resume once the state is paused")
            } else if state.durable.pending.pause.is_some() {
                accepted(Effect::ForgetPause, "the pause that was asked for is called off")
            } else if matches!(state.durable.phase, Phase::Waiting(_)) && !state.durable.known.is_empty() {
                let known = state.durable.known.iter().filter(|past| !past.is_meant_by(skip));
                let known: Vec<&str> = known.map(|past| past.package.as_str()).collect();
                if known.is_empty() {
                    return denied("nothing is left to try again: all that still fails is to be left out");
                }
                let message = format!("trying again what still fails: {}", known.join(" "));
                accepted(Effect::TryAgain { skip: skip.to_vec() }, message)
            } else {
                let doing = match state.durable.phase {
                    Phase::Waiting(_) => "is waiting for its next cycle; to begin one now: gbsup sync",
                    _ => "is running",
                };
                denied(format!("nothing to resume: the builder is not paused, it {doing}"))
            }
        }
    }
}

fn pause(state: &State, mode: PauseMode, reason: Option<String>) -> (Effect, Reply) {
    if let Phase::Paused(pause) = &state.durable.phase {
        return already(match pause.why {
            Why::Failure => "paused already, by a failure: see gbsup failures",
            Why::Operator => "paused already, by an operator",
        });
    }
    let same = state.durable.pending.pause.as_ref().is_some_and(|pending| pending.mode == mode);
    let running = matches!(state.durable.phase, Phase::Running(_));
    match mode {
        _ if same => already("this pause was asked for already"),
        PauseMode::Now if running => {
            accepted(Effect::Pause { mode, reason }, "pausing now; a merge that has begun finishes first")
        }
        PauseMode::AfterPackage if running => {
            accepted(Effect::Pause { mode, reason }, "pausing after the packages that are being built now")
        }
        PauseMode::AfterCycle if running => {
            accepted(Effect::Pause { mode, reason }, "pausing at the end of this cycle")
        }
        _ => accepted(Effect::Pause { mode, reason }, "paused; go on with: gbsup resume"),
    }
}

fn sync(state: &State) -> (Effect, Reply) {
    if state.durable.pending.sync {
        return already("a sync is remembered already");
    }
    if state.live.hold {
        return accepted(
            Effect::RememberSync,
            "remembered: the sync begins when the flag file control/pause is removed",
        );
    }
    match &state.durable.phase {
        Phase::Running(Step::Preflight) if !resumed(state) => {
            if state.durable.cycle.as_ref().is_some_and(|cycle| cycle.forced) {
                already("a sync is about to begin already")
            } else {
                accepted(Effect::ForceSync, "this cycle, which has just begun, will sync")
            }
        }
        Phase::Running(Step::Sync) if state.live.retry.is_some() => {
            accepted(Effect::Retry, "trying the sync again now")
        }
        Phase::Running(_) => {
            accepted(Effect::RememberSync, "remembered: a sync follows when this cycle ends or pauses")
        }
        Phase::Paused(_) | Phase::Waiting(_) => {
            accepted(Effect::RememberSync, "syncing: a new cycle begins now")
        }
    }
}

fn publish(state: &State) -> (Effect, Reply) {
    if state.durable.pending.publish {
        return already("a publication is remembered already");
    }
    match &state.durable.phase {
        Phase::Waiting(_) if state.live.hold => {
            denied("the flag file control/pause holds the builder; without it: gbsup publish --once")
        }
        Phase::Waiting(_) => accepted(Effect::RememberPublish, "publishing what is good now"),
        Phase::Running(Step::Prune) => {
            accepted(Effect::RememberPublish, "remembered: what is good is published when this cycle ends")
        }
        Phase::Running(Step::Publish) => already("a release is being published"),
        Phase::Running(_) => already("this cycle publishes when it has built everything"),
        Phase::Paused(_) => denied(
            "the builder is paused; go on with gbsup resume, or publish what was found good last: gbsup publish --once",
        ),
    }
}

fn skip(state: &State, packages: &[ToSkip]) -> (Effect, Reply) {
    if packages.is_empty() {
        return denied("no package was named");
    }
    let names: Vec<String> =
        packages.iter().map(|skip| format!("{} (now {})", skip.package, skip.version.version())).collect();
    let names = names.join(", ");
    let from = match &state.durable.phase {
        Phase::Running(_) if state.live.job.is_some() => "; what runs now is not changed by it",
        Phase::Paused(Pause { at: Some(_), .. }) => "; go on with: gbsup resume",
        _ => "",
    };
    let message = format!("skipped until another version is offered: {names}{from}");
    accepted(Effect::Skip(packages.to_vec()), message)
}

fn unskip(state: &State, packages: &[String]) -> (Effect, Reply) {
    let skipped = |package: &&String| state.durable.skips.iter().any(|skip| skip.package == **package);
    if let Some(other) = packages.iter().find(|package| !skipped(package)) {
        return denied(format!("{other} is not skipped; see what is: gbsup skip"));
    }
    let message = format!("not skipped any more: {}", packages.join(", "));
    accepted(Effect::Unskip(packages.to_vec()), message)
}

/// The present preflight leads to a later step than the sync.
fn resumed(state: &State) -> bool {
    state.durable.cycle.as_ref().is_some_and(|cycle| cycle.goal.is_some_and(|goal| goal > Step::Sync))
}
