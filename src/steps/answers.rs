//! What Portage has answered, and how long that counts.

use crate::host::configuration;
use crate::host::seen::Seen;
use crate::model::Exit;
use crate::portage::command::{Answers, Command};
use crate::portage::files::settings::Settings;
use crate::portage::names::cpv::Cpv;

/// What Portage answered about its configuration, each with the [`configuration::stamp`] of then.
#[derive(Default)]
pub(crate) struct Known {
    pub(super) settings: Option<(u64, Settings)>,
    /// What `portageq repos_config` printed.
    pub(super) repositories: Option<(u64, Vec<u8>)>,
    /// The Portage that an update would install.
    pub(super) portage: Option<(u64, Cpv)>,
    /// What `portageq --version` printed, with the Portage that was installed then.
    pub(super) version: Option<(Cpv, Vec<u8>)>,
    /// What counts until something that it is made of changes.
    pub(super) lasting: Vec<Lasting>,
}

/// What a command printed, in this environment, and what that is made of.
pub(super) struct Lasting {
    pub(super) question: Command,
    pub(super) environment: Vec<String>,
    pub(super) made_of: MadeOf,
    pub(super) exit: Exit,
    pub(super) text: Vec<u8>,
}

/// What an answer is made of.
pub(super) enum MadeOf {
    /// What whoever asks for it names, and how that looked.
    Named(u64),
    /// What was read for it.
    Read(Seen),
}

impl MadeOf {
    /// Whether all of that is as it was. `named` is how it looks now, where whoever asks names it.
    pub(super) fn holds(&self, named: Option<u64>) -> bool {
        match self {
            Self::Named(look) => named == Some(*look),
            Self::Read(seen) => seen.holds(),
        }
    }
}

/// Answers to questions that nobody has asked yet. They are of one step and count once, so that none is older than the step.
pub(crate) struct Ahead {
    /// The [`configuration::stamp`] of then.
    pub(super) stamp: u64,
    pub(super) answers: Answers,
}

impl Ahead {
    /// An answer, unless something has changed since.
    pub(super) fn take(&mut self, question: &Command) -> Option<Vec<u8>> {
        let at = self.answers.iter().position(|(asked, _)| asked == question)?;
        let (_, answer) = self.answers.swap_remove(at);
        (configuration::stamp() == self.stamp).then_some(answer)
    }
}
