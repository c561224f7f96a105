//! Sending: content to ciphertext to outbox; what has no session waits as rows (seed §3.1).

use rand_core::CryptoRng;
use wa_binary::{EncodeOptions, Jid, Node};
use wa_keys::{PublicKey, Signature};
use wa_signal::{Ciphertext, Kind, SessionRecord, Trust};
use wa_stanza::{Ack, Enc, EncKind, Iq, Message, MessageKind, PrekeyBundles};

use crate::content::pad;
use crate::event::NoSession;
use crate::key::Key;
use crate::messenger::Context;
use crate::messenger::requests::Request;
use crate::messenger::view::{Draft, Stop, View};
use crate::row::{Counters, InboxEntry, InboxItem, Row, Waiting};
use crate::{Command, Content, Event, MessageId, Ticket};

/// Seconds for which a message's id is remembered.
pub(crate) const REMEMBER: u64 = 30 * 24 * 60 * 60;

/// The number of a message that still waits for its session.
const NOT_NUMBERED: u64 = u64::MAX;

impl Context<'_> {
    pub(crate) fn command(
        &self,
        view: &View,
        ticket: Ticket,
        command: &Command,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        let mut draft = match command {
            Command::Send { to, id, content } => self.send(view, to, id, content, rng)?,
            Command::Confirm(event) => {
                let mut draft = Draft::default();
                draft.delete(Key::inbox(event.0));
                draft
            }
            Command::Enlisted(login) => {
                let mut account = view.account()?.clone();
                account.login = Some(login.clone());
                let mut draft = Draft::default();
                draft.put(Key::account(), Row::Account(Box::new(account)));
                draft
            }
        };
        draft.accepted = Some(ticket);
        Ok(draft)
    }

    fn send(
        &self,
        view: &View,
        to: &Jid,
        id: &MessageId,
        content: &Content,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        let sent = Key::sent(to, &id.0);
        view.need([Key::account(), Key::counters(), Key::peer(to), sent.clone()])?;
        let mut draft = Draft::default();
        if view.has(&sent)? {
            return Ok(draft);
        }
        let (mut session, mut counters) = (view.session(to)?, view.counters()?);
        let waiting = Waiting { id: id.0.clone(), content: content.encode() };
        if session.can_encrypt(self.now.unix) {
            self.encrypt(view, &mut draft, to, &mut session, &mut counters, &waiting, rng)?;
            draft.put(Key::peer(to), Row::Peer(Box::new(session)));
        } else {
            draft.put(Key::waiting(to, counters.next_outbox), Row::Waiting(waiting));
            draft.put_until(sent, Row::Sent(NOT_NUMBERED), self.now.unix + REMEMBER);
            counters.next_outbox += 1;
            if !self.fetching.contains(to) {
                draft.requests.push(Request::Bundle(to.clone()));
            }
        }
        draft.put(Key::counters(), Row::Counters(counters));
        Ok(draft)
    }

    /// Encrypts one message into the outbox. The ciphertext stands there until the server has acked it.
    #[expect(clippy::too_many_arguments, reason = "the values that one message changes, all of them")]
    fn encrypt(
        &self,
        view: &View,
        draft: &mut Draft,
        to: &Jid,
        session: &mut SessionRecord,
        counters: &mut Counters,
        waiting: &Waiting,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Stop> {
        let local = &view.account()?.identity;
        let padded = pad(&waiting.content, &self.profile.encryption.padding, rng);
        // The session can encrypt: that was asked before.
        let Ok(Ciphertext { kind, bytes }) = session.encrypt(local, &padded, self.now.unix) else {
            return Ok(());
        };
        let kind = if kind == Kind::PreKey { EncKind::PkMsg } else { EncKind::Msg };
        let message = Message::new(to.clone(), &*waiting.id, MessageKind::Text, Enc::new(kind, bytes));
        let stanza = wa_binary::encode(&Node::from(message.clone()), &EncodeOptions::new());
        // A message of ours is within the format; one with an empty id is not, and is dropped here.
        let Ok(stanza) = stanza else { return Ok(()) };
        let number = counters.next_outbox;
        counters.next_outbox += 1;
        draft.put(Key::outbox(number), Row::Outbox(stanza.into()));
        draft.put_until(Key::sent(to, &waiting.id), Row::Sent(number), self.now.unix + REMEMBER);
        draft.outbox.push((number, message));
        Ok(())
    }

    /// Encrypts everything that waited for a session with this peer, in its order.
    pub(crate) fn send_waiting(
        &self,
        view: &View,
        draft: &mut Draft,
        to: &Jid,
        session: &mut SessionRecord,
        counters: &mut Counters,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Stop> {
        for (key, waiting) in view.waiting(to)? {
            self.encrypt(view, draft, to, session, counters, waiting, rng)?;
            draft.delete(key.clone());
        }
        Ok(())
    }

    /// A peer's bundle has come: a session begins and what waited goes out.
    pub(crate) fn receive_bundle(
        &self,
        view: &View,
        peer: &Jid,
        iq: &Iq,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        view.need([Key::account(), Key::counters(), Key::peer(peer)])?;
        let mut draft = Draft { fetched: Some(peer.clone()), ..Draft::default() };
        let (mut session, mut counters) = (view.session(peer)?, view.counters()?);
        let identity = &view.account()?.identity.key;
        let begun = read_bundle(iq, peer)
            .and_then(|bundle| Ok(session.establish(identity, &bundle, &Trust::Any, self.now.unix, rng)?));
        match begun {
            Ok(()) => {
                self.send_waiting(view, &mut draft, peer, &mut session, &mut counters, rng)?;
                draft.put(Key::peer(peer), Row::Peer(Box::new(session)));
                draft.put(Key::counters(), Row::Counters(counters));
            }
            Err(why) => draft.events.push(Event::NoSession { peer: peer.clone(), why }),
        }
        Ok(draft)
    }

    /// The server has a message of ours, or refuses it for good: it leaves the outbox.
    pub(crate) fn receive_ack(&self, view: &View, ack: &Ack) -> Result<Draft, Stop> {
        let (Some(peer), "message") = (&ack.from, &*ack.class) else { return Ok(Draft::default()) };
        let sent = Key::sent(peer, &ack.id);
        view.need([Key::counters(), sent.clone()])?;
        let mut draft = Draft::default();
        let Some(number) = view.sent(&sent)? else { return Ok(draft) };
        draft.delete(Key::outbox(number));
        if let Some(code) = ack.error {
            let ids = vec![ack.id.to_string()];
            let entry = InboxEntry { peer: peer.clone(), ids, what: InboxItem::Rejected { code } };
            self.put_inbox(view, &mut draft, entry)?;
        }
        Ok(draft)
    }

    /// Appends to the inbox.
    pub(crate) fn put_inbox(&self, view: &View, draft: &mut Draft, entry: InboxEntry) -> Result<(), Stop> {
        let mut counters = view.counters()?;
        let number = counters.next_inbox;
        counters.next_inbox += 1;
        draft.put(Key::counters(), Row::Counters(counters));
        draft.put(Key::inbox(number), Row::Inbox(entry.clone()));
        draft.inbox.push((number, entry));
        Ok(())
    }
}

fn read_bundle(iq: &Iq, peer: &Jid) -> Result<wa_signal::Bundle, NoSession> {
    if let wa_stanza::IqKind::Error(error) = &iq.kind {
        return Err(NoSession::Refused(error.code));
    }
    let users = PrekeyBundles::try_from(iq).map_err(|_| NoSession::Unreadable)?.users;
    let user = users.into_iter().find(|user| user.jid == *peer).ok_or(NoSession::Unreadable)?;
    let bundle = user.bundle.map_err(|error| NoSession::Refused(error.code))?;
    Ok(wa_signal::Bundle {
        registration_id: bundle.registration,
        identity: PublicKey::from_bytes(bundle.identity),
        signed_prekey: wa_signal::SignedPrekey {
            id: bundle.signed.id.value(),
            key: PublicKey::from_bytes(bundle.signed.value),
            signature: Signature::from_bytes(bundle.signed.signature),
        },
        one_time_prekey: bundle.one_time.map(|key| (key.id.value(), PublicKey::from_bytes(key.value))),
    })
}
