//! What people are told of what has become of the builder; see [`crate::decide::news`].

use super::Turn;
use crate::config::{News, Notify};
use crate::decide::{cycle, news, view};
use crate::model::Action;
use crate::model::notice::{Note, Notices, Outbox, Owed, Way};
use crate::model::state::Volume;

/// The key of the warning that something did not arrive.
fn warning(way: Way) -> &'static str {
    match way {
        Way::Command => "notify-command",
        Way::Webhook => "notify-webhook",
        Way::Heartbeat => "notify-heartbeat",
    }
}

impl Turn {
    /// Tells what is news now, tries again what did not arrive, and gives a sign of life when one is due.
    pub(super) fn tell(&mut self) {
        if self.state.live.stopping || self.state.live.volume == Volume::Claiming {
            return;
        }
        self.look_for_news();
        self.deliver();
        self.beat();
    }

    fn look_for_news(&mut self) {
        self.state.live.outbox.held = false;
        let config = self.state.live.config.notify.clone();
        let ways = Way::of_messages(&config);
        if ways.is_empty() || !config.events.contains(&News::Crashed) {
            self.state.durable.notices.crashed = false;
        }
        if ways.is_empty() || !config.events.contains(&News::Drift) {
            self.state.durable.notices.drift.clear();
        }
        if ways.is_empty() {
            return;
        }
        if self.state.durable.notices.crashed && self.may_speak() {
            self.state.durable.notices.crashed = false;
            let status = view::status(&self.state, self.now);
            self.owe(&news::crash(&config.name, &status), &ways);
        }
        self.tell_drift(&config, &ways);
        let Some(found) = news::found(&self.state) else { return };
        let news = found.news(&self.state.durable.notices, &config.events);
        if let Some(kind) = news {
            // What can wait takes the place of no message that has not arrived.
            let yields = kind == News::Attention && !self.state.durable.notices.owed.is_empty();
            if !self.may_speak() || yields {
                return;
            }
            let status = view::status(&self.state, self.now);
            let note = found.note(kind, &self.state.durable.notices, &status, &config.name);
            self.owe(&note, &ways);
        }
        found.note_down(news, &mut self.state.durable.notices);
    }

    /// It can wait, so it takes the place of no message that has not arrived.
    fn tell_drift(&mut self, config: &Notify, ways: &[Way]) {
        let notices = &self.state.durable.notices;
        if notices.drift.is_empty() || !notices.owed.is_empty() || !self.may_speak() {
            return;
        }
        let worse = std::mem::take(&mut self.state.durable.notices.drift);
        let status = view::status(&self.state, self.now);
        self.owe(&news::drift(&config.name, &worse, &status), ways);
    }

    /// Whether the cooldown is over; if not, this is asked again then.
    fn may_speak(&mut self) -> bool {
        let outbox = &mut self.state.live.outbox;
        outbox.held = outbox.quiet_until.is_some_and(|until| self.now.mono < until);
        !outbox.held
    }

    /// The newest message takes the place of one that has not arrived yet.
    fn owe(&mut self, note: &Note, ways: &[Way]) {
        let notices = &mut self.state.durable.notices;
        notices.last = Some(self.now.wall);
        for way in ways {
            notices.owed.insert(*way, Owed { note: note.clone(), failed: 0 });
        }
        let outbox = &mut self.state.live.outbox;
        outbox.quiet_until = Some(self.now.mono.saturating_add(self.state.live.config.notify.cooldown));
        outbox.retry.clear();
    }

    fn deliver(&mut self) {
        let ways = Way::of_messages(&self.state.live.config.notify);
        let Outbox { sending, retry, .. } = &mut self.state.live.outbox;
        self.state.durable.notices.owed.retain(|way, _| ways.contains(way));
        retry.retain(|way, _| ways.contains(way));
        for (way, owed) in &self.state.durable.notices.owed {
            let waits = retry.get(way).is_some_and(|at| self.now.mono < *at);
            if waits || sending.contains_key(way) {
                continue;
            }
            retry.remove(way);
            sending.insert(*way, owed.note.clone());
            self.actions.push(Action::Notify { way: *way, note: Box::new(owed.note.clone()) });
        }
    }

    /// A message or a sign of life arrived, or did not, and why.
    pub(super) fn delivered(&mut self, way: Way, problem: Option<String>) {
        let outbox = &mut self.state.live.outbox;
        if way == Way::Heartbeat {
            outbox.beating = false;
        } else if let Some(sent) = outbox.sending.remove(&way)
            && let Some(owed) = self.state.durable.notices.owed.get_mut(&way)
            && owed.note == sent
        {
            owed.failed = owed.failed.saturating_add(1);
            match owed.next_attempt().filter(|_| problem.is_some()) {
                Some(wait) => {
                    outbox.retry.insert(way, self.now.mono.saturating_add(wait));
                }
                None => {
                    self.state.durable.notices.owed.remove(&way);
                }
            }
        }
        match problem {
            Some(problem) => {
                let what = if way == Way::Heartbeat { "sign of life" } else { "notification" };
                let text = format!("the last {what} did not arrive (notify.{way}): {problem}");
                self.state.live.warnings.insert(warning(way), text);
            }
            None => {
                self.state.live.warnings.remove(warning(way));
            }
        }
    }

    fn beat(&mut self) {
        let config = &self.state.live.config.notify;
        let held = news::is_held(&self.state);
        let outbox = &mut self.state.live.outbox;
        if config.heartbeat.is_none() || held {
            outbox.beat = None;
            return;
        }
        if outbox.beat.is_some_and(|at| self.now.mono < at) {
            return;
        }
        outbox.beat = Some(self.now.mono.saturating_add(config.heartbeat_interval));
        if !outbox.beating {
            outbox.beating = true;
            self.actions.push(Action::Beat);
        }
    }

    /// Another configuration: what it does not know of any more is no trouble either, and whoever set up a
    /// heartbeat wants to see one.
    pub(super) fn told_otherwise(&mut self) {
        self.state.live.outbox.beat = None;
        for way in [Way::Command, Way::Webhook, Way::Heartbeat] {
            self.state.live.warnings.remove(warning(way));
        }
    }

    /// Goes by what the volume knows of earlier messages, and by what was told before it was taken.
    pub(super) fn remember_notices(&mut self, earlier: Notices) {
        let notices = &mut self.state.durable.notices;
        notices.wrong.extend(earlier.wrong);
        notices.told.extend(earlier.told);
        notices.owed.extend(earlier.owed);
        let cooldown = self.state.live.config.notify.cooldown;
        if let Some(last) = notices.last {
            let until = cycle::rearm(cycle::later(last, cooldown), cooldown, self.now);
            let outbox = &mut self.state.live.outbox;
            outbox.quiet_until = outbox.quiet_until.max(Some(until));
        }
    }
}
