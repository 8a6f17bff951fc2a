//! What ebuilds want to be read: their `einfo`, `elog`, `ewarn` and `eerror` messages and Portage's own QA
//! notices, as the module `save` of `PORTAGE_ELOG_SYSTEM` keeps them, one file per package and build.
//!
//! Sources: `portage/elog/mod_save.py` and `portage/elog/__init__.py:_combine_logentries` of Portage 3.0.83. A
//! file is `CATEGORY:PF:YYYYMMDD-HHMMSS.log` in `elog/`, or `PF:...` in `elog/CATEGORY/` with
//! FEATURES=split-elog; the time is UTC. In it, each change of class or phase has a line `WARN: postinst`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::portage::names::cpv::Cpv;

/// How loud a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words are those of PORTAGE_ELOG_CLASSES")]
pub enum Class {
    Info,
    Log,
    Warn,
    Qa,
    Error,
}

impl Class {
    /// The word of PORTAGE_ELOG_CLASSES.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Log => "log",
            Self::Warn => "warn",
            Self::Qa => "qa",
            Self::Error => "error",
        }
    }

    fn from_heading(word: &str) -> Option<Self> {
        let classes = [Self::Info, Self::Log, Self::Warn, Self::Qa, Self::Error];
        classes.into_iter().find(|class| class.name().to_ascii_uppercase() == word)
    }
}

/// Messages of one class from one phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The class.
    pub class: Class,
    /// The ebuild phase; `other` for Portage itself.
    pub phase: String,
    /// The lines; never empty at either end.
    pub lines: Vec<String>,
}

/// What one build of a package left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// `category/name-version`.
    pub package: String,
    /// When it was written, to the second.
    pub at: Timestamp,
    /// In the order of the phases.
    pub messages: Vec<Message>,
}

/// `portage.const.EBUILD_PHASES`
const PHASES: &[&str] = &[
    "pretend",
    "setup",
    "unpack",
    "prepare",
    "configure",
    "compile",
    "test",
    "install",
    "package",
    "instprep",
    "preinst",
    "postinst",
    "prerm",
    "postrm",
    "nofetch",
    "config",
    "info",
    "other",
];

/// The time in the name of a log of Portage's.
#[must_use]
pub fn time(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime("%Y%m%d-%H%M%S", text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// What a file of this package and time says.
#[must_use]
pub fn entry(package: &Cpv, at: Timestamp, text: &[u8]) -> Entry {
    let mut messages: Vec<Message> = Vec::new();
    for line in String::from_utf8_lossy(text).lines() {
        if let Some((class, phase)) = heading(line) {
            messages.push(Message { class, phase: phase.to_owned(), lines: Vec::new() });
        } else if messages.is_empty() && !line.trim().is_empty() {
            // Another module's, or another Portage's: it is for people to read all the same.
            messages.push(Message {
                class: Class::Log,
                phase: "other".to_owned(),
                lines: vec![line.to_owned()],
            });
        } else if let Some(message) = messages.last_mut()
            && !(message.lines.is_empty() && line.trim().is_empty())
        {
            message.lines.push(line.to_owned());
        }
    }
    for message in &mut messages {
        let end = message.lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
        message.lines.truncate(end);
    }
    messages.retain(|message| !message.lines.is_empty());
    Entry { package: package.to_string(), at, messages }
}

fn heading(line: &str) -> Option<(Class, &str)> {
    let (class, phase) = line.split_once(": ")?;
    Some((Class::from_heading(class)?, PHASES.contains(&phase).then_some(phase)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Entry {
        entry(&Cpv::parse(b"a/b-1").unwrap(), Timestamp::UNIX_EPOCH, text.as_bytes())
    }

    #[test]
    fn what_portage_saved_is_read() {
        let text = include_str!("../../../tests/captured/elog-save.txt");
        let messages = read(text).messages;
        let seen: Vec<_> = messages.iter().map(|m| (m.class, m.phase.as_str(), m.lines.len())).collect();
        assert_eq!(
            seen,
            [
                (Class::Qa, "install", 2),
                (Class::Log, "postinst", 1),
                (Class::Warn, "postinst", 2),
                (Class::Error, "postinst", 1)
            ]
        );
        assert_eq!(messages[2].lines, ["Restart the reactor.", "WARN: this is no heading"]);
    }

    #[test]
    fn text_without_a_heading_is_read_by_people() {
        assert_eq!(read("").messages, []);
        assert_eq!(read("\nWARN: postinst\n\n").messages, []);
        for text in ["no heading\nWARN: postinst\n\n", "no heading\n"] {
            let messages = read(text).messages;
            let [Message { class: Class::Log, lines, .. }] = &messages[..] else { panic!("{messages:?}") };
            assert_eq!(lines, &["no heading"]);
        }
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(time("20261122-164356").unwrap().to_string(), "2026-11-22T16:43:56Z");
        assert_eq!(time("20261122"), None);
        assert_eq!(time("20261399-164356"), None);
    }
}
