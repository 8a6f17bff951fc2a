//! Clients are offered a release.

use super::Turn;
use crate::decide::view::UNPUBLISHED;
use crate::model::failure::{Class, Failure};
use crate::model::records::Record;
use crate::model::release::{Current, Published};
use crate::model::state::{Phase, Reason, Volume};
use crate::model::{Action, Step, bounds};

/// The warning that a package demands another kernel than there is.
const KERNEL: &str = "kernel";
/// The warning that nobody knows what packages demand.
const OPAQUE: &str = "opaque";
/// The warning that the ebuild repositories are not offered as they should be.
const TREES: &str = "trees";

impl Turn {
    /// The step came to an end.
    pub(super) fn published(&mut self, published: Published) {
        let Published { current, new, changes, held, kernel, opaque, running, trees } = published;
        let clients = self.state.live.config.publish.client_kernel;
        let too_new = kernel.and_then(|demanding| demanding.too_new(clients, running));
        let trees = (!trees.is_empty()).then(|| trees.join("; "));
        for (key, told) in [(KERNEL, too_new), (OPAQUE, opaque.map(|opaque| opaque.told())), (TREES, trees)] {
            match told {
                Some(text) => drop(self.state.live.warnings.insert(key, text)),
                None => drop(self.state.live.warnings.remove(key)),
            }
        }
        let held = match held {
            0 => String::new(),
            held => format!("; {held} held back"),
        };
        self.say(if new {
            format!("release {} is published: {changes}{held}", current.id)
        } else {
            format!("nothing to publish: release {} already offers exactly that{held}", current.id)
        });
        self.offered(Some(current));
    }

    /// What clients are offered, by whomever.
    pub(super) fn offered(&mut self, current: Option<Current>) {
        if self.state.durable.release == current || self.state.live.volume != Volume::Ours {
            return;
        }
        self.state.live.warnings.remove(UNPUBLISHED);
        if let (Some(Current { id, packages, again, .. }), Some(cycle)) =
            (&current, &self.state.durable.cycle)
        {
            self.actions.push(Action::Record(Record::Released {
                cycle: cycle.id,
                at: self.now.wall,
                release: *id,
                packages: *packages,
                again: *again,
            }));
        }
        self.state.durable.release = current;
    }

    /// When packages failed in the build and others did not, what those make necessary is rebuilt, and the good ones are
    /// published, before the builder waits for a person, who may be asleep; what failed is told then.
    pub(super) fn publishes_first(&mut self, failures: &[Failure], at: Step) -> bool {
        let of_packages = failures.iter().all(|failure| failure.package.is_some());
        let hold_back = self.state.live.config.publish.hold_back;
        let Some(cycle) = &mut self.state.durable.cycle else { return false };
        let next = match at {
            Step::Build if of_packages && !cycle.merged.is_empty() => Step::Rebuild,
            Step::Rebuild if of_packages || !cycle.owed.is_empty() => Step::Audit,
            _ => return false,
        };
        if !hold_back {
            return false;
        }
        cycle.owed = Failure::newest(std::mem::take(&mut cycle.owed), failures.to_vec());
        cycle.owed.sort_by_key(|failure| failure.class == Class::NotTried);
        bounds::keep(&mut cycle.owed);
        self.set_phase(Phase::Running(next));
        true
    }

    /// Whether it is still to be told what failed in the build.
    pub(super) fn owed(&self) -> bool {
        let durable = &self.state.durable;
        durable.cycle.as_ref().is_some_and(|cycle| !cycle.owed.is_empty())
            || durable.known.iter().any(|past| past.untold)
    }

    /// Publishes without building, in a cycle of its own.
    pub(super) fn begin_publication(&mut self) {
        self.new_cycle(Reason::Requested, false);
        if let Some(cycle) = &mut self.state.durable.cycle {
            cycle.goal = Some(Step::Audit);
        }
    }

    /// The same, if somebody asked for it while something else was going on.
    pub(super) fn begin_pending_publish(&mut self) -> bool {
        let begins =
            self.state.durable.pending.publish && matches!(self.state.durable.phase, Phase::Waiting(_));
        if begins {
            self.begin_publication();
        }
        begins
    }
}
