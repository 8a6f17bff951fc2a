//! What Portage's configuration comes to.
//!
//! `portageq envvar -v NAME...` prints `NAME=value` with the value quoted for a shell
//! (`shlex.quote`), after the profile, make.conf and the environment have been put together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::attention::{self, Attention};
use super::signatures::{self, Signatures};

/// The variables that [`Settings`] is made of; ask
/// [`command::envvar`](crate::portage::command::envvar) for these.
#[must_use]
pub fn keys() -> Vec<&'static str> {
    [PLACES, TARGETS, signatures::KEYS, attention::KEYS].concat()
}

/// Variables that say for which versions of a language or of a compiler packages are built; they come to
/// USE flags (`profiles/desc` of the Gentoo repository).
const TARGETS: &[&str] = &[
    "LLVM_SLOT",
    "LUA_SINGLE_TARGET",
    "LUA_TARGETS",
    "PHP_TARGETS",
    "POSTGRES_TARGETS",
    "PYTHON_SINGLE_TARGET",
    "PYTHON_TARGETS",
    "RUBY_TARGETS",
];

/// Variables that say where things are and how Portage works.
const PLACES: &[&str] = &[
    "ARCH",
    "BINPKG_COMPRESS",
    "BINPKG_FORMAT",
    "CCACHE_PREFIX",
    "CHOST",
    "CPPFLAGS",
    "CXX",
    "DISTDIR",
    "EMERGE_LOG_DIR",
    "FEATURES",
    "FETCHCOMMAND",
    "INSTALL_MASK",
    "LDFLAGS",
    "MAKEOPTS",
    "PKGDIR",
    "PKG_INSTALL_MASK",
    "PORTAGE_BZIP2_COMMAND",
    "PORTAGE_COMPRESS",
    "PORTAGE_LOGDIR",
    "PORTAGE_TMPDIR",
    "PORT_LOGDIR",
    "ROOT",
    "USE",
];

/// Those of [`PLACES`] that are kept as they are, also when they are empty.
const OTHERS: &[&str] = &[
    "BINPKG_COMPRESS",
    "BINPKG_FORMAT",
    "CC",
    "CCACHE_PREFIX",
    "CFLAGS",
    "CPPFLAGS",
    "CXX",
    "CXXFLAGS",
    "FETCHCOMMAND",
    "INSTALL_MASK",
    "LDFLAGS",
    "PKG_INSTALL_MASK",
    "PORTAGE_BZIP2_COMMAND",
    "PORTAGE_COMPRESS",
    "ROOT",
    "USE",
];

/// Where Portage keeps things, and how it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Binary packages.
    pub pkgdir: PathBuf,
    /// Downloaded sources.
    pub distdir: PathBuf,
    /// Build logs; `None` when they are not kept. `PORTAGE_LOGDIR`, or `PORT_LOGDIR` as it was
    /// called before.
    pub logdir: Option<PathBuf>,
    /// Where emerge.log is.
    pub emerge_log_dir: PathBuf,
    /// Builds take place in `portage` below this.
    pub tmpdir: PathBuf,
    /// FEATURES in effect.
    pub features: BTreeSet<String>,
    /// What it makes of signed packages.
    pub signatures: Signatures,
    /// What of it leaves something to look at.
    pub attention: Attention,
    /// MAKEOPTS; empty when unset.
    pub makeopts: String,
    /// What `make_conf` judges beside FEATURES, by name; what is unset is not in it.
    pub others: BTreeMap<String, String>,
    /// `CHOST`; empty when the profile is invalid.
    pub chost: String,
    /// `ARCH`; empty when the profile is invalid.
    pub arch: String,
    /// What Portage has against the profile, in its own words, where it cannot read it.
    pub profile: Option<String>,
    /// What to build for: the words of each variable that is set and has any, such as `PYTHON_TARGETS`.
    pub targets: BTreeMap<String, BTreeSet<String>>,
}

impl Settings {
    /// Reads the output of `portageq envvar -v`. What is unset or empty gets Portage's default
    /// (make.globals).
    pub(crate) fn parse(text: &[u8]) -> Self {
        let mut values = values(text);
        let others = OTHERS.iter().filter_map(|name| Some(((*name).to_owned(), values.get(*name)?.clone())));
        let others = others.collect();
        let mut take = |name: &str| values.remove(name).filter(|value| !value.is_empty());
        let words = |value: String| value.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
        let targets = TARGETS.iter().filter_map(|name| Some(((*name).to_owned(), words(take(name)?))));
        let targets = targets.filter(|(_, words)| !words.is_empty()).collect();
        let path = |value: Option<String>, default: &str| PathBuf::from(value.as_deref().unwrap_or(default));
        let features = words(take("FEATURES").unwrap_or_default());
        Self {
            signatures: Signatures::new(&features, &mut take),
            attention: Attention::new(&mut take),
            pkgdir: path(take("PKGDIR"), "/var/cache/binpkgs"),
            distdir: path(take("DISTDIR"), "/var/cache/distfiles"),
            logdir: take("PORTAGE_LOGDIR").or_else(|| take("PORT_LOGDIR")).map(PathBuf::from),
            emerge_log_dir: path(take("EMERGE_LOG_DIR"), "/var/log"),
            tmpdir: path(take("PORTAGE_TMPDIR"), "/var/tmp"),
            features,
            makeopts: take("MAKEOPTS").unwrap_or_default(),
            others,
            chost: take("CHOST").unwrap_or_default(),
            arch: take("ARCH").unwrap_or_default(),
            profile: None,
            targets,
        }
    }
}

/// Reads `NAME=value` with values quoted for a shell, which may span lines. What cannot be read is
/// skipped up to the next line.
#[must_use]
pub fn values(text: &[u8]) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
        let equals = rest[..end].iter().position(|&b| b == b'=');
        match equals.and_then(|at| Some((name(&rest[..at])?, unquote(&rest[at + 1..])?))) {
            Some((name, (value, after))) => {
                out.insert(name, value);
                rest = after;
            }
            None => rest = rest.get(end + 1..).unwrap_or(&[]),
        }
    }
    out
}

fn name(text: &[u8]) -> Option<String> {
    let is_name = text.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'_');
    (is_name && !text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
}

/// One shell word up to the end of its line, and what follows that line. `None` when a quote stays
/// open or something else follows the word.
fn unquote(text: &[u8]) -> Option<(String, &[u8])> {
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        match text.get(at) {
            None | Some(b'\n') => break,
            Some(&quote @ (b'\'' | b'"')) => {
                let length = text[at + 1..].iter().position(|&b| b == quote)?;
                out.extend_from_slice(&text[at + 1..at + 1 + length]);
                at += length + 2;
            }
            Some(b' ' | b'\t') => return None,
            Some(&byte) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Some((String::from_utf8_lossy(&out).into_owned(), text.get(at + 1..).unwrap_or(&[])))
}

/// What `/etc/portage/make.profile` is; the supervisor looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProfileEntry<'a> {
    /// There is nothing of that name.
    Missing,
    /// A symbolic link, with where it points and whether a directory is there.
    Link {
        /// The text of the link.
        target: &'a Path,
        /// Whether it leads to a directory.
        leads_to_directory: bool,
    },
    /// A directory of its own, which is allowed.
    Directory,
    /// Something else.
    Other,
}

/// Why emerge would refuse to work with a profile. The text is what the operator reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProfileProblem {
    /// No link.
    #[error("no profile is selected: /etc/portage/make.profile does not exist")]
    Missing,
    /// The link leads nowhere, which is so as long as there is no tree.
    #[error("the profile is gone: /etc/portage/make.profile points to {}, which is not there", .0.display())]
    Dangling(PathBuf),
    /// A file.
    #[error("/etc/portage/make.profile is neither a link nor a directory")]
    NotALink,
    /// Portage cannot read some file of it; its words.
    #[error("Portage cannot read the profile: {0}")]
    Unreadable(String),
    /// A directory without what makes it a profile.
    #[error("the profile is incomplete: it does not set ARCH")]
    NoArch,
}

/// Checks what `_emerge/main.py:profile_check` checks: there is a profile and it sets ARCH.
///
/// # Errors
/// [`ProfileProblem`] when emerge would say that the profile is invalid.
pub(crate) fn check_profile(entry: ProfileEntry, settings: &Settings) -> Result<(), ProfileProblem> {
    match (entry, &settings.profile) {
        (ProfileEntry::Missing, _) => Err(ProfileProblem::Missing),
        (ProfileEntry::Other, _) => Err(ProfileProblem::NotALink),
        (ProfileEntry::Link { target, leads_to_directory: false }, _) => {
            Err(ProfileProblem::Dangling(target.to_path_buf()))
        }
        (ProfileEntry::Link { .. } | ProfileEntry::Directory, Some(words)) => {
            let words = words.split_once("ParseError: ").map_or(words.as_str(), |(_, words)| words);
            Err(ProfileProblem::Unreadable(words.to_owned()))
        }
        (ProfileEntry::Link { .. } | ProfileEntry::Directory, None) if settings.arch.is_empty() => {
            Err(ProfileProblem::NoArch)
        }
        (ProfileEntry::Link { .. } | ProfileEntry::Directory, None) => Ok(()),
    }
}

/// The file in which Portage found what it has against the profile; it comes last in its words.
pub(crate) fn blamed(settings: &Settings) -> Option<PathBuf> {
    let path = settings.profile.as_ref()?.rsplit('\'').nth(1)?;
    path.starts_with('/').then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_values() {
        for (text, want) in [
            ("CHOST=x86_64-pc-linux-gnu\n", Some("x86_64-pc-linux-gnu")),
            ("CHOST='a b'\n", Some("a b")),
            ("CHOST=''\n", Some("")),
            ("CHOST='it'\"'\"'s'", Some("it's")),
            ("CHOST='two\nlines'\nOTHER=1\n", Some("two\nlines")),
            ("CHOST='open\n", None),
            ("garbage\nCHOST=a\n", Some("a")),
            ("CHOST=a b\n", None),
            ("WARNING: x = 'y\nCHOST=a\n", Some("a")),
        ] {
            assert_eq!(values(text.as_bytes()).get("CHOST").map(String::as_str), want, "{text}");
        }
        assert_eq!(values(b"A='\xff'\n\0\nB=2")["B"], "2");
    }

    #[test]
    fn settings_and_their_defaults() {
        let settings = Settings::parse(
            b"PKGDIR=/var/lib/gbsup/binpkgs\nPORTAGE_LOGDIR=''\nPORT_LOGDIR=/old\nFEATURES='sandbox  strict'\nARCH=amd64\n",
        );
        assert_eq!(settings.pkgdir, Path::new("/var/lib/gbsup/binpkgs"));
        assert_eq!(settings.distdir, Path::new("/var/cache/distfiles"));
        assert_eq!(settings.logdir.as_deref(), Some(Path::new("/old")));
        assert_eq!(settings.tmpdir, Path::new("/var/tmp"));
        assert_eq!(settings.features.iter().map(String::as_str).collect::<Vec<_>>(), ["sandbox", "strict"]);
        assert_eq!(Settings::parse(b"").logdir, None);
    }

    #[test]
    fn real_settings() {
        let settings = Settings::parse(include_bytes!("../../../tests/captured/envvar.txt"));
        assert_eq!((settings.arch.as_str(), settings.chost.as_str()), ("amd64", "x86_64-pc-linux-gnu"));
        assert_eq!((settings.logdir, settings.emerge_log_dir), (None, PathBuf::from("/var/log")));
        assert!(
            settings.features.contains("buildpkg-proactive") && !settings.features.contains("merge-wait")
        );
    }

    #[test]
    fn profiles() {
        let good = Settings::parse(b"ARCH=amd64\n");
        let bad = Settings::parse(b"");
        let words = "Unable to parse profile: '/p': ParseError: Parent '/r/nope' not found: '/r/p/parent'";
        let unread = Settings { profile: Some(words.to_owned()), ..bad.clone() };
        assert_eq!((blamed(&unread), blamed(&bad)), (Some(PathBuf::from("/r/p/parent")), None));
        let link = |leads_to_directory| ProfileEntry::Link { target: Path::new("../p"), leads_to_directory };
        for (entry, settings, want) in [
            (
                ProfileEntry::Missing,
                &bad,
                Some("no profile is selected: /etc/portage/make.profile does not exist"),
            ),
            (
                link(false),
                &bad,
                Some("the profile is gone: /etc/portage/make.profile points to ../p, which is not there"),
            ),
            (ProfileEntry::Other, &bad, Some("/etc/portage/make.profile is neither a link nor a directory")),
            (link(true), &bad, Some("the profile is incomplete: it does not set ARCH")),
            (
                link(true),
                &unread,
                Some("Portage cannot read the profile: Parent '/r/nope' not found: '/r/p/parent'"),
            ),
            (link(true), &good, None),
            (ProfileEntry::Directory, &good, None),
        ] {
            let got = check_profile(entry, settings).err().map(|problem| problem.to_string());
            assert_eq!(got.as_deref(), want, "{entry:?}");
        }
    }
}
