//! What benches/machines reckons with: who needs whom, what a package takes, and schedules of which the best one is known.

use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use gbsup::portage::output::plan::Reader;

#[path = "../benches/machines/graph.rs"]
mod graph;
#[path = "../benches/machines/schedule.rs"]
mod schedule;
#[path = "../benches/machines/times.rs"]
mod times;

use schedule::{Farm, Task, critical_path, ranks};

fn task(seconds: f64, after: &[usize]) -> Task {
    Task { seconds, share: 0.0, after: after.to_vec() }
}

/// So many machines that build whole packages, which cost nothing to install.
fn builders(machines: usize) -> Farm {
    Farm { machines, workers: machines, help: false, install: 0.0 }
}

/// One builder, and helpers.
fn helped(machines: usize) -> Farm {
    Farm { workers: 1, help: true, ..builders(machines) }
}

#[track_caller]
fn takes(farm: Farm, tasks: &[Task], seconds: f64) {
    let took = farm.run(tasks);
    assert!((took - seconds).abs() < 1e-6, "{took} s and not {seconds} s, {farm:?}");
}

#[test]
fn the_longest_way_begins_first() {
    // In the order of the list two machines would take 9 s.
    let tasks = [task(3.0, &[]), task(3.0, &[]), task(1.0, &[]), task(5.0, &[2])];
    takes(builders(1), &tasks, 12.0);
    takes(builders(2), &tasks, 6.0);
    takes(builders(16), &tasks, 6.0);
    assert_eq!(critical_path(&tasks), [2, 3]);
    assert_eq!(ranks(&tasks), [3.0, 3.0, 6.0, 5.0]);
}

#[test]
fn nothing_begins_before_what_it_needs() {
    let chain = [task(1.0, &[]), task(2.0, &[0]), task(3.0, &[0, 1])];
    takes(builders(16), &chain, 6.0);
    // Out and together again: 1 + 4 / 2 + 1.
    let fork = [
        task(1.0, &[]),
        task(1.0, &[0]),
        task(1.0, &[0]),
        task(1.0, &[0]),
        task(1.0, &[0]),
        task(1.0, &[0, 1, 2, 3, 4]),
    ];
    takes(builders(2), &fork, 4.0);
    takes(builders(4), &fork, 3.0);
}

#[test]
fn helpers_take_over_what_is_shared() {
    let shared = |seconds, share| Task { share, ..task(seconds, &[]) };
    takes(helped(3), &[shared(12.0, 0.75)], 3.0 + 9.0 / 3.0);
    takes(helped(3), &[shared(12.0, 0.75), task(6.0, &[])], 12.0);
    // Of three machines two build, and the third helps both: 2 s alone, then 4 s of work at the speed of 1.5.
    let both = Farm { workers: 2, ..helped(3) };
    takes(both, &[shared(6.0, 4.0 / 6.0), shared(6.0, 4.0 / 6.0)], 2.0 + 4.0 / 1.5);
    // Who has nothing more to build helps the last one.
    takes(Farm { machines: 2, ..both }, &[shared(10.0, 1.0), task(4.0, &[])], 4.0 + 6.0 / 2.0);
}

#[test]
fn what_was_built_elsewhere_is_installed_first() {
    let farm = Farm { install: 1.0, ..builders(2) };
    takes(farm, &[task(10.0, &[]), task(10.0, &[0])], 20.0);
    takes(farm, &[task(10.0, &[]), task(10.0, &[0]), task(10.0, &[0])], 21.0);
    // Once on each machine: the second pair finds it there.
    let pairs =
        [10.0, 5.0, 5.0, 5.0, 5.0].map(|seconds| task(seconds, if seconds > 5.0 { &[] } else { &[0] }));
    takes(farm, &pairs, 10.0 + 1.0 + 5.0 + 5.0);
}

#[test]
fn who_needs_whom() {
    let cache = TempDir::new().unwrap();
    let list = [
        ("dev-libs/a-1", "", "DEPEND=dev-libs/c\nRDEPEND=dev-libs/c"),
        // What it links to needs another package, and so do those who build against it.
        ("dev-libs/b-1", "", "DEPEND=>=dev-libs/a-1:0= !dev-libs/old\nRDEPEND=dev-libs/a"),
        ("dev-libs/c-1", "USE=\"x -y\"", "DEPEND=x? ( || ( dev-libs/z dev-libs/b ) ) y? ( dev-libs/d )"),
        ("dev-lang/unknown-1", "", ""),
        ("dev-go/d-1", "", "BDEPEND=dev-lang/go\nDEPEND=elibc_glibc? ( dev-libs/c )"),
        ("dev-python/e-1", "", "RDEPEND=dev-libs/c"),
    ];
    let mut reader = Reader::new();
    reader.line(b"These are the packages that would be merged, in order:");
    for (name, flags, entry) in list {
        reader.line(format!("[ebuild   R    ] {name}:0/0::gentoo  {flags} 0 KiB").as_bytes());
        if !entry.is_empty() {
            let place = cache.path().join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, entry).unwrap();
        }
    }
    let nodes = graph::read(&reader.finish(&[]).packages, cache.path());
    let after: Vec<&[usize]> = nodes.iter().map(|node| node.after.as_slice()).collect();
    // The first two and the third need each other: Portage begins with what is installed.
    assert_eq!(after, [&[][..], &[0], &[0, 1], &[2], &[2], &[]]);
    assert_eq!(nodes.iter().map(|node| node.later).collect::<Vec<_>>(), [1, 1, 0, 0, 0, 0]);
    assert_eq!(
        nodes.iter().map(|node| node.known).collect::<Vec<_>>(),
        [true, true, true, false, true, true]
    );
    assert_eq!(
        nodes.iter().map(|node| node.helped).collect::<Vec<_>>(),
        [true, true, true, false, false, false]
    );
}

#[test]
fn what_packages_take() {
    let log = "100:  >>> emerge (1 of 2) dev-util/cmake-3 to /\n140:  ::: completed emerge (1 of 2) dev-util/cmake-3 to /\n\
               150:  >>> emerge (2 of 2) virtual/libc-1 to /\n152:  ::: completed emerge (2 of 2) virtual/libc-1 to /\n";
    let table = "dev-build/cmake 2\ndev-lang/perl 3\n# a comment\n";
    let plan = ["dev-build/cmake", "dev-lang/perl", "acct-user/perl", "dev-libs/a"];
    let (seconds, used) = times::of(&plan, &[times::read(log.as_bytes()), times::read(table.as_bytes())]);
    // cmake has moved; what bears only the name of another has its time from what all take: 40, 60, the greater of the two in the middle.
    assert_eq!(seconds, [40.0, 60.0, 60.0, 60.0]);
    assert_eq!((used[0].packages, used[1].packages), (1, 1));
    assert_eq!((used[1].scale, used[1].telling, used[1].quartiles), (20.0, 1, (20.0, 20.0)));
}

fn tasks() -> impl Strategy<Value = Vec<Task>> {
    let one = (1_u32..100, 0_u32..=4, prop::collection::vec(any::<prop::sample::Index>(), 0..4));
    prop::collection::vec(one, 1..30).prop_map(|all| {
        let place = |(place, (seconds, share, after)): (usize, (u32, u32, Vec<prop::sample::Index>))| {
            let mut after: Vec<usize> =
                after.iter().filter(|_| place > 0).map(|index| index.index(place.max(1))).collect();
            after.sort_unstable();
            after.dedup();
            Task { seconds: f64::from(seconds), share: f64::from(share) / 4.0, after }
        };
        all.into_iter().enumerate().map(place).collect()
    })
}

proptest! {
    #[test]
    fn no_schedule_is_shorter_than_possible(tasks in tasks(), machines in 1_usize..6) {
        let work: f64 = tasks.iter().map(|task| task.seconds).sum();
        let way = ranks(&tasks).into_iter().fold(0.0, f64::max);
        let least = way.max(work / machines as f64);
        let took = builders(machines).run(&tasks);
        // Graham's bound for any order in which no machine is idle while something can begin.
        prop_assert!(took >= least - 1e-6 && took <= (work + way * (machines - 1) as f64) / machines as f64 + 1e-6);
        let both = Farm { help: true, ..builders(machines) }.run(&tasks);
        prop_assert!(both >= work / machines as f64 - 1e-6 && both <= work + 1e-6);
        let helpers: f64 = tasks.iter().map(|task| task.seconds * (1.0 - task.share + task.share / machines as f64)).sum();
        prop_assert!((helped(machines).run(&tasks) - helpers).abs() < 1e-6);
    }
}
