//! How long packages take on this machine, learnt from emerge.log.
//!
//! The log and not gbsup's own history: it also knows what was built by hand in a repair shell, and
//! it outlives a history that was lost. It has no line for the end of a build, only for the begin
//! and the end of the merge, and a package that the system itself depends on waits for its merge
//! until nothing else is built (`_emerge/Scheduler.py:_build_exit`), which can take hours; with
//! `FEATURES=merge-wait`, the default, every package does. When its
//! build really ended stands in its binary package, and so in the package index: the `BUILD_TIME`
//! that Portage writes after `src_install` (`portage/package/ebuild/doebuild.py`). What merges while
//! nothing else is in work did not wait either. Other durations may have a wait in them. They count
//! as long as they are many and the exact ones few: an old build whose binary package is gone may have been
//! slow as well as late, and one fast build is no proof against all of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::index::Binary;
use super::log::{Event, LogLine, Reader};
use crate::portage::names::cpv::Cpv;

/// How many durations of a package, and how many runs, are remembered: the last ones.
const KEPT: usize = 10;
/// What is longer was not a build but a clock that jumped, in seconds.
const LONGEST: u64 = 7 * 86_400;
/// So many exact durations of a package make the inexact ones superfluous.
const ENOUGH: usize = 3;
/// From the end of one merge to the begin of the next of a queue, in seconds, at the most.
const BREATH: i64 = 5;
/// How many names are kept; the whole tree has half of that.
const MAX_NAMES: usize = 40_000;
/// How many packages may be open at the same time; a damaged log never closes them.
const MAX_OPEN: usize = 1024;

/// What a log of years says about durations. Reading goes on where it ended.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    reader: Reader,
    /// When each build of a package ended.
    built: BTreeMap<Cpv, BTreeSet<i64>>,
    packages: BTreeMap<String, Kinds>,
    run: Run,
    runs: BTreeMap<u32, VecDeque<Measured>>,
}

/// The last durations of one package, the newest last.
#[derive(Clone, Debug, Default)]
struct Kinds {
    source: VecDeque<Took>,
    binary: VecDeque<Took>,
}

#[derive(Clone, Copy, Debug)]
struct Took {
    seconds: u32,
    /// It may have waited for its merge meanwhile.
    waited: bool,
}

/// The run of emerge that is being read, from its start or its last keep-going pass. Times are
/// seconds since 1970.
#[derive(Clone, Debug)]
struct Run {
    /// How many packages it builds at the same time.
    jobs: u32,
    /// The time of the last line.
    last: i64,
    /// Begun and not yet completed.
    open: BTreeMap<Cpv, Open>,
    completed: usize,
    measured: Measured,
    /// When the first of the merges began that follow each other without a pause, and when the last of them did something.
    queue: Option<(i64, i64)>,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            jobs: 1,
            last: 0,
            open: BTreeMap::new(),
            completed: 0,
            measured: Measured::default(),
            queue: None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Open {
    began: i64,
    merging: Option<Merging>,
    binary: bool,
}

/// A merge that has begun.
#[derive(Clone, Copy, Debug)]
struct Merging {
    began: i64,
    /// When its queue began to move: nothing was built any more, so it was built itself by then.
    queue: i64,
    /// Nothing else was in work.
    alone: bool,
}

/// What a run showed about working in parallel, in seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    /// The durations of its packages, added up.
    work: u64,
    /// The time in which at least one package was open.
    busy: u64,
}

impl Durations {
    /// Takes the package index (see [`index`](super::index)), which has to come before the log.
    pub fn read_index(&mut self, index: &[Binary]) {
        for binary in index {
            self.built.entry(binary.cpv.clone()).or_default().extend(binary.built);
        }
    }

    /// Takes the next bytes of the log.
    pub fn read(&mut self, bytes: &[u8]) {
        for entry in self.reader.feed(bytes) {
            self.entry(&entry);
        }
    }

    /// The last durations of a package, in seconds, in the order of the log. `name` is
    /// `category/package`; merges of binary packages are apart.
    pub fn of(&self, name: &str, binary: bool) -> impl Iterator<Item = u32> {
        let all = self.packages.get(name).map(|kinds| kinds.get(binary)).into_iter();
        all.flat_map(|all| {
            let exact = all.iter().filter(|took| !took.waited).count();
            let enough = exact >= ENOUGH.min(all.len() - exact).max(1);
            all.iter().filter(move |took| !(enough && took.waited)).map(|took| took.seconds)
        })
    }

    /// Every package that was ever completed.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.packages.keys().map(String::as_str)
    }

    /// How many packages were really in work at the same time in the last runs with so many jobs, in
    /// thousandths: dependencies and the load average keep it below the number of jobs. Nothing when
    /// there was no run long enough to tell.
    pub(crate) fn at_once(&self, jobs: u32) -> Option<u64> {
        let runs = self.runs.get(&jobs)?;
        let (work, busy) = runs.iter().fold((0, 0), |(work, busy), run| (work + run.work, busy + run.busy));
        (work * 1000).checked_div(busy)
    }

    fn entry(&mut self, entry: &LogLine) {
        self.run.advance(entry.time);
        match &entry.event {
            Event::Started => {
                self.end_run();
                self.run.jobs = 1;
            }
            Event::Resuming | Event::Exit { .. } | Event::Terminating => self.end_run(),
            Event::Command(command) => self.run.jobs = jobs(command),
            Event::Start { package, .. } => self.run.begin(package, entry.time),
            Event::Merging { package, binary } => {
                self.run.merge(package, entry.time, *binary);
            }
            Event::Completed { package, .. } => self.complete(package, entry.time),
            _ => {}
        }
    }

    fn complete(&mut self, package: &Cpv, ended: i64) {
        let Some(open) = self.run.open.remove(package) else { return };
        if let Some((_, last)) = &mut self.run.queue {
            *last = ended;
        }
        let waited = self.waited(package, open);
        // That much is sure in any case.
        let queued = || open.merging.map_or(0, |merging| merging.began - merging.queue);
        let seconds = u32::try_from(ended - open.began - waited.unwrap_or_else(queued));
        let Some(seconds) = seconds.ok().filter(|&seconds| u64::from(seconds) <= LONGEST) else { return };
        let took = Took { seconds, waited: waited.is_none() };
        self.run.completed += 1;
        self.run.measured.work += u64::from(seconds);
        if !self.packages.contains_key(package.cp()) {
            if self.packages.len() >= MAX_NAMES {
                return;
            }
            self.packages.insert(package.cp().to_owned(), Kinds::default());
        }
        if let Some(kinds) = self.packages.get_mut(package.cp()) {
            keep(kinds.get_mut(open.binary), took);
        }
    }

    /// The seconds from the end of the build to the begin of the merge, where they are known.
    fn waited(&self, package: &Cpv, open: Open) -> Option<i64> {
        // Alone there is nothing to wait for.
        if self.run.jobs == 1 {
            return Some(0);
        }
        let merging = open.merging?;
        // A binary package is unpacked in moments.
        if open.binary {
            return Some(merging.began - open.began);
        }
        let ends = self.built.get(package).filter(|_| open.began <= merging.began);
        match ends.and_then(|ends| ends.range(open.began..=merging.began).next_back()) {
            Some(end) => Some(merging.began - end),
            None => merging.alone.then_some(0),
        }
    }

    /// What is open now will never be completed: it failed, or its emerge was killed.
    fn end_run(&mut self) {
        let jobs = self.run.jobs;
        let run = std::mem::replace(&mut self.run, Run { jobs, ..Run::default() });
        // A run of few packages ends before it could use its jobs.
        let enough = usize::try_from(jobs).is_ok_and(|jobs| run.completed >= jobs.saturating_mul(2));
        if jobs > 1 && enough && run.measured.busy > 0 {
            keep(self.runs.entry(jobs).or_default(), run.measured);
        }
    }
}

impl Kinds {
    fn get(&self, binary: bool) -> &VecDeque<Took> {
        if binary { &self.binary } else { &self.source }
    }

    fn get_mut(&mut self, binary: bool) -> &mut VecDeque<Took> {
        if binary { &mut self.binary } else { &mut self.source }
    }
}

impl Run {
    fn advance(&mut self, time: i64) {
        if !self.open.is_empty() {
            match u64::try_from(time.saturating_sub(self.last)) {
                Ok(passed) if passed <= LONGEST => self.measured.busy += passed,
                // The clock was set: how long the open ones have taken is not known.
                _ => {
                    self.open.clear();
                    self.queue = None;
                }
            }
        }
        self.last = time;
    }

    fn merge(&mut self, package: &Cpv, time: i64, binary: bool) {
        let follows = |&(_, last): &(i64, i64)| time.saturating_sub(last) <= BREATH;
        let queue = self.queue.filter(follows).map_or(time, |(began, _)| began);
        self.queue = Some((queue, time));
        let alone = self.open.len() == 1 && queue == time;
        if let Some(open) = self.open.get_mut(package) {
            open.merging = Some(Merging { began: time, queue, alone });
            open.binary = binary;
        }
    }

    fn begin(&mut self, package: &Cpv, time: i64) {
        // As long as a queue moves, nothing begins (`_emerge/Scheduler.py:_schedule_tasks_imp`).
        self.queue = None;
        if self.open.len() < MAX_OPEN {
            self.open.insert(package.clone(), Open { began: time, merging: None, binary: false });
        }
    }
}

/// How many packages a command line builds at the same time: `emerge --update --jobs=4 @world`.
/// `--jobs` alone, and 0, set no limit.
fn jobs(command: &str) -> u32 {
    let given = command.split(' ').rev().find_map(|word| word.strip_prefix("--jobs"));
    match given.map(|value| value.strip_prefix('=').unwrap_or_default().parse()) {
        None => 1,
        Some(Ok(jobs)) if jobs > 0 => jobs,
        Some(_) => u32::MAX,
    }
}

fn keep<T>(last: &mut VecDeque<T>, newest: T) {
    if last.len() == KEPT {
        last.pop_front();
    }
    last.push_back(newest);
}

#[cfg(test)]
#[path = "durations_tests.rs"]
mod tests;
