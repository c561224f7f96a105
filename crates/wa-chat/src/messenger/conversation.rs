//! One peer's session and the counters, taken out of their rows to be changed together, and the draft they end in.

use rand_core::CryptoRng;
use wa_binary::{EncodeOptions, Jid, Node};
use wa_signal::{Ciphertext, Kind, SessionRecord};
use wa_stanza::{Enc, EncKind, Message, MessageKind};

use crate::content::pad;
use crate::key::Key;
use crate::messenger::input::Context;
use crate::messenger::view::{Draft, Stop, View};
use crate::row::{Counters, InboxEntry, Row, Waiting};

/// Seconds for which a message's id is remembered.
const REMEMBER: u64 = 30 * 24 * 60 * 60;

/// The number of a message that still waits for its session.
const NOT_NUMBERED: u64 = u64::MAX;

/// What a step with one peer changes.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) peer: Jid,
    pub(crate) session: SessionRecord,
    counters: Counters,
    pub(crate) draft: Draft,
}

impl Conversation {
    /// With the rows as they are; they must be loaded.
    pub(crate) fn load(view: &View, peer: &Jid, draft: Draft) -> Result<Self, Stop> {
        view.need([Key::account(), Key::counters(), Key::peer(peer)])?;
        let (session, counters) = (view.session(peer)?, view.counters()?);
        Ok(Self { peer: peer.clone(), session, counters, draft })
    }

    /// Encrypts one message into the outbox. The ciphertext stands there until the server has acked it.
    pub(crate) fn send(
        &mut self,
        context: &Context<'_>,
        view: &View,
        message: &Waiting,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Stop> {
        let padded = pad(&message.content, &context.profile.encryption.padding, rng);
        let local = &view.account()?.identity;
        // That the session can encrypt was asked before.
        let Ok(Ciphertext { kind, bytes }) = self.session.encrypt(local, &padded, context.now.unix) else {
            return Ok(());
        };
        let kind = if kind == Kind::PreKey { EncKind::PkMsg } else { EncKind::Msg };
        let enc = Enc::new(kind, bytes);
        let stanza = Message::new(self.peer.clone(), &*message.id, MessageKind::Text, enc);
        // A message of ours is within the format; one with an empty id is not, and is dropped here.
        let Ok(encoded) = wa_binary::encode(&Node::from(stanza.clone()), &EncodeOptions::new()) else {
            return Ok(());
        };
        let number = self.counters.next_outbox;
        self.counters.next_outbox += 1;
        self.draft.put(Key::outbox(number), Row::Outbox(encoded.into()));
        self.remember_sent(context, &message.id, number);
        self.draft.outbox.push((number, stanza));
        Ok(())
    }

    /// Encrypts everything that waited for a session with this peer, in its order.
    pub(crate) fn send_waiting(
        &mut self,
        context: &Context<'_>,
        view: &View,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Stop> {
        for (key, message) in view.waiting(&self.peer)? {
            self.send(context, view, message, rng)?;
            self.draft.delete(key.clone());
        }
        Ok(())
    }

    /// Keeps a message until there is a session.
    pub(crate) fn wait(&mut self, context: &Context<'_>, message: Waiting) {
        self.remember_sent(context, &message.id, NOT_NUMBERED);
        self.draft.put(Key::waiting(&self.peer, self.counters.next_outbox), Row::Waiting(message));
        self.counters.next_outbox += 1;
    }

    /// Marks a message of the peer's as decrypted.
    pub(crate) fn remember_seen(&mut self, context: &Context<'_>, id: &str) {
        self.draft.put_until(Key::seen(&self.peer, id), Row::Seen, context.now.unix + REMEMBER);
    }

    /// Appends to the inbox.
    pub(crate) fn put_inbox(&mut self, entry: InboxEntry) {
        put_inbox(&mut self.draft, &mut self.counters, entry);
    }

    /// The draft with the changed rows in it.
    pub(crate) fn finish(mut self) -> Draft {
        self.draft.put(Key::peer(&self.peer), Row::Peer(Box::new(self.session)));
        self.draft.put(Key::counters(), Row::Counters(self.counters));
        self.draft
    }

    fn remember_sent(&mut self, context: &Context<'_>, id: &str, number: u64) {
        let until = context.now.unix + REMEMBER;
        self.draft.put_until(Key::sent(&self.peer, id), Row::Sent(number), until);
    }
}

/// Appends to the inbox; the counters are the caller's to put.
pub(crate) fn put_inbox(draft: &mut Draft, counters: &mut Counters, entry: InboxEntry) {
    let number = counters.next_inbox;
    counters.next_inbox += 1;
    draft.put(Key::inbox(number), Row::Inbox(entry.clone()));
    draft.inbox.push((number, entry));
}
