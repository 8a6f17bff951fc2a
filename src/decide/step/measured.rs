//! What a running job has done so far, written down as it happens, and how long it should take.

use super::Turn;
use crate::decide::view;
use crate::model::job::Tally;
use crate::model::records::Record;
use crate::model::{Action, Work};

impl Turn {
    /// Adds what the job has merged to its cycle, so that a power loss forgets none of it.
    pub(super) fn settle(&mut self) {
        let (Some(job), Some(cycle)) = (&self.state.live.job, &mut self.state.durable.cycle) else { return };
        let before = job.before;
        let failed = cycle.tally.failed;
        cycle.tally = Tally { failed, ..before.tally.plus(job.tally) };
        // A package that fails after it was merged leaves the list again.
        cycle.merged.truncate(before.merged);
        cycle.merged.extend(job.merged.iter().map(|(package, _)| package.clone()));
        cycle.planned = job.planned(cycle.planned);
        if let Some(since) = job.measured {
            cycle.worked = before.worked + self.now.mono.saturating_sub(since).as_secs();
        }
    }

    /// Says how long the build should take, once its first list is there. What has to be merged again
    /// before it has lists of its own.
    pub(super) fn predict(&mut self) {
        let (Some(job), Some(cycle)) = (&mut self.state.live.job, &self.state.durable.cycle) else { return };
        let merged = |package: &String| job.merged.iter().any(|(merged, _)| merged == package);
        let whole = match &job.work {
            Work::Build { merge_again, .. } if merge_again.iter().all(merged) => true,
            // A part of what was predicted.
            Work::Again { .. } => false,
            _ => return,
        };
        if job.measured.is_some() {
            return;
        }
        job.measured = Some(self.now.mono);
        if !whole {
            return;
        }
        let (packages, after, cycle) = (job.total, cycle.worked, cycle.id);
        if let Some(eta) = view::eta(&self.state, self.now) {
            let at = self.now.wall;
            self.actions.push(Action::Record(Record::Predicted { cycle, at, after, packages, eta }));
        }
    }
}
