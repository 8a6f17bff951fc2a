//! What a build left untried is built; see [`crate::decide::rest`].

use std::collections::{HashMap, HashSet};

use super::Turn;
use crate::decide::classify;
use crate::model::failure::{Class, Failure};
use crate::model::job::Job;
use crate::model::records::Outcome;
use crate::model::state::{Phase, State};
use crate::model::work::step_log;
use crate::model::work::{Leftover, Target, Untried};
use crate::model::{Ran, Report, Step, known};
use crate::portage::names::cpv::Cpv;

/// How a line of evidence begins that names what was not tried.
const UNTRIED: &str = "not tried: ";

impl Turn {
    /// Whether there is something that a build left untried, and is tried now: after these failures, which a person
    /// is told when that is done.
    pub(super) fn begins_rest(&mut self, failures: &[Failure]) -> bool {
        let keep_going = self.state.live.config.build.keep_going;
        let State { durable, plan, .. } = &mut self.state;
        let (Some(cycle), Some(made)) = (&mut durable.cycle, plan) else { return false };
        // Where there is no room, or emerge itself was stopped, the next one fares no better.
        let by_itself = |failure: &Failure| failure.package.is_some() && failure.class != Class::DiskFull;
        if !keep_going || cycle.rest.is_some() || !failures.iter().all(by_itself) {
            return false;
        }
        let planned = || made.plan.packages.iter().chain(cycle.narrowing.rest());
        let failed: Vec<&str> =
            cycle.owed.iter().chain(failures).filter_map(|failure| failure.package.as_deref()).collect();
        let over: HashSet<&str> =
            failed.iter().copied().chain(cycle.merged.iter().map(String::as_str)).collect();
        let is_left = |package: &str| !over.contains(package);
        let targets: Vec<Target> = planned()
            .filter(|planned| is_left(planned.cpv.as_str()))
            .map(|planned| Target { package: planned.cpv.clone(), slot: planned.slot.clone() })
            .collect();
        if targets.is_empty() {
            return false;
        }
        let mut slots = HashMap::new();
        for planned in planned() {
            slots.entry(planned.cpv.as_str()).or_insert(&planned.slot);
        }
        let atom = |package: &&str| {
            let slot = slots.get(package);
            let package = Cpv::parse(package.as_bytes())?;
            Some(slot.map_or_else(|| package.cp().to_owned(), |slot| known::atom(&package, slot)))
        };
        let failed = failed.iter().filter_map(atom).collect();
        cycle.rest = Some(Leftover { targets, failed, over: false });
        cycle.owed.extend(failures.iter().cloned());
        self.set_phase(Phase::Running(Step::Build));
        true
    }

    /// Whether a plan without what is left out lacks more than that.
    pub(super) fn waits_for_its_name(&self) -> bool {
        self.state.durable.cycle.as_ref().is_some_and(|cycle| !cycle.narrowing.rest().is_empty())
    }

    /// What was left untried has been tried.
    pub(super) fn rested(&mut self, job: &Job, report: Report) {
        let (ran, untried) = match report {
            Report::Rest { ran, untried } => (ran, untried),
            report => {
                self.step_ended(job, Outcome::Failed);
                let failures = self.explained(job, report);
                return self.fail(failures, Step::Build);
            }
        };
        self.step_ended(job, if ran.is_none() { Outcome::Done } else { Outcome::Failed });
        let ran = ran.map(Report::Ran);
        let half_done = ran.as_ref().map(classify::half_done).unwrap_or_default();
        let mut failures = ran.map(|ran| self.explained(job, ran)).unwrap_or_default();
        let Some(cycle) = &mut self.state.durable.cycle else { return };
        cycle.merge_again.extend(half_done);
        if let Some(rest) = &mut cycle.rest {
            rest.over = true;
        }
        for (package, _) in &job.merged {
            cycle.narrowing.merged(package);
        }
        let merged: HashSet<&str> = job.merged.iter().map(|(package, _)| package.as_str()).collect();
        for failure in &mut cycle.owed {
            failure.evidence.retain(|line| !untried_of(line).is_some_and(|package| merged.contains(package)));
        }
        if failures.is_empty() && cycle.owed.is_empty() {
            return self.next_after(Step::Build);
        }
        let lines = cycle.owed.iter().chain(&failures).flat_map(|failure| &failure.evidence);
        let waiting = cycle.narrowing.rest().iter().map(|waiting| waiting.cpv.as_str());
        let told: HashSet<&str> = lines.filter_map(|line| untried_of(line)).chain(waiting).collect();
        let log = step_log(&self.state.live.config.volume.path, job.cycle, Step::Build).display().to_string();
        let untried = untried.into_iter().filter(|untried| !told.contains(untried.package.as_str()));
        let untried: Vec<Failure> = untried.map(|untried| not_tried(untried, &log)).collect();
        failures.extend(untried);
        self.remedy_or_fail(failures, None, None, Step::Build);
    }

    /// Of what was to be rebuilt, some failed or was refused by the resolver.
    pub(super) fn rebuilt_in_part(&mut self, job: &Job, ran: Option<Box<Ran>>, untried: Vec<Untried>) {
        let at = job.work.step();
        self.step_ended(job, Outcome::Failed);
        let ran = ran.map(Report::Ran);
        if let Some(cycle) = &mut self.state.durable.cycle {
            cycle.merge_again.extend(ran.as_ref().map(classify::half_done).unwrap_or_default());
        }
        let mut failures = ran.map(|ran| self.explained(job, ran)).unwrap_or_default();
        let log = step_log(&self.state.live.config.volume.path, job.cycle, at).display().to_string();
        failures.extend(untried.into_iter().map(|untried| not_tried(untried, &log)));
        self.remedy_or_fail(failures, None, None, at);
    }
}

fn not_tried(untried: Untried, log: &str) -> Failure {
    let Untried { package, why } = untried;
    Failure {
        package: Some(package.to_string()),
        evidence: vec![format!("{package} {why}")],
        log: Some(log.to_owned()),
        suggestions: vec![format!("emerge --pretend --verbose --oneshot {}", package.atom())],
        ..Failure::new(Class::NotTried, format!("it was not tried: it {why}"))
    }
}

/// The package of which a line of evidence says that it was not tried.
fn untried_of(line: &str) -> Option<&str> {
    line.strip_prefix(UNTRIED)?.split(' ').next()
}
