//! Sending: content to ciphertext to outbox; what has no session waits as rows (seed §3.1).

use rand_core::CryptoRng;
use wa_binary::Jid;
use wa_keys::{PublicKey, Signature};
use wa_signal::Trust;
use wa_stanza::{Ack, Iq, PrekeyBundles};

use crate::event::NoSession;
use crate::key::Key;
use crate::messenger::conversation::{Conversation, put_inbox};
use crate::messenger::input::Context;
use crate::messenger::requests::Request;
use crate::messenger::view::{Draft, Stop, View};
use crate::row::{InboxEntry, InboxItem, Row, Waiting};
use crate::{Command, Content, Event, MessageId, Ticket};

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
        if view.has(&sent)? {
            return Ok(Draft::default());
        }
        let mut conversation = Conversation::load(view, to, Draft::default())?;
        let message = Waiting { id: id.0.clone(), content: content.encode() };
        if conversation.session.can_encrypt(self.now.unix) {
            conversation.send(self, view, &message, rng)?;
        } else {
            conversation.wait(self, message);
            if !self.fetching.contains(to) {
                conversation.draft.requests.push(Request::Bundle(to.clone()));
            }
        }
        Ok(conversation.finish())
    }

    /// A peer's bundle has come: a session begins and what waited goes out.
    pub(crate) fn receive_bundle(
        &self,
        view: &View,
        peer: &Jid,
        iq: &Iq,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        let draft = Draft { fetched: Some(peer.clone()), ..Draft::default() };
        let mut conversation = Conversation::load(view, peer, draft)?;
        let identity = &view.account()?.identity.key;
        let begun = read_bundle(iq, peer).and_then(|bundle| {
            Ok(conversation.session.establish(identity, &bundle, &Trust::Any, self.now.unix, rng)?)
        });
        if let Err(why) = begun {
            conversation.draft.events.push(Event::NoSession { peer: peer.clone(), why });
            return Ok(conversation.draft);
        }
        conversation.send_waiting(self, view, rng)?;
        Ok(conversation.finish())
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
            let mut counters = view.counters()?;
            put_inbox(&mut draft, &mut counters, entry);
            draft.put(Key::counters(), Row::Counters(counters));
        }
        Ok(draft)
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
