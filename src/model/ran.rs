//! What a command left behind when it ended.

use std::collections::BTreeMap;

use super::machine::Machine;
use crate::portage::output::buildlog::BuildLog;
use crate::portage::output::markers::ProblemKind;
use crate::portage::output::problem::Problem;
use crate::portage::output::scanner::Evidence;

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It could not be started; why, in the system's words.
    NotStarted(String),
}

/// What a command left behind when it ended: facts, not judgements.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// The program's name, without its directory.
    pub program: String,
    /// The whole command line, to be typed again by hand.
    pub command: String,
    /// The log that has all of its output, as a path inside the container.
    pub log: String,
    /// How it ended.
    pub exit: Exit,
    /// What its output showed.
    pub evidence: Evidence,
    /// What the logs of the failed packages say, by `category/name-version`.
    pub logs: BTreeMap<String, BuildLog>,
    /// What the machine had to do with it.
    pub machine: Machine,
    /// The same for each failed package, from its start to its failure.
    pub moments: BTreeMap<String, Machine>,
    /// Which of Portage's settings for packages (`package.use` and the like, portage(5)) are one file
    /// and not a directory of files.
    pub single_files: Vec<String>,
    /// What repositories call packages now that it did not find, by the names that it was asked for.
    pub renamed: BTreeMap<String, String>,
    /// What packages are built with on this machine: the compilers and the C library that are installed, and
    /// which of them is chosen.
    pub toolchain: String,
}

impl Ran {
    /// Whether packages failed, each by itself, and nothing else stopped the command.
    pub(crate) fn failed_by_package(&self) -> bool {
        self.exit != Exit::Code(0) && !self.is_cut_short() && !self.evidence.failed.is_empty()
    }

    /// Whether the command refused all that it was asked for, before it tried any of it.
    pub(crate) fn is_refused(&self) -> bool {
        let tried = !self.evidence.failed.is_empty() || !self.evidence.merged.is_empty();
        self.exit != Exit::Code(0) && !self.is_cut_short() && !tried
    }

    /// Whether the command did not come to an end of its own.
    pub(crate) fn is_cut_short(&self) -> bool {
        let stopped = |problem: &Problem| problem.kind == ProblemKind::Interrupted;
        !matches!(self.exit, Exit::Code(_)) || self.evidence.problems.iter().any(stopped)
    }

    /// Two commands as one: this one came after another, of which packages had failed.
    pub(crate) fn after(mut self, before: Option<Self>) -> Self {
        let Some(before) = before else { return self };
        if self.exit == Exit::Code(0) {
            self.exit = before.exit;
            self.evidence.tail = before.evidence.tail;
            self.machine = before.machine;
        }
        self.evidence.failed.splice(0..0, before.evidence.failed);
        self.evidence.problems.splice(0..0, before.evidence.problems);
        self.renamed.extend(before.renamed);
        self.logs.extend(before.logs);
        self.moments.extend(before.moments);
        self
    }
}
