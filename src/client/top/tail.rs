//! Follows the end of a log, whichever is wanted, as `gbsup logs -f` does: through the places that others may write into, and woken by the
//! kernel.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::desk::Source;
use crate::client::logs::files::{is_compressed, open, portage_logs};
use crate::client::logs::package;
use crate::portage::names::cpv::Cpv;
use crate::watch::Watch;

/// Bytes at the end of a log that are read; what is before them is not shown.
const WINDOW: u64 = 4 << 20;
/// Bytes that are read at a time.
const PIECE: usize = 1 << 16;
/// A line that is longer than this is shown in pieces.
const LONGEST: usize = 1 << 16;
/// How long from one look to the next, so that a burst of lines costs one.
const GAP: Duration = Duration::from_millis(100);
/// How often it is tried again where nothing can be watched.
const AGAIN: Duration = Duration::from_secs(2);

/// What follows in the log.
#[derive(Debug)]
pub(super) struct News {
    /// Whose it is.
    pub(super) source: Source,
    /// It is another file than before, or the same from its beginning; whether there is more before what comes.
    pub(super) fresh: Option<bool>,
    /// Whole lines.
    pub(super) lines: Vec<String>,
    /// What is there of the next one.
    pub(super) open: String,
    /// Why there is nothing to show.
    pub(super) problem: Option<String>,
}

/// The thread that follows a log.
pub(super) struct Tail {
    wanted: Arc<Mutex<Option<(PathBuf, Source)>>>,
    wake: PipeWriter,
}

impl Tail {
    /// Starts it. It follows nothing yet.
    ///
    /// `tell` is given what follows, until it returns nothing.
    pub(super) fn start(tell: impl FnMut(News) -> Option<()> + Send + 'static) -> io::Result<Self> {
        let (woken, wake) = io::pipe()?;
        let wanted = Arc::<Mutex<Option<(PathBuf, Source)>>>::default();
        let mut reader = Reader {
            wanted: Arc::clone(&wanted),
            woken,
            watch: Watch::new()?,
            to: Box::new(tell),
            source: None,
            volume: PathBuf::new(),
            file: None,
        };
        thread::Builder::new().name("log".into()).spawn(move || while reader.look().is_some() {})?;
        Ok(Self { wanted, wake })
    }

    /// Has it follow this log of the volume from now on.
    pub(super) fn want(&mut self, volume: &str, source: &Source) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Some((PathBuf::from(volume), source.clone()));
        if *wanted != new {
            *wanted = new;
            // A pipe that is full wakes it as well.
            let _woken = self.wake.write(b".");
        }
    }
}

struct Reader {
    wanted: Arc<Mutex<Option<(PathBuf, Source)>>>,
    woken: PipeReader,
    watch: Arc<Watch>,
    to: Box<dyn FnMut(News) -> Option<()> + Send>,
    source: Option<Source>,
    volume: PathBuf,
    file: Option<Open>,
}

struct Open {
    path: PathBuf,
    file: File,
    at: u64,
    /// What was read of a line that has no end yet.
    rest: Vec<u8>,
}

impl Reader {
    /// Tells what there is, and waits for more. Nothing when nobody listens any more.
    fn look(&mut self) -> Option<()> {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut again = None;
        if let Some((volume, source)) = wanted {
            if self.source.as_ref() != Some(&source) || self.volume != volume {
                (self.volume, self.source, self.file) = (volume, Some(source.clone()), None);
                self.tell(&source, Some(false), Vec::new(), None)?;
            }
            // Before it is looked for and read, so that nothing that comes in between is missed.
            let places = places(&self.volume, &source);
            let places: Vec<&Path> = places.iter().map(PathBuf::as_path).collect();
            if self.watch.only(&places).is_err() {
                again = Some(AGAIN);
            }
            if let Err(error) = self.read(&source)? {
                self.file = None;
                let problem = match error.kind() {
                    io::ErrorKind::NotFound => "Nothing is logged yet.".to_owned(),
                    _ => format!("The log cannot be read: {error}"),
                };
                self.tell(&source, Some(false), Vec::new(), Some(problem))?;
            }
        }
        match self.watch.wait_or(self.woken.as_fd(), again) {
            // It is another one that is wanted, or there is nobody who could want one.
            Ok(true) => (self.woken.read(&mut [0; 64]).ok()? > 0).then_some(()),
            Ok(false) => {
                thread::sleep(GAP);
                Some(())
            }
            Err(_) => None,
        }
    }

    /// Reads what there is of the log, from its end if it is new.
    fn read(&mut self, source: &Source) -> Option<io::Result<()>> {
        let path = match source {
            Source::File(path) => Some(PathBuf::from(path)),
            Source::Package(name) => {
                Cpv::parse(name.as_bytes()).and_then(|cpv| package::newest(&portage_logs(&self.volume), &cpv))
            }
        };
        let Some(path) = path else { return Some(Err(io::ErrorKind::NotFound.into())) };
        if is_compressed(&path) {
            return Some(Err(io::Error::other("it is compressed; read it with zcat")));
        }
        if self.file.as_ref().is_none_or(|open| open.path != path) {
            match open(&self.volume, &path) {
                Ok(file) => self.file = Some(Open { path, file, at: u64::MAX, rest: Vec::new() }),
                Err(error) => return Some(Err(error)),
            }
        }
        let Some(open) = &mut self.file else { return Some(Ok(())) };
        let size = match open.file.metadata() {
            Ok(data) => data.len(),
            Err(error) => return Some(Err(error)),
        };
        let mut fresh = None;
        // It is new, Portage has emptied it, or more was written than anybody reads.
        if open.at > size || size - open.at > WINDOW {
            open.at = size.saturating_sub(WINDOW);
            open.rest.clear();
            fresh = Some(open.at > 0);
            if let Err(error) = open.file.seek(SeekFrom::Start(open.at)) {
                return Some(Err(error));
            }
        }
        let mut first = open.at > 0 && fresh.is_some();
        let mut lines = Vec::new();
        let mut piece = vec![0; PIECE];
        let mut left = WINDOW;
        while left > 0 {
            let count = match open.file.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Some(Err(error)),
            };
            open.at += count as u64;
            left = left.saturating_sub(count as u64);
            open.rest.extend_from_slice(&piece[..count]);
            take_lines(&mut open.rest, &mut lines);
            // What the window begins with is the end of a line.
            if first && !lines.is_empty() {
                lines.remove(0);
                first = false;
            }
        }
        if fresh.is_some() || !lines.is_empty() || !self.file.as_ref()?.rest.is_empty() {
            self.tell(source, fresh, lines, None)?;
        }
        Some(Ok(()))
    }

    fn tell(
        &mut self,
        source: &Source,
        fresh: Option<bool>,
        lines: Vec<String>,
        problem: Option<String>,
    ) -> Option<()> {
        let rest = self.file.as_ref().map_or(&[][..], |open| &open.rest);
        let open = String::from_utf8_lossy(rest).into_owned();
        (self.to)(News { source: source.clone(), fresh, lines, open, problem })
    }
}

/// Takes the whole lines out of what was read.
fn take_lines(rest: &mut Vec<u8>, lines: &mut Vec<String>) {
    let mut from = 0;
    while let Some(length) = rest[from..].iter().position(|byte| *byte == b'\n') {
        lines.push(String::from_utf8_lossy(&rest[from..from + length]).into_owned());
        from += length + 1;
    }
    rest.drain(..from);
    if rest.len() > LONGEST {
        lines.push(String::from_utf8_lossy(rest).into_owned());
        rest.clear();
    }
}

/// The directories in which a change may be one of this log, as far as they are there.
fn places(volume: &Path, source: &Source) -> Vec<PathBuf> {
    let places = match source {
        Source::File(path) => Path::new(path).parent().map(Path::to_owned).into_iter().collect(),
        Source::Package(name) => match Cpv::parse(name.as_bytes()) {
            Some(cpv) => {
                let logs = portage_logs(volume);
                let build = logs.join("build");
                package::places(&logs, &cpv).into_iter().chain([build]).collect()
            }
            None => Vec::new(),
        },
    };
    let there: Vec<PathBuf> = places.into_iter().filter(|place| place.is_dir()).collect();
    if there.is_empty() { vec![volume.to_owned()] } else { there }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// A volume, whoever follows a log on it, and what comes of that.
    struct Following {
        volume: tempfile::TempDir,
        tail: Tail,
        news: Receiver<News>,
    }

    impl Following {
        fn new() -> Self {
            let volume = tempfile::tempdir().unwrap();
            for directory in ["log/build/a", "steps/1"] {
                fs::create_dir_all(volume.path().join(directory)).unwrap();
            }
            let (to, news) = channel();
            Self { volume, tail: Tail::start(move |news| to.send(news).ok()).unwrap(), news }
        }

        fn file(&self, name: &str) -> PathBuf {
            self.volume.path().join(name)
        }

        fn want(&mut self, source: &Source) {
            self.tail.want(&self.volume.path().display().to_string(), source);
        }

        /// What is shown once this is: lines, and what there is of the next.
        fn until(&self, what: impl Fn(&[String], &News) -> bool) -> Vec<String> {
            let mut shown = Vec::new();
            loop {
                let news = self.news.recv_timeout(Duration::from_secs(20)).expect("news");
                if news.fresh.is_some() {
                    shown.clear();
                }
                shown.extend(news.lines.iter().cloned());
                if what(&shown, &news) {
                    return shown;
                }
            }
        }
    }

    fn append(path: &Path, text: &str) {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn the_log_of_a_package_is_found_when_it_begins_and_followed() {
        let mut following = Following::new();
        following.want(&Source::Package("a/b-1".into()));
        following.until(|_, news| news.problem.as_deref() == Some("Nothing is logged yet."));
        let log = following.file("log/build/a/b-1:20261121-101500.log");
        append(&log, "one\ntw");
        following.until(|lines, news| lines == ["one"] && news.open == "tw");
        append(&log, "o\n\u{1b}[31mthree\n");
        following.until(|lines, _| lines.ends_with(&["two".into(), "\u{1b}[31mthree".into()]));
        // Portage empties it after a fetch that went well.
        fs::write(&log, "").unwrap();
        append(&log, "four\n");
        following.until(|lines, _| lines == ["four"]);
        // The next build of it has another.
        append(&following.file("log/build/a/b-1:20261122-101500.log"), "five\n");
        following.until(|lines, _| lines == ["five"]);
        // Another log is wanted.
        append(&following.file("steps/1/build.log"), "step\n");
        following.want(&Source::File(following.file("steps/1/build.log").display().to_string()));
        following.until(|lines, _| lines == ["step"]);
    }

    #[test]
    fn only_the_end_of_a_long_log_is_read() {
        let mut following = Following::new();
        let log = following.file("steps/1/build.log");
        fs::write(&log, format!("{}\nend\n", "x".repeat(99)).repeat(100_000)).unwrap();
        following.want(&Source::File(log.display().to_string()));
        let lines = following.until(|lines, news| news.fresh == Some(true) && lines.len() > 10);
        assert!(lines.len() < 100_000 && lines.last().is_some_and(|line| line == "end"));
        assert!(lines.iter().all(|line| line == "end" || line.len() == 99));
    }

    #[test]
    fn what_was_planted_is_not_followed() {
        let mut following = Following::new();
        fs::write(following.file("secret"), "SECRET\n").unwrap();
        symlink("../../../secret", following.file("log/build/a/b-1:20261121-101500.log")).unwrap();
        following
            .want(&Source::File(following.file("log/build/a/b-1:20261121-101500.log").display().to_string()));
        let problem = |_: &[String], news: &News| news.problem.is_some();
        assert!(following.until(problem).is_empty());
        following.want(&Source::File(following.file("secret").display().to_string()));
        assert!(following.until(problem).is_empty());
    }
}
