//! The open batch: drafts joined, then sealed into one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use wa_stanza::Stanza;

use crate::key::Key;
use crate::messenger::requests::Request;
use crate::messenger::view::Draft;
use crate::row::{InboxEntry, Row};
use crate::store::Write;
use crate::{Event, Ticket};

/// Drafts that will be committed together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    writes: BTreeMap<Key, (Option<Arc<Row>>, Option<u64>)>,
    released: Released,
    steps: usize,
}

/// What a commit lets out, in order.
#[derive(Debug, Default)]
pub(crate) struct Released {
    pub(crate) transmits: Vec<Stanza>,
    pub(crate) outbox: Vec<(u64, Stanza)>,
    pub(crate) inbox: Vec<(u64, InboxEntry)>,
    pub(crate) events: Vec<Event>,
    pub(crate) requests: Vec<Request>,
    pub(crate) accepted: Vec<Ticket>,
    account: Option<Arc<Row>>,
    /// Whether the account is gone.
    pub(crate) erased: bool,
}

impl Released {
    /// The account's row, if the batch changed it.
    pub(crate) fn account(&self) -> Option<&Row> {
        self.account.as_deref()
    }
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
        self.writes.is_empty() && !self.released.erased
    }

    /// Whether a draft of this batch has written the row.
    pub(crate) fn writes_to(&self, key: &Key) -> bool {
        self.writes.contains_key(key)
    }

    /// Takes a draft in as a whole.
    pub(crate) fn join(&mut self, draft: Draft) {
        self.steps += 1;
        if let Some((row, _)) = draft.writes.get(&Key::account()) {
            self.released.account.clone_from(row);
        }
        if draft.erase {
            self.released.erased = true;
        }
        self.writes.extend(draft.writes);
        self.released.transmits.extend(draft.transmits);
        self.released.outbox.extend(draft.outbox);
        self.released.inbox.extend(draft.inbox);
        self.released.events.extend(draft.events);
        self.released.requests.extend(draft.requests);
        self.released.accepted.extend(draft.accepted);
    }

    /// The writes and what they release; the batch is empty again. Where the account is erased nothing is written.
    pub(crate) fn seal(&mut self) -> (Vec<Write>, Released) {
        let batch = std::mem::take(self);
        if batch.released.erased {
            return (Vec::new(), batch.released);
        }
        let write = |(key, (row, expires)): (Key, (Option<Arc<Row>>, Option<u64>))| Write {
            key,
            value: row.map(|row| row.encode()),
            expires,
        };
        (batch.writes.into_iter().map(write).collect(), batch.released)
    }
}
