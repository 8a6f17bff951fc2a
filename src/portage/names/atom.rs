//! Atoms: which packages a dependency means, `>=cat/pkg-1.2:0/1=[flag,-other(+)]`.
//!
//! Source: the Package Manager Specification, 8.3, and `portage/dep/__init__.py` (`Atom`, `match_from_list`),
//! with which `tests/atoms.rs` compares it. The crate `portage-atom` 0.12 was tried against the same cases:
//! it reads no number above 2^64, and where a package has no sub-slot it lets every one match.

use std::cmp::Ordering;
use std::fmt;

use serde::Serialize;

use super::cpv::{Cpv, CpvRef, is_name, version_start};
use super::version;

/// How the version of an atom is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `=`
    Exactly,
    /// `=...*`: what begins so.
    Begins,
    /// `~`: any revision of it.
    AnyRevision,
    /// `>=`
    AtLeast,
    /// `>`
    Greater,
}

/// What an atom asks of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// `flag`, `-flag`
    Is(bool),
    /// `flag?`, `!flag?`: where the one that asks has it so.
    IfSo(bool),
    /// `flag=` (true), `!flag=` (false): as the one that asks has it, or the opposite.
    Same(bool),
}

/// A flag of an atom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FlagDependency<'a> {
    name: &'a str,
    asked: Asked,
    /// `(+)` or `(-)`: what a package is taken to have that does not know the flag.
    default: Option<bool>,
}

/// A package dependency, in the text that it was read from: an index has a hundred thousand of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Atom<'a> {
    text: &'a str,
    blocks: bool,
    cp: &'a str,
    version: Option<(Operator, &'a str)>,
    /// Slot and sub-slot, as far as they are fixed.
    slot: Option<&'a str>,
    sub_slot: Option<&'a str>,
    flags: Box<[FlagDependency<'a>]>,
}

/// A text that is not an atom.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no atom")]
pub struct NotAnAtom(pub String);

/// A package that an atom may mean.
pub trait Candidate {
    /// Which.
    fn cpv(&self) -> &Cpv;
    /// Its slot and its sub-slot.
    fn slot(&self) -> (&str, &str);
    /// Whether it was built with a flag; nothing when it has no such flag.
    fn flag(&self, name: &str) -> Option<bool>;
}

impl<'a> Atom<'a> {
    /// Reads an atom. A repository (`::gentoo`) is read and passed over: dependencies name none.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &'a str) -> Result<Self, NotAnAtom> {
        Self::read(text).ok_or_else(|| NotAnAtom(text.to_owned()))
    }

    fn read(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("!!").or_else(|| text.strip_prefix('!')).unwrap_or(text);
        let blocks = rest.len() < text.len();
        let (rest, flags) = match rest.split_once('[') {
            Some((rest, flags)) => {
                let flags = flags.strip_suffix(']')?.split(',').map(FlagDependency::read);
                (rest, flags.collect::<Option<_>>()?)
            }
            None => (rest, Box::default()),
        };
        let rest = rest.split("::").next()?;
        let (name, slot) = rest.split_once(':').map_or((rest, None), |(name, slot)| (name, Some(slot)));
        let (slot, sub_slot) = read_slot(slot)?;
        let (cp, version) = read_name(name)?;
        Some(Self { text, blocks, cp, version, slot, sub_slot, flags })
    }

    /// Whether it says what must not be there.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.blocks
    }

    /// `category/package`.
    #[must_use]
    pub fn cp(&self) -> &'a str {
        self.cp
    }

    /// Whether it means a version, with its revision; always when it names none.
    pub(crate) fn means_version(&self, version: &str) -> bool {
        let Some((operator, own)) = self.version else { return true };
        let order = || version::compare(version, own);
        match operator {
            Operator::Less => order() == Ordering::Less,
            Operator::AtMost => order() != Ordering::Greater,
            Operator::Exactly => order() == Ordering::Equal,
            Operator::AtLeast => order() != Ordering::Less,
            Operator::Greater => order() == Ordering::Greater,
            // As text: `~a/b-01.2` is not version 1.2, although they are equal.
            Operator::AnyRevision => version::without_revision(version) == own,
            Operator::Begins => begins(version, own),
        }
    }

    /// Whether it means this package, when one asks for it whose flags are these.
    pub fn means(&self, candidate: &impl Candidate, has: impl Fn(&str) -> bool) -> bool {
        let is_so = |flag: &FlagDependency| flag.is_as_asked(candidate.flag(flag.name), || has(flag.name));
        self.means_build(candidate.cpv(), candidate.slot()) && self.flags.iter().all(is_so)
    }

    /// Whether it means this version in this slot and sub-slot, whatever its flags.
    #[must_use]
    pub fn means_build(&self, cpv: &Cpv, (slot, sub_slot): (&str, &str)) -> bool {
        cpv.cp() == self.cp()
            && self.slot.is_none_or(|wanted| wanted == slot)
            && self.sub_slot.is_none_or(|wanted| wanted == sub_slot)
            && self.means_version(cpv.version())
    }
}

/// The atom as it was written.
impl fmt::Display for Atom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// Slot and sub-slot of what follows the `:`; the outer `None` when that is neither.
fn read_slot(text: Option<&str>) -> Option<(Option<&str>, Option<&str>)> {
    let Some(text) = text else { return Some((None, None)) };
    let bare = text.strip_suffix(['=', '*']).unwrap_or(text);
    if bare.is_empty() {
        return (!text.is_empty()).then_some((None, None));
    }
    let (slot, sub_slot) = bare.split_once('/').map_or((bare, None), |(slot, sub)| (slot, Some(sub)));
    let named = |text: &str| is_name(text, b"+_.-");
    (named(slot) && sub_slot.is_none_or(named)).then_some((Some(slot), sub_slot))
}

/// `category/package`, and the version where an operator says that there is one.
fn read_name(text: &str) -> Option<(&str, Option<(Operator, &str)>)> {
    const OPERATORS: [(&str, Operator); 6] = [
        ("<=", Operator::AtMost),
        (">=", Operator::AtLeast),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("=", Operator::Exactly),
        ("~", Operator::AnyRevision),
    ];
    let found = OPERATORS.iter().find_map(|(sign, operator)| Some((text.strip_prefix(sign)?, *operator)));
    let Some((rest, operator)) = found else {
        let (category, package) = text.split_once('/')?;
        let is_one =
            is_name(category, b"+_.-") && is_name(package, b"+_-") && version_start(package).is_none();
        return is_one.then_some((text, None));
    };
    let (rest, operator) = match rest.strip_suffix('*') {
        Some(rest) if operator == Operator::Exactly => (rest, Operator::Begins),
        Some(_) => return None,
        None => (rest, operator),
    };
    let cpv = CpvRef::parse(rest.as_bytes())?;
    Some((cpv.cp(), Some((operator, cpv.version()))))
}

/// `=...*`: as text, but only up to the end of a part: `1.2` does not begin `1.20`. Zeros before it do not count.
fn begins(version: &str, own: &str) -> bool {
    let bare = |text: &str| {
        let stripped = text.trim_start_matches('0');
        if stripped.starts_with(|c: char| c.is_ascii_digit()) {
            stripped.to_owned()
        } else {
            format!("0{stripped}")
        }
    };
    let (version, own) = (bare(version), bare(own));
    let Some(rest) = version.strip_prefix(&own) else { return false };
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    rest.is_empty()
        || rest.starts_with(['.', '_', '-'])
        || is_digit(own.chars().last()) != is_digit(rest.chars().next())
}

impl<'a> FlagDependency<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (text, asked): (&str, fn(bool) -> Asked) = match text.strip_suffix('?') {
            Some(text) => (text, Asked::IfSo),
            None => match text.strip_suffix('=') {
                Some(text) => (text, Asked::Same),
                None => (text, Asked::Is),
            },
        };
        let is_condition = !matches!(asked(true), Asked::Is(_));
        let (text, positive) = match text.strip_prefix(if is_condition { '!' } else { '-' }) {
            Some(text) => (text, false),
            None => (text, true),
        };
        let (name, default) = match (text.strip_suffix("(+)"), text.strip_suffix("(-)")) {
            (Some(name), _) => (name, Some(true)),
            (_, Some(name)) => (name, Some(false)),
            (None, None) => (text, None),
        };
        is_name(name, b"+_@-").then(|| Self { name, asked: asked(positive), default })
    }

    /// A flag that the package does not have and for which there is no default never is, even where its state
    /// would not matter.
    fn is_as_asked(self, state: Option<bool>, has: impl Fn() -> bool) -> bool {
        let Some(state) = state.or(self.default) else { return false };
        match self.asked {
            Asked::Is(wanted) => state == wanted,
            Asked::IfSo(wanted) => has() != wanted || state == wanted,
            Asked::Same(same) => (has() == state) == same,
        }
    }
}

/// What is provided whatever is offered (`publish.provided`): `category/package` in any version, or one version
/// of it, `category/package-1.2`. Portage's `package.provided` knows no slots and no flags either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Provided {
    cp: String,
    version: Option<String>,
}

impl Provided {
    /// Reads one; an `=` before a version is passed over. `None` when it is neither.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(cpv) = Cpv::parse(text.strip_prefix('=').unwrap_or(text).as_bytes()) {
            return Some(Self { cp: cpv.cp().to_owned(), version: Some(cpv.version().to_owned()) });
        }
        let atom = Atom::parse(text).ok()?;
        (atom.text == atom.cp()).then(|| Self { cp: atom.cp().to_owned(), version: None })
    }

    /// Whether it is what an atom means.
    pub(crate) fn satisfies(&self, atom: &Atom) -> bool {
        atom.cp() == self.cp && self.version.as_ref().is_none_or(|version| atom.means_version(version))
    }

    /// Whether it is this package.
    pub(crate) fn is(&self, cpv: &Cpv) -> bool {
        cpv.cp() == self.cp && self.version.as_ref().is_none_or(|version| version == cpv.version())
    }
}

impl From<Provided> for String {
    fn from(Provided { cp, version }: Provided) -> Self {
        version.map_or(cp.clone(), |version| format!("{cp}-{version}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_atom() {
        for (text, is_one) in [
            ("a/b", true),
            (">=a/b-1.2:0/1=[x,-y(+),z?]", true),
            ("=a/b-1*", true),
            ("!!<a/b-2", true),
            ("a/b::gentoo", true),
            ("dev-libs/libA+-x:3.0", true),
            ("a/b:=", true),
            ("a/b-1", false),
            (">=a/b", false),
            (">=a/b-1*", false),
            ("a/b:", false),
            ("a/b[x", false),
            ("a/b[]", false),
            ("a/b[x??]", false),
            ("a", false),
            ("", false),
            ("||", false),
        ] {
            assert_eq!(Atom::parse(text).is_ok(), is_one, "{text}");
        }
    }

    #[test]
    fn what_clients_have_anyway() {
        let atom = |text| Atom::parse(text).unwrap();
        let any = Provided::parse("sys-libs/glibc").unwrap();
        assert!(any.satisfies(&atom(">=sys-libs/glibc-2.99:2.2[x]")));
        assert!(!any.satisfies(&atom("sys-libs/zlib")));
        let one = Provided::parse("=sys-libs/glibc-2.41-r1").unwrap();
        assert!(
            one.satisfies(&atom(">=sys-libs/glibc-2.40")) && !one.satisfies(&atom("<sys-libs/glibc-2.40"))
        );
        assert!(one.is(&Cpv::parse(b"sys-libs/glibc-2.41-r1").unwrap()));
        for text in ["glibc", ">=sys-libs/glibc-2.40", "sys-libs/glibc:2.2", ""] {
            assert_eq!(Provided::parse(text), None, "{text}");
        }
    }
}
