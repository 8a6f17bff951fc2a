//! What a package needs: RDEPEND and the like.
//!
//! Source: the Package Manager Specification, 8.2, and `portage/dep/__init__.py:use_reduce`.

use super::atom::{Atom, NotAnAtom};

/// How deep groups stand in each other, at the most. An ebuild has three or four levels; each takes a part of the stack.
pub(crate) const DEPTH: usize = 64;

/// A dependency, with the conditions on the package's own flags already decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need<'a> {
    /// A package, or that it is not there.
    Atom(Atom<'a>),
    /// All of these.
    All(Vec<Need<'a>>),
    /// One of these, of which none is an [`Any`](Self::Any) without members.
    Any(Vec<Need<'a>>),
}

/// A text that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A word in it is no atom.
    #[error(transparent)]
    Atom(#[from] NotAnAtom),
    /// Its parentheses do not match, or something stands before one that may not.
    #[error("`{0}` is in the wrong place")]
    Place(String),
    /// Its groups stand deeper in each other than anybody can mean.
    #[error("its groups are nested more than {DEPTH} deep")]
    Deep,
}

/// Reads the dependencies of a package that has these flags.
///
/// A group of which nothing is left counts as fulfilled, `|| ( )` too: an index has the conditions decided
/// already, and Portage let no package be built whose dependencies it did not find fulfilled.
///
/// # Errors
/// When it cannot be read.
pub fn parse(text: &str, has: impl Fn(&str) -> bool) -> Result<Vec<Need<'_>>, Problem> {
    let mut words = text.split_whitespace();
    let needs = group(&mut words, &has, 0)?;
    Ok(needs)
}

/// Reads up to the `)` of a group, or up to the end where there is no group; `depth` says in how many it stands.
fn group<'a>(
    words: &mut impl Iterator<Item = &'a str>,
    has: &impl Fn(&str) -> bool,
    depth: usize,
) -> Result<Vec<Need<'a>>, Problem> {
    if depth > DEPTH {
        return Err(Problem::Deep);
    }
    let wrong = |word: &str| Problem::Place(word.to_owned());
    let mut needs = Vec::new();
    while let Some(word) = words.next() {
        match word {
            ")" if depth > 0 => return Ok(needs),
            ")" => return Err(wrong(word)),
            "(" => needs.push(Need::All(group(words, has, depth + 1)?)),
            "||" => {
                open(words, word)?;
                let any = group(words, has, depth + 1)?;
                if !any.is_empty() {
                    needs.push(Need::Any(any));
                }
            }
            _ => match word.strip_suffix('?') {
                Some(flag) => {
                    open(words, word)?;
                    let (flag, wanted) = flag.strip_prefix('!').map_or((flag, true), |flag| (flag, false));
                    let inner = group(words, has, depth + 1)?;
                    if has(flag) == wanted {
                        // One member of an `||` around it, as use_reduce has it.
                        needs.push(Need::All(inner));
                    }
                }
                None => needs.push(Need::Atom(Atom::parse(word)?)),
            },
        }
    }
    if depth > 0 { Err(wrong("(")) } else { Ok(needs) }
}

fn open<'a>(words: &mut impl Iterator<Item = &'a str>, after: &str) -> Result<(), Problem> {
    match words.next() {
        Some("(") => Ok(()),
        _ => Err(Problem::Place(after.to_owned())),
    }
}

impl<'a> Need<'a> {
    /// Every atom in it.
    pub fn for_each(&self, visit: &mut impl FnMut(&Atom<'a>)) {
        match self {
            Self::Atom(atom) => visit(atom),
            Self::All(needs) | Self::Any(needs) => needs.iter().for_each(|need| need.for_each(visit)),
        }
    }

    /// What of it is not there, by the word of `is_there`: nothing, or the first atom that is missing, of several
    /// choices the first. What must not be there is passed over: that is between the packages of one system.
    pub(crate) fn missing(&self, is_there: &impl Fn(&Atom<'a>) -> bool) -> Option<&Atom<'a>> {
        match self {
            Self::Atom(atom) => (!atom.blocks() && !is_there(atom)).then_some(atom),
            Self::All(needs) => needs.iter().find_map(|need| need.missing(is_there)),
            Self::Any(needs) => {
                let mut first = None;
                for need in needs {
                    let missing = need.missing(is_there)?;
                    first = first.or(Some(missing));
                }
                first
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is missing where only `there` is, with the flag `on`.
    fn missing(text: &str, there: &[&str]) -> Option<String> {
        let needs = parse(text, |flag| flag == "on").unwrap_or_else(|problem| panic!("{text}: {problem}"));
        let is_there = |atom: &Atom| there.contains(&atom.cp());
        needs.iter().find_map(|need| need.missing(&is_there)).map(ToString::to_string)
    }

    #[test]
    fn what_is_missing() {
        for (text, there, want) in [
            ("", &[][..], None),
            ("a/b >=a/c-1", &["a/b"], Some(">=a/c-1")),
            ("|| ( a/b a/c ) a/b", &["a/c"], Some("a/b")),
            ("|| ( a/b a/c )", &["a/c"], None),
            ("|| ( a/b ( a/c a/d ) )", &["a/c"], Some("a/b")),
            ("|| ( a/b ( a/c a/d ) )", &["a/c", "a/d"], None),
            ("on? ( a/b ) off? ( a/c ) !off? ( a/d ) !on? ( a/e )", &["a/b"], Some("a/d")),
            ("on? ( !off? ( || ( a/b:0/1= a/c ) ) )", &[], Some("a/b:0/1=")),
            ("|| ( off? ( a/b ) a/c )", &[], Some("a/c")),
            ("|| ( off? ( a/b ) )", &[], None),
            ("!a/b !!<a/c-2", &[], None),
            ("( a/b ( a/c ) )", &["a/b"], Some("a/c")),
        ] {
            assert_eq!(missing(text, there).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read() {
        for text in ["(", ")", "|| a/b", "on? a/b", "a/b-1", "|| (", "( a/b", "on?", "^^ ( a/b )"] {
            assert!(parse(text, |_| true).is_err(), "{text}");
        }
    }

    #[test]
    fn groups_that_are_too_deep_are_refused() {
        for open in ["( ", "|| ( ", "x? ( "] {
            let nested = |depth| format!("{} a/b {}", open.repeat(depth), ") ".repeat(depth));
            assert!(parse(&nested(DEPTH), |_| true).is_ok(), "{open}");
            assert_eq!(parse(&nested(DEPTH + 1), |_| true), Err(Problem::Deep), "{open}");
            assert_eq!(parse(&nested(1_000_000), |_| true), Err(Problem::Deep), "{open}");
        }
    }
}
