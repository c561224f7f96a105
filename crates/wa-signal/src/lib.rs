//! Signal protocol v3 as WhatsApp speaks it: X3DH, Double Ratchet, sender keys, fingerprints (overview §3; observed).
//!
//! Values and records, no store, no I/O, no clock. A [`SessionRecord`] is everything between us and one device of a
//! peer; it starts from a [`Bundle`] ([`SessionRecord::establish`]) or from a peer's first message
//! ([`SessionRecord::decrypt_prekey`]). A call that fails has changed nothing: new keys are computed beside the old
//! ones and assigned once the message has authenticated. Time and randomness are arguments.
//!
//! Keys of skipped messages lie beside the record, in blocks that are stored as rows of their own
//! ([`SessionRecord::blocks_for`], [`SessionRecord::take_block_changes`]).
//!
//! ```
//! # use rand::rngs::SysRng;
//! # use rand_core::UnwrapErr;
//! use wa_keys::PrivateKey;
//! use wa_signal::{Bundle, LocalIdentity, PreKeyMessage, Prekeys, SessionRecord, SignedPrekey, Trust};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut rng = UnwrapErr(SysRng);
//! let now = 1_800_000_000; // Unix seconds
//! let alice = LocalIdentity { key: PrivateKey::generate(&mut rng), registration_id: 1001 };
//! let bob = LocalIdentity { key: PrivateKey::generate(&mut rng), registration_id: 1002 };
//!
//! // Bob publishes a signed prekey; Alice fetches it and writes.
//! let signed_prekey = PrivateKey::generate(&mut rng);
//! let bundle = Bundle {
//!     registration_id: bob.registration_id,
//!     identity: bob.key.public_key(),
//!     signed_prekey: SignedPrekey::sign(22, &signed_prekey, &bob.key, &mut rng),
//!     one_time_prekey: None,
//! };
//! let mut to_bob = SessionRecord::default();
//! to_bob.establish(&alice.key, &bundle, &Trust::Any, now, &mut rng)?;
//! let sent = to_bob.encrypt(&alice, b"hello", now, &mut rng)?;
//!
//! // Bob's record begins with Alice's first message.
//! let mut to_alice = SessionRecord::default();
//! let message = PreKeyMessage::decode(sent.bytes)?;
//! assert_eq!(message.signed_prekey_id, 22);
//! let prekeys = Prekeys { signed: &signed_prekey, one_time: None };
//! let received = to_alice.decrypt_prekey(&bob.key, prekeys, &message, &Trust::Any)?;
//! assert_eq!(received.plaintext, b"hello");
//! # Ok(())
//! # }
//! ```

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
