//! The messenger: sessions, inbox and outbox as rows, one step for each input (overview §3). No Noise, no store.
//!
//! Each stanza and command is one step over loaded rows: a pure function that gives a draft, asks for rows, or
//! refuses without a trace. Drafts join the open batch as a whole; a batch becomes one transaction; what it causes is
//! released when that is committed, never before.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand_core::CryptoRng;
use wa_binary::Jid;
use wa_profile::Profile;
use wa_stanza::{Ack, Stanza};

pub(crate) use self::conversation::{KEEP_KEYS, REMEMBER};
use crate::account::Account;
use crate::channel::BadStanza;
use crate::key::Key;
use crate::messenger::input::{Input, Lane};
use crate::messenger::link::Link;
use crate::messenger::state::batch::Batch;
use crate::messenger::state::cursor::{Cursor, PAGE, PAGE_BYTES, Page};
use crate::messenger::state::draft::Effects;
use crate::messenger::state::events::Events;
use crate::messenger::state::refill::Refill;
use crate::messenger::state::requests::Requests;
use crate::messenger::state::unacked::Unacked;
use crate::messenger::state::view::{View, Wanted};
use crate::prekey_ids::PrekeyIds;
use crate::row::{Counters, Row};
use crate::store::{Read, Rows, StateError, Transaction, Value};
use crate::weighed::{BUDGET, Weighed, free_if_empty};
use crate::{Command, CommandError, EncodedStanza, Event, IdentityPolicy, Known, Now, Ticket};

mod bundle;
mod commit;
mod conversation;
mod fan_out;
mod input;
mod link;
mod names;
mod queue;
mod recipients;
mod state;
mod steps;
#[cfg(test)]
mod tests;
mod vouching;

/// Inputs that may wait before [`Messenger::wants_input`] says no.
const MAX_QUEUED: usize = 256;

/// Events or stanzas that may wait to be taken before logs are read on.
const MAX_READY: usize = 256;

/// Bytes of a refusal that waits, about.
const REFUSAL: usize = 512;

/// The store's side of a client, as a value.
#[derive(Debug)]
pub struct Messenger {
    profile: Arc<Profile>,
    account: Option<Account>,
    queue: Weighed<Input>,
    view: View,
    batch: Batch,
    wanted: BTreeSet<Wanted>,
    /// Lanes whose first step waits for rows.
    blocked: BTreeSet<Lane>,
    in_flight: Option<Sealed>,
    inbox: Cursor,
    outbox: Cursor,
    requests: Requests,
    /// What left on this connection and has not been acked.
    unacked: Unacked,
    /// The server that was proved last, and the way to it.
    known: Option<Known>,
    /// Users whose devices or bundles are on their way.
    fetching: BTreeSet<Jid>,
    /// Users of whom something is announced in so many transactions that are not committed.
    announcing: BTreeMap<Jid, u32>,
    policy: IdentityPolicy,
    refill: Refill,
    link: Option<Link>,
    /// Which connection this is; rises with each one, and with its end.
    link_number: u64,
    /// The date by which rows were swept last: what waited for too long by then is given up.
    swept: Option<u64>,
    /// The server's date, as the login that is about to stand told it.
    server_time: Option<u64>,
    events: Events,
    /// The mailbox is empty, of so many stanzas; not told yet.
    mailbox_end: Option<u32>,
    /// Answers, which wait behind no other event.
    notices: VecDeque<Event>,
    accepted: VecDeque<Ticket>,
    refused: VecDeque<(Ticket, CommandError)>,
    transmits: Weighed<EncodedStanza>,
    failed: Option<StateError>,
    /// The account was deleted, and its rows with it.
    erased: bool,
}

/// A transaction under way, and what its commit releases.
#[derive(Debug)]
struct Sealed {
    effects: Effects,
    /// The account's row, if the transaction changes it.
    account: Option<Arc<Row>>,
    /// What it reads for steps, except pages that a later draft has overtaken.
    wanted: BTreeSet<Wanted>,
    inbox: Option<Page>,
    outbox: Option<Page>,
    link_number: u64,
    /// Bytes that its effects hold, and its writes.
    bytes: usize,
}

impl Messenger {
    /// A messenger over a store that is still to be read; its first transaction loads the account.
    pub fn open(profile: impl Into<Arc<Profile>>) -> Self {
        let wanted = [Key::account(), Key::counters(), Key::server()].map(Wanted::Row);
        let mut inbox = Cursor::default();
        inbox.restart();
        Self {
            profile: profile.into(),
            account: None,
            queue: Weighed::default(),
            view: View::default(),
            batch: Batch::default(),
            wanted: BTreeSet::from(wanted),
            blocked: BTreeSet::new(),
            in_flight: None,
            inbox,
            outbox: Cursor::default(),
            requests: Requests::default(),
            unacked: Unacked::default(),
            known: None,
            fetching: BTreeSet::new(),
            announcing: BTreeMap::new(),
            policy: IdentityPolicy::default(),
            refill: Refill::default(),
            link: None,
            link_number: 0,
            swept: None,
            server_time: None,
            events: Events::default(),
            mailbox_end: None,
            notices: VecDeque::new(),
            accepted: VecDeque::new(),
            refused: VecDeque::new(),
            transmits: Weighed::default(),
            failed: None,
            erased: false,
        }
    }

    /// What is to be done with identities that are new. Before anything else is put in.
    #[must_use]
    pub fn with_identity_policy(mut self, policy: IdentityPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The account, once it is loaded.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due because of a request or a refill, by [`Now::tick`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.requests.due().into_iter().chain(self.refill.due()).min()
    }

    /// Time has passed: a request may have waited too long, the signed prekey may be due. Call it when
    /// [`poll_timeout`](Self::poll_timeout) says, and now and then while there is a connection.
    pub fn handle_timeout(&mut self, now: Now, rng: &mut impl CryptoRng) {
        let rotate_after = self.profile.encryption.signed_prekey.rotate_after.as_secs();
        let since = self.account.as_ref().filter(|_| self.link.is_some()).map(|account| account.signed_since);
        self.requests.tell_time(now.tick);
        let before = self.queue.len();
        while let Some(request) = self.requests.overdue() {
            self.queue.push(Input::Unanswered(request), 0);
        }
        if self.refill.take_due(now.tick) {
            self.queue.push(Input::CountPrekeys, 0);
        }
        let is_due = since.is_some_and(|since| now.unix.saturating_sub(since) >= rotate_after);
        if is_due && !self.queue.iter().any(|input| matches!(input, Input::Rotate)) {
            self.queue.push(Input::Rotate, 0);
        }
        if self.queue.len() > before {
            self.process(now, rng);
        }
        self.forget_if_idle();
    }

    /// A stanza has come, which has allocated so many bytes with the frame that it was read from.
    pub fn handle_stanza(&mut self, now: Now, stanza: Stanza, bytes: usize, rng: &mut impl CryptoRng) {
        let mut offline = None;
        let input = match stanza {
            Stanza::Message(message) => {
                offline = message.offline;
                Input::Message(Box::new(message))
            }
            Stanza::Receipt(receipt) => {
                offline = receipt.offline;
                Input::Receipt(Box::new(receipt))
            }
            Stanza::Notification(notification) => {
                offline = notification.offline;
                Input::Notification(Box::new(notification))
            }
            Stanza::Ack(ack) => Input::Ack(Box::new(ack)),
            Stanza::Chatstate(state) => Input::Chatstate(Box::new(state)),
            Stanza::Iq(iq) => match self.requests.answered(&iq) {
                Some(request) => Input::Answer(request, Box::new(iq)),
                None => return,
            },
            Stanza::Ib(ib) => return self.handle_ib(now, ib, rng),
            _ => return,
        };
        self.queue.push(input, bytes);
        self.count_offline(offline.is_some());
        self.process(now, rng);
    }

    /// The application wants something; [`poll_accepted`](Self::poll_accepted) tells when it is durable, or
    /// [`poll_refused`](Self::poll_refused) that it never will be.
    pub fn handle_command(&mut self, now: Now, ticket: Ticket, command: Command, rng: &mut impl CryptoRng) {
        match command.measure() {
            Ok(bytes) => {
                self.queue.push(Input::Command(ticket, command), bytes);
                self.process(now, rng);
            }
            Err(error) => self.refused.push_back((ticket, error)),
        }
    }

    /// The transaction that was handed out is durable, and these are the rows that it read.
    ///
    /// # Errors
    /// A row that cannot be read, or no account: drop the messenger.
    pub fn handle_committed(
        &mut self,
        now: Now,
        rows: Rows,
        rng: &mut impl CryptoRng,
    ) -> Result<(), StateError> {
        let sealed = self.in_flight.take().ok_or(StateError::NoTransaction)?;
        // Reads may overlap: a row counts once.
        let rows: BTreeMap<Key, Value> = rows.0.into_iter().collect();
        if sealed.effects.erase {
            self.erase();
            self.tell(sealed.effects.events);
            return Ok(());
        }
        self.requests.tell_time(now.tick);
        self.forget_rows(&sealed);
        self.take_rows(&sealed, &rows)?;
        self.take_logs(&sealed, &rows)?;
        self.release(sealed.effects, sealed.link_number);
        self.process(now, rng);
        self.failed.map_or(Ok(()), Err)
    }

    /// The next transaction to run; none while one is under way.
    #[must_use]
    pub fn poll_transaction(&mut self) -> Option<Transaction> {
        if self.in_flight.is_some() || self.failed.is_some() || self.erased {
            return None;
        }
        let inbox = self.inbox.wanted().filter(|_| self.events.has_room());
        let outbox = self.outbox.wanted().filter(|_| self.may_transmit());
        let wanted = std::mem::take(&mut self.wanted);
        let bytes = self.batch.bytes();
        let batch = self.batch.seal();
        let (erase, sweep) = (batch.effects.erase, batch.effects.sweep);
        if !erase && batch.writes.is_empty() && wanted.is_empty() && inbox.is_none() && outbox.is_none() {
            return None;
        }
        let page = |table: fn(u64) -> Key, page: Page| Read::Page {
            from: table(page.from),
            to: table(page.to),
            limit: PAGE,
            bytes: PAGE_BYTES,
        };
        let mut reads: Vec<Read> = wanted.iter().map(Wanted::read).collect();
        reads.extend(inbox.map(|it| page(Key::inbox, it)));
        reads.extend(outbox.map(|it| page(Key::outbox, it)));
        self.in_flight = Some(Sealed {
            effects: batch.effects,
            account: batch.account,
            wanted,
            inbox,
            outbox,
            link_number: self.link_number,
            bytes,
        });
        Some(Transaction { erase, writes: batch.writes, reads, sweep })
    }

    /// The next stanza for the channel.
    #[must_use]
    pub fn poll_stanza(&mut self) -> Option<EncodedStanza> {
        self.transmits.pop()
    }

    /// The next thing for the application.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.poll_notice().or_else(|| self.events.pop()).or_else(|| self.poll_mailbox_end())
    }

    /// The next answer; [`poll_event`](Self::poll_event) gives it too, before all else.
    #[must_use]
    pub fn poll_notice(&mut self) -> Option<Event> {
        let notice = self.notices.pop_front();
        free_if_empty(&mut self.notices);
        notice
    }

    /// The next command that is durable: what it asked for will happen, whatever crashes.
    #[must_use]
    pub fn poll_accepted(&mut self) -> Option<Ticket> {
        self.accepted.pop_front()
    }

    /// The next command that was not taken, and why.
    #[must_use]
    pub fn poll_refused(&mut self) -> Option<(Ticket, CommandError)> {
        self.refused.pop_front()
    }

    /// Whether rows of the outbox may be handed to the channel: it is not behind. How many are unacked is no reason to
    /// wait: a server may never ack some of them, and those behind are to leave all the same.
    fn may_transmit(&self) -> bool {
        self.transmits.len() < MAX_READY && self.transmits.bytes() < BUDGET / 2
    }

    /// Whether more stanzas may be put in; otherwise run transactions and take out first.
    pub fn wants_input(&self) -> bool {
        self.queue.len() < MAX_QUEUED && self.transmits.len() < MAX_READY && self.held() < BUDGET
    }

    /// Whether more commands may be put in; otherwise run transactions first.
    pub fn wants_commands(&self) -> bool {
        self.queue.len() < MAX_QUEUED && self.queue.bytes() < BUDGET
    }

    /// Bytes that it holds: inputs, rows, uncommitted writes and what they cause, events and stanzas. Rows alone are
    /// forgotten before they are many.
    pub(crate) fn held(&self) -> usize {
        let in_flight = self.in_flight.as_ref().map_or(0, |sealed| sealed.bytes);
        let uncommitted = self.batch.bytes() + in_flight;
        self.queue.bytes() + self.view.bytes() + uncommitted + self.events.bytes() + self.transmits.bytes()
    }

    /// How many inputs were put in and have not been dealt with.
    ///
    /// Nothing stalls: there are none once every `poll_*` has given nothing and no transaction is under way.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether the account was deleted, and every row of it.
    pub fn is_erased(&self) -> bool {
        self.erased
    }

    /// Answers first: the task that waits for one may be the one that should take the rest.
    fn tell(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Answered { .. } => self.notices.push_back(event),
                event => self.events.tell(event),
            }
        }
    }

    /// A frame was no stanza. One that is refused does not come again: the application is told of it durably first.
    pub(crate) fn handle_malformed(
        &mut self,
        now: Now,
        what: BadStanza,
        refusal: Option<Box<Ack>>,
        rng: &mut impl CryptoRng,
    ) {
        match refusal {
            Some(ack) => {
                self.queue.push(Input::Refuse(ack, what.to_string()), REFUSAL);
                self.process(now, rng);
            }
            None => self.events.tell(Event::Malformed(what)),
        }
    }

    /// The account is gone: nothing is kept, and nothing more is done.
    fn erase(&mut self) {
        self.erased = true;
        self.account = None;
        self.batch = Batch::default();
        self.wanted.clear();
        self.queue.clear();
        self.transmits.clear();
        self.view.clear();
        (self.inbox, self.outbox) = (Cursor::default(), Cursor::default());
    }
}

/// What a store must hold before an account's first connection.
pub(crate) fn first_rows(keys: &crate::AccountKeys) -> BTreeMap<Key, Row> {
    let account = Account {
        noise: keys.noise.clone(),
        identity: keys.identity.clone(),
        signed: keys.signed.clone(),
        signed_since: 0,
        signed_pending: false,
        login: None,
    };
    let counters = Counters {
        next_inbox: 0,
        next_outbox: 0,
        next_content: 0,
        prekeys: PrekeyIds::default(),
        swept: None,
        has_names: false,
    };
    BTreeMap::from([
        (Key::account(), Row::Account(Box::new(account))),
        (Key::counters(), Row::Counters(counters)),
        (Key::signed_prekey(keys.signed.id), Row::Prekey(keys.signed_prekey.clone())),
    ])
}
