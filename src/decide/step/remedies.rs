//! What is done about a failure before a person is asked; see [`crate::decide::remedy`].

use super::Turn;
use crate::decide::{classify, remedy};
use crate::model::failure::{Class, Failure};
use crate::model::job::Job;
use crate::model::records::{Outcome, Record};
use crate::model::remedy::{Remedy, Untangled, Untangling};
use crate::model::state::Phase;
use crate::model::{Action, Report, Step, Work};
use crate::portage::output::circular::{Circle, Solution};

impl Turn {
    /// Begins a remedy, or pauses. `circle` are Portage's words where a circular dependency was met, and
    /// `within` what was being built then to break another one.
    pub(super) fn remedy_or_fail(
        &mut self,
        mut failures: Vec<Failure>,
        circle: Option<Vec<String>>,
        within: Option<Solution>,
        at: Step,
    ) {
        let config = &self.state.live.config;
        let Some(cycle) = &mut self.state.durable.cycle else { return self.fail(failures, at) };
        if let Some(Remedy::Again(treatment)) = cycle.remedy.take() {
            failures.extend(treatment.others);
        }
        if let (Some(text), [failure], true) = (circle, failures.as_slice(), config.remedy.circular) {
            let failure = failure.clone();
            let untangling = Untangling { at, failure, text, within, solution: None };
            cycle.remedy = Some(Remedy::Untangle(Box::new(untangling)));
            return self.set_phase(Phase::Running(at));
        }
        if self.make_room(&failures, at) {
            return;
        }
        self.again_or_give_up(failures, at);
    }

    /// Builds packages again that may go well this time, or leaves all to a person.
    pub(super) fn again_or_give_up(&mut self, failures: Vec<Failure>, at: Step) {
        let config = &self.state.live.config;
        let Some(cycle) = self.state.durable.cycle.as_mut().filter(|_| at == Step::Build) else {
            return self.give_up(failures, at);
        };
        match remedy::choose(failures, &cycle.treated, config, self.now) {
            Ok(treatment) => {
                // What was stopped by force, or could not write on, may have left something behind.
                let swept = matches!(treatment.class, Class::Stalled | Class::DiskFull);
                cycle.remedy = Some(Remedy::Again(treatment));
                if swept {
                    self.enter(at);
                } else {
                    self.set_phase(Phase::Running(at));
                }
                self.schedule();
            }
            Err(left) => self.give_up(left, at),
        }
    }

    /// A person is needed for these, as soon as all that can be built is.
    pub(super) fn give_up(&mut self, failures: Vec<Failure>, at: Step) {
        self.remember(&failures, at);
        let of_package = |failure: &&Failure| failure.package.is_some() && failure.class != Class::NotTried;
        let packages = failures.iter().filter(of_package).count();
        if let Some(cycle) = &mut self.state.durable.cycle {
            cycle.tally.failed += u64::try_from(packages).unwrap_or(0);
        }
        if at == Step::Build && self.begins_rest(&failures) {
            return;
        }
        let owed = self.state.durable.cycle.as_mut().filter(|_| at == Step::Build);
        let owed = owed.map(|cycle| std::mem::take(&mut cycle.owed)).unwrap_or_default();
        let mut failures = [owed, failures].concat();
        failures.sort_by_key(|failure| failure.class == Class::NotTried);
        if self.publishes_first(&failures, at) {
            return;
        }
        self.fail(failures, at);
    }

    /// Tells the history that a remedy acts.
    pub(super) fn remedy_started(&mut self, cycle: u64, at: Step) {
        let remedy = self.state.durable.cycle.as_ref().and_then(|cycle| cycle.remedy.as_ref());
        let Some((class, packages, what)) = remedy.map(Remedy::deed) else { return };
        self.actions.push(Action::Record(Record::RemedyStarted {
            cycle,
            step: at.to_string(),
            class: class.to_string(),
            packages,
            at: self.now.wall,
            what,
        }));
    }

    /// Tells the history what came of the remedy whose job has ended.
    pub(super) fn remedy_over(&mut self, job: &Job, outcome: Outcome) {
        if job.work.is_remedy() {
            let record = Record::RemedyEnded { cycle: job.cycle, at: self.now.wall, outcome };
            self.actions.push(Action::Record(record));
        }
    }

    /// What follows when the job of a remedy has ended.
    pub(super) fn remedy_ended(&mut self, job: &Job, report: Report, succeeded: bool) {
        if let Work::Prune { .. } = job.work {
            return self.room_made(job, report);
        }
        self.step_ended(job, if succeeded { Outcome::Done } else { Outcome::Failed });
        let at = job.work.step();
        match (&job.work, report) {
            (Work::Circle { .. }, Report::Circle(circle)) => self.circle_known(&circle),
            (Work::Circle { .. }, report) => {
                let remedy = self.state.durable.cycle.as_mut().and_then(|cycle| cycle.remedy.take());
                let mut failures = self.explained(job, report);
                if let Some(Remedy::Untangle(untangling)) = remedy {
                    failures.insert(0, untangling.failure);
                }
                self.fail(failures, at);
            }
            (Work::Untangle { solution, .. }, report) => self.untangled(job, solution, report, succeeded),
            (_, _) if succeeded => self.built_again(),
            (_, report) => {
                if let Some(cycle) = &mut self.state.durable.cycle {
                    cycle.merge_again = classify::half_done(&report);
                }
                let failures = self.explained(job, report);
                self.remedy_or_fail(failures, None, None, at);
            }
        }
    }

    /// The packages that a remedy was for are merged. What waited for them is left to a build of
    /// everything, unless a person is needed first.
    fn built_again(&mut self) {
        let remedy = self.state.durable.cycle.as_mut().and_then(|cycle| cycle.remedy.take());
        match remedy {
            Some(Remedy::Again(treatment)) if !treatment.others.is_empty() => {
                self.remedy_or_fail(treatment.others, None, None, Step::Build);
            }
            // A build of everything would try again what failed and is still to be told.
            _ if self.owed() => {
                if let Some(cycle) = &mut self.state.durable.cycle {
                    cycle.rest = None;
                }
                self.give_up(Vec::new(), Step::Build);
            }
            _ => self.set_phase(Phase::Running(Step::Build)),
        }
    }

    fn circle_known(&mut self, circle: &Circle) {
        let Some(cycle) = &mut self.state.durable.cycle else { return };
        let Some(Remedy::Untangle(mut untangling)) = cycle.remedy.take() else { return };
        untangling.solution = remedy::solution(circle, cycle);
        if untangling.solution.is_some() {
            cycle.remedy = Some(Remedy::Untangle(untangling));
        } else {
            let failure = remedy::given_up(untangling.failure, circle, cycle);
            self.fail(vec![failure], untangling.at);
        }
    }

    fn untangled(&mut self, job: &Job, solution: &Solution, report: Report, succeeded: bool) {
        let at = job.work.step();
        let circle = remedy::circle(&report);
        if let Some(cycle) = &mut self.state.durable.cycle {
            cycle.remedy = None;
            // One that met another circle is tried again when that one is broken.
            if circle.is_none() {
                cycle.untangled.push(Untangled { solution: solution.clone(), built: succeeded });
            }
        }
        if succeeded {
            self.set_phase(Phase::Running(at));
        } else {
            let failures = self.explained(job, report);
            self.remedy_or_fail(failures, circle, Some(solution.clone()), at);
        }
    }
}
