//! What a running job tells: how far it is and how long it should take, what it found of major updates
//! ([`crate::decide::rebuilds`]), and whether it still moves ([`crate::model::stall`]).

use super::Turn;
use crate::decide::view;
use crate::model::ccache::Moment;
use crate::model::helpers::{Files, Helpers};
use crate::model::job::{Tally, Then};
use crate::model::rebuilds::{Change, Stale};
use crate::model::records::Record;
use crate::model::stall::{Pulse, Stalled};
use crate::model::{Action, JobId, Work};
use crate::portage::output::ccache::Counters;

impl Turn {
    // --- How far it is ---------------------------------------------------------------------------

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

    // --- What it found ---------------------------------------------------------------------------

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

    /// Keeps what ccache was good for.
    pub(super) fn counted(&mut self, job: JobId, moment: Moment, counters: Counters) {
        if self.job(job).is_none() {
            return;
        }
        let Some(cycle) = &mut self.state.durable.cycle else { return };
        let counted = cycle.ccache.get_or_insert_default();
        counted.note(moment, counters);
        if moment == Moment::After {
            let (cycle, used, at) = (cycle.id, counted.used, self.now.wall);
            self.actions.push(Action::Record(Record::Ccache { cycle, at, used }));
        }
    }

    /// Keeps what became of the files of packages that are over: the scheduler tells the last ones a moment later. Those at work are
    /// kept when they end.
    pub(super) fn helped(&mut self, before: &Helpers) {
        let live = &self.state.live;
        let at_work = |package: &str| live.job.as_ref().is_some_and(|job| job.packages.contains_key(package));
        let now = live.helpers.packages.iter();
        let late = now.filter(|(package, compiled)| {
            before.packages.get(*package) != Some(compiled) && !at_work(package)
        });
        let late: Vec<String> = late.map(|(package, _)| package.clone()).collect();
        self.note_files(late);
    }

    /// Keeps what became of the files of these packages, and of all of the cycle.
    pub(super) fn note_files(&mut self, packages: impl IntoIterator<Item = String>) {
        let helpers = &self.state.live.helpers;
        let (Some(cycle), at) = (helpers.cycle, self.now.wall) else { return };
        if self.state.durable.cycle.as_ref().map(|cycle| cycle.id) != Some(cycle) {
            return;
        }
        let of = |package: String| {
            let files = helpers.of_package(Some(cycle), &package)?;
            Some(Action::Record(Record::Helped { cycle, at, package: Some(package), files }))
        };
        let known: Vec<Action> = packages.into_iter().filter_map(of).collect();
        if !known.is_empty() {
            let files = Files::of(&helpers.compiled);
            self.actions.extend(known);
            self.actions.push(Action::Record(Record::Helped { cycle, at, package: None, files }));
        }
    }

    // --- Whether it moves ------------------------------------------------------------------------

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
