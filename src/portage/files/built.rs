//! When builds ended, by the index of the binary packages: Portage writes `BUILD_TIME` down after `src_install`
//! (`portage/package/ebuild/doebuild.py`).

use std::cell::LazyCell;
use std::hash::{BuildHasher, RandomState};
use std::ops::{Range, RangeInclusive};

/// The ends of the builds of all packages, as seconds since 1970. The index is read when the first of them is asked for: a log that has
/// nothing new asks for none.
pub struct Built<'a>(LazyCell<Ends, Box<dyn FnOnce() -> Ends + 'a>>);

/// The index, and the ends of all builds that it has: by a hash of the name, then by time. One list and no map of lists, since an index of years
/// has tens of thousands of them, and most are asked for once.
struct Ends {
    index: Vec<u8>,
    all: Vec<End>,
    hash: RandomState,
}

struct End {
    hash: u64,
    time: i64,
    /// Where the name stands in the index.
    name: Range<usize>,
}

impl<'a> Built<'a> {
    /// By the index that this gives.
    pub fn by(index: impl FnOnce() -> Vec<u8> + 'a) -> Self {
        Self(LazyCell::new(Box::new(|| Ends::of(index()))))
    }

    /// Without an index none is known.
    #[must_use]
    pub fn unknown() -> Self {
        Self::by(Vec::new)
    }

    /// When the last build of a package in this time ended.
    pub(super) fn last(&self, package: &str, time: RangeInclusive<i64>) -> Option<i64> {
        let Ends { index, all, hash } = &*self.0;
        let hash = hash.hash_one(package.as_bytes());
        let after = all.partition_point(|end| (end.hash, end.time) <= (hash, *time.end()));
        let mut before = all[..after].iter().rev();
        // Another package may have the same hash.
        let end = before.find(|end| end.hash != hash || index[end.name.clone()] == *package.as_bytes())?;
        (end.hash == hash && time.contains(&end.time)).then_some(end.time)
    }
}

impl Ends {
    /// Only the two keys that count are looked for: an index of thousands of packages has thirty of each.
    fn of(index: Vec<u8>) -> Self {
        let hash = RandomState::new();
        let mut all = Vec::new();
        let (mut package, mut end) = (None, None);
        let mut rest = &index[..];
        while !rest.is_empty() {
            let line;
            (line, rest) = match memchr::memchr(b'\n', rest) {
                Some(length) => (&rest[..length], &rest[length + 1..]),
                None => (rest, &[][..]),
            };
            if let Some(value) = line.strip_prefix(b"CPV:") {
                package.get_or_insert(value.trim_ascii());
            } else if let Some(value) = line.strip_prefix(b"BUILD_TIME:") {
                end.get_or_insert(value.trim_ascii());
            }
            if line.is_empty() || rest.is_empty() {
                let time = end.take().and_then(|end| std::str::from_utf8(end).ok()?.parse().ok());
                if let (Some(package), Some(time)) = (package.take(), time) {
                    let begin = package.as_ptr().addr() - index.as_ptr().addr();
                    let name = begin..begin + package.len();
                    all.push(End { hash: hash.hash_one(package), time, name });
                }
            }
        }
        all.sort_unstable_by_key(|end: &End| (end.hash, end.time));
        Self { index, all, hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portage::files::index::Index;

    #[test]
    fn the_last_build_in_a_time_is_found() {
        let index = b"PACKAGES: 5\n\nCPV: a/b-1\nBUILD_TIME: 30\n\nBUILD_TIME: 10\nCPV: a/b-1\n\nCPV: a/b-1\nBUILD_TIME: x\n\n\
            CPV: a/c-1\n\nBUILD_TIME: 20\n\n\0\nCPV: a/d-1\nBUILD_TIME: 40";
        let built = Built::by(|| index.to_vec());
        for (package, time, end) in [
            ("a/b-1", 0..=100, Some(30)),
            ("a/b-1", 0..=30, Some(30)),
            ("a/b-1", 10..=29, Some(10)),
            ("a/b-1", 11..=29, None),
            ("a/b-1", 31..=100, None),
            ("a/c-1", 0..=100, None),
            ("a/d-1", 0..=100, Some(40)),
            ("a/e-1", 0..=100, None),
        ] {
            assert_eq!(built.last(package, time.clone()), end, "{package} {time:?}");
        }
        assert_eq!(Built::unknown().last("a/b-1", 0..=100), None);
    }

    proptest::proptest! {
        #[test]
        fn it_is_the_last_one_of_all_that_the_index_has(
            builds in proptest::collection::vec((0..4_u8, 0..12_i64), 0..40),
            (package, from, to) in (0..5_u8, 0..12_i64, 0..12_i64),
        ) {
            let block = |(name, time): &(u8, i64)| format!("CPV: a/b{name}-1\nBUILD_TIME: {time}\n\n");
            let index: String = builds.iter().map(block).collect();
            let in_time = builds.iter().filter(|(name, time)| *name == package && (from..=to).contains(time));
            let built = Built::by(|| index.into_bytes());
            proptest::prop_assert_eq!(built.last(&format!("a/b{package}-1"), from..=to), in_time.map(|(_, time)| *time).max());
        }
    }

    #[test]
    fn a_real_index_says_the_same_in_two_ways() {
        let text = include_bytes!("../../../tests/captured/Packages");
        let built = Built::by(|| text.to_vec());
        for package in Index::parse(text).packages {
            let end = package.built().expect("a time");
            assert_eq!(built.last(package.cpv.as_str(), end..=end), Some(end), "{}", package.cpv);
        }
    }

    #[test]
    fn an_index_that_nobody_asks_for_is_not_read() {
        let built = Built::by(|| unreachable!("it is read"));
        drop(built);
    }
}
