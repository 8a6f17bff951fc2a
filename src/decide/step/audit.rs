//! The audit: what is broken is built anew, once; what stays so is held back, or holds the builder.

use super::Turn;
use crate::decide::audit::to_rebuild;
use crate::decide::view::count;
use crate::model::failure::{Class, Failure};
use crate::model::job::Job;
use crate::model::offer::{Broken, Held, Why};
use crate::model::records::Outcome;
use crate::model::state::Phase;
use crate::model::{Report, Step, Work};
use crate::portage::command::TRIAL_AGAIN;

/// What stands before the words of the resolver.
const REFUSED: &str = "clients could not install what is there, so it is not offered";

impl Turn {
    /// The audit ended with a list.
    pub(super) fn audited(&mut self, job: &Job, held: &[Held], broken: &[Broken], offered: usize) {
        self.step_ended(job, Outcome::Done);
        let Some(cycle) = &mut self.state.durable.cycle else { return };
        let built = std::mem::take(&mut cycle.mending.now);
        cycle.mending.tried.extend(built);
        let Work::Audit { rebuild, tried, failing, .. } = &job.work else { return };
        let tried = [&rebuild[..], tried].concat();
        let again = to_rebuild(broken, &tried, failing);
        if !again.is_empty() {
            cycle.mending.now.clone_from(&again);
            for broken in again {
                self.say(format!("built again for the clients: {broken}"));
            }
            return self.set_phase(Phase::Running(Step::Audit));
        }
        cycle.held = held.iter().map(|held| format!("{} {}", held.cpv, held.what)).collect();
        let was_tried = |broken: &&Broken| tried.iter().any(|tried| tried.is(broken));
        self.state.durable.broken = broken.iter().filter(was_tried).cloned().collect();
        if held.is_empty() || self.state.live.config.publish.hold_back {
            let offered = u64::try_from(offered).unwrap_or(u64::MAX);
            self.say(format!("{} can be offered, {} held back", count(offered), held.len()));
            return self.next_after(Step::Audit);
        }
        self.fail(held.iter().map(failure).collect(), Step::Audit);
    }

    /// The resolver refused to install what would be offered. Nothing that is tried for a build helps here.
    pub(super) fn refused_by_the_resolver(&mut self, job: &Job, report: Report) {
        self.step_ended(job, Outcome::Failed);
        let mut failures = self.explained(job, report);
        // One that stalled has refused nothing.
        for failure in failures.iter_mut().filter(|_| job.stalled.is_none()) {
            failure.message = format!("{REFUSED}: {}", failure.message);
            failure.suggestions = vec![format!("sh {TRIAL_AGAIN}"), "gbsup audit".to_owned()];
        }
        self.fail(failures, Step::Audit);
    }
}

fn failure(held: &Held) -> Failure {
    let class = match held.why {
        Why::File => Class::BinpkgCorrupt,
        _ => Class::MissingPackage,
    };
    let message = format!("it {}, and [publish] hold_back is off", held.what);
    let suggestions =
        vec![format!("emerge --oneshot --usepkg=n {}", held.cpv.atom()), "gbsup audit".to_owned()];
    Failure { package: Some(held.cpv.to_string()), suggestions, ..Failure::new(class, message) }
}
