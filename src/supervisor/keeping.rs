//! What the loop keeps on the volume: the state, the plan, the history, the flag files; and the volume itself, which
//! it takes and may lose.

use tracing::warn;

use super::flags::Flags;
use super::history::History;
use super::store::Store;
use super::{Supervisor, engine, publish};
use crate::config::{self, Config, Publisher};
use crate::core::failure::Failure;
use crate::core::history::Record;
use crate::core::{Event, view};
use crate::portage::command;
use crate::volume;

impl Supervisor {
    /// Takes the volume and everything on it that the loop uses.
    pub(super) fn claim(&mut self) {
        let path = self.state.live.config.volume.path.clone();
        self.send(Event::Volume(volume::look(&path)));
        let anonymous = volume::is_anonymous(&path).then(|| {
            format!(
                "the volume at {} has no name and may be deleted with the container (docker run -v NAME:{0})",
                path.display()
            )
        });
        self.send(Event::Warning { key: "anonymous", text: anonymous });
        let second = (nix::unistd::getppid().as_raw() != 1).then(|| {
            "gbsup is not PID 1 of this container (docker run --init is not needed); it works as a subreaper".to_owned()
        });
        self.send(Event::Warning { key: "pid", text: second });
        if let Some(failure) = engine::look(None) {
            return self.send(Event::Refused(Box::new(failure)));
        }
        let taken = match Store::take(&path, self.boot) {
            Ok(taken) => taken,
            Err(failure) => return self.send(Event::Refused(failure)),
        };
        for (key, warning) in taken.warnings {
            warn!("{warning}");
            self.send(Event::Warning { key, text: Some(warning) });
        }
        self.adopt(taken.store);
        self.send(Event::Claimed(Box::new(taken.claimed)));
        if self.state.live.config.publish.by == Publisher::Separate {
            let text = publish::waits(&self.state.live.config.volume.path);
            self.send(Event::Warning { key: view::UNPUBLISHED, text });
        }
        if let Some(event) = self.offered() {
            self.send(event);
        }
    }

    /// Tells, once, what of the environment and of the configuration is or would be where others can read it.
    pub(super) fn tell_secrets(&self, config: &Config) {
        let variables: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
            })
            .collect();
        let names = variables.iter().map(|(name, _)| name.as_str());
        let pairs = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (key, text) in [
            ("environment", command::left_out(names.clone(), &config.build.environment)),
            ("by-hand", config::in_environment(names)),
            ("proxy", command::published(pairs)),
            ("exposed", config::exposed()),
        ] {
            if let Some(text) = text.as_ref().filter(|text| self.state.live.warnings.get(key) != Some(text)) {
                warn!("{text}");
            }
            self.send(Event::Warning { key, text });
        }
    }

    /// Opens everything on the volume that the loop uses.
    fn adopt(&mut self, store: Store) {
        self.store = Some(store);
        let path = self.state.live.config.volume.path.clone();
        match History::open(&path.join("state/history.db")) {
            Ok((history, warning)) => {
                if let Some(warning) = warning {
                    warn!("{warning}");
                    self.send(Event::Warning { key: "history-damaged", text: Some(warning) });
                }
                self.history = Some(history);
            }
            Err(problem) => {
                let text = Some(format!("there is no history: {problem}"));
                self.send(Event::Warning { key: "history", text });
            }
        }
        match Flags::watch(path.join("control"), self.flag_changes.clone()) {
            Ok(flags) => self.flags = Some(flags),
            Err(problem) => {
                let text = Some(format!("flag files are not noticed: {problem}"));
                self.send(Event::Warning { key: "flags", text });
            }
        }
        // Before the claim is told, so that a pause flag holds the very first step.
        self.look_at_flags();
    }

    /// Takes the volume again when its files were removed, or it was unmounted, under our feet.
    pub(super) fn keep_volume(&mut self) -> Result<(), Box<Failure>> {
        if self.store.as_ref().is_none_or(Store::still_ours) {
            return Ok(());
        }
        warn!("the files of the volume are gone: it is taken anew");
        self.history = None;
        let mut store = Store::take(&self.state.live.config.volume.path, false)?.store;
        store.succeeds(self.store.take());
        self.adopt(store);
        self.persist();
        self.persist_plan();
        Ok(())
    }

    pub(super) fn persist(&mut self) {
        let Some(store) = &mut self.store else { return };
        let text = match store.save(&self.state.durable) {
            Ok(()) if !self.state.live.warnings.contains_key("state") => return,
            Ok(()) => None,
            Err(problem) => Some(format!(
                "the state cannot be written to {}: {problem}; a restart would begin from an older one",
                self.state.live.space.path
            )),
        };
        self.send(Event::Warning { key: "state", text });
    }

    /// Without it on the volume a build goes on all the same; only `gbsup plan` has nothing to show.
    pub(super) fn persist_plan(&mut self) {
        let (Some(store), Some(plan)) = (&self.store, &self.state.plan) else { return };
        let text =
            store.save_plan(plan).err().map(|problem| format!("the plan cannot be written: {problem}"));
        publish::learn(&self.state.live.config.volume.path, plan);
        self.send(Event::Warning { key: "plan", text });
    }

    pub(super) fn record(&mut self, record: &Record) {
        let Some(history) = &mut self.history else { return };
        let text = match history.record(record) {
            Ok(()) if !self.state.live.warnings.contains_key("history") => return,
            Ok(()) => None,
            Err(problem) => Some(format!("the history cannot be written: {problem}")),
        };
        self.send(Event::Warning { key: "history", text });
    }
}
