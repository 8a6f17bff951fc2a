//! What this Portage can do.
//!
//! A stable tree may carry a Portage several years old, and an option it does not know is a usage
//! error, so everything newer than the oldest supported version is asked for only where it exists.
//! The gates are the versions named in Portage's NEWS file.

use std::fmt;
use std::str::FromStr;

/// A version of Portage, such as 3.0.83 or 3.0.82.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Version([u32; 4]);

/// A text in which no version of Portage was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no Portage version in `{0}`")]
pub(crate) struct NoVersion(String);

impl Version {
    /// Makes a version out of its numbers; missing ones are zero.
    pub(crate) const fn new(major: u32, minor: u32, patch: u32, fix: u32) -> Self {
        Self([major, minor, patch, fix])
    }

    /// Reads `Portage 3.0.83` as `portageq --version` prints it, the longer line of
    /// `emerge --version` (`Portage 3.0.83 (python 3.12...)`), a `sys-apps/portage-3.0.83-r1` or the
    /// bare number. Suffixes such as `_p3` and `-r1` are ignored: no gate needs them.
    ///
    /// # Errors
    /// [`NoVersion`] when no word of the text is a version.
    pub(crate) fn parse(text: &str) -> Result<Self, NoVersion> {
        let found = text.split_whitespace().find_map(|word| {
            let word = word.rsplit_once("portage-").map_or(word, |(_, version)| version);
            numbers(word)
        });
        found.ok_or_else(|| NoVersion(text.trim().chars().take(80).collect()))
    }
}

impl FromStr for Version {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        Self::parse(text)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch, fix] = self.0;
        write!(f, "{major}.{minor}.{patch}")?;
        if fix > 0 {
            write!(f, ".{fix}")?;
        }
        Ok(())
    }
}

/// `3.0.82.2-r1` to its first four numbers; at least two are needed.
fn numbers(word: &str) -> Option<Version> {
    let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    let word = word[..end].trim_end_matches('.');
    if !word.contains('.') {
        return None;
    }
    let mut out = [0; 4];
    for (slot, number) in out.iter_mut().zip(word.split('.')) {
        *slot = number.parse().ok()?;
    }
    Some(Version(out))
}

/// Features that not every Portage has.
#[expect(clippy::struct_excessive_bools, reason = "each is there or not, whatever the others are")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// `FEATURES=observability`: JSON snapshots under `/run/portage`. NEWS 3.0.82.
    pub observability: bool,
    /// `FEATURES=buildpkg-proactive`: an installed package without a usable binary package is built
    /// again. NEWS 3.0.80.
    pub buildpkg_proactive: bool,
    /// `--circular-deps-report`. NEWS 3.0.83.
    pub circular_report: bool,
    /// `portageq envvar 'PREFIX*'`. NEWS 3.0.68.
    pub envvar_wildcard: bool,
}

impl Capabilities {
    /// What the Portage can do that `portageq --version` printed this of; nothing special where no version
    /// is in it.
    pub(crate) fn read(text: &[u8]) -> Self {
        Version::parse(&String::from_utf8_lossy(text)).map(Self::of).unwrap_or_default()
    }

    /// What a version can do.
    pub(crate) fn of(version: Version) -> Self {
        Self {
            observability: version >= Version::new(3, 0, 82, 0),
            buildpkg_proactive: version >= Version::new(3, 0, 80, 0),
            circular_report: version >= Version::new(3, 0, 83, 0),
            envvar_wildcard: version >= Version::new(3, 0, 68, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_portage_prints_them() {
        for (text, want) in [
            ("Portage 3.0.83\n", Some(Version::new(3, 0, 83, 0))),
            ("Portage 3.0.82.2", Some(Version::new(3, 0, 82, 2))),
            (
                "Portage 3.0.66.1 (python 3.12.7-final-0, default/linux/amd64/23.0, gcc-13, glibc-2.40-r5, 6.6.13 x86_64)",
                Some(Version::new(3, 0, 66, 1)),
            ),
            ("sys-apps/portage-3.0.69.3-r1", Some(Version::new(3, 0, 69, 3))),
            ("3.0.83_p5", Some(Version::new(3, 0, 83, 0))),
            ("Portage unknown", None),
            ("", None),
            ("Portage 99999999999.1", None),
        ] {
            assert_eq!(Version::parse(text).ok(), want, "{text}");
        }
        assert!(Version::new(3, 0, 82, 2) < Version::new(3, 0, 83, 0));
        assert_eq!(Version::new(3, 0, 82, 2).to_string(), "3.0.82.2");
        assert_eq!(Version::new(3, 0, 83, 0).to_string(), "3.0.83");
    }

    #[test]
    fn capabilities_follow_the_gates() {
        for (version, observability, proactive, circular, wildcard) in [
            (Version::new(3, 0, 66, 1), false, false, false, false),
            (Version::new(3, 0, 68, 0), false, false, false, true),
            (Version::new(3, 0, 79, 0), false, false, false, true),
            (Version::new(3, 0, 81, 3), false, true, false, true),
            (Version::new(3, 0, 82, 0), true, true, false, true),
            (Version::new(3, 0, 83, 0), true, true, true, true),
            (Version::new(3, 1, 0, 0), true, true, true, true),
        ] {
            let want = Capabilities {
                observability,
                buildpkg_proactive: proactive,
                circular_report: circular,
                envvar_wildcard: wildcard,
            };
            assert_eq!(Capabilities::of(version), want, "{version}");
        }
    }
}
