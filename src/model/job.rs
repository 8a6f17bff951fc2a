//! The job that runs: the packages in it, and how it is stopped.
//!
//! A job is stopped so that nothing finished is lost: while Portage copies a package to the live
//! file system the signal waits, up to a bound, because an interrupted merge leaves half a
//! package. Then INT (Portage cancels its builds), TERM and KILL follow, each at its time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Now;
use super::failure::Failure;
use super::records::{PackageOutcome, Record};
use super::stall::{Stalled, Watch};
use crate::model::JobId;
use crate::model::work::Work;
use crate::portage::files::live::LiveJob;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::scanner::{Listed, Progress};

/// A merge that a pause waits for has this long at least; a stop has only its grace.
const PAUSE_PATIENCE: Duration = Duration::from_mins(10);

/// The job that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What it does.
    pub work: Work,
    /// The cycle it belongs to.
    pub cycle: u64,
    /// Packages in work, by `category/name-version`.
    pub packages: BTreeMap<String, Package>,
    /// Merged, as `category/name-version`, in order, and whether from a binpkg.
    pub merged: Vec<(String, bool)>,
    /// Failed, with the log Portage named.
    pub failed: BTreeMap<String, Option<String>>,
    /// Counts.
    pub tally: Tally,
    /// How many packages Portage set out to merge, over all its passes.
    pub total: u64,
    /// Merged or failed before the present pass.
    before_pass: u64,
    /// What Portage set out to merge in this pass and has not begun, in its order: by the plan, and
    /// then by what it lists itself. Absent as long as neither is known.
    pub rest: Option<Vec<Listed>>,
    /// What the cycle had merged when the job began.
    pub(crate) before: Before,
    /// Since when its time counts as that of the build: since its first list.
    pub(crate) measured: Option<Duration>,
    /// Who holds a lock that it waits for, in one sentence, as long as nothing else is known to move.
    pub locked: Option<String>,
    /// A pause waits for these packages.
    pub awaited: Option<BTreeSet<String>>,
    /// It is being stopped.
    pub halt: Option<Halt>,
    /// Whether it still works is looked at from time to time.
    pub watch: Option<Watch>,
    /// It did not, and is being stopped for that.
    pub stalled: Option<Stalled>,
}

/// What the cycle counted before a job added to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Before {
    pub(crate) tally: Tally,
    /// How many packages it had merged.
    pub(crate) merged: usize,
    /// See [`Cycle::worked`](super::state::Cycle::worked).
    pub(crate) worked: u64,
}

/// A package in work.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// Its name.
    pub cpv: Cpv,
    /// When it began, for elapsed time.
    pub since: Duration,
    /// When it began, for the history.
    pub started: Timestamp,
    /// Taken from a binpkg.
    pub binary: bool,
    /// Being copied to the live file system.
    pub merging: bool,
    /// The ebuild phase, when Portage was asked for it.
    pub phase: Option<String>,
}

impl Package {
    /// The ebuild phase, or what is known instead.
    pub(crate) fn phase_in_words(&self) -> Option<String> {
        if self.merging { Some("merge".to_owned()) } else { self.phase.clone() }
    }
}

/// Why a job is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// To be held; the operator's words.
    Pause(Option<String>),
    /// To fail, since it has stalled, and to be treated for it.
    Treat,
    /// To end the process.
    Leave,
}

/// A stop on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// What follows.
    pub then: Then,
    /// How far it is.
    pub stage: Stage,
    /// When the next stage begins at the latest, in monotonic time.
    deadline: Duration,
}

/// How far a stop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// A merge finishes first.
    Merging,
    /// INT was sent.
    Interrupted,
    /// TERM was sent.
    Terminated,
    /// KILL was sent; there is nothing more to do but wait for the exit.
    Killed,
}

impl Stage {
    /// How long it may last before the next one. All of them fit into `grace` with a part of it to
    /// spare for PID 1, which sweeps up what is left.
    fn patience(self, then: &Then, grace: Duration) -> Duration {
        match (self, then) {
            (Self::Merging, Then::Leave) => grace.mul_f64(0.6),
            (Self::Merging, Then::Pause(_)) => grace.max(PAUSE_PATIENCE),
            // A merge that does nothing is not waited for.
            (Self::Merging, Then::Treat) => Duration::ZERO,
            (Self::Interrupted, _) => grace.mul_f64(0.15),
            (Self::Terminated | Self::Killed, _) => grace.mul_f64(0.1),
        }
    }
}

impl Job {
    /// A job that has just been given its number, of a cycle that has merged nothing yet.
    #[must_use]
    pub fn new(id: JobId, cycle: u64, work: Work) -> Self {
        Self {
            id,
            work,
            cycle,
            packages: BTreeMap::new(),
            merged: Vec::new(),
            failed: BTreeMap::new(),
            tally: Tally::default(),
            total: 0,
            before_pass: 0,
            rest: None,
            before: Before::default(),
            measured: None,
            locked: None,
            awaited: None,
            halt: None,
            watch: None,
            stalled: None,
        }
    }

    /// When [`Job::escalate`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.halt.as_ref().filter(|halt| halt.stage != Stage::Killed).map(|halt| halt.deadline)
    }

    /// The packages being copied to the live file system.
    pub(crate) fn merging(&self) -> impl Iterator<Item = &str> {
        self.packages.iter().filter(|(_, package)| package.merging).map(|(cpv, _)| cpv.as_str())
    }

    /// Takes in what the output told. Returns what belongs into the history.
    pub(crate) fn note(&mut self, progress: &Progress, now: Now) -> Option<Record> {
        if !matches!(progress, Progress::Jobs { .. }) {
            self.locked = None;
        }
        match progress {
            Progress::Planned { total, list } => {
                // Another pass, or another run of emerge in this step: it counts from one again.
                self.before_pass = self.tally.done() + self.tally.failed;
                self.expect(*total);
                self.rest = Some(list.clone());
                None
            }
            Progress::Emerging { total, package, binary, .. } => {
                self.expect(*total);
                if let Some(rest) = &mut self.rest {
                    rest.retain(|listed| listed.package != *package);
                }
                let begun = Package {
                    cpv: package.clone(),
                    since: now.mono,
                    started: now.wall,
                    binary: *binary,
                    merging: false,
                    phase: None,
                };
                self.packages.entry(package.to_string()).or_insert(begun);
                None
            }
            Progress::Installing { package, .. } => {
                if let Some(package) = self.packages.get_mut(package.as_str()) {
                    package.merging = true;
                }
                None
            }
            Progress::Completed { package, .. } => self.complete(package.as_str(), now),
            Progress::Failed { package, log, .. } => {
                let log = log.as_ref().map(|log| log.display().to_string());
                self.fail(package.as_str(), log, now)
            }
            Progress::Resuming => {
                self.before_pass = self.tally.done() + self.tally.failed;
                None
            }
            _ => None,
        }
    }

    /// Takes in what Portage says of itself when it is asked.
    pub(crate) fn look(&mut self, jobs: &[LiveJob]) {
        for live in jobs {
            if let Some(package) = self.packages.get_mut(live.package.as_str()) {
                package.phase.clone_from(&live.phase);
            }
        }
    }

    /// How many packages the cycle sets out to merge in all, when it was thought that there are so
    /// many: emerge may have been told to merge only a part of them.
    pub(crate) fn planned(&self, so_far: u64) -> u64 {
        if self.total == 0 { so_far } else { so_far.max(self.before.tally.done() + self.total) }
    }

    fn expect(&mut self, in_this_pass: u32) {
        self.total = self.total.max(self.before_pass.saturating_add(u64::from(in_this_pass)));
    }

    fn complete(&mut self, cpv: &str, now: Now) -> Option<Record> {
        let package = self.packages.remove(cpv)?;
        *self.tally.merged(package.binary) += 1;
        self.merged.push((cpv.to_owned(), package.binary));
        self.arrived(cpv);
        Some(self.record(cpv, Some(&package), PackageOutcome::Built, None, None, now))
    }

    /// Counts a failure once, however often Portage names it. A collision or a failing postinst
    /// comes after `Completed`, which then was not true.
    fn fail(&mut self, cpv: &str, log: Option<String>, now: Now) -> Option<Record> {
        let package = self.packages.remove(cpv);
        if let Some(rest) = &mut self.rest {
            rest.retain(|listed| listed.package.as_str() != cpv);
        }
        if let Some(at) = self.merged.iter().position(|(merged, _)| merged == cpv) {
            let (_, binary) = self.merged.remove(at);
            *self.tally.merged(binary) -= 1;
        }
        self.arrived(cpv);
        match self.failed.get_mut(cpv) {
            Some(known) => {
                if known.is_none() {
                    *known = log;
                }
                None
            }
            None => {
                self.tally.failed += 1;
                self.failed.insert(cpv.to_owned(), log.clone());
                Some(self.record(cpv, package.as_ref(), PackageOutcome::Failed, log, None, now))
            }
        }
    }

    /// What the history is told about the packages that failed, once it is known why. A package that
    /// failed before its work began (in `pkg_pretend`) is in no other record.
    pub(crate) fn reasons(&self, failures: &[Failure], now: Now) -> Vec<Record> {
        let reason = |failure: &Failure| {
            // An atom that nothing satisfies is no package.
            let package = Cpv::parse(failure.package.as_ref()?.as_bytes())?.to_string();
            let (log, message) = (failure.log.clone(), failure.message.clone());
            if self.failed.contains_key(&package) {
                return Some(Record::Reason { cycle: self.cycle, package, at: now.wall, message, log });
            }
            Some(self.record(&package, None, PackageOutcome::Failed, log, Some(message), now))
        };
        failures.iter().filter_map(reason).collect()
    }

    fn arrived(&mut self, cpv: &str) {
        if let Some(awaited) = &mut self.awaited {
            awaited.remove(cpv);
        }
    }

    fn record(
        &self,
        cpv: &str,
        package: Option<&Package>,
        outcome: PackageOutcome,
        log: Option<String>,
        message: Option<String>,
        now: Now,
    ) -> Record {
        Record::Package {
            cycle: self.cycle,
            step: self.work.step().to_string(),
            package: cpv.to_owned(),
            binary: package.is_some_and(|p| p.binary),
            started: package.map_or(now.wall, |p| p.started),
            ended: now.wall,
            outcome,
            log,
            message,
        }
    }

    /// Begins to stop the job. Asked again for the same end it goes on to the next stage at once;
    /// for another end, that is what follows and its bounds hold. Returns the signal to send now.
    pub(crate) fn stop(&mut self, then: Then, grace: Duration, now: Now) -> Option<Force> {
        let stage = match &self.halt {
            Some(halt) if halt.then == then => return self.advance(grace, now),
            Some(halt) => halt.stage,
            None => Stage::Merging,
        };
        let deadline = now.mono.saturating_add(stage.patience(&then, grace));
        self.halt = Some(Halt { then, stage, deadline });
        self.escalate(grace, now)
    }

    /// Sends the next signal when its time has come, or INT as soon as no merge is on its way.
    pub(crate) fn escalate(&mut self, grace: Duration, now: Now) -> Option<Force> {
        let due = self.deadline().is_some_and(|deadline| now.mono >= deadline);
        let merging = self.merging().next().is_some();
        let free = !merging && self.halt.as_ref().is_some_and(|halt| halt.stage == Stage::Merging);
        if due || free { self.advance(grace, now) } else { None }
    }

    fn advance(&mut self, grace: Duration, now: Now) -> Option<Force> {
        let halt = self.halt.as_mut()?;
        let (stage, force) = match halt.stage {
            Stage::Merging => (Stage::Interrupted, Force::Interrupt),
            Stage::Interrupted => (Stage::Terminated, Force::Terminate),
            Stage::Terminated => (Stage::Killed, Force::Kill),
            Stage::Killed => return None,
        };
        halt.stage = stage;
        halt.deadline = now.mono.saturating_add(stage.patience(&halt.then, grace));
        Some(force)
    }
}

/// Packages counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Merged from a binpkg.
    pub binary: u64,
    /// Merged after a build from source.
    pub source: u64,
    /// Failed.
    pub failed: u64,
}

impl Tally {
    /// Merged in all.
    pub(crate) fn done(self) -> u64 {
        self.binary + self.source
    }

    /// The count of what was merged in this way.
    pub(crate) fn merged(&mut self, binary: bool) -> &mut u64 {
        if binary { &mut self.binary } else { &mut self.source }
    }

    /// The two together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            binary: self.binary + other.binary,
            source: self.source + other.source,
            failed: self.failed + other.failed,
        }
    }
}

/// A signal to a job's process group, in the order of growing force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Force {
    /// SIGINT: Portage winds its builds down.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}
