//! The watch over the running job; see [`crate::model::stall`].

use super::Turn;
use crate::model::job::Then;
use crate::model::stall::{Pulse, Stalled};
use crate::model::{Action, JobId};

impl Turn {
    /// Has the job looked at when that is due.
    pub(super) fn watch(&mut self) {
        let mono = self.now.mono;
        let Some(job) = self.state.live.job.as_mut().filter(|job| job.halt.is_none()) else { return };
        if let Some(watch) = job.watch.as_mut().filter(|watch| mono >= watch.due()) {
            watch.look(mono);
            self.actions.push(Action::Look { job: job.id });
        }
    }

    pub(super) fn pulse(&mut self, id: JobId, pulse: Pulse) {
        let Some(job) = self.job(id).filter(|job| job.halt.is_none()) else { return };
        if job.watch.as_mut().is_some_and(|watch| watch.note(pulse)) {
            self.actions.push(Action::Examine { job: id });
        }
    }

    /// What was found is kept for the failure, and the job is stopped.
    pub(super) fn examined(&mut self, id: JobId, processes: Vec<String>) {
        let Some(job) = self.job(id).filter(|job| job.halt.is_none()) else { return };
        let Some(watch) = job.watch else { return };
        let packages = job.packages.iter().map(|(cpv, package)| (cpv.clone(), package.phase_in_words()));
        let stalled = Stalled { stall: watch.stall(), packages: packages.collect(), processes };
        let sentence = stalled.sentence();
        let step = job.work.step();
        job.stalled = Some(stalled);
        self.say(format!("{step} {sentence}: it is stopped"));
        self.halt(Then::Treat);
    }
}
