//! A connection's stream as hyper gets it: watched in both directions, and cut off before what must not be read.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::watch::{Replaced, Watch};

/// A stream and the eye on it.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    watch: Watch,
    /// Nothing more is read; this is left to be given in place of it.
    cut: Option<&'static [u8]>,
}

impl<S> Wire<S> {
    pub(super) const fn new(stream: S, watch: Watch) -> Self {
        Self { stream, watch, cut: None }
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
        if read.is_pending() {
            this.watch.reading_waits();
            return Poll::Pending;
        }
        let fresh = buffer.filled().get(before..).unwrap_or_default();
        if let Err(Replaced { keep, by }) = this.watch.received(fresh) {
            buffer.set_filled(before + keep);
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
            Poll::Ready(Ok(count)) => self.watch.sent(bytes.get(..*count).into_iter()),
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
            Poll::Ready(Ok(count)) => {
                let mut left = *count;
                self.watch.sent(pieces.iter().filter_map(|piece| {
                    let taken = left.min(piece.len());
                    left -= taken;
                    piece.get(..taken).filter(|taken| !taken.is_empty())
                }));
            }
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
            Poll::Ready(_) => self.watch.flushed(),
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
