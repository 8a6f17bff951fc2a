//! A connection: bytes come and go as usual, but where an answer has the bytes of a file, the kernel sends them from
//! its pages. And a client that takes nothing for too long is let go.

use std::future::Future;
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use nix::errno::Errno;
use nix::libc::{self, off64_t};
use nix::sys::sendfile::sendfile64;
use nix::sys::socket::{MsgFlags, recv, sendmsg};
use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::body::{Outgoing, stands_for_file};
use super::meter::Meter;

/// A client.
pub(super) struct Stream {
    socket: TcpStream,
    outgoing: Outgoing,
    stall: Duration,
    meter: Arc<Meter>,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    /// What is written to it, it may leave lying for `stall`. `meter` is told what it takes.
    pub(super) fn new(socket: TcpStream, outgoing: Outgoing, stall: Duration, meter: Arc<Meter>) -> Self {
        Self { socket, outgoing, stall, meter, stalled: None }
    }

    /// Writes as much as goes: of the file whose turn it is, or of all buffers before the next file with a single call.
    fn write_some(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let first = buffers.iter().position(|buffer| !buffer.is_empty());
        let Some(buffers) = first.map(|first| &buffers[first..]) else { return Ok(0) };
        let file = buffers.iter().position(|buffer| stands_for_file(buffer));
        if file == Some(0) {
            return self.send_file(buffers[0].len());
        }
        // The head of an answer goes into the same packet as what follows.
        let more = MsgFlags::from_bits_retain(if file.is_some() { libc::MSG_MORE } else { 0 });
        let flags = more | MsgFlags::MSG_NOSIGNAL;
        let texts = &buffers[..file.unwrap_or(buffers.len())];
        Ok(sendmsg::<()>(self.socket.as_raw_fd(), texts, &[], flags, None)?)
    }

    /// At most so many bytes of the file whose turn it is.
    fn send_file(&self, most: usize) -> io::Result<usize> {
        let mut outgoing = self.outgoing.lock();
        let slice = outgoing.front_mut().ok_or(io::ErrorKind::UnexpectedEof)?;
        let count = usize::try_from(slice.length).unwrap_or(usize::MAX).min(most);
        let mut from = off64_t::try_from(slice.from).map_err(io::Error::other)?;
        let sent = sendfile64(&self.socket, &slice.of.file, Some(&mut from), count)?;
        if sent == 0 {
            // It is shorter than it was: the answer cannot be finished, and must not look as if it were.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let done = u64::try_from(sent).unwrap_or(u64::MAX);
        slice.from += done;
        slice.length = slice.length.saturating_sub(done);
        if slice.length == 0 {
            outgoing.pop_front();
        }
        Ok(sent)
    }

    /// Notes that the client has nothing to say. What it has said already the runtime may not have seen.
    fn listens(&self) {
        if self.meter.is_new() {
            let peeked = recv(self.socket.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
            if peeked == Err(Errno::EAGAIN) {
                self.meter.waits(Instant::now().into_std());
            }
        }
    }

    /// How long a client has taken nothing.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.meter.waits(Instant::now().into_std());
        let stall = self.stall;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(stall)));
        ready!(stalled.as_mut().poll(cx));
        stalled.as_mut().reset(Instant::now() + stall);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // One call for each few kilobytes of requests: a copy of them is nothing.
        let mut room = [0; 4096];
        let most = buffer.remaining().min(room.len());
        let mut read = tokio::io::ReadBuf::new(&mut room[..most]);
        let Poll::Ready(done) = tokio::io::AsyncRead::poll_read(Pin::new(&mut self.socket), cx, &mut read)
        else {
            self.listens();
            return Poll::Pending;
        };
        done?;
        buffer.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            if this.socket.poll_write_ready(cx)?.is_pending() {
                return this.wait(cx);
            }
            match this.socket.try_io(Interest::WRITABLE, || this.write_some(buffers)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => {
                    this.stalled = None;
                    if let Ok(count) = written {
                        this.meter.took(count, Instant::now().into_std());
                    }
                    return Poll::Ready(written);
                }
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is kept here, nor by whoever calls this.
        self.meter.has_sent();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
