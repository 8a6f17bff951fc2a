//! How long it will still take.
//!
//! The time that remains is found by letting the rest of the list run on as many places as there are
//! jobs, each package beginning, in order, as soon as a place is free. Which package waits for which
//! is not known here, and the load average may hold Portage back as well; how much that is in
//! practice was measured ([`Durations::at_once`](crate::portage::files::durations::Durations::at_once)), and nothing is
//! promised to go faster than that.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::model::duration::Eta;
use crate::model::estimates::{Estimate, Estimates};
use crate::portage::names::cpv::Cpv;
use crate::portage::output::plan::Plan;

/// A package to be merged, or being merged.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// Which.
    pub package: &'a Cpv,
    /// Taken from a binary package.
    pub binary: bool,
}

impl Estimates {
    /// How long the packages of a plan take together; as [`Estimates::eta`].
    pub(crate) fn of_plan(&self, plan: &Plan) -> Option<Eta> {
        self.eta(
            [],
            plan.packages.iter().map(|planned| Task { package: &planned.cpv, binary: planned.binary }),
        )
    }

    /// Until everything is done: `running` with the seconds that each is in work already, and `rest`
    /// in the order in which they begin. Nothing when there is no earlier build to go by.
    pub fn eta<'a>(
        &self,
        running: impl IntoIterator<Item = (Task<'a>, u64)>,
        rest: impl IntoIterator<Item = Task<'a>>,
    ) -> Option<Eta> {
        let mut unknown = 0;
        let mut estimate = |task: Task| {
            self.of(task.package, task.binary).or_else(|| {
                unknown += 1;
                self.typical(task.binary)
            })
        };
        let running: Option<Vec<Estimate>> =
            running.into_iter().map(|(task, elapsed)| Some(estimate(task)?.remaining(elapsed))).collect();
        let rest: Option<Vec<Estimate>> = rest.into_iter().map(&mut estimate).collect();
        let (running, rest) = (running?, rest?);
        let until = |pick: fn(&Estimate) -> u64| {
            let running = running.iter().map(pick).collect();
            self.run(running, rest.iter().map(pick).collect())
        };
        let (low, likely, high) = (until(|e| e.low), until(|e| e.likely), until(|e| e.high));
        Some(Eta { low, likely, high, unknown })
    }

    /// Seconds until the last one is done.
    fn run(&self, mut running: Vec<u64>, rest: Vec<u64>) -> u64 {
        let work: u64 = running.iter().chain(&rest).sum();
        running.sort_unstable_by_key(|&seconds| Reverse(seconds));
        // More than there are jobs: those have only their merge before them and free no place.
        let jobs = usize::try_from(self.jobs).unwrap_or(usize::MAX);
        let mut end = running.first().copied().unwrap_or(0);
        running.truncate(jobs);
        running.resize(jobs.min(running.len() + rest.len()), 0);
        let mut places: BinaryHeap<Reverse<u64>> = running.into_iter().map(Reverse).collect();
        for seconds in rest {
            let free = places.pop().map_or(0, |Reverse(free)| free);
            end = end.max(free + seconds);
            places.push(Reverse(free + seconds));
        }
        end.max(work * 1000 / self.at_once.max(1000))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::portage::files::built::Built;
    use crate::portage::files::durations::Durations;

    fn cpv(name: &str) -> Cpv {
        Cpv::parse(name.as_bytes()).unwrap()
    }

    /// A log in which each of these packages was built, one after the other, in so many seconds.
    fn known(builds: &[(&str, u32)], jobs: u32) -> Estimates {
        let mut durations = Durations::default();
        let mut time = 1_000_000;
        for (name, seconds) in builds {
            let end = time + u64::from(*seconds);
            let text = format!(
                "{time}:  >>> emerge (1 of 1) {name} to /\n{end}:  ::: completed emerge (1 of 1) {name} to /\n"
            );
            durations.read(text.as_bytes(), &Built::unknown());
            time = end;
        }
        Estimates::new(&durations, jobs)
    }

    fn remaining(estimates: &Estimates, running: &[(&str, u64)], rest: &[&str]) -> Option<Eta> {
        let running: Vec<_> = running.iter().map(|(name, elapsed)| (cpv(name), *elapsed)).collect();
        let rest: Vec<_> = rest.iter().map(|name| cpv(name)).collect();
        let task = |package| Task { package, binary: false };
        estimates.eta(running.iter().map(|(name, elapsed)| (task(name), *elapsed)), rest.iter().map(task))
    }

    #[test]
    fn the_median_and_its_range() {
        for (seconds, low, likely, high) in [
            (vec![100], 75, 100, 150),
            (vec![0], 0, 0, 0),
            (vec![100, 100], 90, 100, 110),
            (vec![300, 100], 150, 200, 250),
            (vec![10, 20, 30, 40, 1000], 20, 30, 40),
        ] {
            assert_eq!(Estimate::of(seconds.clone()), Some(Estimate { low, likely, high }), "{seconds:?}");
        }
        assert_eq!(Estimate::of(vec![]), None);
    }

    #[test]
    fn what_is_late_needs_a_little_more() {
        let estimate = Estimate { low: 80, likely: 100, high: 200 };
        for (elapsed, low, likely, high) in
            [(0, 80, 100, 200), (30, 50, 70, 170), (90, 0, 10, 110), (150, 0, 15, 50), (400, 0, 40, 100)]
        {
            assert_eq!(estimate.remaining(elapsed), Estimate { low, likely, high }, "{elapsed}");
        }
    }

    #[test]
    fn the_rest_runs_on_as_many_places_as_there_are_jobs() {
        let builds = [("a/a-1", 100), ("a/b-1", 60), ("a/c-1", 60)];
        let rest = ["a/a-2", "a/b-2", "a/c-2"];
        for (jobs, likely) in [(1, 220), (2, 120), (3, 100), (100, 100)] {
            let eta = remaining(&known(&builds, jobs), &[], &rest).unwrap();
            assert_eq!((eta.likely, eta.unknown), (likely, 0), "{jobs} jobs");
        }
        let eta = remaining(&known(&builds, 2), &[("a/a-2", 70)], &rest[1..]).unwrap();
        assert_eq!(eta.likely, 90);
        // Two are being merged while a third is built in their place.
        let eta = remaining(&known(&builds, 1), &[("a/a-2", 100), ("a/b-2", 59)], &rest[2..]).unwrap();
        assert_eq!(eta.likely, 75);
    }

    #[test]
    fn what_was_never_built_is_taken_for_a_typical_package_and_counted() {
        let estimates = known(&[("a/a-1", 10), ("a/b-1", 30), ("a/c-1", 500)], 1);
        assert_eq!(estimates.of(&cpv("a/new-1"), false), None);
        let eta = remaining(&estimates, &[], &["a/a-2", "a/new-1"]).unwrap();
        assert_eq!((eta.likely, eta.unknown), (40, 1));
        assert!(eta.high > 300, "{eta:?}");
        assert_eq!(remaining(&Estimates::default(), &[], &["a/a-1"]), None);
        let nothing = remaining(&Estimates::default(), &[], &[]).unwrap();
        assert_eq!((nothing.likely, nothing.unknown), (0, 0));
    }

    #[test]
    fn the_first_binary_packages_do_not_spoil_what_is_known() {
        let estimates = known(&[("a/a-1", 10)], 1);
        let (a, b) = (cpv("a/a-2"), cpv("a/b-1"));
        let rest = [Task { package: &a, binary: false }, Task { package: &b, binary: true }];
        let eta = estimates.eta([], rest).unwrap();
        assert_eq!((eta.likely, eta.unknown), (15, 1));
        assert_eq!(Estimates::default().eta([], rest), None);
    }

    /// The names of twelve packages, of which the odd ones were never built.
    fn names() -> Vec<String> {
        (0..12).map(|n| format!("a/p{n}-1")).collect()
    }

    proptest! {
        #[test]
        fn the_likely_time_lies_in_its_range_and_follows_reason(
            seconds in vec(0..5000_u32, 30),
            running in vec((0..12_usize, 0..9000_u64), 0..5),
            rest in vec(0..12_usize, 0..30),
            jobs in 1..6_u32,
            gone in any::<prop::sample::Index>(),
        ) {
            let names = names();
            let builds: Vec<(&str, u32)> =
                seconds.iter().enumerate().map(|(n, s)| (names[n * 2 % 12].as_str(), *s)).collect();
            let running: Vec<(&str, u64)> = running.iter().map(|(n, s)| (names[*n].as_str(), *s)).collect();
            let rest: Vec<&str> = rest.iter().map(|n| names[*n].as_str()).collect();
            let estimates = known(&builds, jobs);
            let eta = remaining(&estimates, &running, &rest).unwrap();
            prop_assert!(eta.low <= eta.likely && eta.likely <= eta.high, "{eta:?}");

            let more = remaining(&known(&builds, jobs + 1), &running, &rest).unwrap();
            prop_assert!(more.likely <= eta.likely, "one job more: {eta:?} {more:?}");

            if !running.is_empty() {
                let mut left = running.clone();
                left.remove(gone.index(running.len()));
                let less = remaining(&estimates, &left, &rest).unwrap();
                prop_assert!(less.likely <= eta.likely, "one is done: {eta:?} {less:?}");
            }
            if !rest.is_empty() {
                let mut left = rest.clone();
                left.remove(gone.index(rest.len()));
                let less = remaining(&estimates, &running, &left).unwrap();
                prop_assert!(less.likely <= eta.likely, "one is left out: {eta:?} {less:?}");
            }
        }
    }
}
