//! What follows when a job has ended.

use std::collections::HashSet;

use super::Turn;
use crate::decide::{classify, remedy, view};
use crate::model::failure::Failure;
use crate::model::job::{Job, Then};
use crate::model::known::KnownFailure;
use crate::model::records::{Outcome, Record};
use crate::model::request::PauseMode;
use crate::model::state::{Pause, Phase};
use crate::model::status::Why;
use crate::model::{Action, Exit, JobId, Report, Step, Work, bounds};
use crate::portage::output::markers::ProblemKind;

impl Turn {
    pub(super) fn ended(&mut self, id: JobId, report: Report) {
        if self.job(id).is_some() {
            self.settle();
        }
        let Some(job) = self.state.live.job.take_if(|job| job.id == id) else { return };
        let at = job.work.step();
        let succeeded = succeeded(&report);
        let whole = !(job.work.is_remedy() || matches!(job.work, Work::Circle { .. } | Work::Rest { .. }));
        self.state.live.warnings.remove(view::LOCKED);
        self.note_end(&job, &report, succeeded, whole);
        self.repaired(&job, succeeded);
        if let Report::Ready { repairs, missing, unmerged } = &report {
            for repair in repairs {
                self.actions.push(Action::Say(format!("repaired: {repair}")));
            }
            // The build merges them once more, and says of each why it fails.
            if let Some(cycle) = &mut self.state.durable.cycle {
                let new = unmerged.iter().filter(|package| !cycle.merge_again.contains(package));
                let new: Vec<String> = new.cloned().collect();
                cycle.merge_again.extend(new);
            }
            self.looked_for_the_tree(missing);
        }
        match job.halt.as_ref().filter(|_| !succeeded).map(|halt| halt.then.clone()) {
            Some(Then::Leave) => return self.step_ended(&job, Outcome::Interrupted),
            Some(Then::Pause(reason)) => {
                self.step_ended(&job, Outcome::Interrupted);
                return self.hold(reason, false, Some(at));
            }
            Some(Then::Treat) | None => {}
        }
        if at == Step::Sync {
            return self.synced(&job, report, succeeded);
        }
        if at == Step::Prune {
            return self.step_pruned(&job, report);
        }
        if let Report::Audited { held, broken, offered } = &report {
            return self.audited(&job, held, broken, *offered);
        }
        if at == Step::Audit && matches!(report, Report::Ran(_)) {
            return self.refused_by_the_resolver(&job, report);
        }
        if let Work::Rest { .. } = job.work {
            return self.rested(&job, report);
        }
        if let Report::Rest { ran, untried } = report {
            return self.rebuilt_in_part(&job, ran, untried);
        }
        if !whole {
            return self.remedy_ended(&job, report, succeeded);
        }
        if self.skips_are_over(&report) {
            // The plan is one without what is built again from now on.
            self.step_ended(&job, Outcome::Done);
        } else if succeeded {
            self.step_ended(&job, Outcome::Done);
            let done = match report {
                Report::Planned { ran, plan, .. } => {
                    let passed_over = ran.evidence.problems.iter().any(|problem| {
                        matches!(problem.kind, ProblemKind::WorldAtomGone | ProblemKind::Skipped)
                    });
                    self.planned(plan, job.total, passed_over)
                }
                Report::Published(published) => {
                    self.published(*published);
                    Some(at)
                }
                _ => Some(at),
            };
            // What waits for nothing but a name.
            if let Some(done) = done
                && !(done == Step::Build && self.waits_for_its_name() && self.begins_rest(&[]))
            {
                self.next_after(done);
            }
        } else if at == Step::Plan && self.narrowing_fails(&report) {
            self.step_ended(&job, Outcome::Failed);
        } else {
            self.step_ended(&job, Outcome::Failed);
            // A step before the build merges nothing of it, so what is half done stays so.
            if let Some(cycle) = self.state.durable.cycle.as_mut().filter(|_| at >= Step::Build) {
                // What the build left half done is still so.
                if at == Step::Build || cycle.owed.is_empty() {
                    cycle.merge_again.clear();
                }
                cycle.merge_again.extend(classify::half_done(&report));
            }
            let circle = remedy::circle(&report);
            let failures = self.explained(&job, report);
            self.remedy_or_fail(failures, circle, None, at);
        }
    }

    /// What the cycle keeps of the end of a job, whatever follows.
    fn note_end(&mut self, job: &Job, report: &Report, succeeded: bool, whole: bool) {
        let at = job.work.step();
        let left_out = !self.state.exclude().is_empty();
        let Some(cycle) = &mut self.state.durable.cycle else { return };
        if at == Step::Build && whole && succeeded {
            cycle.merge_again.clear();
        }
        if matches!(at, Step::Plan | Step::Build) && whole && cycle.narrowing.atoms().is_empty() {
            cycle.passed_over = classify::passed_over(report, left_out);
        }
        // The pause for what failed tells of how many.
        let owes = at == Step::Rebuild && !cycle.owed.is_empty();
        let in_part = matches!(report, Report::Rest { .. });
        if succeeded
            && whole
            && !in_part
            && !owes
            && matches!(at, Step::SelfUpdate | Step::Build | Step::Rebuild)
        {
            cycle.planned = 0;
        }
        for (package, _) in &job.merged {
            remedy::merged(package, &mut cycle.treated);
        }
        if let Report::Ran(ran) | Report::Planned { ran, .. } = report {
            cycle.toolchain.clone_from(&ran.toolchain);
        }
        // The preflight merges again whatever it finds unfinished.
        cycle.merge_again.retain(|again| !job.merged.iter().any(|(package, _)| package == again));
    }

    /// What stopped a job; the history is told as well.
    pub(super) fn explained(&mut self, job: &Job, report: Report) -> Vec<Failure> {
        let mut failures = classify::failures(job, report);
        if let Some(sentence) = &job.locked {
            classify::while_locked(&mut failures, sentence);
        }
        bounds::keep(&mut failures);
        self.actions.extend(job.reasons(&failures, self.now).into_iter().map(Action::Record));
        failures
    }

    pub(super) fn step_ended(&mut self, job: &Job, outcome: Outcome) {
        self.remedy_over(job, outcome);
        self.actions.push(Action::Record(Record::StepEnded {
            cycle: job.cycle,
            step: job.work.step().to_string(),
            at: self.now.wall,
            outcome,
        }));
    }

    pub(super) fn fail(&mut self, failures: Vec<Failure>, at: Step) {
        let owed = self
            .state
            .durable
            .cycle
            .as_mut()
            .map(|cycle| std::mem::take(&mut cycle.owed))
            .unwrap_or_default();
        let at = if owed.is_empty() { at } else { at.min(Step::Build) };
        let mut failures = Failure::newest(owed, failures);
        let told: HashSet<&str> = failures.iter().filter_map(|failure| failure.package.as_deref()).collect();
        let untold = self.state.durable.known.iter().filter(|past| past.untold);
        let untold: Vec<Failure> =
            untold.filter(|past| !told.contains(past.package.as_str())).map(KnownFailure::failure).collect();
        failures.extend(untold);
        bounds::keep(&mut failures);
        // It is held now; only a pause at the end of the cycle is still to come.
        self.state.durable.pending.pause.take_if(|pending| pending.mode != PauseMode::AfterCycle);
        self.set_phase(Phase::Paused(Pause {
            why: Why::Failure,
            by_flag: false,
            failures,
            reason: None,
            at: Some(at),
            due: None,
        }));
    }

    pub(super) fn hold(&mut self, reason: Option<String>, by_flag: bool, at: Option<Step>) {
        let due = match self.state.durable.phase {
            Phase::Waiting(due) => due,
            _ => None,
        };
        self.state.durable.pending.pause = None;
        self.state.live.next = None;
        self.state.live.retry = None;
        let failures = Vec::new();
        self.set_phase(Phase::Paused(Pause { why: Why::Operator, by_flag, failures, reason, at, due }));
    }
}

/// Whether the step's work is done.
fn succeeded(report: &Report) -> bool {
    match report {
        Report::Nothing
        | Report::Ready { .. }
        | Report::Circle(_)
        | Report::Rest { .. }
        | Report::Audited { .. }
        | Report::Published(_)
        | Report::Pruned(_) => true,
        Report::Failed(_) => false,
        Report::Ran(ran) | Report::Planned { ran, .. } => ran.exit == Exit::Code(0),
        Report::Synced { synced, .. } => synced.is_whole(),
    }
}
