//! A supervisor that says what a test wants, and the client that asks it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use gbsup::model::failure::{Class, Failure};
use gbsup::model::request::{Reply, Request};
use gbsup::model::status::{CycleInfo, Mode, PauseInfo, Progress, SCHEMA, Status, SyncInfo, VolumeInfo, Why};
use jiff::Timestamp;
use tempfile::TempDir;

/// What the supervisor does with a request.
pub(crate) enum Answer {
    /// Answers.
    Reply(Box<Reply>),
    /// Answers with statuses as they come, and goes away with the last.
    Stream(Receiver<Status>),
    /// Says nothing and keeps the connection.
    Silence,
    /// Goes away.
    Leave,
}

/// A volume, a socket on it, and whoever listens there.
pub(crate) struct Builder {
    directory: TempDir,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Builder {
    /// A container in which nothing listens.
    pub(crate) fn empty() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), asked: Arc::default() }
    }

    /// A container whose supervisor answers each request so.
    pub(crate) fn answering(mut answer: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let builder = Self::empty();
        let listener = UnixListener::bind(builder.socket()).unwrap();
        let asked = Arc::clone(&builder.asked);
        thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                let Ok(request) = serde_json::from_str(&line) else { continue };
                let answer = answer(&request);
                asked.lock().unwrap().push(request);
                match answer {
                    Answer::Reply(reply) => drop(send(&mut stream, &reply)),
                    Answer::Stream(statuses) => {
                        thread::spawn(move || {
                            for status in statuses {
                                if send(&mut stream, &Reply::Status { status: Box::new(status) }).is_err() {
                                    return;
                                }
                            }
                        });
                    }
                    Answer::Silence => silent.push(stream),
                    Answer::Leave => {}
                }
            }
        });
        builder
    }

    /// A container whose supervisor is in this state and denies everything.
    pub(crate) fn with(mut status: Status) -> Self {
        let path = Arc::new(Mutex::new(String::new()));
        let volume = Arc::clone(&path);
        let builder = Self::answering(move |request| match request {
            Request::Status => {
                status.volume.path.clone_from(&volume.lock().unwrap());
                reply(Reply::Status { status: Box::new(status.clone()) })
            }
            _ => reply(Reply::Denied { message: "not now".into() }),
        });
        *path.lock().unwrap() = builder.volume().display().to_string();
        builder
    }

    /// A container whose supervisor streams what the test sends.
    pub(crate) fn streaming() -> (Self, Sender<Status>) {
        let (send, statuses) = channel();
        let mut statuses = Some(statuses);
        let builder = Self::answering(move |_| statuses.take().map_or(Answer::Leave, Answer::Stream));
        (builder, send)
    }

    pub(crate) fn volume(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("control.sock")
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    /// Writes a file below the volume.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.volume().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The client, about to run in this container.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gbsup"));
        command
            .args(line.split_whitespace())
            .env_clear()
            .env("GBSUP_SOCKET", self.socket())
            .env("GBSUP_VOLUME_PATH", self.volume())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the client: its exit code, stdout and stderr, with the volume's name made the same in every test.
    pub(crate) fn run(&self, line: &str) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.command(line).output().unwrap();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(&self.volume().display().to_string(), "<volume>")
        };
        (status.code().unwrap_or(-1), text(stdout), text(stderr))
    }
}

fn send(stream: &mut impl Write, reply: &Reply) -> std::io::Result<()> {
    stream.write_all((serde_json::to_string(reply).unwrap() + "\n").as_bytes())
}

/// An answer.
pub(crate) fn reply(reply: Reply) -> Answer {
    Answer::Reply(Box::new(reply))
}

/// A builder in this state.
pub(crate) fn status(state: Mode, headline: &str) -> Status {
    let now = Timestamp::from_second(1_795_000_000).unwrap();
    Status {
        schema: SCHEMA,
        version: "0.1.0".into(),
        state,
        step: "build".into(),
        headline: headline.into(),
        since: now,
        now,
        cycle: Some(CycleInfo { id: 1, started: now, reason: "first".into() }),
        progress: Progress { done: 5, total: 7, failed: 0, binary: 0, source: 5, eta: None },
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
        volume: VolumeInfo { path: "/var/lib/gbsup".into(), mounted: true, free: 1 << 33 },
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

/// A builder that is paused.
pub(crate) fn paused(why: Why, failures: Vec<Failure>) -> Status {
    let mut status = status(Mode::Paused, "paused: no luck. Repair it, then: gbsup resume");
    status.pause =
        Some(PauseInfo { why, failures, until: None, actions: vec!["repair it, then: gbsup resume".into()] });
    status
}

/// A package that failed.
pub(crate) fn failure(package: &str, log: Option<String>) -> Failure {
    Failure {
        package: Some(package.into()),
        phase: Some("compile".into()),
        log,
        ..Failure::new(Class::Compile, "no luck today")
    }
}
