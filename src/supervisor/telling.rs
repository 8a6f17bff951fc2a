//! Tells the server how the builder is, by a socket that leads one way: nothing that is written at its other end arrives here.
//!
//! The loop leaves its newest state in one place, and a thread for each server sends it from there, so that the loop neither
//! waits nor keeps anything for a server that reads slowly: what was not sent yet is replaced by what is newer. One that
//! takes nothing for [`PATIENCE`] is let go; it ends by that, and is started again. The history is read by a thread of its own,
//! so that a disk that hangs keeps nobody from hearing that.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use crate::model::records::CycleRow;
use crate::model::status::{Mode, Status};
use crate::model::told::{Left, Told};
use crate::volume::history::History;

/// How long a server may take nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long from one message to the next, so that a burst of changes costs one.
const GAP: Duration = Duration::from_millis(100);
/// How long from one look into the history to the next.
const HISTORY_GAP: Duration = Duration::from_secs(2);
/// How often the builder is looked at for the server while something runs, for elapsed times and phases.
const REFRESH: Duration = Duration::from_secs(1);
/// So many cycles are told at first.
const CYCLES: u32 = 500;
/// So many may have changed since: one that has ended and the next.
const CHANGED: u32 = 2;

/// What is to be told, and to whom.
pub(super) struct Telling {
    shared: Arc<Shared>,
    /// When the builder is to be looked at next, although nothing happened.
    due: Option<Instant>,
}

#[derive(Default)]
struct Shared {
    latest: Mutex<Latest>,
    changed: Condvar,
}

/// The newest of each kind, with numbers that count up.
#[derive(Default)]
struct Latest {
    /// Which server is told; 0: none.
    listener: u64,
    listeners: u64,
    status: (u64, Option<Arc<Status>>),
    left: (u64, Arc<Vec<Left>>),
    /// Counts what the history is told.
    records: u64,
    /// What was read of it and is to be sent.
    cycles: Option<Vec<CycleRow>>,
    /// It is being read.
    reading: bool,
    /// The server to which all of it was read.
    whole: u64,
    volume: PathBuf,
}

/// Whether something changes by itself.
fn works(status: &Status) -> bool {
    matches!(status.state, Mode::Starting | Mode::Running | Mode::Stopping)
}

/// A server that is told, until this is dropped.
pub(super) struct Line {
    shared: Arc<Shared>,
    number: u64,
}

impl Telling {
    /// Nobody is told yet.
    pub(super) fn new() -> Self {
        Self { shared: Arc::default(), due: None }
    }

    /// Whether somebody is told.
    pub(super) fn is_heard(&self) -> bool {
        self.shared.lock().listener != 0
    }

    /// Begins to tell a server, and nobody else any more: what it is to have as its standard input.
    pub(super) fn begin(&self, volume: &Path) -> io::Result<(OwnedFd, Line)> {
        self.begin_within(volume, PATIENCE)
    }

    fn begin_within(&self, volume: &Path, patience: Duration) -> io::Result<(OwnedFd, Line)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.shutdown(Shutdown::Read)?;
        ours.set_write_timeout(Some(patience))?;
        let mut latest = self.shared.lock();
        latest.listeners += 1;
        let number = latest.listeners;
        latest.listener = number;
        // Whatever the history has, it has to be told to this one.
        latest.records += 1;
        latest.cycles = None;
        volume.clone_into(&mut latest.volume);
        drop(latest);
        self.shared.changed.notify_all();
        let line = Line { shared: Arc::clone(&self.shared), number };
        let shared = Arc::clone(&self.shared);
        thread::Builder::new()
            .name("telling".into())
            .spawn(move || Teller::new(shared, number, ours).run())?;
        Ok((OwnedFd::from(theirs), line))
    }

    /// This is how it is now. `left` is asked only when somebody is told.
    pub(super) fn tell(&mut self, status: &Status, left: impl FnOnce() -> Vec<Left>) {
        if !self.is_heard() {
            self.due = None;
            return;
        }
        let left = left();
        let mut latest = self.shared.lock();
        latest.status = (latest.status.0 + 1, Some(Arc::new(status.clone())));
        if *latest.left.1 != left || latest.left.0 == 0 {
            latest.left = (latest.left.0 + 1, Arc::new(left));
        }
        drop(latest);
        self.shared.changed.notify_all();
        self.due = works(status).then(|| self.due.unwrap_or_else(|| Instant::now() + REFRESH));
    }

    /// The history has something new.
    pub(super) fn recorded(&self) {
        self.shared.lock().records += 1;
        self.shared.changed.notify_all();
    }

    /// When the builder is to be looked at for the sake of the server.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// It is being looked at.
    pub(super) fn looks(&mut self) {
        self.due = None;
    }

    /// Nobody is told any more: what is open on the volume is about to be closed.
    pub(super) fn end(&self) {
        self.shared.lock().listener = 0;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latest {
    /// Nobody is told any more, if this server is the one that was.
    fn leaves(&mut self, number: u64) {
        if self.listener == number {
            self.listener = 0;
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.lock().leaves(self.number);
        self.shared.changed.notify_all();
    }
}

/// Who tells one server.
struct Teller {
    shared: Arc<Shared>,
    number: u64,
    stream: UnixStream,
    status: u64,
    left: u64,
    records: u64,
    /// When the history was begun to be read last.
    read: Option<Instant>,
}

/// What one server has not been told yet.
struct News {
    status: Option<Arc<Status>>,
    left: Option<Arc<Vec<Left>>>,
    cycles: Option<Vec<CycleRow>>,
}

impl Teller {
    fn new(shared: Arc<Shared>, number: u64, stream: UnixStream) -> Self {
        Self { shared, number, stream, status: 0, left: 0, records: 0, read: None }
    }

    fn run(mut self) {
        while let Some(news) = self.wait() {
            if let Err(problem) = self.send(news) {
                if matches!(problem.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
                    warn!("the server takes nothing of what it is told, and is told nothing more");
                } else {
                    debug!("the server cannot be told: {problem}");
                }
                break;
            }
            thread::sleep(GAP);
        }
        self.shared.lock().leaves(self.number);
    }

    /// Waits for something that it was not told. Nothing: another server is told by now, or none.
    fn wait(&mut self) -> Option<News> {
        let shared = Arc::clone(&self.shared);
        let mut latest = shared.lock();
        loop {
            if latest.listener != self.number {
                return None;
            }
            let late = self.read_on(&mut latest);
            let news = News {
                status: latest.status.1.clone().filter(|_| latest.status.0 > self.status),
                left: (latest.left.0 > self.left).then(|| Arc::clone(&latest.left.1)),
                cycles: latest.cycles.take(),
            };
            if news.status.is_some() || news.left.is_some() || news.cycles.is_some() {
                self.status = latest.status.0;
                self.left = latest.left.0;
                return Some(news);
            }
            latest = match late {
                Some(late) => {
                    shared.changed.wait_timeout(latest, late).unwrap_or_else(PoisonError::into_inner).0
                }
                None => shared.changed.wait(latest).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Has the history read when it has something new: all of it at first, later the newest cycles, since no others change.
    /// Returns how long to wait before that, if there is a reason to.
    fn read_on(&mut self, latest: &mut Latest) -> Option<Duration> {
        if latest.records == self.records || latest.reading || latest.cycles.is_some() {
            return None;
        }
        // Who has come to rest is not woken again for what was recorded last.
        let works = latest.status.1.as_ref().is_some_and(|status| works(status));
        let read = self.read.filter(|_| works);
        let late = read.map_or(Duration::ZERO, |read| HISTORY_GAP.saturating_sub(read.elapsed()));
        if !late.is_zero() {
            return Some(late);
        }
        let limit = if latest.whole == self.number { CHANGED } else { CYCLES };
        let (shared, number, file) =
            (Arc::clone(&self.shared), self.number, latest.volume.join("state/history.db"));
        let begun = thread::Builder::new().name("history".into()).spawn(move || {
            let read = History::read(&file).and_then(|history| history.cycles(Some(limit)));
            let mut latest = shared.lock();
            latest.reading = false;
            match read {
                Ok(cycles) if latest.listener == number => {
                    latest.cycles = Some(cycles);
                    latest.whole = number;
                }
                Ok(_) => {}
                // The status has a warning when something is wrong with it.
                Err(problem) => debug!("the history is not told: {problem}"),
            }
            drop(latest);
            shared.changed.notify_all();
        });
        // Where no thread can be made it is tried again when there is more.
        latest.reading = begun.is_ok();
        self.records = latest.records;
        self.read = Some(Instant::now());
        None
    }

    fn send(&mut self, news: News) -> io::Result<()> {
        if let Some(status) = news.status {
            self.line(&Told::Status { status: Box::new(Arc::unwrap_or_clone(status).for_all()) })?;
        }
        if let Some(left) = news.left {
            self.line(&Told::Left { left: Arc::unwrap_or_clone(left) })?;
        }
        if let Some(cycles) = news.cycles {
            self.line(&Told::Cycles { cycles })?;
        }
        Ok(())
    }

    fn line(&mut self, told: &Told) -> io::Result<()> {
        let mut line = serde_json::to_vec(told)?;
        line.push(b'\n');
        self.stream.write_all(&line)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};

    use super::*;
    use crate::config::Config;
    use crate::decide::view;
    use crate::model::Now;
    use crate::model::records::Record;
    use crate::model::state::State;

    fn status(headline: &str) -> Status {
        let now = Now { mono: Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH };
        Status { headline: headline.to_owned(), ..view::status(&State::new(Config::default(), now), now) }
    }

    fn told(line: &str) -> String {
        match serde_json::from_str(line).unwrap() {
            Told::Status { status } => status.headline,
            Told::Left { left } => format!("{} left", left.len()),
            Told::Cycles { cycles } => format!("{} cycles", cycles.len()),
        }
    }

    #[test]
    fn a_slow_reader_gets_the_newest_and_no_queue() {
        let volume = tempfile::tempdir().unwrap();
        let mut telling = Telling::new();
        telling.tell(&status("unheard"), || panic!("nobody listens"));
        let (theirs, _line) = telling.begin(volume.path()).unwrap();
        // Far more than the socket holds, and the loop never waits for any of it.
        let long = "x".repeat(100_000);
        for n in 0..200 {
            telling.tell(&status(&format!("{n} {long}")), Vec::new);
        }
        telling.tell(&status("the last"), Vec::new);
        let mut heard = Vec::new();
        for line in BufReader::new(UnixStream::from(theirs)).lines() {
            heard.push(told(&line.unwrap()));
            if heard.last().is_some_and(|last| last == "the last") {
                break;
            }
        }
        assert!(heard.len() < 20, "{} messages", heard.len());
    }

    #[test]
    fn a_reader_that_takes_nothing_is_let_go() {
        let volume = tempfile::tempdir().unwrap();
        let mut telling = Telling::new();
        let (theirs, _line) = telling.begin_within(volume.path(), Duration::from_millis(50)).unwrap();
        let long = "x".repeat(4 << 20);
        while telling.is_heard() {
            telling.tell(&status(&long), Vec::new);
            thread::yield_now();
        }
        // It reads what there is, and sees the end.
        let count = io::copy(&mut UnixStream::from(theirs), &mut io::sink()).unwrap();
        assert!(count < 4 << 20, "{count}");
    }

    #[test]
    fn the_history_is_told_whole_and_then_the_newest() {
        let volume = tempfile::tempdir().unwrap();
        std::fs::create_dir(volume.path().join("state")).unwrap();
        let (mut history, _) = History::open(&volume.path().join("state/history.db")).unwrap();
        let at = jiff::Timestamp::UNIX_EPOCH;
        let mut begin = |cycle| {
            history.record(&Record::CycleStarted { cycle, at, reason: "first".to_owned() }).unwrap();
        };
        (1..=3).for_each(&mut begin);
        let telling = Telling::new();
        let (theirs, _line) = telling.begin(volume.path()).unwrap();
        let mut lines = BufReader::new(UnixStream::from(theirs)).lines();
        assert_eq!(told(&lines.next().unwrap().unwrap()), "3 cycles");
        begin(4);
        telling.recorded();
        assert_eq!(told(&lines.next().unwrap().unwrap()), "2 cycles");
    }

    #[test]
    fn nothing_comes_back_and_the_end_is_seen() {
        let volume = tempfile::tempdir().unwrap();
        let mut telling = Telling::new();
        let (theirs, line) = telling.begin(volume.path()).unwrap();
        let mut theirs = UnixStream::from(theirs);
        assert_eq!(theirs.write(b"resume\n").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        telling.tell(&status("a"), Vec::new);
        let mut lines = BufReader::new(theirs.try_clone().unwrap()).lines();
        assert_eq!(told(&lines.next().unwrap().unwrap()), "a");
        // Another server is told instead: the first one sees the end.
        let (second, _line) = telling.begin(volume.path()).unwrap();
        telling.tell(&status("b"), Vec::new);
        drop(line);
        assert!(telling.is_heard());
        let mut rest = String::new();
        theirs.read_to_string(&mut rest).unwrap();
        assert!(!rest.contains("\"b\""), "{rest}");
        let mut lines = BufReader::new(UnixStream::from(second)).lines();
        assert!(["a", "b"].contains(&told(&lines.next().unwrap().unwrap()).as_str()));
        telling.end();
        assert!(!telling.is_heard() && lines.all(|line| line.is_ok()));
    }
}
