//! What a step leaves behind: rows to write, and effects that wait for their commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use wa_binary::{Jid, Limits};
use wa_stanza::{Ack, Receipt, Stanza};

use crate::key::Key;
use crate::messenger::state::requests::Request;
use crate::row::{Counters, InboxEntry, OutboxEntry, Row, Sent};
use crate::{Event, Ticket};

/// Bytes of a row's place in a batch, beside its name and its content.
const ROW: usize = 128;

/// Bytes that a stanza, an event or a request of a step has allocated, about: ids, addresses, elements.
const SMALL: usize = 512;

/// Rows by their names, with the date from which they may vanish; `None` deletes one.
pub(crate) type Writes = BTreeMap<Key, (Option<Arc<Row>>, Option<u64>)>;

/// What a step leaves behind: joined to the batch as a whole, or not at all.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) writes: Writes,
    pub(crate) effects: Effects,
    /// The user whose devices or bundles are no longer on their way.
    pub(crate) fetched: Option<Jid>,
    /// The upload of prekeys is no longer on its way.
    pub(crate) uploaded: bool,
    /// The question how many prekeys the server has is no longer on its way.
    pub(crate) counted: bool,
    /// The server is in trouble, and is to be asked again about prekeys in a while.
    pub(crate) in_trouble: bool,
    /// One-time prekeys were made for an upload.
    pub(crate) made_prekeys: bool,
    /// Users for whom messages wait: whatever is missing is asked for in a step of its own.
    pub(crate) wake: Vec<Jid>,
    /// The user of whom the application is told something that must be durable before anything is encrypted for them.
    pub(crate) announces: Option<Jid>,
}

/// What a commit lets out, in order.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Stanzas that need not survive a crash: a redelivery makes them again.
    pub(crate) transmits: Vec<Stanza>,
    /// New rows of the outbox, with their numbers.
    pub(crate) outbox: Vec<(u64, OutboxEntry)>,
    /// New rows of the inbox, with their numbers.
    pub(crate) inbox: Vec<(u64, InboxEntry)>,
    /// Events that need not survive a crash.
    pub(crate) events: Vec<Event>,
    /// Requests to send; their answers become steps.
    pub(crate) requests: Vec<Request>,
    /// Users of whom something was announced: what waits for them may be encrypted now.
    pub(crate) announced: Vec<Jid>,
    /// The commands that are carried out.
    pub(crate) accepted: Vec<Ticket>,
    /// Every row of the account goes.
    pub(crate) erase: bool,
    /// Rows that expire before this date go.
    pub(crate) sweep: Option<u64>,
    /// The mailbox is empty, of so many stanzas.
    pub(crate) mailbox_end: Option<u32>,
}

impl Draft {
    /// A draft that puts one row and does nothing else.
    pub(crate) fn of(key: Key, row: Row) -> Self {
        let mut draft = Self::default();
        draft.put(key, row);
        draft
    }

    /// A draft that says that the mailbox is empty.
    pub(crate) fn ending_mailbox(stanzas: u32) -> Self {
        let mut draft = Self::default();
        draft.effects.mailbox_end = Some(stanzas);
        draft
    }

    pub(crate) fn put(&mut self, key: Key, row: Row) {
        self.writes.insert(key, (Some(Arc::new(row)), None));
    }

    pub(crate) fn put_until(&mut self, key: Key, row: Row, expires: u64) {
        self.writes.insert(key, (Some(Arc::new(row)), Some(expires)));
    }

    /// Puts a row that may vanish from then on, or deletes it.
    pub(crate) fn set_until(&mut self, key: Key, row: Option<Row>, expires: u64) {
        match row {
            Some(row) => self.put_until(key, row, expires),
            None => self.delete(key),
        }
    }

    /// A row of this draft may vanish from then on.
    pub(crate) fn expire(&mut self, key: &Key, expires: u64) {
        if let Some((_, until)) = self.writes.get_mut(key) {
            *until = Some(expires);
        }
    }

    /// Where a message stands by what the step has written so far.
    pub(crate) fn sent(&self, key: &Key) -> Option<&Sent> {
        match self.writes.get(key)?.0.as_deref()? {
            Row::Sent(sent) => Some(sent),
            _ => None,
        }
    }

    pub(crate) fn put_counters(&mut self, counters: Counters) {
        self.put(Key::counters(), Row::Counters(counters));
    }

    pub(crate) fn delete(&mut self, key: Key) {
        self.writes.insert(key, (None, None));
    }

    /// A stanza that need not survive a crash.
    pub(crate) fn transmit(&mut self, stanza: impl Into<Stanza>) {
        self.effects.transmits.push(stanza.into());
    }

    /// Answers what came in. The receipt goes before the ack: once the server has that, nobody sends the message again by
    /// itself.
    pub(crate) fn answer(&mut self, receipt: Option<Receipt>, ack: Ack) {
        self.effects.transmits.extend(receipt.map(Stanza::from));
        self.transmit(ack);
    }

    /// An event that need not survive a crash.
    pub(crate) fn tell(&mut self, event: Event) {
        self.effects.events.push(event);
    }

    pub(crate) fn request(&mut self, request: Request) {
        self.effects.requests.push(request);
    }
}

impl Draft {
    /// Bytes that it holds, and that its writes take once more when they are encoded.
    pub(crate) fn bytes(&self) -> usize {
        let row = |(key, (row, _)): (&Key, &(Option<Arc<Row>>, Option<u64>))| {
            2 * (ROW + key.as_bytes().len() + row.as_ref().map_or(0, |row| row.bytes()))
        };
        self.writes.iter().map(row).sum::<usize>() + self.effects.bytes()
    }
}

impl Draft {
    /// Whether what it puts into logs and queues can be read again: otherwise nothing of it may be written.
    pub(crate) fn can_be_read(&self) -> bool {
        self.writes.iter().all(|(key, (row, _))| match row.as_deref() {
            Some(row @ (Row::Inbox(_) | Row::Waiting(_))) => Row::decode(key, &row.encode()).is_ok(),
            Some(row @ Row::Outbox(entry)) => {
                let is_node = wa_binary::decode(entry.stanza.as_bytes(), &Limits::new()).is_ok();
                is_node && Row::decode(key, &row.encode()).is_ok()
            }
            _ => true,
        })
    }
}

impl Effects {
    fn bytes(&self) -> usize {
        let outbox = self.outbox.iter().map(|(_, entry)| entry.id.len() + size_of::<OutboxEntry>());
        let inbox = self.inbox.iter().map(|(_, entry)| entry.bytes() + size_of::<InboxEntry>());
        let small = self.transmits.len() * (size_of::<Stanza>() + SMALL)
            + self.events.len() * (size_of::<Event>() + SMALL)
            + self.requests.len() * (size_of::<Request>() + SMALL);
        outbox.sum::<usize>() + inbox.sum::<usize>() + small
    }

    /// Takes in what comes after these.
    pub(crate) fn join(&mut self, later: Self) {
        let Self {
            transmits,
            outbox,
            inbox,
            events,
            requests,
            announced,
            accepted,
            erase,
            sweep,
            mailbox_end,
        } = later;
        self.transmits.extend(transmits);
        self.outbox.extend(outbox);
        self.inbox.extend(inbox);
        self.events.extend(events);
        self.requests.extend(requests);
        self.announced.extend(announced);
        self.accepted.extend(accepted);
        self.erase |= erase;
        self.sweep = self.sweep.max(sweep);
        self.mailbox_end = self.mailbox_end.or(mailbox_end);
    }
}

#[cfg(test)]
mod tests {
    use wa_profile::Profile;
    use wa_stanza::{Chatstate, Typing};

    use super::*;
    use crate::EncodedStanza;
    use crate::key::Table;
    use crate::row::{OutboxKind, Waiting};

    #[test]
    fn a_row_is_read_back_before_it_is_put() {
        let peer = Jid::phone("1415").unwrap();
        let good =
            EncodedStanza::new(Chatstate::new(peer.clone(), Typing::Paused).into(), &Profile::overview());
        // One element short, as if an encoder had a limit that no decoder has.
        let bad = EncodedStanza::stored(vec![248, 3, 25].into());
        for (stanza, can_be_read) in [(good.unwrap(), true), (bad, false)] {
            let kind = OutboxKind::Message;
            let entry = OutboxEntry { stanza, peer: peer.clone(), id: "1".to_owned(), kind, since: None };
            let draft = Draft::of(Key::outbox(1), Row::Outbox(entry.clone()));
            assert_eq!(draft.can_be_read(), can_be_read);
            // Under a name of another table it is another row.
            assert!(!Draft::of(Key::inbox(1), Row::Outbox(entry)).can_be_read());
        }
        let (key, entry) = (Key::waiting(&peer, 1), InboxEntry::unreadable(Table::Sent));
        let waiting = Waiting {
            id: "1".to_owned(),
            content: b"content".as_slice().into(),
            device: None,
            resent: 0,
            kept: 0,
            since: None,
        };
        for (row, own, other) in
            [(Row::Inbox(entry), Key::inbox(1), Key::account()), (Row::Waiting(waiting), key, Key::account())]
        {
            assert!(Draft::of(own, row.clone()).can_be_read());
            assert!(!Draft::of(other, row).can_be_read());
        }
    }
}
