//! When builds ended, by the index of the binary packages: Portage writes `BUILD_TIME` down after `src_install`
//! (`portage/package/ebuild/doebuild.py`).

use std::cell::LazyCell;
use std::collections::HashMap;
use std::ops::RangeInclusive;

/// The ends of the builds of all packages, as seconds since 1970. The index is read when the first of them is asked for: a log that has
/// nothing new asks for none.
pub struct Built<'a>(LazyCell<Ends, Box<dyn FnOnce() -> Ends + 'a>>);

/// By `category/package-version`, in order.
type Ends = HashMap<Box<[u8]>, Vec<i64>>;

impl<'a> Built<'a> {
    /// By the index that this gives.
    pub fn by(index: impl FnOnce() -> Vec<u8> + 'a) -> Self {
        Self(LazyCell::new(Box::new(|| ends(&index()))))
    }

    /// Without an index none is known.
    #[must_use]
    pub fn unknown() -> Self {
        Self::by(Vec::new)
    }

    /// When the last build of a package in this time ended.
    pub(super) fn last(&self, package: &str, time: RangeInclusive<i64>) -> Option<i64> {
        let ends = self.0.get(package.as_bytes())?;
        let after = ends.partition_point(|end| end <= time.end());
        ends[..after].last().copied().filter(|end| time.contains(end))
    }
}

/// Only the two keys that count are looked for: an index of thousands of packages has thirty of each.
fn ends(index: &[u8]) -> Ends {
    let mut all = Ends::new();
    let (mut package, mut end) = (None, None);
    let mut rest = index;
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
            let end = end.take().and_then(|end| std::str::from_utf8(end).ok()?.parse().ok());
            if let (Some(package), Some(end)) = (package.take(), end) {
                all.entry(package.into()).or_default().push(end);
            }
        }
    }
    for ends in all.values_mut() {
        ends.sort_unstable();
    }
    all
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
