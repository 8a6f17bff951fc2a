//! The transition function and nothing else.

use std::time::Duration;

use super::failure::Failure;
use super::history::{Outcome, Record};
use super::job::{Job, Then};
use super::request::{self, Effect, PauseMode, Reply, Request};
use super::state::{Cycle, Live, Pause, PendingPause, Phase, Reason, State, Tally, Volume};
use super::status::Why;
use super::{Action, Asker, Claimed, Event, Exit, JobId, Now, Report, Step, Work, classify, cycle};
use crate::config::OnFailure;
use crate::portage::sync;

/// Takes one event in. Total: every event is legal in every state, and one that makes no sense
/// there changes nothing.
#[must_use]
pub fn step(state: State, event: Event, now: Now) -> (State, Vec<Action>) {
    let before = state.durable.clone();
    let mut turn = Turn { state, now, actions: Vec::new() };
    turn.take(event);
    turn.go_on();
    let Turn { state, mut actions, .. } = turn;
    if state.durable != before && state.live.volume == Volume::Ours {
        actions.insert(0, Action::Persist);
    }
    (state, actions)
}

/// One call of [`step`].
struct Turn {
    state: State,
    now: Now,
    actions: Vec<Action>,
}

impl Turn {
    fn take(&mut self, event: Event) {
        match event {
            Event::Claimed(claimed) => self.claimed(*claimed),
            Event::Refused(failure) => self.refused(failure),
            Event::Timer => self.timer(),
            Event::Progress { job, progress } => {
                let now = self.now;
                if let Some(live) = self.job(job) {
                    let record = live.note(&progress, now);
                    self.actions.extend(record.map(Action::Record));
                    self.reached_package_boundary();
                    self.escalate();
                }
            }
            Event::Ended { job, report } => self.ended(job, report),
            Event::Asked { by, request } => self.asked(by, &request),
            Event::Hold(held) => self.state.live.hold = held,
            Event::Reloaded(Ok(config)) => {
                self.state.live.config = *config;
                self.state.live.warnings.remove("config");
                self.say("the configuration was read again and is in force");
                self.schedule();
            }
            Event::Reloaded(Err(problems)) => {
                self.say(format!("the configuration was not taken over, the old one stays: {problems}"));
                let first = problems.lines().next().unwrap_or_default();
                let text = format!("the configuration on disk is not in force, the older one stays: {first}");
                self.state.live.warnings.insert("config", text);
            }
            Event::Terminate => self.leave(),
            Event::Volume(space) => self.state.live.space = space,
            Event::Live(jobs) => {
                if let Some(job) = &mut self.state.live.job {
                    job.look(&jobs);
                }
            }
            Event::Warning { key, text: Some(text) } => {
                self.state.live.warnings.insert(key, text);
            }
            Event::Warning { key, text: None } => {
                self.state.live.warnings.remove(key);
            }
        }
    }

    /// The live job, unless the event is about another one.
    fn job(&mut self, id: JobId) -> Option<&mut Job> {
        self.state.live.job.as_mut().filter(|job| job.id == id)
    }

    fn say(&mut self, text: impl Into<String>) {
        self.actions.push(Action::Say(text.into()));
    }

    fn set_phase(&mut self, phase: Phase) {
        self.state.durable.phase = phase;
        self.state.durable.since = self.now.wall;
    }

    // --- The volume -----------------------------------------------------------------------------

    fn claimed(&mut self, claimed: Claimed) {
        if self.state.live.volume == Volume::Ours {
            return;
        }
        self.state.live.volume = Volume::Ours;
        let fresh = claimed.durable.is_none();
        self.state.live.last_cycle = claimed.last_cycle;
        if let Some(durable) = claimed.durable {
            self.state.durable = durable;
        }
        let same_root = self.state.durable.root.as_deref() == Some(claimed.root.as_str());
        self.state.durable.root = Some(claimed.root);
        if fresh {
            self.new_cycle(Reason::First, false);
        } else if !same_root {
            // Nothing of what this root file system holds is known, so a cycle begins from its start.
            self.new_cycle(Reason::NewRoot, false);
        } else {
            match &self.state.durable.phase {
                // The job of an earlier process is gone: its step is run again.
                Phase::Running(at) => {
                    let at = *at;
                    self.enter(at);
                }
                Phase::Waiting(_) if claimed.boot && self.state.live.config.cycle.on_start => {
                    self.new_cycle(Reason::Start, false);
                }
                Phase::Waiting(_) | Phase::Paused(_) => {}
            }
        }
        self.schedule();
    }

    fn refused(&mut self, failure: Box<Failure>) {
        if self.state.live.volume != Volume::Ours {
            self.state.live.volume = Volume::Refused(failure);
            self.state.durable.since = self.now.wall;
        }
    }

    /// Deadlines of the durable state, in this process's time.
    fn schedule(&mut self) {
        let State { durable, live } = &mut self.state;
        live.next = match (&durable.phase, live.config.cycle.interval) {
            (Phase::Waiting(Some(next)), Some(interval)) => Some(cycle::rearm(*next, interval, self.now)),
            _ => None,
        };
        let longest = live.config.sync.retries.iter().max().copied().unwrap_or_default();
        live.retry = match (&durable.phase, durable.sync.retry) {
            (Phase::Running(Step::Sync), Some(retry)) => Some(cycle::rearm(retry, longest, self.now)),
            _ => None,
        };
    }

    // --- Time -----------------------------------------------------------------------------------

    fn timer(&mut self) {
        self.escalate();
        let mono = self.now.mono;
        if self.state.live.retry.is_some_and(|at| mono >= at) {
            self.state.live.retry = None;
            self.state.durable.sync.retry = None;
        }
        if self.state.live.next.is_some_and(|at| mono >= at) && !self.state.live.hold {
            self.state.live.next = None;
            self.new_cycle(Reason::Interval, false);
        }
    }

    /// The next signal of a stop, when its time has come.
    fn escalate(&mut self) {
        let grace = self.state.live.config.stop.grace;
        let now = self.now;
        if let Some(job) = &mut self.state.live.job {
            let force = job.escalate(grace, now);
            let job = job.id;
            self.actions.extend(force.map(|force| Action::Signal { job, force }));
        }
    }

    fn halt(&mut self, then: Then) {
        let grace = self.state.live.config.stop.grace;
        let now = self.now;
        if let Some(job) = &mut self.state.live.job {
            let force = job.stop(then, grace, now);
            let job = job.id;
            self.actions.extend(force.map(|force| Action::Signal { job, force }));
        }
    }

    // --- Requests -------------------------------------------------------------------------------

    fn asked(&mut self, by: Asker, request: &Request) {
        let (effect, reply) = request::decide(&self.state, request, self.now);
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
            Effect::ForgetPause => self.forget_pause(),
            Effect::RetrySync => {
                self.state.live.retry = None;
                self.state.durable.sync.retry = None;
            }
            Effect::ForceSync => {
                if let Some(cycle) = &mut self.state.durable.cycle {
                    cycle.forced = true;
                }
            }
            Effect::RememberSync => self.state.durable.pending.sync = true,
            Effect::Pause { mode, reason } => self.pause(mode, reason),
            Effect::Leave => self.leave(),
        }
    }

    fn resume(&mut self, skip: Vec<String>) {
        let Phase::Paused(pause) = &self.state.durable.phase else { return };
        let at = pause.at;
        match at {
            Some(at) => {
                if let Some(cycle) = &mut self.state.durable.cycle {
                    cycle.exclude.extend(skip);
                    cycle.exclude.sort();
                    cycle.exclude.dedup();
                    cycle.tally.failed = 0;
                }
                // A person has seen it: the sync's retries begin anew.
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
    /// in work (a sync, the resolver) is short and is let finish.
    fn reached_package_boundary(&mut self) {
        let Some(job) = &self.state.live.job else { return };
        let arrived = job.awaited.as_ref().is_some_and(std::collections::BTreeSet::is_empty);
        let between_packages = !job.merged.is_empty() || !job.failed.is_empty();
        if arrived && between_packages && job.halt.is_none() {
            let reason = self.state.durable.pending.pause.as_ref().and_then(|p| p.reason.clone());
            self.halt(Then::Pause(reason));
        }
    }

    /// Begins to leave, or hurries.
    fn leave(&mut self) {
        self.state.live.stopping = true;
        self.halt(Then::Leave);
    }

    // --- Jobs -----------------------------------------------------------------------------------

    fn ended(&mut self, id: JobId, report: Report) {
        let Some(job) = self.state.live.job.take_if(|job| job.id == id) else { return };
        let at = job.work.step();
        let succeeded = succeeded(&report);
        if let Some(cycle) = &mut self.state.durable.cycle {
            if succeeded && at == Step::Build {
                cycle.merge_again.clear();
            }
            cycle.tally = cycle.tally.plus(Tally { failed: 0, ..job.tally });
            cycle.merged.extend(job.merged.iter().map(|(package, _)| package.clone()));
        }
        if let Report::Ready { repairs } = &report {
            for repair in repairs {
                self.actions.push(Action::Say(format!("repaired: {repair}")));
            }
        }
        if job.halt.is_some() && !succeeded {
            self.step_ended(&job, Outcome::Interrupted);
            if let Some(halt) = job.halt
                && let Then::Pause(reason) = halt.then
            {
                self.hold(reason, false, Some(at));
            }
            return;
        }
        if at == Step::Sync {
            return self.synced(&job, report, succeeded);
        }
        if succeeded {
            self.step_ended(&job, Outcome::Done);
            self.next_after(at);
        } else {
            self.step_ended(&job, Outcome::Failed);
            let merge_again = classify::half_done(&report);
            let failures = classify::failures(&job, report);
            if let Some(cycle) = &mut self.state.durable.cycle {
                cycle.tally.failed +=
                    u64::try_from(failures.iter().filter(|f| f.package.is_some()).count()).unwrap_or(0);
                cycle.merge_again = merge_again;
            }
            self.fail(failures, at);
        }
    }

    fn synced(&mut self, job: &Job, report: Report, succeeded: bool) {
        if succeeded {
            self.step_ended(job, Outcome::Done);
            let now = self.now.wall;
            let sync = &mut self.state.durable.sync;
            sync.succeeded = Some(now);
            sync.failures = 0;
            sync.error = None;
            sync.stale_since = None;
            if let Report::Synced { revision, .. } = report {
                sync.revision = revision;
            }
            return self.next_after(Step::Sync);
        }
        self.step_ended(job, Outcome::Failed);
        let failures = classify::failures(job, report);
        let sync = &mut self.state.durable.sync;
        sync.failures = sync.failures.saturating_add(1);
        sync.error = failures.first().map(|f| f.message.clone());
        if let Some(wait) = cycle::backoff(sync.failures, &self.state.live.config) {
            sync.retry = Some(cycle::later(self.now, wait));
            self.state.live.retry = Some(self.now.mono.saturating_add(wait));
            self.state.durable.since = self.now.wall;
            return;
        }
        sync.failures = 0;
        let last_good = sync.succeeded.unwrap_or(self.now.wall);
        sync.stale_since.get_or_insert(last_good);
        match self.state.live.config.sync.on_failure {
            OnFailure::Continue => {
                self.say("the sync failed and its retries are used up: going on with the tree as it is");
                self.next_after(Step::Sync);
            }
            OnFailure::Pause => self.fail(failures, Step::Sync),
        }
    }

    fn step_ended(&mut self, job: &Job, outcome: Outcome) {
        self.actions.push(Action::Record(Record::StepEnded {
            cycle: job.cycle,
            step: job.work.step().name().to_owned(),
            at: self.now.wall,
            outcome,
        }));
    }

    fn fail(&mut self, failures: Vec<Failure>, at: Step) {
        // It is held now; only a pause at the end of the cycle is still to come.
        self.state.durable.pending.pause.take_if(|pending| pending.mode != PauseMode::AfterCycle);
        self.set_phase(Phase::Paused(Pause {
            why: Why::Failure,
            by_flag: false,
            failures,
            reason: None,
            at: Some(at),
            due: None,
        }));
    }

    fn hold(&mut self, reason: Option<String>, by_flag: bool, at: Option<Step>) {
        let due = match self.state.durable.phase {
            Phase::Waiting(due) => due,
            _ => None,
        };
        self.state.durable.pending.pause = None;
        self.state.live.next = None;
        self.state.live.retry = None;
        let failures = Vec::new();
        self.set_phase(Phase::Paused(Pause { why: Why::Operator, by_flag, failures, reason, at, due }));
    }

    // --- The way through a cycle ----------------------------------------------------------------

    fn new_cycle(&mut self, reason: Reason, forced: bool) {
        let known = self.state.durable.cycle.as_ref().map_or(0, |cycle| cycle.id);
        let id = known.max(self.state.live.last_cycle).saturating_add(1);
        self.end_cycle(Outcome::Interrupted);
        self.state.durable.cycle = Some(Cycle {
            id,
            started: self.now.wall,
            reason,
            forced,
            goal: None,
            exclude: Vec::new(),
            merged: Vec::new(),
            merge_again: Vec::new(),
            tally: Tally::default(),
            over: false,
        });
        self.state.durable.sync.failures = 0;
        self.state.durable.sync.retry = None;
        self.state.live.next = None;
        self.state.live.retry = None;
        self.actions.push(Action::Record(Record::CycleStarted {
            cycle: id,
            at: self.now.wall,
            reason: reason.name().to_owned(),
        }));
        self.set_phase(Phase::Running(Step::Preflight));
    }

    fn end_cycle(&mut self, outcome: Outcome) {
        let Some(cycle) = self.state.durable.cycle.as_mut().filter(|cycle| !cycle.over) else { return };
        cycle.over = true;
        let record = Record::CycleEnded { cycle: cycle.id, at: self.now.wall, outcome };
        self.actions.push(Action::Record(record));
    }

    /// Goes to a step of the present cycle by way of the preflight: whatever was in between (a
    /// repair, a restart) may have left something behind.
    fn enter(&mut self, at: Step) {
        let Some(cycle) = &mut self.state.durable.cycle else {
            return self.new_cycle(Reason::First, false);
        };
        cycle.goal = (at != Step::Preflight).then_some(at);
        self.set_phase(Phase::Running(Step::Preflight));
    }

    fn next_after(&mut self, at: Step) {
        let goal = self.state.durable.cycle.as_mut().and_then(|cycle| cycle.goal.take());
        match goal.or_else(|| cycle::after(at)) {
            Some(next) => self.set_phase(Phase::Running(next)),
            None => {
                self.end_cycle(Outcome::Done);
                self.wait();
            }
        }
        self.schedule();
    }

    fn wait(&mut self) {
        let next = self.state.live.config.cycle.interval.map(|by| cycle::later(self.now, by));
        self.set_phase(Phase::Waiting(next));
        self.schedule();
    }

    /// Moves on from a safe point, as far as it goes without anything happening outside.
    fn go_on(&mut self) {
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
        if at == Step::Sync {
            if self.state.live.retry.is_some() {
                return false;
            }
            let Live { config, .. } = &self.state.live;
            let sync = &self.state.durable.sync;
            let forced = self.state.durable.cycle.as_ref().is_some_and(|cycle| cycle.forced);
            let due = cycle::sync_due(sync, self.state.durable.root.as_deref(), config, self.now);
            if !(forced || due || sync.failures > 0) {
                self.next_after(Step::Sync);
                return true;
            }
            self.state.durable.sync.attempted = Some(self.now.wall);
            self.state.durable.sync.root.clone_from(&self.state.durable.root);
        }
        self.start(at);
        false
    }

    fn start(&mut self, at: Step) {
        let Some(cycle) = &mut self.state.durable.cycle else { return };
        if at == Step::Sync {
            cycle.forced = false;
        }
        let work = match at {
            Step::Preflight => Work::Preflight,
            Step::Sync => Work::Sync,
            Step::SelfUpdate => Work::SelfUpdate,
            Step::Build => {
                Work::Build { exclude: cycle.exclude.clone(), merge_again: cycle.merge_again.clone() }
            }
            Step::Rebuild => Work::Rebuild { merged: cycle.merged.clone(), exclude: cycle.exclude.clone() },
        };
        let cycle = cycle.id;
        let job = JobId(self.state.durable.last_job.0.saturating_add(1));
        self.state.durable.last_job = job;
        self.state.live.job = Some(Job::new(job, cycle, work.clone()));
        let log = cycle::step_log(&self.state.live.config.volume.path, cycle, at);
        self.actions.push(Action::Record(Record::StepStarted {
            cycle,
            step: at.name().to_owned(),
            at: self.now.wall,
            log: Some(log.display().to_string()),
        }));
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
        self.begin_pending_sync()
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

/// Whether the step's work is done.
fn succeeded(report: &Report) -> bool {
    match report {
        Report::Nothing | Report::Ready { .. } => true,
        Report::Failed(_) => false,
        Report::Ran(ran) => ran.exit == Exit::Code(0),
        Report::Synced { outcome, .. } => !matches!(outcome, sync::Outcome::Failed(_)),
    }
}

/// The longest a caller may sleep before [`Event::Timer`] is due.
#[must_use]
pub fn until_wake(state: &State, now: Now) -> Option<Duration> {
    state.wake().map(|at| at.saturating_sub(now.mono))
}
