//! What comes to the screen, and the threads that wait for it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use super::tail::News;
use crate::client::answer::told;
use crate::client::error::{DEADLINE, Error};
use crate::client::records;
use crate::client::socket::{Seen, Supervisor, Watch};
use crate::model::records::CycleRow;
use crate::model::request::{Reply, Request};
use crate::model::status::{Mode, Status};
use crate::model::told::Left;

/// Cycles that are shown.
const CYCLES: u32 = 100;
/// How long from one attempt to the next to find a supervisor again.
const BREATH: Duration = Duration::from_secs(1);

/// Something that came.
pub(super) enum Came {
    /// How the builder is.
    Status(Box<Status>),
    /// Why it is not heard any more.
    Lost(String),
    /// What is still to be merged.
    Left(Vec<Left>),
    /// The newest cycles, the newest first.
    Cycles(Vec<CycleRow>),
    /// What follows in the log.
    Log(News),
    /// A key, or another size.
    Typed(Event),
    /// What the builder says to a request.
    Answer(Result<String, String>),
    /// The process goes on after it was stopped.
    Continues,
    /// It is to end: somebody said so, or the terminal is gone.
    End,
}

/// Follows the builder for as long as somebody looks, whatever becomes of it meanwhile.
pub(super) fn status(supervisor: Supervisor, watch: Watch, to: Sender<Came>) -> io::Result<()> {
    let follow = move || {
        let mut follow = Follow { supervisor, to, left: None, cycles: None };
        let _nobody_listens = follow.run(watch);
    };
    thread::Builder::new().name("watch".into()).spawn(follow).map(drop)
}

struct Follow {
    supervisor: Supervisor,
    to: Sender<Came>,
    /// What was so when it was asked last what is left.
    left: Option<LeftOf>,
    /// What was so when the history was read last.
    cycles: Option<CyclesOf>,
}

/// What is left changes when this does: the cycle, the step, what is done and failed, and what is in work.
type LeftOf = (Option<u64>, String, u64, u64, u64, Vec<String>);
/// The history that is shown changes when this does: the volume, the cycle, how it is, its step, and what is done and failed.
type CyclesOf = (PathBuf, Option<u64>, Mode, String, u64, u64);

impl Follow {
    fn run(&mut self, mut watch: Watch) -> Option<()> {
        loop {
            let lost = match watch.next() {
                Ok(Seen::Status(status)) => {
                    self.heard(*status)?;
                    continue;
                }
                Ok(Seen::Lost(error)) | Err(error) => error,
            };
            self.send(Came::Lost(lost.to_string()))?;
            watch = loop {
                thread::sleep(BREATH);
                match self.supervisor.watch() {
                    Ok(watch) => break watch,
                    Err(error) => self.send(Came::Lost(error.to_string()))?,
                }
            };
            (self.left, self.cycles) = (None, None);
        }
    }

    fn heard(&mut self, status: Status) -> Option<()> {
        let progress = status.progress;
        let cycle = status.cycle.as_ref().map(|cycle| cycle.id);
        let jobs = status.jobs.iter().map(|job| job.package.clone()).collect();
        let left = (cycle, status.step.clone(), progress.done, progress.failed, progress.total, jobs);
        let volume = PathBuf::from(&status.volume.path);
        let cycles = (volume, cycle, status.state, status.step.clone(), progress.done, progress.failed);
        self.send(Came::Status(Box::new(status)))?;
        if self.left.as_ref() != Some(&left) {
            self.left = Some(left);
            let left = match self.supervisor.ask(&Request::Left, DEADLINE) {
                Ok(Reply::Left { left }) => left,
                // One of another version does not know, and init neither.
                _ => Vec::new(),
            };
            self.send(Came::Left(left))?;
        }
        if self.cycles.as_ref() != Some(&cycles) {
            let read = history(&cycles.0);
            self.cycles = Some(cycles);
            self.send(Came::Cycles(read))?;
        }
        Some(())
    }

    fn send(&self, came: Came) -> Option<()> {
        self.to.send(came).ok()
    }
}

/// The newest cycles; none before there is a history.
fn history(volume: &Path) -> Vec<CycleRow> {
    records::cycles(volume, Some(CYCLES)).unwrap_or_default()
}

/// Waits for keys and for other sizes.
pub(super) fn keys(to: Sender<Came>) -> io::Result<()> {
    let read = move || {
        while let Ok(event) = event::read() {
            if to.send(Came::Typed(event)).is_err() {
                return;
            }
        }
        let _nobody_listens = to.send(Came::End);
    };
    thread::Builder::new().name("keys".into()).spawn(read).map(drop)
}

/// Waits for signals.
pub(super) fn signals(to: Sender<Came>) -> io::Result<()> {
    let mut signals = Signals::new([SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    let wait = move || {
        for signal in signals.forever() {
            let came = if signal == SIGCONT { Came::Continues } else { Came::End };
            if to.send(came).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait).map(drop)
}

/// Asks the builder, as the verbs do, and hands on what it says.
pub(super) fn ask(request: Request, to: Sender<Came>) -> io::Result<()> {
    let ask = move || {
        let answer = told(&Supervisor::here(), &request).map_err(|error: Error| error.to_string());
        let _nobody_listens = to.send(Came::Answer(answer));
    };
    thread::Builder::new().name("ask".into()).spawn(ask).map(drop)
}
