//! What can be wrong with a key or a signature.

/// A shared secret that is all zeros: the peer sent a point of small order.
///
/// The fault is the peer's; no honest key gives it (RFC 7748 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key agreement gave an all-zero secret: the peer's public key has small order")]
pub struct ZeroSecret;

/// A signature that does not verify under the given public key.
///
/// The fault is the signer's, or the message was changed; which of the two cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signature does not verify")]
pub struct BadSignature;

/// Bytes that are not a serialized key or signature. The fault is the sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadKey {
    /// The value has another length than its kind.
    #[error("expected {expected} bytes, got {actual}")]
    Length {
        /// Bytes that the kind has.
        expected: usize,
        /// Bytes that were given.
        actual: usize,
    },
    /// The type byte before a public key is not [`KEY_TYPE`](crate::KEY_TYPE).
    #[error("unknown key type {0:#04x}")]
    Type(u8),
}
