//! Which of two versions is the newer one.
//!
//! Source: the Package Manager Specification, "Version Comparison", as `portage/versions.py:vercmp` does it.
//! Numbers are compared digit by digit, since a version may have more digits than any integer.

use std::cmp::Ordering;

/// Compares two versions, each as [`Cpv::version`](super::cpv::Cpv::version) gives it.
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (Parts::of(a), Parts::of(b));
    numbers(a.numbers, b.numbers)
        .then_with(|| a.letter.cmp(&b.letter))
        .then_with(|| suffixes(a.suffixes, b.suffixes))
        .then_with(|| number(a.revision, b.revision))
}

/// A version without its revision: `1.2` of `1.2-r3`.
pub(crate) fn without_revision(version: &str) -> &str {
    version.split_once("-r").map_or(version, |(version, _)| version)
}

/// `1.2b_rc1_p2-r3`, taken apart.
struct Parts<'a> {
    numbers: &'a str,
    letter: Option<char>,
    /// `rc1_p2`
    suffixes: Option<&'a str>,
    revision: &'a str,
}

impl<'a> Parts<'a> {
    fn of(version: &'a str) -> Self {
        let (rest, revision) = version.rsplit_once("-r").unwrap_or((version, "0"));
        let (rest, suffixes) = match rest.split_once('_') {
            Some((rest, suffixes)) => (rest, Some(suffixes)),
            None => (rest, None),
        };
        let letter = rest.chars().next_back().filter(char::is_ascii_lowercase);
        Self { numbers: rest.trim_end_matches(|c: char| c.is_ascii_lowercase()), letter, suffixes, revision }
    }
}

/// The first number by its value. A later one with a leading zero is like the digits behind a decimal point:
/// 1.02 comes before 1.1. More numbers are newer.
fn numbers(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    let first = number(a.next().unwrap_or_default(), b.next().unwrap_or_default());
    if first.is_ne() {
        return first;
    }
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) if a.starts_with('0') || b.starts_with('0') => {
                a.trim_end_matches('0').cmp(b.trim_end_matches('0'))
            }
            (Some(a), Some(b)) => number(a, b),
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn number(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// `_alpha` < `_beta` < `_pre` < `_rc` < none < `_p`.
fn suffixes(a: Option<&str>, b: Option<&str>) -> Ordering {
    let mut a = a.into_iter().flat_map(|all| all.split('_'));
    let mut b = b.into_iter().flat_map(|all| all.split('_'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (Some(a), None) => against_none(a),
            (None, Some(b)) => against_none(b).reverse(),
            (Some(a), Some(b)) => {
                let (a, b) = (rank(a), rank(b));
                a.0.cmp(&b.0).then_with(|| number(a.1, b.1))
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn against_none(suffix: &str) -> Ordering {
    if rank(suffix).0 == AFTER { Ordering::Greater } else { Ordering::Less }
}

/// The rank of `_p`, the only suffix that comes after none.
const AFTER: usize = 4;

/// The kind of a suffix and its number.
fn rank(suffix: &str) -> (usize, &str) {
    let digits = suffix.find(|c: char| c.is_ascii_digit()).unwrap_or(suffix.len());
    let (kind, number) = suffix.split_at(digits);
    let rank = ["alpha", "beta", "pre", "rc"].iter().position(|known| *known == kind).unwrap_or(AFTER);
    (rank, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `portage/tests/versions/test_vercmp.py`, and what it leaves out.
    #[test]
    fn versions_are_ordered_as_portage_orders_them() {
        for (less, greater) in [
            ("4.0", "5.0"),
            ("5", "5.0"),
            ("1.0_pre2", "1.0_p2"),
            ("1.0_alpha2", "1.0_p2"),
            ("1.0_alpha1", "1.0_beta1"),
            ("1.0_beta3", "1.0_rc3"),
            ("1.001000000000000001", "1.001000000000000002"),
            ("1.00100000000", "1.0010000000000000001"),
            ("999999999999999998", "999999999999999999"),
            ("1.01", "1.1"),
            ("1.02", "1.1"),
            ("1.0-r0", "1.0-r1"),
            ("1.0", "1.0-r1"),
            ("1.0", "1.0.0"),
            ("1.0b", "1.0.0"),
            ("1b_p1", "1c"),
            ("1.1", "1.1b"),
            ("1.9", "1.10"),
            ("12.2b", "12.2.5"),
            ("4.0_alpha", "4.0"),
            ("1_p", "1_p1"),
            ("1", "1_p0"),
            ("1_rc1_p1", "1_rc2"),
        ] {
            assert_eq!(compare(less, greater), Ordering::Less, "{less} {greater}");
            assert_eq!(compare(greater, less), Ordering::Greater, "{greater} {less}");
        }
        for (a, b) in [("4.0", "4.0"), ("1.0", "1.0-r0"), ("1.0-r0", "1.0-r00"), ("1_p", "1_p0"), ("01", "1")]
        {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
    }
}
