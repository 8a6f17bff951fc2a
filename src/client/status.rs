//! `gbsup status`, once or for as long as somebody looks.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::answer::{json, print};
use super::error::{DEADLINE, Error};
use super::farm;
use super::socket::{Seen, Supervisor, Watch};
use super::terminal::{self, Screen};
use crate::cli::{Exit, StatusArgs};
use crate::model::status::{Mode, Status};
use crate::render;

pub(super) fn run(supervisor: &Supervisor, args: StatusArgs) -> Result<Exit, Error> {
    if args.watch {
        terminal::end_with_the_reader();
        let watch = supervisor.watch()?;
        return match (args.json, io::stdout().is_terminal()) {
            (false, true) => redraw(watch),
            (json, _) => stream(watch, json),
        };
    }
    let status = supervisor.status(DEADLINE)?;
    if args.all {
        return farm::all(&status, args.json);
    }
    if args.json {
        return print(json(&status)?);
    }
    print(render::page(&status, terminal::look()))
}

/// One line per change, for programs and logs.
fn stream(mut watch: Watch, json: bool) -> Result<Exit, Error> {
    let mut shown = String::new();
    loop {
        let status = watch.next_status()?;
        let (line, change) = if json {
            let line = serde_json::to_string(&status).map_err(|error| Error::Failed(error.to_string()))?;
            (line.clone(), line)
        } else {
            let line = render::line(&status);
            let change = render::timeless(&line);
            (line, change)
        };
        if change != shown {
            let mut out = io::stdout().lock();
            writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Error::Output)?;
            shown = change;
        }
    }
}

/// The page, drawn again at every change, and while something runs every second.
fn redraw(mut watch: Watch) -> Result<Exit, Error> {
    let (send, changes) = mpsc::channel();
    let watching = thread::Builder::new().name("watch".into()).spawn(move || {
        loop {
            let change = match watch.next() {
                Ok(Seen::Lost(error)) => {
                    let _ = send.send(Ok(Update::Lost(error.to_string())));
                    match watch.find_again(error) {
                        Ok(()) => continue,
                        Err(error) => Err(error),
                    }
                }
                Ok(Seen::Status(status)) => Ok(Update::Status(status)),
                Err(error) => Err(error),
            };
            let last = change.is_err();
            if send.send(change).is_err() || last {
                return;
            }
        }
    });
    watching.map_err(|error| Error::Failed(format!("no thread could be started: {error}")))?;
    let mut screen = Screen::default();
    let mut shown: Option<(Box<Status>, Instant)> = None;
    let mut lost = None;
    loop {
        let pause = match &shown {
            Some((status, _)) if status.state == Mode::Running => Duration::from_secs(1),
            _ => Duration::from_secs(20),
        };
        match changes.recv_timeout(pause) {
            Ok(Ok(Update::Status(status))) => {
                shown = Some((status, Instant::now()));
                lost = None;
            }
            Ok(Ok(Update::Lost(reason))) => lost = Some(reason),
            Ok(Err(error)) => return Err(error),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Done),
        }
        let mut page = String::new();
        if let Some((status, since)) = &shown {
            page = render::page_within(&aged(status, since.elapsed()), terminal::look(), terminal::rows());
        }
        if let Some(reason) = &lost {
            page = format!("{}; waiting for it\n\n{page}", render::clean(reason));
        }
        screen.draw(&page).map_err(Error::Output)?;
    }
}

/// What the page has to follow.
enum Update {
    Status(Box<Status>),
    Lost(String),
}

/// The status as it is a little later, when nothing has changed but the time.
pub(super) fn aged(status: &Status, by: Duration) -> Status {
    let mut status = status.later(status.now.checked_add(by).unwrap_or(status.now));
    for job in &mut status.jobs {
        job.elapsed = job.elapsed.saturating_add(by.as_secs());
    }
    status
}
