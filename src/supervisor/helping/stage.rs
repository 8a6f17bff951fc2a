//! How all that helps is ended.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::host::process::Handle;
use crate::model::Force;

/// By which they are ended.
#[derive(Default)]
pub(super) struct Stage {
    /// Those that run; nothing once all are to end.
    handles: Mutex<Option<Vec<Handle>>>,
    stopped: Mutex<bool>,
    bell: Condvar,
}

impl Stage {
    /// A way to end one that is about to begin; nothing when it must not.
    pub(super) fn next(&self) -> Option<Handle> {
        let handle = Handle::default();
        let mut handles = lock(&self.handles);
        if *lock(&self.stopped) {
            return None;
        }
        handles.get_or_insert_default().push(handle.clone());
        Some(handle)
    }

    /// Whether all are to end.
    pub(super) fn is_over(&self) -> bool {
        *lock(&self.stopped)
    }

    /// Those that have ended need no way to end them.
    pub(super) fn forget_ended(&self) {
        if let Some(handles) = lock(&self.handles).as_mut() {
            handles.retain(|one| one.leader().is_some());
        }
    }

    /// Waits so long, or until all are to end.
    pub(super) fn wait(&self, how_long: Duration) {
        let stopped = lock(&self.stopped);
        drop(self.bell.wait_timeout_while(stopped, how_long, |stopped| !*stopped));
    }

    pub(super) fn stop(&self) {
        let mut handles = lock(&self.handles);
        *lock(&self.stopped) = true;
        self.bell.notify_all();
        for handle in handles.take().unwrap_or_default() {
            handle.signal(Force::Terminate);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
