//! What follows a sync, and when one is due.

use super::Turn;
use crate::config::OnFailure;
use crate::decide::{classify, cycle};
use crate::model::failure::Failure;
use crate::model::job::Job;
use crate::model::records::Outcome;
use crate::model::{Action, Exit, Report, Step};

impl Turn {
    /// What the preflight did not find of the tree. Without it nothing after the sync makes sense.
    pub(super) fn looked_for_the_tree(&mut self, missing: &[String]) {
        self.state.live.missing = missing.to_vec();
        if self.tree_is_missing()
            && let Some(cycle) = &mut self.state.durable.cycle
        {
            cycle.goal.take_if(|goal| *goal > Step::Sync);
        }
    }

    fn tree_is_missing(&self) -> bool {
        let root = self.state.durable.root.as_deref();
        self.state.durable.sync.is_called_for(&self.state.live.missing, root)
    }

    /// Whether the sync of this cycle is to run.
    pub(super) fn sync_is_due(&self) -> bool {
        let sync = &self.state.durable.sync;
        let root = self.state.durable.root.as_deref();
        let forced = self.state.durable.cycle.as_ref().is_some_and(|cycle| cycle.forced);
        forced
            || sync.failures > 0
            || cycle::sync_due(sync, root, &self.state.live.config, self.now)
            || cycle::tree_is_in_doubt(sync, root)
            || self.tree_is_missing()
    }

    pub(super) fn synced(&mut self, job: &Job, report: Report, succeeded: bool) {
        let now = self.now.wall;
        self.state.durable.sync.cut_short = 0;
        self.step_ended(job, if succeeded { Outcome::Done } else { Outcome::Failed });
        let mut lack = None;
        let mut lasting = false;
        if let Report::Synced { ran, synced } = &report {
            for repair in &synced.repairs {
                self.actions.push(Action::Say(format!("repaired: {repair}")));
            }
            self.state.durable.sync.take_in(synced, now);
            lack = synced.lack.as_ref().map(|lack| classify::lack(lack, ran));
            // A command that is not there, or a sync that went well and brought nothing, does so again.
            lasting = matches!(ran.exit, Exit::NotStarted(_))
                || synced.lack.as_ref().is_some_and(|lack| lack.lasting);
        }
        if succeeded {
            let sync = &mut self.state.durable.sync;
            sync.failures = 0;
            sync.error = None;
            return self.next_after(Step::Sync);
        }
        let nothing_is_known = !matches!(report, Report::Synced { .. });
        let failures = classify::failures(job, report);
        let sync = &mut self.state.durable.sync;
        sync.failures = sync.failures.saturating_add(1);
        sync.error = failures.first().map(|f| f.message.clone());
        let wait = cycle::backoff(sync.failures, &self.state.live.config).filter(|_| !lasting);
        if let Some(wait) = wait {
            sync.retry = Some(cycle::later(self.now.wall, wait));
            self.state.live.retry = Some(self.now.mono.saturating_add(wait));
            self.state.durable.since = self.now.wall;
            return;
        }
        sync.failures = 0;
        self.given_up(failures, lack, nothing_is_known);
    }

    /// The retries are used up.
    fn given_up(&mut self, failures: Vec<Failure>, lack: Option<Failure>, nothing_is_known: bool) {
        let sync = &mut self.state.durable.sync;
        let main = sync.main.as_ref().and_then(|main| sync.repositories.get(main));
        let some_are_new = sync.repositories.values().any(|record| record.error.is_none());
        let is_old = main.map_or(!some_are_new, |main| main.error.is_some());
        if is_old || nothing_is_known || lack.is_some() {
            let last_good = sync.succeeded.unwrap_or(self.now.wall);
            sync.stale_since.get_or_insert(last_good);
        }
        if let Some(lack) = lack {
            return self.fail(vec![lack], Step::Sync);
        }
        match self.state.live.config.sync.on_failure {
            OnFailure::Continue => {
                let error = failures.first().map_or("the sync failed", |failure| failure.message.as_str());
                self.say(format!("{error}; the retries are used up, so it goes on with what is there"));
                self.next_after(Step::Sync);
            }
            OnFailure::Pause => self.fail(failures, Step::Sync),
        }
    }
}
