//! What a sync prints, line by line.
//!
//! Portage says where each repository begins and, of those that went well, where it ends
//! (`portage/sync/controller.py:pre_sync`, `do_callback`); what became of each stands at the end of all
//! (`portage/emaint/modules/sync/sync.py:rmessage`). In between there are the words of git, rsync and the like, which
//! name no repository. With `--jobs` in EMERGE_DEFAULT_OPTS several repositories are synced at once and their lines
//! mix, so a line goes to the repository that it names, else to the one that began last.

use std::collections::{BTreeMap, BTreeSet};

use super::eix::Eix;
use crate::portage::files::repository::Repository;
use crate::portage::output::buildlog::uncoloured;
use crate::portage::output::problem::lossy;

/// A hook of the operator that failed (`perform_post_sync_hook`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its file.
    pub file: String,
    /// Of `repo.postsync.d`: the repository it was run for, as far as that can be told.
    pub repository: Option<String>,
}

/// What was read so far.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// The exit status of each repository, 0 being good; those of the last line win.
    pub(crate) results: BTreeMap<String, i32>,
    /// Those that said themselves that they were done.
    pub(crate) completed: BTreeSet<String>,
    /// The repositories in the order in which they began.
    pub(crate) begun: Vec<Begun>,
    /// The hooks that failed.
    pub(crate) hooks: Vec<Hook>,
    /// Why Portage began with none of them, and which ones are at fault.
    pub(crate) refused: Option<(String, Vec<String>)>,
    /// What eix-sync said of itself.
    pub(super) eix: Eix,
    /// What was said before the first repository began, or outside of all.
    pub(crate) general: Vec<String>,
    /// A traceback is being printed, at whose end the exception stands.
    traceback: bool,
}

/// A repository at work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Begun {
    pub(crate) name: String,
    location: String,
    /// `git fetch error in /var/db/repos/gentoo`: what failed.
    what: Option<String>,
    /// `fatal: unable to access ...`: the words of the programs.
    why: Vec<String>,
    /// The last line of any kind.
    last: Option<String>,
}

/// So many words of programs are kept of each repository.
const KEPT: usize = 20;
/// So many repositories, hooks and words of other kinds are heard of: every line is held against each repository.
const MOST: usize = 200;

/// Adds what there is room for.
fn keep<T>(all: &mut Vec<T>, one: T) {
    if all.len() < MOST {
        all.push(one);
    }
}

impl Heard {
    /// Takes one line, without its newline. `repositories` are those that are configured, as far as that is known.
    pub fn line(&mut self, line: &[u8], repositories: &[Repository]) {
        let line = uncoloured(line);
        let text = lossy(&line);
        let text = text.trim_end();
        if let Some((name, location)) = begins(text) {
            keep(&mut self.begun, Begun { name, location, ..Begun::default() });
        } else if let Some((name, code)) = result(text) {
            if self.results.len() < MOST || self.results.contains_key(&name) {
                self.results.insert(name, code);
            }
        } else if let Some(name) = text.strip_prefix("=== Sync completed for ") {
            if self.completed.len() < MOST {
                self.completed.insert(name.to_owned());
            }
        } else if let Some((_, file)) = text.split_once("Spawn failed for: ") {
            let file = file.split_once(", ").map_or(file, |(_, file)| file).to_owned();
            let of_one = file.contains("/repo.postsync.d/");
            let repository = self.begun.last().filter(|_| of_one).map(|begun| begun.name.clone());
            keep(&mut self.hooks, Hook { file, repository });
        } else if let Some((why, names)) = text.strip_prefix(" * ").and_then(refusal) {
            self.refused = Some((why, names));
        } else if self.eix.line(text, MOST) {
            // It is written down there.
        } else if let Some(what) = text.strip_prefix("!!! ") {
            self.failed(what);
        } else if !text.is_empty() {
            self.words(text, repositories);
        }
    }

    /// `!!! git fetch error in /var/db/repos/gentoo`
    fn failed(&mut self, what: &str) {
        if is_about_configuration(what) {
            return;
        }
        let last = self.begun.len().checked_sub(1);
        let at = self.begun.iter().position(|begun| ends_with_path(what, &begun.location)).or(last);
        let Some(at) = at else { return keep(&mut self.general, what.to_owned()) };
        // A program that is not there said nothing.
        if self.begun[at].why.is_empty() && !what.starts_with("Command not found: ") {
            // While another one was at work as well, its words went there. One that failed keeps its own.
            let is_at_work = |begun: &&Begun| begun.what.is_none() && !self.completed.contains(&begun.name);
            let others = self.begun.iter().filter(is_at_work);
            let word = others.filter_map(|begun| begun.why.last()).next_back();
            let word = last.and_then(|last| self.begun[last].why.last()).or(word).cloned();
            self.begun[at].why.extend(word);
        }
        self.begun[at].what.get_or_insert_with(|| what.to_owned());
    }

    fn words(&mut self, text: &str, repositories: &[Repository]) {
        // `!!! Manifest verification failed:`, and the words of gemato in the next line.
        let headed = |begun: &&mut Begun| begun.what.as_ref().is_some_and(|what| what.ends_with(':'));
        if let Some(what) = self.begun.last_mut().filter(headed).and_then(|begun| begun.what.as_mut()) {
            *what = format!("{what} {}", text.trim());
            return;
        }
        let is_exception = self.traceback && !text.starts_with(' ');
        self.traceback =
            text.starts_with("Traceback (most recent call last):") || (self.traceback && !is_exception);
        let is_reason = is_exception || is_reason(text);
        let names_it = |begun: &&mut Begun| {
            let repository = repositories.iter().find(|repository| repository.name == begun.name);
            let from =
                repository.map(|repository| repository.sync_uri.as_str()).filter(|uri| !uri.is_empty());
            let from = from.map(|uri| uri.strip_prefix("file://").unwrap_or(uri));
            names_path(text, &begun.location) || from.is_some_and(|from| text.contains(from))
        };
        let named = self.begun.iter_mut().filter(|_| is_reason).rfind(names_it);
        let begun = match named {
            Some(begun) => begun,
            None => match self.begun.last_mut() {
                Some(begun) => begun,
                None if is_reason => return keep(&mut self.general, text.to_owned()),
                None => return,
            },
        };
        if is_reason && begun.why.len() < KEPT {
            begun.why.push(text.to_owned());
        }
        if !text.starts_with(">>> ") && !self.completed.contains(&begun.name) {
            begun.last = Some(text.to_owned());
        }
    }

    /// Why this repository failed, in one line, as far as anybody said so.
    pub(crate) fn reason(&self, name: &str, sync_type: &str) -> Option<String> {
        let begun = self.begun.iter().rfind(|begun| begun.name == name);
        if let Some(begun) = begun {
            match (&begun.what, begun.why.first()) {
                (Some(what), Some(why)) => return Some(format!("{what}: {why}")),
                (None, Some(why)) => return Some(why.clone()),
                (Some(what), None) => return Some(what.clone()),
                (None, None) => {}
            }
        }
        // "ERROR: Sync module 'zoo' is not an installed/known type'" comes when all is over.
        let kind = format!("Sync module '{sync_type}'");
        let about_kind = |line: &&String| !sync_type.is_empty() && line.contains(&kind);
        let everywhere = self.begun.iter().flat_map(|begun| &begun.why).chain(&self.general);
        if let Some(line) = everywhere.clone().find(about_kind) {
            return Some(line.clone());
        }
        let failed = |begun: &&Begun| !self.completed.contains(&begun.name) && begun.name != name;
        let own: BTreeSet<&String> = self.begun.iter().filter(failed).flat_map(|begun| &begun.why).collect();
        let unclaimed =
            everywhere.filter(|line| !own.contains(line)).find(|line| !line.contains("Sync module"));
        unclaimed.cloned().or_else(|| begun?.last.clone())
    }

    /// Takes out why Portage began with none, and which ones are at fault.
    pub(crate) fn take_refusal(&mut self) -> Option<(String, Vec<String>)> {
        self.refused.take()
    }

    /// Puts in what an earlier attempt was told of those.
    pub(crate) fn refuse(&mut self, refused: Option<(String, Vec<String>)>) {
        self.refused = refused.or(self.refused.take());
    }

    /// Whether any repository was begun, as far as can be seen.
    pub(crate) fn has_begun(&self) -> bool {
        !self.begun.is_empty() || !self.results.is_empty()
    }

    /// Whether eix-sync said that it came to an end, and synced nothing.
    pub(super) fn skipped(&self) -> bool {
        !self.has_begun() && self.eix.skipped()
    }
}

/// `>>> Syncing repository 'gentoo' into '/var/db/repos/gentoo'...`
fn begins(text: &str) -> Option<(String, String)> {
    let rest = text.strip_prefix(">>> Syncing repository '")?;
    let (name, location) = rest.strip_suffix("'...")?.split_once("' into '")?;
    Some((name.to_owned(), location.to_owned()))
}

/// `Action: sync for repo: gentoo, returned code = 0`; what is said of hooks in this way is left to them.
fn result(text: &str) -> Option<(String, i32)> {
    let (name, code) = text.strip_prefix("Action: sync for repo: ")?.split_once(", returned code = ")?;
    Some((name.to_owned(), code.trim().parse().ok()?))
}

/// `The specified repo(s) are missing sync-uri: a b`: Portage returns before it begins (`sync.py:_get_repos`).
fn refusal(words: &str) -> Option<(String, Vec<String>)> {
    let rest = words.strip_prefix("The specified repo(s) ")?;
    let (why, names) = rest.split_once(": ")?;
    Some((why.to_owned(), names.split_whitespace().map(str::to_owned).collect()))
}

/// What Portage says of repos.conf and the profile each time it reads them, whatever it does.
fn is_about_configuration(what: &str) -> bool {
    const KNOWN: &[&str] = &[
        "Repository '",
        "Section '",
        "Set 'masters",
        "Installed sync-types are",
        "News items will not be displayed",
        "Use eselect profile to update",
    ];
    KNOWN.iter().any(|known| what.starts_with(known))
}

fn ends_with_path(text: &str, path: &str) -> bool {
    !path.is_empty() && text.strip_suffix(path).is_some_and(|before| before.ends_with(' '))
}

/// Whether a path or something below it stands in a text, and not only the beginning of another name.
fn names_path(text: &str, path: &str) -> bool {
    !path.is_empty()
        && text.match_indices(path).any(|(at, _)| {
            let after = text[at + path.len()..].chars().next();
            !after.is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '_')
        })
}

/// Lines in which git, rsync, ssh, wget and the like give up.
fn is_reason(line: &str) -> bool {
    const SIGNS: &[&str] = &[
        "fatal: ",
        "error: ",
        "rsync error: ",
        "rsync: ",
        "@ERROR: ",
        "ssh: ",
        "wget: ",
        "curl: (",
        "ERROR: ",
        "emerge-webrsync: ",
        "svn: ",
        "abort: ",
        "cvs ",
        "PermissionError: ",
        "OSError: ",
    ];
    SIGNS.iter().any(|sign| line.starts_with(sign))
}
