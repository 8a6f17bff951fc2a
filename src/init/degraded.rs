//! The control socket while the supervisor keeps dying and init answers in its place.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::stat::{Mode as FileMode, umask};

use super::common::settings;
use super::pages::Pages;
use super::say::say;
use crate::model::request::{Reply, Request};
use crate::model::status::{Mode, Progress, SCHEMA, Status, SyncInfo};
use crate::volume;

/// Where the control socket is, unless `GBSUP_SOCKET` says otherwise.
const SOCKET: &str = "/run/gbsup/control.sock";
/// How long a client may take to say its request.
const PATIENCE: Duration = Duration::from_secs(5);
/// Clients heard at the same time; more wait in the kernel's queue.
const CLIENTS: usize = 8;
/// The longest request init listens to.
const LONGEST: usize = 64 * 1024;
/// How long no client is accepted after that failed, which mostly means that descriptors are short.
const DEAF: Duration = Duration::from_secs(1);

/// Init, answering.
#[derive(Debug)]
pub(super) struct Degraded {
    since: Timestamp,
    headline: String,
    /// None when it could not be opened; a signal ends this state too.
    listener: Option<UnixListener>,
    path: PathBuf,
    clients: Vec<Client>,
    deaf_until: Option<Instant>,
    /// For as long as this lasts.
    pages: Option<Pages>,
}

/// One connection, up to its request.
#[derive(Debug)]
struct Client {
    stream: UnixStream,
    said: Vec<u8>,
    until: Instant,
}

/// What a client wants done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wish {
    Nothing,
    Resume,
    Stop,
}

impl Degraded {
    /// Begins to answer. `how` is the latest death, such as `died by signal 9`.
    pub(super) fn begin(how: &str) -> Degraded {
        let headline = format!(
            "degraded: the supervisor keeps dying (it {how}); see the log, then: gbsup resume, or stop the container"
        );
        let path = std::env::var_os("GBSUP_SOCKET").map_or_else(|| PathBuf::from(SOCKET), PathBuf::from);
        let listener = listen(&path)
            .inspect_err(|error| say(&format!("cannot answer on {}: {error}", path.display())))
            .ok();
        // Who reads this may ask at once.
        say(&headline);
        let (since, clients) = (Timestamp::now(), Vec::new());
        let mut degraded =
            Degraded { since, headline, listener, path, clients, deaf_until: None, pages: None };
        degraded.pages = Pages::begin(&degraded.status());
        degraded
    }

    /// One sentence for a person.
    pub(super) fn headline(&self) -> &str {
        &self.headline
    }

    /// What to wait for.
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let accepting = self.clients.len() < CLIENTS && self.deaf_until.is_none();
        let listener = self.listener.iter().filter(|_| accepting).map(AsFd::as_fd);
        listener.chain(self.clients.iter().map(|client| client.stream.as_fd())).collect()
    }

    /// When to look again although nothing is readable; none when there is no such time.
    pub(super) fn due(&self) -> Option<Instant> {
        self.clients.iter().map(|client| client.until).chain(self.deaf_until).min()
    }

    /// Accepts, listens and answers as far as it goes without waiting.
    pub(super) fn serve(&mut self, now: Instant) -> Wish {
        self.deaf_until = self.deaf_until.filter(|until| now < *until);
        self.accept(now);
        let mut wish = Wish::Nothing;
        for mut client in std::mem::take(&mut self.clients) {
            match client.listen() {
                Heard::Line => {
                    let (reply, wanted) = self.answer(&client.said);
                    client.reply(&reply);
                    if wanted != Wish::Nothing {
                        wish = wanted;
                    }
                }
                Heard::NotYet if now < client.until => self.clients.push(client),
                Heard::NotYet | Heard::Gone => {}
            }
        }
        wish
    }

    fn accept(&mut self, now: Instant) {
        while self.clients.len() < CLIENTS && self.deaf_until.is_none() {
            let Some(listener) = &self.listener else { return };
            match listener.accept() {
                Ok((stream, _)) if is_root(&stream) && stream.set_nonblocking(true).is_ok() => {
                    self.clients.push(Client { stream, said: Vec::new(), until: now + PATIENCE });
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.deaf_until = Some(now + DEAF),
            }
        }
    }

    fn answer(&self, line: &[u8]) -> (Reply, Wish) {
        let denied = |message: &str| (Reply::Denied { message: message.to_owned() }, Wish::Nothing);
        match serde_json::from_slice(line) {
            Ok(Request::Status | Request::Watch) => {
                (Reply::Status { status: Box::new(self.status()) }, Wish::Nothing)
            }
            Ok(Request::Resume { .. }) => {
                (Reply::Accepted { message: "starting the supervisor again".to_owned() }, Wish::Resume)
            }
            Ok(Request::Stop) => (Reply::Accepted { message: "stopping".to_owned() }, Wish::Stop),
            Ok(Request::Pause { .. }) => denied("nothing is running: the supervisor keeps dying"),
            // Whatever else there is to ask needs a supervisor.
            Ok(_) => denied("the supervisor keeps dying; first: gbsup resume"),
            Err(error) => (Reply::Invalid { message: error.to_string() }, Wish::Nothing),
        }
    }

    /// What init knows: that there is no supervisor. The rest is as unknown as it is to it.
    fn status(&self) -> Status {
        Status {
            schema: SCHEMA,
            version: crate::VERSION.to_owned(),
            state: Mode::Degraded,
            step: "wait".to_owned(),
            headline: self.headline.clone(),
            since: self.since,
            now: Timestamp::now(),
            cycle: None,
            progress: Progress::default(),
            plan: None,
            jobs: Vec::new(),
            pause: None,
            known: Vec::new(),
            skipped: Vec::new(),
            failed: Vec::new(),
            pending: Vec::new(),
            next_cycle: None,
            release: None,
            sync: SyncInfo::default(),
            volume: volume::look(&settings().volume.path),
            log: None,
            changes: Vec::new(),
            remedies: Vec::new(),
            warnings: Vec::new(),
            restarts: 0,
            clients: Vec::new(),
            helpers: None,
            ccache: None,
        }
    }
}

impl Drop for Degraded {
    /// The supervisor that follows wants the name, and the port for a server of its own.
    fn drop(&mut self) {
        self.pages = None;
        if self.listener.is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What came from a client so far.
enum Heard {
    Line,
    NotYet,
    Gone,
}

impl Client {
    fn listen(&mut self) -> Heard {
        let mut bytes = [0; 4096];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Heard::Gone,
                Ok(count) => self.said.extend(bytes.iter().take(count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Heard::NotYet,
                Err(_) => return Heard::Gone,
            }
            if let Some(end) = self.said.iter().position(|byte| *byte == b'\n') {
                self.said.truncate(end);
                return Heard::Line;
            }
            if self.said.len() > LONGEST {
                return Heard::Gone;
            }
        }
    }

    /// Sends the reply. It fits into the socket's buffer, which is empty; a client that has gone does
    /// not matter.
    fn reply(&mut self, reply: &Reply) {
        if let Ok(mut text) = serde_json::to_vec(reply) {
            text.push(b'\n');
            let _ = self.stream.write_all(&text);
        }
    }
}

/// Opens the socket for root alone, in place of the one the dead supervisor has left.
fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    if fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let before = umask(FileMode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(path);
    umask(before);
    let listener = listener?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Whether the other end may ask: it is root, as this process is.
fn is_root(stream: &UnixStream) -> bool {
    getsockopt(stream, PeerCredentials).is_ok_and(|peer| peer.uid() == 0)
}
