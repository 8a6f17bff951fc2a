//! What scripts/bench-eta measures: gbsup's reading of emerge.log, and a log of years to read.
//!
//! ```text
//! eta estimate VOLUME JOBS <LIST      seconds that the packages of the list take
//! eta again VOLUME JOBS ROUNDS        milliseconds that the estimates take once the log was read, without a process around
//! eta write VOLUME LINES JOBS         a volume with such a log, and its package index, both made up
//! eta runs VOLUME LINES JOBS DIR N    the same, and the last N runs as tasks: the volume DIR/I as it was before the
//!                                     run, DIR/I.list what it merges, DIR/I.took the seconds it took
//! ```
//!
//! A made-up run works as Portage does: as many builds at a time as there are jobs, each merged as soon as
//! it is built, except for packages of the system, which wait until nothing else is built any more. How long a
//! package takes varies by some 15 per cent from build to build.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::{self, Read};
use std::path::Path;
use std::time::Instant;

use gbsup::decide::eta::Task;
use gbsup::model::estimates::Estimates;
use gbsup::portage::names::cpv::Cpv;
use gbsup::volume::emerge_log;

const PACKAGES: u64 = 700;
/// One package of so many belongs to the system.
const SYSTEM: u64 = 8;
const WEEK: u64 = 7 * 86_400;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["estimate", volume, jobs] => estimate(volume, jobs.parse()?),
        ["again", volume, jobs, rounds] => again(Path::new(volume), jobs.parse()?, rounds.parse()?),
        ["write", volume, lines, jobs] => History::new(jobs.parse()?).write(volume, lines.parse()?),
        ["runs", volume, lines, jobs, dir, n] => {
            let mut history = History::new(jobs.parse()?);
            history.write(volume, lines.parse()?)?;
            (0..n.parse()?).try_for_each(|number: u32| history.task(dir, number))
        }
        _ => Err("see the top of benches/eta.rs".into()),
    }
}

fn estimate(volume: &str, jobs: u32) -> Result<(), Box<dyn Error>> {
    let durations = emerge_log::durations(Path::new(volume));
    let mut list = String::new();
    io::stdin().read_to_string(&mut list)?;
    let packages: Vec<(Cpv, bool)> = list
        .lines()
        .filter_map(|line| {
            let (kind, name) = line.strip_prefix('[')?.split_once("] ")?;
            Some((Cpv::parse(name.trim().as_bytes())?, kind.starts_with("binary")))
        })
        .collect();
    let rest = packages.iter().map(|(package, binary)| Task { package, binary: *binary });
    let eta = Estimates::new(&durations, jobs).eta([], rest).ok_or("nothing is known")?;
    println!("{} {} {}", eta.likely, eta.low, eta.high);
    Ok(())
}

/// The median of some rounds.
fn again(volume: &Path, jobs: u32, rounds: usize) -> Result<(), Box<dyn Error>> {
    let time = |_| {
        let began = Instant::now();
        black_box(Estimates::new(&emerge_log::learn(volume), jobs));
        began.elapsed()
    };
    // The first one may have had to read it all.
    let mut times: Vec<_> = (0..=rounds).map(time).skip(1).collect();
    times.sort_unstable();
    let median = times.get(times.len() / 2).ok_or("no rounds")?;
    println!("{:.3}", median.as_secs_f64() * 1000.0);
    Ok(())
}

/// A builder's past, as its files have it.
struct History {
    jobs: u32,
    time: u64,
    random: u64,
    log: String,
    index: String,
    lines: usize,
}

/// A package in a run that is made up.
struct Build {
    name: String,
    system: bool,
    seconds: u64,
    binary: bool,
}

impl History {
    fn new(jobs: u32) -> Self {
        let (log, index) = (String::new(), String::from("VERSION: 0\n\n"));
        Self { jobs, time: 1_500_000_000, random: 0x9e37_79b9_7f4a_7c15, log, index, lines: 0 }
    }

    fn write(&mut self, volume: &str, lines: usize) -> Result<(), Box<dyn Error>> {
        while self.lines < lines {
            let builds = self.choose();
            self.run(&builds);
            self.time += WEEK;
        }
        self.keep(Path::new(volume))
    }

    /// Writes it where a volume has it.
    fn keep(&self, volume: &Path) -> Result<(), Box<dyn Error>> {
        for directory in ["log", "binpkgs", "state"] {
            fs::create_dir_all(volume.join(directory))?;
        }
        fs::write(volume.join("log/emerge.log"), &self.log)?;
        Ok(fs::write(volume.join("binpkgs/Packages"), &self.index)?)
    }

    /// The next run, as something to predict.
    fn task(&mut self, dir: &str, number: u32) -> Result<(), Box<dyn Error>> {
        let place = |what: &str| format!("{dir}/{number}.{what}");
        self.keep(&Path::new(dir).join(number.to_string()))?;
        let builds = self.choose();
        let list = builds.iter().fold(String::new(), |mut list, build| {
            let kind = if build.binary { "binary" } else { "ebuild" };
            let _ = writeln!(list, "[{kind}     U  ] {}", build.name);
            list
        });
        fs::write(place("list"), list)?;
        let began = self.time;
        self.run(&builds);
        fs::write(place("took"), format!("{}\n", self.time - began))?;
        self.time += WEEK;
        Ok(())
    }

    fn below(&mut self, limit: u64) -> u64 {
        // xorshift64
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 20) % limit
    }

    /// Around zero, seldom farther away than three (the sum of twelve equally likely numbers).
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.below(10_000) as f64 / 10_000.0).sum::<f64>() - 6.0
    }

    /// What is to be merged: ten to sixty packages, one of six of them a binary package.
    fn choose(&mut self) -> Vec<Build> {
        let count = 10 + self.below(50);
        let first = self.below(PACKAGES);
        let step = 1 + self.below(11);
        (0..count)
            .map(|n| {
                let number = (first + n * step) % PACKAGES;
                // From a few seconds to a few hours; the same package always about the same.
                let usual = 8.0 * 1.011_f64.powf(((number * 7919) % PACKAGES) as f64);
                let noise = (self.normal() * 0.15).exp();
                let binary = self.below(6) == 0;
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hours")]
                let seconds = if binary { 1 + self.below(3) } else { (usual * noise) as u64 };
                let (major, minor) = (1 + self.below(9), self.lines);
                let name = format!("cat{}-misc/package{number}-{major}.{minor}", number % 30);
                Build { name, system: number.is_multiple_of(SYSTEM), seconds, binary }
            })
            .collect()
    }

    fn line(&mut self, time: u64, message: &str) {
        let _ = writeln!(self.log, "{time}: {message}");
        self.lines += 1;
    }

    fn run(&mut self, builds: &[Build]) {
        let (began, of) = (self.time, builds.len());
        self.line(began, "Started emerge on: Nov 22, 2026 16:46:37");
        self.line(began, &format!(" *** emerge --update --deep --jobs={} @world", self.jobs));
        let waits = |build: &Build| build.system && self.jobs > 1;
        let mut events = Vec::new();
        let mut places = vec![began; self.jobs as usize];
        for (build, n) in builds.iter().zip(1..) {
            places.sort_unstable();
            let start = places[0];
            places[0] = start + build.seconds;
            events.push((start, n, format!(" >>> emerge ({n} of {of}) {} to /", build.name)));
            if !build.binary {
                let text = format!(" === ({n} of {of}) Compiling/Packaging ({}::/r/x.ebuild)", build.name);
                events.push((start, n, text));
                let _ = write!(self.index, "BUILD_TIME: {}\nCPV: {}\n\n", places[0], build.name);
            }
            if !waits(build) {
                events.extend(merge(build, n, of, places[0]));
            }
        }
        let mut end = places.into_iter().max().unwrap_or(began);
        // Started first, built last: where the order is another one, they wait a little less.
        for (build, n) in builds.iter().zip(1..).filter(|(build, _)| waits(build)) {
            events.extend(merge(build, n, of, end));
            end += 1;
        }
        events.sort_by_key(|(time, ..)| *time);
        for (time, _, message) in events {
            self.line(time, &message);
        }
        self.time = end + 1;
        self.line(self.time, " *** exiting successfully.");
        self.line(self.time, " *** terminating.");
    }
}

/// The lines of a merge that begins at this time.
fn merge(build: &Build, n: usize, of: usize, time: u64) -> [(u64, usize, String); 3] {
    let kind = if build.binary { "Merging Binary" } else { "Merging" };
    let name = &build.name;
    [
        (time, n, format!(" === ({n} of {of}) {kind} ({name}::/p/x)")),
        (time + 1, n, format!(" === ({n} of {of}) Post-Build Cleaning ({name}::/p/x)")),
        (time + 1, n, format!(" ::: completed emerge ({n} of {of}) {name} to /")),
    ]
}
