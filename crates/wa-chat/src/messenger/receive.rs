//! Receiving: ciphertext to inbox, each message once, acked only after its commit (seed §3.2).

use bytes::Bytes;
use rand_core::CryptoRng;
use wa_binary::Jid;
use wa_signal::{DecryptError, Decrypted, PreKeyMessage, Prekeys, SessionRecord, SignalMessage, Trust};
use wa_stanza::{Ack, Enc, EncKind, Message, Notification, NotificationContent, Receipt, ReceiptKind};

use crate::content::unpad;
use crate::key::Key;
use crate::messenger::conversation::{Conversation, put_inbox};
use crate::messenger::input::Context;
use crate::messenger::view::{Draft, Stop, View};
use crate::row::{InboxEntry, InboxItem, Row};
use crate::{Event, MessageId, Undecryptable};

impl Context<'_> {
    pub(crate) fn receive_message(
        &self,
        view: &View,
        message: &Message,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        let mut draft = Draft { transmits: vec![Ack::from(message).into()], ..Draft::default() };
        let Some(peer) = &message.from else { return Ok(draft) };
        let seen = Key::seen(peer, &message.id);
        view.need([Key::account(), Key::counters(), Key::peer(peer), seen.clone()])?;
        let delivered = Receipt::for_message(message, ReceiptKind::Delivery);
        if view.has(&seen)? {
            // It was committed before, and this is the same message again.
            draft.transmits.splice(0..0, delivered.map(Into::into));
            return Ok(draft);
        }
        let mut conversation = Conversation::load(view, peer, draft)?;
        let could_encrypt = conversation.session.can_encrypt(self.now.unix);
        let decrypted = match self.decrypt(view, message, &mut conversation.session, rng)? {
            Ok(decrypted) => decrypted,
            Err(Undecryptable::Decrypt(DecryptError::Duplicate { .. })) => return Ok(conversation.draft),
            Err(why) => {
                conversation.draft.events.push(undecryptable(peer, message, why));
                return Ok(conversation.draft);
            }
        };
        conversation.remember_seen(self, &message.id);
        if let Some(used) = decrypted.used_one_time_prekey {
            conversation.draft.delete(Key::prekey(used));
        }
        match unpad(decrypted.plaintext) {
            Some(content) => {
                conversation.draft.transmits.splice(0..0, delivered.map(Into::into));
                let timestamp = message.t.unwrap_or(self.now.unix);
                let what = InboxItem::Message { content: Bytes::from(content), timestamp };
                let entry = InboxEntry { peer: peer.clone(), ids: vec![message.id.to_string()], what };
                conversation.put_inbox(entry);
            }
            None => {
                // It is authentic, so the ratchet moves on all the same.
                let why = Undecryptable::Padding;
                conversation.draft.events.push(undecryptable(peer, message, why));
            }
        }
        if !could_encrypt {
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

    pub(crate) fn receive_receipt(&self, view: &View, receipt: &Receipt) -> Result<Draft, Stop> {
        let mut draft = Draft { transmits: vec![Ack::from(receipt).into()], ..Draft::default() };
        if let (Some(peer), ReceiptKind::Delivery) = (&receipt.from, &receipt.kind) {
            let mut counters = view.counters()?;
            let ids = receipt.ids().map(ToString::to_string).collect();
            put_inbox(
                &mut draft,
                &mut counters,
                InboxEntry { peer: peer.clone(), ids, what: InboxItem::Delivered },
            );
            draft.put(Key::counters(), Row::Counters(counters));
        }
        Ok(draft)
    }

    pub(crate) fn receive_notification(
        &self,
        view: &View,
        notification: &Notification,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        let mut draft = match notification.content {
            NotificationContent::PrekeysLeft { value } => self.look_after_prekeys(view, value, rng)?,
            _ => Draft::default(),
        };
        draft.transmits.push(Ack::from(notification).into());
        Ok(draft)
    }
}

fn undecryptable(peer: &Jid, message: &Message, why: Undecryptable) -> Event {
    Event::Undecryptable { from: peer.clone(), id: MessageId(message.id.to_string()), why }
}
