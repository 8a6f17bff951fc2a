//! Looks for the loop at what changes without telling: the room on the volume, the release on offer, what a running Portage does.
//!
//! Any of that may wait, for a disk or for a process that hangs, so one thread does it and tells what it saw as events. Who asks
//! for the status is answered when it has looked, or, after [`PATIENCE`] or [`HASTE`], with what is known. A look that came too late for
//! that is of use to whoever asks next.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tracing::{info, warn};

use super::Supervisor;
use super::rehearsing::LastRead;
use super::viewers::Viewer;
use crate::config::{self, Config};
use crate::decide::view;
use crate::host::{live, locks};
use crate::model::Event;
use crate::model::client::Client;
use crate::model::job::Job;
use crate::model::release::Id;
use crate::model::request::Reply;
use crate::portage::command;
use crate::render::{self, Look};
use crate::steps::{publish, repair};
use crate::{procs, volume};

/// How long somebody who asks for the status waits for a look.
const PATIENCE: Duration = Duration::from_secs(1);

/// The same while something on the volume waits for the disk, which a look may do as well, and when the last look took longer
/// than this or the one under way does: so a hang costs one asker a second, and each after that one no more than this.
const HASTE: Duration = Duration::from_millis(80);

/// What a look goes by.
struct Glance {
    volume: PathBuf,
    release: Option<Id>,
    job: Option<Job>,
    leader: Option<i32>,
    other_portage: bool,
    clients: Arc<Vec<Client>>,
    last_read: LastRead,
}

impl Glance {
    /// What is to be seen. It moves nothing.
    fn look(self) -> Vec<Event> {
        let mut events = vec![Event::Volume(volume::look(&self.volume))];
        events.extend(publish::offered(&self.volume, self.release));
        events.extend(self.last_read.others(&self.volume, &self.clients));
        if let Some(job) = self.job.as_ref().filter(|job| !job.packages.is_empty()) {
            events.push(Event::Live(live::jobs(job)));
        }
        if self.other_portage && procs::portage_pids().is_empty() {
            events.push(Event::Warning { key: repair::OTHER_PORTAGE, text: None });
        }
        if self.job.is_some() {
            events.push(Event::Warning { key: view::LOCKED, text: self.leader.and_then(locks::wait_of) });
        }
        events
    }
}

impl Supervisor {
    /// Somebody wants the status.
    pub(super) fn show(&mut self, to: Viewer) {
        let hurried = !self.effects.is_settled() || self.viewers.are_slow(HASTE);
        let until = Instant::now() + if hurried { HASTE } else { PATIENCE };
        // They are answered in order.
        for (_, earlier) in &mut self.viewers.waiting {
            *earlier = until.min(*earlier);
        }
        self.viewers.waiting.push_back((to, until));
        if self.viewers.looking.is_none() {
            self.glance();
        }
    }

    fn glance(&mut self) {
        self.viewers.looking = Some(self.viewers.waiting.len() - self.viewers.looked);
        self.viewers.began = Some(Instant::now());
        let live = &self.state.live;
        let glance = Glance {
            volume: live.config.volume.path.clone(),
            release: self.state.durable.release.as_ref().map(|release| release.id),
            job: live.job.clone(),
            leader: self.performer.leads(),
            other_portage: live.warnings.contains_key(repair::OTHER_PORTAGE),
            clients: Arc::clone(&live.clients),
            last_read: self.last_read.clone(),
        };
        let sights = self.sights.clone();
        self.eyes.give(move || drop(sights.send(glance.look())));
    }

    /// A look has come to its end.
    pub(super) fn seen(&mut self, sight: Vec<Event>) -> Option<u8> {
        let lost = self.console.lost();
        let lost = (lost > 0).then(|| {
            let text = format!(
                "{lost} lines of standard output were dropped because nobody read them; the log files have them"
            );
            Event::Warning { key: "stdout", text: Some(text) }
        });
        for event in sight.into_iter().chain(lost) {
            if let Some(code) = self.take(event) {
                return Some(code);
            }
        }
        let viewers = &mut self.viewers;
        viewers.looked += viewers.looking.take().unwrap_or_default();
        viewers.took = viewers.began.take().map_or(viewers.took, |began| began.elapsed());
        let until = Instant::now() + HASTE;
        for (_, earlier) in viewers.waiting.iter_mut().take(viewers.looked) {
            *earlier = until.min(*earlier);
        }
        self.show_what_was_seen();
        if self.viewers.waiting.len() > self.viewers.looked {
            self.glance();
        }
        None
    }

    /// Answers those who have had their look, once all that is known has happened.
    pub(super) fn show_what_was_seen(&mut self) {
        if self.effects.is_settled() {
            for _ in 0..std::mem::take(&mut self.viewers.looked) {
                self.show_first();
            }
        }
    }

    /// Shows those who have waited long enough what is known.
    pub(super) fn show_the_late(&mut self) {
        let now = Instant::now();
        while self.viewers.due().is_some_and(|due| due <= now) {
            self.show_first();
            let viewers = &mut self.viewers;
            match &mut viewers.looking {
                _ if viewers.looked > 0 => viewers.looked -= 1,
                Some(before) => *before = before.saturating_sub(1),
                None => {}
            }
        }
    }

    fn show_first(&mut self) {
        let Some((viewer, _)) = self.viewers.waiting.pop_front() else { return };
        let status = self.status();
        match viewer {
            // It may have gone.
            Viewer::Client(client) => drop(client.send(Reply::Status { status: Box::new(status) })),
            Viewer::Log => info!("status:\n{}", render::page(&status, Look::PLAIN)),
            Viewer::Server => self.tell(&status),
        }
    }

    /// Does something that may wait beside the loop, which gets what comes of it as events.
    pub(super) fn beside(&self, work: impl FnOnce(&UnboundedSender<Event>) + Send + 'static) {
        let events = self.events.clone();
        self.eyes.give(move || work(&events));
    }

    /// Reads the configuration again.
    pub(super) fn reload(&self) {
        let known = self.state.live.warnings.clone();
        self.beside(move |events| {
            let loaded = config::load();
            if let Ok(config) = &loaded {
                tell_secrets(config, &known, events);
            }
            let loaded = loaded.map(Box::new).map_err(|problems| problems.to_string());
            drop(events.send(Event::Reloaded(loaded)));
        });
    }

    /// Tells, once, what of the environment and of the configuration is or would be where others can read it.
    pub(super) fn look_for_secrets(&self) {
        let (config, known) = (self.state.live.config.clone(), self.state.live.warnings.clone());
        self.beside(move |events| tell_secrets(&config, &known, events));
    }
}

/// What was told already, by key.
type Known = std::collections::BTreeMap<&'static str, String>;

fn tell_secrets(config: &Config, known: &Known, events: &UnboundedSender<Event>) {
    let variables: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .collect();
    let names = variables.iter().map(|(name, _)| name.as_str());
    let pairs = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (key, text) in [
        ("environment", command::left_out(names.clone(), &config.build.environment)),
        ("by-hand", config::in_environment(names)),
        ("proxy", command::published(pairs)),
        ("exposed", config::exposed()),
    ] {
        if let Some(text) = text.as_ref().filter(|text| known.get(key) != Some(text)) {
            warn!("{text}");
        }
        // The loop may have ended meanwhile.
        drop(events.send(Event::Warning { key, text }));
    }
}
