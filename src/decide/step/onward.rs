//! The way through a cycle and from one to the next.

use std::collections::HashSet;
use std::sync::Arc;

use super::Turn;
use crate::decide::{cycle, remedy, view};
use crate::model::failure::Failure;
use crate::model::job::{Before, Job};
use crate::model::known::{self, KnownFailure};
use crate::model::narrowing::Narrowing;
use crate::model::records::{Outcome, Record};
use crate::model::remedy::{Remedy, Untangling};
use crate::model::request::PauseMode;
use crate::model::stall::Watch;
use crate::model::state::{Cycle, Pause, PendingPause, Phase, Reason, State, Volume};
use crate::model::status::Why;
use crate::model::work::Leftover;
use crate::model::{Action, JobId, Step, Work, work};
use crate::portage::names::cpv::Cpv;
use crate::portage::output::plan::Planned;
use crate::portage::output::scanner::Listed;

impl Turn {
    pub(super) fn new_cycle(&mut self, reason: Reason, forced: bool) {
        let known = self.state.durable.cycle.as_ref().map_or(0, |cycle| cycle.id);
        // That is so until the next audit.
        let held = self.state.durable.cycle.as_ref().map(|cycle| cycle.held.clone()).unwrap_or_default();
        let id = known.max(self.state.live.last_cycle).saturating_add(1);
        let owed = self.untold();
        self.end_cycle(Outcome::Interrupted);
        self.state.plan = None;
        self.state.durable.cycle =
            Some(Cycle { id, started: self.now.wall, reason, forced, held, owed, ..Cycle::default() });
        self.state.durable.sync.failures = 0;
        self.state.durable.sync.retry = None;
        self.state.durable.sync.again = Vec::new();
        self.state.live.next = None;
        self.state.live.retry = None;
        self.state.live.warnings.remove(view::ENDED);
        self.actions.push(Action::Record(Record::CycleStarted {
            cycle: id,
            at: self.now.wall,
            reason: reason.to_string(),
        }));
        self.set_phase(Phase::Running(Step::Preflight));
    }

    /// What failed, will not be tried again by itself, and was not seen by anybody, because something that was asked for
    /// before begins at once: the cycle that begins has to pause for it in the end.
    fn untold(&mut self) -> Vec<Failure> {
        let State { durable, .. } = &mut self.state;
        let cycle = durable.cycle.as_mut().filter(|cycle| !cycle.over);
        let mut untold = cycle.map(|cycle| std::mem::take(&mut cycle.owed)).unwrap_or_default();
        if let Phase::Paused(Pause { why: Why::Failure, failures, .. }) = &durable.phase
            && !self.rested
        {
            untold.extend(failures.iter().cloned());
        }
        untold.retain(known::is_remembered);
        known::retain(&mut untold, &durable.known, true);
        untold
    }

    pub(super) fn end_cycle(&mut self, outcome: Outcome) {
        let Some(cycle) = self.state.durable.cycle.as_mut().filter(|cycle| !cycle.over) else { return };
        cycle.over = true;
        let worked = (outcome == Outcome::Done).then_some(cycle.worked);
        let record = Record::CycleEnded { cycle: cycle.id, at: self.now.wall, outcome, worked };
        self.actions.push(Action::Record(record));
        // Only a build needs them, and a log of years makes them large.
        self.state.live.estimates = Arc::default();
    }

    /// Goes to a step of the present cycle by way of the preflight: whatever was in between (a
    /// repair, a restart) may have left something behind. For the same reason a build gets another
    /// plan: a person may have changed the configuration or merged something by hand, and what is
    /// merged already is no longer part of it. A remedy at work goes on with its packages.
    pub(super) fn enter(&mut self, at: Step) {
        let Some(cycle) = &mut self.state.durable.cycle else {
            return self.new_cycle(Reason::First, false);
        };
        cycle.rest = None;
        // For that reason what was found good is looked at again, too.
        let at = match at {
            Step::Build if cycle.remedy.is_none() => Step::Plan,
            Step::Publish if cycle.remedy.is_none() => Step::Audit,
            at => at,
        };
        // A preflight that was cut short has its goal already.
        if at != Step::Preflight {
            cycle.goal = Some(at);
        }
        if cycle.goal.is_none_or(|goal| goal <= Step::Plan) {
            cycle.narrowing = Narrowing::None;
        }
        self.set_phase(Phase::Running(Step::Preflight));
    }

    pub(super) fn next_after(&mut self, at: Step) {
        let goal = self.state.durable.cycle.as_mut().and_then(|cycle| cycle.goal.take());
        if at == Step::Publish && self.owed() {
            return self.fail(Vec::new(), Step::Build);
        }
        match goal.or_else(|| at.next()) {
            Some(next) => self.set_phase(Phase::Running(next)),
            None => {
                self.end_cycle(Outcome::Done);
                self.wait();
            }
        }
        self.schedule();
    }

    pub(super) fn wait(&mut self) {
        let next = self.state.live.config.cycle.interval.map(|by| cycle::later(self.now.wall, by));
        self.set_phase(Phase::Waiting(next));
        self.schedule();
    }

    /// Moves on from a safe point, as far as it goes without anything happening outside.
    pub(super) fn go_on(&mut self) {
        // A phase can pass through a few others (a sync that is not due) but never in a circle.
        for _ in 0..8 {
            if self.state.live.job.is_some() {
                return;
            }
            if self.state.live.stopping {
                self.actions.push(Action::Exit(0));
                return;
            }
            if self.state.live.volume != Volume::Ours {
                return;
            }
            let moved = match self.state.durable.phase.clone() {
                Phase::Running(at) => self.run(at),
                Phase::Waiting(_) => self.idle(),
                Phase::Paused(pause) => self.held(&pause),
            };
            if !moved {
                return;
            }
        }
    }

    /// Starts the job of a step. True when the phase changed instead.
    fn run(&mut self, at: Step) -> bool {
        if self.state.live.hold {
            self.hold(None, true, Some(at));
            return true;
        }
        if let Some(PendingPause { mode: PauseMode::Now | PauseMode::AfterPackage, reason }) =
            self.state.durable.pending.pause.clone()
        {
            self.hold(reason, false, Some(at));
            return true;
        }
        if self.state.live.retry.is_some() {
            return false;
        }
        if at == Step::Build && self.repeats_a_failure() {
            // Room was made meanwhile, or something else that is no part of a plan.
            if let Some(cycle) = &mut self.state.durable.cycle {
                cycle.narrowing = Narrowing::None;
                cycle.rest = None;
            }
            self.set_phase(Phase::Running(Step::Plan));
            return true;
        }
        if at == Step::Sync {
            if !self.sync_is_due() {
                self.next_after(Step::Sync);
                return true;
            }
            let sync = &mut self.state.durable.sync;
            sync.attempted = Some(self.now.wall);
            sync.root.clone_from(&self.state.durable.root);
            sync.cut_short = sync.cut_short.saturating_add(1);
        }
        self.start(at);
        false
    }

    /// Whether a build of everything would only repeat what failed since it was planned. A plan that was made
    /// with that in mind is not made again.
    fn repeats_a_failure(&self) -> bool {
        let State { durable, plan, .. } = &self.state;
        let (Some(cycle), Some(made)) = (&durable.cycle, plan) else { return false };
        let rests = cycle.rest.as_ref().is_some_and(|rest| !rest.over);
        let unforeseen = |past: &KnownFailure| cycle.narrowing == Narrowing::None || made.made < past.last;
        let repeated = || known::repeated(&durable.known, &made.plan, &cycle.toolchain, cycle.id);
        cycle.remedy.is_none() && !rests && repeated().into_iter().any(unforeseen)
    }

    fn start(&mut self, at: Step) {
        let (exclude, left_out) = (self.state.exclude(), self.state.left_out());
        let half_done = known::half_done(&self.state.durable.known);
        let Some(cycle) = &mut self.state.durable.cycle else { return };
        if at == Step::Sync {
            cycle.forced = false;
        }
        cycle.rest.take_if(|rest| rest.over && at == Step::Build && cycle.remedy.is_none());
        let work = match (&cycle.remedy, at) {
            (Some(Remedy::Again(treatment)), Step::Build) => {
                remedy::count(treatment, &mut cycle.treated);
                Work::Again { packages: treatment.packages.clone(), change: treatment.change(), exclude }
            }
            (Some(Remedy::Untangle(untangling)), at) if untangling.at == at => {
                match untangling.solution.clone() {
                    Some(solution) => Work::Untangle { at, solution, exclude },
                    None => {
                        let Untangling { text, within, .. } = *untangling.clone();
                        Work::Circle { at, text, within, exclude }
                    }
                }
            }
            (Some(Remedy::Room(room)), at) if room.at == at => Work::Prune { at },
            (_, Step::Prune) => Work::Prune { at },
            (_, Step::Preflight) => Work::Preflight { failed: [&half_done[..], &cycle.merge_again].concat() },
            (_, Step::Sync) => Work::Sync { only: self.state.durable.sync.again.clone() },
            (_, Step::SelfUpdate) => Work::SelfUpdate,
            (_, Step::Plan) => {
                let skips = self.state.durable.skips.iter().map(|skip| skip.package.clone()).collect();
                Work::Plan { exclude, skips }
            }
            (_, Step::Build) if cycle.rest.as_ref().is_some_and(|rest| !rest.over) => {
                let Leftover { targets, failed, .. } = cycle.rest.clone().unwrap_or_default();
                let exclude = [&left_out[..], cycle.narrowing.cause()].concat();
                Work::Rest { targets, exclude, failed }
            }
            (_, Step::Build) => Work::Build { exclude, merge_again: cycle.merge_again.clone() },
            (_, Step::Rebuild) => {
                // What failed in this cycle is not tried again in it.
                let known = &self.state.durable.known;
                let owed: HashSet<&str> =
                    cycle.owed.iter().filter_map(|failure| failure.package.as_deref()).collect();
                let failed = known.iter().filter(|past| owed.contains(past.package.as_str()));
                let failed = failed.map(KnownFailure::atom);
                let mut exclude: Vec<String> = failed.chain(exclude).collect();
                exclude.sort();
                exclude.dedup();
                Work::Rebuild { merged: cycle.merged.clone(), exclude }
            }
            (_, Step::Audit) => {
                let tried = [&self.state.durable.broken[..], &cycle.mending.tried].concat();
                let owed = cycle.owed.iter().filter_map(|failure| failure.package.as_deref());
                let owed = owed.filter_map(|package| Some(Cpv::parse(package.as_bytes())?.cp().to_owned()));
                let known = self.state.durable.known.iter().map(KnownFailure::atom);
                let failing = known.chain(owed).chain(left_out).collect();
                Work::Audit { rebuild: cycle.mending.now.clone(), tried, failing, exclude }
            }
            (_, Step::Publish) => {
                self.state.durable.pending.publish = false;
                Work::Publish { stale: cycle.stale.clone() }
            }
        };
        let before = Before { tally: cycle.tally, merged: cycle.merged.len(), worked: cycle.worked };
        let cycle = cycle.id;
        let job = JobId(self.state.durable.last_job.0.saturating_add(1));
        self.state.durable.last_job = job;
        let mut begun = Job::new(job, cycle, work.clone());
        begun.before = before;
        begun.watch = self.state.live.config.build.stall.map(|stall| Watch::begin(stall, self.now.mono));
        if let (Work::Build { .. }, Some(made)) = (&work, &self.state.plan) {
            // Until emerge lists it itself.
            let listed = |planned: &Planned| Listed { package: planned.cpv.clone(), binary: planned.binary };
            begun.rest = Some(made.plan.packages.iter().map(listed).collect());
        }
        self.state.live.job = Some(begun);
        let log = work::step_log(&self.state.live.config.volume.path, cycle, at);
        self.actions.push(Action::Record(Record::StepStarted {
            cycle,
            step: at.to_string(),
            at: self.now.wall,
            log: Some(log.display().to_string()),
        }));
        if work.is_remedy() {
            self.remedy_started(cycle, at);
        }
        self.actions.push(Action::Start { job, cycle, work });
    }

    fn idle(&mut self) -> bool {
        if self.state.live.hold {
            self.hold(None, true, None);
            return true;
        }
        if let Some(pause) = self.state.durable.pending.pause.clone() {
            self.hold(pause.reason, false, None);
            return true;
        }
        self.begin_pending_sync() || self.begin_pending_publish()
    }

    fn held(&mut self, pause: &Pause) -> bool {
        if self.state.live.hold {
            return false;
        }
        if self.begin_pending_sync() {
            return true;
        }
        if pause.by_flag {
            self.resume(Vec::new());
            return true;
        }
        false
    }

    fn begin_pending_sync(&mut self) -> bool {
        if self.state.live.hold || !self.state.durable.pending.sync {
            return false;
        }
        self.state.durable.pending.sync = false;
        self.new_cycle(Reason::Requested, true);
        true
    }
}
