//! A receiving chain, and the keys of messages that were skipped in it (observed).

use std::collections::VecDeque;

use wa_keys::PublicKey;
use zeroize::Zeroizing;

use crate::DecryptError;
use crate::chain_key::ChainKey;
use crate::message_keys::MessageKeys;

/// Messages that may be missing before one that arrives: what WhatsApp's own clients allow.
pub const MAX_FORWARD_JUMP: u32 = 2_000;

/// Keys of skipped messages that one chain keeps; the oldest are dropped.
pub const MAX_SKIPPED_IN_CHAIN: usize = 2_000;

/// One ratchet key of the peer's and the chain that came with it.
#[derive(Clone, Debug)]
pub(crate) struct ReceiverChain {
    pub(crate) ratchet: PublicKey,
    pub(crate) chain: ChainKey,
    pub(crate) skipped: SkippedKeys,
}

/// How a message's keys were found; applied to the chain once the message has authenticated.
pub(crate) enum Step {
    /// Message `index` was skipped earlier.
    Skipped(u32),
    /// The chain moves past the message, skipping those between.
    Ahead { chain: ChainKey, skipped: Vec<SkippedKey> },
}

impl ReceiverChain {
    pub(crate) fn new(ratchet: PublicKey, chain: ChainKey) -> Self {
        Self { ratchet, chain, skipped: SkippedKeys::default() }
    }

    /// The keys of message `counter`, and the step that they cost. Changes nothing.
    pub(crate) fn find(&self, counter: u32) -> Result<(MessageKeys, Step), DecryptError> {
        let Some(jump) = counter.checked_sub(self.chain.index()) else {
            let seed = self.skipped.seed(counter).ok_or(DecryptError::Duplicate { counter })?;
            return Ok((MessageKeys::derive(seed), Step::Skipped(counter)));
        };
        if jump > MAX_FORWARD_JUMP {
            return Err(DecryptError::TooFarAhead { jump });
        }
        let mut chain = self.chain.clone();
        let mut skipped = Vec::new();
        while chain.index() < counter {
            skipped.push(SkippedKey { index: chain.index(), seed: chain.seed() });
            chain = chain.next().ok_or(DecryptError::Invalid)?;
        }
        let keys = MessageKeys::derive(&chain.seed());
        let chain = chain.next().ok_or(DecryptError::Invalid)?;
        Ok((keys, Step::Ahead { chain, skipped }))
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

/// The seed of a message that has not arrived yet.
#[derive(Clone)]
pub(crate) struct SkippedKey {
    pub(crate) index: u32,
    pub(crate) seed: Zeroizing<[u8; 32]>,
}

/// Skipped keys of one chain, in rising order: found by bisection, dropped from the front.
#[derive(Clone, Default)]
pub(crate) struct SkippedKeys(VecDeque<SkippedKey>);

impl SkippedKeys {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

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
        self.0.get(position).map(|key| &*key.seed)
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
