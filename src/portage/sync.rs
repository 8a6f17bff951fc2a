//! How a sync went.
//!
//! `emaint sync -a` ends with 0 or 1 and prints a line per repository
//! (`portage/emaint/modules/sync/sync.py:rmessage`); `eix-sync` ends with 0, 1, 2 or 3. Why it
//! failed is in what git, rsync and Portage's sync modules print before that.

use std::collections::BTreeMap;

use super::command::Syncer;
use super::problem::lossy;

/// How a sync went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The tree is in step with its source. Whether it changed, [`revisions`] tells.
    Synced,
    /// There was nothing new: eix-sync's exit status 3, or every repository said so itself. Overlays
    /// may have changed all the same.
    NothingNew,
    /// It failed; why, in one sentence.
    Failed(String),
}

/// What was read from a sync's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it went.
    pub outcome: Outcome,
    /// The repositories that were synced, each with its exit status; 0 is good.
    pub repositories: Vec<(String, i32)>,
    /// Portage advises to update itself before anything else.
    pub portage_update: bool,
}

/// Reads a sync's output line by line.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    repositories: Vec<(String, i32)>,
    already_current: usize,
    portage_update: bool,
    /// `!!! git fetch error in /var/db/repos/gentoo`: which part failed.
    what: Option<String>,
    /// `fatal: unable to access 'https://...'`: the program's own reason, the first one.
    why: Option<String>,
}

impl Scanner {
    /// A scanner for one sync.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one line, without its newline.
    pub fn line(&mut self, line: &[u8]) {
        if let Some(result) = repository(line) {
            self.repositories.push(result);
        } else if let Some(text) = line.strip_prefix(b"!!! ") {
            self.what.get_or_insert_with(|| lossy(text));
        } else if is_reason(line) {
            self.why.get_or_insert_with(|| lossy(line));
        } else if line.starts_with(b">>> Cancelling all further sync action. You are already up to date") {
            self.already_current += 1;
        } else if line.starts_with(b" * An update to Portage is available.") {
            self.portage_update = true;
        }
    }

    /// How it went, by the program that was run and its exit status; `None` when a signal ended it.
    #[must_use]
    pub fn finish(self, how: &Syncer, exit: Option<i32>) -> Report {
        let failed: Vec<&str> =
            self.repositories.iter().filter(|(_, code)| *code != 0).map(|(name, _)| name.as_str()).collect();
        let outcome = match exit {
            Some(3) if *how == Syncer::EixSync => Outcome::NothingNew,
            Some(0) if self.already_current > 0 && self.already_current >= self.repositories.len() => {
                Outcome::NothingNew
            }
            Some(0) => Outcome::Synced,
            _ => Outcome::Failed(self.sentence(how, exit, &failed)),
        };
        Report { outcome, repositories: self.repositories, portage_update: self.portage_update }
    }

    fn sentence(&self, how: &Syncer, exit: Option<i32>, failed: &[&str]) -> String {
        let whom = match failed {
            [] => String::new(),
            names => format!("{}: ", names.join(", ")),
        };
        match (&self.what, &self.why, exit) {
            (Some(what), Some(why), _) => format!("{whom}{what}: {why}"),
            (Some(text), None, _) | (None, Some(text), _) => format!("{whom}{text}"),
            (None, None, Some(1)) if *how == Syncer::EixSync => {
                "eix-sync does not accept its options or /etc/eix-sync.conf".to_owned()
            }
            (None, None, Some(code)) => format!("{whom}it ended with status {code} and gave no reason"),
            (None, None, None) => format!("{whom}it was killed"),
        }
    }
}

/// `Action: sync for repo: gentoo, returned code = 0`
fn repository(line: &[u8]) -> Option<(String, i32)> {
    let text = std::str::from_utf8(line.strip_prefix(b"Action: sync for repo: ")?).ok()?;
    let (name, code) = text.split_once(", returned code = ")?;
    Some((name.to_owned(), code.trim().parse().ok()?))
}

/// Lines in which git, rsync, ssh or wget give up.
fn is_reason(line: &[u8]) -> bool {
    const SIGNS: &[&[u8]] =
        &[b"fatal: ", b"error: ", b"rsync error: ", b"rsync: ", b"ssh: ", b"wget: ", b"curl: (", b"ERROR: "];
    SIGNS.iter().any(|sign| line.starts_with(sign))
}

/// The newest commit of every repository, from `/var/lib/portage/repo_revisions`: a JSON object of
/// lists, the newest first (`portage/sync/revision_history.py`). Damaged text gives nothing.
#[must_use]
pub fn revisions(text: &[u8]) -> BTreeMap<String, String> {
    let lists: BTreeMap<String, Vec<String>> = serde_json::from_slice(text).unwrap_or_default();
    lists.into_iter().filter_map(|(name, list)| Some((name, list.into_iter().next()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str, how: &Syncer, exit: Option<i32>) -> Report {
        let mut scanner = Scanner::new();
        text.lines().for_each(|line| scanner.line(line.as_bytes()));
        scanner.finish(how, exit)
    }

    #[test]
    fn outcomes() {
        let failed = |text: &str| Outcome::Failed(text.to_owned());
        let git = "!!! git fetch error in /var/db/repos/x\nAction: sync for repo: x, returned code = 128\n";
        for (text, how, exit, want) in [
            ("Action: sync for repo: x, returned code = 0\n", Syncer::Emaint, Some(0), Outcome::Synced),
            (
                ">>> Cancelling all further sync action. You are already up to date.\nAction: sync for repo: x, returned code = 0\n",
                Syncer::Emaint,
                Some(0),
                Outcome::NothingNew,
            ),
            ("", Syncer::EixSync, Some(3), Outcome::NothingNew),
            ("", Syncer::EixSync, Some(0), Outcome::Synced),
            (
                "",
                Syncer::EixSync,
                Some(1),
                failed("eix-sync does not accept its options or /etc/eix-sync.conf"),
            ),
            ("", Syncer::Emaint, Some(3), failed("it ended with status 3 and gave no reason")),
            ("", Syncer::Emaint, None, failed("it was killed")),
            (git, Syncer::Emaint, Some(1), failed("x: git fetch error in /var/db/repos/x")),
        ] {
            assert_eq!(report(text, &how, exit).outcome, want, "{text}");
        }
        let text = format!("fatal: '/srv/tree' does not appear to be a git repository\n{git}");
        assert_eq!(
            report(&text, &Syncer::EixSync, Some(2)).outcome,
            failed(
                "x: git fetch error in /var/db/repos/x: fatal: '/srv/tree' does not appear to be a git repository"
            )
        );
    }

    #[test]
    fn real_syncs() {
        let changed = report(include_str!("../../tests/captured/sync-changed.txt"), &Syncer::Emaint, Some(0));
        assert_eq!(changed.outcome, Outcome::Synced);
        assert_eq!(changed.repositories, [("pocket".to_owned(), 0)]);
        assert!(!changed.portage_update);
        let update =
            report(include_str!("../../tests/captured/sync-portage-update.txt"), &Syncer::Emaint, Some(0));
        assert!(update.portage_update);
        let failed =
            report(include_str!("../../tests/captured/sync-unreachable.txt"), &Syncer::Emaint, Some(1));
        let sentence = "pocket: git fetch error in /var/db/repos/pocket: \
                        fatal: '/srv/tree' does not appear to be a git repository";
        assert_eq!(failed.outcome, Outcome::Failed(sentence.to_owned()));
    }

    #[test]
    fn revisions_are_the_newest_of_each() {
        let revisions = revisions(br#"{"x": ["bb", "aa"], "empty": [], "y": ["cc"]}"#);
        assert_eq!(
            revisions.into_iter().collect::<Vec<_>>(),
            [("x".into(), "bb".into()), ("y".into(), "cc".into())]
        );
        assert!(super::revisions(b"{").is_empty());
    }
}
