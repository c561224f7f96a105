//! The line to the server: down, being dialled, logging in, or up. Each state owns what it needs and nothing else.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::oneshot;
use wa_chat::DisconnectReason;

use crate::client::{ClientError, Connection};
use crate::pending::Pending;

/// Bytes that a client without work keeps ready for its stream, and one with much.
const IDLE_BUFFER: usize = 512;
const BUSY_BUFFER: usize = 16 * 1024;

/// Completes a call of `connect`.
pub(crate) type Login = oneshot::Sender<Result<Connection, ClientError>>;

/// The line to the server.
pub(crate) enum Line<S> {
    /// There is none.
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
}

impl<S: AsyncRead + AsyncWrite> Line<S> {
    pub(crate) fn is_down(&self) -> bool {
        matches!(self, Self::Down)
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
                // The caller may have gone; the login stands all the same.
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
            Self::Dialing { stream, .. } => {
                let stream = stream.0.as_mut().await;
                let Self::Dialing { token, login, .. } = std::mem::replace(self, Self::Down) else {
                    return Happened::Lost;
                };
                Happened::Dialed { stream, token, login }
            }
            Self::LoggingIn { wire, .. } | Self::Up { wire, .. } => wire.next(reads).await,
        }
    }
}

impl<S: AsyncRead + AsyncWrite> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self { reader, writer, received: BytesMut::new(), sending: Bytes::new() }
    }

    /// Whether nothing is on its way out.
    pub(crate) fn is_idle(&self) -> bool {
        self.sending.is_empty()
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

    async fn next(&mut self, reads: bool) -> Happened<S> {
        let Self { reader, writer, received, sending } = self;
        let read = async {
            let room = if received.capacity() > IDLE_BUFFER { BUSY_BUFFER } else { IDLE_BUFFER };
            received.reserve(room);
            reader.read_buf(received).await
        };
        let done: io::Result<(usize, bool)> = tokio::select! {
            read = read, if reads => read.map(|length| (length, true)),
            sent = writer.write(sending), if !sending.is_empty() => sent.map(|length| (length, false)),
            else => std::future::pending().await,
        };
        match done {
            Ok((0, _)) | Err(_) => Happened::Lost,
            Ok((_, true)) => Happened::Received,
            Ok((length, false)) => {
                sending.advance(length);
                if sending.is_empty() {
                    // What was sent is let go: an idle line holds nothing.
                    *sending = Bytes::new();
                }
                Happened::Sent
            }
        }
    }
}
