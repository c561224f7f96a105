//! The root key: one step each time the conversation turns (observed).

use std::fmt;

use wa_keys::{PrivateKey, PublicKey, ZeroSecret};
use zeroize::Zeroizing;

use crate::chain_key::ChainKey;
use crate::kdf::derive;

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
        Ok(Self::split(&derive(&self.0, shared.as_bytes(), b"WhisperRatchet")))
    }

    /// Root and chain from 64 derived bytes.
    pub(crate) fn split(derived: &[u8; 64]) -> (Self, ChainKey) {
        let mut halves = [[0; 32]; 2].map(Zeroizing::new);
        for (half, bytes) in halves.iter_mut().zip(derived.chunks_exact(32)) {
            half.copy_from_slice(bytes);
        }
        let [root, chain] = halves;
        (Self::new(&root), ChainKey::new(&chain, 0))
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(..)")
    }
}
