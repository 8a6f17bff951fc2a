//! How long a package takes, from what earlier builds of it took: the median of its last durations with the quartiles as
//! its range.

use std::collections::HashMap;

use crate::portage::files::durations::Durations;
use crate::portage::names::cpv::Cpv;

/// How long a package takes, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// If all goes well.
    pub low: u64,
    /// The median of what was measured.
    pub likely: u64,
    /// If all goes slowly.
    pub high: u64,
}

impl Estimate {
    /// From durations in any order; nothing from none.
    ///
    /// The range is never narrower than a tenth to each side, and from a single build it is wide:
    /// one build says little about the next.
    pub(crate) fn of(mut seconds: Vec<u64>) -> Option<Self> {
        seconds.sort_unstable();
        let likely = quantile(&seconds, 2, 4)?;
        let (low, high) = match seconds.as_slice() {
            [only] => (only * 3 / 4, only * 3 / 2),
            _ => (quantile(&seconds, 1, 4)?, quantile(&seconds, 3, 4)?),
        };
        Some(Self { low: low.min(likely - likely / 10), likely, high: high.max(likely + likely / 10) })
    }

    /// The one for a package that was never built here: anything that others took.
    fn typical(mut medians: Vec<u64>) -> Option<Self> {
        medians.sort_unstable();
        let at = |part| quantile(&medians, part, 10);
        Some(Self { low: at(2)?, likely: at(5)?, high: at(9)? })
    }

    /// What remains after so many seconds of work. What takes longer than it was expected to is
    /// assumed to need a tenth more of what it has taken, and a quarter at the worst.
    pub(crate) fn remaining(self, elapsed: u64) -> Self {
        let left = |seconds: u64, late| seconds.saturating_sub(elapsed).max(late);
        let (likely, high) = (left(self.likely, elapsed / 10), left(self.high, elapsed / 4));
        Self { low: left(self.low, 0), likely, high }
    }
}

/// The value at `part` of `parts` of a sorted list, between two values to the nearest second.
pub(crate) fn quantile(sorted: &[u64], part: usize, parts: usize) -> Option<u64> {
    let place = sorted.len().checked_sub(1)? * part;
    let (at, rest) = (place / parts, place % parts);
    let low = *sorted.get(at)?;
    let high = sorted.get(at + 1).copied().unwrap_or(low);
    let (rest, parts) = (u64::try_from(rest).ok()?, u64::try_from(parts).ok()?);
    Some(low + ((high - low) * rest + parts / 2) / parts)
}

/// A binary package, as long as none was merged here: moments, next to what is built.
const UNPACKED: Estimate = Estimate { low: 1, likely: 5, high: 30 };

/// What is known about how long things take on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimates {
    source: Estimated,
    binary: Estimated,
    /// How many packages may be in work at the same time.
    pub(crate) jobs: u64,
    /// How many really are, in thousandths.
    pub(crate) at_once: u64,
}

/// What is known of packages built from source, or of binary packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Estimated {
    packages: HashMap<String, Estimate>,
    typical: Option<Estimate>,
}

impl Estimated {
    fn of(durations: &Durations, binary: bool) -> Self {
        let packages: HashMap<String, Estimate> = durations
            .names()
            .filter_map(|name| {
                let last = durations.of(name, binary).map(u64::from).collect();
                Some((name.to_owned(), Estimate::of(last)?))
            })
            .collect();
        let typical = Estimate::typical(packages.values().map(|estimate| estimate.likely).collect());
        Self { packages, typical }
    }
}

impl Estimates {
    /// For a run that builds so many packages at the same time.
    #[must_use]
    pub fn new(durations: &Durations, jobs: u32) -> Self {
        let jobs = jobs.max(1);
        let most = u64::from(jobs) * 1000;
        Self {
            source: Estimated::of(durations, false),
            binary: Estimated::of(durations, true),
            jobs: u64::from(jobs),
            // More seem to be in work where some only waited for their merge.
            at_once: durations.at_once(jobs).unwrap_or(most).clamp(1000, most),
        }
    }

    /// What this package takes; nothing when it was never completed here in this way.
    pub(crate) fn of(&self, package: &Cpv, binary: bool) -> Option<Estimate> {
        self.kind(binary).packages.get(package.cp()).copied()
    }

    /// What stands for a package that was never completed here in this way.
    pub(crate) fn typical(&self, binary: bool) -> Option<Estimate> {
        let first_binary = self.source.typical.filter(|_| binary).map(|_| UNPACKED);
        self.kind(binary).typical.or(first_binary)
    }

    fn kind(&self, binary: bool) -> &Estimated {
        if binary { &self.binary } else { &self.source }
    }
}
