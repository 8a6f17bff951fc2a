//! Package names: `category/package-version`, the key of everything Portage logs.
//!
//! Source: the Package Manager Specification, chapter 3 (names and versions), and Portage's
//! `portage.versions`. Only what the parsers need: taking a name apart.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One version of one package, `category/pf`, known to be well formed.
///
/// It orders by text, which groups the versions of a package; it is not Gentoo's version order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Cpv {
    text: String,
    /// Offset of the `/`.
    slash: usize,
    /// Offset of the `-` before the version.
    dash: usize,
}

/// A text that is not `category/package-version`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not category/package-version")]
pub struct NotACpv(pub String);

/// The same in somebody else's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpvRef<'a> {
    text: &'a str,
    slash: usize,
    dash: usize,
}

impl<'a> CpvRef<'a> {
    /// See [`Cpv::parse`].
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let slash = text.find('/')?;
        let (category, pf) = (&text[..slash], &text[slash + 1..]);
        if !is_name(category, b"+_.-") || !is_name(pf, b"+_.-") {
            return None;
        }
        let dash = version_start(pf)?;
        let pn = &pf[..dash];
        // A name does not end in something like a version: `t1-1-1` is a binary package of `t1-1`.
        let second_version = pn.rsplit_once('-').is_some_and(|(_, end)| is_version(end));
        if pn.contains('.') || second_version {
            return None;
        }
        Some(Self { text, slash, dash: slash + 1 + dash })
    }

    /// `category/package-version`.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// `category/package`.
    #[must_use]
    pub fn cp(self) -> &'a str {
        &self.text[..self.dash]
    }

    /// `version`, with the revision.
    pub(crate) fn version(self) -> &'a str {
        &self.text[self.dash + 1..]
    }
}

impl Cpv {
    /// Takes `category/pf` apart; `None` when it is not one, so that a damaged line is skipped.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let CpvRef { text, slash, dash } = CpvRef::parse(text)?;
        Some(Self { text: text.to_owned(), slash, dash })
    }

    /// The same for a name that may end in the number of a build, as binary packages have it:
    /// `category/pf-3`. There is no doubt: nothing that ends in a version is a package's name.
    pub(crate) fn parse_built(text: &[u8]) -> Option<Self> {
        let dash = text.iter().rposition(|&b| b == b'-')?;
        let is_number = text[dash + 1..].iter().all(u8::is_ascii_digit);
        let bare = if is_number { Self::parse(&text[..dash]) } else { None };
        bare.or_else(|| Self::parse(text))
    }

    /// `category/package-version`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `category`.
    pub(crate) fn category(&self) -> &str {
        &self.text[..self.slash]
    }

    /// `package`, without version.
    pub(crate) fn pn(&self) -> &str {
        &self.text[self.slash + 1..self.dash]
    }

    /// `package-version`.
    #[must_use]
    pub fn pf(&self) -> &str {
        &self.text[self.slash + 1..]
    }

    /// `version`, with the revision.
    pub(crate) fn version(&self) -> &str {
        &self.text[self.dash + 1..]
    }

    /// `category/package`.
    #[must_use]
    pub fn cp(&self) -> &str {
        &self.text[..self.dash]
    }

    /// Whether a person means it by `name`, `category/name`, `name-version`, `category/name-version` or
    /// `=category/name-version`.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        [self.pn(), self.pf(), self.cp(), self.as_str()].contains(&name.trim_start_matches('='))
    }

    /// The atom that means exactly this version: `=category/package-version`.
    pub(crate) fn atom(&self) -> String {
        format!("={}", self.text)
    }
}

impl fmt::Display for Cpv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Cpv> for String {
    fn from(cpv: Cpv) -> Self {
        cpv.text
    }
}

impl TryFrom<String> for Cpv {
    type Error = NotACpv;

    fn try_from(text: String) -> Result<Self, NotACpv> {
        Self::parse(text.as_bytes()).ok_or(NotACpv(text))
    }
}

/// The most bytes of a name. Portage makes files and directories of categories, packages and versions (`NAME_MAX`).
const LONGEST: usize = 255;

/// Letters, digits and `also`, not starting with `-`, `.` or `+`, not empty, and no longer than the name of a file.
pub(crate) fn is_name(name: &str, also: &[u8]) -> bool {
    !name.starts_with(['-', '.', '+'])
        && (1..=LONGEST).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || also.contains(&b))
}

/// Offset of the `-` before the version of a `package-version`.
///
/// The first `-` after which everything is a version; a package name that ends in something like a
/// version is not allowed, so there is no second candidate. What is too long for a name has none.
pub(crate) fn version_start(pf: &str) -> Option<usize> {
    if pf.len() > LONGEST {
        return None;
    }
    let dash = |&at: &usize| at > 0 && pf.as_bytes()[at] == b'-' && is_version(&pf[at + 1..]);
    (0..pf.len()).find(dash)
}

/// Whether a text is `category/name`, without a version.
pub(crate) fn is_cp(text: &str) -> bool {
    text.split_once('/').is_some_and(|(category, name)| {
        is_name(category, b"+_.-") && is_name(name, b"+_-") && version_start(name).is_none()
    })
}

/// Whether the text is a version: `1.2.3b_rc1_p2-r3`. It is read from left to right, once: every name that Portage logs is asked for.
pub(crate) fn is_version(text: &str) -> bool {
    let number = |text: &mut &[u8]| {
        let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        *text = &text[length..];
        length > 0
    };
    let mut rest = text.as_bytes();
    if !number(&mut rest) {
        return false;
    }
    while let [b'.', after @ ..] = rest {
        rest = after;
        if !number(&mut rest) {
            return false;
        }
    }
    if let [b'a'..=b'z', after @ ..] = rest {
        rest = after;
    }
    while let [b'_', after @ ..] = rest {
        let suffix = SUFFIXES.iter().find_map(|suffix| after.strip_prefix(*suffix));
        let Some(after) = suffix else { return false };
        rest = after;
        number(&mut rest);
    }
    match rest {
        [] => true,
        [b'-', b'r', revision @ ..] => {
            rest = revision;
            number(&mut rest) && rest.is_empty()
        }
        _ => false,
    }
}

/// What may follow the numbers of a version, `pre` before the `p` that it begins with.
const SUFFIXES: [&[u8]; 5] = [b"alpha", b"beta", b"pre", b"rc", b"p"];

impl Cpv {
    /// Whether it is a live ebuild by the convention of its version: `9999`, `1.9999`, `99999999`.
    pub(crate) fn is_live(&self) -> bool {
        let bare = self.version().split(['-', '_']).next().unwrap_or_default();
        bare.rsplit('.').next().is_some_and(|last| last.len() >= 4 && last.bytes().all(|byte| byte == b'9'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portage::names::exclude::exclude_atom;

    #[test]
    fn what_is_too_long_for_a_file_is_no_name() {
        let named = |length: usize| format!("a/{}-1", "b".repeat(length - 2));
        assert!(Cpv::parse(named(255).as_bytes()).is_some());
        assert_eq!(Cpv::parse(named(256).as_bytes()), None);
        // Each `-1` would be the begin of a version if what follows were one.
        let long = format!("a/b{}-x", "-1".repeat(500_000));
        assert_eq!((Cpv::parse(long.as_bytes()), exclude_atom(&long)), (None, None));
    }

    #[test]
    fn names_are_taken_apart() {
        for (text, parts) in [
            ("dev-lang/rust-1.84.1", Some(("dev-lang", "rust", "1.84.1"))),
            ("sys-libs/zlib-1.3.1-r1", Some(("sys-libs", "zlib", "1.3.1-r1"))),
            ("media-libs/libpng-1.6.40_pre2", Some(("media-libs", "libpng", "1.6.40_pre2"))),
            (
                "app-text/texlive-core-2024_p20240311-r2",
                Some(("app-text", "texlive-core", "2024_p20240311-r2")),
            ),
            ("media-libs/openssl-1.0.2u", Some(("media-libs", "openssl", "1.0.2u"))),
            ("media-libs/x264-0.0.20231114", Some(("media-libs", "x264", "0.0.20231114"))),
            ("media-fonts/font-adobe-100dpi-1.0.4", Some(("media-fonts", "font-adobe-100dpi", "1.0.4"))),
            ("dev-util/gtk+-2.24.33-r3", Some(("dev-util", "gtk+", "2.24.33-r3"))),
            (
                "virtual/perl-Scalar-List-Utils-1.630.0",
                Some(("virtual", "perl-Scalar-List-Utils", "1.630.0")),
            ),
            ("sys-devel/gcc-9999", Some(("sys-devel", "gcc", "9999"))),
            ("test-quick/t1-1-1", None),
            ("sys-devel/gcc", None),
            ("gcc-13.2.0", None),
            ("a/b/c-1", None),
            ("/x-1", None),
            ("a/-1", None),
            ("a/b-1 c", None),
            ("a/b-1\0", None),
            ("a/b-", None),
            ("a/b-1-r", None),
            ("a/b-1_bogus1", None),
            ("", None),
        ] {
            let got = Cpv::parse(text.as_bytes());
            let got = got.as_ref().map(|c| (c.category(), c.pn(), c.version()));
            assert_eq!(got, parts, "{text}");
        }
        assert_eq!(Cpv::parse(b"a/b\xff-1"), None);
    }

    /// By splitting, as the specification describes it (PMS 3.2).
    fn is_version_in_parts(text: &str) -> bool {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (text, revision) = match text.rsplit_once("-r") {
            Some((text, revision)) => (text, Some(revision)),
            None => (text, None),
        };
        let mut parts = text.split('_');
        let numbers = parts.next().unwrap_or_default();
        let numbers = numbers.strip_suffix(|c: char| c.is_ascii_lowercase()).unwrap_or(numbers);
        revision.is_none_or(is_number)
            && numbers.split('.').all(is_number)
            && parts.all(|suffix| {
                let name = suffix.trim_end_matches(|c: char| c.is_ascii_digit());
                matches!(name, "alpha" | "beta" | "pre" | "rc" | "p")
            })
    }

    #[test]
    fn every_short_text_is_a_version_or_none() {
        const PIECES: [&str; 9] = ["1", "20", ".", "_", "-r", "p", "pre", "b", "alpha"];
        let mut texts = vec![String::new()];
        let mut versions = 0;
        for _ in 0..5 {
            texts = texts.iter().flat_map(|text| PIECES.map(|piece| format!("{text}{piece}"))).collect();
            for text in &texts {
                assert_eq!(is_version(text), is_version_in_parts(text), "{text}");
                versions += u32::from(is_version(text));
            }
        }
        assert!(versions > 300, "{versions}");
    }

    #[test]
    fn numbers_of_builds_are_left_out() {
        for (text, want) in [
            ("media-libs/freetype-2.12.1-1", Some("media-libs/freetype-2.12.1")),
            ("media-libs/freetype-2.12.1", Some("media-libs/freetype-2.12.1")),
            ("test-quick/t1-2-13", Some("test-quick/t1-2")),
            ("test-quick/t1-2", Some("test-quick/t1-2")),
            ("a/b-1-r2-3", Some("a/b-1-r2")),
            ("a/b-1-r2", Some("a/b-1-r2")),
            ("media-fonts/font-adobe-100dpi-1", Some("media-fonts/font-adobe-100dpi-1")),
            ("a/b-", None),
            ("a/b", None),
        ] {
            assert_eq!(Cpv::parse_built(text.as_bytes()).as_ref().map(Cpv::as_str), want, "{text}");
        }
    }

    #[test]
    fn versions_of_nines_are_live() {
        for (text, live) in [
            ("a/b-9999", true),
            ("a/b-1.9999-r1", true),
            ("a/b-99999999", true),
            ("a/b-1.999", false),
            ("a/b-9999.1", false),
            ("a/b-2.19999", false),
        ] {
            assert_eq!(Cpv::parse(text.as_bytes()).expect("well formed").is_live(), live, "{text}");
        }
    }

    #[test]
    fn serde_is_the_text_and_checks_it() {
        let cpv = Cpv::parse(b"a/b-1").expect("well formed");
        assert_eq!(serde_json::to_string(&cpv).expect("serialises"), r#""a/b-1""#);
        assert_eq!(serde_json::from_str::<Cpv>(r#""a/b-1""#).expect("reads"), cpv);
        assert!(serde_json::from_str::<Cpv>(r#""b-1""#).is_err());
    }
}
