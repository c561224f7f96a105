//! The signed prekey as enlistment carries it (overview §1.2.2 `e_skey_id`, `e_skey_val`, `e_key_sig`).

use wa_keys::{PublicKey, Signature};

use crate::EnlistError;

/// A signed prekey's public parts: a 24-bit identifier, the key, and the identity key's signature.
///
/// The signature is over `0x05` and the key's 32 bytes (observed; the documents only say "over the signed
/// prekey").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnlistedPrekey {
    id: [u8; 3],
    key: PublicKey,
    signature: Signature,
}

impl EnlistedPrekey {
    /// The signed prekey with this identifier, below 2^24.
    ///
    /// # Errors
    /// [`EnlistError::PrekeyId`] for a larger one.
    pub fn new(id: u32, key: PublicKey, signature: Signature) -> Result<Self, EnlistError> {
        match id.to_be_bytes() {
            [0, high, middle, low] => Ok(Self { id: [high, middle, low], key, signature }),
            _ => Err(EnlistError::PrekeyId { id }),
        }
    }

    /// The identifier, three bytes big-endian (byte order assumed as in the binary protocol).
    pub(crate) const fn id(&self) -> &[u8; 3] {
        &self.id
    }

    pub(crate) const fn key(&self) -> &PublicKey {
        &self.key
    }

    pub(crate) const fn signature(&self) -> &Signature {
        &self.signature
    }
}
