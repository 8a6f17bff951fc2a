//! What answers consist of: a text, a part of a file that the kernel sends by itself, or what happens as it comes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use super::tree::Opened;

/// Stands for the bytes of a file wherever only their number matters. Zero pages that nobody ever touches: what sends
/// them ([`super::stream`]) recognises them by where they are and has the kernel send the file in their place.
static STAND_IN: LazyLock<Vec<u8>> = LazyLock::new(|| vec![0; 1 << 20]);

/// How many of these bytes, from their beginning, stand for bytes of a file.
pub(super) fn stands_for_file(bytes: &[u8]) -> bool {
    STAND_IN.as_ptr_range().contains(&bytes.as_ptr())
}

/// A part of a file.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) of: Arc<Opened>,
    /// The next byte.
    pub(super) from: u64,
    /// How many are left.
    pub(super) length: u64,
}

/// The parts of files that a connection is to send, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Outgoing(Arc<Mutex<VecDeque<Slice>>>);

impl Outgoing {
    pub(super) fn lock(&self) -> MutexGuard<'_, VecDeque<Slice>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// A short one.
    Text(Bytes),
    /// A part of a file, and who sends it.
    File(Slice, Outgoing),
    /// The rest of one that is being sent: so many bytes.
    Sending(u64),
    /// What somebody else makes, as it comes.
    Live(mpsc::Receiver<Bytes>),
    /// Events without an end, made by whoever sends them.
    Follow(Following),
}

/// The next event, and what comes after it; nothing when that was all.
pub(super) struct Following(pub(super) Next);

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Following)>> + Send>>;

impl fmt::Debug for Following {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Following")
    }
}

impl Following {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let next = ready!(self.0.as_mut().poll(cx));
        Poll::Ready(next.map(|(event, rest)| {
            *self = rest;
            event
        }))
    }
}

impl Answer {
    /// Bytes to come; nothing when nobody knows.
    fn left(&self) -> Option<u64> {
        match self {
            Self::Text(text) => Some(u64::try_from(text.len()).unwrap_or(u64::MAX)),
            Self::File(Slice { length, .. }, _) | Self::Sending(length) => Some(*length),
            Self::Live(_) | Self::Follow(_) => None,
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let event = match this {
            Self::Live(events) => Some(ready!(events.poll_recv(cx))),
            Self::Follow(events) => Some(ready!(events.poll_next(cx))),
            _ => None,
        };
        if let Some(event) = event {
            return Poll::Ready(event.map(|bytes| Ok(Frame::data(bytes))));
        }
        let left = this.left().unwrap_or_default();
        if left == 0 {
            return Poll::Ready(None);
        }
        let bytes = match std::mem::replace(this, Self::Sending(0)) {
            Self::Text(text) => text,
            begun => {
                // Only now: the body of an answer to HEAD is never asked for its bytes.
                if let Self::File(slice, outgoing) = begun {
                    outgoing.lock().push_back(slice);
                }
                let size = usize::try_from(left).unwrap_or(usize::MAX).min(STAND_IN.len());
                *this = Self::Sending(left - u64::try_from(size).unwrap_or(left));
                Bytes::from_static(&STAND_IN[..size])
            }
        };
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
