//! An account out of a backup: what was sent since then must not be sent again, nor its keys be used again.

use std::collections::BTreeMap;

use crate::key::{Key, Table};
use crate::row::{OutboxEntry, OutboxKind, Row, Waiting};
use crate::store::{Read, Rows, StateError, Transaction, Write};

/// Makes an account that was put back from an older copy safe to go on with.
///
/// Run [`read`](Self::read), give its rows to [`write`](Self::write), and run what that gives; then open a client as
/// ever. Every session stops sending (the next message to each peer begins a new one; what peers still send in the old
/// ones is read), messages that the server had not acked are encrypted anew under their old ids, events and stanzas get
/// numbers that were never used, and no one-time prekey is given out twice. Messages that were sent or shown after the
/// backup was made are not known any more.
#[derive(Clone, Copy, Debug)]
pub struct Restoration;

/// Far enough beyond what can have been used since the backup.
const LEAP: u64 = 1 << 32;

/// Likewise for prekeys, whose ids have 24 bits.
const PREKEY_LEAP: u32 = 100_000;

impl Restoration {
    /// The transaction that reads what must be changed.
    pub fn read() -> Transaction {
        let page = |table| Read::Page { from: Key::start_of(table), to: Key::end_of(table), limit: u16::MAX };
        let pages = [Table::Peer, Table::Outbox, Table::Sent, Table::Content].map(page);
        let reads = std::iter::once(Read::One(Key::counters())).chain(pages).collect();
        Transaction { reads, ..Transaction::default() }
    }

    /// The transaction that changes it. Run twice it leaps twice, which hurts nothing.
    ///
    /// # Errors
    /// A row cannot be read, or there is no account.
    pub fn write(rows: &Rows) -> Result<Transaction, StateError> {
        let decoded = rows.0.iter().map(|(key, value)| Ok((key.clone(), Row::decode(key, value)?)));
        let rows: BTreeMap<Key, Row> = decoded.collect::<Result<_, StateError>>()?;
        let Some(Row::Counters(mut counters)) = rows.get(&Key::counters()).cloned() else {
            return Err(StateError::NoAccount);
        };
        counters.next_inbox += LEAP;
        counters.next_outbox += LEAP;
        counters.next_content += LEAP;
        counters.prekeys.leap(PREKEY_LEAP);
        let mut writes = Vec::new();
        let mut write = |key: Key, row: Option<Row>| {
            writes.push(Write { key, value: row.map(|row| row.encode()), expires: None });
        };
        for (key, row) in &rows {
            match row {
                Row::Peer(session) => {
                    let mut session = session.clone();
                    session.archive_current();
                    write(key.clone(), Some(Row::Peer(session)));
                }
                // Ciphertext that may have been sent, in a chain that went on.
                Row::Outbox(entry) => {
                    write(key.clone(), None);
                    if let Some(waiting) = waiting(&rows, entry) {
                        let key = Key::waiting(&entry.peer, counters.next_outbox);
                        write(key, Some(Row::Waiting(waiting)));
                        counters.next_outbox += 1;
                    }
                }
                _ => {}
            }
        }
        write(Key::counters(), Some(Row::Counters(counters)));
        Ok(Transaction { writes, ..Transaction::default() })
    }
}

/// A message of the outbox, as content that waits for a session. Receipts are not sent again.
fn waiting(rows: &BTreeMap<Key, Row>, entry: &OutboxEntry) -> Option<Waiting> {
    let device = match entry.kind {
        OutboxKind::Message => None,
        OutboxKind::Resent(device) => Some(device),
        OutboxKind::Receipt => return None,
    };
    let Row::Sent(sent) = rows.get(&Key::sent(&entry.peer, &entry.id))? else { return None };
    let Row::Content(content) = rows.get(&Key::content(sent.content))? else { return None };
    let resent = device.map_or(0, |device| sent.times(device));
    Some(Waiting { id: entry.id.clone(), content: content.clone(), device, resent, kept: sent.content })
}
