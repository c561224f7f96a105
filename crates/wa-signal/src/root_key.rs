//! The root key: one step each time the conversation turns (observed).

use std::fmt;

use wa_keys::{PrivateKey, PublicKey, ZeroSecret};
use zeroize::Zeroizing;

use crate::chain_key::ChainKey;
use crate::hmac::Hmac;
use crate::kdf::{Purpose, derive};

/// The secret that every new ratchet key is mixed into.
#[derive(Clone)]
pub(crate) struct RootKey(Box<Zeroizing<[u8; 32]>>);

impl RootKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Box::new(Zeroizing::new(*key)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The next root and a fresh chain.
    pub(crate) fn advance(
        &self,
        ours: &PrivateKey,
        theirs: &PublicKey,
    ) -> Result<(Self, ChainKey), ZeroSecret> {
        let shared = ours.agree(theirs)?;
        // KDF_RK: the old root is HKDF's salt and the agreement its input, so that knowing one of the two tells
        // nothing of what follows (Double Ratchet §5.2).
        Ok(Self::split(&derive(&mut Hmac::unkeyed(), Some(&self.0), shared.as_bytes(), &RATCHET)))
    }

    /// Root and chain from two derived keys.
    pub(crate) fn split([root, chain]: &[[u8; 32]; 2]) -> (Self, ChainKey) {
        (Self::new(root), ChainKey::new(chain, 0))
    }
}

const RATCHET: Purpose = Purpose::new(b"WhisperRatchet");

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(..)")
    }
}
