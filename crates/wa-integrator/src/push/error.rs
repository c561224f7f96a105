//! What is wrong with pushes and their delivery.

use thiserror::Error;

use crate::value::UserIdentifierError;

/// What is wrong with the body of a push; the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PushRequestError {
    /// The content type is not JSON.
    #[error("the push is not json")]
    ContentType,
    /// It is longer than 4 KiB.
    #[error("the push is too large")]
    TooLarge,
    /// It is no JSON object with each name once and a text `to`.
    #[error("the push is malformed")]
    Malformed,
    /// It names no possible user.
    #[error(transparent)]
    User(#[from] UserIdentifierError),
}

/// Why a sink did not take a wake-up; the world's fault, or the sink's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SinkError {
    /// It cannot be reached.
    #[error("the sink cannot be reached")]
    Unreachable,
    /// It answered with another status than 2xx.
    #[error("the sink answered {status}")]
    Status {
        /// The status of the answer.
        status: u16,
    },
    /// Nobody receives any more.
    #[error("the sink is closed")]
    Closed,
    /// Its credentials cannot be read; the configuration's fault.
    #[error("the sink's credentials cannot be used")]
    Credentials,
    /// Its address is no URL that may be used.
    #[error("push.webhook is neither https, nor http to a loopback host or one of trust.plain_http")]
    Url,
    /// It is no server of NATS that may be used, or no subject.
    #[error(
        "push.nats is neither tls, nor nats to a loopback host or one of trust.plain_http; or its subject cannot be"
    )]
    Nats,
}
