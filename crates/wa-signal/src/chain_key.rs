//! Chain keys: one step a message, forward only (observed).

use std::fmt;

use zeroize::Zeroizing;

use crate::hmac::{Hmac, padded};

/// The key from which the next message's seed and the next chain key come.
#[derive(Clone)]
pub(crate) struct ChainKey {
    key: Box<Zeroizing<[u8; 32]>>,
    index: u32,
}

impl ChainKey {
    pub(crate) fn new(key: &[u8; 32], index: u32) -> Self {
        Self { key: Box::new(Zeroizing::new(*key)), index }
    }

    /// The number of the next message in this chain.
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.key
    }

    /// The seed of message number [`index`](Self::index), which the chain steps past; `None`, and no step, at the end
    /// of the counter.
    pub(crate) fn advance(&mut self, hmac: &mut Hmac) -> Option<Zeroizing<[u8; 32]>> {
        let next = self.index.checked_add(1)?;
        let mut seed = Zeroizing::new([0; 32]);
        // KDF_CK: HMAC under the chain key of two constants that differ. The next key is made last, over the present one,
        // which is gone then: a state that is stolen later opens nothing that was sent before (Double Ratchet §5.2).
        hmac.set_key(&self.key);
        hmac.codes([&SEED, &NEXT], [&mut seed, &mut self.key]);
        self.index = next;
        Some(seed)
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainKey").field("index", &self.index).finish_non_exhaustive()
    }
}

/// The messages whose codes are a seed and the next key.
const SEED: [u8; 64] = padded(&[0x01]);
const NEXT: [u8; 64] = padded(&[0x02]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_ends_before_its_counter_turns_over() {
        let mut chain = ChainKey::new(&[7; 32], u32::MAX - 1);
        let mut hmac = Hmac::new(&[0; 32]);
        assert!(chain.advance(&mut hmac).is_some());
        assert_eq!(chain.index(), u32::MAX);
        let last = *chain.as_bytes();
        assert!(chain.advance(&mut hmac).is_none());
        assert_eq!((chain.index(), *chain.as_bytes()), (u32::MAX, last));
    }
}
