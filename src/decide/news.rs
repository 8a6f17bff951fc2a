//! What people are told, and when: never twice the same, and never oftener than `notify.cooldown`.
//!
//! It goes by what is so, not by what happens: whenever the builder has come to rest, what is wrong is
//! held against what people know to be wrong ([`Notices::wrong`], which is on the volume). So the same
//! pause after a restart is no news, nor is one that was repaired before it could be told. A message stays
//! on the volume until it has arrived ([`Notices::owed`]).

use std::collections::BTreeSet;

use crate::config::News;
use crate::model::bounds::cut;
use crate::model::failure::{Class, Failure};
use crate::model::known::KnownFailure;
use crate::model::notice::{Note, Notices, Urgency, Wrong};
use crate::model::release::Id;
use crate::model::state::{Pause, Phase, State, Volume};
use crate::model::status::{Status, Why};
use crate::model::sync;

/// How many failures of a class a message names, and how many commands.
const NAMED: usize = 5;
/// Bytes of a title.
const TITLE: usize = 300;
/// Bytes of a text. A command gets it in a variable, and no variable may be longer than 128 KiB (execve(2)).
const TEXT: usize = 16 << 10;

/// What an old tree is known by; that of one repository alone has its name behind it.
const OLD_TREE: &str = "old tree";

/// What is so, once the builder has come to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A failure holds it.
    Held(Wrong),
    /// The cycle is done.
    Done {
        /// What is wrong all the same.
        wrong: Wrong,
        /// What waits for a person and stops nothing.
        told: Wrong,
        /// The cycle.
        cycle: u64,
        /// It merged packages.
        merged: bool,
        /// What clients are offered.
        release: Option<Id>,
    },
}

/// Looks at the state. Nothing: it is on its way, or an operator holds it, so there is nothing to say yet.
pub(crate) fn found(state: &State) -> Option<Found> {
    if let Volume::Refused(failure) = &state.live.volume {
        return Some(Found::Held(Wrong::from([trouble(failure)])));
    }
    match &state.durable.phase {
        Phase::Paused(Pause { why: Why::Failure, failures, .. }) => {
            let mut wrong: Wrong = failures.iter().map(trouble).collect();
            if failures.iter().all(|failure| failure.class != Class::Sync) {
                wrong.extend(old_tree(state));
            }
            Some(Found::Held(wrong))
        }
        Phase::Waiting(_) => {
            let cycle = state.durable.cycle.as_ref()?;
            let failing = state.durable.known.iter().map(still_failing);
            let wrong = failing.chain(old_tree(state)).collect();
            let release = state.durable.release.as_ref().map(|release| release.id);
            Some(Found::Done {
                wrong,
                told: told(state),
                cycle: cycle.id,
                merged: cycle.tally.done() > 0,
                release,
            })
        }
        Phase::Running(_) | Phase::Paused(_) => None,
    }
}

/// Whether a failure holds the builder.
pub(crate) fn is_held(state: &State) -> bool {
    matches!(state.live.volume, Volume::Refused(_))
        || matches!(&state.durable.phase, Phase::Paused(Pause { why: Why::Failure, .. }))
}

/// The keys of the warnings that a person is to act on: unread news, configuration files that wait to be merged, options that
/// mean this machine's processor, demands on the kernel that nobody can look up, what a rebuild does not cure.
const TOLD: [&str; 6] = ["news", "configuration", "native", "opaque", "stale", "stale-for-good"];

fn told(state: &State) -> Wrong {
    let warnings = &state.live.warnings;
    TOLD.iter().filter_map(|key| Some(((*key).to_owned(), warnings.get(key)?.clone()))).collect()
}

/// What of it people do not know yet: sentences with a word that the last of their kind lacked. Counts are no words, so that one
/// of several things is done is no news.
fn untold<'a>(told: &'a Wrong, known: &Notices) -> Vec<&'a str> {
    let words = |text: &str| -> BTreeSet<String> {
        let is_one = |word: &&str| word.contains(char::is_alphabetic);
        let ends = [',', ';', ':', '.', '(', ')'];
        text.split_whitespace().filter(is_one).map(|word| word.trim_matches(ends).to_owned()).collect()
    };
    let is_new = |(key, text): &(&String, &String)| {
        known.told.get(*key).is_none_or(|before| !words(text).is_subset(&words(before)))
    };
    told.iter().filter(is_new).map(|(_, text)| text.as_str()).collect()
}

/// A failure by what it is, not by its words: those may count something.
fn trouble(failure: &Failure) -> (String, String) {
    let what = failure.package.as_ref().unwrap_or(&failure.message);
    let phase = failure.phase.as_deref().unwrap_or_default();
    (format!("{} {what} {phase}", failure.class), failure.headline())
}

/// What a cycle left out because it fails: the same trouble as when it held the builder.
fn still_failing(known: &KnownFailure) -> (String, String) {
    trouble(&known.failure())
}

fn old_tree(state: &State) -> impl Iterator<Item = (String, String)> {
    let sync = &state.durable.sync;
    let old = sync.old_tree().map(|text| (OLD_TREE.to_owned(), text));
    let dead = sync.dead().map(|(name, record)| (format!("{OLD_TREE} {name}"), sync::sentence(name, record)));
    old.into_iter().chain(dead)
}

fn is_new_about_the_tree(wrong: &Wrong, known: &Notices) -> bool {
    wrong.keys().any(|what| what.starts_with(OLD_TREE) && !known.wrong.contains_key(what))
}

impl Found {
    /// What of it is news to people who know this and want to hear of such events.
    pub(crate) fn news(&self, known: &Notices, events: &[News]) -> Option<News> {
        let main = match self {
            Self::Held(wrong) => is_new(wrong, known).then_some(News::Paused),
            Self::Done { wrong, .. } if !over(wrong, known).is_empty() => Some(News::Recovered),
            Self::Done { wrong, .. } if is_new_about_the_tree(wrong, known) => Some(News::Stale),
            // It paused for that while nothing could be told, and goes on since somebody has seen it.
            Self::Done { wrong, .. } if is_new(wrong, known) => Some(News::Paused),
            Self::Done { .. } => None,
        };
        // One who does not want to hear of a release may want to hear of the packages in it.
        let other = |news: Option<News>| news.filter(|_| main.is_none());
        let all = [main, other(self.published(known)), other(self.finished(known)), self.attention(known)];
        all.into_iter().flatten().find(|news| events.contains(news))
    }

    fn attention(&self, known: &Notices) -> Option<News> {
        match self {
            Self::Done { told, .. } if !untold(told, known).is_empty() => Some(News::Attention),
            _ => None,
        }
    }

    fn published(&self, known: &Notices) -> Option<News> {
        match self {
            Self::Done { release, .. } if release.is_some() && *release != known.release => {
                Some(News::Published)
            }
            _ => None,
        }
    }

    fn finished(&self, known: &Notices) -> Option<News> {
        match self {
            Self::Done { cycle, merged: true, .. } if *cycle > known.cycle => Some(News::Finished),
            _ => None,
        }
    }

    /// People know of it now, or need not. `kind` is what they are told; what waits for a person besides is told in a
    /// message of its own.
    pub(crate) fn note_down(self, kind: Option<News>, known: &mut Notices) {
        match self {
            // What was repaired of a pause is told when all of it is.
            Self::Held(wrong) => known.wrong.extend(wrong),
            Self::Done { wrong, told, cycle, release, .. } => {
                // After a restart nobody has looked yet: what is gone is known when a cycle is done.
                if cycle > known.cycle {
                    known.told.retain(|key, _| told.contains_key(key));
                }
                if matches!(kind, None | Some(News::Attention)) {
                    known.told.extend(told);
                }
                known.wrong = wrong;
                known.cycle = cycle;
                known.release = release;
            }
        }
    }

    /// The message; `known` as it was before.
    pub(crate) fn note(&self, kind: News, known: &Notices, status: &Status, name: &str) -> Note {
        let headline = status.headline.split_once(": ").map_or(status.headline.as_str(), |(_, rest)| rest);
        let (urgency, title, text) = match (kind, self) {
            (News::Recovered, Self::Done { wrong, .. }) => {
                let over = list("No longer wrong:", over(wrong, known));
                let left = list("Still wrong:", wrong.values().map(String::as_str).collect());
                (Urgency::Normal, "works again".to_owned(), format!("{over}{left}{headline}"))
            }
            (News::Paused, Self::Done { wrong, .. }) => {
                let new = wrong.iter().filter(|(key, _)| !known.wrong.contains_key(*key));
                let new: Vec<&str> = new.map(|(_, words)| words.as_str()).collect();
                let title = if let [only] = new.as_slice() {
                    format!("still failing, {}", only.split([' ', ':']).next().unwrap_or_default())
                } else {
                    format!("{} packages still fail", new.len())
                };
                (Urgency::High, title, format!("{}{headline}", list("Still failing:", new)))
            }
            (News::Stale, Self::Done { wrong, .. }) => {
                let words = wrong.values().map(String::as_str).collect::<Vec<_>>().join("\n");
                let old =
                    if wrong.contains_key(OLD_TREE) { "the tree is old" } else { "a repository is old" };
                (Urgency::Normal, old.to_owned(), format!("{words}\n{headline}"))
            }
            (News::Attention, Self::Done { told, .. }) => {
                let text = list("For a person to look at:", untold(told, known));
                (Urgency::Low, "something waits for you".to_owned(), format!("{text}{headline}"))
            }
            (News::Finished, _) => {
                let merged = status.progress.done;
                let packages = if merged == 1 { "package" } else { "packages" };
                (Urgency::Low, format!("{merged} {packages} merged"), headline.to_owned())
            }
            (News::Published, Self::Done { release: Some(release), .. }) => {
                (Urgency::Low, format!("release {release} is published"), headline.to_owned())
            }
            _ => (Urgency::High, held(status), paused(status)),
        };
        let title = cut(&format!("{name}: {title}"), TITLE).into_owned();
        Note { kind, urgency, title, text: cut(&text, TEXT).into_owned() }
    }
}

/// A message by which somebody tries whether messages arrive.
pub(crate) fn test(name: &str) -> Note {
    Note {
        kind: News::Test,
        urgency: Urgency::Low,
        title: format!("{name}: a test"),
        text: "This is how you will hear from the builder.".to_owned(),
    }
}

/// The supervisor died, and is here again.
pub(crate) fn crash(name: &str, status: &Status) -> Note {
    Note {
        kind: News::Crashed,
        urgency: Urgency::High,
        title: format!("{name}: the supervisor died"),
        text: format!(
            "It was started again and goes on; docker logs has the reason. After five deaths within ten minutes it stays \
             down until somebody says: gbsup resume\n{}",
            status.headline
        ),
    }
}

/// Clients would compile more than before.
pub(crate) fn drift(name: &str, worse: &[String], status: &Status) -> Note {
    let client = |line: &String| line.split(':').next().unwrap_or_default().to_owned();
    let clients: BTreeSet<String> = worse.iter().map(client).collect();
    let whom = match clients.len() {
        1 => clients.into_iter().collect(),
        number => format!("{number} clients"),
    };
    let text = list("After an update they would compile:", worse.iter().map(String::as_str).collect());
    let headline = status.headline.split_once(": ").map_or(status.headline.as_str(), |(_, rest)| rest);
    Note {
        kind: News::Drift,
        urgency: Urgency::Low,
        title: cut(&format!("{name}: {whom} would compile more"), TITLE).into_owned(),
        text: cut(
            &format!("{text}Why, and what the builder would need: gbsup clients NAME\n{headline}"),
            TEXT,
        )
        .into_owned(),
    }
}

fn is_new(wrong: &Wrong, known: &Notices) -> bool {
    wrong.keys().any(|key| !known.wrong.contains_key(key))
}

/// What people know to be wrong and is so no longer.
fn over<'a>(wrong: &Wrong, known: &'a Notices) -> Vec<&'a str> {
    known.wrong.iter().filter(|(key, _)| !wrong.contains_key(*key)).map(|(_, words)| words.as_str()).collect()
}

// --- The words of a pause -----------------------------------------------------------------------

/// What a title says of a pause.
fn held(status: &Status) -> String {
    match status.pause.as_ref().map(|pause| pause.failures.as_slice()).unwrap_or_default() {
        [Failure { package: Some(package), .. }] => format!("paused, {package} failed"),
        [failure] => format!("paused ({})", failure.class),
        failures => format!("paused, {} failures", failures.len()),
    }
}

/// Every failure by its class, how far it got, and what to do.
fn paused(status: &Status) -> String {
    let Some(pause) = &status.pause else { return status.headline.clone() };
    let mut text = String::new();
    let classes: BTreeSet<Class> = pause.failures.iter().map(|failure| failure.class).collect();
    for class in classes {
        let failures = pause.failures.iter().filter(|failure| failure.class == class);
        let sentences: Vec<String> = failures.map(Failure::headline).collect();
        text += &list(&format!("{class}:"), sentences.iter().map(String::as_str).collect());
    }
    if status.progress.total > 0 {
        text += &format!("{} of {} built.\n", status.progress.done, status.progress.total);
    }
    // The last one is how to go on.
    if let [first @ .., last] = pause.actions.as_slice() {
        let shown = first.iter().take(NAMED - 1).chain([last]);
        text += &shown.map(String::as_str).collect::<Vec<_>>().join("\n");
    }
    text
}

/// A heading and its items, a line each; nothing without items.
fn list(heading: &str, items: Vec<&str>) -> String {
    if items.is_empty() {
        return String::new();
    }
    let more = items.len().saturating_sub(NAMED);
    let mut text = format!("{heading}\n");
    for item in items.into_iter().take(NAMED) {
        text += &format!("- {item}\n");
    }
    if more > 0 {
        text += &format!("- and {more} more\n");
    }
    text
}
