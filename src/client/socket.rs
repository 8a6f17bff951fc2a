//! The control socket: one JSON line up, one JSON line down.

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, getsockopt, socket, sockopt};

use super::error::Error;
use crate::model::request::{Reply, Request};
use crate::model::status::{Mode, Status};
use crate::procs::{self, Process, Role};
use crate::{config, sys};

/// Where the supervisor listens when `GBSUP_SOCKET` says nothing else.
const DEFAULT_SOCKET: &str = "/run/gbsup/control.sock";

/// How much of an answer is read at a time.
const PIECE: usize = 1 << 16;

/// How long to ask for the volume's place before looking into the configuration instead.
const ASIDE: Duration = Duration::from_secs(2);

/// How long to wait before another attempt at a supervisor that takes no connection.
const BREATH: Duration = Duration::from_millis(20);

/// How long a watcher may be shown nothing. It is shown the time that has passed every second.
const SILENCE: Duration = Duration::from_secs(15);

/// How long a supervisor that went away is waited for: longer than init's longest back-off.
const PATIENCE: usize = 90;

/// The supervisor of this container.
pub(super) struct Supervisor {
    path: PathBuf,
}

impl Supervisor {
    pub(super) fn here() -> Self {
        let path = std::env::var_os("GBSUP_SOCKET").filter(|path| !path.is_empty());
        Self { path: path.map_or_else(|| DEFAULT_SOCKET.into(), PathBuf::from) }
    }

    /// The one answer to a request.
    pub(super) fn ask(&self, request: &Request, deadline: Duration) -> Result<Reply, Error> {
        let until = Instant::now() + deadline;
        let in_time = |error, whom| match error {
            Error::Silent(..) if Instant::now() >= until => hangs(&self.path, deadline, whom),
            error => error,
        };
        let mut stream = connect(&self.path, request, Some(until)).map_err(|error| in_time(error, None))?;
        let reply = read(&self.path, &mut stream, until);
        reply.map_err(|error| in_time(error, listener(stream.get_ref())))
    }

    /// The status, once.
    pub(super) fn status(&self, deadline: Duration) -> Result<Status, Error> {
        status(self.ask(&Request::Status, deadline)?)
    }

    /// Where the volume is, from whoever knows it best, and the status if there is one.
    pub(super) fn volume(&self) -> (PathBuf, Option<Status>) {
        match self.status(ASIDE) {
            Ok(status) => (PathBuf::from(&status.volume.path), Some(status)),
            Err(_) => (config::load().map(|config| config.volume).unwrap_or_default().path, None),
        }
    }

    /// The status now and after every change.
    pub(super) fn watch(&self) -> Result<Watch, Error> {
        let stream = connect(&self.path, &Request::Watch, None)?;
        Ok(Watch { path: self.path.clone(), stream, last: None })
    }
}

/// A stream of statuses that survives the supervisor.
pub(super) struct Watch {
    path: PathBuf,
    stream: BufReader<UnixStream>,
    last: Option<Mode>,
}

/// What a [`Watch`] sees.
pub(super) enum Seen {
    /// The status has changed.
    Status(Box<Status>),
    /// The supervisor went away; init starts it again, or answers in its place.
    Lost(Error),
}

impl Watch {
    /// What comes next, whatever the builder does meanwhile.
    pub(super) fn next(&mut self) -> Result<Seen, Error> {
        match self.read() {
            Ok(status) => Ok(Seen::Status(Box::new(status))),
            Err(error @ Error::Silent(..)) if self.last != Some(Mode::Stopping) => Ok(Seen::Lost(error)),
            Err(error) => Err(error),
        }
    }

    /// Finds the supervisor again after it was lost, or gives up.
    pub(super) fn find_again(&mut self, mut lost: Error) -> Result<(), Error> {
        for _ in 0..PATIENCE {
            thread::sleep(Duration::from_secs(1));
            match connect(&self.path, &Request::Watch, None) {
                Ok(stream) => {
                    self.stream = stream;
                    return Ok(());
                }
                Err(error @ (Error::Nobody(_) | Error::Silent(..))) => lost = error,
                Err(error) => return Err(error),
            }
        }
        Err(lost)
    }

    /// The next status; that the supervisor is gone for a while is said on stderr.
    pub(super) fn next_status(&mut self) -> Result<Status, Error> {
        loop {
            match self.next()? {
                Seen::Status(status) => return Ok(*status),
                Seen::Lost(error) => {
                    let _ = writeln!(io::stderr(), "gbsup: {error}; waiting for it");
                    self.find_again(error)?;
                }
            }
        }
    }

    fn read(&mut self) -> Result<Status, Error> {
        let until = Instant::now() + SILENCE;
        let reply = read(&self.path, &mut self.stream, until).map_err(|error| match error {
            Error::Silent(..) if Instant::now() >= until => {
                hangs(&self.path, SILENCE, listener(self.stream.get_ref()))
            }
            error => error,
        });
        let status = status(reply?)?;
        self.last = Some(status.state);
        Ok(status)
    }
}

/// The process that listens at the other end (unix(7), SO_PEERCRED).
fn listener(stream: &UnixStream) -> Option<i32> {
    getsockopt(stream, sockopt::PeerCredentials).ok().map(|peer| peer.pid())
}

/// It gave no answer for so long: init is told, and whoever asked what comes of that.
fn hangs(path: &Path, waited: Duration, listener: Option<i32>) -> Error {
    let waited = waited.as_secs();
    Error::Silent(path.into(), format!("it said nothing within {waited} s{}", complain(listener)))
}

/// Tells init that the supervisor gave no answer; returns what will come of it, to be added to that sentence.
fn complain(listener: Option<i32>) -> &'static str {
    let supervisor = listener.and_then(Process::read);
    // It takes no connection either: then PID 1 is asked, which init mostly is.
    let init = supervisor.map_or(1, |supervisor| supervisor.parent);
    if !procs::is(init, Role::Init) || sys::kill(init, procs::COMPLAINT).is_err() {
        return "";
    }
    if supervisor.is_some_and(|supervisor| supervisor.state == 'T') {
        return "; it is stopped, and init tells it to go on in a minute at most";
    }
    "; init was told, and starts it again if it gives no sign of life for a minute"
}

fn status(reply: Reply) -> Result<Status, Error> {
    match reply {
        Reply::Status { status } => Ok(*status),
        Reply::Denied { message } => Err(Error::Denied(message)),
        Reply::Invalid { message } | Reply::Accepted { message } | Reply::Already { message } => {
            Err(Error::Failed(format!("the supervisor answered without a status: {message}")))
        }
        Reply::Left { .. } => Err(Error::Failed("the supervisor answered without a status".into())),
    }
}

fn connect(path: &Path, request: &Request, until: Option<Instant>) -> Result<BufReader<UnixStream>, Error> {
    let silent = |error: &io::Error| Error::Silent(path.into(), reason(error));
    let mut stream = connected(path, until).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::Nobody(path.into()),
        _ => silent(&error),
    })?;
    let left = until.map(|until| until.saturating_duration_since(Instant::now()).max(BREATH));
    stream.set_write_timeout(left).map_err(|error| silent(&error))?;
    let line = serde_json::to_string(request).map_err(|error| Error::Failed(error.to_string()))? + "\n";
    stream.write_all(line.as_bytes()).map_err(|error| silent(&error))?;
    Ok(BufReader::with_capacity(PIECE, stream))
}

/// Connecting to a supervisor that does not accept blocks, and has no timeout of its own; a socket that does not
/// block says so instead (connect(2): EAGAIN).
fn connected(path: &Path, until: Option<Instant>) -> io::Result<UnixStream> {
    let Some(until) = until else { return UnixStream::connect(path) };
    let address = UnixAddr::new(path)?;
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    loop {
        match nix::sys::socket::connect(socket.as_raw_fd(), &address) {
            Ok(()) => break,
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) if Instant::now() < until => thread::sleep(BREATH),
            Err(Errno::EAGAIN) => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) => return Err(error.into()),
        }
    }
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "it is gone or starting again; the container's log says more (docker logs)".into()
        }
        io::ErrorKind::PermissionDenied => "only root may ask it".into(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "it went away".into(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "it does not answer".into(),
        _ => error.to_string(),
    }
}

/// The next answer: a line, however long. A builder has as much to say as happened to it, so only time bounds it: `until`
/// then all of it has to be here.
fn read(path: &Path, stream: &mut BufReader<UnixStream>, until: Instant) -> Result<Reply, Error> {
    let silent = |error: &io::Error| Error::Silent(path.into(), reason(error));
    let mut line = Vec::new();
    loop {
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
        let left = left.ok_or_else(|| silent(&io::ErrorKind::TimedOut.into()))?;
        stream.get_ref().set_read_timeout(Some(left)).map_err(|error| silent(&error))?;
        let piece = match stream.fill_buf() {
            Ok([]) => return Err(silent(&io::ErrorKind::BrokenPipe.into())),
            Ok(piece) => piece,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(silent(&error)),
        };
        let end = piece.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(&piece[..end.unwrap_or(piece.len())]);
        let taken = end.map_or(piece.len(), |end| end + 1);
        stream.consume(taken);
        if end.is_some() {
            break;
        }
    }
    serde_json::from_slice(&line).map_err(|error| {
        Error::Failed(format!(
            "the supervisor's answer is not understood ({error}); is it the same version as this?"
        ))
    })
}
