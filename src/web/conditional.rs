//! What of a file is sent: RFC 9110, sections 13 (conditions) and 14 (ranges). Pure.

use hyper::HeaderMap;
use hyper::header::{self, HeaderName};
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};

/// What identifies the bytes of a file. A release is never changed, so the same file has the same in each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// A strong entity tag, with its quotes.
    pub(super) tag: String,
    /// When it was changed last, in whole seconds.
    pub(super) modified: Timestamp,
}

/// What to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// 200: all of it.
    Whole,
    /// 206: so many bytes from there.
    Range {
        /// The first byte.
        from: u64,
        /// How many; never none.
        length: u64,
    },
    /// 304: the client has it.
    NotModified,
    /// 412: it is not the one that the client has a part of.
    Failed,
    /// 416: it is not as long as that.
    Unsatisfiable,
}

/// Decides by the headers of the request.
pub(super) fn part(headers: &HeaderMap, version: &Version, size: u64) -> Part {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let date = |name| text(name).and_then(from_http);
    match (text(header::IF_MATCH), date(header::IF_UNMODIFIED_SINCE)) {
        (Some(tags), _) if !is_listed(tags, &version.tag) => return Part::Failed,
        (None, Some(date)) if version.modified > date => return Part::Failed,
        _ => {}
    }
    match (text(header::IF_NONE_MATCH), date(header::IF_MODIFIED_SINCE)) {
        (Some(tags), _) if is_listed(tags, &version.tag) => return Part::NotModified,
        (None, Some(date)) if version.modified <= date => return Part::NotModified,
        _ => {}
    }
    let Some(range) = text(header::RANGE) else { return Part::Whole };
    let unchanged = text(header::IF_RANGE).is_none_or(|validator| {
        validator == version.tag || from_http(validator).is_some_and(|date| date == version.modified)
    });
    if unchanged { read(range, size) } else { Part::Whole }
}

/// Whether a list of entity tags holds this one, or any (`*`).
pub(super) fn is_listed(tags: &str, tag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.split(',').map(bare).any(|listed| listed == tag || listed == "*")
}

/// `bytes=1-5`, `bytes=5-`, `bytes=-5`. What is no such range is as if it were not there, and so are several of them.
fn read(range: &str, size: u64) -> Part {
    let Some((first, last)) = range.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-'))
    else {
        return Part::Whole;
    };
    let number = |text: &str| match text.trim() {
        text if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(text.parse().unwrap_or(u64::MAX))
        }
        _ => None,
    };
    let (from, to) = match (number(first), number(last)) {
        (Some(from), Some(to)) if from <= to => (from, to.saturating_add(1).min(size)),
        (Some(from), None) if last.trim().is_empty() => (from, size),
        (None, Some(count)) if first.trim().is_empty() => (size.saturating_sub(count), size),
        _ => return Part::Whole,
    };
    if from < to { Part::Range { from, length: to - from } } else { Part::Unsatisfiable }
}

/// `Sun, 22 Nov 2026 14:30:00 GMT`
pub(super) fn to_http(time: Timestamp) -> String {
    // Only years that no file system has cannot be written.
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).unwrap_or_default()
}

fn from_http(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

/// Seconds since 1970, as a time; what lies outside of all times is their end.
pub(super) fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEWER: &str = "Sun, 22 Nov 2026 14:30:01 GMT";
    const SAME: &str = "Sun, 22 Nov 2026 14:30:00 GMT";
    const OLDER: &str = "Sun, 22 Nov 2026 14:29:59 GMT";

    fn answer(headers: &[(HeaderName, &str)]) -> Part {
        let modified = "2026-11-22T14:30:00Z".parse().unwrap();
        let map = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        part(&map, &Version { tag: "\"t\"".into(), modified }, 10)
    }

    #[test]
    fn times_are_written_as_http_has_them() {
        assert_eq!(to_http("2026-11-22T14:30:00Z".parse().unwrap()), SAME);
        assert_eq!(from_http(SAME), Some("2026-11-22T14:30:00Z".parse().unwrap()));
        assert_eq!(from_http("yesterday"), None);
    }

    #[test]
    fn conditions() {
        use header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
        for (headers, expected) in [
            (&[][..], Part::Whole),
            (&[(IF_NONE_MATCH, "\"t\"")], Part::NotModified),
            (&[(IF_NONE_MATCH, "W/\"t\"")], Part::NotModified),
            (&[(IF_NONE_MATCH, "\"a\", \"t\"")], Part::NotModified),
            (&[(IF_NONE_MATCH, "*")], Part::NotModified),
            (&[(IF_NONE_MATCH, "\"a\"")], Part::Whole),
            // The tag decides when there is one.
            (&[(IF_NONE_MATCH, "\"a\""), (IF_MODIFIED_SINCE, NEWER)], Part::Whole),
            (&[(IF_MODIFIED_SINCE, NEWER)], Part::NotModified),
            (&[(IF_MODIFIED_SINCE, SAME)], Part::NotModified),
            (&[(IF_MODIFIED_SINCE, OLDER)], Part::Whole),
            (&[(IF_MODIFIED_SINCE, "some day")], Part::Whole),
            (&[(IF_MATCH, "\"t\"")], Part::Whole),
            (&[(IF_MATCH, "\"a\"")], Part::Failed),
            (&[(IF_UNMODIFIED_SINCE, OLDER)], Part::Failed),
            (&[(IF_UNMODIFIED_SINCE, SAME)], Part::Whole),
        ] {
            assert_eq!(answer(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn ranges() {
        use Part::{Unsatisfiable, Whole};
        let range = |from, length| Part::Range { from, length };
        for (text, expected) in [
            ("bytes=0-0", range(0, 1)),
            ("bytes=2-5", range(2, 4)),
            ("bytes=2-", range(2, 8)),
            ("bytes=-3", range(7, 3)),
            ("bytes=-30", range(0, 10)),
            ("bytes=5-99999999999999999999999", range(5, 5)),
            ("bytes=10-", Unsatisfiable),
            ("bytes=10-20", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=5-2", Whole),
            ("bytes=0-1,3-4", Whole),
            ("bytes=a-b", Whole),
            ("bytes=-", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=", Whole),
            ("pages=1-2", Whole),
        ] {
            assert_eq!(answer(&[(header::RANGE, text)]), expected, "{text}");
        }
        for (validator, expected) in [
            ("\"t\"", range(0, 1)),
            ("\"a\"", Whole),
            ("W/\"t\"", Whole),
            (SAME, range(0, 1)),
            (OLDER, Whole),
            (NEWER, Whole),
        ] {
            let headers = [(header::RANGE, "bytes=0-0"), (header::IF_RANGE, validator)];
            assert_eq!(answer(&headers), expected, "{validator}");
        }
    }

    #[test]
    fn an_empty_file_has_no_range() {
        let headers = [(header::RANGE, "bytes=0-".parse().unwrap())].into_iter().collect();
        let version = Version { tag: "\"t\"".into(), modified: Timestamp::UNIX_EPOCH };
        assert_eq!(part(&headers, &version, 0), Part::Unsatisfiable);
    }
}
