//! Whether a package may be handed on to others: by its `LICENSE` and `RESTRICT`.
//!
//! Source: the Package Manager Specification, chapter 8, for the form of both; `portage/package/ebuild/_config/LicenseManager.py` for the
//! groups in the `profiles/license_groups` of repositories.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::depend::DEPTH;

/// The group of the licences that allow to hand on what is built.
pub const REDISTRIBUTABLE: &str = "BINARY-REDISTRIBUTABLE";

/// The groups of licences of all repositories: names of licences, and of other groups behind an `@`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups(HashMap<String, Vec<String>>);

impl Groups {
    /// Reads a `license_groups`; what another repository says of the same group is added.
    pub fn read(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            if let Some(group) = words.next() {
                self.0.entry(group.to_owned()).or_default().extend(words.map(str::to_owned));
            }
        }
    }

    /// The licences of a group, with those of the groups in it; none when nobody defines it.
    #[must_use]
    pub fn licences(&self, group: &str) -> HashSet<&str> {
        let mut found = HashSet::new();
        let mut seen = HashSet::new();
        let mut open = vec![group];
        while let Some(group) = open.pop() {
            for word in self.0.get(group).filter(|_| seen.insert(group)).into_iter().flatten() {
                match word.strip_prefix('@') {
                    Some(inner) => open.push(inner),
                    None => drop(found.insert(word.as_str())),
                }
            }
        }
        found
    }
}

/// Why a package may not be handed on, in words that follow its name; nothing when it may.
#[must_use]
#[expect(clippy::implicit_hasher, reason = "the set is what Groups::licences gives")]
pub fn forbids(
    license: &str,
    restrict: &str,
    flags: &BTreeSet<&str>,
    free: &HashSet<&str>,
) -> Option<String> {
    if terms(restrict, flags).is_some_and(|terms| terms.iter().any(|term| term.holds("bindist"))) {
        return Some("may not be handed on: RESTRICT has bindist".to_owned());
    }
    let allowed = terms(license, flags).is_some_and(|terms| terms.iter().all(|term| term.is_met(free)));
    (!allowed).then(|| format!("may not be handed on: its licence is {license}"))
}

/// A part of such a text, conditions evaluated.
#[derive(Debug)]
enum Term<'a> {
    Name(&'a str),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Term<'_> {
    fn is_met(&self, free: &HashSet<&str>) -> bool {
        match self {
            Self::Name(name) => free.contains(name),
            Self::All(terms) => terms.iter().all(|term| term.is_met(free)),
            // Of none there is nothing to choose.
            Self::Any(terms) => terms.is_empty() || terms.iter().any(|term| term.is_met(free)),
        }
    }

    fn holds(&self, word: &str) -> bool {
        match self {
            Self::Name(name) => *name == word,
            Self::All(terms) | Self::Any(terms) => terms.iter().any(|term| term.holds(word)),
        }
    }
}

/// The parts of a text; nothing when it is not well formed, or too deep.
fn terms<'a>(text: &'a str, flags: &BTreeSet<&str>) -> Option<Vec<Term<'a>>> {
    let mut words = text.split_whitespace();
    let terms = group(&mut words, flags, 0)?;
    words.next().is_none().then_some(terms)
}

/// The parts up to the end of a group, or of the text; `depth` says in how many it stands.
fn group<'a>(
    words: &mut impl Iterator<Item = &'a str>,
    flags: &BTreeSet<&str>,
    depth: usize,
) -> Option<Vec<Term<'a>>> {
    if depth > DEPTH {
        return None;
    }
    let opened = |words: &mut _| opened(words, flags, depth + 1);
    let mut terms = Vec::new();
    while let Some(word) = words.next() {
        if word == ")" {
            return (depth > 0).then_some(terms);
        }
        if word == "(" {
            terms.push(Term::All(group(words, flags, depth + 1)?));
        } else if word == "||" {
            terms.push(Term::Any(opened(words)?));
        } else if let Some(condition) = word.strip_suffix('?') {
            let parts = opened(words)?;
            let (flag, wanted) = match condition.strip_prefix('!') {
                Some(flag) => (flag, false),
                None => (condition, true),
            };
            if flags.contains(flag) == wanted {
                terms.push(Term::All(parts));
            }
        } else {
            terms.push(Term::Name(word));
        }
    }
    (depth == 0).then_some(terms)
}

/// A group that has to begin here.
fn opened<'a>(
    words: &mut impl Iterator<Item = &'a str>,
    flags: &BTreeSet<&str>,
    depth: usize,
) -> Option<Vec<Term<'a>>> {
    (words.next() == Some("(")).then(|| group(words, flags, depth)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = "# groups\nGPL-COMPATIBLE GPL-2 MIT # free\nFREE @GPL-COMPATIBLE ZLIB @FREE\n\
                          BINARY-REDISTRIBUTABLE @FREE @NOBODY linux-fw-redistributable\n";

    #[test]
    fn groups_have_groups() {
        let mut groups = Groups::default();
        groups.read(GROUPS);
        groups.read("GPL-COMPATIBLE own\n");
        let all = ["GPL-2", "MIT", "ZLIB", "linux-fw-redistributable", "own"];
        assert_eq!(groups.licences(REDISTRIBUTABLE), all.into());
        assert!(groups.licences("NOBODY").is_empty());
    }

    #[test]
    fn what_may_be_handed_on() {
        let mut groups = Groups::default();
        groups.read(GROUPS);
        let free = groups.licences(REDISTRIBUTABLE);
        let flags = ["x", "y"].into();
        let forbids = |license, restrict| forbids(license, restrict, &flags, &free).is_some();
        for (license, restrict, expected) in [
            ("GPL-2", "", false),
            ("", "mirror test", false),
            ("GPL-2 ZLIB", "", false),
            ("GPL-2 NVIDIA", "", true),
            ("|| ( NVIDIA MIT )", "", false),
            ("|| ( NVIDIA EULA )", "", true),
            ("|| ( NVIDIA ( GPL-2 MIT ) )", "", false),
            ("|| ( NVIDIA ( GPL-2 EULA ) )", "", true),
            ("GPL-2 x? ( EULA )", "", true),
            ("GPL-2 z? ( EULA )", "", false),
            ("GPL-2 !x? ( EULA )", "", false),
            ("!z? ( EULA )", "", true),
            ("|| ( z? ( EULA ) )", "", false),
            ("x? ( y? ( EULA ) MIT )", "", true),
            ("GPL-2", "bindist", true),
            ("GPL-2", "mirror x? ( bindist )", true),
            ("GPL-2", "!x? ( bindist ) mirror", false),
            // What cannot be understood is not handed on.
            ("GPL-2 (", "", true),
            ("GPL-2 )", "", true),
            ("|| GPL-2", "", true),
        ] {
            assert_eq!(forbids(license, restrict), expected, "{license:?} {restrict:?}");
        }
    }
    #[test]
    fn groups_that_are_too_deep_are_not_handed_on() {
        let free = ["MIT"].into();
        for open in ["( ", "|| ( ", "x? ( "] {
            let nested = |depth| format!("{} MIT {}", open.repeat(depth), ") ".repeat(depth));
            let forbidden = |depth| forbids(&nested(depth), "", &["x"].into(), &free).is_some();
            assert!(!forbidden(DEPTH) && forbidden(DEPTH + 1) && forbidden(1_000_000), "{open}");
        }
    }
}
