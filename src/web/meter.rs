//! How fast a client takes what it is sent, and what that was.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Over how long a speed is measured. A younger connection never gives way.
pub(super) const WINDOW: Duration = Duration::from_secs(1);

/// What a connection has taken, and what it is about: written to by whoever sends, read when a place is wanted.
#[derive(Debug)]
pub(super) struct Meter(Mutex<Measured>);

/// Two marks: the speed is that since the older one, which lies between one and two windows back.
#[derive(Clone, Copy, Debug)]
struct Measured {
    older: Mark,
    newer: Mark,
    total: u64,
    /// The client was waited for. Until then it is the server that is slow.
    waited: bool,
    page: Page,
}

/// What of its answers is a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Page {
    /// The last one was none.
    #[default]
    No,
    /// The one that is being sent.
    Now,
    /// The last one, which the kernel has as a whole.
    Sent,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    total: u64,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        let mark = Mark { at: now, total: 0 };
        Self(Mutex::new(Measured { older: mark, newer: mark, total: 0, waited: false, page: Page::No }))
    }

    fn lock(&self) -> MutexGuard<'_, Measured> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is not known yet that the client was ever waited for.
    pub(super) fn is_new(&self) -> bool {
        !self.lock().waited
    }

    /// The client is waited for: from the first time on it is measured.
    pub(super) fn waits(&self, now: Instant) {
        let mut measured = self.lock();
        if !measured.waited {
            measured.waited = true;
            measured.newer = Mark { at: now, total: measured.total };
            measured.older = measured.newer;
        }
    }

    /// What is sent by it now is a page, or none.
    pub(super) fn sends(&self, page: bool) {
        self.lock().page = if page { Page::Now } else { Page::No };
    }

    /// What there was to send is sent.
    pub(super) fn has_sent(&self) {
        let mut measured = self.lock();
        if measured.page == Page::Now {
            measured.page = Page::Sent;
        }
    }

    /// Whether the last answer was a page, and is sent.
    pub(super) fn has_sent_page(&self) -> bool {
        self.lock().page == Page::Sent
    }

    /// The client took so many bytes.
    pub(super) fn took(&self, bytes: usize, now: Instant) {
        let mut measured = self.lock();
        measured.total = measured.total.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        measured.pass(now);
    }

    /// Bytes per second of late; `None`: it is not known yet.
    pub(super) fn speed(&self, now: Instant) -> Option<u64> {
        let mut measured = self.lock();
        measured.pass(now);
        if !measured.waited {
            return None;
        }
        let past = now.saturating_duration_since(measured.older.at);
        let taken = u128::from(measured.total - measured.older.total);
        let speed = taken * 1000 / past.as_millis().max(1);
        (past >= WINDOW).then(|| u64::try_from(speed).unwrap_or(u64::MAX))
    }
}

impl Measured {
    fn pass(&mut self, now: Instant) {
        if now.saturating_duration_since(self.newer.at) >= WINDOW {
            self.older = self.newer;
            self.newer = Mark { at: now, total: self.total };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_that_of_late() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let meter = Meter::new(start);
        meter.waits(start);
        meter.took(100_000, at(500));
        assert_eq!(meter.speed(at(900)), None);
        assert_eq!(meter.speed(at(1000)), Some(100_000));
        // A quick beginning does not count for ever.
        meter.took(1_000, at(2000));
        meter.took(1_000, at(3000));
        assert_eq!(meter.speed(at(3500)), Some(666));
        assert_eq!(meter.speed(at(9000)), Some(0));
    }
}
