//! What a build leaves untried although it could be built, and how that is built after all.
//!
//! Portage's `--keep-going` takes out of its list what needs a package that failed, and goes on with the rest. It
//! does not when a package that is merged already needs the one that failed, as with PDEPEND: then it gives up, and
//! whatever stood behind that in the list is not tried (`_emerge/Scheduler.py:_calc_resume_list`,
//! `_emerge/depgraph.py:_load_favorites`). Nor does it look for another member of a `||` group, and asked for `@world` anew without
//! the package that failed, with `--deep`, it masks what is installed and needs it, and everything that needs that.
//!
//! So the rest is asked for by name, version by version and without `--deep`, and what failed is left out. What Portage then names as in
//! need of it is taken out of the list, until there is a list that it accepts; where it names nobody,
//! each package is tried by itself. Each attempt leaves the list shorter, so there is an end to it.

use crate::model::work::{Target, Untried};
use crate::model::{Exit, Ran, known};
use crate::portage::names::cpv::Cpv;
use crate::portage::names::exclude;
use crate::portage::output::advice;
use crate::portage::output::markers::ProblemKind;
use crate::portage::output::scanner::How;

/// No more attempts than these are made; each costs a run of the resolver at least.
const MOST: u32 = 200;

/// What emerge is asked for next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// These versions; never empty.
    pub targets: Vec<Cpv>,
    /// Atoms to leave out.
    pub exclude: Vec<String>,
}

/// What came of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tried {
    /// What it merged.
    pub merged: Vec<Cpv>,
    /// What was tried and failed.
    pub failed: Vec<Cpv>,
    /// Nothing was left over.
    pub well: bool,
    /// Who needs what cannot be had, where the resolver refused; the nearest first.
    pub needed_by: Vec<Cpv>,
    /// What cannot be had is left out on purpose: this atom.
    pub left_out: Option<String>,
    /// Why the resolver refused, in words that follow the name of a package.
    pub why: String,
}

impl Tried {
    /// What a run of emerge showed.
    pub(crate) fn of(ran: &Ran) -> Self {
        let failed = ran.evidence.failed.iter().filter(|failed| !matches!(failed.how, How::Dropped(_)));
        let problem = ran.evidence.main_problem();
        let lines = problem.map(|problem| problem.lines.as_slice()).unwrap_or_default();
        let words = lines.first().map(|line| line.trim_start_matches("emerge: "));
        let words = words.map_or("it gave no reason", |words| words.trim_matches(['!', '*', ' ', ':', '.']));
        let why = match problem.map(|problem| (problem.kind, &problem.subject)) {
            Some((ProblemKind::Missing, Some(atom))) => format!("needs {atom}, of which there is no ebuild"),
            Some((ProblemKind::Masked, Some(atom))) => format!("needs {atom}, which is masked"),
            _ => format!("was refused by emerge: {words}"),
        };
        Self {
            merged: ran.evidence.merged.clone(),
            failed: failed.map(|failed| failed.package.clone()).collect(),
            well: ran.exit == Exit::Code(0),
            needed_by: advice::required_by(lines),
            left_out: problem
                .filter(|_| advice::is_left_out(lines))
                .and_then(|problem| problem.subject.clone()),
            why,
        }
    }
}

/// The rest of a build, on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    left: Vec<Target>,
    exclude: Vec<String>,
    failed: Vec<String>,
    /// Each is tried by itself.
    apart: bool,
    /// What the last attempt was for.
    asked: Vec<Cpv>,
    attempts: u32,
    untried: Vec<Untried>,
}

impl Rest {
    /// Sets out to build these, without what is left out and what has failed, as `category/name:slot`.
    pub(crate) fn begin(targets: &[Target], exclude: &[String], failed: &[String]) -> Self {
        Self {
            left: targets.to_vec(),
            exclude: exclude.to_vec(),
            failed: failed.to_vec(),
            apart: false,
            asked: Vec::new(),
            attempts: 0,
            untried: Vec::new(),
        }
    }

    /// What to try next; nothing when all is done that can be.
    pub(crate) fn attempt(&mut self) -> Option<Attempt> {
        if self.attempts >= MOST {
            let rest = std::mem::take(&mut self.left);
            self.refuse(rest, "was given up on, after too many attempts");
        }
        let count = if self.apart { 1 } else { self.left.len() };
        self.asked = self.left.iter().take(count).map(|target| target.package.clone()).collect();
        self.attempts += 1;
        let mut exclude = [&self.exclude[..], &self.failed].concat();
        exclude.sort();
        exclude.dedup();
        (!self.asked.is_empty()).then(|| Attempt { targets: self.asked.clone(), exclude })
    }

    /// Takes in what came of it.
    pub(crate) fn note(&mut self, tried: &Tried) {
        for package in &tried.failed {
            let target = self.left.iter().find(|target| target.package == *package);
            // What was pulled in beside is known by its name alone.
            let atom =
                target.map_or_else(|| package.cp().to_owned(), |target| known::atom(package, &target.slot));
            self.failed.push(atom);
        }
        let over = |target: &Target| {
            let package = &target.package;
            // What was asked for and not merged then is there as it should be.
            tried.merged.contains(package)
                || tried.failed.contains(package)
                || tried.well && self.asked.contains(package)
        };
        self.left.retain(|target| !over(target));
        if tried.well || !tried.merged.is_empty() || !tried.failed.is_empty() {
            return;
        }
        let is_named = |target: &Target| tried.needed_by.contains(&target.package);
        let refused: Vec<Target> = match self.asked.len() {
            0 | 1 => self.left.extract_if(.., |target| self.asked.contains(&target.package)).collect(),
            _ => self.left.extract_if(.., |target| is_named(target)).collect(),
        };
        self.apart |= refused.is_empty();
        self.refuse(refused, &self.why(tried));
    }

    fn why(&self, tried: &Tried) -> String {
        let Some(atom) = &tried.left_out else { return tried.why.clone() };
        let name = |atom: &str| Some(exclude::exclude_atom(atom)?.split(':').next()?.to_owned());
        let failed = self.failed.iter().any(|failed| name(failed) == name(atom));
        format!("needs {atom}, which {}", if failed { "failed" } else { "is left out" })
    }

    /// What was not tried, and why.
    pub(crate) fn untried(self) -> Vec<Untried> {
        self.untried
    }

    fn refuse(&mut self, targets: Vec<Target>, why: &str) {
        let untried = |target: Target| Untried { package: target.package, why: why.to_owned() };
        self.untried.extend(targets.into_iter().map(untried));
    }
}

#[cfg(test)]
#[path = "rest_tests.rs"]
mod tests;
