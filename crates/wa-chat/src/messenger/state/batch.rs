//! The open batch: drafts joined, then sealed into one transaction.

use std::sync::Arc;

use crate::key::Key;
use crate::messenger::state::draft::{Draft, Effects, Writes};
use crate::row::Row;
use crate::store::Write;

/// Drafts that will be committed together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    writes: Writes,
    effects: Effects,
    steps: usize,
    bytes: usize,
}

/// A batch on its way to the store.
#[derive(Debug)]
pub(crate) struct SealedBatch {
    pub(crate) writes: Vec<Write>,
    pub(crate) effects: Effects,
    /// The account's row, if the batch changed it.
    pub(crate) account: Option<Arc<Row>>,
}

impl Batch {
    /// Steps taken since the last seal.
    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.steps == 0
    }

    /// Whether a commit of it would change nothing.
    pub(crate) fn is_unwritten(&self) -> bool {
        self.writes.is_empty() && !self.effects.erase
    }

    /// Whether a draft of this batch has written the row.
    pub(crate) fn writes_to(&self, key: &Key) -> bool {
        self.writes.contains_key(key)
    }

    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What it would have sent on a connection that is gone is not sent on the next one.
    pub(crate) fn forget_transmits(&mut self) {
        self.effects.transmits.clear();
        self.effects.mailbox_end = None;
    }

    /// Takes a draft in as a whole.
    pub(crate) fn join(&mut self, draft: Draft) {
        self.steps += 1;
        self.bytes += draft.bytes();
        self.writes.extend(draft.writes);
        self.effects.join(draft.effects);
    }

    /// The writes and what they release; the batch is empty again. Where the account is erased nothing is written.
    pub(crate) fn seal(&mut self) -> SealedBatch {
        let Self { writes, effects, .. } = std::mem::take(self);
        let account = writes.get(&Key::account()).and_then(|(row, _)| row.clone());
        let write = |(key, (row, expires)): (Key, (Option<Arc<Row>>, Option<u64>))| Write {
            key,
            value: row.map(|row| row.encode()),
            expires,
        };
        let writes = if effects.erase { Vec::new() } else { writes.into_iter().map(write).collect() };
        SealedBatch { writes, effects, account }
    }
}
