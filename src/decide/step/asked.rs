//! What an operator's request does, and what the operator is told.

use std::collections::HashSet;

use super::Turn;
use crate::decide::view;
use crate::model::job::Then;
use crate::model::request::{PauseMode, Reply, Request};
use crate::model::skip::ToSkip;
use crate::model::state::{Pause, PendingPause, Phase, Reason, State, Volume};
use crate::model::status::Why;
use crate::model::{Action, Asker, Step, known, skip};
use crate::portage::names::exclude::{self, Excluded};

impl Turn {
    pub(super) fn asked(&mut self, by: Asker, request: &Request) {
        let at = self.actions.len();
        let reply = self.meet(request);
        if !matches!((by, &reply), (Asker::Signal | Asker::Flag, Reply::Status { .. } | Reply::Left { .. })) {
            self.actions.insert(at, Action::Answer { to: by, reply });
        }
    }

    fn meet(&mut self, request: &Request) -> Reply {
        match request {
            Request::Status | Request::Watch => {
                Reply::Status { status: Box::new(view::status(&self.state, self.now)) }
            }
            Request::Left => Reply::Left { left: view::still_to_merge(&self.state) },
            Request::Stop if self.state.live.stopping => already("the builder is stopping already"),
            _ if self.state.live.stopping => {
                denied("the builder is stopping; start the container again first")
            }
            Request::Stop => {
                self.leave();
                accepted("stopping: what is finished is kept, the container ends")
            }
            _ => match &self.state.live.volume {
                Volume::Claiming => denied("the builder is still starting; ask again in a moment"),
                Volume::Refused(_) => self.asked_without_volume(request),
                Volume::Ours => match request {
                    Request::Resume { skip } => self.asked_to_resume(skip),
                    Request::Pause { mode, reason } => self.asked_to_pause(*mode, reason.clone()),
                    Request::Skip { packages } => self.asked_to_skip(packages),
                    Request::Unskip { packages } => self.asked_to_unskip(packages),
                    Request::Publish => self.asked_to_publish(),
                    _ => self.asked_to_sync(),
                },
            },
        }
    }

    /// While the volume is refused nothing runs; looking at it again is all there is to do.
    fn asked_without_volume(&mut self, request: &Request) -> Reply {
        match request {
            Request::Pause { .. } => already("paused already: the volume cannot be used"),
            Request::Sync | Request::Publish | Request::Skip { .. } | Request::Unskip { .. } => {
                denied("the volume cannot be used; repair it, then: gbsup resume")
            }
            _ => {
                self.state.live.volume = Volume::Claiming;
                self.actions.push(Action::Claim);
                accepted("looking at the volume again")
            }
        }
    }

    fn asked_to_resume(&mut self, skip: &[String]) -> Reply {
        if let Some(wrong) = skip.iter().find(|atom| exclude::exclude_atom(atom).is_none()) {
            let message = format!("{wrong} is not a package that Portage could leave out");
            return Reply::Invalid { message };
        }
        let State { durable, live, .. } = &self.state;
        if live.hold {
            let flag = live.config.volume.path.join("control/pause");
            return denied(format!("the flag file {} holds the builder; remove it to go on", flag.display()));
        }
        match &durable.phase {
            Phase::Paused(pause) => {
                let message = match pause.at {
                    Some(step) => format!("resuming at {step}"),
                    None => "going back to waiting for the next cycle".to_owned(),
                };
                self.resume(skip.to_vec());
                accepted(message)
            }
            Phase::Running(step) if live.retry.is_some() => {
                let message = format!("trying the {step} again now");
                self.retry();
                accepted(message)
            }
            _ if live.job.as_ref().is_some_and(|job| job.halt.is_some()) => {
                denied("a pause is taking effect; say resume once the state is paused")
            }
            _ if durable.pending.pause.is_some() => {
                self.state.durable.pending.pause = None;
                if let Some(job) = &mut self.state.live.job {
                    job.awaited = None;
                }
                accepted("the pause that was asked for is called off")
            }
            Phase::Waiting(_) if !durable.known.is_empty() => {
                let left_out = Excluded::by(skip.iter().map(String::as_str));
                let known = durable.known.iter().filter(|past| !past.is_meant_by(&left_out));
                let known: Vec<&str> = known.map(|past| past.package.as_str()).collect();
                if known.is_empty() {
                    return denied("nothing is left to try again: all that still fails is to be left out");
                }
                let message = format!("trying again what still fails: {}", known.join(" "));
                self.try_again(skip.to_vec());
                accepted(message)
            }
            phase => {
                let doing = match phase {
                    Phase::Waiting(_) => "is waiting for its next cycle; to begin one now: gbsup sync",
                    _ => "is running",
                };
                denied(format!("nothing to resume: the builder is not paused, it {doing}"))
            }
        }
    }

    fn retry(&mut self) {
        self.state.live.retry = None;
        self.state.durable.sync.retry = None;
        self.remedy_is_due();
    }

    fn asked_to_pause(&mut self, mode: PauseMode, reason: Option<String>) -> Reply {
        let durable = &mut self.state.durable;
        if let Phase::Paused(pause) = &durable.phase {
            return already(match pause.why {
                Why::Failure => "paused already, by a failure: see gbsup failures",
                Why::Operator => "paused already, by an operator",
            });
        }
        if durable.pending.pause.as_ref().is_some_and(|pending| pending.mode == mode) {
            return already("this pause was asked for already");
        }
        durable.pending.pause = Some(PendingPause { mode, reason: reason.clone() });
        let running = matches!(durable.phase, Phase::Running(_));
        match (mode, &mut self.state.live.job) {
            (PauseMode::Now, Some(_)) => self.halt(Then::Pause(reason)),
            (PauseMode::AfterPackage, job) => {
                if let Some(job) = job {
                    job.awaited = Some(job.packages.keys().cloned().collect());
                }
                self.reached_package_boundary();
            }
            _ => {}
        }
        accepted(match mode {
            _ if !running => "paused; go on with: gbsup resume",
            PauseMode::Now => "pausing now; a merge that has begun finishes first",
            PauseMode::AfterPackage => "pausing after the packages that are being built now",
            PauseMode::AfterCycle => "pausing at the end of this cycle",
        })
    }

    fn asked_to_sync(&mut self) -> Reply {
        let State { durable, live, .. } = &mut self.state;
        if durable.pending.sync {
            return already("a sync is remembered already");
        }
        let message = match (&durable.phase, &mut durable.cycle) {
            _ if live.hold => "remembered: the sync begins when the flag file control/pause is removed",
            // The present preflight may lead to a later step than the sync.
            (Phase::Running(Step::Preflight), Some(cycle))
                if cycle.goal.is_none_or(|goal| goal <= Step::Sync) =>
            {
                if cycle.forced {
                    return already("a sync is about to begin already");
                }
                cycle.forced = true;
                return accepted("this cycle, which has just begun, will sync");
            }
            (Phase::Running(Step::Sync), _) if live.retry.is_some() => {
                self.retry();
                return accepted("trying the sync again now");
            }
            (Phase::Running(_), _) => "remembered: a sync follows when this cycle ends or pauses",
            (Phase::Paused(_) | Phase::Waiting(_), _) => "syncing: a new cycle begins now",
        };
        durable.pending.sync = true;
        accepted(message)
    }

    fn asked_to_publish(&mut self) -> Reply {
        let State { durable, live, .. } = &mut self.state;
        if durable.pending.publish {
            return already("a publication is remembered already");
        }
        let message = match &durable.phase {
            Phase::Waiting(_) if live.hold => {
                return denied(
                    "the flag file control/pause holds the builder; without it: gbsup publish --once",
                );
            }
            Phase::Waiting(_) => "publishing what is good now",
            Phase::Running(Step::Prune) => "remembered: what is good is published when this cycle ends",
            Phase::Running(Step::Publish) => return already("a release is being published"),
            Phase::Running(_) => return already("this cycle publishes when it has built everything"),
            Phase::Paused(_) => {
                return denied(
                    "the builder is paused; go on with gbsup resume, or publish what was found good last: gbsup publish --once",
                );
            }
        };
        durable.pending.publish = true;
        accepted(message)
    }

    fn asked_to_skip(&mut self, packages: &[ToSkip]) -> Reply {
        if packages.is_empty() {
            return denied("no package was named");
        }
        let State { durable, live, .. } = &mut self.state;
        let names: Vec<String> = packages
            .iter()
            .map(|skip| format!("{} (now {})", skip.package, skip.version.version()))
            .collect();
        let from = match &durable.phase {
            Phase::Running(_) if live.job.is_some() => "; what runs now is not changed by it",
            Phase::Paused(Pause { at: Some(_), .. }) => "; go on with: gbsup resume",
            _ => "",
        };
        let atoms = Excluded::by(packages.iter().map(|skip| skip.package.as_str()));
        skip::add(&mut durable.skips, packages, self.now.wall);
        // Whoever builds it again later does not want to hear of what was before.
        let forgotten: Vec<_> = durable.known.extract_if(.., |past| past.is_meant_by(&atoms)).collect();
        if let Some(cycle) = &mut durable.cycle {
            known::retain(&mut cycle.owed, &forgotten, false);
        }
        accepted(format!("skipped until another version is offered: {}{from}", names.join(", ")))
    }

    fn asked_to_unskip(&mut self, packages: &[String]) -> Reply {
        let skips = &mut self.state.durable.skips;
        let skipped: HashSet<&str> = skips.iter().map(|skip| skip.package.as_str()).collect();
        if let Some(other) = packages.iter().find(|package| !skipped.contains(package.as_str())) {
            return denied(format!("{other} is not skipped; see what is: gbsup skip"));
        }
        let wanted: HashSet<&str> = packages.iter().map(String::as_str).collect();
        skips.retain(|skip| !wanted.contains(skip.package.as_str()));
        accepted(format!("not skipped any more: {}", packages.join(", ")))
    }

    /// Builds what is known to fail, without a sync, in a cycle of its own.
    fn try_again(&mut self, skip: Vec<String>) {
        self.new_cycle(Reason::Requested, false);
        self.try_known_again();
        if let Some(cycle) = &mut self.state.durable.cycle {
            // No plan has what is installed.
            cycle.merge_again = known::half_done(&self.state.durable.known);
            cycle.exclude = skip;
            cycle.goal = Some(Step::Plan);
        }
    }

    /// Has what is known to fail tried again in this cycle.
    pub(super) fn try_known_again(&mut self) {
        let State { durable, .. } = &mut self.state;
        if let Some(cycle) = &durable.cycle {
            known::ask_again(&mut durable.known, cycle.id);
        }
    }

    pub(super) fn resume(&mut self, skip: Vec<String>) {
        let Phase::Paused(pause) = &self.state.durable.phase else { return };
        let failed = pause.why == Why::Failure;
        match pause.at {
            Some(mut at) => {
                let State { durable, .. } = &mut self.state;
                if let Some(cycle) = &mut durable.cycle {
                    if failed {
                        known::ask_again(&mut durable.known, cycle.id);
                    }
                    // The sync that failed is run again, although one was attempted just now.
                    cycle.forced |= failed && at == Step::Sync;
                    // What is tried again has to be planned and built, also when that is done without it.
                    if failed && !cycle.narrowing.atoms().is_empty() {
                        at = at.min(Step::Plan);
                    }
                    cycle.exclude.extend(skip);
                    cycle.exclude.sort();
                    cycle.exclude.dedup();
                    cycle.tally.failed = 0;
                    // A person has seen it: remedies begin anew, as the sync's retries do.
                    cycle.treated.clear();
                    cycle.circles = 0;
                    cycle.untangled.clear();
                }
                self.state.durable.sync.failures = 0;
                self.state.durable.sync.retry = None;
                self.enter(at);
            }
            None => {
                let due = pause.due;
                self.set_phase(Phase::Waiting(due));
                self.schedule();
            }
        }
    }

    /// Stops the job once the packages that a pause waits for have arrived. A job without packages
    /// in work (a sync, the resolver) is short and finishes first.
    pub(super) fn reached_package_boundary(&mut self) {
        let Some(job) = &self.state.live.job else { return };
        let arrived = job.awaited.as_ref().is_some_and(std::collections::BTreeSet::is_empty);
        let between_packages = !job.merged.is_empty() || !job.failed.is_empty();
        if arrived && between_packages && job.halt.is_none() {
            let reason = self.state.durable.pending.pause.as_ref().and_then(|p| p.reason.clone());
            self.halt(Then::Pause(reason));
        }
    }

    /// Begins to leave, or hurries.
    pub(super) fn leave(&mut self) {
        self.state.live.stopping = true;
        self.halt(Then::Leave);
    }
}

fn accepted(message: impl Into<String>) -> Reply {
    Reply::Accepted { message: message.into() }
}

fn already(message: impl Into<String>) -> Reply {
    Reply::Already { message: message.into() }
}

fn denied(message: impl Into<String>) -> Reply {
    Reply::Denied { message: message.into() }
}
