//! Signals become meanings here; no number goes any further.

use std::io;

use nix::libc;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::procs;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// TERM, INT: stop gracefully; a second one hurries.
    Leave,
    /// USR1: force a resync.
    Sync,
    /// USR2: resume.
    Resume,
    /// HUP: read the configuration again.
    Reload,
    /// QUIT: write the full status to the log.
    Dump,
    /// URG: give PID 1 a sign of life.
    Alive,
    /// CONT: this process was stopped, and goes on.
    GoOn,
}

/// The signals of this process.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    user1: Signal,
    user2: Signal,
    hangup: Signal,
    quit: Signal,
    question: Signal,
    go_on: Signal,
}

impl Signals {
    /// Installs handlers; children are not affected, since exec undoes handlers.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            question: signal(SignalKind::from_raw(procs::QUESTION))?,
            go_on: signal(SignalKind::from_raw(libc::SIGCONT))?,
        })
    }

    /// The next one. Signals that come while nobody waits are one.
    pub(super) async fn next(&mut self) -> Meaning {
        tokio::select! {
            _ = self.terminate.recv() => Meaning::Leave,
            _ = self.interrupt.recv() => Meaning::Leave,
            _ = self.user1.recv() => Meaning::Sync,
            _ = self.user2.recv() => Meaning::Resume,
            _ = self.hangup.recv() => Meaning::Reload,
            _ = self.quit.recv() => Meaning::Dump,
            _ = self.question.recv() => Meaning::Alive,
            _ = self.go_on.recv() => Meaning::GoOn,
        }
    }
}
