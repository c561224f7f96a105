//! A chain of messages that a session receives, and where the keys of those that were skipped in it are (observed).

use wa_keys::PublicKey;
use zeroize::Zeroizing;

use crate::DecryptError;
use crate::chain_key::ChainKey;
use crate::hmac::Hmac;
use crate::key_block::{BLOCK, KeyBlock, KeyBlockId, KeyBlocks};
use crate::skip_limits::SkipLimits;

/// A ratchet key of the peer's and the messages that came with it.
#[derive(Clone, Debug)]
pub(crate) struct ReceiverChain {
    pub(crate) ratchet: PublicKey,
    pub(crate) chain: ChainKey,
    /// Blocks in which keys wait, rising.
    pub(crate) blocks: Vec<u32>,
}

/// How a message's seed was found; applied to the chain once the message has authenticated.
pub(crate) enum Step {
    /// The message was skipped earlier.
    Skipped(u32),
    /// The chain moves past the message; the keys of those between are in these blocks.
    Ahead { chain: ChainKey, blocks: Vec<KeyBlock> },
}

/// What one message may still cost, over all sessions that are tried for it.
pub(crate) struct Budget {
    pub(crate) limits: SkipLimits,
    /// Steps of chains.
    pub(crate) steps: u32,
}

impl ReceiverChain {
    pub(crate) fn new(ratchet: PublicKey, chain: ChainKey) -> Self {
        Self { ratchet, chain, blocks: Vec::new() }
    }

    /// The block that a message of this number needs before it can be decrypted: the one that has its key, or the one that
    /// the keys of messages before it are added to.
    pub(crate) fn block_for(&self, counter: u32) -> Option<u32> {
        let first = self.chain.index().min(counter);
        let is_next = counter == self.chain.index();
        Some(first / BLOCK).filter(|number| !is_next && self.blocks.binary_search(number).is_ok())
    }

    /// The seed of message `counter`, and the step that it costs. Changes nothing but the budget.
    pub(crate) fn find(
        &self,
        counter: u32,
        session: &PublicKey,
        blocks: &KeyBlocks,
        budget: &mut Budget,
        hmac: &mut Hmac,
    ) -> Result<(Zeroizing<[u8; 32]>, Step), DecryptError> {
        let block = self.block_for(counter).map(|number| blocks.get(self.id(session).with_number(number)));
        if counter < self.chain.index() {
            // No block: every key that was in it is used. A block without the key: this one is.
            let seed = block.transpose()?.and_then(|block| block.seed(counter));
            let seed = seed.ok_or(DecryptError::Duplicate { counter })?;
            return Ok((Zeroizing::new(*seed), Step::Skipped(counter)));
        }
        // Before the steps are made: a counter costs its sender nothing, and nothing has authenticated it yet.
        budget.spend(counter - self.chain.index())?;
        let begun = match block {
            // What the store lost is gone; the keys from here on are kept all the same.
            None | Some(Err(DecryptError::KeysLost(_))) => None,
            Some(block) => Some(block?.clone()),
        };
        self.walk(counter, session, begun, hmac)
    }

    /// Steps to message `counter` and past it, beside the chain.
    fn walk(
        &self,
        counter: u32,
        session: &PublicKey,
        begun: Option<KeyBlock>,
        hmac: &mut Hmac,
    ) -> Result<(Zeroizing<[u8; 32]>, Step), DecryptError> {
        let (mut chain, mut blocks) = (self.chain.clone(), Vec::from_iter(begun));
        while chain.index() < counter {
            let index = chain.index();
            let seed = chain.advance(hmac).ok_or(DecryptError::Invalid)?;
            if blocks.last().is_none_or(|block| block.number() != index / BLOCK) {
                blocks.push(KeyBlock::new(self.id(session).with_number(index / BLOCK)));
            }
            if let Some(block) = blocks.last_mut() {
                block.insert(index, &seed);
            }
        }
        let seed = chain.advance(hmac).ok_or(DecryptError::Invalid)?;
        Ok((seed, Step::Ahead { chain, blocks }))
    }

    /// Takes a step whose message has authenticated.
    pub(crate) fn apply(
        &mut self,
        step: Step,
        session: &PublicKey,
        blocks: &mut KeyBlocks,
        limits: SkipLimits,
    ) {
        match step {
            Step::Skipped(counter) => {
                let number = counter / BLOCK;
                if blocks.remove(self.id(session).with_number(number), counter) {
                    self.blocks.retain(|other| *other != number);
                }
            }
            Step::Ahead { chain, blocks: new } => {
                self.chain = chain;
                for block in new {
                    if self.blocks.last() != Some(&block.number()) {
                        self.blocks.push(block.number());
                    }
                    blocks.put(block);
                }
                while self.blocks.len() > limits.blocks_in_chain() {
                    self.drop_oldest(session, blocks);
                }
            }
        }
    }

    /// Gives the keys of the oldest block up, unseen; says whether there was one.
    pub(crate) fn drop_oldest(&mut self, session: &PublicKey, blocks: &mut KeyBlocks) -> bool {
        if self.blocks.is_empty() {
            return false;
        }
        let number = self.blocks.remove(0);
        blocks.delete(self.id(session).with_number(number));
        true
    }

    /// The name of the chain's blocks in the session with this base key; a hash, so asked for only where there are blocks.
    fn id(&self, session: &PublicKey) -> KeyBlockId {
        KeyBlockId::of_chain(session, &self.ratchet)
    }
}

impl Budget {
    pub(crate) fn new(limits: SkipLimits) -> Self {
        Self { limits, steps: limits.steps }
    }

    /// Allows a jump over so many messages, and the step past the one that arrived.
    fn spend(&mut self, jump: u32) -> Result<(), DecryptError> {
        if jump > self.limits.forward_jump {
            return Err(DecryptError::TooFarAhead { jump });
        }
        self.steps = self.steps.checked_sub(jump.saturating_add(1)).ok_or(DecryptError::TooManySteps)?;
        Ok(())
    }
}
