#![doc = include_str!("../README.md")]

mod bundle;
mod chain_key;
mod error;
mod fingerprint;
mod hmac;
mod kdf;
mod key_block;
mod message;
mod message_chain;
mod message_keys;
mod receiver_chain;
mod record;
mod root_key;
mod sender_key;
mod session;
mod skip_limits;
mod varint;
mod x3dh;

pub use crate::bundle::{Bundle, LocalIdentity, Prekeys, SignedPrekey, Trust};
pub use crate::error::{DecryptError, EncryptError, EstablishError, MessageError, RecordError};
pub use crate::fingerprint::{Fingerprint, Party};
pub use crate::key_block::KeyBlockId;
pub use crate::message::{Ciphertext, Kind, PreKeyMessage, SignalMessage};
pub use crate::message_chain::MAX_SKIPPED_IN_CHAIN;
pub use crate::record::{
    Decrypted, MAX_ARCHIVED_SESSIONS, MAX_RECORD_BYTES, MAX_TURNS_TRIED, MAX_UNACKNOWLEDGED_AGE,
    SessionRecord,
};
pub use crate::sender_key::{
    Distribution, MAX_SENDER_KEY_STATES, SenderKey, SenderKeyMessage, SenderKeyRecord,
};
pub use crate::session::MAX_RECEIVER_CHAINS;
pub use crate::skip_limits::{MAX_FORWARD_JUMP, MAX_SKIPPED_IN_RECORD, MAX_STEPS, SkipLimits};
/// In public signatures, in the version that they mean.
pub use rand_core;
