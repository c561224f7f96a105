//! The line to the server: down, being dialled, logging in, or up. Each state owns what it needs and nothing else.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::oneshot;
use wa_chat::DisconnectReason;

use crate::client::Connection;
use crate::error::ClientError;
use crate::pending::Pending;

/// Bytes that a client without work keeps ready for its stream, and one with much.
const IDLE_BUFFER: usize = 512;
const BUSY_BUFFER: usize = 16 * 1024;

/// Bytes that are still read of a stream that cannot be written to any more.
const MAX_LAST_WORDS: usize = 64 * 1024;

/// Completes a call of `connect`.
pub(crate) type Login = oneshot::Sender<Result<Connection, ClientError>>;

/// The line to the server.
pub(crate) enum Line<S> {
    /// There is no connection.
    Down,
    /// A stream is being made, for a login with this token.
    Dialing { stream: Pending<Result<S, ClientError>>, token: String, login: Login },
    /// There is a stream; the login is under way.
    LoggingIn { wire: Wire<S>, login: Login },
    /// The login stands; `ended` hears of its end.
    Up { wire: Wire<S>, ended: oneshot::Sender<DisconnectReason> },
}

/// A stream with its buffers.
pub(crate) struct Wire<S> {
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    received: BytesMut,
    /// Bytes on their way out.
    sending: Bytes,
    /// Bytes were written that the stream may still keep to itself.
    is_unflushed: bool,
    /// Nothing can be written any more. The server may have said why: what it said is read to the end, up to so many bytes.
    broken: Option<usize>,
}

/// What happened on a line.
pub(crate) enum Happened<S> {
    /// The stream is there, or could not be made.
    Dialed { stream: Result<S, ClientError>, token: String, login: Login },
    /// Bytes were received: [`Wire::take_received`].
    Received,
    /// Some bytes left.
    Sent,
    /// The stream has ended.
    Lost,
    /// The caller of `connect` has gone.
    Abandoned,
}

impl<S: AsyncRead + AsyncWrite> Line<S> {
    pub(crate) fn is_down(&self) -> bool {
        matches!(self, Self::Down)
    }

    /// Whether the caller of `connect` has gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Dialing { login, .. } | Self::LoggingIn { login, .. } => login.is_closed(),
            Self::Down | Self::Up { .. } => false,
        }
    }

    /// The stream, if there is one.
    pub(crate) fn wire(&mut self) -> Option<&mut Wire<S>> {
        match self {
            Self::Down | Self::Dialing { .. } => None,
            Self::LoggingIn { wire, .. } | Self::Up { wire, .. } => Some(wire),
        }
    }

    /// The login stands: completes the call that waits for it.
    pub(crate) fn logged_in(&mut self) {
        *self = match std::mem::replace(self, Self::Down) {
            Self::LoggingIn { wire, login } => {
                let (ended, connection) = oneshot::channel();
                // The caller may be gone just now; the login stands all the same.
                let _ = login.send(Ok(Connection(connection)));
                Self::Up { wire, ended }
            }
            other => other,
        };
    }

    /// The line is down from now on; the call that waits for its login or its end hears why.
    pub(crate) fn hang_up(&mut self, reason: &DisconnectReason) {
        match std::mem::replace(self, Self::Down) {
            Self::Down => {}
            Self::Dialing { login, .. } | Self::LoggingIn { login, .. } => {
                let _ = login.send(Err(ClientError::Disconnected(reason.clone())));
            }
            Self::Up { ended, .. } => {
                let _ = ended.send(reason.clone());
            }
        }
    }

    /// Waits until something happens. Cancelling loses nothing. Reads only if `reads`.
    pub(crate) async fn next(&mut self, reads: bool) -> Happened<S> {
        match self {
            Self::Down => std::future::pending().await,
            Self::Dialing { stream, login, .. } => {
                let stream = tokio::select! {
                    stream = stream.0.as_mut() => stream,
                    () = login.closed() => return Happened::Abandoned,
                };
                let Self::Dialing { token, login, .. } = std::mem::replace(self, Self::Down) else {
                    return Happened::Lost;
                };
                Happened::Dialed { stream, token, login }
            }
            Self::LoggingIn { wire, login } => tokio::select! {
                happened = wire.next(reads) => happened,
                () = login.closed() => Happened::Abandoned,
            },
            Self::Up { wire, .. } => wire.next(reads).await,
        }
    }
}

impl<S: AsyncRead + AsyncWrite> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            reader,
            writer,
            received: BytesMut::new(),
            sending: Bytes::new(),
            is_unflushed: false,
            broken: None,
        }
    }

    /// Whether it can take more bytes: nothing is on its way out.
    pub(crate) fn is_idle(&self) -> bool {
        self.sending.is_empty() && !self.is_unflushed && self.broken.is_none()
    }

    pub(crate) fn send(&mut self, bytes: Bytes) {
        self.sending = bytes;
    }

    /// The bytes that were received since the last time.
    pub(crate) fn take_received(&mut self) -> BytesMut {
        let received = std::mem::take(&mut self.received);
        // An idle line keeps little ready; one that carries much gets more room.
        if received.len() >= IDLE_BUFFER {
            self.received = BytesMut::with_capacity(BUSY_BUFFER);
        }
        received
    }

    #[expect(clippy::too_many_lines, reason = "all that can happen on it, side by side")]
    async fn next(&mut self, reads: bool) -> Happened<S> {
        loop {
            let is_broken = self.broken.is_some();
            let Self { reader, writer, received, sending, is_unflushed, .. } = self;
            let read = async {
                let room = if received.capacity() > IDLE_BUFFER { BUSY_BUFFER } else { IDLE_BUFFER };
                received.reserve(room);
                reader.read_buf(received).await
            };
            let write = async {
                if sending.is_empty() {
                    return writer.flush().await.map(|()| None);
                }
                writer.write(sending).await.map(Some)
            };
            let done: io::Result<Done> = tokio::select! {
                read = read, if reads || is_broken => Ok(Done::Read(read)),
                written = write, if !is_broken && (!sending.is_empty() || *is_unflushed) => written.map(Done::Written),
                else => std::future::pending().await,
            };
            match done {
                Ok(Done::Read(Ok(length))) if length > 0 && self.may_read(length) => {
                    return Happened::Received;
                }
                Ok(Done::Read(_)) => return Happened::Lost,
                Ok(Done::Written(written)) => {
                    self.sending.advance(written.unwrap_or(0));
                    if self.sending.is_empty() {
                        // What was sent is let go: an idle line holds nothing.
                        self.sending = Bytes::new();
                    }
                    self.is_unflushed = written.is_some();
                    return Happened::Sent;
                }
                Err(_) => {
                    self.sending = Bytes::new();
                    self.is_unflushed = false;
                    self.broken = Some(MAX_LAST_WORDS);
                }
            }
        }
    }

    /// Whether bytes that were read are taken: of a stream that cannot be written to not without end.
    fn may_read(&mut self, length: usize) -> bool {
        match &mut self.broken {
            None => true,
            Some(left) => {
                *left = left.saturating_sub(length);
                *left > 0
            }
        }
    }
}

/// What happened first.
enum Done {
    Read(io::Result<usize>),
    /// So many bytes, or none of them and the stream was flushed.
    Written(Option<usize>),
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::ReadBuf;

    use super::*;

    /// A stream that shows what was written only once it is flushed, or that cannot be written to.
    #[derive(Default)]
    struct Buffered {
        to_read: Vec<u8>,
        written: usize,
        flushed: usize,
        cannot_write: bool,
    }

    impl AsyncRead for Buffered {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let length = self.to_read.len().min(buf.remaining());
            if length == 0 {
                // A broken stream ends; another one is quiet.
                cx.waker().wake_by_ref();
                return if self.cannot_write { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            buf.put_slice(&self.to_read.drain(..length).collect::<Vec<_>>());
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Buffered {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            if self.cannot_write {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let length = bytes.len().min(10);
            self.written += length;
            Poll::Ready(Ok(length))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushed = self.written;
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_stream_that_buffers_is_flushed() {
        let mut wire = Wire::new(Buffered::default());
        wire.send(Bytes::from_static(&[7; 25]));
        while !wire.is_idle() {
            assert!(matches!(wire.next(false).await, Happened::Sent));
        }
        let stream = wire.reader.unsplit(wire.writer);
        assert_eq!((stream.written, stream.flushed), (25, 25));
    }

    #[tokio::test]
    async fn what_a_server_said_is_read_though_nothing_can_be_written() {
        let words = 700;
        let mut wire =
            Wire::new(Buffered { to_read: vec![7; words], cannot_write: true, ..Buffered::default() });
        wire.send(Bytes::from_static(b"ping"));
        let mut read = 0;
        // Also where no more is wanted: it is short.
        while let Happened::Received = wire.next(false).await {
            read += wire.take_received().len();
            assert!(!wire.is_idle(), "nothing more is given to it");
        }
        assert_eq!(read, words);
    }

    #[tokio::test]
    async fn a_stream_that_cannot_be_written_to_is_not_read_without_end() {
        let endless = vec![7; 10 * MAX_LAST_WORDS];
        let mut wire = Wire::new(Buffered { to_read: endless, cannot_write: true, ..Buffered::default() });
        wire.send(Bytes::from_static(b"ping"));
        let mut read = 0;
        while let Happened::Received = wire.next(false).await {
            read += wire.take_received().len();
        }
        assert!(read <= MAX_LAST_WORDS);
    }
}
