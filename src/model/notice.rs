//! What people were told, and the messages on their way.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{News, Notify};
use crate::model::release::Id;
use crate::words::words;

words!(Urgency, Way);

/// How long to wait before each further attempt to deliver a message.
const RETRIES: [Duration; 3] = [Duration::from_mins(1), Duration::from_mins(5), Duration::from_mins(15)];

/// How a message goes, or a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// `notify.command`
    Command,
    /// `notify.webhook`
    Webhook,
    /// `notify.heartbeat`, which carries no message.
    Heartbeat,
}

impl Way {
    /// The ways that messages go by this configuration.
    pub(crate) fn of_messages(config: &Notify) -> Vec<Self> {
        let command = (!config.command.is_empty()).then_some(Self::Command);
        let webhook = config.webhook.as_ref().map(|_| Self::Webhook);
        command.into_iter().chain(webhook).collect()
    }
}

/// How much a message disturbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words are the documentation")]
pub enum Urgency {
    Low,
    Normal,
    High,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What it is about.
    pub kind: News,
    /// How much it disturbs.
    pub urgency: Urgency,
    /// A few words.
    pub title: String,
    /// The rest, in lines.
    pub text: String,
}

/// Sentences about what is wrong, by something that stays the same as long as it is the same trouble.
pub(crate) type Wrong = BTreeMap<String, String>;

/// What survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notices {
    /// What people know to be wrong.
    pub wrong: Wrong,
    /// What people know to wait for them, by the keys of the warnings.
    pub told: Wrong,
    /// The supervisor died, and nobody was told yet.
    pub crashed: bool,
    /// What clients would compile that they would not have compiled before, and nobody was told yet.
    pub drift: Vec<String>,
    /// The newest cycle whose end was looked at.
    pub cycle: u64,
    /// The release that people know of.
    pub release: Option<Id>,
    /// When the newest message was made.
    pub last: Option<Timestamp>,
    /// Messages that have not arrived, the newest of each way.
    pub owed: BTreeMap<Way, Owed>,
}

/// A message that has not arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// The message.
    pub note: Note,
    /// How often it was tried in vain.
    pub failed: u32,
}

impl Owed {
    /// How long to wait after the attempt that has just failed; nothing when it was the last.
    pub(crate) fn next_attempt(&self) -> Option<Duration> {
        let failed = usize::try_from(self.failed).unwrap_or(usize::MAX);
        RETRIES.get(failed.checked_sub(1)?).copied()
    }
}

/// What is gone with the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// No further message before this, in monotonic time.
    pub(crate) quiet_until: Option<Duration>,
    /// There is something to tell then.
    pub(crate) held: bool,
    /// Messages that are on their way.
    pub(crate) sending: BTreeMap<Way, Note>,
    /// When a message is tried again.
    pub(crate) retry: BTreeMap<Way, Duration>,
    /// When the next sign of life is due; absent while there is to be none.
    pub(crate) beat: Option<Duration>,
    /// One is on its way.
    pub(crate) beating: bool,
}

impl Outbox {
    /// The earliest deadline, in monotonic time.
    pub(crate) fn wake(&self) -> Option<Duration> {
        let held = self.quiet_until.filter(|_| self.held);
        let free = |(way, _): &(&Way, &Duration)| !self.sending.contains_key(way);
        let retry = self.retry.iter().filter(free).map(|(_, at)| *at);
        held.into_iter().chain(retry).chain(self.beat).min()
    }
}
