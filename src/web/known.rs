//! What the supervisor has told so far. Each change replaces the whole, so that whoever is slow sees the newest at once.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as Blocking;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tracing::debug;

use crate::model::records::CycleRow;
use crate::model::status::Status;
use crate::model::told::{Left, Told};

/// So many cycles are kept.
const CYCLES: usize = 500;

/// What is known of the builder.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Counts the messages.
    pub(super) number: u64,
    /// How it is; absent until it was told.
    pub(super) status: Option<Arc<Status>>,
    /// What is left to do.
    pub(super) left: Arc<[Left]>,
    /// The cycles, the newest first.
    pub(super) cycles: Arc<[Arc<CycleRow>]>,
}

impl Known {
    /// The same with one message more.
    fn with(&self, told: Told) -> Self {
        let mut known = Self { number: self.number + 1, ..self.clone() };
        match told {
            Told::Status { status } => known.status = Some(Arc::from(status)),
            Told::Left { left } => known.left = left.into(),
            Told::Cycles { cycles } => {
                // Numbers begin again when a state was lost; a cycle began once.
                let is = |a: &CycleRow, b: &CycleRow| (a.id, a.started) == (b.id, b.started);
                let kept = self.cycles.iter().filter(|old| !cycles.iter().any(|new| is(old, new))).cloned();
                let mut all: Vec<_> = cycles.iter().cloned().map(Arc::new).chain(kept).collect();
                all.sort_by_key(|cycle| std::cmp::Reverse(cycle.started));
                all.truncate(CYCLES);
                known.cycles = all.into();
            }
        }
        known
    }
}

/// Where it is found, and whether there is anybody who tells.
#[derive(Clone, Debug)]
pub(super) struct News {
    newest: watch::Receiver<Arc<Known>>,
    alone: bool,
}

impl News {
    /// For a server that nobody tells anything.
    pub(super) fn none() -> (watch::Sender<Arc<Known>>, Self) {
        let (sender, newest) = watch::channel(Arc::default());
        (sender, Self { newest, alone: true })
    }

    /// For one that is told; the sender is for [`listen`].
    pub(super) fn told() -> (watch::Sender<Arc<Known>>, Self) {
        let (sender, newest) = watch::channel(Arc::default());
        (sender, Self { newest, alone: false })
    }

    /// Nobody tells: there is no builder beside this server.
    pub(super) fn is_alone(&self) -> bool {
        self.alone
    }

    /// The newest.
    pub(super) fn newest(&self) -> Arc<Known> {
        Arc::clone(&self.newest.borrow())
    }

    /// For whoever waits for what is newer.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<Known>> {
        self.newest.clone()
    }
}

/// The socket that standard input is.
pub(super) fn socket() -> io::Result<Blocking> {
    let socket = Blocking::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Only a socket has one.
    socket.local_addr()?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Takes in what is told until that ends; why it did.
pub(super) async fn listen(socket: Blocking, newest: watch::Sender<Arc<Known>>) -> String {
    let socket = match UnixStream::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => return format!("standard input cannot be read: {error}"),
    };
    let mut lines = BufReader::new(socket).lines();
    loop {
        match lines.next_line().await {
            Ok(Some(line)) => match serde_json::from_str(&line) {
                Ok(told) => {
                    newest.send_modify(|known| *known = Arc::new(known.with(told)));
                }
                Err(error) => debug!("not understood: {error}"),
            },
            Ok(None) => return "the supervisor tells it nothing any more".to_owned(),
            Err(error) => return format!("what the supervisor tells cannot be read: {error}"),
        }
    }
}
