//! How all that helps is ended.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::host::process::Handle;
use crate::model::Force;

/// What has run so long runs.
pub(super) const STEADY: Duration = Duration::from_secs(10);
/// The waits before one is begun again: the first, and the longest.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_mins(1)];

/// The time between two tries: twice as long each time, and as at first once one has lasted.
pub(super) struct Tries(Duration);

impl Default for Tries {
    fn default() -> Self {
        Self(WAITS[0])
    }
}

impl Tries {
    /// Waits before the next, when the last one began then; no longer than until all are to end.
    pub(super) fn wait(&mut self, began: Instant, stage: &Stage) {
        if began.elapsed() >= STEADY {
            *self = Self::default();
        }
        stage.wait(self.0);
        self.0 = (2 * self.0).min(WAITS[1]);
    }
}

/// By which they are ended.
#[derive(Default)]
pub(super) struct Stage {
    handles: Mutex<Handles>,
    stopped: Mutex<bool>,
    bell: Condvar,
}

/// The ways to end those that run or are about to, by a number of each.
#[derive(Default)]
struct Handles {
    given: u64,
    all: BTreeMap<u64, Handle>,
}

/// A way to end one, for as long as it is held.
pub(super) struct Turn<'a> {
    stage: &'a Stage,
    number: u64,
    handle: Handle,
}

impl Deref for Turn<'_> {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.stage.handles).all.remove(&self.number);
    }
}

impl Stage {
    /// A way to end one that is about to begin; nothing when it must not.
    pub(super) fn next(&self) -> Option<Turn<'_>> {
        let handle = Handle::default();
        let mut handles = lock(&self.handles);
        if *lock(&self.stopped) {
            return None;
        }
        let number = handles.given;
        handles.given += 1;
        handles.all.insert(number, handle.clone());
        Some(Turn { stage: self, number, handle })
    }

    /// Whether all are to end.
    pub(super) fn is_over(&self) -> bool {
        *lock(&self.stopped)
    }

    /// Waits so long, or until all are to end.
    pub(super) fn wait(&self, how_long: Duration) {
        let stopped = lock(&self.stopped);
        drop(self.bell.wait_timeout_while(stopped, how_long, |stopped| !*stopped));
    }

    pub(super) fn stop(&self) {
        let handles = lock(&self.handles);
        *lock(&self.stopped) = true;
        self.bell.notify_all();
        for handle in handles.all.values() {
            handle.signal(Force::Terminate);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_about_to_begin_is_ended_whoever_has_ended_before() {
        let stage = Stage::default();
        let (begins, ends) = (stage.next().unwrap(), stage.next().unwrap());
        drop(ends);
        assert_eq!(lock(&stage.handles).all.len(), 1);
        stage.stop();
        assert!(begins.stopped());
        assert!(stage.next().is_none());
    }
}
