//! What is wrong with pushes, their tokens and their delivery.

use thiserror::Error;

use crate::{PrivateFileError, UserIdentifierError};

/// Which check a token failed; the peer's fault. A bounded set, for logs and counters only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum TokenRefusal {
    /// It, or one of its parts, is too long.
    #[error("the token is too long")]
    TooLong,
    /// It has not three parts.
    #[error("the token has not three parts")]
    Form,
    /// A part is not strict base64url without padding.
    #[error("a part of the token is not strict base64url")]
    Base64,
    /// Its header is no JSON object with each name once.
    #[error("the token's header is malformed")]
    Header,
    /// Its algorithm is another than RS256.
    #[error("the token's algorithm is not taken")]
    Algorithm,
    /// Its header has a member that would have to be understood.
    #[error("the token's header has a critical member")]
    Critical,
    /// It names no key, or not by a short text.
    #[error("the token names no key")]
    KeyName,
    /// Its type is another.
    #[error("the token has another type")]
    Type,
    /// The issuer has no such key.
    #[error("the token names an unknown key")]
    UnknownKey,
    /// Its signature is not that key's.
    #[error("the token's signature is wrong")]
    Signature,
    /// Its payload is no JSON object with each name once.
    #[error("the token's claims are malformed")]
    Claims,
    /// Its issuer is another, or missing.
    #[error("the token's issuer is another")]
    Issuer,
    /// Its audience is another, or missing.
    #[error("the token is for somebody else")]
    Audience,
    /// A date is missing or no date.
    #[error("a date of the token is missing or malformed")]
    Date,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It lives too long, or ends before it begins.
    #[error("the token lives too long")]
    Lifetime,
}

/// What is wrong with the body of a push; the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SinkError {
    /// It cannot be reached.
    #[error("the sink cannot be reached")]
    Unreachable,
    /// It answered with another status than 2xx.
    #[error("the sink answered {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// Nobody receives any more.
    #[error("the sink is closed")]
    Closed,
    /// Its credentials cannot be read; the configuration's fault.
    #[error("the sink's credentials cannot be used")]
    Credentials,
    /// Its address is no URL that may be used.
    #[error("the sink's url is not https, and not http on a loopback host")]
    Url,
    /// It is no server of NATS that may be used, or no subject.
    #[error("the server of nats is not tls, and not nats on a loopback host, or its subject cannot be")]
    Nats,
}

/// What a store refuses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else changed the same at the same time: read again.
    #[error("the store was changed by somebody else")]
    Conflict,
    /// Another process holds the database for too long.
    #[error("the store is busy")]
    Busy,
    /// The disk is full.
    #[error("the store is full")]
    Full,
    /// The database cannot be read or written now.
    #[error("the store is unavailable")]
    Unavailable,
    /// The database is no database of ours; it is left as it is.
    #[error("the store is corrupt; restore it, or move it away to start anew")]
    Corrupt,
    /// A newer program has written it.
    #[error("the store has version {found}, which this program does not know")]
    Version {
        /// Its version.
        found: i64,
    },
    /// The database does not take this user; the configuration's fault.
    #[error("the database refuses this user, its password or its rights")]
    Refused,
    /// The database holds texts in another encoding; the configuration's fault.
    #[error("the database's encoding is not utf-8")]
    Encoding,
    /// It is no address of a database; the configuration's fault.
    #[error("that is no address of a database, such as postgresql://user@host/database")]
    Address,
    /// It is no object store that may be used; the configuration's fault.
    #[error("the object store's url is not https, and not http on a loopback host, or its bucket cannot be")]
    Endpoint,
    /// Something is there already where only nothing may be.
    #[error("there is something in the database already")]
    NotEmpty,
    /// A copy holds something else than what was copied.
    #[error("the copy is not equal to what was copied")]
    Unequal,
    /// Its file cannot be used.
    #[error(transparent)]
    File(#[from] PrivateFileError),
}

impl StoreError {
    /// Whether the same may succeed a little later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Conflict | Self::Busy | Self::Full | Self::Unavailable)
    }
}
