//! What a person is told of a job that had stalled and was stopped for it.

use super::{package, parts};
use crate::model::failure::{Class, Failure};
use crate::model::job::Job;
use crate::model::stall::Stalled;
use crate::model::{Ran, Report, Step};

/// One failure for each package that was in work, and what had failed before.
pub(super) fn failures(stalled: &Stalled, job: &Job, report: &Report) -> Vec<Failure> {
    let (Report::Ran(ran) | Report::Planned { ran, .. } | Report::Synced { ran, .. }) = report else {
        // It was stopped between two commands, and there is no output to show.
        return vec![Failure::new(Class::Stalled, format!("{} {}", job.work.step(), stalled.sentence()))];
    };
    let mut failures: Vec<Failure> = stalled
        .packages
        .iter()
        .map(|(package, phase)| of_package(stalled, package, phase.as_deref(), ran))
        .collect();
    if failures.is_empty() {
        failures.push(of_step(stalled, job, ran));
    }
    let is_new = |package: &str| stalled.packages.iter().all(|(known, _)| known != package);
    let before =
        ran.evidence.failed.iter().filter(|failed| {
            job.failed.contains_key(failed.package.as_str()) && is_new(failed.package.as_str())
        });
    failures.extend(before.map(|failed| package::failure(failed, ran)));
    failures
}

fn of_package(stalled: &Stalled, package: &str, phase: Option<&str>, ran: &Ran) -> Failure {
    let message = format!("it {}", stalled.sentence());
    Failure {
        package: Some(package.to_owned()),
        phase: phase.map(str::to_owned),
        evidence: stalled.evidence(&ran.log),
        suggestions: vec![parts::build(package)],
        ..parts::failure(ran, Class::Stalled, message)
    }
}

fn of_step(stalled: &Stalled, job: &Job, ran: &Ran) -> Failure {
    let step = job.work.step();
    let class = if step == Step::Sync { Class::Sync } else { Class::Stalled };
    let message = format!("{} {}, so it was stopped", ran.program, stalled.sentence());
    Failure { evidence: stalled.evidence(&ran.log), ..parts::failure(ran, class, message) }
}
