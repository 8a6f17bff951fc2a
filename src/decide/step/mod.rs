//! The transition function and nothing else.

mod asked;
mod audit;
mod ended;
mod onward;
mod planned;
mod prune;
mod publish;
mod remedies;
mod rest;
mod running;
mod serve;
mod synced;
mod tell;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::decide::remedy;
use crate::decide::{cycle, helpers, view};
use crate::model::failure::Failure;
use crate::model::job::{Job, Then};
use crate::model::records::Record;
use crate::model::remedy::Remedy;
use crate::model::state::{Pause, Phase, Reason, State, Volume};
use crate::model::status::Why;
use crate::model::{Action, Claimed, Event, JobId, Now, Step};
use crate::portage::output::scanner::Progress;

/// Takes one event in. Total: every event is legal in every state, and one that makes no sense
/// there changes nothing.
#[must_use]
pub fn step(state: State, event: Event, now: Now) -> (State, Vec<Action>) {
    let before = state.durable.clone();
    let rested = matches!(state.durable.phase, Phase::Paused(_));
    let mut turn = Turn { state, now, actions: Vec::new(), rested };
    turn.take(event);
    turn.go_on();
    turn.seen();
    turn.serve();
    turn.tell();
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
    /// It was paused when the event came, so whatever it is paused for could be seen.
    rested: bool,
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
                    let planned = matches!(progress, Progress::Planned { .. });
                    if planned || record.is_some() {
                        let over = match &record {
                            Some(Record::Package { package, .. }) => Some(package.clone()),
                            _ => None,
                        };
                        self.actions.extend(record.map(Action::Record));
                        self.note_files(over);
                        self.settle();
                    }
                    if planned {
                        self.predict();
                    }
                    self.reached_package_boundary();
                    self.escalate();
                }
            }
            Event::Ended { job, report } => self.ended(job, report),
            Event::Asked { by, request } => self.asked(by, &request),
            Event::Hold(held) => self.state.live.hold = held,
            Event::Reloaded(Ok(config)) => self.reloaded(*config),
            Event::Reloaded(Err(problems)) => {
                self.say(format!(
                    "the new configuration has faults and is not used, the old one stays in force: {problems}"
                ));
                let first = problems.lines().next().unwrap_or_default();
                let text = format!(
                    "the configuration on disk has faults and is not used, the older one stays in force: {first}"
                );
                self.state.live.warnings.insert("config", text);
            }
            Event::Terminate => self.leave(),
            Event::Volume(space) => self.state.live.space = space,
            Event::Offered(current) => self.offered(current),
            Event::Changed { job, changes } => self.changed(job, changes),
            Event::Stale { job, packages } => self.stale(job, packages),
            Event::Ccache { job, moment, counters } => self.counted(job, moment, counters),
            Event::Estimates(estimates) => self.state.live.estimates = estimates,
            Event::Live(jobs) => {
                if let Some(job) = &mut self.state.live.job {
                    job.look(&jobs);
                }
            }
            Event::Pulse { job, pulse } => self.pulse(job, pulse),
            Event::Examined { job, processes } => self.examined(job, processes),
            Event::ServerEnded(why) => self.server_ended(&why),
            Event::Helped(now) => {
                match helpers::warning(&now) {
                    Some(text) => drop(self.state.live.warnings.insert(helpers::WARNING, text)),
                    None => drop(self.state.live.warnings.remove(helpers::WARNING)),
                }
                for text in helpers::said(&self.state.live.helpers.present, &now.present) {
                    self.say(text);
                }
                let before = std::mem::replace(&mut self.state.live.helpers, *now);
                self.helped(&before);
            }
            Event::Delivered { way, problem } => self.delivered(way, problem),
            Event::Rehearsed { clients, worse } => {
                self.state.live.clients = clients;
                self.state.durable.notices.drift.extend(worse);
            }
            Event::Warning { key, text: Some(text) } => {
                // Somebody who ends the wait also ends what can be seen of it.
                if let Some(job) = self.state.live.job.as_mut().filter(|_| key == view::LOCKED) {
                    job.locked = Some(text.clone());
                }
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

    /// What the builder rests in a pause for is told from now on, by every view of it and by a message.
    fn seen(&mut self) {
        let Phase::Paused(Pause { why: Why::Failure, failures, .. }) = &self.state.durable.phase else {
            return;
        };
        let told: HashSet<&str> = failures.iter().filter_map(|failure| failure.package.as_deref()).collect();
        for past in &mut self.state.durable.known {
            past.untold &= !told.contains(past.package.as_str());
        }
    }

    // --- The volume -----------------------------------------------------------------------------

    fn claimed(&mut self, claimed: Claimed) {
        if self.state.live.volume == Volume::Ours {
            return;
        }
        self.state.live.volume = Volume::Ours;
        let crashed = !claimed.boot;
        let fresh = claimed.durable.is_none();
        self.state.live.last_cycle = claimed.last_cycle;
        if let Some(durable) = claimed.durable {
            self.rested = matches!(durable.phase, Phase::Paused(_));
            let earlier = std::mem::replace(&mut self.state.durable, durable).notices;
            self.remember_notices(earlier);
        }
        self.state.durable.notices.crashed |= crashed;
        let cycle = self.state.durable.cycle.as_ref().map(|cycle| cycle.id);
        self.state.plan = claimed.plan.filter(|plan| Some(plan.cycle) == cycle).map(Arc::new);
        let same_root = self.state.durable.root.as_deref() == Some(claimed.root.as_str());
        self.state.durable.root = Some(claimed.root);
        if fresh {
            self.new_cycle(Reason::First, false);
        } else if !same_root {
            // Nothing of what this root file system holds is known, so a cycle begins from its start, and what
            // failed in another one may be built in this.
            let pause = match &self.state.durable.phase {
                Phase::Paused(pause) if pause.why == Why::Operator => Some(pause.clone()),
                _ => None,
            };
            self.new_cycle(Reason::NewRoot, false);
            self.try_known_again();
            // What a person holds stays held, whatever image it is started from.
            if let Some(Pause { reason, by_flag, .. }) = pause {
                self.hold(reason, by_flag, Some(Step::Preflight));
            }
        } else {
            match &self.state.durable.phase {
                // The job of an earlier process is gone: its step is run again.
                Phase::Running(at) => {
                    let at = *at;
                    self.enter(at);
                    let sync = &mut self.state.durable.sync;
                    if cycle::tree_is_in_doubt(sync, self.state.durable.root.as_deref()) {
                        sync.retry = cycle::after_cut_short(sync, &self.state.live.config);
                    }
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
        let State { durable, live, .. } = &mut self.state;
        live.next = match (&durable.phase, live.config.cycle.interval) {
            (Phase::Waiting(Some(next)), Some(interval)) => Some(cycle::rearm(*next, interval, self.now)),
            _ => None,
        };
        let longest = live.config.sync.retries.iter().max().copied().unwrap_or_default();
        let due = durable.cycle.as_ref().and_then(|cycle| cycle.remedy.as_ref()).and_then(Remedy::due);
        live.retry = match (&durable.phase, durable.sync.retry, due) {
            (Phase::Running(Step::Sync), Some(retry), _) => Some(cycle::rearm(retry, longest, self.now)),
            (Phase::Running(Step::Build), _, Some(due)) => Some(cycle::rearm(due, remedy::LONGEST, self.now)),
            _ => None,
        };
    }

    /// Takes a new configuration over, but for what a running process cannot change.
    fn reloaded(&mut self, config: Config) {
        let old = &self.state.live.config;
        let fixed = old.volume != config.volume || old.log != config.log;
        let other_interval = old.cycle.interval != config.cycle.interval;
        let other_notify = old.notify != config.notify;
        let kept = Config { volume: old.volume.clone(), log: old.log, ..config };
        self.state.live.config = kept;
        if other_interval {
            self.measure_wait();
        }
        if other_notify {
            self.told_otherwise();
        }
        self.state.live.warnings.remove("config");
        self.say("the configuration was read again and is in force");
        if fixed {
            let text = "a change of [volume] or [log] takes effect at the next start of the container";
            self.state.live.warnings.insert("config", text.to_owned());
        }
        self.schedule();
    }

    /// The end of the wait by the interval in force, which counts from the end of the cycle.
    fn measure_wait(&mut self) {
        let State { durable, live, .. } = &mut self.state;
        if live.volume == Volume::Ours
            && let Phase::Waiting(next) = &mut durable.phase
        {
            *next = live.config.cycle.interval.map(|by| cycle::later(durable.since, by));
        }
    }

    // --- Time -----------------------------------------------------------------------------------

    fn timer(&mut self) {
        self.escalate();
        self.watch();
        let mono = self.now.mono;
        if self.state.live.retry.is_some_and(|at| mono >= at) {
            self.state.live.retry = None;
            self.state.durable.sync.retry = None;
            self.remedy_is_due();
        }
        if self.state.live.next.is_some_and(|at| mono >= at) && !self.state.live.hold {
            self.state.live.next = None;
            self.new_cycle(Reason::Interval, false);
        }
    }

    /// A remedy that waits for its time need not wait any more.
    fn remedy_is_due(&mut self) {
        if let Some(Remedy::Again(treatment)) =
            self.state.durable.cycle.as_mut().and_then(|c| c.remedy.as_mut())
        {
            treatment.due = None;
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
}

/// The longest a caller may sleep before [`Event::Timer`] is due.
pub(crate) fn until_wake(state: &State, now: Now) -> Option<Duration> {
    state.wake().map(|at| at.saturating_sub(now.mono))
}
