//! Why something was not done.

use std::io;

use wa_chat::{CommandError, ConnectError, DisconnectReason, NoAnswer, StateError, StoreError};

use crate::events::Ended;

/// Why an account could not be opened, or enlisted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenOrEnlistError<E> {
    /// The account could not be made or opened.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// There is no login: why, in the words of the call that enlists. The account is made; the next call enlists its
    /// keys.
    #[error("not enlisted: {0}")]
    Enlistment(E),
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The store failed for good. The client is gone; what was durable still is.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The account is not ready to connect.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There is no way to the server.
    #[error("could not connect: {0}")]
    Unreachable(io::ErrorKind),
    /// The connection ended before the login stood.
    #[error(transparent)]
    Disconnected(#[from] DisconnectReason),
    /// What was to be sent cannot be: it is too long. The same again is refused again.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// WhatsApp gave no answer, or refused.
    #[error(transparent)]
    Answer(#[from] NoAnswer),
    /// There is no token, and will not be: see [`NoToken::Never`](crate::NoToken::Never).
    #[error("no token is to be had any more")]
    NoToken,
    /// The client has ended.
    #[error(transparent)]
    Ended(#[from] Ended),
}
