//! How a sync went, each repository for itself.
//!
//! `emaint sync -a` ends with 1 when any repository or any hook failed, and `eix-sync` with 0, 1, 2 or 3 (eix 0.36.9,
//! `eix-sync.sh`): 1 it does not accept its options, 2 what it called failed, 3 the main tree is as it was. So an
//! exit status says little, and what was printed says which repository it was.

mod eix;
mod heard;

use std::collections::BTreeMap;

use crate::portage::command::{Syncer, shell_quote};
use crate::portage::files::repository::{Repositories, Repository};
use eix::Wrong;

pub use heard::{Heard, Hook};

/// What came of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// What it is at now: a commit or a timestamp, where known.
    pub revision: Option<String>,
    /// Why it is not in step with its source, in one line; nothing when it is.
    pub why: Option<String>,
    /// What to type before another sync can work, where trying again is not enough.
    pub repair: Option<String>,
}

impl Outcome {
    /// What to type so that it is in step with its source.
    pub(crate) fn command(&self) -> String {
        self.repair.clone().unwrap_or_else(|| again(&self.name))
    }
}

/// That the main repository is not there, without which nothing can be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The repository.
    pub repository: Repository,
    /// Why its sync did not bring it, where that was said.
    pub why: Option<String>,
    /// Its sync went well all the same, or nothing syncs it: trying again would change nothing.
    pub lasting: bool,
}

/// What came of a sync.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// The repositories that it was about.
    pub repositories: Vec<Outcome>,
    /// Why it failed as a whole, where that cannot be told of any repository.
    pub failed: Option<String>,
    /// What a person should know although it is no reason to sync again, one sentence each.
    pub notes: Vec<String>,
    /// What was repaired before, one sentence each.
    pub repairs: Vec<String>,
    /// The names of all repositories that are configured; empty when that is not known.
    pub configured: Vec<String>,
    /// The name of the main one.
    pub main: Option<String>,
    /// The main one is not there.
    pub lack: Option<Lack>,
}

impl Synced {
    /// Whether everything is in step with its source.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.failed.is_none() && self.lack.is_none() && self.failures().next().is_none()
    }

    /// The repositories that are not in step with their source, each with the reason.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        self.repositories.iter().filter_map(|one| Some((one.name.as_str(), one.why.as_deref()?)))
    }

    /// Takes in what there is of a clone: how many of its files were not there after its sync, how many are not after they
    /// were checked out again, and whether the rest is of the commit that HEAD names.
    pub(crate) fn complete(&mut self, repository: &Repository, lost: usize, left: usize, at_head: bool) {
        let Repository { name, location, .. } = repository;
        let path = shell_quote(&location.display().to_string());
        let location = location.display();
        if left > 0 {
            let are = if left == 1 { "is" } else { "are" };
            let why =
                format!("{left} of its files {are} not there, in {location}; see: git -C {path} status");
            if let Some(outcome) = self.repositories.iter_mut().find(|one| one.name == *name) {
                outcome.why.get_or_insert(why);
            }
        } else if lost > 0 {
            let were = if lost == 1 { "file was" } else { "files were" };
            self.repairs.push(format!("{lost} {were} missing of {name} in {location}: checked out again"));
        }
        if !at_head {
            self.notes.push(format!(
                "what is checked out of {name} is not its revision; see: git -C {path} status"
            ));
        }
    }

    /// Takes in that git cannot read a clone any more, in git's own words.
    pub(crate) fn damaged(&mut self, repository: &Repository, words: &str) {
        let Repository { name, location, .. } = repository;
        if let Some(outcome) = self.repositories.iter_mut().find(|one| one.name == *name) {
            outcome.why = Some(format!("git cannot read its clone in {} ({words})", location.display()));
            let path = location.display().to_string();
            let aside = shell_quote(&format!("{path}.damaged"));
            outcome.repair = Some(format!("mv -T {} {aside} && {}", shell_quote(&path), again(name)));
        }
    }

    /// What happened, in one sentence.
    pub(crate) fn sentence(&self) -> String {
        let failed: Vec<(&str, &str)> = self.failures().collect();
        match (&self.failed, failed.as_slice()) {
            (Some(why), _) => format!("the sync failed: {why}"),
            (None, []) => match &self.lack {
                Some(lack) => lack.sentence(),
                None => "the sync failed".to_owned(),
            },
            (None, [(name, why)]) if self.repositories.len() > 1 => {
                format!("the repository {name} could not be synced: {why}")
            }
            (None, [(name, why)]) => format!("the sync failed: {name}: {why}"),
            (None, [(name, why), others @ ..]) => {
                let others: Vec<&str> = others.iter().map(|(name, _)| *name).collect();
                let others = others.join(", ");
                if failed.len() == self.repositories.len() {
                    format!("the sync failed: {name}: {why} (and so did {others})")
                } else {
                    format!("the repositories {name}, {others} could not be synced: {name}: {why}")
                }
            }
        }
    }
}

impl Lack {
    /// What is missing, where, and where it would come from.
    pub(crate) fn sentence(&self) -> String {
        let Repository { name, location, sync_type, sync_uri, auto_sync } = &self.repository;
        let why = self.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let from = match (sync_type.as_str(), auto_sync) {
            ("", _) => "nothing syncs it (it has no sync-type)".to_owned(),
            (_, false) => format!("nothing syncs it from {sync_uri} (auto-sync is off)"),
            (_, true) => format!("it is synced from {sync_uri}"),
        };
        format!(
            "the main repository {name} is not there: {} has no profiles/repo_name; {from}{why}",
            location.display()
        )
    }
}

/// What stands against a repository whose sync went well and left no repository.
fn not_there(repository: &Repository) -> String {
    format!(
        "its sync said that all was well, but {} has no profiles/repo_name",
        repository.location.display()
    )
}

/// What to type to sync this repository by hand.
pub(crate) fn again(name: &str) -> String {
    format!("emaint sync -r {}", shell_quote(name))
}

/// The repositories that a sync is about: these, as far as they are still configured, or all.
pub(crate) fn chosen(repositories: &Repositories, only: &[String]) -> Vec<Repository> {
    let some: Vec<Repository> =
        repositories.all.iter().filter(|one| only.contains(&one.name)).cloned().collect();
    if some.is_empty() {
        repositories.all.iter().filter(|one| one.is_synced()).cloned().collect()
    } else {
        some
    }
}

/// How to sync when this way did not get as far as syncing anything, and the sentence that says so.
pub(crate) fn instead(
    heard: &Heard,
    how: &Syncer,
    exit: Option<i32>,
    chosen: &[Repository],
) -> Option<(Syncer, String)> {
    if heard.has_begun() {
        return None;
    }
    if let Some((why, names)) = &heard.refused {
        let rest: Vec<String> =
            chosen.iter().filter(|one| !names.contains(&one.name)).map(|one| one.name.clone()).collect();
        let note = format!(
            "Portage syncs nothing because of {} ({}), so the others were synced by name",
            names.join(", "),
            in_repos_conf(why)
        );
        let may_be_another = matches!(how, Syncer::Emaint | Syncer::EixSync);
        return (!rest.is_empty() && may_be_another).then_some((Syncer::Some(rest), note));
    }
    if *how != Syncer::EixSync || chosen.is_empty() {
        return None;
    }
    let wrong = &heard.eix.wrong;
    let ended_well = matches!(exit, Some(0 | 3));
    if ended_well && heard.skipped() {
        let note = "eix-sync synced nothing, as its options say (those of /etc/eix-sync.conf, and EIX_SYNC_OPTS of /etc/eixrc), \
                    so emaint sync -a did; see: eix-sync -nv";
        return Some((Syncer::Emaint, note.to_owned()));
    }
    if ended_well || wrong.iter().any(|wrong| matches!(wrong, Wrong::Sync(_))) {
        return None;
    }
    let why = match (heard.eix.index(), wrong.first(), exit) {
        (Some(words), ..) => words,
        (None, Some(wrong), _) => wrong.words(),
        (None, None, Some(1)) => "it does not accept its options".to_owned(),
        (None, None, Some(code)) => format!("it ended with status {code}"),
        (None, None, None) => "it did not come to an end".to_owned(),
    };
    let look = match wrong.first() {
        Some(Wrong::Index(_)) => "eix-update",
        Some(Wrong::Hook(_) | Wrong::Overlay(_)) => "less /etc/eix-sync.conf",
        _ => "eix-sync -nv",
    };
    Some((Syncer::Emaint, format!("eix-sync could not sync ({why}), so emaint sync -a did; see: {look}")))
}

/// Whether eix-sync, which synced in this way first, leaves its index behind a tree that is new (or whose newness is not
/// known). Where the index cannot be written, trying again changes nothing.
pub(crate) fn leaves_index(heard: &Heard, exit: Option<i32>, tree_is_new: bool) -> bool {
    let cannot = |wrong: &Wrong| matches!(wrong, Wrong::Index(words) if words.starts_with("eix-"));
    let ended_well = matches!(exit, Some(0 | 3));
    let left = !ended_well || heard.skipped() || (heard.eix.unchanged && tree_is_new);
    left && !heard.eix.wrong.iter().any(cannot)
}

/// That the index of eix is older than the tree.
pub(crate) fn old_index(why: &str) -> String {
    format!("searches with eix may show an older tree, since {why}; try: eix-update")
}

/// What came of each repository, by what was printed and by the exit status; `None` when a signal ended it.
pub(crate) fn conclude(heard: &Heard, how: &Syncer, exit: Option<i32>, chosen: &[Repository]) -> Synced {
    let well = exit == Some(0) || (exit == Some(3) && is_eix_sync(how));
    let mut synced = Synced::default();
    for (name, sync_type) in about(heard, chosen) {
        let refused = heard.refused.as_ref().filter(|(_, names)| names.contains(&name));
        let begun = heard.begun.iter().any(|begun| begun.name == name);
        let why = match heard.results.get(&name) {
            Some(0) => None,
            Some(code) => Some(
                heard
                    .reason(&name, &sync_type)
                    .unwrap_or_else(|| format!("it ended with status {code} and gave no reason")),
            ),
            None if heard.completed.contains(&name) => None,
            None if refused.is_some() => refused.map(|(why, _)| in_repos_conf(why)),
            // Whatever it ended with: eix-sync leaves with 0 when SIGTERM ends it.
            None if begun => Some(
                heard.reason(&name, &sync_type).unwrap_or_else(|| "it did not come to an end".to_owned()),
            ),
            None if well => None,
            None => Some(match &heard.refused {
                Some((_, names)) => format!("Portage syncs nothing because of {}", names.join(", ")),
                None => "the sync ended before its turn".to_owned(),
            }),
        };
        synced.repositories.push(Outcome { name, why, ..Outcome::default() });
    }
    synced.notes = notes(heard, how);
    if !well && !heard.has_begun() && heard.refused.is_none() {
        synced.failed = Some(whole(heard, how, exit));
        synced.repositories.iter_mut().for_each(|one| one.why = None);
    } else if !well && synced.failures().next().is_none() && synced.notes.is_empty() {
        let how_it_ended = exit.map_or("was killed".to_owned(), |code| format!("ended with status {code}"));
        synced.notes.push(format!("{} {how_it_ended} when the repositories were synced", program(how)));
    }
    synced
}

/// What Portage has against a section of repos.conf (`sync.py:_get_repos`).
fn in_repos_conf(words: &str) -> String {
    match words {
        "are missing sync-uri" => "it has no sync-uri in repos.conf".to_owned(),
        "have sync disabled" => "it has no sync-type in repos.conf".to_owned(),
        "were not found" => "it is not in repos.conf".to_owned(),
        words => format!("Portage refuses it: {words}"),
    }
}

/// The repositories that it was about: those that were chosen, else those that were heard of.
fn about(heard: &Heard, chosen: &[Repository]) -> Vec<(String, String)> {
    if !chosen.is_empty() {
        return chosen.iter().map(|one| (one.name.clone(), one.sync_type.clone())).collect();
    }
    let mut names: Vec<String> = heard.begun.iter().map(|begun| begun.name.clone()).collect();
    names.extend(heard.results.keys().cloned());
    let mut known = std::collections::BTreeSet::new();
    names.retain(|name| known.insert(name.clone()));
    names.into_iter().map(|name| (name, String::new())).collect()
}

/// Hooks are steps of their own, and so is the index of eix: the repositories are synced, whatever comes of them.
fn notes(heard: &Heard, how: &Syncer) -> Vec<String> {
    let hook = |hook: &Hook| match &hook.repository {
        Some(name) => format!("the hook {} failed after {name} was synced; see: {}", hook.file, hook.file),
        None => format!("the hook {} failed after the sync; see: {}", hook.file, hook.file),
    };
    let mut notes: Vec<String> = heard.hooks.iter().map(hook).collect();
    if is_eix_sync(how) {
        notes.extend(heard.eix.wrong.iter().filter_map(|wrong| match wrong {
            Wrong::Hook(command) => {
                Some(format!("a hook of eix-sync failed: {command} (see: less /etc/eix-sync.conf)"))
            }
            Wrong::Overlay(words) => {
                Some(format!("an overlay was not synced: {words} (see: less /etc/eix-sync.conf)"))
            }
            Wrong::Index(words) if words.starts_with("eix-") => heard.eix.index().map(|why| old_index(&why)),
            Wrong::Index(_) | Wrong::Setup(_) | Wrong::Sync(_) | Wrong::Diff => None,
        }));
    }
    notes.dedup();
    notes
}

/// Whether it is eix-sync, with options of the operator or without.
fn is_eix_sync(how: &Syncer) -> bool {
    match how {
        Syncer::EixSync => true,
        Syncer::Custom(argv) => {
            argv.first().is_some_and(|program| program.rsplit('/').next() == Some("eix-sync"))
        }
        Syncer::Emaint | Syncer::Some(_) => false,
    }
}

/// Why nothing was synced at all.
fn whole(heard: &Heard, how: &Syncer, exit: Option<i32>) -> String {
    if let Some(reason) = heard.general.first() {
        return reason.clone();
    }
    let program = program(how);
    match (heard.eix.wrong.as_slice(), exit) {
        ([first, ..], _) => format!("{program}: {}", first.words()),
        ([], Some(code)) => format!("{program} ended with status {code} and gave no reason"),
        ([], None) => format!("{program} was killed"),
    }
}

fn program(how: &Syncer) -> String {
    match how {
        Syncer::EixSync => "eix-sync".to_owned(),
        Syncer::Emaint | Syncer::Some(_) => "emaint".to_owned(),
        Syncer::Custom(words) => words.join(" "),
    }
}

/// Holds what was said against what is there. `there` says of each configured repository whether it has a name,
/// `revisions` what each is at.
pub fn compare(
    synced: &mut Synced,
    repositories: &Repositories,
    there: &BTreeMap<String, bool>,
    revisions: &BTreeMap<String, String>,
) {
    synced.configured = repositories.all.iter().map(|one| one.name.clone()).collect();
    synced.main.clone_from(&repositories.main);
    let mut lasting = true;
    let mut why = None;
    for repository in &repositories.all {
        let is_main = repositories.main.as_ref() == Some(&repository.name);
        let is_there = there.get(&repository.name).copied().unwrap_or(true);
        let outcome = synced.repositories.iter_mut().find(|one| one.name == repository.name);
        match outcome {
            Some(outcome) if is_there => outcome.revision = revisions.get(&repository.name).cloned(),
            Some(outcome) if synced.failed.is_none() => {
                if is_main {
                    why.clone_from(&outcome.why);
                    lasting = outcome.why.is_none();
                }
                outcome.why.get_or_insert_with(|| not_there(repository));
            }
            Some(_) if is_main => {
                why.clone_from(&synced.failed);
                lasting = false;
            }
            Some(_) => {}
            None if is_there || is_main || repository.is_synced() => {}
            None => synced.notes.push(format!(
                "the repository {} is configured and not there, and nothing syncs it: {}",
                repository.name,
                repository.location.display()
            )),
        }
        if is_main && !is_there {
            synced.lack = Some(Lack { repository: repository.clone(), why: why.take(), lasting });
        }
    }
}

/// The newest commit of every repository, from `/var/lib/portage/repo_revisions`: a JSON object of
/// lists, the newest first (`portage/sync/revision_history.py`). Damaged text gives nothing.
pub(crate) fn revisions(text: &[u8]) -> BTreeMap<String, String> {
    let lists: BTreeMap<String, Vec<String>> = serde_json::from_slice(text).unwrap_or_default();
    lists.into_iter().filter_map(|(name, list)| Some((name, list.into_iter().next()?))).collect()
}

#[cfg(test)]
mod tests;
