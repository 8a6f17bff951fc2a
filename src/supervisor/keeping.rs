//! Keeps what the loop has on the volume: the lock, the state, the plan, the history, the flag files.
//!
//! A disk may take seconds for any of it, so that all of it is done by one thread, in the order in which the loop says so.
//! The loop goes on meanwhile; what depends on an order is performed when its end is reported (`effects`).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::{io, thread};

use tokio::sync::mpsc::UnboundedSender;
use tracing::warn;

use crate::binhost::origin;
use crate::config::Publisher;
use crate::decide::view;
use crate::host::engine;
use crate::model::Event;
use crate::model::failure::Failure;
use crate::model::records::Record;
use crate::model::state::{CyclePlan, Durable};
use crate::steps::publish;
use crate::volume;
use crate::volume::flags::Flags;
use crate::volume::history::{self, History};
use crate::volume::store::{Store, Taken};
use crate::watch::Watch;

/// Something to do on the volume. Each is reported once.
pub(super) enum Order {
    /// Take it.
    Take {
        /// Where it is.
        path: PathBuf,
        /// See [`Claimed::boot`](crate::model::Claimed::boot).
        boot: bool,
        /// Who publishes.
        by: Publisher,
    },
    /// See that it is still ours, before a job begins, and take it again if its files were removed or it was
    /// unmounted under our feet.
    Hold,
    /// Write the state.
    Save(Box<Durable>),
    /// Write the plan. Without it on the volume a build goes on all the same; only `gbsup plan` has nothing to show.
    SavePlan(Arc<CyclePlan>),
    /// Add to the history.
    Record(Record),
    /// Look at the flag files.
    Look,
    /// The history was looked through: it is damaged, and how.
    Damaged(String),
    /// Close what is open.
    Close,
}

/// What came of an order.
#[derive(Default)]
pub(super) struct Done {
    /// What the loop is to know of it, in order.
    pub events: Vec<Event>,
    /// Of which kind it was.
    pub what: Kept,
}

/// The kinds of orders that the loop tells apart.
#[derive(Default)]
pub(super) enum Kept {
    /// Effects wait for it.
    #[default]
    Effect,
    /// [`Order::Hold`]: whether it had to be taken again.
    Held(Result<bool, Box<Failure>>),
    /// [`Order::Look`].
    Looked,
    /// One that the loop did not give.
    Aside,
    /// [`Order::Close`].
    Closed,
}

/// The way to the thread.
#[derive(Clone)]
pub(super) struct Keeping {
    orders: mpsc::Sender<Order>,
}

impl Keeping {
    /// Starts the thread. It reports to `done`; `flag_changes` is what tells that the flag files are to be looked at.
    pub(super) fn start(done: UnboundedSender<Done>, flag_changes: Arc<Watch>) -> io::Result<Self> {
        let (orders, taken) = mpsc::channel();
        let this = Self { orders };
        let keeper = Keeper::new(this.clone(), flag_changes);
        Self::run(this, taken, done, keeper, Keeper::obey)
    }

    fn run(
        this: Self,
        orders: mpsc::Receiver<Order>,
        done: UnboundedSender<Done>,
        mut keeper: Keeper,
        mut obey: impl FnMut(&mut Keeper, Order) -> Done + Send + 'static,
    ) -> io::Result<Self> {
        thread::Builder::new().name("volume".into()).spawn(move || {
            for order in orders {
                if done.send(obey(&mut keeper, order)).is_err() {
                    return;
                }
            }
        })?;
        Ok(this)
    }

    /// Gives an order.
    pub(super) fn give(&self, order: Order) {
        // It lives as long as the loop does.
        drop(self.orders.send(order));
    }
}

/// What the thread has.
struct Keeper {
    itself: Keeping,
    flag_changes: Arc<Watch>,
    path: PathBuf,
    store: Option<Store>,
    history: Option<History>,
    flags: Option<Flags>,
    /// What was told to be in trouble, and is so until the contrary is told.
    troubled: BTreeSet<&'static str>,
}

impl Keeper {
    fn new(itself: Keeping, flag_changes: Arc<Watch>) -> Self {
        Self {
            itself,
            flag_changes,
            path: PathBuf::new(),
            store: None,
            history: None,
            flags: None,
            troubled: BTreeSet::new(),
        }
    }

    fn obey(&mut self, order: Order) -> Done {
        let mut events = Vec::new();
        let what = match order {
            Order::Take { path, boot, by } => {
                self.take(path, boot, by, &mut events);
                Kept::Effect
            }
            Order::Hold => Kept::Held(self.hold(&mut events)),
            Order::Save(durable) => {
                let saved = self.store.as_mut().map(|store| store.save(&durable));
                let path = self.path.display().to_string();
                let text = |problem| {
                    format!(
                        "the state cannot be written to {path}: {problem}; a restart would begin from an older one"
                    )
                };
                self.outcome("state", saved, text, &mut events);
                Kept::Effect
            }
            Order::SavePlan(plan) => {
                let saved = self.store.as_ref().map(|store| store.save_plan(&plan));
                origin::learn(&self.path, &plan);
                self.outcome(
                    "plan",
                    saved,
                    |problem| format!("the plan cannot be written: {problem}"),
                    &mut events,
                );
                Kept::Effect
            }
            Order::Record(record) => {
                let mut recorded = self.history.as_mut().map(|history| history.record(&record));
                if let Some(Err(problem)) = &recorded
                    && problem.is_damage()
                {
                    let problem = problem.to_string();
                    self.replace_history(&problem, &mut events);
                    recorded = self.history.as_mut().map(|history| history.record(&record));
                }
                let text = |problem| format!("the history cannot be written: {problem}");
                self.outcome("history", recorded, text, &mut events);
                Kept::Effect
            }
            Order::Look => {
                self.look(&mut events);
                Kept::Looked
            }
            Order::Damaged(why) => {
                self.replace_history(&why, &mut events);
                Kept::Aside
            }
            Order::Close => {
                self.history = None;
                self.flags = None;
                Kept::Closed
            }
        };
        Done { events, what }
    }

    /// Tells a trouble, or once that it is over. Nothing: it was not tried.
    fn outcome<E>(
        &mut self,
        key: &'static str,
        outcome: Option<Result<(), E>>,
        text: impl FnOnce(E) -> String,
        events: &mut Vec<Event>,
    ) {
        match outcome {
            Some(Err(problem)) => {
                self.troubled.insert(key);
                events.push(Event::Warning { key, text: Some(text(problem)) });
            }
            Some(Ok(())) if self.troubled.remove(key) => events.push(Event::Warning { key, text: None }),
            _ => {}
        }
    }

    // --- The volume -----------------------------------------------------------------------------

    /// Takes the volume and everything on it that the loop uses.
    fn take(&mut self, path: PathBuf, boot: bool, by: Publisher, events: &mut Vec<Event>) {
        self.path = path;
        let path = self.path.clone();
        events.push(Event::Volume(volume::look(&path)));
        let anonymous = volume::is_anonymous(&path).then(|| {
            format!(
                "the volume at {} has no name and may be deleted with the container (docker run -v NAME:{0})",
                path.display()
            )
        });
        events.push(Event::Warning { key: "anonymous", text: anonymous });
        let second = (nix::unistd::getppid().as_raw() != 1).then(|| {
            "gbsup is not PID 1 of this container (docker run --init is not needed); it works as a subreaper".to_owned()
        });
        events.push(Event::Warning { key: "pid", text: second });
        if let Some(failure) = engine::look(None) {
            return events.push(Event::Refused(Box::new(failure)));
        }
        let taken = match Store::take(&path, boot) {
            Ok(taken) => taken,
            Err(failure) => return events.push(Event::Refused(failure)),
        };
        self.adopt(taken, by, events);
    }

    /// Opens everything on the volume that the loop uses.
    fn adopt(&mut self, taken: Taken, by: Publisher, events: &mut Vec<Event>) {
        let Taken { store, claimed, warnings } = taken;
        for (key, warning) in warnings {
            warn!("{warning}");
            events.push(Event::Warning { key, text: Some(warning) });
        }
        self.begin(store, events);
        let known =
            claimed.durable.as_ref().and_then(|durable| durable.release.as_ref()).map(|release| release.id);
        events.push(Event::Claimed(Box::new(claimed)));
        if by == Publisher::Separate {
            events.push(Event::Warning { key: view::UNPUBLISHED, text: publish::waits(&self.path) });
        }
        events.extend(publish::offered(&self.path, known));
    }

    fn begin(&mut self, store: Store, events: &mut Vec<Event>) {
        self.store = Some(store);
        self.open_history(events);
        match Flags::watch(self.path.join("control"), Arc::clone(&self.flag_changes)) {
            Ok(flags) => self.flags = Some(flags),
            Err(problem) => {
                let text = Some(format!("flag files are not noticed: {problem}"));
                events.push(Event::Warning { key: "flags", text });
            }
        }
        // Before the claim is told, so that a pause flag holds the very first step.
        self.look(events);
    }

    fn hold(&mut self, events: &mut Vec<Event>) -> Result<bool, Box<Failure>> {
        if let Some(flags) = &self.flags {
            drop(flags.renew());
        }
        self.look(events);
        if self.store.as_ref().is_none_or(Store::still_ours) {
            return Ok(false);
        }
        warn!("the files of the volume are gone: it is taken again");
        self.history = None;
        let mut store = Store::take(&self.path, false)?.store;
        store.succeeds(self.store.take());
        self.begin(store, events);
        Ok(true)
    }

    fn look(&mut self, events: &mut Vec<Event>) {
        let Some(flags) = &self.flags else { return };
        match flags.look() {
            Ok(found) => {
                for name in &found.unknown {
                    warn!("the flag file control/{name} means nothing; resume, sync, stop and pause do");
                }
                events.extend(found.events());
            }
            Err(problem) => {
                let text = Some(format!("the flag files cannot be read: {problem}"));
                events.push(Event::Warning { key: "flags", text });
            }
        }
    }

    // --- The history ----------------------------------------------------------------------------

    fn file(&self) -> PathBuf {
        self.path.join("state/history.db")
    }

    fn open_history(&mut self, events: &mut Vec<Event>) {
        match History::open(&self.file()) {
            Ok((history, warning)) => {
                if let Some(text) = warning {
                    Self::history_is_new(text, events);
                }
                self.history = Some(history);
                self.look_through_history();
            }
            Err(problem) => {
                let text = Some(format!("there is no history: {problem}"));
                events.push(Event::Warning { key: "history", text });
            }
        }
    }

    /// Years of it take a while to look through, and nothing waits for that. Where no thread can be made it is done at the
    /// next start.
    fn look_through_history(&self) {
        let (file, itself) = (self.file(), self.itself.clone());
        drop(thread::Builder::new().name("history".into()).spawn(move || {
            if let Some(damage) = history::damage(&file) {
                itself.give(Order::Damaged(damage));
            }
        }));
    }

    fn replace_history(&mut self, why: &str, events: &mut Vec<Event>) {
        self.history = None;
        match History::replace(&self.file(), why) {
            Ok((history, warning)) => {
                Self::history_is_new(warning, events);
                self.history = Some(history);
            }
            Err(problem) => {
                let text = Some(format!("there is no history: {problem}"));
                events.push(Event::Warning { key: "history", text });
            }
        }
    }

    fn history_is_new(warning: String, events: &mut Vec<Event>) {
        warn!("{warning}");
        events.push(Event::Warning { key: "history-damaged", text: Some(warning) });
    }
}

#[cfg(test)]
#[path = "keeping_tests.rs"]
mod tests;
