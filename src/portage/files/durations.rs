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

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write as _;
use std::num::ParseIntError;

use serde::{Deserialize, Serialize};

use super::built::Built;
use super::log::{Event, LogLine, Reader};
use crate::portage::names::cpv::CpvRef;

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

/// What a log of years says about durations. Reading goes on where it ended, also in another process, which is told of the lines whose end was
/// not there yet once more.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Durations {
    #[serde(skip)]
    reader: Reader,
    packages: HashMap<String, Kinds>,
    run: Run,
    runs: BTreeMap<u32, VecDeque<Measured>>,
}

/// The last durations of one package, the newest last. Written down as `61 58~ 63/2`: what may have waited is marked, and binary packages
/// follow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
struct Kinds {
    source: VecDeque<Took>,
    binary: VecDeque<Took>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Took {
    seconds: u32,
    /// It may have waited for its merge meanwhile.
    waited: bool,
}

/// The run of emerge that is being read, from its start or its last keep-going pass. Times are
/// seconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Run {
    /// How many packages it builds at the same time.
    jobs: u32,
    /// The time of the last line.
    last: i64,
    /// Begun and not yet completed.
    open: BTreeMap<String, Open>,
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

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Open {
    began: i64,
    merging: Option<Merging>,
    binary: bool,
}

/// A merge that has begun.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Merging {
    began: i64,
    /// When its queue began to move: nothing was built any more, so it was built itself by then.
    queue: i64,
    /// Nothing else was in work.
    alone: bool,
}

/// What a run showed about working in parallel, in seconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Measured {
    /// The durations of its packages, added up.
    work: u64,
    /// The time in which at least one package was open.
    busy: u64,
}

impl Durations {
    /// Takes the next bytes of the log. What they complete is judged by the ends of builds that are known now.
    pub fn read(&mut self, bytes: &[u8], built: &Built<'_>) {
        let mut reader = std::mem::take(&mut self.reader);
        reader.feed(bytes, |entry| self.entry(entry, built));
        self.reader = reader;
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

    fn entry(&mut self, entry: LogLine<'_>, built: &Built<'_>) {
        self.run.advance(entry.time);
        match entry.event {
            Event::Started => {
                self.end_run();
                self.run.jobs = 1;
            }
            Event::Resuming | Event::Exit { .. } | Event::Terminating => self.end_run(),
            Event::Command(command) => self.run.jobs = jobs(command),
            Event::Start { package, .. } => self.run.begin(package, entry.time),
            Event::Merging { package, binary } => {
                self.run.merge(package, entry.time, binary);
            }
            Event::Completed { package, .. } => self.complete(package, entry.time, built),
            _ => {}
        }
    }

    fn complete(&mut self, package: CpvRef<'_>, ended: i64, built: &Built<'_>) {
        let Some(open) = self.run.open.remove(package.as_str()) else { return };
        if let Some((_, last)) = &mut self.run.queue {
            *last = ended;
        }
        let waited = self.waited(package, open, built);
        // That much is sure in any case.
        let queued = || open.merging.map_or(0, |merging| merging.began - merging.queue);
        let seconds = u32::try_from(ended - open.began - waited.unwrap_or_else(queued));
        let Some(seconds) = seconds.ok().filter(|&seconds| u64::from(seconds) <= LONGEST) else { return };
        let took = Took { seconds, waited: waited.is_none() };
        self.run.completed += 1;
        self.run.measured.work += u64::from(seconds);
        if let Some(kinds) = self.packages.get_mut(package.cp()) {
            keep(kinds.get_mut(open.binary), took);
        } else if self.packages.len() < MAX_NAMES {
            keep(self.packages.entry(package.cp().to_owned()).or_default().get_mut(open.binary), took);
        }
    }

    /// The seconds from the end of the build to the begin of the merge, where they are known.
    fn waited(&self, package: CpvRef<'_>, open: Open, built: &Built<'_>) -> Option<i64> {
        // Alone there is nothing to wait for.
        if self.run.jobs == 1 {
            return Some(0);
        }
        let merging = open.merging?;
        // A binary package is unpacked in moments.
        if open.binary {
            return Some(merging.began - open.began);
        }
        match built.last(package.as_str(), open.began..=merging.began) {
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

impl From<Kinds> for String {
    fn from(kinds: Kinds) -> Self {
        let mut text = Self::new();
        for (before, kind) in [("", &kinds.source), ("/", &kinds.binary)] {
            text += before;
            for (n, took) in kind.iter().enumerate() {
                let (blank, mark) = (if n > 0 { " " } else { "" }, if took.waited { "~" } else { "" });
                let _ = write!(text, "{blank}{}{mark}", took.seconds);
            }
        }
        text
    }
}

impl TryFrom<String> for Kinds {
    type Error = ParseIntError;

    fn try_from(text: String) -> Result<Self, ParseIntError> {
        let (source, binary) = text.split_once('/').unwrap_or((&text, ""));
        let took = |word: &str| {
            let seconds = word.strip_suffix('~').unwrap_or(word);
            Ok(Took { seconds: seconds.parse()?, waited: seconds.len() < word.len() })
        };
        let read = |text: &str| {
            let mut last = VecDeque::with_capacity(KEPT);
            text.split_ascii_whitespace()
                .try_for_each(|word| took(word).map(|took| keep(&mut last, took)))?;
            Ok(last)
        };
        Ok(Self { source: read(source)?, binary: read(binary)? })
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

    fn merge(&mut self, package: CpvRef<'_>, time: i64, binary: bool) {
        let follows = |&(_, last): &(i64, i64)| time.saturating_sub(last) <= BREATH;
        let queue = self.queue.filter(follows).map_or(time, |(began, _)| began);
        self.queue = Some((queue, time));
        let alone = self.open.len() == 1 && queue == time;
        if let Some(open) = self.open.get_mut(package.as_str()) {
            open.merging = Some(Merging { began: time, queue, alone });
            open.binary = binary;
        }
    }

    fn begin(&mut self, package: CpvRef<'_>, time: i64) {
        // As long as a queue moves, nothing begins (`_emerge/Scheduler.py:_schedule_tasks_imp`).
        self.queue = None;
        if self.open.len() < MAX_OPEN {
            self.open.insert(package.as_str().to_owned(), Open { began: time, merging: None, binary: false });
        }
    }
}

/// How many packages a command line builds at the same time: `emerge --update --jobs=4 @world`.
/// `--jobs` alone, and 0, set no limit.
fn jobs(command: &[u8]) -> u32 {
    let given = command.rsplit(|&byte| byte == b' ').find_map(|word| word.strip_prefix(b"--jobs"));
    let number = |value: &[u8]| std::str::from_utf8(value.strip_prefix(b"=")?).ok()?.parse().ok();
    match given.map(number) {
        None => 1,
        Some(Some(jobs)) if jobs > 0 => jobs,
        Some(_) => u32::MAX,
    }
}

fn keep<T>(last: &mut VecDeque<T>, newest: T) {
    if last.len() >= KEPT {
        last.pop_front();
    }
    last.push_back(newest);
}

#[cfg(test)]
#[path = "durations_tests.rs"]
mod tests;
