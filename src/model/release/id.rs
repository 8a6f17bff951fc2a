//! The names of releases.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// `2026-11-22.1`: the day (UTC) and a number that counts up within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Id {
    day: Date,
    number: u32,
}

/// A text that is no such name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a release, such as 2026-11-22.1")]
pub struct NotAnId(String);

impl Id {
    /// The name after all that were ever used. It sorts behind them also when the clock was set back.
    pub(crate) fn after(last: Option<Self>, now: Timestamp) -> Self {
        let today = now.to_zoned(TimeZone::UTC).date();
        match last {
            Some(Self { day, number }) if day >= today => Self { day, number: number.saturating_add(1) },
            _ => Self { day: today, number: 1 },
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.day, self.number)
    }
}

impl FromStr for Id {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let not = || NotAnId(text.to_owned());
        let (day, number) = text.split_once('.').ok_or_else(not)?;
        let id = Self { day: day.parse().map_err(|_| not())?, number: number.parse().map_err(|_| not())? };
        // Only one way to write it: it is the name of a directory.
        if id.to_string() == text { Ok(id) } else { Err(not()) }
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for Id {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        text.parse().unwrap()
    }

    #[test]
    fn they_count_up_within_a_day_and_are_never_used_twice() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (last, now, next) in [
            (None, "2026-11-22T23:59:59Z", "2026-11-22.1"),
            (Some("2026-11-22.1"), "2026-11-22T23:59:59Z", "2026-11-22.2"),
            (Some("2026-11-22.9"), "2026-11-22T00:00:00Z", "2026-11-22.10"),
            (Some("2026-11-22.9"), "2026-11-23T00:00:00Z", "2026-11-23.1"),
            (Some("2026-11-22.9"), "2020-01-01T00:00:00Z", "2026-11-22.10"),
        ] {
            assert_eq!(Id::after(last.map(id), at(now)).to_string(), next);
        }
        assert!(id("2026-11-22.9") < id("2026-11-22.10"));
        assert!(id("2026-11-22.10") < id("2026-11-23.1"));
    }

    #[test]
    fn nothing_else_is_one() {
        for text in
            ["", "current", "2026-11-22", "2026-11-22.", "2026-11-22.01", "2026-1-2.1", ".new-2026-11-22.1"]
        {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
    }
}
