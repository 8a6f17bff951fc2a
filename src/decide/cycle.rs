//! When a sync is due, and when the next cycle is.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::Config;
use crate::model::Now;
use crate::model::sync::SyncRecord;

/// A container made anew brings a tree of its own, so it may sync although another container has
/// done so lately; but not oftener than this, since `docker run` may stand in a loop.
const NEW_ROOT_SYNC: Duration = Duration::from_hours(1);

/// Whether a sync that nobody asked for may run now. Attempts count, not successes.
pub(crate) fn sync_due(sync: &SyncRecord, root: Option<&str>, config: &Config, now: Now) -> bool {
    let Some(attempted) = sync.attempted else { return true };
    let least = if sync.root.as_deref() == root {
        config.sync.min_interval
    } else {
        config.sync.min_interval.min(NEW_ROOT_SYNC)
    };
    let Ok(ago) = Duration::try_from(now.wall.duration_since(attempted)) else {
        // The attempt lies in the future: the clock was set back, and nothing is known.
        return true;
    };
    ago >= least
}

/// Whether the last sync of this root file system never ended.
pub(crate) fn tree_is_in_doubt(sync: &SyncRecord, root: Option<&str>) -> bool {
    sync.cut_short > 0 && sync.root.as_deref() == root
}

/// When the next attempt may begin after this many that were cut short. The first is made up for at
/// once; from then on they are spaced as failed ones are, so that a container which is started again
/// and again does not hammer a mirror. Nothing while no wait is called for.
pub(crate) fn after_cut_short(sync: &SyncRecord, config: &Config) -> Option<Timestamp> {
    let again = usize::try_from(sync.cut_short.checked_sub(2)?).ok()?;
    let wait = config.sync.retries.get(again).or(config.sync.retries.last())?;
    Some(later(sync.attempted?, *wait))
}

/// How long to wait before the attempt that follows this many failed ones; nothing when the
/// retries are used up.
pub(crate) fn backoff(failures: u32, config: &Config) -> Option<Duration> {
    let index = usize::try_from(failures.checked_sub(1)?).ok()?;
    config.sync.retries.get(index).copied()
}

/// The time of day that lies this far behind another, at the latest the last one there is.
pub(crate) fn later(than: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    than.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// A deadline written down in wall time, in this process's monotonic time. It is never farther
/// away than `at_most`, however the clock was set meanwhile.
pub(crate) fn rearm(deadline: Timestamp, at_most: Duration, now: Now) -> Duration {
    let left = Duration::try_from(deadline.duration_since(now.wall)).unwrap_or_default();
    now.mono.saturating_add(left.min(at_most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Now {
        Now { mono: Duration::from_secs(50), wall: Timestamp::from_second(seconds).unwrap() }
    }

    #[test]
    fn a_sync_counts_attempts_and_knows_its_root() {
        let mut config = Config::default();
        config.sync.min_interval = Duration::from_hours(24);
        let sync = |at: i64, root: &str| SyncRecord {
            attempted: Some(Timestamp::from_second(at).unwrap()),
            root: Some(root.to_owned()),
            ..SyncRecord::default()
        };
        for (record, now, due) in [
            (SyncRecord::default(), 1_000_000, true),
            (sync(1_000_000, "a"), 1_000_001, false),
            (sync(1_000_000, "a"), 1_086_399, false),
            (sync(1_000_000, "a"), 1_086_400, true),
            (sync(1_000_000, "b"), 1_003_599, false),
            (sync(1_000_000, "b"), 1_003_600, true),
            (sync(2_000_000, "a"), 1_000_000, true),
        ] {
            assert_eq!(sync_due(&record, Some("a"), &config, at(now)), due, "{record:?} at {now}");
        }
    }

    #[test]
    fn a_deadline_is_bounded_whatever_the_clock_says() {
        let day = Duration::from_hours(24);
        for (deadline, left) in [(1_000_100, 100), (999_000, 0), (9_000_000, 86_400)] {
            let deadline = Timestamp::from_second(deadline).unwrap();
            assert_eq!(rearm(deadline, day, at(1_000_000)), Duration::from_secs(50 + left));
        }
    }

    #[test]
    fn retries_are_used_up() {
        let mut config = Config::default();
        config.sync.retries = vec![Duration::from_secs(1), Duration::from_secs(5)];
        let waits: Vec<_> = (0..4).map(|n| backoff(n, &config).map(|d| d.as_secs())).collect();
        assert_eq!(waits, [None, Some(1), Some(5), None]);
    }
}
