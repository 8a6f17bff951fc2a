//! Why a command did not do what was asked.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::Exit;
use crate::config::Problems;

/// How long the supervisor may take to answer. `health` has to be through within 5 s.
pub(crate) const DEADLINE: Duration = Duration::from_secs(4);

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing listens there.
    #[error("no supervisor answers at {0}: is this the builder container?")]
    Nobody(PathBuf),
    /// Something is wrong with whoever should answer.
    #[error("no supervisor answers at {0}: {1}")]
    Silent(PathBuf, String),
    /// Not possible in this state; the supervisor's own words.
    #[error("{0}")]
    Denied(String),
    /// Wrong usage.
    #[error("{0}")]
    Usage(String),
    /// The configuration is wrong.
    #[error("{0}")]
    Config(#[from] Problems),
    /// It is done, and found something to look at; one line each.
    #[error("{0}")]
    Findings(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
    /// A release could not be read or made.
    #[error("{0}")]
    Release(#[from] crate::binhost::release::Error),
    /// What was to be shown could not be written.
    #[error("cannot write: {0}")]
    Output(io::Error),
}

impl Error {
    /// The exit code that goes with it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Nobody(_) | Self::Silent(..) => Exit::Unreachable,
            Self::Denied(_) => Exit::Denied,
            Self::Findings(_) => Exit::Findings,
            Self::Usage(_) | Self::Config(_) => Exit::Usage,
            // Whoever read it has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Failed(_) | Self::Release(_) | Self::Output(_) => Exit::Failed,
        }
    }

    /// Whether there is anybody to tell.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
