//! What a commit brings: rows that were asked for, pages of the logs, and the release of what waited for it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use wa_binary::Jid;
use wa_stanza::Stanza;

use crate::key::{Key, Table};
use crate::messenger::conversation::has_expired;
use crate::messenger::input::{Input, Lane};
use crate::messenger::state::draft::Effects;
use crate::messenger::state::requests::Request;
use crate::messenger::state::view::Wanted;
use crate::messenger::{Messenger, Sealed};
use crate::row::{InboxEntry, InboxItem, OutboxEntry, Row};
use crate::store::{StateError, Value};
use crate::{EncodedStanza, Event, NoAnswer};

/// The code that tells of a message or a question that is longer than a frame (HTTP's "content too large"): it never left.
const UNSENDABLE: u16 = 413;

/// Rows that an active client keeps loaded.
const MAX_ROWS: usize = 1024;

/// Bytes of rows that an active client keeps loaded, about.
pub(super) const MAX_ROW_BYTES: usize = 1 << 20;

impl Messenger {
    /// Keeps the rows that uncommitted drafts have written. Of the others, what every text needs stays until they have
    /// become many, and the rest as long as a step may wait for it: what a later step needs it asks for again.
    pub(super) fn forget_rows(&mut self, sealed: &Sealed) {
        let are_many = self.view.len() > MAX_ROWS || self.view.bytes() > MAX_ROW_BYTES;
        if are_many || self.queue.is_empty() {
            let asked = |key: &Key| sealed.wanted.contains(&Wanted::Row(key.clone()));
            let stays = |key: &Key| !are_many && key.table().is_some_and(is_of_every_text);
            self.view.retain(
                |key| stays(key) || self.batch.writes_to(key) || asked(key),
                |peer| self.blocked.contains(&Lane::Peer(peer.clone())),
            );
        }
    }

    pub(super) fn take_rows(
        &mut self,
        sealed: &Sealed,
        rows: &BTreeMap<Key, Value>,
    ) -> Result<(), StateError> {
        for wanted in &sealed.wanted {
            match wanted {
                Wanted::Row(key) => {
                    let row = match rows.get(key) {
                        Some(value) => self.decoded(key, value)?,
                        None => None,
                    };
                    self.take_own(key, row.as_ref())?;
                    self.view.load(key.clone(), row);
                }
                wanted => {
                    let (from, to) = wanted.range();
                    let mut found = Vec::new();
                    for (key, value) in rows.range(from..to) {
                        found.extend(self.decoded(key, value)?.map(|row| (key.clone(), row)));
                    }
                    self.view.load_page(wanted, found);
                }
            }
        }
        if let Some(Row::Account(account)) = sealed.account.as_deref() {
            self.account = Some((**account).clone());
        }
        Ok(())
    }

    /// The account, the server and the logs' ends, when they are read.
    fn take_own(&mut self, key: &Key, row: Option<&Row>) -> Result<(), StateError> {
        match (key.table(), row) {
            (Some(Table::Account), Some(Row::Account(account))) => self.account = Some((**account).clone()),
            (Some(Table::Counters), Some(Row::Counters(counters))) => {
                self.inbox.set_end(counters.next_inbox);
                self.outbox.set_end(counters.next_outbox);
                self.swept = self.swept.max(counters.swept);
            }
            (Some(Table::Server), Some(Row::Server(known))) => {
                self.known.get_or_insert_with(|| known.clone());
            }
            (Some(Table::Account | Table::Counters), _) => return Err(StateError::NoAccount),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn take_logs(
        &mut self,
        sealed: &Sealed,
        rows: &BTreeMap<Key, Value>,
    ) -> Result<(), StateError> {
        for (page, table) in [(sealed.inbox, Table::Inbox), (sealed.outbox, Table::Outbox)] {
            let Some(page) = page else { continue };
            let numbered = if table == Table::Inbox { Key::inbox } else { Key::outbox };
            let of_page = rows.range(numbered(page.from)..numbered(page.to));
            let found: Vec<(u64, &Key, &Value)> =
                of_page.filter_map(|(key, value)| Some((key.number()?, key, value))).collect();
            let numbers: Vec<u64> = found.iter().map(|(number, ..)| *number).collect();
            let cursor = if table == Table::Inbox { &mut self.inbox } else { &mut self.outbox };
            if !cursor.take_page(page, &numbers) {
                continue;
            }
            for (number, key, value) in found {
                match Row::decode(key, value) {
                    Ok(Row::Inbox(entry)) => self.events.push(number, entry),
                    Ok(Row::Outbox(entry)) => self.hand_out(number, entry),
                    // Under its own number: once that is confirmed the row goes.
                    _ if table == Table::Inbox => self.events.push(number, InboxEntry::unreadable(table)),
                    _ => self.set_aside(key, InboxEntry::unreadable(table)),
                }
            }
        }
        Ok(())
    }

    /// A row as a value; none if it cannot be read and the client goes on without it.
    fn decoded(&mut self, key: &Key, value: &Value) -> Result<Option<Row>, StateError> {
        match (Row::decode(key, value), key.table()) {
            (Ok(row), _) => Ok(Some(row)),
            (Err(_), Some(table)) if table.may_be_unreadable() => {
                self.set_aside(key, InboxEntry::unreadable(table));
                Ok(None)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// A row goes in a step of its own, and the application is told durably.
    fn set_aside(&mut self, key: &Key, told: InboxEntry) {
        if !self.queue.iter().any(|input| matches!(input, Input::SetAside(other, _) if other == key)) {
            self.queue.push(Input::SetAside(key.clone(), told), key.as_bytes().len());
        }
    }

    /// What a batch caused may now be seen.
    pub(super) fn release(&mut self, effects: Effects, link_number: u64) {
        if let Some((last, _)) = effects.outbox.last() {
            // Where many wait already, the cursor falls behind and reads pages later.
            if !self.may_transmit() {
                self.outbox.set_end(last + 1);
            } else if self.outbox.take_live(*last) {
                effects.outbox.into_iter().for_each(|(number, entry)| self.hand_out(number, entry));
            }
        }
        if let Some((last, _)) = effects.inbox.last() {
            if !self.events.has_room() {
                self.inbox.set_end(last + 1);
            } else if self.inbox.take_live(*last) {
                effects.inbox.into_iter().for_each(|(number, entry)| self.events.push(number, entry));
            }
        }
        self.swept = self.swept.max(effects.sweep);
        self.tell(effects.events);
        self.accepted.extend(effects.accepted);
        effects.announced.into_iter().for_each(|user| self.announced(user));
        let has_link = link_number == self.link_number && self.link.is_some();
        if let Some(stanzas) = effects.mailbox_end.filter(|_| has_link) {
            self.end_mailbox(stanzas);
        }
        if has_link {
            for stanza in effects.transmits {
                self.transmit(stanza);
            }
        }
        for request in effects.requests {
            self.request(request, has_link);
        }
    }

    /// What was announced of a user is durable: what waits for them comes before anything that came since.
    fn announced(&mut self, user: Jid) {
        if let Entry::Occupied(mut under_way) = self.announcing.entry(user) {
            *under_way.get_mut() -= 1;
            if *under_way.get() == 0 {
                self.queue.push_front(Input::Announced(under_way.remove_entry().0), 0);
            }
        }
    }

    /// A row of the outbox goes to the channel, and is expected to be acked.
    fn hand_out(&mut self, number: u64, entry: OutboxEntry) {
        if has_expired(entry.since, self.swept) {
            let (peer, ids) = (entry.peer, vec![entry.id]);
            return self.set_aside(&Key::outbox(number), InboxEntry { peer, ids, what: InboxItem::Expired });
        }
        if !entry.stanza.fits_frame() {
            // Earlier versions accepted what can never leave.
            let (peer, ids) = (entry.peer, vec![entry.id]);
            let rejected = InboxEntry { peer, ids, what: InboxItem::Rejected { code: UNSENDABLE } };
            return self.set_aside(&Key::outbox(number), rejected);
        }
        self.unacked.insert(number, &entry);
        let bytes = entry.stanza.as_bytes().len();
        self.transmits.push(entry.stanza, bytes);
    }

    /// A stanza that is not stored. One that no frame can carry is dropped; says whether it is sent.
    pub(super) fn transmit(&mut self, stanza: Stanza) -> bool {
        let stanza = EncodedStanza::new(stanza, &self.profile).ok().filter(EncodedStanza::fits_frame);
        let Some(stanza) = stanza else { return false };
        let bytes = stanza.as_bytes().len();
        self.transmits.push(stanza, bytes);
        true
    }

    /// Sends a request, or tells that it cannot be sent.
    fn request(&mut self, request: Request, has_link: bool) {
        let ticket = if let Request::Ask(ticket, _) = request { Some(ticket) } else { None };
        let asked = if has_link { self.requests.ask(request, &self.profile) } else { Err(NoAnswer::Lost) };
        let is_sent = asked.map(|iq| self.transmit(iq.into()));
        if let (Ok(false) | Err(_), Some(ticket)) = (is_sent, ticket) {
            self.requests.take_back(ticket);
            let answer = Err(is_sent.err().unwrap_or(NoAnswer::Refused(UNSENDABLE)));
            self.notices.push_back(Event::Answered { ticket, answer });
        }
    }
}

/// Rows that each text from or to somebody needs.
fn is_of_every_text(table: Table) -> bool {
    matches!(table, Table::Account | Table::Counters | Table::Peer | Table::Identity | Table::Devices)
}
