//! Rehearses the release on offer as each client, while nothing else is to be done: beside the loop, and stopped as soon as a step
//! begins. What was found is on the volume, so that it goes on where it was.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::mpsc::UnboundedSender;
use tracing::{debug, info, warn};

use crate::binhost::release::tell_of_clients;
use crate::config::Config;
use crate::decide::clients::{self as decide, Course, Wanted};
use crate::host::clients::{LIMIT, rehearse};
use crate::host::process::Handle;
use crate::host::trees::Trees;
use crate::model::client::Client;
use crate::model::release::Id;
use crate::model::state::State;
use crate::model::{Event, Force};
use crate::volume::clients;

/// What is rehearsed, and what was.
#[derive(Default)]
pub(super) struct Rehearsing {
    running: Option<Running>,
    /// With what the last one that came to its end began.
    done: Option<Wanted>,
}

struct Running {
    wanted: Wanted,
    stage: Arc<Stage>,
}

/// What the thread and the loop share.
#[derive(Default)]
struct Stage {
    /// The child of now; nothing once it was told to stop.
    now: Mutex<Option<Handle>>,
    stopped: AtomicBool,
    /// The thread is through.
    is_over: AtomicBool,
}

impl Stage {
    /// A way to stop the next child; nothing when all of it was told to stop.
    fn next(&self) -> Option<Handle> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stopped.load(Ordering::Acquire) {
            return None;
        }
        let handle = Handle::default();
        *now = Some(handle.clone());
        Some(handle)
    }

    fn stop(&self) {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.stopped.swap(true, Ordering::AcqRel)
            && let Some(handle) = now.as_ref()
        {
            handle.signal(Force::Kill);
        }
    }
}

impl Rehearsing {
    /// Begins a rehearsal where one is due, and stops it where something else is to be done. It costs nothing where neither is so.
    pub(super) fn look(&mut self, state: &State, events: &UnboundedSender<Event>) {
        if let Some(running) = &self.running
            && running.stage.is_over.load(Ordering::Acquire)
        {
            let stopped = running.stage.stopped.load(Ordering::Acquire);
            self.done = if stopped { None } else { Some(running.wanted.clone()) };
            self.running = None;
        }
        let wanted = decide::wanted(state);
        let running = self.running.as_ref();
        match decide::course(wanted.as_ref(), running.map(|running| &running.wanted), self.done.as_ref()) {
            Course::AsItIs => {}
            Course::Stop => running.iter().for_each(|running| running.stage.stop()),
            Course::Begin => self.running = wanted.and_then(|wanted| self.begin(wanted, state, events)),
        }
    }

    fn begin(&mut self, wanted: Wanted, state: &State, events: &UnboundedSender<Event>) -> Option<Running> {
        let new = Arc::new(Stage::default());
        let (config, events, shared) = (state.live.config.clone(), events.clone(), Arc::clone(&new));
        let release = wanted.release;
        let started = thread::Builder::new().name("clients".into()).spawn(move || {
            let told = all(&config, release, &shared);
            shared.is_over.store(true, Ordering::Release);
            // The loop may have ended meanwhile.
            drop(events.send(told));
        });
        match started {
            Ok(_) => Some(Running { wanted, stage: new }),
            Err(problem) => {
                warn!("no release is rehearsed as its clients: no thread could be started: {problem}");
                self.done = Some(wanted);
                None
            }
        }
    }
}

/// Rehearses a release as each client that was not rehearsed with it, until it is told to stop.
fn all(config: &Config, release: Id, stage: &Stage) -> Event {
    let volume: &Path = &config.volume.path;
    let trees = Trees::of(volume);
    let mut worse = Vec::new();
    for client in clients::all(volume).into_iter().filter(|client| client.is_due(release)) {
        let Some(handle) = stage.next() else { break };
        let Some(fit) = rehearse(config, (volume, &trees), &client.name, release, &handle, LIMIT) else {
            break;
        };
        let line = decide::sentence(&client.name, &fit);
        info!("release {release}, {line}");
        match clients::keep(volume, &client, &fit) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(problem) => debug!("how release {release} fits {} cannot be kept: {problem}", client.name),
        }
        if client.fit.as_ref().is_some_and(|before| decide::is_worse(before, &fit)) {
            worse.push((client, line));
        }
    }
    let clients = clients::all(volume);
    if let Err(problem) = tell_of_clients(volume, release, &clients) {
        debug!("what clients would do with release {release} is not in its CHANGES: {problem}");
    }
    let worse = decide::of_those_known(worse, &clients);
    Event::Rehearsed { clients: Arc::new(clients), worse }
}

/// The clients as they were read last.
#[derive(Clone, Default)]
pub(super) struct LastRead {
    inner: Arc<Mutex<Option<Stamped>>>,
}

/// Clients, and what stood for their files just before they were read.
type Stamped = (u64, Arc<Vec<Client>>);

impl LastRead {
    /// The clients, when they are others than those that are known. Files that are as they were when those were read are not read
    /// again: there may be a thousand of them.
    pub(super) fn others(&self, volume: &Path, known: &Arc<Vec<Client>>) -> Option<Event> {
        let stamp = clients::stamp(volume);
        let mut last = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_some_and(|(at, clients)| *at == stamp && Arc::ptr_eq(clients, known)) {
            return None;
        }
        let found = Arc::new(clients::all(volume));
        if found == *known {
            *last = Some((stamp, Arc::clone(known)));
            return None;
        }
        *last = Some((stamp, Arc::clone(&found)));
        Some(Event::Rehearsed { clients: found, worse: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::client::Name;

    #[test]
    fn what_is_as_it_was_is_not_read_again() {
        let volume = tempfile::tempdir().unwrap();
        let volume = volume.path();
        let read = LastRead::default();
        let known = Arc::default();
        assert!(read.others(volume, &known).is_none());
        let name: Name = "laptop".parse().unwrap();
        clients::add(volume, &name, b"first").unwrap();
        let Some(Event::Rehearsed { clients: known, .. }) = read.others(volume, &known) else {
            panic!("there is one more")
        };
        assert_eq!(known.len(), 1);
        assert!(read.others(volume, &known).is_none());
        let (_, kept) = read.inner.lock().unwrap().clone().unwrap();
        assert!(Arc::ptr_eq(&kept, &known), "it was not read");
        // Somebody else has told the same meanwhile, or something else.
        assert!(read.others(volume, &Arc::new(known.to_vec())).is_none());
        assert!(read.others(volume, &Arc::default()).is_some());
        clients::remove(volume, &name).unwrap();
        assert!(read.others(volume, &known).is_some());
    }
}
