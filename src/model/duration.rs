//! How long something takes, as far as that is known, and how people say it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Seconds that something takes, or that remain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eta {
    /// If all goes well.
    pub low: u64,
    /// What is most likely.
    pub likely: u64,
    /// If all goes slowly.
    pub high: u64,
    /// How many of the packages were never built here in this way, so that others stand for them.
    pub unknown: u64,
}

impl Eta {
    /// Whether most of so many packages were never built here: then a number would be a guess.
    fn is_guess(&self, packages: u64) -> bool {
        self.unknown.saturating_mul(2) > packages
    }

    /// How long these packages take in a few words: `about 2 h 10 min`; nothing where it would be a guess.
    pub(crate) fn in_short(&self, packages: u64) -> Option<String> {
        (!self.is_guess(packages)).then(|| match self.likely {
            0..60 => "less than a minute".to_owned(),
            likely => format!("about {}", in_words(Duration::from_secs(likely))),
        })
    }

    /// The same with its range, and what is not known of it: `about 2 h 10 min (1 h 50 min to 3 h), 2 packages never built
    /// here`.
    pub(crate) fn in_full(&self, packages: u64) -> String {
        let Some(likely) = self.in_short(packages) else {
            return format!("time unknown, {} of {packages} never built here", self.unknown);
        };
        let words = |seconds| in_words(Duration::from_secs(seconds));
        let (low, high) = (words(self.low), words(self.high));
        let range = match self.low {
            _ if self.high.saturating_sub(self.low) < 60 || low == high => String::new(),
            0 => format!(" (at most {high})"),
            _ => format!(" ({low} to {high})"),
        };
        let unknown = match self.unknown {
            0 => String::new(),
            1 => ", 1 package never built here".to_owned(),
            unknown => format!(", {unknown} packages never built here"),
        };
        format!("{likely}{range}{unknown}")
    }
}

/// A duration as people say it: `41 s`, `12 min`, `2 h 10 min`, `3 d 4 h`.
pub(crate) fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, m) => format!("{m} min"),
        (0, h, 0) => format!("{h} h"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, 0, _) => format!("{d} d"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_as_far_as_it_is_known() {
        for ((low, likely, high, unknown), packages, short, full) in [
            ((6600, 7800, 10_800, 0), 9, Some("about 2 h 10 min"), "about 2 h 10 min (1 h 50 min to 3 h)"),
            ((60, 70, 80, 0), 9, Some("about 1 min"), "about 1 min"),
            ((0, 0, 0, 0), 9, Some("less than a minute"), "less than a minute"),
            (
                (10, 40, 130, 1),
                9,
                Some("less than a minute"),
                "less than a minute (10 s to 2 min), 1 package never built here",
            ),
            ((0, 70, 200, 0), 9, Some("about 1 min"), "about 1 min (at most 3 min)"),
            ((60, 70, 80, 13), 16, None, "time unknown, 13 of 16 never built here"),
            ((60, 70, 80, 8), 16, Some("about 1 min"), "about 1 min, 8 packages never built here"),
        ] {
            let eta = Eta { low, likely, high, unknown };
            assert_eq!((eta.in_short(packages).as_deref(), eta.in_full(packages).as_str()), (short, full));
        }
    }

    /// Whatever the numbers are, no range has two ends that read the same, and none has an end of nothing.
    #[test]
    fn no_range_says_nothing() {
        let times =
            [0, 1, 29, 59, 60, 61, 119, 120, 3599, 3600, 3661, 7199, 86_399, 86_400, 90_000, 1_000_000];
        for (low, likely, high) in times.iter().flat_map(|low| {
            let not_below = |of: u64| times.iter().copied().filter(move |time| *time >= of);
            not_below(*low).flat_map(move |likely| not_below(likely).map(move |high| (*low, likely, high)))
        }) {
            for unknown in 0..=4 {
                let said = Eta { low, likely, high, unknown }.in_full(4);
                let ends =
                    said.split_once('(').and_then(|(_, rest)| rest.split_once(')')?.0.split_once(" to "));
                assert!(ends.is_none_or(|(low, high)| low != high), "{said}");
                let nothing =
                    said.split(['(', ')', ',']).any(|part| part.trim() == "0 s" || part.starts_with("0 s "));
                assert!(!nothing && !said.contains("about 0"), "{said}");
                assert_eq!(said.starts_with("time unknown"), unknown > 2, "{said}");
            }
        }
    }

    #[test]
    fn durations_read_like_speech() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h"),
            (7_800, "2 h 10 min"),
            (86_400, "1 d"),
            (100_000, "1 d 3 h"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }
}
