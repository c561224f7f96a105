//! What a device publishes, so that others may write to it while it is away (overview §1.2.2, §3).

use rand_core::CryptoRng;
use wa_keys::{PrivateKey, PublicKey, Signature};

use crate::EstablishError;

/// Who we are: the long-term key and the number of this installation.
#[derive(Clone, Debug)]
pub struct LocalIdentity {
    /// The identity key (overview §1.2.2: `e_ident` is its public half).
    pub key: PrivateKey,
    /// The registration id (overview §1.2.2: `e_regid`); any 32-bit value is valid.
    pub registration_id: u32,
}

/// The keys of a device, as the server hands them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The installation's number.
    pub registration_id: u32,
    /// The identity key.
    pub identity: PublicKey,
    /// The medium-term key, signed by the identity.
    pub signed_prekey: SignedPrekey,
    /// A key for this session alone, and its id. Absent when the server has none left.
    pub one_time_prekey: Option<(u32, PublicKey)>,
}

/// A signed prekey's public half (overview §1.2.2: `e_skey_id`, `e_skey_val`, `e_key_sig`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPrekey {
    /// Its id, 24 bits on the wire.
    pub id: u32,
    /// The public half of the prekey.
    pub key: PublicKey,
    /// The identity's signature over the key with its type byte, 33 bytes.
    pub signature: Signature,
}

impl SignedPrekey {
    /// Signs `key` with the identity.
    pub fn sign(id: u32, key: &PrivateKey, identity: &PrivateKey, rng: &mut impl CryptoRng) -> Self {
        let key = key.public_key();
        Self { id, key, signature: identity.sign(&key.to_prefixed(), rng) }
    }

    pub(crate) fn verify(&self, identity: &PublicKey) -> Result<(), EstablishError> {
        identity.verify(&self.key.to_prefixed(), &self.signature).map_err(|_| EstablishError::Signature)
    }
}

/// Our prekeys that a peer's first message names, loaded by the caller.
#[derive(Clone, Copy, Debug)]
pub struct Prekeys<'a> {
    /// The signed prekey named by [`PreKeyMessage::signed_prekey_id`](crate::PreKeyMessage::signed_prekey_id).
    pub signed: &'a PrivateKey,
    /// The one-time prekey, if the message names one and it is still there.
    pub one_time: Option<&'a PrivateKey>,
}

/// The identities that are accepted; asked before anything is computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Any: the caller learns of a change from the result and shows it (WhatsApp's way).
    Any,
    /// This one only.
    Only(PublicKey),
    /// Any for what is read. But of the sessions that are there only one with this identity, the newest that is known, is
    /// sent with from then on: what an older identity still has under way does not take the conversation back.
    Newest(PublicKey),
}

impl Trust {
    pub(crate) fn accepts(&self, identity: &PublicKey) -> bool {
        match self {
            Self::Any | Self::Newest(_) => true,
            Self::Only(trusted) => trusted == identity,
        }
    }

    /// Whether an archived session with this identity may become the current one.
    pub(crate) fn promotes(&self, identity: &PublicKey) -> bool {
        match self {
            Self::Any => true,
            Self::Only(newest) | Self::Newest(newest) => newest == identity,
        }
    }
}
