//! What a child prints: read as it comes, concealed, and handed on.
//!
//! The pipe is drained by a thread that writes every byte to the file first and hands whole lines on after that. In both,
//! names and passwords in addresses are concealed: logs and messages go further than this container.

use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::portage::output::conceal::Concealing;

/// A line without an end is handed on in pieces of this size.
const LONGEST_LINE: usize = 64 << 10;
/// No answer is longer; of what prints more, nothing more is kept, nor written down.
const LONGEST_ANSWER: usize = 32 << 20;

/// What takes a child's output.
pub(crate) trait Sink: Send {
    /// Bytes as they come, for whoever wants an answer and shows it to nobody.
    fn answer(&mut self, _: &[u8]) {}
    /// The same as they may be shown, for the log file. An error is reported, the reading goes on.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Whole lines of that, each with its end.
    fn lines(&mut self, lines: &[u8]);
    /// Looks at the machine while the child works, and says how soon it wants to look again, if at all.
    fn look(&mut self) -> Option<Duration> {
        None
    }
}

/// A sink that writes a file and keeps the text, for short answers such as those of portageq.
pub(crate) struct Capture<'a> {
    /// The step's log file.
    pub file: &'a mut (dyn Write + Send),
    /// What was printed.
    pub text: Vec<u8>,
}

impl Sink for Capture<'_> {
    /// As it came: what is read line by line elsewhere is cut where a line is very long.
    fn answer(&mut self, bytes: &[u8]) {
        let room = LONGEST_ANSWER.saturating_sub(self.text.len());
        self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.text.len() < LONGEST_ANSWER { self.file.write_all(bytes) } else { Ok(()) }
    }

    fn lines(&mut self, _: &[u8]) {}
}

/// Reads until the end of the pipe, or, once `over` has hung up, until nothing more lies in it.
pub(super) fn drain(
    mut reader: PipeReader,
    over: &PipeReader,
    private: bool,
    sink: &mut dyn Sink,
) -> Option<io::Error> {
    if let Err(error) = fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)) {
        return Some(error.into());
    }
    let mut buffer = vec![0; 256 << 10];
    let mut held = Vec::new();
    let mut problem = None;
    let mut concealing = Concealing::default();
    let mut show = |bytes: &[u8], sink: &mut dyn Sink| {
        if let Err(error) = sink.write(bytes) {
            problem.get_or_insert(error);
        }
        hand_on(bytes, &mut held, sink);
    };
    let mut failed = None;
    let mut next = sink.look().map(|wait| Instant::now() + wait);
    loop {
        if next.is_some_and(|next| next <= Instant::now()) {
            next = sink.look().map(|wait| Instant::now() + wait);
        }
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                let bytes = &buffer[..count];
                sink.answer(bytes);
                if !private {
                    show(&concealing.pass(bytes), sink);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut waited = [
                    PollFd::new(reader.as_fd(), PollFlags::POLLIN),
                    PollFd::new(over.as_fd(), PollFlags::POLLIN),
                ];
                let polled = poll(&mut waited, until(next));
                let nothing_left = waited[0].any() != Some(true) && waited[1].any() == Some(true);
                if nothing_left || polled.is_err_and(|error| error != Errno::EINTR) {
                    break;
                }
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    show(&concealing.end(), sink);
    if !held.is_empty() {
        held.push(b'\n');
        sink.lines(&held);
    }
    problem.or(failed)
}

/// As a timeout, rounded up so that it is not polled in vain.
fn until(next: Option<Instant>) -> PollTimeout {
    let Some(next) = next else { return PollTimeout::NONE };
    let left = next.saturating_duration_since(Instant::now()).as_millis().saturating_add(1);
    PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
}

/// Hands on the whole lines of what was read and keeps the beginning of the next one.
fn hand_on(bytes: &[u8], held: &mut Vec<u8>, sink: &mut dyn Sink) {
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
        held.extend_from_slice(bytes);
        if held.len() > LONGEST_LINE {
            held.push(b'\n');
            sink.lines(held);
            held.clear();
        }
        return;
    };
    let (whole, rest) = bytes.split_at(end + 1);
    if held.is_empty() {
        sink.lines(whole);
    } else {
        held.extend_from_slice(whole);
        sink.lines(held);
        held.clear();
    }
    held.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::super::process::tests::{Memory, run};
    use super::super::process::{Handle, Launch, ask_here};
    use super::*;
    use crate::model::Exit;
    use crate::portage::command::{Command, Inherits};

    #[test]
    fn an_answer_is_as_long_as_it_is() {
        let command = Command {
            argv: [
                "sh",
                "-c",
                "for n in 1 2 3; do head -c 100000 /dev/zero | tr '\\0' x; done; echo; echo end",
            ]
            .map(str::to_owned)
            .to_vec(),
            env: Vec::new(),
            private: false,
        };
        let text = ask_here(&[], &command).unwrap();
        assert_eq!((text.len(), text.iter().filter(|byte| **byte == b'\n').count()), (300_005, 2));
    }

    #[test]
    fn an_answer_without_an_end_is_bounded() {
        let mut written = Vec::new();
        let mut sink = Capture { file: &mut written, text: Vec::new() };
        let handle = Handle::default();
        let argv = ["sh", "-c", "head -c 40000000 /dev/zero"].map(str::to_owned).to_vec();
        let command = Command { argv, env: Vec::new(), private: false };
        Launch::new(&handle, Inherits::Nothing).run(&command, &mut sink);
        assert_eq!(sink.text.len(), LONGEST_ANSWER);
        assert!(written.len() <= LONGEST_ANSWER);
    }

    #[test]
    fn what_is_shown_has_no_password_and_what_is_private_is_not_shown() {
        let argv = ["echo", "-n", "fatal: https://me:s3cret@host/x"].map(str::to_owned).to_vec();
        let mut command = Command { argv, env: Vec::new(), private: false };
        let handle = Handle::default();
        let launch = Launch::new(&handle, Inherits::Nothing);
        let mut sink = Memory::default();
        launch.run(&command, &mut sink);
        let shown = "fatal: https://***@host/x";
        assert_eq!((sink.raw.as_slice(), sink.lines), (shown.as_bytes(), format!("{shown}\n").into_bytes()));
        let mut written = Vec::new();
        let mut sink = Capture { file: &mut written, text: Vec::new() };
        launch.run(&command, &mut sink);
        assert!(String::from_utf8_lossy(&sink.text).contains("s3cret"), "who asks is answered");
        assert_eq!(written, shown.as_bytes());
        command.private = true;
        let mut written = Vec::new();
        let mut sink = Capture { file: &mut written, text: Vec::new() };
        launch.run(&command, &mut sink);
        assert!(String::from_utf8_lossy(&sink.text).contains("s3cret") && written.is_empty());
    }

    #[test]
    fn a_full_disk_does_not_stop_the_reading() {
        let mut sink = Memory { full: true, ..Memory::default() };
        let ended = run(&Handle::default(), "seq 300000", &mut sink);
        assert_eq!(ended.exit, Exit::Code(0));
        assert_eq!(ended.log_error.unwrap().kind(), io::ErrorKind::StorageFull);
        assert_eq!(sink.lines, sink.raw);
        assert_eq!(sink.lines.iter().filter(|byte| **byte == b'\n').count(), 300_000);
    }
}
