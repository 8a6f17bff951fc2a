use super::*;

impl Durations {
    /// Takes the next bytes of a log whose binary packages are gone.
    fn read_alone(&mut self, bytes: &[u8]) {
        self.read(bytes, &Built::unknown());
    }
}

/// The durations of one package after reading a log, from source and from binary packages.
fn took(log: &str, name: &str) -> (Vec<u32>, Vec<u32>) {
    let mut durations = Durations::default();
    durations.read_alone(log.as_bytes());
    (durations.of(name, false).collect(), durations.of(name, true).collect())
}

#[test]
fn source_and_binary_are_apart_and_versions_together() {
    let log = "\
        100: Started emerge on: Nov 22, 2026 16:46:37\n\
        100:  *** emerge --update @world\n\
        100:  >>> emerge (1 of 3) a/b-1-r2 to /\n\
        160:  ::: completed emerge (1 of 3) a/b-1-r2 to /\n\
        160:  >>> emerge (2 of 3) a/b-2 to /\n\
        161:  === (2 of 3) Merging Binary (a/b-2::/p/b-2-1.gpkg.tar)\n\
        163:  ::: completed emerge (2 of 3) a/b-2 to /\n\
        163:  >>> emerge (3 of 3) a/b-extra-2 to /\n\
        203:  ::: completed emerge (3 of 3) a/b-extra-2 to /\n\
        203:  *** exiting successfully.\n\
        203:  *** terminating.\n";
    assert_eq!(took(log, "a/b"), (vec![60], vec![3]));
    assert_eq!(took(log, "a/b-extra"), (vec![40], vec![]));
    assert_eq!(took(log, "a/c"), (vec![], vec![]));
}

#[test]
fn what_did_not_come_to_its_end_is_no_duration() {
    let start = "100:  >>> emerge (1 of 1) a/b-1 to /\n";
    let end = "160:  ::: completed emerge (1 of 1) a/b-1 to /\n";
    for (between, durations) in [
        ("", vec![60]),
        // It failed, or emerge was killed, and another emerge began.
        ("120:  *** exiting unsuccessfully with status '1'.\n", vec![]),
        ("120:  *** terminating.\n", vec![]),
        ("120:  *** Resuming merge...\n", vec![]),
        ("120: Started emerge on: Nov 22, 2026 16:46:37\n", vec![]),
        // It was begun again.
        ("130:  >>> emerge (1 of 1) a/b-1 to /\n", vec![30]),
        ("120: Started emerge on: x\n130:  >>> emerge (1 of 1) a/b-1 to /\n", vec![30]),
        // The clock was set back, or forward by years.
        ("90:  === (1 of 1) Cleaning (a/b-1::/r/b-1.ebuild)\n", vec![60]),
        ("90:  >>> emerge (2 of 2) a/c-1 to /\n", vec![]),
        ("900000000:  >>> emerge (2 of 2) a/c-1 to /\n", vec![]),
        // Nonsense of all kinds.
        ("\0\0\0\0\0\0\n110\n: \n\n\u{fffd}: x\n110: >>> emerge (1 of\n", vec![60]),
        ("120:  ::: completed emerge (9 of 9) a/never-begun-1 to /\n", vec![60]),
        ("120:  === (1 of 1) Merging Binary (a/other-1::/p)\n", vec![60]),
        ("99999999999999999999:  *** terminating.\n", vec![60]),
    ] {
        let log = format!("{start}{between}{end}");
        assert_eq!(took(&log, "a/b").0, durations, "{between:?}");
    }
    assert!(took(start, "a/b").0.is_empty(), "the log ends in the middle");
    assert!(took(&format!("{start}{}", &end[..40]), "a/b").0.is_empty(), "in the middle of a line");
}

#[test]
fn the_last_ten_count() {
    let mut log = String::new();
    for n in 0..25_u64 {
        let (start, end) = (n * 1000, n * 1000 + n);
        let _ = writeln!(log, "{start}:  >>> emerge (1 of 1) a/b-1 to /");
        let _ = writeln!(log, "{end}:  ::: completed emerge (1 of 1) a/b-1 to /");
    }
    assert_eq!(took(&log, "a/b").0, (15..25).collect::<Vec<_>>());
}

/// Four packages on two jobs: the first two are built in 100 s and then wait for their merge, as
/// those of the system do, until the other two are built as well.
const WAITING: &str = "\
    1000: Started emerge on: x\n\
    1000:  *** emerge --jobs=2 --update @world\n\
    1000:  >>> emerge (1 of 4) a/a-1 to /\n\
    1000:  >>> emerge (2 of 4) a/b-1 to /\n\
    1100:  >>> emerge (3 of 4) a/c-1 to /\n\
    1100:  >>> emerge (4 of 4) a/d-1 to /\n\
    1198:  === (3 of 4) Merging (a/c-1::/r/c.ebuild)\n\
    1198:  === (4 of 4) Merging (a/d-1::/r/d.ebuild)\n\
    1200:  ::: completed emerge (3 of 4) a/c-1 to /\n\
    1200:  ::: completed emerge (4 of 4) a/d-1 to /\n\
    1200:  === (1 of 4) Merging (a/a-1::/r/a.ebuild)\n\
    1200:  === (2 of 4) Merging (a/b-1::/r/b.ebuild)\n\
    1205:  ::: completed emerge (1 of 4) a/a-1 to /\n\
    1205:  ::: completed emerge (2 of 4) a/b-1 to /\n\
    1205:  *** terminating.\n";

#[test]
fn waiting_for_the_merge_is_no_work_where_the_end_of_the_build_is_known() {
    let index = "ARCH: amd64\nPACKAGES: 5\n\n\
        BUILD_ID: 1\nBUILD_TIME: 1100\nCPV: a/a-1\nSIZE: 1\n\n\
        BUILD_TIME: 900\nCPV: a/b-1\n\nBUILD_TIME: 1100\nCPV: a/b-1\n\nBUILD_TIME: x\nCPV: a/c-1\n\n\
        BUILD_TIME: 1300\nCPV: a/d-1\n";
    for (index, durations, at_once) in [
        (index, [105, 105, 100, 100], 2000),
        // Built when the merges began, at the latest.
        ("", [203, 203, 100, 100], 2956),
        ("\0\n", [203, 203, 100, 100], 2956),
    ] {
        let mut read = Durations::default();
        read.read(WAITING.as_bytes(), &Built::by(|| index.into()));
        let all = ["a/a", "a/b", "a/c", "a/d"].map(|name| read.of(name, false).collect::<Vec<_>>());
        assert_eq!(all, durations.map(|seconds| vec![seconds]));
        assert_eq!(read.at_once(2), Some(at_once));
        assert_eq!(read.at_once(3), None);
    }
}

#[test]
fn what_may_have_waited_counts_only_where_there_is_nothing_better() {
    let mut read = Durations::default();
    read.read_alone(WAITING.as_bytes());
    assert_eq!(read.of("a/a", false).collect::<Vec<_>>(), [203]);
    // The next time it is built alone.
    read.read_alone(
        b"2000: Started emerge on: x\n2000:  *** emerge a/a\n2000:  >>> emerge (1 of 1) a/a-2 to /\n\
          2090:  ::: completed emerge (1 of 1) a/a-2 to /\n",
    );
    assert_eq!(read.of("a/a", false).collect::<Vec<_>>(), [90]);
    assert_eq!(read.of("a/b", false).collect::<Vec<_>>(), [203]);
    // A binary package that waited.
    read.read_alone(
        b"3000: Started emerge on: x\n3000:  *** emerge --jobs=2 a/a\n3000:  >>> emerge (1 of 1) a/a-2 to /\n\
          3500:  === (1 of 1) Merging Binary (a/a-2::/p)\n3502:  ::: completed emerge (1 of 1) a/a-2 to /\n",
    );
    assert_eq!(read.of("a/a", true).collect::<Vec<_>>(), [2]);
}

/// A run with two jobs in which `a/a` is built in so many seconds, and `a/b` beside it for as long and some more.
fn beside(start: u32, version: usize, seconds: u32, more: u32) -> String {
    let (built, merged) = (start + seconds, start + seconds + more);
    format!(
        "{start}: Started emerge on: x\n{start}:  *** emerge --jobs=2 @world\n\
         {start}:  >>> emerge (1 of 2) a/a-{version} to /\n{start}:  >>> emerge (2 of 2) a/b-{version} to /\n\
         {built}:  === (1 of 2) Merging (a/a-{version}::/r)\n{built}:  ::: completed emerge (1 of 2) a/a-{version} to /\n\
         {merged}:  === (2 of 2) Merging (a/b-{version}::/r)\n{merged}:  ::: completed emerge (2 of 2) a/b-{version} to /\n\
         {merged}:  *** terminating.\n"
    )
}

/// The binary packages of all but one are gone, as they are after a year.
#[test]
fn one_fast_build_is_no_proof_against_many_slow_ones() {
    const TOOK: [u32; 6] = [271, 63, 57, 173, 855, 158];
    let read = |exact: &[usize]| {
        let mut read = Durations::default();
        let index = exact.iter().fold(String::from("VERSION: 0\n"), |index, &n| {
            index + &format!("\nCPV: a/a-{n}\nBUILD_TIME: {}\n", 10_000 * (n + 1) + TOOK[n] as usize)
        });
        let built = Built::by(|| index.into_bytes());
        for (n, (seconds, start)) in TOOK.into_iter().zip((10_000..).step_by(10_000)).enumerate() {
            read.read(beside(start, n, seconds, 100).as_bytes(), &built);
        }
        (read.of("a/a", false).collect::<Vec<_>>(), read.of("a/b", false).collect::<Vec<_>>())
    };
    let alone = TOOK.map(|seconds| seconds + 100).to_vec();
    assert_eq!(read(&[2]), (TOOK.to_vec(), alone.clone()));
    assert_eq!(read(&[2, 1]).0, TOOK);
    assert_eq!(read(&[2, 1, 4]).0, [63, 57, 855]);
    assert_eq!(read(&[]).0, TOOK);
}

#[test]
fn what_merges_while_nothing_else_is_in_work_did_not_wait() {
    let mut read = Durations::default();
    for (version, start) in (1..10).zip((10_000..).step_by(10_000)) {
        read.read_alone(beside(start, version, 60, 4 * u32::try_from(version).unwrap()).as_bytes());
    }
    // What follows within a breath may have been built before the other one was merged.
    let exact = read.packages["a/b"].source.iter().filter(|took| !took.waited).map(|took| took.seconds);
    assert_eq!(exact.collect::<Vec<_>>(), [68, 72, 76, 80, 84, 88, 92, 96]);
    assert!(read.packages["a/a"].source.iter().all(|took| took.waited));
    // The other one failed, and stood in the way until then.
    read.read_alone(
        b"900000: Started emerge on: x\n900000:  *** emerge --jobs=2 @world\n\
          900000:  >>> emerge (1 of 2) a/c-1 to /\n900000:  >>> emerge (2 of 2) a/d-1 to /\n\
          900500:  === (1 of 2) Merging (a/c-1::/r)\n900500:  ::: completed emerge (1 of 2) a/c-1 to /\n\
          900500:  *** exiting unsuccessfully with status '1'.\n",
    );
    assert!(read.packages["a/c"].source[0].waited);
}

#[test]
fn how_much_is_done_at_a_time_is_measured() {
    let run = |jobs: &str| {
        format!(
            "0: Started emerge on: x\n0:  *** emerge {jobs} @world\n\
             0:  >>> emerge (1 of 4) a/a-1 to /\n50:  ::: completed emerge (1 of 4) a/a-1 to /\n\
             50:  >>> emerge (2 of 4) a/b-1 to /\n50:  >>> emerge (3 of 4) a/c-1 to /\n\
             100:  ::: completed emerge (2 of 4) a/b-1 to /\n100:  ::: completed emerge (3 of 4) a/c-1 to /\n\
             100:  >>> emerge (4 of 4) a/d-1 to /\n100:  ::: completed emerge (4 of 4) a/d-1 to /\n\
             100:  *** exiting successfully.\n100:  *** terminating.\n"
        )
    };
    for (options, jobs, at_once) in [
        ("--jobs=2 --update", 2, Some(1500)),
        ("--update --jobs=2", 2, Some(1500)),
        ("--jobs --update", u32::MAX, None),
        ("--update", 1, None),
        ("--jobs=3", 3, None),
    ] {
        let mut durations = Durations::default();
        durations.read_alone(run(options).as_bytes());
        assert_eq!(durations.at_once(jobs), at_once, "{options}");
    }
}

/// The log of years: what is built again and again, two hundred thousand lines of it, damaged in
/// places. The truth is counted while it is written.
#[test]
fn a_log_of_years_is_read_to_its_last_line() {
    let mut log = Vec::new();
    let mut truth: BTreeMap<String, VecDeque<u32>> = BTreeMap::new();
    let mut time = 1_300_000_000_u64;
    let mut lines = 0;
    let mut random = 1_u64;
    while lines < 200_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (name, seconds) = ((random >> 33) % 900, u32::try_from((random >> 44) % 3000).unwrap());
        let package = format!("cat-{}/name{name}", name % 40);
        let failed = (random >> 20).is_multiple_of(17);
        let binary = (random >> 25).is_multiple_of(5);
        let cpv = format!("{package}-1.{lines}");
        let mut write = |time: u64, message: &str| {
            let _ = std::io::Write::write_fmt(&mut log, format_args!("{time}: {message}\n"));
            lines += 1;
        };
        write(time, "Started emerge on: Nov 22, 2026 16:46:37");
        write(time, " *** emerge --update --deep --with-bdeps=y @world");
        write(time, &format!(" >>> emerge (1 of 1) {cpv} to /"));
        write(time, &format!(" === (1 of 1) Cleaning ({cpv}::/r/x.ebuild)"));
        if binary {
            write(time, &format!(" === (1 of 1) Merging Binary ({cpv}::/p/x)"));
        } else {
            write(time, &format!(" === (1 of 1) Compiling/Packaging ({cpv}::/r/x.ebuild)"));
        }
        time += u64::from(seconds);
        if !failed {
            write(time, &format!(" === (1 of 1) Post-Build Cleaning ({cpv}::/r/x.ebuild)"));
            write(time, &format!(" ::: completed emerge (1 of 1) {cpv} to /"));
            if !binary {
                keep(truth.entry(package).or_default(), seconds);
            }
        }
        write(time, " *** terminating.");
        if (random >> 22).is_multiple_of(50) {
            log.extend([0; 100]);
            log.extend(b"\n1300000000:  >>> emerge (1 of");
            log.push(b'\n');
        }
        time += 3600;
    }
    let mut durations = Durations::default();
    log.chunks(65_536).for_each(|piece| durations.read_alone(piece));
    assert_eq!(truth.len(), 900);
    for (name, seconds) in &truth {
        assert!(durations.of(name, false).eq(seconds.iter().copied()), "{name}");
    }
}

#[test]
fn a_log_of_nothing_but_starts_stays_small() {
    let mut durations = Durations::default();
    for n in 0..100_000_u32 {
        durations.read_alone(format!("{n}:  >>> emerge (1 of 1) a/b-{n} to /\n").as_bytes());
    }
    assert_eq!(durations.run.open.len(), MAX_OPEN);
    for n in 0..50_000_u32 {
        let text = format!(
            "{n}: Started emerge on: x\n{n}:  >>> emerge (1 of 1) a/n{n}-1 to /\n{n}:  ::: completed emerge (1 of 1) a/n{n}-1 to /\n"
        );
        durations.read_alone(text.as_bytes());
    }
    assert_eq!(durations.packages.len(), MAX_NAMES);
}

/// A package that failed, also after it was merged, has no end.
#[test]
fn a_real_log() {
    let mut durations = Durations::default();
    durations.read_alone(include_bytes!("../../../tests/captured/emerge.log"));
    let names: Vec<&str> = durations.names().collect();
    assert!(names.contains(&"sys-libs/zlib") && !names.contains(&"test-fail/broken"), "{names:?}");
    assert!(!names.contains(&"test-fail/broken-postinst"), "{names:?}");
    let tree: Vec<u32> = durations.of("app-text/tree", false).collect();
    assert!(tree.iter().all(|seconds| (2..60).contains(seconds)) && !tree.is_empty(), "{tree:?}");
    assert!(durations.at_once(2).is_some_and(|at_once| at_once > 1000));
}
