//! What an operator may ask, and the one answer to each request.
//!
//! These are also the messages of the control socket: newline-delimited JSON, one [`Request`] up,
//! one [`Reply`] down; [`Request::Watch`] is answered by a stream of [`Reply::Status`].

use serde::{Deserialize, Serialize};

use super::skip::ToSkip;
use super::status::Status;
use super::told::Left;

/// When a pause takes effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PauseMode {
    /// Stop the running job at once; merges that have begun are let finish.
    Now,
    /// Let the packages that are being built now finish, then stop.
    #[default]
    AfterPackage,
    /// Let the cycle end, then hold instead of waiting.
    AfterCycle,
}

/// A request of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The status, once.
    Status,
    /// The status now and after every change, until the client goes away.
    Watch,
    /// What is still to be merged.
    Left,
    /// End a pause: run the step that failed again. While it waits: try again what is known to fail.
    Resume {
        /// Atoms to leave out for the rest of this cycle.
        #[serde(default)]
        skip: Vec<String>,
    },
    /// Hold the build loop.
    Pause {
        /// When it takes effect.
        #[serde(default)]
        mode: PauseMode,
        /// Shown in the status for the next person.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Sync now, whatever `sync.min_interval` says, and begin a new cycle.
    Sync,
    /// Publish what is good now, without building.
    Publish,
    /// Stop the builder gracefully; the container ends.
    Stop,
    /// Keep packages out of every cycle, each until another version of it is offered.
    Skip {
        /// Which.
        packages: Vec<ToSkip>,
    },
    /// Build packages again that are skipped.
    Unskip {
        /// [`Skip::package`](super::skip::Skip::package) of each.
        packages: Vec<String>,
    },
}

/// The one answer to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// What was asked for is done or will be done at the next safe point.
    Accepted {
        /// What happens now, for a person.
        message: String,
    },
    /// Nothing changes: it is so already, or is remembered already.
    Already {
        /// What is so, for a person.
        message: String,
    },
    /// Not possible in this state.
    Denied {
        /// Why, and what would be possible.
        message: String,
    },
    /// The request was not understood.
    Invalid {
        /// What was wrong with it.
        message: String,
    },
    /// The status.
    Status {
        /// The snapshot.
        status: Box<Status>,
    },
    /// What is still to be merged.
    Left {
        /// In the order in which it is; nothing once the build is over.
        left: Vec<Left>,
    },
}
