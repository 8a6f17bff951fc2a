//! The walk over file and environment that finds every problem in one go.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{Config, KEYS};
use super::problem::{Place, Problem, Problems};
use super::slot::{Slot, Source, words};

/// A longer file is none that a person wrote, in bytes.
const LONGEST: usize = 1 << 20;
/// The most bytes of a word that may be a key with a slip in it.
const LONGEST_KEY: usize = 64;

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
    if walk.problems.is_empty() { Ok((walk.config, walk.origins)) } else { Err(Problems::new(walk.problems)) }
}

#[derive(Default)]
struct Walk {
    config: Config,
    origins: Origins,
    problems: Vec<Problem>,
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

    /// Reads one value into its field.
    fn set(&mut self, source: Source, section: &'static str, key: &'static str, value: &Spanned<DeValue>) {
        let problems = self.problems.len();
        self.config.set(Slot { source, section, key, value, problems: &mut self.problems });
        if self.problems.len() == problems {
            self.origins.insert((section, key), source.place(&value.span()));
        }
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
    let near =
        candidates.iter().map(|candidate| (strsim::osa_distance(word, candidate), *candidate)).min()?;
    (near.0 <= 1 + word.len() / 4).then_some(near.1)
}
