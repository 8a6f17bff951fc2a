//! Logs as somebody reads them, where `http.logs` lets them be read: pages of a piece each, the bytes themselves, and what is written as
//! it comes.
//!
//! Whoever reads costs the builder nothing: a piece is a few pages of memory, and who is slow misses nothing, since the log itself is
//! what is kept for it.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header;
use hyper::{Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc::{self, Sender};
use tokio::sync::watch::Receiver;
use tokio::time::sleep;

use super::accept::choose;
use super::body::{Answer, Outgoing};
use super::extract::{self, PIECE, Piece};
use super::known::Known;
use super::live::{self, event};
use super::path::{self, Refused};
use super::reply::{self, CURRENT, HTML, failed, missing, text};
use super::send::send;
use super::tree::Opened;
use super::views::Asked;
use crate::model::status::{Mode, Status};
use crate::portage::files::log_name::LogName;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::buildlog::first_error;
use crate::render::html::{self, Log};

/// Where they are.
pub(super) const BELOW: &str = "/logs/";
/// Below that, of a package: its newest one, whatever that is called.
const NEWEST: &str = "newest/";
/// How much before the end the error is looked for; what comes after it is the ebuild's last words.
const END: u64 = 1 << 20;
/// What is shown before it.
const BEFORE_ERROR: u64 = 4 << 10;
/// How often a log that is being written is looked at for whoever follows it.
const LOOK: Duration = Duration::from_millis(500);
/// How long from one piece to the next, so that a build which prints without end costs no more.
const GAP: Duration = Duration::from_millis(200);
/// Who is so far behind goes on near the end.
const FAR: u64 = 8 * PIECE;
/// After so much silence who follows is sent a sign of life.
const BEAT: Duration = Duration::from_secs(15);

/// Whether the builder is still writing this log.
fn is_written(status: Option<&Status>, path: &str) -> bool {
    let Some(status) = status else { return false };
    if !matches!(status.state, Mode::Starting | Mode::Running | Mode::Stopping) {
        return false;
    }
    match LogName::parse(path) {
        Some(name) => status.jobs.iter().any(|job| job.package == name.cpv.as_str()),
        None => status.log.as_ref().is_some_and(|log| log.ends_with(&format!("/{path}"))),
    }
}

/// What a script is sent of a log.
#[derive(Serialize)]
struct Part {
    from: u64,
    next: u64,
    /// Whether something that can be shown follows.
    more: bool,
    html: String,
}

impl Part {
    /// Of a log that can be shown up to this byte.
    fn new(piece: &Piece, end: u64) -> Self {
        let html = html::log_lines(piece.from, &piece.bytes, None).into_string();
        Self { from: piece.from, next: piece.next(), more: piece.next() < end, html }
    }

    fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Asked<'_> {
    /// The list of logs, or one of them.
    pub(super) fn logs(&self, outgoing: &Outgoing) -> Response<Answer> {
        let Some(logs) = &self.site.logs else {
            return missing("Logs are not served here (http.logs). In the container: gbsup logs PACKAGE");
        };
        let below = self.path.strip_prefix(BELOW).unwrap_or_default();
        if below.is_empty() {
            let page = self.site.look(Timestamp::now(), html::log_list);
            return reply::body(self.headers, html::document(&page, self.site.frame()), HTML);
        }
        let path = match path::below(below) {
            Ok(place) if !place.slash => place.path,
            Ok(_) | Err(Refused::NotFound) => return missing("There is no such log."),
            Err(Refused::Malformed) => return text(StatusCode::BAD_REQUEST, "This is no path of a log."),
            Err(Refused::TooLong) => return text(StatusCode::URI_TOO_LONG, "The path is too long."),
        };
        if let Some(package) = path.strip_prefix(NEWEST) {
            return match Cpv::parse(package.as_bytes()).and_then(|cpv| logs.newest(&cpv)) {
                Some(path) => elsewhere(&html::coded_log(&path)),
                None => missing("There is no log of this package."),
            };
        }
        match logs.file(&path) {
            Ok(opened) => self.log(&path, opened, outgoing).unwrap_or_else(|error| failed(&error, &path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing("There is no such log."),
            Err(error) => failed(&error, &path),
        }
    }

    fn log(&self, path: &str, opened: Opened, outgoing: &Outgoing) -> io::Result<Response<Answer>> {
        let number = |key: &str| {
            let mut values = self.query.split('&').filter_map(|pair| pair.split_once('='));
            values.find(|(name, _)| *name == key).and_then(|(_, value)| value.parse::<u64>().ok())
        };
        let says = |key: &str| self.query.split('&').any(|pair| pair == key);
        let raw = |opened, kind| send(self.headers, outgoing, &Arc::new(opened), kind, CURRENT);
        if path.strip_suffix(".gz").is_some() {
            return Ok(raw(opened, "application/gzip"));
        }
        let accept = self.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        let plain = choose(accept, &["text/html", "text/plain"]) == Some("text/plain");
        if says("raw") || plain {
            let mut response = raw(opened, "text/plain; charset=utf-8");
            reply::set(&mut response, header::VARY, "Accept");
            return Ok(response);
        }
        let known = self.site.news.newest();
        let written = is_written(known.status.as_deref(), path);
        let (file, size) = (&opened.file, opened.size);
        if let Some(at) = number("follow") {
            return Ok(self.follow_log(path, opened.file, at));
        }
        // What is being written is shown up to the line that is not whole.
        let end = if written { extract::line_at(file, size)? } else { size };
        if says("part") {
            let piece = match number("to") {
                Some(to) => extract::before(file, to.min(size))?,
                None => extract::from(file, number("from").unwrap_or_default(), written)?,
            };
            return Ok(reply::body(self.headers, Part::new(&piece, end).json(), "application/json"));
        }
        let begin = size.saturating_sub(END);
        let error = first_error(&extract::read(file, begin, END)?).map(|at| begin + at as u64);
        let piece = match (number("at"), number("to"), error.filter(|_| says("error"))) {
            (Some(at), ..) => extract::from(file, extract::line_at(file, at.min(size))?, written)?,
            (_, Some(to), _) => extract::before(file, to.min(size))?,
            (.., Some(error)) => {
                extract::from(file, extract::line_at(file, error.saturating_sub(BEFORE_ERROR))?, written)?
            }
            _ => extract::before(file, end)?,
        };
        let log = Log {
            path,
            size,
            from: piece.from,
            bytes: &piece.bytes,
            error,
            more: piece.next() < end,
            written,
        };
        let page = html::log(&log, &self.site.name);
        let mut response = reply::body(self.headers, html::document(&page, self.site.frame()), HTML);
        reply::set(&mut response, header::VARY, "Accept");
        Ok(response)
    }

    fn follow_log(&self, path: &str, file: File, at: u64) -> Response<Answer> {
        if self.head {
            return reply::body(self.headers, Bytes::new(), "text/event-stream");
        }
        if !self.place.stays_open() {
            return live::full();
        }
        let (out, taken) = mpsc::channel(1);
        tokio::spawn(feed(file, path.to_owned(), at, self.site.news.watch(), out));
        live::stream(taken)
    }
}

fn elsewhere(to: &str) -> Response<Answer> {
    let mut response = text(StatusCode::FOUND, "Its newest log is elsewhere.");
    reply::set(&mut response, header::LOCATION, to);
    response
}

/// Sends what is written to a log from here on, until nobody writes it any more or nobody reads it.
async fn feed(file: File, path: String, mut at: u64, newest: Receiver<Arc<Known>>, out: Sender<Bytes>) {
    let mut silent = Duration::ZERO;
    loop {
        let Ok(room) = out.reserve().await else { return };
        // Asked first: what was written before the end is sent.
        let written = is_written(newest.borrow().status.as_deref(), &path);
        let Ok(piece) = next(&file, &mut at, written) else { return };
        if piece.bytes.is_empty() {
            if !written {
                room.send(event("over", "{}"));
                return;
            }
            if silent >= BEAT {
                room.send(Bytes::from_static(b":\n\n"));
                silent = Duration::ZERO;
            } else {
                drop(room);
            }
            silent += LOOK;
            tokio::select! {
                () = out.closed() => return,
                () = sleep(LOOK) => {}
            }
        } else {
            room.send(event("lines", &Part::new(&piece, 0).json()));
            silent = Duration::ZERO;
            sleep(GAP).await;
        }
    }
}

fn next(file: &File, at: &mut u64, written: bool) -> io::Result<Piece> {
    let size = file.metadata()?.len();
    if size.saturating_sub(*at) > FAR {
        *at = extract::line_at(file, size - PIECE)?;
    }
    let piece = extract::from(file, *at, written)?;
    *at = piece.next();
    Ok(piece)
}
