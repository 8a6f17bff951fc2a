//! What a job found of major updates; see [`crate::decide::rebuilds`].

use super::Turn;
use crate::model::JobId;
use crate::model::rebuilds::{Change, Stale};

impl Turn {
    /// Keeps what changed, and says what of it is news.
    pub(super) fn changed(&mut self, job: JobId, changes: Vec<Change>) {
        if self.job(job).is_none() {
            return;
        }
        let Some(cycle) = &mut self.state.durable.cycle else { return };
        let news: Vec<String> = changes
            .iter()
            .filter(|change| !cycle.changes.contains(change))
            .map(ToString::to_string)
            .collect();
        cycle.changes = changes;
        for sentence in news {
            self.say(sentence);
        }
    }

    /// Keeps what is rebuilt, and says why.
    pub(super) fn stale(&mut self, job: JobId, packages: Vec<Stale>) {
        if self.job(job).is_none() {
            return;
        }
        for stale in packages {
            self.say(format!("merged again: {stale}"));
            let Some(cycle) = &mut self.state.durable.cycle else { return };
            // A step that is resumed may come to it once more.
            cycle.stale.retain(|known| known.package != stale.package);
            cycle.stale.push(stale);
        }
    }
}
