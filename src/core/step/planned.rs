//! What follows from a plan: what is left out of it, and what is known to fail.

use std::sync::Arc;

use super::Turn;
use crate::core::failure::Failure;
use crate::core::job::Job;
use crate::core::narrowing::Narrowing;
use crate::core::state::{CyclePlan, State};
use crate::core::{Action, Report, Step, Work, known, skip};
use crate::portage::advice;
use crate::portage::plan::Plan;

impl Turn {
    /// Keeps the plan; returns the step that is done with it, or nothing when there has to be another plan. A
    /// build of nothing is over before it begins: the resolver would only say so a second time. `counted` is
    /// Portage's own total, which has the last word should its list ever be written in another way.
    pub(super) fn planned(&mut self, plan: Plan, counted: u64) -> Option<Step> {
        if self.narrowed(&plan) {
            return None;
        }
        let State { durable, .. } = &mut self.state;
        let cycle = durable.cycle.as_mut()?;
        // Of what an earlier cycle could not tell, that which is wanted no more need not be told.
        cycle.owed.retain(|failure| known::has(&durable.known, failure));
        let again = u64::try_from(cycle.merge_again.len()).unwrap_or(u64::MAX);
        let packages = plan.totals().packages.max(counted).saturating_add(again);
        cycle.planned = cycle.tally.done().saturating_add(packages);
        self.state.plan = Some(Arc::new(CyclePlan { cycle: cycle.id, made: self.now.wall, plan }));
        self.actions.push(Action::PersistPlan);
        Some(if packages == 0 { Step::Build } else { Step::Plan })
    }

    /// Whether there has to be another plan, without what is known to fail.
    fn narrowed(&mut self, plan: &Plan) -> bool {
        let durable = &mut self.state.durable;
        let Some(cycle) = &mut durable.cycle else { return false };
        match &mut cycle.narrowing {
            Narrowing::None => {
                let skips: Vec<String> = durable.skips.iter().map(|skip| skip.package.clone()).collect();
                known::forget_unwanted(&mut durable.known, plan, &skips, &cycle.exclude);
                let repeated =
                    durable.known.iter().filter(|past| past.is_repeated_by(plan, &cycle.toolchain, cycle.id));
                let atoms: Vec<String> = repeated.map(known::KnownFailure::atom).collect();
                let some = !atoms.is_empty();
                if some {
                    cycle.narrowing = Narrowing::begin(atoms, plan);
                }
                some
            }
            narrowing => narrowing.next(plan, &durable.known),
        }
    }

    /// Whether there has to be another plan, because there is none without what is known to fail.
    pub(super) fn narrowing_fails(&mut self, report: &Report) -> bool {
        let Some(cycle) = &mut self.state.durable.cycle else { return false };
        let Report::Planned { ran, .. } = report else { return false };
        let problem = ran.evidence.main_problem();
        let needed_by = problem.map(|problem| advice::required_by(&problem.lines)).unwrap_or_default();
        cycle.narrowing.fails(&needed_by)
    }

    /// Whether there has to be another plan, because what a person skips is offered in another version.
    pub(super) fn skips_are_over(&mut self, report: &Report) -> bool {
        let Report::Planned { offered, .. } = report else { return false };
        let over = skip::take_changed(&mut self.state.durable.skips, offered);
        for (skip, version) in &over {
            self.say(format!("{} is not skipped any more: {version} is offered", skip.package));
        }
        !over.is_empty()
    }

    /// Remembers what failed of the build.
    pub(super) fn remember(&mut self, failures: &[Failure], at: Step) {
        let durable = &mut self.state.durable;
        // Only what was planned has inputs that are known.
        let (Some(cycle), Some(made), Step::Build) = (&durable.cycle, &self.state.plan, at) else { return };
        known::remember(&mut durable.known, failures, &made.plan, &cycle.toolchain, self.now.wall);
    }

    /// Forgets what was merged after all: what a job said it merged, and everything in the plan of a build
    /// that went well.
    pub(super) fn repaired(&mut self, job: &Job, succeeded: bool) {
        let State { durable, plan, .. } = &mut self.state;
        let all = plan.as_ref().filter(|_| succeeded && matches!(job.work, Work::Build { .. }));
        let merged = |past: &known::KnownFailure| {
            job.merged.iter().any(|(merged, _)| merged == past.package.as_str())
                || all
                    .is_some_and(|made| made.plan.packages.iter().any(|planned| planned.cpv == past.package))
        };
        let repaired: Vec<_> = durable.known.extract_if(.., |past| merged(past)).collect();
        if let Some(cycle) = &mut durable.cycle {
            cycle.owed.retain(|failure| !known::has(&repaired, failure));
        }
        for past in repaired {
            let since = past.since.strftime("%Y-%m-%d");
            self.say(format!("{} is built, which had failed since {since}", past.package));
        }
    }
}
