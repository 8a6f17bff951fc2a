//! Messages to people and signs of life: each is a child of its own, bounded in time, and nothing waits for it.
//!
//! The supervisor never touches the network. What goes over it is sent by this program in another role
//! ([`crate::client`], `webhook`), which has no privileges and gets the URL where no `ps` shows it: on standard
//! input.

use std::sync::mpsc;
use std::time::Duration;
use std::{io, thread};

use tokio::sync::mpsc::UnboundedSender;
use tracing::debug;

use super::output::Sink;
use super::process::{Handle, Launch, NOBODY};
use crate::config::Notify;
use crate::model::duration::in_words;
use crate::model::notice::{Note, Way};
use crate::model::status::Status;
use crate::model::{Event, Exit, Force};
use crate::portage::command::{Command, Inherits};
use crate::render::clean;
use crate::render::message::{self, Request};

/// A request has this long to say itself that it took too long.
const LATE: Duration = Duration::from_secs(2);
/// How much is told of what a command printed.
const SHOWN: usize = 200;

/// What is to be sent.
pub(crate) enum Parcel {
    /// A message, and the status that belongs to it.
    Message(Way, Box<Note>, Option<Box<Status>>),
    /// A sign of life.
    Beat,
}

impl Parcel {
    /// How it goes.
    pub(crate) fn way(&self) -> Way {
        match self {
            Self::Message(way, ..) => *way,
            Self::Beat => Way::Heartbeat,
        }
    }

    /// Sends it, and waits for that. An error is why it did not arrive; no secret is in it.
    pub(crate) fn send(&self, config: &Notify) -> Result<(), String> {
        match self {
            Self::Message(Way::Command, note, status) => {
                let command =
                    Command { argv: config.command.clone(), env: message::variables(note), private: false };
                let input = message::message(note, status.as_deref());
                run(&command, input.as_bytes(), None, config.timeout)
            }
            Self::Message(_, note, status) => {
                let Some(url) = &config.webhook else { return Ok(()) };
                let request = message::request(url, config.webhook_format, note, status.as_deref());
                post(&request, config.timeout)
            }
            Self::Beat => {
                let Some(url) = &config.heartbeat else { return Ok(()) };
                post(&Request { url: url.secret().to_owned(), body: None }, config.timeout)
            }
        }
    }
}

/// Sends something beside everything else; its end is an [`Event::Delivered`].
pub(crate) fn begin(config: Notify, parcel: Parcel, events: UnboundedSender<Event>) {
    let (way, refused) = (parcel.way(), events.clone());
    let sent = thread::Builder::new().name("delivery".into()).spawn(move || {
        let problem = parcel.send(&config).err();
        drop(events.send(Event::Delivered { way, problem }));
    });
    if let Err(problem) = sent {
        let problem = Some(format!("no thread could be started: {problem}"));
        drop(refused.send(Event::Delivered { way, problem }));
    }
}

fn post(request: &Request, timeout: Duration) -> Result<(), String> {
    // As it runs, even when its file was replaced meanwhile.
    let argv = ["/proc/self/exe", "webhook", "--timeout", &timeout.as_secs().to_string()].map(str::to_owned);
    let input = serde_json::to_vec(request).map_err(|error| error.to_string())?;
    run(
        &Command { argv: argv.to_vec(), env: Vec::new(), private: false },
        &input,
        Some(NOBODY),
        timeout + LATE,
    )
}

fn run(command: &Command, input: &[u8], user: Option<(u32, u32)>, timeout: Duration) -> Result<(), String> {
    let handle = Handle::default();
    let mut said = Said::default();
    let watched = thread::scope(|scope| {
        let (over, wait) = mpsc::channel::<()>();
        let handle = &handle;
        let watch = thread::Builder::new().spawn_scoped(scope, move || {
            let late = wait.recv_timeout(timeout) == Err(mpsc::RecvTimeoutError::Timeout);
            if late {
                handle.signal(Force::Kill);
            }
            late
        })?;
        let ended = Launch { input, user, ..Launch::new(handle, Inherits::Network) }.run(command, &mut said);
        drop(over);
        Ok((ended, watch.join().unwrap_or(false)))
    });
    let (ended, late) =
        watched.map_err(|problem: io::Error| format!("no thread could be started: {problem}"))?;
    match ended.exit {
        Exit::Code(0) => Ok(()),
        _ if late => Err(format!("it took longer than {} and was killed", in_words(timeout))),
        Exit::Code(_) if !said.last.is_empty() => Err(said.last),
        Exit::Code(code) => Err(format!("it ended with exit code {code}")),
        Exit::Signal(signal) => Err(format!("signal {signal} ended it")),
        Exit::NotStarted(why) => Err(why),
    }
}

/// What a child prints: into the log at level debug, and the last line into an error.
#[derive(Default)]
struct Said {
    last: String,
}

impl Sink for Said {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn lines(&mut self, lines: &[u8]) {
        for line in String::from_utf8_lossy(lines).lines().filter(|line| !line.trim().is_empty()) {
            let line = clean(line);
            debug!("notify: {line}");
            let line = line.strip_prefix("gbsup: ").unwrap_or(&line);
            line[..line.floor_char_boundary(SHOWN)].clone_into(&mut self.last);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::decide::news;

    fn tell(script: &str, timeout: Duration) -> Result<(), String> {
        let command = ["bash", "-c", script].map(str::to_owned).to_vec();
        let config = Notify { command, timeout, ..Notify::default() };
        Parcel::Message(Way::Command, Box::new(news::test("x")), None).send(&config)
    }

    #[test]
    fn a_command_gets_the_message_twice() {
        let script = r#"[ "$GBSUP_KIND $GBSUP_TITLE" = "test x: a test" ] && grep -q '"title":"x: a test"'"#;
        assert_eq!(tell(script, Duration::from_mins(1)), Ok(()));
        let words = tell("echo one; echo no such person >&2; exit 3", Duration::from_mins(1));
        assert_eq!(words, Err("no such person".to_owned()));
        assert_eq!(tell("exit 3", Duration::from_mins(1)), Err("it ended with exit code 3".to_owned()));
        assert_eq!(tell("kill -9 $$", Duration::from_mins(1)), Err("signal 9 ended it".to_owned()));
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_all_its_children() {
        let begun = Instant::now();
        let problem = tell("trap '' TERM INT; sleep 300 & wait; sleep 300", Duration::from_millis(300));
        assert_eq!(problem, Err("it took longer than 0 s and was killed".to_owned()));
        assert!(begun.elapsed() < Duration::from_mins(1));
    }
}
