//! How far a message may be ahead, and how much is kept for those that it overtook (MAX_SKIP of Double Ratchet §3.1): a
//! counter costs its sender nothing, and each step to it costs us a hash and a key.

use crate::key_block::BLOCK;

/// What a peer may cost: steps for one message, keys that wait for messages of its own.
///
/// The default keeps what one record needs below 1.5 MB: 640 blocks of 64 keys. Of a chain, the newest 320 blocks with
/// something missing in them are kept (20,480 messages, more than any jump that is allowed); of a record, those of the
/// newest sessions. The oldest block goes first, as a whole and without being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkipLimits {
    /// Messages that may be missing before one that arrives.
    pub forward_jump: u32,
    /// Steps of chains that one message may cost over all sessions of a record that are tried for it.
    pub steps: u32,
    /// Keys that a whole record keeps, in steps of 64.
    pub keys_in_record: u32,
}

/// Messages that may be missing before one that arrives: what WhatsApp's own clients allow (observed).
pub const MAX_FORWARD_JUMP: u32 = 20_000;

/// Steps of chains that one message may cost, over all sessions.
pub const MAX_STEPS: u32 = 25_000;

/// Keys of skipped messages that a whole record keeps.
pub const MAX_SKIPPED_IN_RECORD: u32 = 40_960;

/// Blocks that no record exceeds, whatever the limits: a record must stay readable under others.
pub(crate) const MAX_BLOCKS: usize = 4_096;

impl Default for SkipLimits {
    fn default() -> Self {
        Self { forward_jump: MAX_FORWARD_JUMP, steps: MAX_STEPS, keys_in_record: MAX_SKIPPED_IN_RECORD }
    }
}

impl SkipLimits {
    /// With another number of messages that may be missing. More than [`steps`](Self::steps) allows is never reached.
    #[must_use]
    pub const fn with_forward_jump(mut self, messages: u32) -> Self {
        self.forward_jump = messages;
        self
    }

    /// Blocks that a record keeps.
    pub(crate) fn blocks_in_record(self) -> usize {
        ((self.keys_in_record / BLOCK) as usize).clamp(1, MAX_BLOCKS)
    }

    /// Blocks that a chain keeps: half of the record's, and as many as one jump makes.
    pub(crate) fn blocks_in_chain(self) -> usize {
        let of_jump = self.forward_jump.div_ceil(BLOCK) as usize + 1;
        (self.blocks_in_record() / 2).max(of_jump).min(self.blocks_in_record())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_keeps_what_one_jump_skips() {
        let limits = SkipLimits::default();
        assert_eq!((limits.blocks_in_chain(), limits.blocks_in_record()), (320, 640));
        for forward_jump in [0, 1, 64, 2_000, 20_000] {
            let limits = SkipLimits { forward_jump, ..limits };
            // The jump may begin and end in the middle of a block.
            assert!(limits.blocks_in_chain() * 64 >= forward_jump as usize + 63, "{forward_jump}");
        }
    }

    #[test]
    fn no_limits_make_a_record_that_others_cannot_read() {
        let limits = SkipLimits { keys_in_record: u32::MAX, forward_jump: u32::MAX, ..SkipLimits::default() };
        assert!(limits.blocks_in_record() <= MAX_BLOCKS && limits.blocks_in_chain() <= MAX_BLOCKS);
        let none = SkipLimits { keys_in_record: 0, forward_jump: 0, ..SkipLimits::default() };
        assert_eq!((none.blocks_in_chain(), none.blocks_in_record()), (1, 1));
    }
}
