//! A sender key's chain of messages, and the keys of those that were skipped in it, kept in the same record (observed).

use std::collections::VecDeque;

use zeroize::Zeroizing;

use crate::DecryptError;
use crate::chain_key::ChainKey;
use crate::hmac::Hmac;
use crate::skip_limits::MAX_FORWARD_JUMP;

/// Keys of skipped messages that one sender key's chain keeps; the oldest are dropped, because a sender decides how many
/// there are (Double Ratchet §6.4; the number observed).
pub const MAX_SKIPPED_IN_CHAIN: usize = 2_000;

/// Where a chain stands, and what was skipped on the way.
#[derive(Clone, Debug)]
pub(crate) struct MessageChain {
    pub(crate) chain: ChainKey,
    pub(crate) skipped: SkippedKeys,
}

/// How a message's seed was found; applied to the chain once the message has authenticated.
pub(crate) enum Step {
    /// Message `index` was skipped earlier.
    Skipped(u32),
    /// The chain moves past the message, skipping those between.
    Ahead { chain: ChainKey, skipped: Vec<SkippedKey> },
}

impl MessageChain {
    pub(crate) fn new(chain: ChainKey) -> Self {
        Self { chain, skipped: SkippedKeys::default() }
    }

    /// The seed of message `counter`, and the step that it costs. Changes nothing.
    pub(crate) fn find(
        &self,
        counter: u32,
        hmac: &mut Hmac,
    ) -> Result<(Zeroizing<[u8; 32]>, Step), DecryptError> {
        let Some(jump) = counter.checked_sub(self.chain.index()) else {
            let seed = self.skipped.seed(counter).ok_or(DecryptError::Duplicate { counter })?;
            return Ok((Zeroizing::new(*seed), Step::Skipped(counter)));
        };
        if jump > MAX_FORWARD_JUMP {
            return Err(DecryptError::TooFarAhead { jump });
        }
        // On a copy: the message has not authenticated yet.
        let mut chain = self.chain.clone();
        let mut skipped = Vec::new();
        while chain.index() < counter {
            let index = chain.index();
            let seed = chain.advance(hmac).ok_or(DecryptError::Invalid)?;
            skipped.push(SkippedKey::new(index, &seed));
        }
        let seed = chain.advance(hmac).ok_or(DecryptError::Invalid)?;
        Ok((seed, Step::Ahead { chain, skipped }))
    }

    pub(crate) fn apply(&mut self, step: Step) {
        match step {
            Step::Skipped(index) => self.skipped.remove(index),
            Step::Ahead { chain, skipped } => {
                self.chain = chain;
                self.skipped.extend(skipped);
            }
        }
    }
}

/// The seed of a message that has not arrived yet; on the heap, so that lists of keys that grow and shift move a pointer
/// and leave no copy behind.
#[derive(Clone)]
pub(crate) struct SkippedKey {
    pub(crate) index: u32,
    pub(crate) seed: Box<Zeroizing<[u8; 32]>>,
}

impl SkippedKey {
    pub(crate) fn new(index: u32, seed: &[u8; 32]) -> Self {
        let mut boxed = Box::<Zeroizing<[u8; 32]>>::default();
        boxed.copy_from_slice(seed);
        Self { index, seed: boxed }
    }
}

/// Skipped keys of one chain, in rising order: found by bisection, dropped from the front.
#[derive(Clone, Default)]
pub(crate) struct SkippedKeys(VecDeque<SkippedKey>);

impl SkippedKeys {
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &SkippedKey> {
        self.0.iter()
    }

    /// Appends keys that come after all those here.
    pub(crate) fn extend(&mut self, keys: Vec<SkippedKey>) {
        for key in keys {
            if self.0.len() == MAX_SKIPPED_IN_CHAIN {
                self.drop_oldest();
            }
            self.0.push_back(key);
        }
    }

    pub(crate) fn drop_oldest(&mut self) {
        self.0.pop_front();
    }

    fn seed(&self, index: u32) -> Option<&[u8; 32]> {
        let position = self.position(index)?;
        self.0.get(position).map(|key| &**key.seed)
    }

    fn remove(&mut self, index: u32) {
        if let Some(position) = self.position(index) {
            self.0.remove(position);
        }
    }

    fn position(&self, index: u32) -> Option<usize> {
        self.0.binary_search_by_key(&index, |key| key.index).ok()
    }
}

impl std::fmt::Debug for SkippedKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SkippedKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_goes_so_far_ahead_and_keeps_the_newest_keys() {
        let (begin, end) = (10, 10 + MAX_FORWARD_JUMP);
        let mut hmac = Hmac::unkeyed();
        let mut messages = MessageChain::new(ChainKey::new(&[7; 32], begin));
        for jump in [MAX_FORWARD_JUMP + 1, MAX_FORWARD_JUMP + 2, u32::MAX - begin] {
            let refused = messages.find(begin + jump, &mut hmac).err();
            assert_eq!(refused, Some(DecryptError::TooFarAhead { jump }));
        }
        let (_, step) = messages.find(end, &mut hmac).unwrap();
        assert_eq!(messages.chain.index(), begin, "nothing has changed yet");
        messages.apply(step);
        let oldest = end - 2_000;
        assert_eq!(messages.chain.index(), end + 1);
        assert!(messages.skipped.iter().map(|key| key.index).eq(oldest..end));

        let duplicate = |counter| Some(DecryptError::Duplicate { counter });
        assert_eq!(messages.find(oldest - 1, &mut hmac).err(), duplicate(oldest - 1));
        let mut in_order = ChainKey::new(&[7; 32], begin);
        (begin..oldest).for_each(|_| drop(in_order.advance(&mut hmac)));
        let expected = in_order.advance(&mut hmac).unwrap();
        let (seed, step) = messages.find(oldest, &mut hmac).unwrap();
        assert_eq!(seed, expected);
        messages.apply(step);
        assert_eq!(messages.find(oldest, &mut hmac).err(), duplicate(oldest));
    }
}
