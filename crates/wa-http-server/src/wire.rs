//! A connection's stream as hyper gets it: stalled writes are seen, and HTTP/2 is cut off before frames that ask for
//! nothing become too many (RFC 9113 §10.5).
//!
//! h2 ends floods of resets, CONTINUATION and empty DATA by itself, but takes any number of PING, SETTINGS, PRIORITY and
//! WINDOW_UPDATE. Only the heads of incoming frames are read here, and counted against a [budget](frame_budget). Nothing
//! else of either version is parsed.

mod frame_budget;
mod frames;
mod pace;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::connection::Watch;

use frame_budget::{FrameBudget, FrameLimits};
use frames::Frames;
pub(crate) use pace::Pace;

/// A stream, the eye on it, and the budget of frames where it speaks HTTP/2.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    watch: Watch,
    counted: Option<Counted>,
    /// Nothing more is read; this is left to be given in place of it.
    cut: Option<&'static [u8]>,
}

/// What the peer sends, and its budget.
#[derive(Debug)]
struct Counted {
    incoming: Frames,
    budget: FrameBudget,
}

/// Too much that asks for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flood {
    /// Where the frame begins that is one too many, among the bytes that came; `None` if it began before them.
    at: Option<usize>,
}

/// Makes h2 end the connection with GOAWAY: a PING without the eight bytes it must have.
const POISON: [u8; 9] = [0, 0, 0, 6, 0, 0, 0, 0, 0];

impl<S> Wire<S> {
    /// A stream that speaks HTTP/1.1.
    pub(crate) const fn http1(stream: S, watch: Watch) -> Self {
        Self { stream, watch, counted: None, cut: None }
    }

    /// A stream that speaks HTTP/2, from its preface on.
    pub(crate) fn http2(stream: S, watch: Watch) -> Self {
        Self { stream, watch, counted: Some(Counted::new(Instant::now())), cut: None }
    }

    fn sent(&mut self, bytes: usize) {
        self.watch.sent(bytes);
        if let Some(counted) = &mut self.counted {
            counted.budget.sent(bytes);
        }
    }
}

impl Counted {
    fn new(now: Instant) -> Self {
        let budget = FrameBudget::new(FrameLimits::default(), now.into_std());
        Self { incoming: Frames::after_preface(), budget }
    }

    /// Reads the heads of frames among these bytes.
    fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<(), Flood> {
        let Self { incoming, budget } = self;
        incoming.read(bytes, |frame, at| budget.received(frame, now.into_std()).map_err(|_| Flood { at }))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(left) = &mut this.cut {
            give(left, buffer);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        let fresh = buffer.filled().get(before..).unwrap_or_default();
        if read.is_pending() || fresh.is_empty() {
            return read;
        }
        this.watch.received();
        if let Some(counted) = &mut this.counted
            && let Err(Flood { at }) = counted.receive(fresh, Instant::now())
        {
            let by: &[u8] = if at.is_some() { &POISON } else { b"" };
            buffer.set_filled(before + at.unwrap_or(0));
            give(this.cut.insert(by), buffer);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        match &written {
            Poll::Ready(Ok(count)) => self.sent(*count),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.watch.writing_waits(),
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        match &written {
            Poll::Ready(Ok(count)) => self.sent(*count),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.watch.writing_waits(),
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        match &flushed {
            Poll::Ready(_) => self.watch.sent(0),
            Poll::Pending => self.watch.writing_waits(),
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// As much as there is room for.
fn give(left: &mut &'static [u8], buffer: &mut ReadBuf<'_>) {
    let (now, later) = left.split_at(left.len().min(buffer.remaining()));
    buffer.put_slice(now);
    *left = later;
}

#[cfg(test)]
mod tests;
