//! How often the supervisor has died, and what follows from it.

use std::time::{Duration, Instant};

/// This many deaths within [`WINDOW`] end the restarts.
pub(super) const LIMIT: usize = 5;
/// How far back deaths count.
const WINDOW: Duration = Duration::from_mins(10);
/// A supervisor that ran this long has earned a quick restart again.
const STEADY: Duration = Duration::from_mins(10);
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_mins(1);

/// The latest deaths and the delay that comes next.
#[derive(Debug)]
pub(super) struct Deaths {
    /// When the latest ones were, newest first.
    latest: [Option<Instant>; LIMIT],
    delay: Duration,
}

/// What follows from a death.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// Start it again after this delay.
    Again { nth: usize, delay: Duration },
    /// It dies too often: wait for a person.
    GiveUp,
}

impl Deaths {
    pub(super) fn none() -> Deaths {
        Deaths { latest: [None; LIMIT], delay: FIRST_DELAY }
    }

    /// Counts the death, now, of a supervisor that ran for `ran`.
    pub(super) fn record(&mut self, ran: Duration, now: Instant) -> Verdict {
        if ran >= STEADY {
            self.delay = FIRST_DELAY;
        }
        self.latest.rotate_right(1);
        self.latest[0] = Some(now);
        let recent = |death: &&Option<Instant>| death.is_some_and(|at| now.duration_since(at) < WINDOW);
        match self.latest.iter().filter(recent).count() {
            LIMIT.. => Verdict::GiveUp,
            nth => Verdict::Again { nth, delay: self.next_delay() },
        }
    }

    /// How long to wait this time; the next time is twice as long.
    pub(super) fn next_delay(&mut self) -> Duration {
        let delay = self.delay;
        self.delay = (delay * 2).min(LONGEST_DELAY);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(ran: Duration, times: usize) -> Vec<Option<u64>> {
        let mut deaths = Deaths::none();
        let mut now = Instant::now();
        let mut delays = Vec::new();
        for _ in 0..times {
            now += ran;
            delays.push(match deaths.record(ran, now) {
                Verdict::Again { delay, .. } => Some(delay.as_secs()),
                Verdict::GiveUp => None,
            });
        }
        delays
    }

    #[test]
    fn the_fifth_death_in_ten_minutes_ends_the_restarts() {
        assert_eq!(delays(Duration::from_secs(1), 5), [Some(1), Some(2), Some(4), Some(8), None]);
    }

    #[test]
    fn slow_deaths_go_on_with_longer_delays_up_to_a_minute() {
        let expected = [1, 2, 4, 8, 16, 32, 60, 60].map(Some);
        assert_eq!(delays(Duration::from_secs(200), 8), expected);
    }

    #[test]
    fn a_long_run_earns_a_quick_restart() {
        assert_eq!(delays(STEADY, 3), [Some(1); 3]);
    }
}
