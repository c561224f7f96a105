//! Why an HTTP exchange has no response, and whose fault that is.

use std::io;

use thiserror::Error;

/// An exchange that ended without a whole response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The URI has no scheme and host, or a scheme other than `http` and `https`.
    #[error("the uri is not an absolute http or https uri")]
    Uri,
    /// The URI is plain `http` and the client was not told to speak it.
    #[error("plain http is not allowed")]
    PlainHttp,
    /// The host is, or was resolved to, an address that the client was told not to connect to.
    #[error("the host has no address that is allowed")]
    Address,
    /// A trust anchor is not a certificate in DER.
    #[error("trust anchor {index} is not a certificate")]
    Root {
        /// Its place among those given, from 0.
        index: usize,
    },
    /// The host's name could not be resolved.
    #[error("could not resolve the host's name: {reason}")]
    Resolve {
        /// What the system's resolver said.
        reason: Unresolved,
    },
    /// No connection could be made.
    #[error("could not connect: {kind}")]
    Connect {
        /// What the operating system said.
        kind: io::ErrorKind,
    },
    /// Connecting took longer than [`HttpLimits::connect`](crate::HttpLimits::connect).
    #[error("connecting took too long")]
    ConnectTimeout,
    /// The exchange took longer than [`HttpLimits::total`](crate::HttpLimits::total).
    #[error("the exchange took too long")]
    Timeout,
    /// The connection ended, or an HTTP/2 stream was reset, before the response was whole.
    #[error("the connection ended before the response did")]
    Interrupted,
    /// The request's body could not be read to its end.
    #[error("the request's body cannot be read")]
    Body,
    /// The peer's certificate was refused.
    #[error("the peer's certificate was refused")]
    Certificate,
    /// The TLS handshake failed for another reason.
    #[error("the tls handshake failed")]
    Tls,
    /// The peer's answer is not HTTP, or its head is too large.
    #[error("the response is malformed")]
    Malformed,
    /// The response's body is longer than allowed.
    #[error("the response's body is longer than {limit} bytes")]
    BodyTooLarge {
        /// The [`HttpLimits::body_bytes`](crate::HttpLimits::body_bytes) that it passed.
        limit: usize,
    },
}

/// Why a host's name could not be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Unresolved {
    /// There is no such name.
    #[error("no such host")]
    NoSuchHost,
    /// The name servers cannot be asked, or do not say.
    #[error("no name server answers")]
    NoAnswer,
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The calling code's, or its configuration's.
    Caller,
    /// Nobody's: the network, the operating system, time.
    World,
    /// The other end's.
    Peer,
}

impl HttpError {
    /// Whose fault this is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Uri | Self::PlainHttp | Self::Address | Self::Root { .. } | Self::Body => Fault::Caller,
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::ConnectTimeout
            | Self::Timeout
            | Self::Interrupted => Fault::World,
            Self::Certificate | Self::Tls | Self::Malformed | Self::BodyTooLarge { .. } => Fault::Peer,
        }
    }

    /// Whether the request certainly never reached the peer for want of a connection, so that sending it
    /// again is safe whatever it does.
    #[must_use]
    pub const fn is_connect(&self) -> bool {
        matches!(self, Self::Resolve { .. } | Self::Connect { .. } | Self::ConnectTimeout)
    }
}
