//! The server as the supervisor's child: when it is started, and when again.

use std::time::Duration;

use crate::config::Http;

/// An empty directory in the place of a volume that was refused, for whoever has to have one.
pub(crate) const NOWHERE: &str = "/run/gbsup/nothing";

/// The key of the warning that clients are not served.
pub(crate) const WARNING: &str = "server";
/// One that has lived so long is well: nobody is told any more that the one before it ended.
pub(crate) const STEADY: Duration = Duration::from_secs(5);
/// One that has lived so long starts anew with its deaths.
const LONG: Duration = Duration::from_mins(10);
/// The longest wait before it is started again.
const LONGEST: Duration = Duration::from_mins(1);

/// The process `gbsup serve` of this supervisor. Times are monotonic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Server {
    /// There is none, and none is wanted.
    #[default]
    Off,
    /// It was started.
    Up {
        /// How it was told to serve.
        with: Http,
        /// It serves nothing of the volume, which was refused, and says why.
        bare: bool,
        /// When.
        since: Duration,
        /// How many before it died soon.
        deaths: u32,
        /// It was told to end.
        halted: bool,
    },
    /// It ended by itself.
    Down {
        /// When it is started again.
        due: Duration,
        /// How many died soon, one after the other.
        deaths: u32,
    },
}

impl Server {
    /// What becomes of it when it has ended: nothing when it was told to; otherwise how long until the next.
    pub(crate) fn ended(&self, now: Duration) -> Option<(Self, Duration)> {
        let Self::Up { since, deaths, halted: false, .. } = self else { return None };
        let before = if now.saturating_sub(*since) < LONG { *deaths } else { 0 };
        let wait = Duration::from_secs(1 << before.min(6)).min(LONGEST);
        Some((Self::Down { due: now + wait, deaths: before + 1 }, wait))
    }

    /// When something is to be done about it; `troubled`: people are told that it ended.
    pub(crate) fn wake(&self, troubled: bool) -> Option<Duration> {
        match self {
            Self::Off => None,
            Self::Up { since, halted, .. } => (troubled && !halted).then(|| *since + STEADY),
            Self::Down { due, .. } => Some(*due),
        }
    }
}
