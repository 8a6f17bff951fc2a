//! What eix-sync says of itself (eix 0.36.9, `eix-sync.sh`).
//!
//! Its exit status says little: 0 also when its own options had it sync nothing (`-0`, `-u`, `-n`, `-h`) and when
//! SIGTERM ended it (its trap leaves with the status that it had), 1 and 2 whatever went wrong.

/// What is wrong, by what eix-sync prints on stderr (`die`, `WarnOrDie`, `NotChanged` and what getopts has to say).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It began with nothing: an option that it does not know, a program that it needs.
    Setup(String),
    /// The command of a hook failed.
    Hook(String),
    /// An overlay of its configuration could not be synced by layman.
    Overlay(String),
    /// The sync itself.
    Sync(String),
    /// The index.
    Index(String),
    /// The index is new, and how it differs from the old one could not be shown.
    Diff,
}

impl Wrong {
    /// `text`: a line.
    pub(super) fn of(text: &str) -> Option<Self> {
        // dash and bash.
        if text.starts_with("Illegal option -") || text.contains("eix-sync: illegal option -- ") {
            return Some(Self::Setup(text.to_owned()));
        }
        let words = text.strip_prefix(" * ")?;
        let owned = words.to_owned();
        if let Some(command) = words.strip_prefix("Something went wrong with ") {
            Some(Self::Hook(command.to_owned()))
        } else if words.ends_with(" is needed") || words.starts_with("Your eix-sync configuration ") {
            Some(Self::Setup(owned))
        } else if words.starts_with("Could not copy database to ") {
            Some(Self::Index(owned))
        } else if words.starts_with("Could not rsync ") {
            Some(Self::Sync(owned))
        } else if words == "failed to diff against current cache" {
            Some(Self::Diff)
        } else {
            let program = words.strip_suffix(" failed")?;
            Some(match program.split_whitespace().next() {
                Some(first) if first.starts_with("eix-") => Self::Index(owned),
                Some("layman") => Self::Overlay(owned),
                _ => Self::Sync(owned),
            })
        }
    }

    /// Why it could not sync.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Setup(words) | Self::Overlay(words) | Self::Sync(words) | Self::Index(words) => {
                words.clone()
            }
            Self::Hook(command) => format!("its hook failed: {command}"),
            Self::Diff => "eix-diff failed".to_owned(),
        }
    }
}

/// What it did, by what it prints on stdout (`StatusInfo`, `einfo`), which `-q` closes.
#[derive(Clone, Debug, Default)]
pub(super) struct Eix {
    /// What went wrong.
    pub(super) wrong: Vec<Wrong>,
    /// Why the index could not be written (`eix-update.cc`).
    pub(super) unwritten: Option<String>,
    /// The main repository is as it was, so the index was left as it is.
    pub(super) unchanged: bool,
    /// It said something on stdout.
    loud: bool,
    /// The command that it synced with.
    called: Option<String>,
}

impl Eix {
    /// Takes a line; whether it is one of eix-sync.
    pub(super) fn line(&mut self, text: &str, room: usize) -> bool {
        const LOUD: &[&str] = &[" * Running ", " * Copying old ", " * Time statistics", "Usage: eix-sync "];
        if let Some(wrong) = Wrong::of(text) {
            if self.wrong.len() < room {
                self.wrong.push(wrong);
            }
            return true;
        }
        self.loud |= LOUD.iter().any(|words| text.starts_with(words));
        let call = text.strip_prefix(" * Running ").filter(|call| !is_aside(call));
        if let Some(call) =
            call.or_else(|| text.strip_prefix(" * ").filter(|words| words.starts_with("rsyncing from ")))
        {
            self.called = Some(call.to_owned());
        } else if text.starts_with("cannot open database file ") || text == "error while writing to database"
        {
            self.unwritten.get_or_insert_with(|| text.to_owned());
        } else if text.starts_with(" * Main gentoo tree does not appear to have changed") {
            self.unchanged = true;
        } else {
            return false;
        }
        true
    }

    /// Whether it said that it came to an end, and called nothing that syncs. What `emerge --sync` begins with is in
    /// the output unless an option makes it quiet, so without such a line it was a dry run.
    pub(super) fn skipped(&self) -> bool {
        self.loud && self.called.as_ref().is_none_or(|call| call == "emerge --sync")
    }

    /// What went wrong with the index, with the reason where it is known.
    pub(super) fn index(&self) -> Option<String> {
        let words = self.wrong.iter().find_map(|wrong| match wrong {
            Wrong::Index(words) => Some(words.clone()),
            _ => None,
        })?;
        Some(match &self.unwritten {
            Some(why) => format!("{words}: {why}"),
            None => words,
        })
    }
}

/// What it runs besides.
fn is_aside(call: &str) -> bool {
    call.starts_with("eix-update") || call.starts_with("emerge --metadata") || call.ends_with("-hooks")
}
