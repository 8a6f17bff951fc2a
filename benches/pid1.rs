//! Inits side by side, for scripts/bench-init, which compiles this file by itself.
//!
//! ```text
//! pid1 ROUNDS NAME=COMMAND...   measure each, and print a table; COMMAND ends where the child's begins
//! ```
//!
//! Each init is PID 1 of a PID namespace, and its child is this program again, in the part that
//! `PID1_PART` names. The child waits for USR1 before it does anything, and prints the times.

#![allow(unsafe_code, reason = "fork, namespaces and waiting for signals, with the standard library alone")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime};
use std::{env, iter};

/// Starts, and so TERM signals, of each init in a round.
const STARTS: usize = 40;
const STREAM: u32 = 20_000;
const BURST: u32 = 5_000;
const BACKLOG: u32 = 10_000;
const IDLE: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_mins(2);
const SWITCHES: &[&str] = &["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"];
const PART: &str = "PID1_PART";

const SIGKILL: i32 = 9;
const SIGUSR1: i32 = 10;
const SIGTERM: i32 = 15;
const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;
const CLONE_NEWPID: i32 = 0x2000_0000;
const SIG_BLOCK: i32 = 0;

/// `sigset_t` of the C library, which is larger than the kernel's.
type SignalSet = [u64; 16];

unsafe extern "C" {
    safe fn fork() -> i32;
    safe fn kill(pid: i32, signal: i32) -> i32;
    safe fn unshare(flags: i32) -> i32;
    safe fn setns(fd: i32, kind: i32) -> i32;
    safe fn _exit(code: i32) -> !;
    fn sigprocmask(how: i32, set: *const SignalSet, old: *mut SignalSet) -> i32;
    fn sigwait(set: *const SignalSet, signal: *mut i32) -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
}

fn main() {
    if let Ok(part) = env::var(PART) {
        return play(&part);
    }
    let mut args = env::args().skip(1);
    let rounds = args.next().and_then(|word| word.parse().ok());
    let inits: Vec<Init> = args.filter_map(|word| Init::parse(&word)).collect();
    match rounds {
        Some(rounds) if !inits.is_empty() => measure(rounds, &inits),
        // `cargo bench` calls it with arguments of its own.
        _ => eprintln!("this is a part of scripts/bench-init"),
    }
}

// The child.

/// Microseconds since the epoch, for comparison between processes.
fn now() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

fn say(word: &str) {
    println!("{word} {:.1}", now());
}

fn play(part: &str) {
    let began = now();
    let mut set = [0; 16];
    set[0] = 1 << (SIGUSR1 - 1) | 1 << (SIGTERM - 1);
    // SAFETY: `set` is as large as the C library's, and valid for the call.
    unsafe { sigprocmask(SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    println!("began {began:.1}");
    while wait_for(&set) != SIGUSR1 {
        say("term");
    }
    match part {
        "stream" => stream(STREAM),
        "backlog" => stream(BACKLOG),
        "burst" => burst(),
        _ => {}
    }
    loop {
        wait_for(&set);
    }
}

fn wait_for(set: &SignalSet) -> i32 {
    let mut signal = 0;
    // SAFETY: both are valid for the call.
    unsafe { sigwait(set, &raw mut signal) };
    signal
}

/// Runs `work` in a child of this process, which then ends.
fn forked(work: impl FnOnce()) -> i32 {
    match fork() {
        0 => {
            work();
            _exit(0)
        }
        pid if pid > 0 => pid,
        _ => panic!("fork: {}", io::Error::last_os_error()),
    }
}

fn reap(pid: i32) {
    // SAFETY: a null status is allowed.
    unsafe { waitpid(pid, std::ptr::null_mut(), 0) };
}

/// Orphans, one after the other, that end at once.
fn stream(count: u32) {
    say("first");
    for _ in 0..count {
        reap(forked(|| {
            forked(|| ());
        }));
    }
    say("last");
}

/// Orphans that wait until the last writer of a pipe has closed it, and so end together.
fn burst() {
    let (mut reader, writer) = io::pipe().expect("a pipe");
    // One parent for all of them: it ends, and they are orphans.
    let raw = writer.as_raw_fd();
    reap(forked(|| {
        for _ in 0..BURST {
            forked(|| {
                // SAFETY: the copy of this process alone; nothing uses it afterwards.
                drop(unsafe { <File as std::os::fd::FromRawFd>::from_raw_fd(raw) });
                let _ = reader.read(&mut [0]);
            });
        }
    }));
    say("first");
    // Released at a word, so that the other side can count them first.
    let mut set = [0; 16];
    set[0] = 1 << (SIGUSR1 - 1);
    wait_for(&set);
    say("last");
    drop(writer);
}

// The measuring side.

/// An init, as the command before the child's.
struct Init {
    name: String,
    command: Vec<String>,
}

impl Init {
    fn parse(word: &str) -> Option<Init> {
        let (name, command) = word.split_once('=')?;
        Some(Init { name: name.to_owned(), command: command.split_whitespace().map(str::to_owned).collect() })
    }

    /// Whether this is the child alone.
    fn is_none(&self) -> bool {
        self.command.is_empty()
    }

    /// s6-svscan starts what its directory says, and is told nothing.
    fn supervises(&self) -> bool {
        self.name.starts_with("s6")
    }

    /// Starts it as PID 1, with the child in `part`.
    fn start(&self, part: &str) -> Running {
        let own = env::current_exe().expect("it has a name").display().to_string();
        let child = if self.supervises() { None } else { Some(own) };
        let words: Vec<String> = self.command.iter().cloned().chain(child).collect();
        let (program, words) = words.split_first().expect("it is not empty");
        let mut command = Command::new(program);
        command.args(words).env(PART, part).stdin(Stdio::null()).stdout(Stdio::piped());
        let before = File::open("/proc/self/ns/pid").expect("there are namespaces");
        assert_eq!(unshare(CLONE_NEWPID), 0, "unshare: {}", io::Error::last_os_error());
        let started = now();
        let init = command.spawn();
        assert_eq!(setns(before.as_raw_fd(), CLONE_NEWPID), 0, "setns: {}", io::Error::last_os_error());
        let mut init = init.unwrap_or_else(|error| panic!("{program}: {error}"));
        let words = BufReader::new(init.stdout.take().expect("it is a pipe"));
        Running { pid: init.id(), init, words, started, child: 0 }
    }
}

/// A running init; killed when dropped, and so its namespace.
struct Running {
    pid: u32,
    init: Child,
    words: BufReader<ChildStdout>,
    started: f64,
    /// The child's pid here, once it has begun.
    child: u32,
}

impl Running {
    /// Waits for a line of the child's, and returns the time in it.
    fn word(&mut self, wanted: &str) -> f64 {
        let mut line = String::new();
        self.words.read_line(&mut line).expect("text");
        let (word, time) = line.trim().split_once(' ').unwrap_or_default();
        assert_eq!(word, wanted, "the child said {line:?}");
        time.parse().expect("a number")
    }

    /// Waits until the child runs and everything has gone to sleep; returns the time it began.
    fn begun(&mut self) -> f64 {
        let began = self.word("began");
        let own = fs::read_link("/proc/self/exe").ok();
        let is_child = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).ok() == own;
        self.child = self.family().into_iter().find(is_child).expect("it has begun");
        self.until("everything sleeps", |it| it.family().iter().all(|pid| stat(*pid).starts_with('S')));
        began
    }

    fn go(&self) {
        signal(self.child, SIGUSR1);
    }

    /// PID 1 and all that descends from it.
    fn family(&self) -> Vec<u32> {
        let mut family = vec![self.pid];
        let mut next = 0;
        while let Some(pid) = family.get(next).copied() {
            family.extend(children(pid));
            next += 1;
        }
        family
    }

    /// The init and its helpers: all but the child.
    fn own(&self) -> Vec<u32> {
        self.family().into_iter().filter(|pid| *pid != self.child).collect()
    }

    /// Waits until PID 1 has as many children as before the orphans, and returns the time.
    fn until_reaped(&self) -> f64 {
        self.until("the orphans are reaped", |it| children(it.pid).len() == 1);
        now()
    }

    fn until(&self, what: &str, condition: impl Fn(&Running) -> bool) {
        let deadline = now() + PATIENCE.as_secs_f64() * 1e6;
        while !condition(self) {
            assert!(now() < deadline, "still not so: {what}");
            sleep(Duration::from_micros(500));
        }
    }

    /// Microseconds that PID 1 has been on a CPU.
    fn cpu(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/schedstat", self.pid)).unwrap_or_default();
        text.split(' ').next().and_then(|time| time.parse().ok()).map_or(0.0, |time: f64| time / 1e3)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        signal(self.pid, SIGKILL);
        let _ = self.init.wait();
    }
}

fn signal(pid: u32, signal: i32) {
    kill(i32::try_from(pid).expect("a pid"), signal);
}

fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// `/proc/PID/stat` from the state on.
fn stat(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").map_or(String::new(), |(_, rest)| rest.to_owned())
}

/// The sum of the lines of a file of `/proc/PID` that begin with one of `names`.
fn sum(pid: u32, file: &str, names: &[&str]) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| names.contains(name));
    lines.filter_map(|(_, rest)| rest.trim().trim_end_matches(" kB").parse::<f64>().ok()).sum()
}

/// What was measured, by name of the init and of the figure.
#[derive(Default)]
struct Samples(HashMap<(String, &'static str), Vec<f64>>);

impl Samples {
    fn add(&mut self, init: &Init, figure: &'static str, value: f64) {
        self.0.entry((init.name.clone(), figure)).or_default().push(value);
    }

    /// The median, and the tenth and the ninetieth percentile when there are enough, else the extremes.
    fn spread(&self, init: &Init, figure: &'static str, digits: usize) -> String {
        let Some(values) = self.0.get(&(init.name.clone(), figure)) else { return "-".to_owned() };
        let mut values = values.clone();
        values.sort_by(f64::total_cmp);
        let last = values.len() - 1;
        let edge = if values.len() >= 20 { values.len() / 10 } else { 0 };
        let median = f64::midpoint(values[last / 2], values[values.len() / 2]);
        format!("{median:.digits$} ({:.digits$}-{:.digits$})", values[edge], values[last - edge])
    }
}

fn measure(rounds: usize, inits: &[Init]) {
    let mut samples = Samples::default();
    for round in 0..rounds {
        // Another one first in every round.
        let order = || inits.iter().cycle().skip(round % inits.len()).take(inits.len());
        for _ in 0..STARTS {
            order().for_each(|init| starts(init, &mut samples));
        }
        let real = || order().filter(|init| !init.is_none());
        idle(&real().collect::<Vec<_>>(), &mut samples);
        for init in real() {
            orphans(init, &mut samples);
        }
    }
    print(rounds, inits, &samples);
}

/// Start to child, and TERM to child.
fn starts(init: &Init, samples: &mut Samples) {
    let mut running = init.start("signal");
    let began = running.begun();
    samples.add(init, "start", (began - running.started) / 1e3);
    let sent = now();
    signal(running.pid, SIGTERM);
    samples.add(init, "term", running.word("term") - sent);
}

/// All of them asleep, at the same time.
fn idle(inits: &[&Init], samples: &mut Samples) {
    let mut running: Vec<Running> = inits.iter().map(|init| init.start("idle")).collect();
    for it in &mut running {
        it.begun();
    }
    let total = |it: &Running, file: &str, names: &[&str]| -> f64 {
        it.own().iter().map(|pid| sum(*pid, file, names)).sum()
    };
    let before: Vec<f64> = running.iter().map(|it| total(it, "status", SWITCHES)).collect();
    sleep(IDLE);
    for ((init, it), before) in iter::zip(inits, &running).zip(before) {
        samples.add(init, "wakes", total(it, "status", SWITCHES) - before);
        samples.add(init, "pss", total(it, "smaps_rollup", &["Pss"]));
        samples.add(init, "dirty", total(it, "smaps_rollup", &["Private_Dirty"]));
        samples.add(init, "rss", total(it, "smaps_rollup", &["Rss"]));
    }
}

/// Reaping: a stream, a burst, and a backlog for the time each zombie takes.
fn orphans(init: &Init, samples: &mut Samples) {
    let mut running = init.start("stream");
    running.begun();
    running.go();
    let first = running.word("first");
    running.word("last");
    samples.add(init, "stream", (running.until_reaped() - first) / 1e6);
    drop(running);

    let mut running = init.start("burst");
    running.begun();
    running.go();
    running.word("first");
    running.until("the orphans wait", |it| children(it.pid).len() == 1 + BURST as usize);
    running.go();
    let last = running.word("last");
    samples.add(init, "burst", (running.until_reaped() - last) / 1e3);
    drop(running);

    let mut running = init.start("backlog");
    running.begun();
    signal(running.pid, SIGSTOP);
    running.until("it is stopped", |it| stat(it.pid).starts_with('T'));
    running.go();
    running.word("first");
    running.word("last");
    let before = running.cpu();
    signal(running.pid, SIGCONT);
    running.until_reaped();
    running.until("it sleeps", |it| stat(it.pid).starts_with('S'));
    samples.add(init, "zombie", (running.cpu() - before) / f64::from(BACKLOG));
}

fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

fn table(head: &[&str], inits: &[Init], samples: &Samples, figures: &[(&'static str, usize)]) {
    row(&iter::once("init").chain(head.iter().copied()).map(str::to_owned).collect::<Vec<_>>());
    row(&vec!["---".to_owned(); head.len() + 1]);
    for init in inits {
        let cells = figures.iter().map(|(figure, digits)| samples.spread(init, figure, *digits));
        row(&iter::once(init.name.clone()).chain(cells).collect::<Vec<_>>());
    }
}

fn print(rounds: usize, inits: &[Init], samples: &Samples) {
    println!(
        "Median of {} (10th-90th percentile) for the first two columns, of {rounds} (least-greatest) for the rest.\n",
        rounds * STARTS
    );
    let head = [
        "start to child, ms",
        "TERM to child, us",
        "CPU a zombie, us",
        "20,000 orphans in a stream, s",
        "5,000 in a burst, ms",
    ];
    let figures = [("start", 2), ("term", 0), ("zombie", 1), ("stream", 2), ("burst", 0)];
    table(&head, inits, samples, &figures);
    println!("\nAsleep for 10 s, all at the same time, helpers included:\n");
    let head = ["wake-ups", "PSS, kB", "private and dirty, kB", "RSS, kB"];
    table(&head, inits, samples, &[("wakes", 0), ("pss", 0), ("dirty", 0), ("rss", 0)]);
}
