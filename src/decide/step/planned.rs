//! What follows from a plan: what is left out of it, and what is known to fail.

use std::collections::HashSet;
use std::sync::Arc;

use super::Turn;
use crate::model::failure::Failure;
use crate::model::job::Job;
use crate::model::narrowing::{Cause, Narrowing};
use crate::model::state::{CyclePlan, State};
use crate::model::{Action, Report, Step, Work, known, skip};
use crate::portage::output::advice;
use crate::portage::output::plan::Plan;

impl Turn {
    /// Keeps the plan; returns the step that is done with it, or nothing when there has to be another plan. A
    /// build of nothing is over before it begins: the resolver would only say so a second time. `counted` is
    /// Portage's own total, which has the last word should its list ever be written in another way; `passed_over` says
    /// that Portage names what it does not merge although it is wanted.
    pub(super) fn planned(&mut self, plan: Plan, counted: u64, passed_over: bool) -> Option<Step> {
        if self.narrowed(&plan, passed_over) {
            return None;
        }
        Some(self.keep_plan(plan, counted))
    }

    fn keep_plan(&mut self, plan: Plan, counted: u64) -> Step {
        let Some(cycle) = &mut self.state.durable.cycle else { return Step::Build };
        // Of what an earlier cycle could not tell, that which is wanted no more need not be told.
        known::retain(&mut cycle.owed, &self.state.durable.known, true);
        let again = u64::try_from(cycle.merge_again.len()).unwrap_or(u64::MAX);
        let packages = plan.totals().packages.max(counted).saturating_add(again);
        cycle.planned = cycle.tally.done().saturating_add(packages);
        self.state.plan = Some(Arc::new(CyclePlan { cycle: cycle.id, made: self.now.wall, plan }));
        self.actions.push(Action::PersistPlan);
        if packages == 0 { Step::Build } else { Step::Plan }
    }

    /// Whether there has to be another plan, without what is known to fail.
    fn narrowed(&mut self, plan: &Plan, passed_over: bool) -> bool {
        let leaves_out = !self.state.left_out().is_empty();
        let durable = &mut self.state.durable;
        let Some(cycle) = &mut durable.cycle else { return false };
        let skips: Vec<String> = durable.skips.iter().map(|skip| skip.package.clone()).collect();
        match &mut cycle.narrowing {
            Narrowing::None if passed_over && leaves_out => {
                cycle.narrowing = Narrowing::Whole;
                true
            }
            Narrowing::None | Narrowing::Whole | Narrowing::InVain => {
                let asked = cycle.narrowing == Narrowing::Whole;
                known::forget_unwanted(&mut durable.known, plan, &skips, &cycle.exclude);
                let repeated = known::repeated(&durable.known, plan, &cycle.toolchain, cycle.id);
                let mut atoms: Vec<String> = repeated.into_iter().map(known::KnownFailure::atom).collect();
                if asked {
                    atoms.extend(skips.iter().chain(&cycle.exclude).cloned());
                }
                let some = !atoms.is_empty();
                cycle.narrowing =
                    if some { Narrowing::begin(Cause { atoms, asked }, plan) } else { Narrowing::None };
                some
            }
            narrowing => narrowing.next(plan),
        }
    }

    /// Whether it is only by what is left out that there is no plan; then there is another one, or what can be built
    /// is built without one.
    pub(super) fn narrowing_fails(&mut self, report: &Report) -> bool {
        let leaves_out = !self.state.left_out().is_empty();
        let Some(cycle) = &mut self.state.durable.cycle else { return false };
        let Report::Planned { ran, .. } = report else { return false };
        let problem = ran.evidence.main_problem();
        let lines = problem.map(|problem| problem.lines.as_slice()).unwrap_or_default();
        if cycle.narrowing == Narrowing::None && leaves_out && advice::is_left_out(lines) {
            cycle.narrowing = Narrowing::Whole;
            return true;
        }
        let began = matches!(cycle.narrowing, Narrowing::AtWork { .. });
        if cycle.narrowing.fails(&advice::required_by(lines)) {
            return true;
        }
        if began {
            self.keep_plan(Plan::default(), 0);
            if !self.begins_rest(&[]) {
                self.next_after(Step::Build);
            }
        }
        began
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
        let mut plan = made.plan.clone();
        plan.packages.extend(cycle.narrowing.rest().iter().cloned());
        known::remember(&mut durable.known, failures, &plan, &cycle.toolchain, self.now.wall);
    }

    /// Forgets what was merged after all: what a job said it merged, and everything in the plan of a build
    /// that went well.
    pub(super) fn repaired(&mut self, job: &Job, succeeded: bool) {
        let State { durable, plan, .. } = &mut self.state;
        let (all, again) = match &job.work {
            Work::Build { merge_again, .. } if succeeded => (plan.as_ref(), merge_again.as_slice()),
            _ => (None, &[][..]),
        };
        let mut merged: HashSet<&str> = job.merged.iter().map(|(merged, _)| merged.as_str()).collect();
        merged.extend(again.iter().map(String::as_str));
        merged.extend(all.iter().flat_map(|made| &made.plan.packages).map(|planned| planned.cpv.as_str()));
        let repaired: Vec<_> =
            durable.known.extract_if(.., |past| merged.contains(past.package.as_str())).collect();
        if let Some(cycle) = &mut durable.cycle {
            known::retain(&mut cycle.owed, &repaired, false);
        }
        for past in repaired {
            let since = past.since.strftime("%Y-%m-%d");
            self.say(format!("{} is built; it had failed since {since}", past.package));
        }
    }
}
