//! What ccache counts of itself.
//!
//! `ccache --print-stats` prints a line for each counter, its name, a tab and a number: ccache(1) says that this is for programs, and
//! 4.7 to 4.11 have these names (`src/ccache/core/statistics.cpp`). What is not known is passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counted since somebody last set them to zero, by whoever shares the directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Compilations whose result was there.
    pub hits: u64,
    /// Those whose result was not.
    pub misses: u64,
    /// Bytes that are kept; that is no counter.
    pub size: u64,
}

/// Reads them; nothing where the text is about something else.
#[must_use]
pub fn counters(text: &[u8]) -> Option<Counters> {
    let text = String::from_utf8_lossy(text);
    let pair = |line: &'_ str| {
        let (name, number) = line.split_once('\t')?;
        Some((name.to_owned(), number.trim().parse::<u64>().ok()?))
    };
    let all: BTreeMap<String, u64> = text.lines().filter_map(pair).collect();
    let number = |name: &str| all.get(name).copied();
    Some(Counters {
        hits: number("direct_cache_hit")?.saturating_add(number("preprocessed_cache_hit")?),
        misses: number("cache_miss")?,
        size: number("cache_size_kibibyte")?.saturating_mul(1024),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted() {
        let text = include_bytes!("../../../tests/captured/ccache-4.7.5.txt");
        let read = counters(text).unwrap();
        assert_eq!(read, Counters { hits: 15, misses: 16, size: 128 << 10 });
        for nothing in [&b""[..], b"ccache: error: no\n", b"cache_miss\t-1\n", &text[..text.len() / 2]] {
            assert_eq!(counters(nothing), None);
        }
    }
}
