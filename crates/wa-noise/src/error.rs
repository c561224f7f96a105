//! What can go wrong between two ends of a chat channel, and whose fault it is.

use wa_keys::ZeroSecret;

/// A frame or the bytes before the first frame are not as agreed. The fault is the peer's; close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame announces more bytes than the cap of the decoder.
    #[error("frame of {length} bytes is over the cap of {cap}")]
    TooLong {
        /// The length that the frame announces, in bytes.
        length: usize,
        /// Cap of the decoder, in bytes.
        cap: usize,
    },
    /// The server says `GOA` where a frame's length belongs: it takes no more connections here. Nobody's fault; connect
    /// again, to another of its addresses.
    #[error("server asks to connect elsewhere")]
    GoAway,
    /// The connection does not begin with the agreed prologue.
    #[error("connection begins with another prologue")]
    Prologue,
    /// The caller's own message does not fit a frame (2^24 - 1 bytes). The fault is the caller's.
    #[error("message of {0} bytes does not fit a frame")]
    Unframeable(usize),
}

/// A handshake that must not continue. Close the connection; nothing of it can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The peer's message is not a handshake message in protobuf. Peer's fault.
    #[error("handshake message is not valid protobuf")]
    Decode,
    /// The peer's message lacks a field. Peer's fault.
    #[error("handshake message lacks {0}")]
    Missing(&'static str),
    /// A field has an impossible length. Peer's fault.
    #[error("{field} has {actual} bytes")]
    Length {
        /// Name of the field.
        field: &'static str,
        /// Bytes that came.
        actual: usize,
    },
    /// A part of the peer's message does not authenticate: wrong keys, prologue or dialect, or tampering.
    #[error("handshake message does not authenticate")]
    Decrypt,
    /// The peer sent a key of small order. Peer's fault.
    #[error(transparent)]
    ZeroSecret(#[from] ZeroSecret),
    /// The server's certificates do not prove its key. Peer's fault (or the wrong root was configured).
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The caller's own payload is longer than a handshake message may be.
    #[error("payload of {0} bytes does not fit a handshake message")]
    PayloadTooLong(usize),
    /// snow refused a step that the types should have made impossible: a bug here.
    #[error("handshake out of step")]
    OutOfStep,
}

/// One of the two certificates of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Signed by the intermediate; names the server's static key.
    Leaf,
    /// Signed by the pinned root.
    Intermediate,
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Leaf => "leaf",
            Self::Intermediate => "intermediate",
        })
    }
}

/// Why a certificate chain does not prove the server's static key (observed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The chain or a certificate is not valid protobuf.
    #[error("certificate chain is not valid protobuf")]
    Decode,
    /// A certificate or a part of it is absent.
    #[error("{0} certificate lacks {1}")]
    Missing(Link, &'static str),
    /// A key or signature has the wrong length.
    #[error("{0} certificate has a {1} of {2} bytes")]
    Length(Link, &'static str, usize),
    /// The certificate names another issuer than the one above it.
    #[error("{0} certificate names another issuer")]
    Issuer(Link),
    /// The signature of the one above does not verify.
    #[error("signature of the {0} certificate does not verify")]
    Signature(Link),
    /// The leaf certifies another key than the server's static key.
    #[error("leaf certificate is for another key")]
    Key,
    /// Not valid yet at the given time.
    #[error("{0} certificate is not valid yet")]
    NotYetValid(Link),
    /// No longer valid at the given time.
    #[error("{0} certificate has expired")]
    Expired(Link),
}

/// A transport that must not be used any more. Close the connection and make a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The message does not authenticate: tampering, a lost or repeated frame. The keys were wiped.
    #[error("transport message does not authenticate")]
    Open,
    /// An earlier error closed this direction.
    #[error("transport is closed")]
    Closed,
    /// The direction's message counter reached its limit: reconnect. Nobody's fault.
    #[error("transport's message counter is used up")]
    Exhausted,
}
