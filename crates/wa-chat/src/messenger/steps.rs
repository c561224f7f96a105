//! One input, one step: a pure function over loaded rows that gives a draft, asks for rows, or finds a corrupt one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand_core::CryptoRng;
use wa_binary::Jid;
use wa_profile::Profile;
use wa_stanza::{Ack, Ib, Iq};

use crate::key::{Key, Table};
use crate::messenger::conversation::put_inbox;
use crate::messenger::input::Input;
use crate::messenger::state::draft::Draft;
use crate::messenger::state::refill::Refill;
use crate::messenger::state::requests::Request;
use crate::messenger::state::unacked::Unacked;
use crate::messenger::state::view::{Stop, View};
use crate::row::{InboxEntry, InboxItem, Row};
use crate::{Event, IdentityPolicy, NoAnswer, NoSession, Now};

mod ack;
mod ask;
mod bundles;
mod command;
mod devices;
mod message;
mod notification;
mod prekeys;
mod receipt;
mod retry;

/// Seconds by which the date that rows are swept by moves at a login, at most.
const SWEPT_AT_ONCE: u64 = 7 * 24 * 60 * 60;

/// Characters of a text of the server's that is kept.
const MAX_TOLD: usize = 128;

/// What every step may know, and where its randomness comes from.
pub(super) struct Step<'a> {
    pub(super) profile: &'a Profile,
    pub(super) policy: IdentityPolicy,
    /// Users whose devices or bundles are on their way.
    pub(super) fetching: &'a BTreeSet<Jid>,
    /// Users of whom something is announced that is not durable yet.
    pub(super) announcing: &'a BTreeMap<Jid, u32>,
    /// What left on this connection and has not been acked.
    pub(super) unacked: &'a Unacked,
    /// What the application was told and has not confirmed.
    pub(super) unconfirmed: &'a VecDeque<u64>,
    pub(super) refill: Refill,
    pub(super) now: Now,
    pub(super) view: &'a View,
    pub(super) rng: &'a mut dyn CryptoRng,
}

impl Step<'_> {
    pub(super) fn run(&mut self, input: &Input) -> Result<Draft, Stop> {
        match input {
            Input::Message(message) => self.receive_message(message),
            Input::Receipt(receipt) => self.receive_receipt(receipt),
            Input::Ack(ack) => self.receive_ack(ack),
            Input::Notification(notification) => self.receive_notification(notification),
            Input::Chatstate(state) => self.receive_chatstate(state),
            Input::Answer(request, iq) => self.receive_answer(request, iq),
            Input::Unanswered(request) => Ok(unanswered(request)),
            Input::Command(ticket, command) => self.command(*ticket, command),
            Input::LinkUp { server_time } => self.link_up(*server_time),
            Input::Pull => Ok(self.pull()),
            Input::MailboxEnd(stanzas) => Ok(Draft::ending_mailbox(*stanzas)),
            Input::Wake(user) | Input::Announced(user) => self.wake(user),
            Input::Rotate => self.rotate(),
            Input::CountPrekeys => Ok(count_prekeys()),
            Input::SetAside(key, told) => self.set_aside(key, told),
            Input::Refuse(ack, why) => self.refuse(ack, why),
            Input::Known(known) => Ok(Draft::of(Key::server(), Row::Server(known.clone()))),
        }
    }

    fn receive_answer(&mut self, request: &Request, iq: &Iq) -> Result<Draft, Stop> {
        match request {
            Request::Devices { user, named } => self.receive_devices(user, named, iq),
            Request::Bundles { user, named, devices } => self.receive_bundles(user, named, devices, iq),
            Request::PrekeyCount => self.receive_prekey_count(iq),
            Request::PrekeyUpload(_, last) => self.receive_uploaded(iq, *last),
            Request::Rotation(rotation) => self.receive_rotated(iq, rotation.signed.id),
            Request::Ask(ticket, ask) => Ok(self.receive_asked(*ticket, ask, iq)),
        }
    }

    /// The start of a connection: the mailbox, the prekeys, the users for whose bundles something waits, and what is old.
    fn link_up(&mut self, server_time: Option<u64>) -> Result<Draft, Stop> {
        self.view.need([Key::account(), Key::counters()])?;
        let wake = self.view.peers_waiting()?;
        let mut draft = self.rotate()?;
        if let Some(time) = server_time {
            self.sweep(time, &mut draft)?;
        }
        draft.effects.join(self.pull().effects);
        draft.request(Request::PrekeyCount);
        draft.wake = wake;
        Ok(draft)
    }

    /// The application is told of a stanza before the server, who does not bring it again.
    fn refuse(&self, ack: &Ack, why: &str) -> Result<Draft, Stop> {
        let (mut draft, mut counters) = (Draft::default(), self.view.counters()?);
        let peer = ack.to.clone().map_or_else(Jid::whatsapp, Jid::without_device);
        let (stanza, why) = (shortened(&ack.class), shortened(why));
        let what = InboxItem::Refused { stanza, why };
        put_inbox(&mut draft, &mut counters, InboxEntry { peer, ids: vec![shortened(&ack.id)], what });
        draft.put_counters(counters);
        draft.transmit(ack.clone());
        Ok(draft)
    }

    /// A row goes, unless it was written anew since, and the application is told.
    fn set_aside(&self, key: &Key, told: &InboxEntry) -> Result<Draft, Stop> {
        self.view.need([Key::counters(), key.clone()])?;
        let (mut draft, mut counters) = (Draft::default(), self.view.counters()?);
        if key.table() != Some(Table::Peer) || !self.view.has(key)? {
            draft.delete(key.clone());
        }
        put_inbox(&mut draft, &mut counters, told.clone());
        draft.put_counters(counters);
        Ok(draft)
    }

    /// What expired before our clock's date and the server's may go. Neither is believed alone, nor both for more than a
    /// week at once: a wrong date can be mended before much is lost.
    fn sweep(&self, server_time: u64, draft: &mut Draft) -> Result<(), Stop> {
        let mut counters = self.view.counters()?;
        let both = self.now.unix.min(server_time);
        let last = counters.swept.unwrap_or(both);
        let date = both.clamp(last, last.saturating_add(SWEPT_AT_ONCE));
        counters.swept = Some(date);
        draft.put_counters(counters);
        draft.effects.sweep = Some(date);
        Ok(())
    }

    fn pull(&self) -> Draft {
        let mut draft = Draft::default();
        draft.transmit(Ib::offline_batch(self.profile.chat.offline_batch));
        draft
    }
}

/// The beginning of a text that came from the server.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(MAX_TOLD).collect()
}

pub(super) fn count_prekeys() -> Draft {
    let mut draft = Draft::default();
    draft.request(Request::PrekeyCount);
    draft
}

/// Tells those who wait for the answer. What asks for prekeys is asked again by the next connection.
fn unanswered(request: &Request) -> Draft {
    let mut draft = Draft { fetched: request.fetched_user().cloned(), ..Draft::default() };
    draft.uploaded = matches!(request, Request::PrekeyUpload(..));
    draft.counted = matches!(request, Request::PrekeyCount);
    match request {
        Request::Devices { user, .. } | Request::Bundles { user, .. } => {
            draft.tell(Event::NoSession { peer: user.clone(), why: NoSession::Unanswered });
        }
        Request::Ask(ticket, _) => {
            draft.tell(Event::Answered { ticket: *ticket, answer: Err(NoAnswer::Late) });
        }
        Request::PrekeyCount | Request::PrekeyUpload(..) | Request::Rotation(_) => {}
    }
    draft
}
