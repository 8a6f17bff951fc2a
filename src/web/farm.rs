//! The other builders: what is known of them, and the way to whoever asks them ([`crate::peers`]).
//!
//! They are asked while somebody looks, and no oftener than every few seconds, however many look. An answer waits for those that can be
//! expected to answer, for a moment; who was away the last time keeps nobody waiting.

use std::io;
use std::os::unix::net::UnixStream as Blocking;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::config::Peer;
use crate::decide::farm::Memory;
use crate::model::farm::{self, Heard, Member};
use crate::peers;

/// For so long what was heard is new enough.
const FRESH: Duration = Duration::from_secs(5);
/// How long an answer waits for others.
const WAIT: Duration = Duration::from_millis(2500);
/// Bytes of a line of what is heard.
const LONGEST: u64 = 64 << 10;
/// What is said of all of them when nobody asks them.
const NOBODY: &str = "nobody asks it any more, until the server is started again";

/// Whoever asks, before it is listened to.
pub(super) struct Asker {
    peers: Vec<Peer>,
    started: io::Result<Option<(Child, Blocking)>>,
}

/// Starts whoever asks these, if there are any, for a server that listens at this port.
pub(super) fn start(peers: &[Peer], own: Option<u16>) -> Asker {
    let started = if peers.is_empty() { Ok(None) } else { peers::start(peers, own, None).map(Some) };
    Asker { peers: peers.to_vec(), started }
}

impl Asker {
    /// Has it listened to, beside everything else.
    pub(super) fn listened_to(self) -> io::Result<Farm> {
        let shared = Arc::new(Shared::new(&self.peers));
        match self.started {
            Ok(None) => {}
            Ok(Some((child, socket))) => {
                socket.set_nonblocking(true)?;
                let (reads, writes) = UnixStream::from_std(socket)?.into_split();
                shared.lock().way = Some(writes);
                tokio::spawn(listen(Arc::clone(&shared), reads, child));
            }
            Err(error) => {
                warn!("the other builders cannot be asked: {error}");
                shared.ends();
            }
        }
        Ok(Farm { is_one: !self.peers.is_empty(), shared })
    }
}

/// What is known of them.
#[derive(Debug)]
pub(super) struct Farm {
    is_one: bool,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    now: Mutex<Now>,
    /// Counts what was heard.
    heard: watch::Sender<u64>,
}

#[derive(Debug)]
struct Now {
    memory: Memory,
    peers: usize,
    /// By which it is told to ask; absent when nobody is there.
    way: Option<OwnedWriteHalf>,
    asked: Option<Instant>,
    stage: Stage,
}

/// How far it is with what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has told all.
    Rest,
    /// It was told to ask, and has not begun.
    Told,
    /// It asks.
    Asking,
}

impl Shared {
    fn new(peers: &[Peer]) -> Self {
        let memory = Memory::new(peers);
        let now = Now { memory, peers: peers.len(), way: None, asked: None, stage: Stage::Rest };
        Self { now: Mutex::new(now), heard: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, heard: Heard) {
        let mut now = self.lock();
        match heard {
            Heard::Begun => now.stage = Stage::Asking,
            Heard::Done => now.stage = Stage::Rest,
            Heard::Found { .. } | Heard::Lost { .. } | Heard::Said { .. } | Heard::Knew { .. } => {}
        }
        now.memory.take(heard, Timestamp::now());
        drop(now);
        self.heard.send_modify(|count| *count += 1);
    }

    /// Nobody asks them any more.
    fn ends(&self) {
        let mut now = self.lock();
        now.way = None;
        let peers = now.peers;
        drop(now);
        (0..peers).for_each(|peer| self.take(Heard::Lost { peer, why: NOBODY.to_owned() }));
        self.take(Heard::Done);
    }
}

impl Farm {
    /// Whether there are others.
    pub(super) fn is_one(&self) -> bool {
        self.is_one
    }

    /// Has them asked, unless that was done a moment ago. Waits for nothing.
    pub(super) fn ask(&self) {
        let mut now = self.shared.lock();
        let recent = now.asked.is_some_and(|asked| asked.elapsed() < FRESH);
        if recent || now.stage != Stage::Rest {
            return;
        }
        if now.way.as_ref().is_some_and(|way| way.try_write(b"?").is_ok()) {
            now.asked = Some(Instant::now());
            now.stage = Stage::Told;
        }
    }

    /// Has them asked, and waits until those have answered that can be expected to.
    pub(super) async fn is_fresh(&self) {
        self.ask();
        let mut heard = self.shared.heard.subscribe();
        let settled = || {
            let now = self.shared.lock();
            now.stage != Stage::Told && now.memory.is_settled()
        };
        let answered = async { while !settled() && heard.changed().await.is_ok() {} };
        if timeout(WAIT, answered).await.is_err() {
            debug!("not all of the other builders have answered");
        }
    }

    /// All of them, after this one, if there is one.
    pub(super) fn all(&self, own: Option<Member>) -> farm::Farm {
        self.shared.lock().memory.farm(own)
    }
}

/// Takes in what is heard, until that ends.
async fn listen(shared: Arc<Shared>, reads: OwnedReadHalf, mut child: Child) {
    let mut lines = BufReader::new(reads);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut lines).take(LONGEST).read_until(b'\n', &mut line).await;
        if read.is_err() || line.last() != Some(&b'\n') {
            break;
        }
        match serde_json::from_slice(&line) {
            Ok(heard) => shared.take(heard),
            Err(error) => debug!("not understood: {error}"),
        }
    }
    warn!("whoever asks the other builders has ended");
    shared.ends();
    // It ends when it is not listened to any more, if it has not ended by itself.
    drop(lines);
    drop(child.try_wait());
}
