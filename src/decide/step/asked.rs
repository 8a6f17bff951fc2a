//! What an operator's request does, once [`admit::decide`] has met it with the state.

use super::Turn;
use crate::decide::admit::{self, Effect};
use crate::model::job::Then;
use crate::model::request::{PauseMode, Reply, Request};
use crate::model::state::{PendingPause, Phase, Reason, State, Volume};
use crate::model::status::Why;
use crate::model::{Action, Asker, Step, known, skip};

impl Turn {
    pub(super) fn asked(&mut self, by: Asker, request: &Request) {
        let (effect, reply) = admit::decide(&self.state, request, self.now);
        match (by, reply) {
            (Asker::Signal | Asker::Flag, Reply::Status { .. }) => {}
            (to, reply) => self.actions.push(Action::Answer { to, reply }),
        }
        match effect {
            Effect::Nothing => {}
            Effect::Claim => {
                self.state.live.volume = Volume::Claiming;
                self.actions.push(Action::Claim);
            }
            Effect::Resume { skip } => self.resume(skip),
            Effect::TryAgain { skip } => self.try_again(skip),
            Effect::ForgetPause => self.forget_pause(),
            Effect::Retry => {
                self.state.live.retry = None;
                self.state.durable.sync.retry = None;
                self.remedy_is_due();
            }
            Effect::ForceSync => {
                if let Some(cycle) = &mut self.state.durable.cycle {
                    cycle.forced = true;
                }
            }
            Effect::RememberSync => self.state.durable.pending.sync = true,
            Effect::RememberPublish => self.state.durable.pending.publish = true,
            Effect::Pause { mode, reason } => self.pause(mode, reason),
            Effect::Leave => self.leave(),
            Effect::Skip(packages) => {
                let durable = &mut self.state.durable;
                let atoms: Vec<String> = packages.iter().map(|skip| skip.package.clone()).collect();
                skip::add(&mut durable.skips, &packages, self.now.wall);
                // Whoever builds it again later does not want to hear of what was before.
                let forgotten: Vec<_> =
                    durable.known.extract_if(.., |past| past.is_meant_by(&atoms)).collect();
                if let Some(cycle) = &mut durable.cycle {
                    known::retain(&mut cycle.owed, &forgotten, false);
                }
            }
            Effect::Unskip(packages) => {
                self.state.durable.skips.retain(|skip| !packages.contains(&skip.package));
            }
        }
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

    fn forget_pause(&mut self) {
        self.state.durable.pending.pause = None;
        if let Some(job) = &mut self.state.live.job {
            job.awaited = None;
        }
    }

    fn pause(&mut self, mode: PauseMode, reason: Option<String>) {
        let running = self.state.live.job.is_some();
        self.state.durable.pending.pause = Some(PendingPause { mode, reason: reason.clone() });
        match mode {
            PauseMode::Now if running => self.halt(Then::Pause(reason)),
            PauseMode::AfterPackage => {
                if let Some(job) = &mut self.state.live.job {
                    job.awaited = Some(job.packages.keys().cloned().collect());
                }
                self.reached_package_boundary();
            }
            PauseMode::Now | PauseMode::AfterCycle => {}
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
