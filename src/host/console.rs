//! Standard output, for `docker logs`: bounded, and never waited for by anything that matters.
//!
//! A reader that stops reading (a stopped `docker attach`, a full pipe) must stall neither a build
//! nor a stop. So one thread owns the descriptor and everybody else hands it whole lines. When its
//! buffer is full a job's output waits a moment, as a pipe would make it wait; then lines are
//! dropped, counted, and reported where they are missing. The log files have them all.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::libc::O_NONBLOCK;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Bytes kept for a reader that is slow.
const CAPACITY: usize = 4 << 20;
/// More room for gbsup's own few lines, so that they are the last to be lost.
const RESERVE: usize = 64 << 10;
/// How long a job's output waits for a reader before it counts as stuck.
const PATIENCE: Duration = Duration::from_millis(250);

/// A handle on standard output. Clones share it.
#[derive(Clone)]
pub(crate) struct Console {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    drained: Condvar,
}

#[derive(Default)]
struct Queue {
    chunks: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The reader is stuck; lines are dropped until half of the buffer is free.
    dropping: bool,
    /// Lines dropped and not yet reported in the stream.
    unreported: u64,
    /// Lines dropped in all.
    lost: u64,
    /// The thread is in the middle of a chunk.
    writing: bool,
}

impl Console {
    /// Takes over a descriptor, standard output as a rule.
    pub(crate) fn start(descriptor: impl AsFd) -> io::Result<Self> {
        let output = private(descriptor.as_fd())?;
        let shared =
            Arc::new(Shared { queue: Mutex::default(), filled: Condvar::new(), drained: Condvar::new() });
        let console = Self { shared: Arc::clone(&shared) };
        thread::Builder::new().name("console".into()).spawn(move || drain(&shared, output))?;
        Ok(console)
    }

    /// Hands over whole lines of a job. May wait a moment; true when they were taken.
    pub(crate) fn lines(&self, lines: &[u8]) -> bool {
        let mut queue = self.lock();
        if !queue.dropping && queue.bytes + lines.len() > CAPACITY {
            let full = |queue: &mut Queue| queue.bytes > 0 && queue.bytes + lines.len() > CAPACITY;
            let waited = self.shared.drained.wait_timeout_while(queue, PATIENCE, full);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if queue.dropping && queue.bytes <= CAPACITY / 2 {
            queue.dropping = false;
        }
        queue.dropping |= queue.bytes > 0 && queue.bytes + lines.len() > CAPACITY;
        if queue.dropping {
            queue.lose(lines);
            return false;
        }
        queue.take(lines);
        self.shared.filled.notify_one();
        true
    }

    /// Hands over a line of gbsup itself. Never waits.
    pub(crate) fn own(&self, line: &[u8]) {
        let mut queue = self.lock();
        if queue.bytes + line.len() > CAPACITY + RESERVE {
            queue.lose(line);
        } else {
            queue.take(line);
            self.shared.filled.notify_one();
        }
    }

    /// How many lines were dropped since the start.
    pub(crate) fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// Waits until everything is written, or this long.
    pub(crate) fn flush(&self, at_most: Duration) {
        let queue = self.lock();
        let busy = |queue: &mut Queue| queue.bytes > 0 || queue.writing;
        drop(self.shared.drained.wait_timeout_while(queue, at_most, busy));
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn take(&mut self, lines: &[u8]) {
        if self.unreported > 0 {
            let notice = format!(
                "gbsup: {} lines are missing here because nobody read this output; the log files have them\n",
                self.unreported
            );
            self.unreported = 0;
            self.push(notice.into_bytes());
        }
        self.push(lines.to_vec());
    }

    fn push(&mut self, chunk: Vec<u8>) {
        self.bytes += chunk.len();
        self.chunks.push_back(chunk);
    }

    fn lose(&mut self, lines: &[u8]) {
        let count = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.unreported += count;
        self.lost += count;
    }
}

/// A `tracing` writer: each event arrives as one write of whole lines.
impl Write for Console {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.own(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same file through a description of its own, so that O_NONBLOCK stays ours. A socket cannot
/// be reopened; it is shared as it is, which only this thread notices.
fn private(descriptor: BorrowedFd<'_>) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&descriptor));
    let reopened = OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(path);
    reopened.or_else(|_| descriptor.try_clone_to_owned().map(File::from))
}

fn drain(shared: &Shared, mut output: File) {
    let lock = || shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let mut queue = shared
            .filled
            .wait_while(lock(), |queue| queue.chunks.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        let Some(chunk) = queue.chunks.pop_front() else { continue };
        queue.writing = true;
        drop(queue);
        let alive = write_all(&mut output, &chunk);
        let mut queue = lock();
        queue.bytes -= chunk.len();
        queue.writing = false;
        if !alive {
            // Nobody will ever read it: standard output is closed or broken.
            queue.bytes = 0;
            queue.chunks.clear();
        }
        drop(queue);
        shared.drained.notify_all();
    }
}

/// Writes a chunk however long that takes. False when the descriptor is beyond use.
fn write_all(output: &mut File, mut chunk: &[u8]) -> bool {
    while !chunk.is_empty() {
        match output.write(chunk) {
            Ok(0) => return false,
            Ok(written) => chunk = &chunk[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut waited = [PollFd::new(output.as_fd(), PollFlags::POLLOUT)];
                if poll(&mut waited, PollTimeout::NONE).is_err() {
                    thread::sleep(PATIENCE);
                }
            }
            Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::time::Instant;

    #[test]
    fn a_stuck_reader_stalls_nobody_and_learns_what_it_missed() {
        let (mut reader, writer) = io::pipe().unwrap();
        let console = Console::start(&writer).unwrap();
        drop(writer);
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        let chunk = line.repeat(64);
        let begun = Instant::now();
        let taken = (0..400).filter(|_| console.lines(&chunk)).count();
        assert!(begun.elapsed() < Duration::from_secs(20), "each chunk waited");
        let lost = console.lost();
        assert_eq!(usize::try_from(lost).unwrap(), (400 - taken) * 64);
        assert!(lost > 0);

        let reading = thread::spawn(move || {
            let mut all = Vec::new();
            let mut buffer = vec![0; 65536];
            loop {
                match reader.read(&mut buffer) {
                    Ok(n) if n > 0 => all.extend_from_slice(&buffer[..n]),
                    _ => return all,
                }
                if all.ends_with(b"the end\n") {
                    return all;
                }
            }
        });
        console.flush(Duration::from_secs(20));
        assert!(console.lines(b"the end\n"));
        let all = reading.join().unwrap();
        let text = String::from_utf8(all).unwrap();
        let notice = format!("gbsup: {lost} lines are missing here");
        assert!(text.contains(&notice), "no notice of {lost}");
        assert_eq!(text.lines().filter(|line| line.starts_with('x')).count(), taken * 64);
    }

    #[test]
    fn a_closed_output_is_no_trouble() {
        let (reader, writer) = io::pipe().unwrap();
        let console = Console::start(&writer).unwrap();
        drop(reader);
        for _ in 0..100 {
            console.lines(&b"nobody\n".repeat(10_000));
        }
        console.flush(Duration::from_secs(5));
        assert_eq!(console.lost(), 0);
    }
}
