//! The walk over file and environment that finds every problem in one go.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Config, FollowUp, KEYS, http, notify, publish, rebuild, values};

/// A longer file is none that a person wrote, in bytes.
const LONGEST: usize = 1 << 20;
/// So many problems are told one by one.
const TOLD: usize = 100;
/// The most bytes of a word that may be a key with a slip in it.
const LONGEST_KEY: usize = 64;

/// Where a value or a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The file as a whole.
    File(String),
    /// A line of the file, counted from 1.
    Line(String, usize),
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => f.write_str(file),
            Self::Line(file, line) => write!(f, "{file}:{line}"),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// One thing that is wrong with the configuration. Its `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    place: Place,
    /// `[section] key`, as far as it is known.
    key: Option<String>,
    reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.reason)
    }
}

/// Everything that is wrong with the configuration, one line each; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The one problem of a file that is there and cannot be read.
    pub(super) fn unreadable(file: &str, error: &io::Error) -> Self {
        let reason = format!("cannot be read: {error}");
        Self(vec![Problem { place: Place::File(file.into()), key: None, reason }])
    }

    /// One by one: the file's by line, then the environment's.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// Where each value that is not the default came from.
pub(super) type Origins = BTreeMap<(&'static str, &'static str), Place>;

/// The configuration that a file (its name and its text) and variables make, or every problem.
pub fn check(
    file: Option<(&str, &str)>,
    env: impl Iterator<Item = (String, String)>,
) -> Result<Config, Problems> {
    check_with_origins(file, env).map(|(config, _)| config)
}

/// As [`check`], and where the values came from.
pub(super) fn check_with_origins(
    file: Option<(&str, &str)>,
    env: impl Iterator<Item = (String, String)>,
) -> Result<(Config, Origins), Problems> {
    let mut walk = Walk::default();
    if let Some((name, text)) = file {
        walk.file(name, text);
    }
    let mut variables: Vec<_> = env.collect();
    variables.sort();
    for (name, value) in variables {
        walk.variable(&name, &value);
    }
    walk.shorten();
    if walk.problems.is_empty() { Ok((walk.config, walk.origins)) } else { Err(Problems(walk.problems)) }
}

#[derive(Default)]
struct Walk {
    config: Config,
    origins: Origins,
    problems: Vec<Problem>,
}

/// What is being read: spans of a file, of which there are the name and where its lines end, or a variable, of which there are
/// the name and the text.
#[derive(Clone, Copy)]
enum Source<'a> {
    File(&'a str, &'a [usize]),
    Variable(&'a str, &'a str),
}

impl Source<'_> {
    fn place(self, span: &Range<usize>) -> Place {
        match self {
            Self::File(name, ends) => {
                Place::Line(name.into(), 1 + ends.partition_point(|end| *end < span.start))
            }
            Self::Variable(name, _) => Place::Variable(name.into()),
        }
    }
}

/// The value of a variable as the text it is.
fn words(text: &str) -> Spanned<DeValue<'_>> {
    Spanned::new(0..text.len(), DeValue::String(text.into()))
}

impl Walk {
    fn file(&mut self, name: &str, text: &str) {
        if text.len() > LONGEST {
            let reason = format!("is longer than {LONGEST} bytes, so it is no configuration of gbsup");
            return self.problems.push(Problem { place: Place::File(name.into()), key: None, reason });
        }
        let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
        let source = Source::File(name, &ends);
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let place = source.place(&error.span().unwrap_or_default());
            self.problems.push(Problem { place, key: None, reason: error.message().into() });
        }
        // What the parser made up in place of what it could not read is not worth a second message.
        let unreadable: HashSet<_> = self.problems.iter().map(|problem| problem.place.to_string()).collect();
        for (key, value) in document.get_ref() {
            self.section(source, key, value);
        }
        let syntax = unreadable.len();
        let mut index = 0;
        self.problems.retain(|problem| {
            index += 1;
            index <= syntax || !unreadable.contains(&problem.place.to_string())
        });
        self.problems.sort_by_key(|problem| match problem.place {
            Place::Line(_, line) => line,
            _ => 0,
        });
    }

    /// Leaves the first problems, and the number of the others.
    fn shorten(&mut self) {
        let more = self.problems.len().saturating_sub(TOLD);
        let Some(first) = self.problems.get(TOLD).filter(|_| more > 1) else { return };
        let (place, reason) = (first.place.clone(), format!("and {more} more problems from here on"));
        self.problems.truncate(TOLD);
        self.problems.push(Problem { place, key: None, reason });
    }

    fn section(&mut self, source: Source, name: &Spanned<Cow<str>>, value: &Spanned<DeValue>) {
        let place = source.place(&name.span());
        let word = name.get_ref().as_ref();
        let known = KEYS.iter().find(|(section, _)| *section == word);
        let reason = match (known, value.get_ref()) {
            (Some((section, keys)), DeValue::Table(table)) => {
                for (key, value) in table {
                    self.key(source, section, keys, key, value);
                }
                return;
            }
            (Some(_), _) => format!("is a section: write [{word}] on a line of its own, its keys below"),
            (None, DeValue::Table(_)) => {
                let sections: Vec<_> = KEYS.iter().map(|(section, _)| *section).collect();
                match similar(word, &sections) {
                    Some(section) => format!("unknown section; did you mean [{section}]?"),
                    None => format!("unknown section; there are {}", sections.join(", ")),
                }
            }
            (None, _) => match KEYS.iter().find(|(_, keys)| keys.contains(&word)) {
                Some((section, _)) => format!("belongs below [{section}]"),
                None => "unknown key outside of any section".into(),
            },
        };
        let key =
            if matches!(value.get_ref(), DeValue::Table(_)) { format!("[{word}]") } else { word.into() };
        self.problems.push(Problem { place, key: Some(key), reason });
    }

    fn key(
        &mut self,
        source: Source,
        section: &'static str,
        keys: &'static [&'static str],
        name: &Spanned<Cow<str>>,
        value: &Spanned<DeValue>,
    ) {
        let word = name.get_ref().as_ref();
        if let Some(key) = keys.iter().find(|key| **key == word) {
            self.set(source, section, key, value);
            return;
        }
        let place = source.place(&name.span());
        let key = Some(format!("[{section}] {word}"));
        self.problems.push(Problem { place, key, reason: unknown_key(section, keys, word) });
    }

    fn variable(&mut self, name: &str, value: &str) {
        let Some(rest) = name.strip_prefix("GBSUP_") else { return };
        let Some((section, key)) = rest.split_once('_') else { return };
        let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
        let place = Place::Variable(name.into());
        let Some((section, keys)) = KEYS.iter().find(|(known, _)| *known == section) else {
            // Engines set variables of their own (GBSUP_SERVICE_HOST for a service named gbsup);
            // only what looks like a slip of the finger is one.
            let sections: Vec<_> = KEYS.iter().map(|(section, _)| *section).collect();
            if let Some(meant) = similar(&section, &sections)
                && let Some((meant, keys)) = KEYS.iter().find(|(known, _)| *known == meant)
                && keys.contains(&key.as_str())
            {
                let reason = format!(
                    "unknown variable; did you mean GBSUP_{}_{}?",
                    meant.to_ascii_uppercase(),
                    key.to_ascii_uppercase()
                );
                self.problems.push(Problem { place, key: None, reason });
            }
            return;
        };
        let Some(key) = keys.iter().find(|known| **known == key) else {
            let reason = unknown_key(section, keys, &key);
            self.problems.push(Problem { place, key: Some(format!("[{section}] {key}")), reason });
            return;
        };
        let text = value;
        let value = DeValue::parse(text).unwrap_or_else(|_| words(text));
        self.set(Source::Variable(name, text), section, key, &value);
    }

    /// Reads one value into its field. Every key of [`KEYS`] has its line here; a test says so.
    fn set(&mut self, source: Source, section: &'static str, key: &'static str, value: &Spanned<DeValue>) {
        let problems = self.problems.len();
        let config = &mut self.config;
        let mut slot = Slot { source, section, key, value, problems: &mut self.problems };
        match (section, key) {
            ("volume", "path") => slot.one(values::absolute, &mut config.volume.path),
            ("cycle", "interval") => slot.one(values::interval, &mut config.cycle.interval),
            ("cycle", "on_start") => slot.one(values::boolean, &mut config.cycle.on_start),
            ("sync", "command") => slot.list(values::word, &mut config.sync.command),
            ("sync", "min_interval") => slot.one(values::min_interval, &mut config.sync.min_interval),
            ("sync", "retries") => slot.list(values::retry, &mut config.sync.retries),
            ("sync", "on_failure") => slot.one(values::on_failure, &mut config.sync.on_failure),
            ("build", "targets") => {
                slot.list(values::target, &mut config.build.targets);
                slot.not_empty("at least one set or atom");
            }
            ("build", "jobs") => slot.one(values::jobs, &mut config.build.jobs),
            ("build", "load_average") => slot.one(values::load_average, &mut config.build.load_average),
            ("build", "args") => slot.list(values::argument, &mut config.build.args),
            ("build", "keep_going") => slot.one(values::boolean, &mut config.build.keep_going),
            ("build", "environment") => slot.list(values::variable, &mut config.build.environment),
            ("build", "stall") => slot.one(values::interval, &mut config.build.stall),
            ("rebuild", "linked") => slot.one(rebuild::linked, &mut config.rebuild.linked),
            ("rebuild", "commands") => slot.follow_ups(&mut config.rebuild.commands),
            ("remedy", "fetch") => slot.list(values::retry, &mut config.remedy.fetch),
            ("remedy", "out_of_memory") => slot.one(values::boolean, &mut config.remedy.out_of_memory),
            ("remedy", "circular") => slot.one(values::boolean, &mut config.remedy.circular),
            ("remedy", "stalled") => slot.one(values::boolean, &mut config.remedy.stalled),
            ("remedy", "binpkg_corrupt") => slot.one(values::boolean, &mut config.remedy.binpkg_corrupt),
            ("remedy", "disk_full") => slot.one(values::boolean, &mut config.remedy.disk_full),
            ("publish", "hold_back") => slot.one(values::boolean, &mut config.publish.hold_back),
            ("publish", "provided") => slot.list(values::provided, &mut config.publish.provided),
            ("publish", "keep") => slot.one(values::count, &mut config.publish.keep),
            ("publish", "redistributable_only") => {
                slot.one(values::boolean, &mut config.publish.redistributable_only);
            }
            ("publish", "client_kernel") => slot.one(values::kernel, &mut config.publish.client_kernel),
            ("publish", "gpg_home") => slot.one(values::absolute, &mut config.publish.gpg_home),
            ("publish", "sign_key") => slot.one(publish::sign_key, &mut config.publish.sign_key),
            ("publish", "by") => slot.one(publish::by, &mut config.publish.by),
            ("prune", "logs") => slot.one(values::interval, &mut config.prune.logs),
            ("prune", "log_size") => slot.one(values::size, &mut config.prune.log_size),
            ("prune", "emerge_log") => slot.one(values::size, &mut config.prune.emerge_log),
            ("prune", "history") => slot.one(values::retention, &mut config.prune.history),
            ("prune", "distfiles") => slot.one(values::interval, &mut config.prune.distfiles),
            ("prune", "distfile_size") => slot.one(values::size, &mut config.prune.distfile_size),
            ("prune", "leftovers") => slot.one(values::interval, &mut config.prune.leftovers),
            ("prune", "binpkgs") => slot.one(values::interval, &mut config.prune.binpkgs),
            ("prune", "binpkg_size") => slot.one(values::size, &mut config.prune.binpkg_size),
            ("prune", "quarantine") => slot.one(values::interval, &mut config.prune.quarantine),
            ("prune", "cap") => slot.one(values::percentage, &mut config.prune.cap),
            ("stop", "grace") => slot.one(values::grace, &mut config.stop.grace),
            ("http", "listen") => slot.one(http::listen, &mut config.http.listen),
            ("http", "url") => slot.one(http::url, &mut config.http.url),
            ("http", "max_connections") => slot.one(http::connections, &mut config.http.max_connections),
            ("http", "max_pages") => slot.one(http::pages, &mut config.http.max_pages),
            ("notify", "name") => slot.one(values::word, &mut config.notify.name),
            ("notify", "events") => slot.list(notify::event, &mut config.notify.events),
            ("notify", "command") => slot.list(values::word, &mut config.notify.command),
            ("notify", "webhook") => slot.one(notify::url, &mut config.notify.webhook),
            ("notify", "webhook_format") => slot.one(notify::posted, &mut config.notify.webhook_format),
            ("notify", "cooldown") => slot.one(notify::cooldown, &mut config.notify.cooldown),
            ("notify", "timeout") => slot.one(notify::timeout, &mut config.notify.timeout),
            ("notify", "heartbeat") => slot.one(notify::url, &mut config.notify.heartbeat),
            ("notify", "heartbeat_interval") => {
                slot.one(notify::heartbeat_interval, &mut config.notify.heartbeat_interval);
            }
            ("log", "level") => slot.one(values::level, &mut config.log.level),
            ("log", "format") => slot.one(values::format, &mut config.log.format),
            _ => slot.report(&value.span(), "is known by name only".into()),
        }
        if self.problems.len() == problems {
            self.origins.insert((section, key), source.place(&value.span()));
        }
    }
}

/// A value on its way into its field.
struct Slot<'a> {
    source: Source<'a>,
    section: &'static str,
    key: &'static str,
    value: &'a Spanned<DeValue<'a>>,
    problems: &'a mut Vec<Problem>,
}

impl Slot<'_> {
    fn report(&mut self, span: &Range<usize>, reason: String) {
        let key = Some(format!("[{}] {}", self.section, self.key));
        self.problems.push(Problem { place: self.source.place(span), key, reason });
    }

    /// One value. The text of a variable is whatever its key takes: `true` is a name for `notify.name`, and `"4"` a
    /// number for `build.jobs`, since an env-file keeps its quotes. The first reason is told.
    fn one<T>(&mut self, read: fn(&DeValue) -> values::Read<T>, field: &mut T) {
        let value = self.value.get_ref();
        let first = match (read(value), self.source) {
            (Ok(value), _) => return *field = value,
            (Err(reason), Source::File(..)) => return self.report(&self.value.span(), reason),
            (Err(reason), Source::Variable(_, text)) => (reason, text),
        };
        let (reason, text) = first;
        let unquoted = match value {
            DeValue::String(inner) if inner != text => DeValue::parse(inner).ok(),
            _ => None,
        };
        let other = unquoted.and_then(|inner| read(inner.get_ref()).ok());
        match other.map_or_else(|| read(words(text).get_ref()), Ok) {
            Ok(value) => *field = value,
            Err(_) => self.report(&self.value.span(), reason),
        }
    }

    /// A list. In a variable it may be words as in a shell: `GBSUP_BUILD_TARGETS="@world app-misc/hello"`.
    fn list<T>(&mut self, read: fn(&DeValue) -> values::Read<T>, field: &mut Vec<T>) {
        let mut list = Vec::new();
        let text = match (self.value.get_ref(), self.source) {
            (DeValue::Array(elements), _) => {
                for element in elements {
                    match read(element.get_ref()) {
                        Ok(value) => list.push(value),
                        Err(reason) => self.report(&element.span(), reason),
                    }
                }
                return *field = list;
            }
            (DeValue::String(text), Source::Variable(..)) => text.as_ref(),
            (_, Source::Variable(_, text)) => text,
            (other, Source::File(..)) => {
                let reason = values::mismatch("a list in brackets", other);
                return self.report(&self.value.span(), reason);
            }
        };
        let text = text.trim();
        if text.starts_with('[') && text.ends_with(']') {
            let reason = format!("expected words, or a list such as [\"one\", \"two\"], found {text:?}");
            return self.report(&self.value.span(), reason);
        }
        let Some(words) = shlex::split(text) else {
            let reason = format!("a quote or a backslash has no end in {text:?}");
            return self.report(&self.value.span(), reason);
        };
        for word in words {
            match read(&DeValue::String(word.into())) {
                Ok(value) => list.push(value),
                Err(reason) => self.report(&self.value.span(), reason),
            }
        }
        *field = list;
    }

    fn not_empty(&mut self, what: &str) {
        // An element that was refused has its own message.
        let empty = match self.value.get_ref() {
            DeValue::Array(list) => list.is_empty(),
            DeValue::String(words) => words.trim().is_empty(),
            _ => false,
        };
        if empty {
            self.report(&self.value.span(), format!("expected {what}, found none"));
        }
    }

    fn follow_ups(&mut self, field: &mut Vec<FollowUp>) {
        const WHAT: &str = "expected a list of tables such as { when = \"dev-lang/perl\", run = [\"perl-cleaner\", \"--all\"] }";
        const RUN: &str = "expected a program and its arguments as a list";
        let value = self.value;
        let DeValue::Array(elements) = value.get_ref() else {
            return self.report(&value.span(), WHAT.into());
        };
        let mut commands = Vec::new();
        for element in elements {
            let DeValue::Table(table) = element.get_ref() else {
                self.report(&element.span(), WHAT.into());
                continue;
            };
            let mut command = FollowUp { when: None, run: Vec::new() };
            let mut runs = false;
            for (key, value) in table {
                match (key.get_ref().as_ref(), value.get_ref()) {
                    ("when", value_of) => match values::package(value_of) {
                        Ok(package) => command.when = Some(package),
                        Err(reason) => self.report(&value.span(), format!("when: {reason}")),
                    },
                    ("run", DeValue::Array(words)) if !words.is_empty() => {
                        runs = true;
                        for word in words {
                            match values::word(word.get_ref()) {
                                Ok(word) => command.run.push(word),
                                Err(reason) => self.report(&word.span(), format!("run: {reason}")),
                            }
                        }
                    }
                    ("run", _) => {
                        runs = true;
                        self.report(&value.span(), format!("run: {RUN}"));
                    }
                    (other, _) => {
                        self.report(&key.span(), format!("unknown key {other:?}; there are when and run"));
                    }
                }
            }
            if !runs {
                self.report(&element.span(), format!("run is missing: {RUN}"));
            }
            commands.push(command);
        }
        *field = commands;
    }
}

fn unknown_key(section: &str, keys: &[&str], word: &str) -> String {
    if let Some(key) = similar(word, keys) {
        return format!("unknown key; did you mean {key}?");
    }
    match KEYS.iter().find(|(_, keys)| keys.contains(&word)) {
        Some((other, _)) => format!("belongs below [{other}]"),
        None => format!("unknown key; [{section}] has {}", keys.join(", ")),
    }
}

/// The candidate that was probably meant.
fn similar<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    if word.len() > LONGEST_KEY {
        return None;
    }
    let near = candidates.iter().map(|candidate| (distance(word, candidate), *candidate)).min()?;
    (near.0 <= 1 + word.len() / 4).then_some(near.1)
}

/// How many letters must be changed, added, left out or swapped to get from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
