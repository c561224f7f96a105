//! Chain keys: one step a message, forward only (observed).

use std::fmt;

use zeroize::Zeroizing;

use crate::kdf::hmac_byte;

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

    /// The seed of message number [`index`](Self::index).
    pub(crate) fn seed(&self) -> Zeroizing<[u8; 32]> {
        hmac_byte(&self.key, 0x01)
    }

    /// Steps past that message; `None` at the end of the counter.
    pub(crate) fn next(&self) -> Option<Self> {
        Some(Self { index: self.index.checked_add(1)?, key: Box::new(hmac_byte(&self.key, 0x02)) })
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainKey").field("index", &self.index).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_ends_before_its_counter_turns_over() {
        let last = ChainKey::new(&[7; 32], u32::MAX - 1).next().unwrap();
        assert_eq!(last.index(), u32::MAX);
        assert!(last.next().is_none());
    }
}
