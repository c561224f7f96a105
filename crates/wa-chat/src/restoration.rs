//! An account out of a backup: what was sent since then must not be sent again, nor its keys be used again.

use std::collections::BTreeMap;

use crate::key::{Key, Table};
use crate::messenger::{KEEP_KEYS, REMEMBER};
use crate::row::{
    Dispatch, InboxEntry, InboxItem, NOT_NUMBERED, OutboxEntry, OutboxKind, Row, Sent, Waiting,
};
use crate::store::{Read, Rows, StateError, Transaction, Value, Write};

/// Makes an account that was put back from an older copy safe to go on with.
///
/// Run [`first`](Self::first), give the rows that it reads to [`next`](Self::next), run what that gives, and so on until
/// there is nothing more; then open a client as ever. Killed anywhere, it is begun again from the start.
///
/// Every session stops sending (the next message to each peer begins a new one; what peers still send in the old ones
/// is read), messages that the server had not acked are encrypted anew under their old ids, events and stanzas get
/// numbers that were never used, and no one-time prekey is given out twice. A message whose content is not kept any more
/// is told as expired. Messages that were sent or shown after the backup was made are not known any more.
#[derive(Clone, Debug)]
pub struct Restoration {
    /// The date, in Unix seconds.
    now: u64,
    stage: Stage,
    /// The number of the next event: of those that are leapt over, which nothing has used or will use.
    next_inbox: u64,
}

/// What the last transaction read.
#[derive(Clone, Debug)]
enum Stage {
    Counters,
    Sessions,
    Outbox,
    /// What became of the messages of a page of the outbox, which ends before this row.
    Sent(Vec<(Key, OutboxEntry)>, Key),
    /// What they say.
    Contents(Vec<(Key, OutboxEntry, Sent)>, Key),
    Done,
}

/// Far enough beyond what can have been used since the backup.
const LEAP: u64 = 1 << 32;

/// Likewise for prekeys, whose ids have 24 bits.
const PREKEY_LEAP: u32 = 100_000;

/// Rows that are changed at once, and their bytes, about.
const PAGE: u16 = 256;
const PAGE_BYTES: usize = 1 << 20;

impl Restoration {
    /// Of an account, at this date (Unix seconds).
    pub fn new(now: u64) -> Self {
        Self { now, stage: Stage::Counters, next_inbox: 0 }
    }

    /// The transaction to begin with.
    pub fn first(&self) -> Transaction {
        Transaction { reads: vec![Read::One(Key::counters())], ..Transaction::default() }
    }

    /// What to run next, after the rows that the last transaction read; none when all is done.
    ///
    /// Sessions and stanzas that cannot be read stay as they are: nothing can be sent with them, and the client sets them
    /// aside and tells of it.
    ///
    /// # Errors
    /// Another row cannot be read, or there is no account. What was changed until then is right, and the rest is not.
    pub fn next(&mut self, rows: &Rows) -> Result<Option<Transaction>, StateError> {
        let behind = rows.0.last().map(|(key, _)| key.successor());
        let rows = readable(rows)?;
        let (stage, next) = match (std::mem::replace(&mut self.stage, Stage::Done), behind) {
            (Stage::Counters, _) => (Stage::Sessions, self.leap(rows)?),
            (Stage::Sessions, Some(behind)) => self.retire(rows, behind),
            (Stage::Sessions, None) => {
                (Stage::Outbox, page(Vec::new(), Key::start_of(Table::Outbox), Table::Outbox))
            }
            (Stage::Outbox, Some(behind)) => take_entries(rows, behind),
            (Stage::Sent(entries, behind), _) => self.take_sent(&rows.into_iter().collect(), entries, behind),
            (Stage::Contents(entries, behind), _) => {
                self.write_anew(&rows.into_iter().collect(), entries, behind)
            }
            (Stage::Outbox, None) | (Stage::Done, _) => return Ok(None),
        };
        self.stage = stage;
        Ok(Some(next))
    }

    /// No session of a page sends any more.
    fn retire(&self, rows: Vec<(Key, Row)>, behind: Key) -> (Stage, Transaction) {
        let mut writes = Vec::new();
        for (key, row) in rows {
            let Row::Peer(mut session) = row else { continue };
            session.receive_only();
            session.archive_current();
            for (id, block) in session.take_block_changes() {
                let value = block.map(|block| Value::new(block.to_vec()));
                let expires = value.is_some().then_some(self.now.saturating_add(KEEP_KEYS));
                writes.push(Write { key: Key::key_block(&key, id), value, expires });
            }
            writes.push(put(key, &Row::Peer(session), None));
        }
        (Stage::Sessions, page(writes, behind, Table::Peer))
    }

    /// Messages of the outbox become contents that wait for new sessions, in their old order: ciphertext that may have
    /// been sent is of a chain that went on.
    fn write_anew(
        &mut self,
        contents: &BTreeMap<Key, Row>,
        entries: Vec<(Key, OutboxEntry, Sent)>,
        behind: Key,
    ) -> (Stage, Transaction) {
        let (mut writes, until) = (Vec::new(), self.now.saturating_add(REMEMBER));
        for (key, entry, mut sent) in entries {
            let content = contents.get(&Key::content(sent.content));
            let (Some(Row::Content(content)), Some(number)) = (content, key.number()) else {
                writes.extend(self.give_up(key, entry));
                continue;
            };
            let (id, content, kept) = (entry.id, content.clone(), sent.content);
            let (mut device, mut resent) = (None, 0);
            if let OutboxKind::Resent(to) = entry.kind {
                let again = Dispatch { times: 1, number: NOT_NUMBERED, is_delivered: false };
                let again = sent.devices.entry(to).or_insert(again);
                again.number = NOT_NUMBERED;
                (device, resent) = (Some(to), again.times);
            } else {
                sent.number = NOT_NUMBERED;
            }
            writes.push(put(Key::sent(&entry.peer, &id), &Row::Sent(sent), Some(until)));
            let waiting = Waiting { id, content, device, resent, kept, since: entry.since };
            writes.push(put(Key::waiting(&entry.peer, number), &Row::Waiting(waiting), None));
            writes.push(delete(key));
        }
        (Stage::Outbox, page(writes, behind, Table::Outbox))
    }

    /// All that is numbered goes on far behind what can have been used.
    fn leap(&mut self, rows: Vec<(Key, Row)>) -> Result<Transaction, StateError> {
        let Some((key, Row::Counters(mut counters))) = rows.into_iter().next() else {
            return Err(StateError::NoAccount);
        };
        self.next_inbox = counters.next_inbox.saturating_add(LEAP / 2);
        counters.next_inbox = counters.next_inbox.saturating_add(LEAP);
        counters.next_outbox = counters.next_outbox.saturating_add(LEAP);
        counters.next_content = counters.next_content.saturating_add(LEAP);
        counters.prekeys.leap(PREKEY_LEAP);
        let writes = vec![put(key, &Row::Counters(counters), None)];
        Ok(page(writes, Key::start_of(Table::Peer), Table::Peer))
    }

    fn take_sent(
        &mut self,
        sent: &BTreeMap<Key, Row>,
        entries: Vec<(Key, OutboxEntry)>,
        behind: Key,
    ) -> (Stage, Transaction) {
        let (mut all, mut writes) = (Vec::with_capacity(entries.len()), Vec::new());
        for (key, entry) in entries {
            match sent.get(&Key::sent(&entry.peer, &entry.id)) {
                Some(Row::Sent(sent)) => all.push((key, entry, sent.clone())),
                // What it said is not known any more.
                _ => writes.extend(self.give_up(key, entry)),
            }
        }
        let reads = all.iter().map(|(_, _, sent)| Read::One(Key::content(sent.content))).collect();
        (Stage::Contents(all, behind), Transaction { writes, reads, ..Transaction::default() })
    }

    /// A message that cannot be encrypted anew is told as one that will not arrive; one that a single device asked for again
    /// has arrived at others.
    fn give_up(&mut self, key: Key, entry: OutboxEntry) -> Vec<Write> {
        let mut writes = vec![delete(key)];
        if entry.kind == OutboxKind::Message {
            let told = InboxEntry { peer: entry.peer, ids: vec![entry.id], what: InboxItem::Expired };
            writes.push(put(Key::inbox(self.next_inbox), &Row::Inbox(told), None));
            self.next_inbox += 1;
        }
        writes
    }
}

/// The rows that can be read, if those that cannot are of tables without which a client goes on.
fn readable(rows: &Rows) -> Result<Vec<(Key, Row)>, StateError> {
    let mut read = Vec::with_capacity(rows.0.len());
    for (key, value) in &rows.0 {
        match Row::decode(key, value) {
            Ok(row) => read.push((key.clone(), row)),
            Err(_) if key.table().is_some_and(Table::may_be_unreadable) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// The messages of a page of the outbox. Receipts stay there: to send one again does no harm.
fn take_entries(rows: Vec<(Key, Row)>, behind: Key) -> (Stage, Transaction) {
    let entries: Vec<(Key, OutboxEntry)> = rows
        .into_iter()
        .filter_map(|(key, row)| match row {
            Row::Outbox(entry) if !entry.kind.is_mark() => Some((key, entry)),
            _ => None,
        })
        .collect();
    let reads = entries.iter().map(|(_, entry)| Read::One(Key::sent(&entry.peer, &entry.id))).collect();
    (Stage::Sent(entries, behind), Transaction { reads, ..Transaction::default() })
}

/// These writes, and then the next rows of a table.
fn page(writes: Vec<Write>, from: Key, table: Table) -> Transaction {
    let read = Read::Page { from, to: Key::end_of(table), limit: PAGE, bytes: PAGE_BYTES };
    Transaction { writes, reads: vec![read], ..Transaction::default() }
}

fn put(key: Key, row: &Row, expires: Option<u64>) -> Write {
    Write { key, value: Some(row.encode()), expires }
}

fn delete(key: Key) -> Write {
    Write { key, value: None, expires: None }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use wa_binary::Jid;
    use wa_keys::PrivateKey;
    use wa_signal::{SessionRecord, Trust};

    use super::*;
    use crate::{AccountKeys, Client, EncodedStanza, MemoryStore, rows_of};

    const NOW: u64 = 1_700_000_000;

    /// More than a page.
    const MANY: u64 = 600;

    fn peer(number: u64) -> Jid {
        Jid::phone(&format!("1415{number:07}")).unwrap()
    }

    fn session(rng: &mut StdRng) -> SessionRecord {
        let bundle = AccountKeys::generate(rng).public().bundle();
        let mut session = SessionRecord::default();
        session.establish(&PrivateKey::generate(rng), &bundle, &Trust::Any, NOW, rng).unwrap();
        session
    }

    /// An account with many sessions, and for each a message and a receipt that the server has not acked.
    fn account() -> MemoryStore {
        let (store, mut rng) = (MemoryStore::default(), StdRng::seed_from_u64(1));
        store.apply(&Client::create(&AccountKeys::generate(&mut rng)));
        let session = Row::Peer(Box::new(session(&mut rng)));
        let mut writes = Vec::new();
        for n in 0..MANY {
            // Pages end because of their bytes, too.
            let stanza = EncodedStanza::stored(vec![0; 8192].into());
            let entry = |id: &str, kind| {
                let (stanza, id) = (stanza.clone(), id.to_owned());
                Row::Outbox(OutboxEntry { stanza, peer: peer(n), id, kind, since: None })
            };
            let sent = Sent { number: 2 * n, content: n, devices: BTreeMap::new(), since: None };
            let content = Row::Content(format!("text {n}").into_bytes().into());
            let rows = [
                (Key::peer(&peer(n)), session.clone()),
                (Key::outbox(2 * n), entry("text", OutboxKind::Message)),
                (Key::outbox(2 * n + 1), entry("read", OutboxKind::Receipt)),
                (Key::marked(&peer(n), "read"), Row::Number(2 * n + 1)),
                (Key::sent(&peer(n), "text"), Row::Sent(sent)),
                (Key::content(n), content),
            ];
            writes.extend(rows.map(|(key, row)| put(key, &row, None)));
        }
        store.apply(&Transaction { writes, ..Transaction::default() });
        store
    }

    /// Runs at most so many transactions; says whether there is nothing more to do.
    fn restore(store: &MemoryStore, at_most: usize) -> bool {
        let mut restoration = Restoration::new(NOW);
        let mut next = restoration.first();
        for _ in 0..at_most {
            match restoration.next(&store.apply(&next)).unwrap() {
                Some(transaction) => next = transaction,
                None => return true,
            }
        }
        false
    }

    fn rows(store: &MemoryStore, table: Table) -> Vec<(Key, Row)> {
        let rows = store.apply(&rows_of(table)).0;
        rows.iter().map(|(key, value)| (key.clone(), Row::decode(key, value).unwrap())).collect()
    }

    fn check(store: &MemoryStore) {
        let sessions = rows(store, Table::Peer);
        assert_eq!(sessions.len() as u64, MANY);
        let sends = |row: &Row| matches!(row, Row::Peer(session) if session.can_encrypt(NOW));
        assert!(!sessions.iter().any(|(_, row)| sends(row)));
        let waiting = rows(store, Table::Waiting).into_iter().map(|(_, row)| match row {
            Row::Waiting(waiting) => waiting.content,
            _ => unreachable!("of this table"),
        });
        let all = (0..MANY).map(|n| bytes::Bytes::from(format!("text {n}")));
        assert_eq!(waiting.collect::<Vec<_>>(), all.collect::<Vec<_>>(), "each waits once");
        let waits = |row: &Row| matches!(row, Row::Sent(sent) if sent.number == NOT_NUMBERED);
        assert!(rows(store, Table::Sent).iter().all(|(_, row)| waits(row)));
        // The receipts stand where their marks say.
        let receipts: Vec<u64> =
            rows(store, Table::Outbox).iter().filter_map(|(key, _)| key.number()).collect();
        let marks = rows(store, Table::Marked).into_iter().map(|(_, row)| match row {
            Row::Number(number) => number,
            _ => unreachable!("of this table"),
        });
        assert_eq!(receipts, marks.collect::<Vec<_>>());
    }

    #[test]
    fn a_table_of_any_size_is_restored_whole() {
        let store = account();
        assert!(restore(&store, 100));
        check(&store);
    }

    #[test]
    fn rows_that_cannot_be_read_stay_for_the_client_to_set_aside() {
        let (store, mut writes) = (account(), Vec::new());
        // A whole page of each, and one in the middle of another.
        for n in (0..300).chain([400]) {
            let value = Some(Value::new(vec![0xFF; 9]));
            let write = |key| Write { key, value: value.clone(), expires: None };
            writes.extend([write(Key::peer(&peer(n))), write(Key::outbox(2 * n))]);
        }
        store.apply(&Transaction { writes, ..Transaction::default() });
        assert!(restore(&store, 100));
        let is_unreadable = |(key, value): &(Key, Value)| Row::decode(key, value).is_err();
        let count = |table| store.apply(&rows_of(table)).0.iter().filter(|row| is_unreadable(row)).count();
        assert_eq!((count(Table::Peer), count(Table::Outbox)), (301, 301));
        assert_eq!(store.count(Table::Waiting) as u64, MANY - 301);
        // One that nothing goes on without still ends it.
        let write = Write { key: Key::counters(), value: Some(Value::new(vec![0xFF; 9])), expires: None };
        let rows = store.apply(&Transaction { writes: vec![write], ..Restoration::new(NOW).first() });
        let corrupt = StateError::Corrupt(Some(Table::Counters));
        assert_eq!(Restoration::new(NOW).next(&rows).map(|_| ()), Err(corrupt));
    }

    #[test]
    fn a_message_of_which_nothing_is_kept_is_told_as_expired() {
        let store = account();
        let gone = [Key::content(3), Key::sent(&peer(5), "text")];
        let writes = gone.into_iter().map(delete).collect();
        store.apply(&Transaction { writes, ..Transaction::default() });
        assert!(restore(&store, 100));
        assert_eq!(store.count(Table::Waiting) as u64, MANY - 2);
        let told = rows(&store, Table::Inbox).into_iter().map(|(_, row)| match row {
            Row::Inbox(InboxEntry { peer, ids, what: InboxItem::Expired }) => (peer, ids),
            other => unreachable!("{other:?}"),
        });
        let text = || vec!["text".to_owned()];
        let told: std::collections::BTreeMap<_, _> = told.map(|(of, ids)| (of.to_string(), ids)).collect();
        assert_eq!(told, [3, 5].map(|n| (peer(n).to_string(), text())).into());
    }

    #[test]
    fn a_restoration_that_was_killed_anywhere_is_begun_again() {
        let mut killed_at = 0;
        loop {
            let store = account();
            let is_done = restore(&store, killed_at);
            assert!(restore(&store, 100), "killed after {killed_at} transactions");
            check(&store);
            if is_done {
                break;
            }
            killed_at += 1;
        }
        assert!(killed_at > 8, "it takes several transactions: {killed_at}");
    }
}
