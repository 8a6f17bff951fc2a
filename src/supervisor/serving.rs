//! The server as a child: it is this program in another role, and nothing of the supervisor waits for it.
//!
//! The supervisor never touches the network. What listens there has a process of its own ([`crate::web`]), which gives up
//! its rights itself, once it has its socket, and which ends with the supervisor, whatever becomes of that. What the builder
//! does it is told on its standard input (`telling`).

use std::path::Path;
use std::{io, thread};

use tokio::sync::mpsc::UnboundedSender;

use crate::config::{self, Config, Http};
use crate::host::console::Console;
use crate::host::output::Sink;
use crate::host::process::{Ended, Handle, Launch};
use crate::model::server::NOWHERE;
use crate::model::{Event, Exit, Force};
use crate::portage::command::{Command, Inherits};
use crate::render::clean;

use super::telling::Telling;

/// How much is told of its last word.
const SHOWN: usize = 200;

/// The server that was started last, and who is told of it.
pub(super) struct Serving {
    handle: Handle,
    console: Console,
    events: UnboundedSender<Event>,
}

impl Serving {
    /// None was started yet.
    pub(super) fn new(console: Console, events: UnboundedSender<Event>) -> Self {
        Self { handle: Handle::default(), console, events }
    }

    /// Starts it; its end is an [`Event::ServerEnded`]. `bare`: nothing of the volume is read for it.
    pub(super) fn start(&mut self, config: &Config, http: &Http, bare: bool, telling: &Telling) {
        let handle = Handle::default();
        self.handle = handle.clone();
        let command = command(config, http, bare);
        let (console, events) = (self.console.clone(), self.events.clone());
        let told = telling.begin(if bare { Path::new(NOWHERE) } else { &config.volume.path });
        let started = thread::Builder::new().name("server".into()).spawn(move || {
            let mut said = Said { console, last: String::new() };
            let ended = match told {
                Ok((stdin, _line)) => {
                    let launch =
                        Launch { stdin: Some(stdin), ..Launch::new(&handle, Inherits::Certificates) };
                    launch.run(&command, &mut said)
                }
                Err(problem) => Ended { exit: Exit::NotStarted(problem.to_string()), log_error: None },
            };
            let why = match ended.exit {
                Exit::Code(_) if !said.last.is_empty() => said.last,
                Exit::Code(code) => format!("the server ended with exit code {code}"),
                Exit::Signal(signal) => format!("signal {signal} ended the server"),
                Exit::NotStarted(why) => why,
            };
            drop(events.send(Event::ServerEnded(why)));
        });
        if let Err(problem) = started {
            drop(self.events.send(Event::ServerEnded(format!("no thread could be started: {problem}"))));
        }
    }

    /// Ends it.
    pub(super) fn stop(&self) {
        self.handle.signal(Force::Terminate);
    }
}

/// The configuration goes along as it is in force, whatever is in the file by now.
fn command(config: &Config, http: &Http, bare: bool) -> Command {
    // As it runs, even when its file was replaced meanwhile.
    let argv =
        ["/proc/self/exe", "serve", "--told", "--parent", &std::process::id().to_string()].map(str::to_owned);
    let mut argv = argv.to_vec();
    if bare {
        argv.push("--bare".to_owned());
    }
    Command { argv, env: config::server(config, http), private: false }
}

/// What it prints is a part of the log, and its last line may be why it ended.
struct Said {
    console: Console,
    last: String,
}

impl Sink for Said {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn lines(&mut self, lines: &[u8]) {
        self.console.lines(lines);
        if let Some(line) = String::from_utf8_lossy(lines).lines().rfind(|line| !line.trim().is_empty()) {
            let line = clean(line);
            let line = line.strip_prefix("gbsup: ").unwrap_or_default();
            line[..line.floor_char_boundary(SHOWN)].clone_into(&mut self.last);
        }
    }
}
