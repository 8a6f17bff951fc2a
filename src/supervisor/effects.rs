//! Performs what the core says, in its order: what needs the disk is done by another thread (`keeping`), and what follows it
//! waits for that. The loop itself never does.
//!
//! ```text
//!   decided ──► [ Persist, Record, Answer, Start … ] ──┬─► an order, given at once ──► its end is reported ─┐
//!                                                      └─► anything else, once no order is under way ◄──────┘
//! ```
//!
//! So a client has its answer, and a child begins, when what was decided is on the disk; and what anybody is shown has
//! happened: as long as something is under way that is the state before it.

use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::Supervisor;
use super::keeping::{Done, Kept, Order};
use super::queue::{Effect, SLOW};
use crate::decide::step::step;
use crate::decide::view;
use crate::host::delivery::{self, Parcel};
use crate::model::duration::in_words;
use crate::model::failure::Failure;
use crate::model::request::Reply;
use crate::model::server::Server;
use crate::model::status::Status;
use crate::model::{Action, Asker, Event, Report};
use crate::volume::store;

impl Supervisor {
    /// Lets the core decide, and performs what it says as far as that can be done at once. Something: the process is to end.
    pub(super) fn take(&mut self, event: Event) -> Option<u8> {
        self.decide(event);
        self.go_on()
    }

    fn decide(&mut self, event: Event) {
        let (state, actions) = step(self.state.clone(), event, self.now());
        let before = std::mem::replace(&mut self.state, state);
        let effects = &mut self.effects;
        effects.decided += 1;
        if effects.shown.is_none() && !actions.is_empty() {
            effects.shown = Some(Box::new(before));
        }
        let decided = effects.decided;
        effects.queue.extend(actions.into_iter().map(|action| Effect::Act(Box::new(action), decided)));
    }

    /// An order has come to its end.
    pub(super) fn done(&mut self, done: Done) -> Option<u8> {
        for event in done.events {
            self.decide(event);
        }
        match done.what {
            Kept::Effect => self.reported(),
            Kept::Held(held) => {
                self.reported();
                self.held(held);
            }
            Kept::Looked => {
                if self.effects.looking.take() == Some(true) {
                    self.look_at_flags();
                }
            }
            Kept::Aside | Kept::Closed => {}
        }
        self.go_on()
    }

    fn reported(&mut self) {
        let effects = &mut self.effects;
        effects.under_way = effects.under_way.saturating_sub(1);
        effects.since = (effects.under_way > 0).then(Instant::now);
        effects.told = false;
        if effects.under_way == 0 && std::mem::take(&mut effects.recording) {
            self.telling.recorded();
        }
    }

    /// Begins the job that waited for this, or does not.
    fn held(&mut self, held: Result<bool, Box<Failure>>) {
        let Some((job, cycle, work)) = self.effects.starting.take() else { return };
        match held {
            Ok(taken_anew) => {
                let decided = self.effects.decided;
                self.effects.queue.push_front(Effect::Begin(job, cycle, work));
                if taken_anew {
                    // Nothing of it is on this volume.
                    self.effects.saved = 0;
                    self.effects.queue.push_front(Effect::Act(Box::new(Action::PersistPlan), decided));
                    self.effects.queue.push_front(Effect::Act(Box::new(Action::Persist), decided));
                }
            }
            Err(failure) => self.decide(Event::Ended { job, report: Report::Failed(failure) }),
        }
    }

    fn go_on(&mut self) -> Option<u8> {
        while let Some(effect) = self.effects.next() {
            match effect {
                Effect::Act(action, decided) => {
                    if let Some(code) = self.perform(*action, decided) {
                        return Some(code);
                    }
                }
                Effect::Begin(job, cycle, work) => {
                    let config = &self.state.live.config;
                    let job_file = store::job_file(&config.volume.path);
                    let helpers = self.state.live.helpers.present.clone();
                    self.performer.start(config, helpers, job_file, job, cycle, work);
                }
                Effect::Show(state) => self.effects.shown = Some(state),
            }
        }
        let effects = &mut self.effects;
        if effects.is_settled() {
            effects.shown = None;
            self.show_what_was_seen();
        } else if !effects.queue.iter().any(|effect| matches!(effect, Effect::Show(_))) {
            effects.queue.push_back(Effect::Show(Box::new(self.state.clone())));
        }
        None
    }

    fn perform(&mut self, action: Action, decided: u64) -> Option<u8> {
        match action {
            // A later state was given since, which stands for all before it.
            Action::Persist if self.effects.saved >= decided => {}
            Action::Persist => {
                self.effects.saved = self.effects.decided;
                self.order(Order::Save(Box::new(self.state.durable.clone())));
            }
            Action::PersistPlan => {
                if let Some(plan) = self.state.plan.clone() {
                    self.order(Order::SavePlan(plan));
                }
            }
            Action::Claim => self.claim(),
            Action::Start { job, cycle, work } => {
                self.effects.starting = Some((job, cycle, work));
                self.order(Order::Hold);
            }
            Action::Signal { job, force } => self.performer.signal(job, force),
            Action::Look { job } => self.look(job),
            Action::Examine { job } => self.examine(job),
            Action::Answer { to, reply } => self.answer(to, reply),
            Action::Record(record) => {
                self.effects.recording = true;
                self.order(Order::Record(record));
            }
            Action::Notify { way, note } => {
                let status = Box::new(view::status(&self.state, self.now()));
                self.deliver(Parcel::Message(way, note, Some(status)));
            }
            Action::Serve(http) => {
                let bare = matches!(self.state.live.server, Server::Up { bare: true, .. });
                self.serving.start(&self.state.live.config, &http, bare, &self.telling);
            }
            Action::StopServing => self.serving.stop(),
            Action::Beat => self.deliver(Parcel::Beat),
            Action::Say(text) => info!("{text}"),
            Action::Exit(code) => {
                info!("stopped; the next start goes on from here");
                return Some(code);
            }
        }
        None
    }

    fn order(&mut self, order: Order) {
        self.effects.under_way += 1;
        self.effects.since.get_or_insert_with(Instant::now);
        self.keeping.give(order);
    }

    /// Takes the volume and everything on it that the loop uses.
    pub(super) fn claim(&mut self) {
        let config = &self.state.live.config;
        let (path, by) = (config.volume.path.clone(), config.publish.by);
        self.order(Order::Take { path, boot: self.boot, by });
    }

    /// Has the flag files looked at: by a look that begins after this.
    pub(super) fn look_at_flags(&mut self) {
        match &mut self.effects.looking {
            Some(again) => *again = true,
            looking @ None => {
                *looking = Some(false);
                self.keeping.give(Order::Look);
            }
        }
    }

    /// What anybody is shown: what was decided, as far as it has happened.
    pub(super) fn status(&self) -> Status {
        let mut status = view::status(self.effects.shown.as_deref().unwrap_or(&self.state), self.now());
        if let Some(took) = self.slow() {
            status.warnings.push(format!(
                "the volume {} is slow: what is read or written there has taken {} so far, and what came since is shown \
                 when it is done",
                self.state.live.space.path,
                in_words(took)
            ));
        }
        status
    }

    /// Tells in the log that something takes too long.
    pub(super) fn tell_slow(&mut self) {
        self.effects.told = true;
        warn!(
            "the volume {} is slow: something has taken {} so far",
            self.state.live.space.path,
            in_words(SLOW)
        );
    }

    /// Leaves what anybody is shown to whoever tells the server.
    pub(super) fn tell(&mut self, status: &Status) {
        let state = self.effects.shown.as_deref().unwrap_or(&self.state);
        self.telling.tell(status, || view::still_to_merge(state));
    }

    /// For how long something has been under way, if that is too long.
    fn slow(&self) -> Option<Duration> {
        self.effects.since.map(|since| since.elapsed()).filter(|took| *took >= SLOW)
    }

    fn deliver(&self, parcel: Parcel) {
        delivery::begin(self.state.live.config.notify.clone(), parcel, self.events.clone());
    }

    fn answer(&mut self, to: Asker, reply: Reply) {
        match to {
            Asker::Client(number) => {
                if let Some(client) = self.replies.remove(&number) {
                    // The client may have gone; what it asked for is done all the same.
                    drop(client.send(reply));
                }
            }
            Asker::Signal | Asker::Flag => {
                let by = if to == Asker::Signal { "signal" } else { "flag file" };
                match reply {
                    Reply::Accepted { message } | Reply::Already { message } => info!("{by}: {message}"),
                    Reply::Denied { message } | Reply::Invalid { message } => warn!("{by}: {message}"),
                    Reply::Status { .. } | Reply::Left { .. } => {}
                }
            }
        }
    }
}
