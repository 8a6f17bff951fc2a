//! Room is made: at the end of each cycle, and when none is left.

use super::Turn;
use crate::decide::{classify, remedy};
use crate::model::failure::Failure;
use crate::model::job::Job;
use crate::model::prune::Pruned;
use crate::model::records::Outcome;
use crate::model::remedy::{Remedy, Room};
use crate::model::state::Phase;
use crate::model::status::size;
use crate::model::{Report, Step};

/// The warning about what could not be removed.
const WARNING: &str = "prune";

impl Turn {
    /// The last step of a cycle. What went wrong is told, and no reason to stop.
    pub(super) fn step_pruned(&mut self, job: &Job, report: Report) {
        self.state.live.warnings.remove(WARNING);
        let pruned = match &report {
            Report::Pruned(pruned) => pruned.clone(),
            _ => Pruned::default(),
        };
        match classify::failures(job, report).first() {
            None => {
                self.step_ended(job, Outcome::Done);
                self.tell_pruned(&pruned);
            }
            Some(failure) => {
                self.step_ended(job, Outcome::Failed);
                let text = format!("nothing was pruned: {}", failure.message);
                self.state.live.warnings.insert(WARNING, text);
            }
        }
        self.next_after(Step::Prune);
    }

    /// Begins to make room, if that is wanted and was not done for this yet.
    pub(super) fn make_room(&mut self, failures: &[Failure], at: Step) -> bool {
        let switched_on = self.state.live.config.remedy.disk_full;
        let Some(cycle) = self.state.durable.cycle.as_mut().filter(|_| switched_on) else { return false };
        if !remedy::wants_room(failures, at, &cycle.treated) {
            return false;
        }
        let room = Room { at, failures: failures.to_vec() };
        remedy::count_room(&room, &mut cycle.treated);
        cycle.remedy = Some(Remedy::Room(room));
        self.set_phase(Phase::Running(at));
        true
    }

    /// What follows when it was tried.
    pub(super) fn room_made(&mut self, job: &Job, report: Report) {
        let Some(cycle) = &mut self.state.durable.cycle else { return };
        let Some(Remedy::Room(room)) = cycle.remedy.take() else { return };
        let freed = match report {
            Report::Pruned(pruned) => {
                cycle.freed = cycle.freed.saturating_add(pruned.freed);
                self.tell_pruned(&pruned);
                pruned.freed
            }
            _ => 0,
        };
        self.step_ended(job, if freed > 0 { Outcome::Done } else { Outcome::Failed });
        if freed == 0 {
            let at = room.at;
            return self.give_up(room.in_vain(), at);
        }
        if room.packages().is_empty() || room.at != Step::Build {
            return self.enter(room.at);
        }
        self.again_or_give_up(room.failures, room.at);
    }

    fn tell_pruned(&mut self, pruned: &Pruned) {
        if pruned.files > 0 {
            self.say(format!("{} removed, {} freed", files(pruned.files), size(pruned.freed)));
        }
        if let Some(problem) = pruned.problems.first() {
            let text = format!("not everything could be pruned: {problem}");
            self.state.live.warnings.insert(WARNING, text);
        }
    }
}

fn files(count: u64) -> String {
    format!("{count} file{}", if count == 1 { "" } else { "s" })
}
