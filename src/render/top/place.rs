//! Where on the screen somebody is.

/// A part of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pane {
    /// What is in work, and the step.
    Jobs,
    /// What failed, and what is known to fail.
    Failed,
    /// What is still to be merged.
    Next,
    /// The cycles, the newest first.
    Cycles,
    /// The circumstances.
    Around,
}

impl Pane {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Jobs, Self::Failed, Self::Next, Self::Cycles, Self::Around];

    /// What it is called on the screen.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Jobs => "At work",
            Self::Failed => "Failed",
            Self::Next => "Next",
            Self::Cycles => "Cycles",
            Self::Around => "Around",
        }
    }
}

/// Where on the screen somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The list that is shown, where there is room for one.
    pub pane: Pane,
    /// Which of its lines is chosen, for each of [`Pane::ALL`].
    pub chosen: [usize; 5],
    /// The keys that move are for the log.
    pub in_log: bool,
    /// The number of the line after the last one that is shown; absent: the log is followed.
    pub end: Option<u64>,
    /// How many columns of the log are to the left of the screen.
    pub across: u16,
    /// The keys are shown instead.
    pub help: bool,
}

impl Default for Place {
    fn default() -> Self {
        Self { pane: Pane::Jobs, chosen: [0; 5], in_log: false, end: None, across: 0, help: false }
    }
}

impl Place {
    /// Which line of a list is chosen.
    #[must_use]
    pub fn chosen(&self, pane: Pane) -> usize {
        self.chosen[pane as usize]
    }

    /// Chooses a line of a list.
    pub fn choose(&mut self, pane: Pane, line: usize) {
        self.chosen[pane as usize] = line;
    }
}
