//! What is remembered of each repository: one that is dead makes none of the others old.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::portage::output::sync::{self, Synced};

impl SyncRecord {
    /// Writes down what came of an attempt. True when the tree is in step with its source: the main repository, or
    /// all of them where it is not known which one that is.
    pub(crate) fn take_in(&mut self, synced: &Synced, now: Timestamp) -> bool {
        for one in &synced.repositories {
            let record = self.repositories.entry(one.name.clone()).or_default();
            match (&one.why, &synced.failed) {
                (None, None) => {
                    let succeeded = Some(now);
                    let revision = one.revision.clone();
                    *record = RepositoryRecord { succeeded, revision, ..RepositoryRecord::default() };
                }
                (why, failed) => {
                    record.error = why.clone().or_else(|| failed.clone());
                    record.repair.clone_from(&one.repair);
                }
            }
        }
        if !synced.configured.is_empty() {
            self.repositories.retain(|name, _| synced.configured.contains(name));
            self.main.clone_from(&synced.main);
        }
        // Another attempt at some of them says nothing of the hooks that followed the first.
        if self.again.is_empty() {
            self.notes.clear();
        }
        for note in &synced.notes {
            if !self.notes.contains(note) {
                self.notes.push(note.clone());
            }
        }
        let main = self.main.as_ref().and_then(|main| self.repositories.get(main));
        let new = synced.failed.is_none()
            && synced.lack.is_none()
            && match main {
                Some(main) => main.error.is_none(),
                None => synced.failures().next().is_none(),
            };
        if new {
            self.succeeded = main.and_then(|main| main.succeeded).or(Some(now));
            let any = synced.repositories.iter().find_map(|one| one.revision.clone());
            self.revision = main.map_or(any, |main| main.revision.clone());
            self.stale_since = None;
        }
        let failed: Vec<String> = synced.failures().map(|(name, _)| name.to_owned()).collect();
        if self.again.is_empty() && failed.len() == synced.repositories.len() {
            // All of them: as before.
        } else if synced.failed.is_none() {
            self.again = failed;
        }
        new
    }

    /// How old the tree is and why, in one sentence; nothing when it is in step with its source.
    pub(crate) fn old_tree(&self) -> Option<String> {
        self.stale_since?;
        let main = self.main.as_ref().and_then(|main| self.repositories.get(main));
        // What has to be repaired first says more than that several failed.
        let own = main.filter(|main| main.repair.is_some()).and_then(|main| main.error.as_deref());
        let error = own.or(self.error.as_deref()).unwrap_or("the sync failed");
        let age = age(self.succeeded);
        let repair = main.and_then(|main| main.repair.as_deref());
        let repair = repair.map(|command| format!("; type: {command}")).unwrap_or_default();
        Some(format!("the tree {age}: {error}{repair}"))
    }

    /// The repositories that are not in step with their source although the tree is, each with what is known of it.
    pub(crate) fn dead(&self) -> impl Iterator<Item = (&str, &RepositoryRecord)> {
        // While it is tried again, the headline says so.
        let settled = self.failures == 0;
        let all_of_it =
            self.stale_since.is_some() && self.repositories.values().all(|one| one.error.is_some());
        let main = self.main.as_deref();
        let is_told = move |name: &str| all_of_it || Some(name) == main && self.stale_since.is_some();
        let failed = self.repositories.iter().filter(|(_, record)| record.error.is_some());
        failed
            .map(|(name, record)| (name.as_str(), record))
            .filter(move |(name, _)| settled && !is_told(name))
    }

    /// Whether one of these, which are not there, is a reason to sync: the main one always, another one until a sync
    /// of this root file system has said that it cannot be had.
    pub(crate) fn is_called_for(&self, missing: &[String], root: Option<&str>) -> bool {
        missing.iter().any(|name| {
            self.main.as_ref() == Some(name)
                || self.root.as_deref() != root
                || self.repositories.get(name).is_none_or(|record| record.error.is_none())
        })
    }
}

/// How old something is that was synced at that time.
fn age(synced: Option<Timestamp>) -> String {
    synced.map_or_else(
        || "was never synced".to_owned(),
        |at| format!("is as old as {}", at.strftime("%Y-%m-%d %H:%M UTC")),
    )
}

/// What a person is told of a repository that is not in step with its source.
pub(crate) fn sentence(name: &str, record: &RepositoryRecord) -> String {
    let error = record.error.as_deref().unwrap_or("it could not be synced");
    let age = age(record.succeeded);
    let command = record.repair.clone().unwrap_or_else(|| sync::again(name));
    format!("the repository {name} {age}: {error}; try: {command}")
}

/// What syncing did, counted on the volume so that a restart loop cannot hammer a mirror.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRecord {
    /// The last time one was begun, whatever came of it.
    pub attempted: Option<Timestamp>,
    /// How many in a row were begun and never ended, because the container was killed or an operator
    /// interrupted them. What they left of the tree may be half old and half new, so no step follows
    /// before one has ended.
    pub cut_short: u32,
    /// The root file system it was begun in.
    pub root: Option<String>,
    /// The last time one worked.
    pub succeeded: Option<Timestamp>,
    /// The revision after it.
    pub revision: Option<String>,
    /// Attempts that failed since one worked or since the retries were used up.
    pub failures: u32,
    /// What the last failed attempt said.
    pub error: Option<String>,
    /// When the next attempt is due.
    pub retry: Option<Timestamp>,
    /// Since when the tree is old because syncing fails: the main repository, or all of them.
    pub stale_since: Option<Timestamp>,
    /// What is known of each repository, by its name.
    #[serde(default)]
    pub repositories: BTreeMap<String, RepositoryRecord>,
    /// The name of the main repository, where known.
    #[serde(default)]
    pub main: Option<String>,
    /// The repositories that the next attempt is about; empty: all.
    #[serde(default)]
    pub again: Vec<String>,
    /// What a person should know of the last sync although it is no reason for another, one sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What syncing did with one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryRecord {
    /// The last time that worked.
    pub succeeded: Option<Timestamp>,
    /// What it was at then: a commit or a timestamp, where known.
    pub revision: Option<String>,
    /// Why it failed since.
    pub error: Option<String>,
    /// What to type, where another sync alone does not help.
    #[serde(default)]
    pub repair: Option<String>,
}
