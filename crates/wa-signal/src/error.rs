//! What can go wrong with bundles, messages and records, and whose fault it is.

use wa_keys::{BadKey, ZeroSecret};

use crate::KeyBlockId;

/// A bundle from which no session may be made. The fault is the peer's, or the server's that handed it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EstablishError {
    /// The identity is not the one that the policy pins, or it is our own: a server that gives our keys as a peer's wants our own
    /// words back as theirs.
    #[error("identity is not the trusted one")]
    Untrusted,
    /// The identity did not sign the signed prekey.
    #[error("signed prekey is not signed by the identity")]
    Signature,
    /// A key of the bundle has small order.
    #[error(transparent)]
    ZeroSecret(#[from] ZeroSecret),
}

/// A message that cannot be sent with the record as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptError {
    /// There is no session, or one that may only receive for now: fetch a bundle. Nobody's fault.
    #[error("no session with this device")]
    NoSession,
    /// The peer has not answered for [`MAX_UNACKNOWLEDGED_AGE`](crate::MAX_UNACKNOWLEDGED_AGE): fetch a bundle anew.
    #[error("session was never acknowledged and is too old")]
    Stale,
    /// The chain has sent 2^32 - 1 messages without an answer. Fetch a bundle anew.
    #[error("sending chain is used up")]
    Exhausted,
}

/// Bytes that are not a message of this protocol. The fault is the sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Shorter than version, one field and MAC.
    #[error("message of {0} bytes is too short")]
    TooShort(usize),
    /// Another protocol version than 3; the number is the one of the message.
    #[error("unsupported protocol version {0}")]
    Version(u8),
    /// The message is post-quantum (Kyber): a later protocol, which is not spoken here.
    #[error("post-quantum session messages are not supported")]
    Kyber,
    /// Not valid protobuf.
    #[error("message is not valid protobuf")]
    Decode,
    /// A required field is absent.
    #[error("message lacks {0}")]
    Missing(&'static str),
    /// A field is no public key.
    #[error("{0} is no public key: {1}")]
    Key(&'static str, BadKey),
    /// A field has the wrong length.
    #[error("{0} has {1} bytes")]
    Length(&'static str, usize),
    /// The base key is not a canonical point of prime order, so it cannot name a session.
    #[error("base key is not canonical")]
    BaseKey,
}

/// A message that was not decrypted. The record is as before, byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptError {
    /// The sender's identity is not the one that the policy pins, or it is our own; nothing was computed.
    #[error("identity is not the trusted one")]
    Untrusted,
    /// There is no session with this device.
    #[error("no session with this device")]
    NoSession,
    /// No session of the record authenticates the message: it was changed, or is for a session that is gone.
    #[error("message does not authenticate")]
    Invalid,
    /// The message was decrypted before (or its key was dropped as too old).
    #[error("message {counter} was decrypted before")]
    Duplicate {
        /// Its number in its chain.
        counter: u32,
    },
    /// The message is further ahead of the chain than [`SkipLimits::forward_jump`](crate::SkipLimits::forward_jump).
    #[error("message is {jump} messages ahead")]
    TooFarAhead {
        /// The number of messages between it and the last one.
        jump: u32,
    },
    /// The message needs a one-time prekey that the caller did not give: used already, or never ours.
    #[error("one-time prekey {0} is gone")]
    NoOneTimePrekey(u32),
    /// The sessions that were tried for the message have used up [`SkipLimits::steps`](crate::SkipLimits::steps).
    #[error("message costs too many steps")]
    TooManySteps,
    /// The message needs keys that the caller has not loaded: see
    /// [`SessionRecord::blocks_for`](crate::SessionRecord::blocks_for).
    #[error("the keys in block {0} are to be loaded first")]
    KeysNotLoaded(KeyBlockId),
    /// The message needs keys that the record names and the store does not have. The fault is the store's; other messages
    /// are not touched by it.
    #[error("the store has lost the keys in block {0}")]
    KeysLost(KeyBlockId),
    /// A key of the message has small order.
    #[error(transparent)]
    ZeroSecret(#[from] ZeroSecret),
}

/// Bytes that are not a session record. The fault is the store's: corrupt is never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// More bytes than any record has.
    #[error("record of {0} bytes is too long")]
    TooLong(usize),
    /// Cut or changed since it was written.
    #[error("record does not match its checksum")]
    Checksum,
    /// Not valid protobuf.
    #[error("record is not valid protobuf")]
    Decode,
    /// Written by a newer program.
    #[error("record version {0} is unknown")]
    Version(u32),
    /// A session of another protocol than version 3 (X3DH): begun by a newer program.
    #[error("session speaks protocol version {0}, which is unknown")]
    Protocol(u32),
    /// A field is absent, has the wrong length or breaks a limit.
    #[error("record has a bad {0}")]
    Field(&'static str),
}
