//! Receiving: ciphertext to inbox, each message once, acked only after its commit (seed §3.2).

use bytes::Bytes;
use rand_core::CryptoRng;
use wa_binary::{Jid, Node};
use wa_signal::{DecryptError, Decrypted, PreKeyMessage, Prekeys, SessionRecord, SignalMessage, Trust};
use wa_stanza::{
    Ack, Chatstate, Enc, EncKind, Message, Notification, NotificationContent, Receipt, ReceiptKind,
};

use crate::content::unpad;
use crate::key::Key;
use crate::messenger::conversation::{Conversation, put_inbox};
use crate::messenger::input::Context;
use crate::messenger::view::{Draft, Stop, View};
use crate::row::{InboxEntry, InboxItem};
use crate::{Event, MessageId, Status, Undecryptable};

impl Context<'_> {
    pub(crate) fn receive_message(
        &self,
        view: &View,
        message: &Message,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        let mut draft = Draft { transmits: vec![Ack::from(message).into()], ..Draft::default() };
        let Some(address) = &message.from else { return Ok(draft) };
        let user = address.clone().without_device();
        let seen = Key::seen(&user, &message.id);
        view.need([Key::account(), Key::counters(), Key::peer(address), seen.clone()])?;
        let delivered = Receipt::for_message(message, ReceiptKind::Delivery);
        if view.has(&seen)? {
            // It was committed before, and this is the same message again.
            draft.transmits.splice(0..0, delivered.map(Into::into));
            return Ok(draft);
        }
        let mut conversation = Conversation::load(self, view, address, draft)?;
        let was_ready = conversation.is_ready(self);
        let known = conversation.session(address).identity();
        let decrypted = match self.decrypt(view, message, conversation.session(address), rng)? {
            Ok(decrypted) => decrypted,
            Err(Undecryptable::Decrypt(DecryptError::Duplicate { .. })) => return Ok(conversation.draft),
            Err(why) => return self.ask_again(view, message, address, why, conversation.draft, rng),
        };
        conversation.remember_seen(self, &message.id);
        conversation.learn_device(address.device());
        if let Some(used) = decrypted.used_one_time_prekey {
            conversation.draft.delete(Key::prekey(used));
        }
        if known.is_some_and(|known| known != decrypted.identity) {
            let what = InboxItem::Identity { key: Some(decrypted.identity) };
            conversation.put_inbox(InboxEntry { peer: user.clone(), ids: Vec::new(), what });
        }
        match unpad(decrypted.plaintext) {
            Some(content) => {
                conversation.draft.transmits.splice(0..0, delivered.map(Into::into));
                let timestamp = message.t.unwrap_or(self.now.unix);
                let what = InboxItem::Message { content: Bytes::from(content), timestamp };
                conversation.put_inbox(InboxEntry { peer: user, ids: vec![message.id.to_string()], what });
            }
            // It is authentic, so the ratchet moves on all the same, and sending it again would not help.
            None => {
                conversation.draft.events.push(undecryptable(message, user, Undecryptable::Padding, None))
            }
        }
        if !was_ready && conversation.is_ready_for(self, address) {
            // The peer has begun a session itself: what waited for its bundle needs it no longer.
            conversation.send_waiting(self, view, rng)?;
        }
        Ok(conversation.finish())
    }

    /// Decrypts on a copy of the session; the outer error asks for rows, the inner one is the message's fault.
    fn decrypt(
        &self,
        view: &View,
        message: &Message,
        session: &mut SessionRecord,
        rng: &mut impl CryptoRng,
    ) -> Result<Result<Decrypted, Undecryptable>, Stop> {
        let [Enc { v: 2, kind, ciphertext, .. }] = message.encs.as_slice() else {
            return Ok(Err(Undecryptable::NoEnc));
        };
        match kind {
            EncKind::Msg => Ok(SignalMessage::decode(ciphertext.clone())
                .map_err(Undecryptable::from)
                .and_then(|message| Ok(session.decrypt(&message, &Trust::Any, rng)?))),
            EncKind::PkMsg => match PreKeyMessage::decode(ciphertext.clone()) {
                Ok(message) => self.decrypt_prekey(view, &message, session, rng),
                Err(error) => Ok(Err(error.into())),
            },
            _ => Ok(Err(Undecryptable::NoEnc)),
        }
    }

    fn decrypt_prekey(
        &self,
        view: &View,
        message: &PreKeyMessage,
        session: &mut SessionRecord,
        rng: &mut impl CryptoRng,
    ) -> Result<Result<Decrypted, Undecryptable>, Stop> {
        let signed = Key::signed_prekey(message.signed_prekey_id);
        let one_time = message.one_time_prekey_id.map(Key::prekey);
        view.need([signed.clone(), one_time.clone().unwrap_or_else(|| signed.clone())])?;
        let Some(signed) = view.prekey(&signed)? else {
            return Ok(Err(Undecryptable::NoSignedPrekey(message.signed_prekey_id)));
        };
        let one_time = match &one_time {
            Some(key) => view.prekey(key)?,
            None => None,
        };
        let prekeys = Prekeys { signed, one_time };
        let identity = &view.account()?.identity.key;
        let decrypted = session.decrypt_prekey(identity, prekeys, message, &Trust::Any, rng);
        Ok(decrypted.map_err(Undecryptable::from))
    }

    pub(crate) fn receive_receipt(
        &self,
        view: &View,
        receipt: &Receipt,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        let mut draft = Draft { transmits: vec![Ack::from(receipt).into()], ..Draft::default() };
        let Some(peer) = &receipt.from else { return Ok(draft) };
        let status = match &receipt.kind {
            ReceiptKind::Delivery => Status::Delivered,
            ReceiptKind::Read => Status::Read,
            ReceiptKind::Played => Status::Played,
            ReceiptKind::ServerError => Status::MediaUnavailable,
            ReceiptKind::Retry(retry) => return self.send_again(view, receipt, retry, draft, rng),
            _ => return Ok(draft),
        };
        let mut counters = view.counters()?;
        let ids = receipt.ids().map(ToString::to_string).collect();
        let what = InboxItem::Receipt { status, timestamp: receipt.t };
        let entry = InboxEntry { peer: peer.clone().without_device(), ids, what };
        put_inbox(&mut draft, &mut counters, entry);
        draft.put_counters(counters);
        Ok(draft)
    }

    pub(crate) fn receive_notification(
        &self,
        view: &View,
        notification: &Notification,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        let mut draft = match &notification.content {
            NotificationContent::PrekeysLeft { value } => self.look_after_prekeys(view, *value, rng)?,
            NotificationContent::IdentityChanged => self.forget_sessions(view, &notification.from)?,
            // The list of devices is asked for again with the next message (observed: type `devices`).
            _ if notification.kind == *"devices" => {
                let mut draft = Draft::default();
                draft.delete(Key::devices(&notification.from.clone().without_device()));
                draft
            }
            _ => notify(view, notification)?,
        };
        draft.transmits.push(Ack::from(notification).into());
        Ok(draft)
    }

    /// The peer has another identity: the next message needs its new keys.
    fn forget_sessions(&self, view: &View, address: &Jid) -> Result<Draft, Stop> {
        let mut conversation = Conversation::load(self, view, address, Draft::default())?;
        let user = conversation.user.clone();
        conversation.archive_all();
        let entry =
            InboxEntry { peer: user.clone(), ids: Vec::new(), what: InboxItem::Identity { key: None } };
        conversation.put_inbox(entry);
        conversation.draft.delete(Key::devices(&user));
        Ok(conversation.finish())
    }

    pub(crate) fn receive_chatstate(&self, state: &Chatstate) -> Draft {
        let shown = state
            .from
            .clone()
            .map(|from| Event::Typing { from: from.without_device(), typing: state.typing });
        Draft { events: shown.into_iter().collect(), ..Draft::default() }
    }
}

/// What is not modelled is shown whole.
fn notify(view: &View, notification: &Notification) -> Result<Draft, Stop> {
    let (mut draft, mut counters) = (Draft::default(), view.counters()?);
    let what = InboxItem::Notification { node: Node::from(notification.clone()) };
    put_inbox(
        &mut draft,
        &mut counters,
        InboxEntry { peer: notification.from.clone(), ids: Vec::new(), what },
    );
    draft.put_counters(counters);
    Ok(draft)
}

pub(super) fn undecryptable(message: &Message, from: Jid, why: Undecryptable, asked: Option<u32>) -> Event {
    Event::Undecryptable { from, id: MessageId(message.id.to_string()), why, asked }
}
