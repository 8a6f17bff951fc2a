//! What every verb answers with: text or JSON on standard output, the supervisor's reply, an error and its exit code.

use std::io::{self, Write};

use serde::Serialize;

use super::error::{DEADLINE, Error};
use super::socket::{Seen, Supervisor};
use super::terminal;
use crate::cli::Exit;
use crate::model::request::{Reply, Request};
use crate::model::status::{Mode, Status, Why};

/// Sends a request and prints the answer.
pub(crate) fn request(supervisor: &Supervisor, request: &Request) -> Result<Exit, Error> {
    tell(sentence(&told(supervisor, request)?))
}

/// Sends a request; returns what the supervisor says to that.
pub(crate) fn told(supervisor: &Supervisor, request: &Request) -> Result<String, Error> {
    match supervisor.ask(request, DEADLINE)? {
        Reply::Accepted { message } | Reply::Already { message } => Ok(message),
        Reply::Denied { message } => Err(Error::Denied(message)),
        Reply::Invalid { message } => Err(Error::Usage(message)),
        Reply::Status { status } => Ok(status.headline),
        Reply::Left { left } => Ok(format!("{} still to be merged", left.len())),
    }
}

/// The same, and waits for what comes of it if that is wanted.
pub(crate) fn asked(supervisor: &Supervisor, what: &Request, wait: bool) -> Result<Exit, Error> {
    if !wait {
        return request(supervisor, what);
    }
    terminal::end_with_the_reader();
    // Begun before it is asked for, so that nothing is missed.
    let mut watch = supervisor.watch()?;
    request(supervisor, what)?;
    loop {
        let status = match watch.next() {
            Ok(Seen::Status(status)) => status,
            // It has stopped, and nobody is there to say so.
            Ok(Seen::Lost(_)) | Err(_) if *what == Request::Stop => return Ok(Exit::Done),
            Ok(Seen::Lost(error)) => {
                let _ = writeln!(io::stderr(), "gbsup: {error}; waiting for it");
                watch.find_again(error)?;
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Some(end) = end(what, &status, supervisor)? {
            return end;
        }
    }
}

/// How it ended, once it has: a status that was made before the request was taken says nothing.
pub(crate) fn end(
    what: &Request,
    status: &Status,
    supervisor: &Supervisor,
) -> Result<Option<Result<Exit, Error>>, Error> {
    let line = || crate::render::line(status);
    let rests = match (what, status.state) {
        (Request::Stop, _) => false,
        (_, Mode::Stopping) => return Ok(Some(Err(Error::Denied("the builder is being stopped".into())))),
        (_, Mode::Waiting | Mode::Paused) => !status.pending.iter().any(|pending| pending != "pause"),
        _ => false,
    };
    // What was seen may be older than the request; what is asked for now is not.
    if !rests || supervisor.status(DEADLINE)?.state != status.state {
        return Ok(None);
    }
    Ok(Some(match (what, status.state) {
        (Request::Pause { .. }, Mode::Paused) | (_, Mode::Waiting) => tell(sentence(&line())),
        (_, _) if status.pause.as_ref().is_some_and(|pause| pause.why == Why::Operator) => {
            Err(Error::Denied(line()))
        }
        _ => Err(Error::Failed(line())),
    }))
}

/// Somebody's words as a line of output.
pub(crate) fn sentence(text: &str) -> String {
    format!("{}\n", crate::render::clean(text))
}

/// A value as indented JSON and a line break.
pub(crate) fn json(value: &impl Serialize) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::Failed(error.to_string()))?;
    Ok(text + "\n")
}

/// Prints sentences for whoever reads them, as wide as the terminal.
pub(crate) fn tell(text: impl AsRef<str>) -> Result<Exit, Error> {
    print(crate::render::wrapped(text.as_ref(), terminal::look()))
}

/// Prints everything a command has to say, as it is.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<Exit, Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref()).and_then(|()| out.flush()).map_err(Error::Output)?;
    Ok(Exit::Done)
}
