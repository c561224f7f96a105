//! A message comes: ciphertext to inbox, each message once, acked only after its commit (seed §3.2).

use bytes::Bytes;
use wa_binary::Jid;
use wa_signal::{DecryptError, Decrypted, PreKeyMessage, Prekeys, SessionRecord, SignalMessage, Trust};
use wa_stanza::{Ack, Enc, EncKind, Message, Receipt, ReceiptKind};

use crate::content::unpad;
use crate::key::Key;
use crate::messenger::conversation::{Conversation, keys_of};
use crate::messenger::state::draft::Draft;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::row::InboxItem;
use crate::{Event, MessageId, Undecryptable};

impl Step<'_> {
    pub(super) fn receive_message(&mut self, message: &Message) -> Result<Draft, Stop> {
        let (mut draft, ack) = (Draft::default(), Ack::from(message));
        let Some(address) = &message.from else {
            draft.answer(None, ack);
            return Ok(draft);
        };
        let seen = Key::seen(&address.clone().without_device(), &message.id);
        let own = [Key::account(), Key::counters(), seen.clone()];
        self.view.need(own.into_iter().chain(keys_of(address)))?;
        let delivered = Receipt::for_message(message, ReceiptKind::Delivery);
        if self.view.has(&seen)? {
            // It was committed before, and this is the same message again.
            draft.answer(delivered, ack);
            return Ok(draft);
        }
        let mut conversation = Conversation::load(self, address, draft)?;
        let was_ready = conversation.is_ready(self);
        match self.decrypt(message, conversation.session(address))? {
            Ok(decrypted) => {
                conversation.notice_identity(address, decrypted.identity);
                let is_shown = self.take_in(&mut conversation, message, decrypted);
                conversation.draft.answer(delivered.filter(|_| is_shown), ack);
            }
            Err(Undecryptable::Decrypt(DecryptError::Duplicate { .. })) => {
                conversation.draft.answer(None, ack);
                return Ok(conversation.draft);
            }
            Err(why) => return self.ask_again(message, why, conversation.draft),
        }
        if !was_ready && conversation.is_ready_for(self, address) {
            // The peer has begun a session itself: what waited for its bundle needs it no longer.
            conversation.send_waiting(self)?;
        }
        Ok(conversation.finish())
    }

    /// What an authentic message changes. Says whether it is shown.
    fn take_in(&self, conversation: &mut Conversation, message: &Message, decrypted: Decrypted) -> bool {
        conversation.remember_seen(self, &message.id);
        conversation.learn_device(message.from.as_ref().map_or(0, Jid::device));
        if let Some(used) = decrypted.used_one_time_prekey {
            conversation.draft.delete(Key::prekey(used));
        }
        let Some(content) = unpad(decrypted.plaintext) else {
            // The ratchet moves on all the same, and sending it again would not help.
            let from = conversation.user.clone();
            conversation.draft.tell(undecryptable(message, from, Undecryptable::Padding, None));
            return false;
        };
        let timestamp = message.t.unwrap_or(self.now.unix);
        let what = InboxItem::Message { content: Bytes::from(content), timestamp };
        conversation.put_inbox(vec![message.id.to_string()], what);
        true
    }

    /// Decrypts on a copy of the session; the outer error asks for rows, the inner one is the message's fault.
    fn decrypt(
        &mut self,
        message: &Message,
        session: &mut SessionRecord,
    ) -> Result<Result<Decrypted, Undecryptable>, Stop> {
        let [Enc { v: 2, kind, ciphertext, .. }] = message.encs.as_slice() else {
            return Ok(Err(Undecryptable::NoEnc));
        };
        match kind {
            EncKind::Msg => Ok(SignalMessage::decode(ciphertext.clone())
                .map_err(Undecryptable::from)
                .and_then(|message| Ok(session.decrypt(&message, &Trust::Any, &mut self.rng)?))),
            EncKind::PkMsg => match PreKeyMessage::decode(ciphertext.clone()) {
                Ok(message) => self.decrypt_prekey(&message, session),
                Err(error) => Ok(Err(error.into())),
            },
            _ => Ok(Err(Undecryptable::NoEnc)),
        }
    }

    fn decrypt_prekey(
        &mut self,
        message: &PreKeyMessage,
        session: &mut SessionRecord,
    ) -> Result<Result<Decrypted, Undecryptable>, Stop> {
        let view = self.view;
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
        let decrypted = session.decrypt_prekey(identity, prekeys, message, &Trust::Any, &mut self.rng);
        Ok(decrypted.map_err(Undecryptable::from))
    }
}

pub(super) fn undecryptable(message: &Message, from: Jid, why: Undecryptable, asked: Option<u32>) -> Event {
    Event::Undecryptable { from, id: MessageId(message.id.to_string()), why, asked }
}
