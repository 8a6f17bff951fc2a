//! emerge's output while it runs: progress as it happens, evidence at the end.
//!
//! [`status`](super::progress) knows the lines about progress, [`problem`](super::problem) and
//! [`die`](super::die) those about failures; this module keeps track of which text a line is part of.
//! Nearly all lines of a long build mean nothing here, so a line is looked at
//! closely only when its first bytes say that it may.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use super::die::{Die, DieReader, find, starred, starts_summary};
use super::markers::ProblemKind;
use super::plan::listed;
use super::problem::{Block, Problem, lossy};

pub use super::progress::{How, Listed, Progress};
use super::progress::{
    dropped, number_after, package, package_in_parentheses, progress, quoted_path, status,
};
use crate::portage::names::cpv::Cpv;

/// One package that is not there at the end, or not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedPackage {
    /// The package.
    pub package: Cpv,
    /// Where on its way it failed.
    pub how: How,
    /// Its build log.
    pub log: Option<PathBuf>,
    /// The ebuild's last words, when elog repeated them; the build log has them too.
    pub die: Option<Die>,
}

/// What is said meanwhile stands in the same line: `Calculating dependencies ... * Missing digest for '...'`
fn after_the_dots(line: &[u8]) -> &[u8] {
    let message = line
        .strip_prefix(b"Calculating dependencies")
        .and_then(|rest| find(rest, b" * ").map(|at| &rest[at..]));
    message.unwrap_or(line)
}

/// What a run left behind for whoever has to understand it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Every package that failed or was dropped, in the order in which that became known.
    pub failed: Vec<FailedPackage>,
    /// Every package that was merged and did not fail after that.
    pub merged: Vec<Cpv>,
    /// What emerge reported in words, at most 32.
    pub problems: Vec<Problem>,
    /// `Nothing to merge; quitting.`
    pub nothing_to_merge: bool,
    /// The last 60 lines, each at most 400 bytes.
    pub tail: Vec<String>,
}

impl Evidence {
    /// The atoms for which there is no package, or none that may be taken.
    pub(crate) fn unfound(&self) -> impl Iterator<Item = &str> {
        let of_kind =
            |problem: &&Problem| matches!(problem.kind, ProblemKind::Missing | ProblemKind::WorldAtomGone);
        let subjects = self.problems.iter().filter(of_kind).filter_map(|problem| problem.subject.as_deref());
        subjects.flat_map(str::split_whitespace)
    }

    /// The first problem that is not only a notice. An exception comes after what Portage has words for, and
    /// before that the process is gone in which it happened. A binary package that cannot be read comes last:
    /// Portage goes on without it, and says so before anything else.
    #[must_use]
    pub fn main_problem(&self) -> Option<&Problem> {
        let problems = self.problems.iter().filter(|problem| !problem.kind.is_notice());
        problems.min_by_key(|problem| match problem.kind {
            ProblemKind::Traceback => 1,
            ProblemKind::Resolver => 2,
            ProblemKind::Binpkg => 3,
            _ => 0,
        })
    }

    /// The exception of which Portage died. One that came after it was told to stop is a consequence.
    pub(crate) fn exception(&self) -> Option<&Problem> {
        let told = self.problems.iter().position(|problem| problem.kind == ProblemKind::Interrupted);
        let before = &self.problems[..told.unwrap_or(self.problems.len())];
        let traceback = before.iter().rfind(|problem| problem.is_traceback())?;
        let stops =
            ["KeyboardInterrupt", "SystemExit", "SignalInterrupt", "asyncio.exceptions.CancelledError"];
        let words = traceback.subject.as_deref().unwrap_or_default();
        (!stops.iter().any(|stop| words.contains(stop))).then_some(traceback)
    }
}

const MAX_PROBLEMS: usize = 32;
const MAX_BLOCKS: usize = 40;
const MAX_LISTED: usize = 20_000;
const TAIL_LINES: usize = 60;
const TAIL_BYTES: usize = 400;

/// Reads emerge's output, stdout and stderr together, line by line.
#[derive(Debug, Default)]
pub struct Scanner {
    failed: Vec<FailedPackage>,
    /// Where each package is in `failed`.
    places: BTreeMap<Cpv, usize>,
    merged: Vec<Cpv>,
    problems: Vec<Problem>,
    nothing_to_merge: bool,
    tail: VecDeque<Vec<u8>>,
    open: Open,
    /// A failed package of which the line with the path of its log is still to come. Counts of jobs
    /// stand in between.
    awaiting_log: Option<(Cpv, How)>,
    /// Whose messages elog is repeating.
    messages_for: Option<Cpv>,
    /// `[blocks B` lines of the merge list, which stand before the error about them.
    blockers: Vec<String>,
    /// The merge list as far as it was printed.
    list: Vec<Listed>,
    /// What the next call returns because the last one had two things to say.
    late: Option<Progress>,
}

/// The lines that are being collected.
#[derive(Debug, Default)]
enum Open {
    #[default]
    Nothing,
    /// The line with the path of a log follows, in the summary at the end.
    SummaryLog {
        package: Cpv,
    },
    Die(DieReader),
    Problem(Block),
    /// `emerge --keep-going: cat/pf dropped because it requires a,` is wrapped to several lines.
    Dropped(String),
}

impl Scanner {
    /// A scanner for one run.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one line, without its newline, and says what it means if it means anything.
    pub fn line(&mut self, line: &[u8]) -> Option<Progress> {
        self.remember(line);
        let line = after_the_dots(line);
        let late = self.late.take();
        let mut now = None;
        if let Some((package, how)) = self.awaiting_log.take() {
            if line.is_empty() || line.starts_with(b">>> Jobs: ") {
                self.awaiting_log = Some((package, how));
            } else {
                let log = line.strip_prefix(b">>>  '").and_then(quoted_path);
                self.note(&package, how.clone(), log.clone());
                now = Some(Progress::Failed { package, how, log });
            }
        }
        if !matches!(self.open, Open::Nothing) && self.continue_open(line) {
            return late.or(now);
        }
        let fresh = match line.first() {
            Some(b'>') => status(line).and_then(|status| self.status(status)),
            Some(b'*') if line.starts_with(b"*** Resuming merge") => Some(Progress::Resuming),
            Some(b'T') if line.starts_with(b"Total: ") => {
                let list = std::mem::take(&mut self.list);
                number_after(line, b"Total: ").map(|total| Progress::Planned { total, list })
            }
            Some(b'N') if line.starts_with(b"Nothing to merge; quitting") => {
                self.nothing_to_merge = true;
                None
            }
            Some(b'[') if line.starts_with(b"[blocks B") => {
                if self.blockers.len() < MAX_BLOCKS {
                    self.blockers.push(lossy(line));
                }
                None
            }
            Some(b'[') => {
                if self.list.len() < MAX_LISTED {
                    self.list.extend(listed(line));
                }
                None
            }
            _ => {
                self.words(line);
                None
            }
        };
        if let Some(Progress::Completed { package, .. }) = &fresh {
            self.merged.push(package.clone());
        }
        let mut said = [late, now, fresh].into_iter().flatten();
        let first = said.next();
        self.late = said.next();
        first
    }

    /// Everything there is to know once emerge has ended.
    #[must_use]
    pub fn finish(mut self) -> Evidence {
        self.close();
        if let Some((package, how)) = self.awaiting_log.take() {
            self.note(&package, how, None);
        }
        self.merged.retain(|merged| !self.places.contains_key(merged));
        Evidence {
            failed: self.failed,
            merged: self.merged,
            problems: self.problems,
            nothing_to_merge: self.nothing_to_merge,
            tail: self.tail.iter().map(|line| lossy(line)).collect(),
        }
    }

    fn remember(&mut self, line: &[u8]) {
        let mut slot =
            if self.tail.len() < TAIL_LINES { Vec::new() } else { self.tail.pop_front().unwrap_or_default() };
        slot.clear();
        slot.extend_from_slice(&line[..line.len().min(TAIL_BYTES)]);
        self.tail.push_back(slot);
    }

    /// Offers the line to what is being collected; false when it does not belong to it and still has
    /// to be looked at.
    fn continue_open(&mut self, line: &[u8]) -> bool {
        let taken = match &mut self.open {
            Open::Nothing => return false,
            Open::SummaryLog { package } => {
                let log = starred(line).and_then(|t| t.trim_ascii().strip_prefix(b"'")).and_then(quoted_path);
                let package = package.clone();
                self.open = Open::Nothing;
                self.note(&package, How::Build, log.clone());
                return log.is_some();
            }
            Open::Die(reader) => reader.line(line),
            Open::Dropped(text) => match starred(line) {
                Some(more) if !more.is_empty() && !more.starts_with(b"emerge --keep-going:") => {
                    if text.len() < 4096 {
                        // textwrap breaks a name after a hyphen, too (`_emerge/Scheduler.py`).
                        let within_a_name = text.ends_with('-') && !text.ends_with(" -");
                        text.push_str(if within_a_name { "" } else { " " });
                        text.push_str(&lossy(more));
                    }
                    true
                }
                _ => false,
            },
            // A marker inside a text starts a problem of its own.
            Open::Problem(block) => match Block::open(line) {
                Some(next) => block.continues_with(&next),
                None => block.line(line),
            },
        };
        if !taken {
            self.close();
        }
        taken
    }

    /// Files what was being collected.
    fn close(&mut self) {
        match std::mem::take(&mut self.open) {
            Open::Nothing => {}
            Open::SummaryLog { package } => self.note(&package, How::Build, None),
            Open::Die(reader) => {
                let die = reader.finish();
                let package = die.package.clone();
                let entry = self.entry(&package, How::Build);
                if die.phase.as_deref() == Some("postinst") {
                    // Portage says "install" although the files are there and recorded.
                    entry.how = How::Postinst;
                }
                entry.die.get_or_insert(die);
            }
            Open::Dropped(text) => {
                if let Some((package, why)) = dropped(&text) {
                    self.note(&package, How::Dropped(Some(why)), None);
                }
            }
            Open::Problem(block) => {
                let mut problem = block.finish();
                if problem.kind == ProblemKind::Blocker {
                    problem.lines.splice(0..0, std::mem::take(&mut self.blockers));
                }
                problem.package.clone_from(&self.messages_for);
                if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&problem) {
                    self.problems.push(problem);
                }
            }
        }
    }

    /// A `>>> ` line.
    fn status(&mut self, text: &[u8]) -> Option<Progress> {
        self.messages_for = None;
        if let Some(text) = text.strip_prefix(b"Failed to ") {
            let (how, text) = if let Some(text) = text.strip_prefix(b"emerge ") {
                (How::Build, text)
            } else if let Some(text) = text.strip_prefix(b"install ") {
                (How::Install, text)
            } else {
                (How::Postinst, text.strip_prefix(b"execute postinst for ")?)
            };
            let log_follows = text.ends_with(b", Log file:");
            let package = package(text.strip_suffix(b", Log file:").unwrap_or(text))?;
            if log_follows {
                self.awaiting_log = Some((package, how));
                return None;
            }
            self.note(&package, how.clone(), None);
            return Some(Progress::Failed { package, how, log: None });
        }
        progress(text)
    }

    /// A line in which Portage may be saying what is wrong.
    fn words(&mut self, line: &[u8]) {
        if let Some(text) = starred(line) {
            for prefix in [&b"Messages for package "[..], b"Error messages for package "] {
                if let Some(name) = text.strip_prefix(prefix) {
                    let end = name.iter().position(|&b| b == b':' || b == b' ').unwrap_or(name.len());
                    self.messages_for = Cpv::parse(&name[..end]);
                    return;
                }
            }
            if text.starts_with(b"emerge --keep-going: ") {
                self.open = Open::Dropped(lossy(text));
                return;
            }
            if text.starts_with(b" (") {
                self.summary(text);
                return;
            }
            if starts_summary(text) {
                self.messages_for = None;
                return;
            }
            if let Some(reader) = DieReader::open(line) {
                self.open = Open::Die(reader);
                return;
            }
        }
        if let Some(block) = Block::open(line) {
            self.open = Open::Problem(block);
        }
    }

    /// A line of the summary: ` *  (cat/pf:slot/sub::repo, ebuild scheduled for merge), Log file:`.
    fn summary(&mut self, text: &[u8]) {
        let Some((package, rest)) = package_in_parentheses(text) else { return };
        if find(rest, b"(postinst failed)").is_some() {
            self.note(&package, How::Postinst, None);
        } else if !rest.ends_with(b", Log file:") && !self.places.contains_key(&package) {
            // No log and no word of a failure: it was never started.
            self.note(&package, How::Dropped(None), None);
        }
        if rest.ends_with(b", Log file:") {
            self.open = Open::SummaryLog { package };
        }
    }

    fn entry(&mut self, package: &Cpv, how: How) -> &mut FailedPackage {
        let at = *self.places.entry(package.clone()).or_insert(self.failed.len());
        if at == self.failed.len() {
            self.failed.push(FailedPackage { package: package.clone(), how, log: None, die: None });
        }
        &mut self.failed[at]
    }

    /// Adds what is known about a failed package; what was known first stays.
    fn note(&mut self, package: &Cpv, how: How, log: Option<PathBuf>) {
        let entry = self.entry(package, how.clone());
        if entry.log.is_none() {
            entry.log = log;
        }
        // elog may repeat an ebuild's last words before the reason is known.
        if entry.how == How::Build && matches!(how, How::Install | How::Postinst) {
            entry.how = how;
        }
    }
}
