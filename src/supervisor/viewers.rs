//! Who wants to see the status, and the thread that looks for them.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{io, thread};

use tokio::sync::oneshot;

use crate::model::request::Reply;

/// The way to the thread that looks.
pub(super) struct Eyes {
    looks: mpsc::Sender<Box<dyn FnOnce() + Send>>,
}

impl Eyes {
    /// Starts the thread. What it is given it does in order.
    pub(super) fn start() -> io::Result<Self> {
        let (looks, asked) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        thread::Builder::new()
            .name("looks".into())
            .spawn(move || asked.into_iter().for_each(|look| look()))?;
        Ok(Self { looks })
    }

    /// Gives it something to do.
    pub(super) fn give(&self, look: impl FnOnce() + Send + 'static) {
        // It lives as long as the loop does.
        drop(self.looks.send(Box::new(look)));
    }
}

/// Who wants to see the status.
pub(super) enum Viewer {
    /// A client.
    Client(oneshot::Sender<Reply>),
    /// Whoever reads the log.
    Log,
    /// The server, for those who have its page open.
    Server,
}

/// Those who wait for a look, the first one first.
#[derive(Default)]
pub(super) struct Viewers {
    pub(super) waiting: VecDeque<(Viewer, Instant)>,
    /// How many of the first have had their look, and wait until what it saw is written down.
    pub(super) looked: usize,
    /// How many of the next ones came before the look that is under way, if one is.
    pub(super) looking: Option<usize>,
    /// When that began.
    pub(super) began: Option<Instant>,
    /// How long the one before took.
    pub(super) took: Duration,
}

impl Viewers {
    /// Whether looks take longer than this.
    pub(super) fn are_slow(&self, than: Duration) -> bool {
        self.took > than || self.began.is_some_and(|began| began.elapsed() > than)
    }

    /// When somebody has waited long enough.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|(_, until)| *until)
    }
}
