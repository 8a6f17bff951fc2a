//! What compile helpers need here: icecream's scheduler and its daemon on loopback, and the relay that helpers come to (`crate::helpers`). Each is
//! kept running by a thread of its own, for as long as the configuration wants it, and nothing of the loop waits for any.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use tokio::sync::mpsc::UnboundedSender;

use super::whose;
use crate::config::Engine;
use crate::host::build::cpus;
use crate::host::output::Sink;
use crate::host::places::found;
use crate::host::process::{Handle, Launch};
use crate::icecream::log::{self, Line};
use crate::model::helpers::{BUILDER, Helpers, Present};
use crate::model::state::{State, Volume};
use crate::model::{Event, Exit, Force};
use crate::portage::command::{Command, Inherits};
use crate::render::clean;

/// Where the scheduler listens, on loopback.
const SCHEDULER: &str = "8767";
/// What has run so long runs.
const STEADY: Duration = Duration::from_secs(10);
/// The longest wait before one is started again.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// The loop is told at most so often.
const OFTEN: Duration = Duration::from_secs(1);
/// So many names are told apart.
const MOST_NAMES: usize = 1000;
/// And so many packages.
const MOST_PACKAGES: usize = 10_000;
/// So many files at a time that are asked for and have not come back; more are forgotten ones.
const MOST_JOBS: usize = 10_000;
/// Bytes of a last word that are told.
const SHOWN: usize = 200;

/// What runs, where it is wanted.
#[derive(Default)]
pub(super) struct Helping {
    running: Option<Running>,
}

struct Running {
    stage: Arc<Stage>,
    told: Sender<Told>,
    cycle: Option<u64>,
}

impl Helping {
    /// Starts and stops them as the configuration wants it.
    pub(super) fn look(&mut self, state: &State, events: &UnboundedSender<Event>) {
        let live = &state.live;
        // What is not installed is told by the preflight, and may be installed by whoever reads that.
        let wanted = live.config.helpers.engine == Engine::Icecream
            && live.volume == Volume::Ours
            && !live.stopping
            && (self.running.is_some() || found("icecc-scheduler"));
        let cycle = state.durable.cycle.as_ref().map(|cycle| cycle.id);
        match &mut self.running {
            Some(_) if !wanted => self.stop(),
            Some(running) if running.cycle != cycle => {
                running.cycle = cycle;
                drop(running.told.send(Told::Cycle(cycle)));
            }
            None if wanted => self.running = Running::begin(cycle, events),
            _ => {}
        }
    }

    /// Ends them.
    pub(super) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stage.stop();
        }
    }
}

impl Running {
    /// Begins; nothing when there could be no thread, and then the next look tries again.
    fn begin(cycle: Option<u64>, events: &UnboundedSender<Event>) -> Option<Self> {
        let (told, heard) = mpsc::channel();
        let stage = Arc::new(Stage::default());
        drop(told.send(Told::Cycle(cycle)));
        let events = events.clone();
        thread::Builder::new().name("helpers".into()).spawn(move || tell(&heard, &events)).ok()?;
        for (program, argv) in programs(cpus()) {
            let (kept, told) = (Arc::clone(&stage), told.clone());
            let keeper = move || keep(program, argv, &kept, &told);
            if thread::Builder::new().name(program.to_owned()).spawn(keeper).is_err() {
                stage.stop();
                return None;
            }
        }
        Some(Self { stage, told, cycle })
    }
}

/// What is kept running, by the names that `ps` shows.
fn programs(slots: u32) -> [(&'static str, Vec<String>); 3] {
    let slots = slots.to_string();
    let scheduler = format!("127.0.0.1:{SCHEDULER}");
    let argv = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    [
        ("icecc-scheduler", argv(&["icecc-scheduler", "-i", "lo", "-p", SCHEDULER, "-vvv"])),
        (
            "iceccd",
            argv(&[
                "iceccd",
                "--no-remote",
                "-m",
                &slots,
                "-s",
                &scheduler,
                "-N",
                BUILDER,
                "-b",
                "/var/cache/icecc",
            ]),
        ),
        ("relay", argv(&["/proc/self/exe", "relay"])),
    ]
}

/// By which they are ended.
#[derive(Default)]
struct Stage {
    /// Those that run; nothing once all are to end.
    handles: Mutex<Option<Vec<Handle>>>,
    stopped: Mutex<bool>,
    bell: Condvar,
}

impl Stage {
    /// A way to end one that is about to begin; nothing when it must not.
    fn next(&self) -> Option<Handle> {
        let handle = Handle::default();
        let mut handles = lock(&self.handles);
        if *lock(&self.stopped) {
            return None;
        }
        handles.get_or_insert_default().push(handle.clone());
        Some(handle)
    }

    /// Waits so long, or until all are to end.
    fn wait(&self, how_long: Duration) {
        let stopped = lock(&self.stopped);
        drop(self.bell.wait_timeout_while(stopped, how_long, |stopped| !*stopped));
    }

    fn stop(&self) {
        let mut handles = lock(&self.handles);
        *lock(&self.stopped) = true;
        self.bell.notify_all();
        for handle in handles.take().unwrap_or_default() {
            handle.signal(Force::Terminate);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the threads tell.
enum Told {
    Present(Present),
    /// By whom, and for which package where that is known.
    Compiled(String, Option<String>),
    Cycle(Option<u64>),
    Started(&'static str),
    Ended(&'static str, String),
}

/// Keeps one of them running.
fn keep(program: &'static str, argv: Vec<String>, stage: &Stage, told: &Sender<Told>) {
    let command = Command { argv, env: Vec::new(), private: false };
    let mut wait = Duration::from_secs(1);
    while let Some(handle) = stage.next() {
        let began = Instant::now();
        drop(told.send(Told::Started(program)));
        let mut said = Said { told, last: String::new(), jobs: HashMap::new() };
        let ended = Launch::new(&handle, Inherits::Nothing).run(&command, &mut said);
        if let Some(handles) = lock(&stage.handles).as_mut() {
            handles.retain(|one| one.leader().is_some());
        }
        let why = match ended.exit {
            Exit::Code(_) if !said.last.is_empty() => said.last,
            Exit::Code(code) => format!("{program} ended with exit code {code}"),
            Exit::Signal(signal) => format!("signal {signal} ended {program}"),
            Exit::NotStarted(why) => why,
        };
        drop(told.send(Told::Ended(program, why)));
        if began.elapsed() >= STEADY {
            wait = Duration::from_secs(1);
        }
        stage.wait(wait);
        wait = (2 * wait).min(LONGEST_WAIT);
    }
}

/// What one of them prints.
struct Said<'a> {
    told: &'a Sender<Told>,
    last: String,
    /// The files that are asked for, by their job, and the package of each.
    jobs: HashMap<u64, String>,
}

impl Said<'_> {
    /// Takes a line of the scheduler.
    fn job(&mut self, line: Line<'_>) {
        match line {
            Line::Asked { job, by: BUILDER, file } => {
                if self.jobs.len() >= MOST_JOBS {
                    self.jobs.clear();
                }
                self.jobs.remove(&job);
                self.jobs.extend(whose::package(file).map(|package| (job, package.to_string())));
            }
            Line::Asked { .. } => {}
            Line::Ended { job, by } => {
                let package = self.jobs.remove(&job);
                if let Some(by) = by {
                    drop(self.told.send(Told::Compiled(by.to_owned(), package)));
                }
            }
        }
    }
}

impl Sink for Said<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn lines(&mut self, lines: &[u8]) {
        for line in String::from_utf8_lossy(lines).lines() {
            if let Some(line) = log::read(line) {
                self.job(line);
            } else if let Ok(present) = serde_json::from_str(line) {
                drop(self.told.send(Told::Present(present)));
            } else if !line.trim().is_empty() {
                let line = clean(line);
                let line = line.strip_prefix("gbsup: ").unwrap_or(&line);
                line[..line.floor_char_boundary(SHOWN)].clone_into(&mut self.last);
            }
        }
    }
}

/// Tells the loop what comes of it, until nobody can tell anything any more; then, that there are no helpers.
fn tell(heard: &Receiver<Told>, events: &UnboundedSender<Event>) {
    let mut known = Known::default();
    loop {
        let next = match known.due() {
            Some(due) => heard.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(told) => known.take(told),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let until = Instant::now() + OFTEN;
        while let Ok(told) = heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
            known.take(told);
        }
        if known.settle(Instant::now()) {
            drop(events.send(Event::Helped(Box::new(known.helpers.clone()))));
        }
    }
    drop(events.send(Event::Helped(Box::default())));
}

#[derive(Default)]
struct Known {
    helpers: Helpers,
    changed: bool,
    /// Those that ended: why, and when they were started again.
    ended: BTreeMap<&'static str, (String, Option<Instant>)>,
}

impl Known {
    fn take(&mut self, told: Told) {
        self.changed = true;
        match told {
            Told::Present(present) => {
                let lost = present.lost.or(self.helpers.present.lost.take());
                self.helpers.present = Present { lost, ..present };
            }
            Told::Compiled(by, package) => {
                let compiled = &mut self.helpers.compiled;
                let known = compiled.contains_key(&by) || compiled.len() < MOST_NAMES;
                let by = if known { by } else { "others".to_owned() };
                *compiled.entry(by.clone()).or_default() += 1;
                let packages = &mut self.helpers.packages;
                let known =
                    |package: &String| packages.contains_key(package) || packages.len() < MOST_PACKAGES;
                if let Some(package) = package.filter(known) {
                    *packages.entry(package).or_default().entry(by).or_default() += 1;
                }
            }
            Told::Cycle(cycle) => {
                self.helpers.compiled.clear();
                self.helpers.packages.clear();
                self.helpers.cycle = cycle;
            }
            Told::Started(program) => {
                if let Some((_, since)) = self.ended.get_mut(program) {
                    *since = Some(Instant::now());
                }
            }
            Told::Ended(program, why) => {
                if program == "relay" {
                    self.helpers.present.helpers.clear();
                }
                self.ended.insert(program, (why, None));
            }
        }
    }

    /// When one that was started again has run for long enough.
    fn due(&self) -> Option<Instant> {
        self.ended.values().filter_map(|(_, since)| Some((*since)? + STEADY)).min()
    }

    /// Whether there is something to tell.
    fn settle(&mut self, now: Instant) -> bool {
        self.ended.retain(|_, (_, since)| since.is_none_or(|since| now < since + STEADY));
        let down = self.ended.values().next().map(|(why, _)| why.clone());
        let changed = std::mem::take(&mut self.changed) || down != self.helpers.down;
        self.helpers.down = down;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_is_told_until_it_has_run_again_for_a_while() {
        let mut known = Known::default();
        known.take(Told::Started("iceccd"));
        assert!(known.settle(Instant::now()) && known.helpers.down.is_none());
        known.take(Told::Ended("iceccd", "signal 9 ended iceccd".into()));
        assert!(known.settle(Instant::now()) && known.due().is_none());
        known.take(Told::Started("iceccd"));
        known.settle(Instant::now());
        assert_eq!(known.helpers.down.as_deref(), Some("signal 9 ended iceccd"));
        assert!(known.settle(known.due().unwrap()) && known.helpers.down.is_none());
        assert!(!known.settle(Instant::now()));
    }

    #[test]
    fn files_are_counted_for_each_cycle_and_names_are_bounded() {
        let mut known = Known::default();
        for n in 0..2 * MOST_NAMES {
            known.take(Told::Compiled(format!("h{n}"), (n % 2 == 0).then(|| "a/b-1".to_owned())));
        }
        assert_eq!(known.helpers.compiled.len(), MOST_NAMES + 1);
        assert_eq!(known.helpers.files().1, 2 * MOST_NAMES as u64);
        assert_eq!(known.helpers.packages["a/b-1"].values().sum::<u64>(), MOST_NAMES as u64);
        known.take(Told::Cycle(Some(2)));
        assert_eq!((known.helpers.files(), known.helpers.cycle), ((0, 0), Some(2)));
        assert!(known.helpers.packages.is_empty());
        for n in 0..=MOST_PACKAGES {
            known.take(Told::Compiled("h1".into(), Some(format!("a/b-{n}"))));
        }
        assert_eq!(known.helpers.packages.len(), MOST_PACKAGES);
        assert_eq!(known.helpers.files().1, MOST_PACKAGES as u64 + 1, "all count for the cycle");
    }

    #[test]
    fn a_relay_that_is_gone_has_no_helpers() {
        let mut known = Known::default();
        let (told, heard) = mpsc::channel();
        let mut said = Said { told: &told, last: String::new(), jobs: HashMap::new() };
        said.lines(b"{\"helpers\":[{\"name\":\"h1\",\"address\":\"10.0.0.2\",\"slots\":2}],\"lost\":null}\ngbsup: no\n");
        assert_eq!(said.last, "no");
        drop(told);
        for told in heard {
            known.take(told);
        }
        assert_eq!(known.helpers.slots(), 2);
        known.take(Told::Ended("relay", "gone".into()));
        assert_eq!(known.helpers.slots(), 0);
    }

    #[test]
    fn whoever_is_stopped_is_not_started_again() {
        let stage = Stage::default();
        assert!(stage.next().is_some());
        stage.stop();
        stage.wait(Duration::from_hours(1));
        assert!(stage.next().is_none());
    }

    #[test]
    fn a_file_counts_once_it_is_compiled_and_for_the_package_that_asked() {
        let (told, heard) = mpsc::channel();
        let mut said = Said { told: &told, last: String::new(), jobs: HashMap::new() };
        said.jobs.insert(3, "a/b-1".to_owned());
        said.jobs.insert(4, "a/b-1".to_owned());
        for line in ["END 3 status=0 server=h1", "END 4 status=1 server=h1", "END 4 status=0 server=h2"] {
            said.lines(format!("[7] 2026-11-29 09:13:05: {line}\n").as_bytes());
        }
        drop(said);
        drop(told);
        let mut known = Known::default();
        for told in heard {
            known.take(told);
        }
        assert_eq!(known.helpers.files(), (2, 2));
        assert_eq!(
            known.helpers.packages,
            BTreeMap::from([("a/b-1".into(), BTreeMap::from([("h1".into(), 1)]))])
        );
    }
}
