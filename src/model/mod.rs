//! Data: what is on the volume, on a wire, or in the state. Nothing here looks at the whole state or decides.
//!
//! What survives a restart is [`state::Durable`] and, beside it, the plan of the cycle; what only
//! this process knows is [`state::Live`].
//! Deadlines are kept in monotonic time and written down in wall time, so that a clock that jumps
//! moves nothing while the process lives.

pub(crate) mod bounds;
pub mod ccache;
pub mod client;
pub mod duration;
pub mod estimates;
pub(crate) mod event;
pub mod failure;
pub mod farm;
pub mod fingerprint;
pub mod helpers;
pub mod job;
pub mod known;
pub mod machine;
pub(crate) mod narrowing;
pub mod notice;
pub mod offer;
pub mod prune;
pub(crate) mod ran;
pub mod rebuilds;
pub mod records;
pub mod release;
pub mod remedy;
pub mod request;
pub(crate) mod server;
pub mod skip;
pub mod stall;
pub mod state;
pub mod status;
pub(crate) mod sync;
pub mod told;
pub(crate) mod verified;
pub mod work;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use event::{Action, Asker, Claimed, Event, Report};
pub use job::Force;
pub use ran::{Exit, Ran};
pub use work::{Step, Work};

/// A moment. Deadlines use `mono`, display uses `wall`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Time since the supervisor began; never goes backwards.
    pub mono: Duration,
    /// The time of day.
    pub wall: Timestamp,
}

/// Which spawn an exit or a line of output belongs to. Never used twice on one volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub u64);
