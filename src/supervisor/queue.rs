//! What is decided and not performed yet.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::model::state::State;
use crate::model::{Action, JobId, Work};

/// How long a disk may take before it is told.
pub(super) const SLOW: Duration = Duration::from_secs(2);

/// What is still to be performed.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) queue: VecDeque<Effect>,
    /// Orders that were given and not reported.
    pub(super) under_way: usize,
    /// Since when there are some.
    pub(super) since: Option<Instant>,
    /// A job begins when the volume was seen to be there.
    pub(super) starting: Option<(JobId, u64, Work)>,
    /// How many times the core has decided something.
    pub(super) decided: u64,
    /// That it takes long was told.
    pub(super) told: bool,
    /// What was decided last when the state was given to be written.
    pub(super) saved: u64,
    /// What is shown instead of the state.
    pub(super) shown: Option<Box<State>>,
    /// A look at the flag files was asked for and has not been reported, and whether another one has to follow.
    pub(super) looking: Option<bool>,
    /// The history is being written to.
    pub(super) recording: bool,
}

pub(super) enum Effect {
    /// With the number of the decision that it is of.
    Act(Box<Action>, u64),
    /// Begins a job on a volume that is there.
    Begin(JobId, u64, Work),
    /// Everything up to this state has happened.
    Show(Box<State>),
}

impl Effects {
    /// Whether nothing waits for the disk.
    pub(super) fn is_settled(&self) -> bool {
        self.queue.is_empty() && self.under_way == 0
    }

    /// How long until something takes too long.
    pub(super) fn until_slow(&self) -> Option<Duration> {
        let since = self.since.filter(|_| !self.told)?;
        Some((since + SLOW).saturating_duration_since(Instant::now()))
    }

    /// The next one that may be performed: orders follow each other, everything else waits for their end.
    pub(super) fn next(&mut self) -> Option<Effect> {
        let is_order = |action: &Action| {
            use Action::{Claim, Persist, PersistPlan, Record, Start};
            matches!(action, Claim | Persist | PersistPlan | Record(_) | Start { .. })
        };
        let may = match self.queue.front()? {
            Effect::Act(action, _) => self.under_way == 0 || is_order(action),
            Effect::Begin(..) | Effect::Show(_) => self.under_way == 0,
        };
        if may && self.starting.is_none() { self.queue.pop_front() } else { None }
    }
}
