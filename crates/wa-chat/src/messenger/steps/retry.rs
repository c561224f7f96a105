//! Messages that could not be decrypted: asking for them again, and sending them again (RO 1.0.3 §1.1 requires both;
//! form and numbers observed).

use wa_binary::Jid;
use wa_keys::{PrivateKey, PublicKey};
use wa_signal::Trust;
use wa_stanza::{Ack, Message, OneTimePrekey, PrekeyId, Receipt, ReceiptKind, Retry, RetryKeys};

use crate::key::Key;
use crate::messenger::bundle::{signal_bundle, signed_prekey};
use crate::messenger::conversation::{Conversation, REMEMBER, is_forgotten, put_inbox};
use crate::messenger::state::draft::Draft;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::messenger::steps::message::hides_failure;
use crate::messenger::vouching::is_vouched;
use crate::row::{Counters, InboxEntry, InboxItem, Row, Sent, Waiting};
use crate::{Content, Undecryptable};

/// How often a sender is asked for one message: what could not be read five times will not be read (observed).
const MAX_ASKED: u64 = 5;

/// From which time on the asker's keys go along. The first time the session may only have been behind, and a new one costs
/// a one-time prekey (observed).
const KEYS_FROM: u64 = 2;

/// A peer that counts this far is not answered any more: the two of them would go on without end (observed).
const MAX_COUNT: u32 = 10;

/// How often one message is sent again to one device, however the peer counts: the count is the server's to write.
const MAX_RESENT: u32 = 5;

/// Seconds in which a session is made anew at most once at its peer's asking: a server that makes us begin sessions uses up the
/// peer's one-time prekeys (observed).
const REBUILD_PAUSE: u64 = 60 * 60;

impl Step<'_> {
    /// Asks a message's sender for it again, within limits, and acks it.
    pub(super) fn ask_again(
        &mut self,
        message: &Message,
        address: &Jid,
        why: Undecryptable,
        mut draft: Draft,
    ) -> Result<Draft, Stop> {
        let key = Key::asked(address, &message.id);
        self.view.need([key.clone(), Key::account(), Key::counters()])?;
        let count = self.view.number(&key)?.unwrap_or(0) + 1;
        let reason = why.reason().filter(|_| count <= MAX_ASKED);
        let asked = reason.and_then(|_| u32::try_from(count).ok());
        let mut receipt = None;
        let mut counters = self.view.counters()?;
        if let (Some(error), Some(count)) = (reason, asked) {
            let keys =
                if u64::from(count) < KEYS_FROM { None } else { self.retry_keys(&mut draft, &mut counters)? };
            let retry = Retry {
                count,
                id: message.id.clone(),
                t: message.t.unwrap_or(self.now.unix),
                v: 1,
                error: Some(error),
                registration: self.view.account()?.identity.registration_id,
                keys,
            };
            draft.put_until(key, Row::Number(u64::from(count)), self.now.unix + REMEMBER);
            receipt = Receipt::for_message(message, ReceiptKind::Retry(Box::new(retry)));
        }
        draft.answer(receipt, Ack::from(message));
        let (device, is_hidden) = (address.device(), hides_failure(message));
        let what = InboxItem::Undecryptable { why, device, asked, is_hidden };
        let (peer, ids) = (address.clone().without_device(), vec![message.id.to_string()]);
        put_inbox(&mut draft, &mut counters, InboxEntry { peer, ids, what });
        draft.put_counters(counters);
        Ok(draft)
    }

    /// Our keys for a new session. The one-time prekey is a new one, that the server never sees.
    fn retry_keys(&mut self, draft: &mut Draft, counters: &mut Counters) -> Result<Option<RetryKeys>, Stop> {
        let account = self.view.account()?;
        let Some(signed) = signed_prekey(account) else { return Ok(None) };
        let mut one_time = None;
        if let Some(id) = counters.prekeys.take_given().and_then(PrekeyId::new) {
            let prekey = PrivateKey::generate(&mut self.rng);
            one_time = Some(OneTimePrekey { id, value: *prekey.public_key().as_bytes() });
            // The server never sees it, so that nobody is left to use it once the peer's answer can be under way no more.
            draft.put_until(Key::prekey(id.value()), Row::Prekey(prekey), self.now.unix + REMEMBER);
        }
        let identity = *account.identity.key.public_key().as_bytes();
        Ok(Some(RetryKeys { identity, one_time, signed, device_identity: None }))
    }

    /// A message is to be sent again to one device, by the word of the server, which is not the peer's: only one that was
    /// encrypted to that device and has not arrived there is, so many times, in a new session if need be.
    pub(super) fn send_again(
        &mut self,
        receipt: &Receipt,
        retry: &Retry,
        draft: Draft,
    ) -> Result<Draft, Stop> {
        let Some(from) = receipt.participant.as_ref().or(receipt.from.as_ref()) else { return Ok(draft) };
        let from = &self.peer(from, [])?;
        let (user, device) = (from.clone().without_device(), from.device());
        let (key, rebuilt) = (Key::sent(&user, &retry.id), Key::rebuilt(from));
        self.view.need([key.clone(), rebuilt.clone()])?;
        let Some(sent) = self.view.sent(&key)?.filter(|_| retry.count <= MAX_COUNT) else { return Ok(draft) };
        let content = Key::content(sent.content);
        self.view.need([content.clone()])?;
        let mut conversation = Conversation::load(self, from, draft)?;
        let is_gone = is_forgotten(sent.since, conversation.counters.swept);
        if is_gone || !conversation.is_recipient(device) || !may_resend(&sent, device) {
            return Ok(conversation.draft);
        }
        let rebuilt_at = self.view.number(&rebuilt)?;
        let may_rebuild = rebuilt_at.is_none_or(|at| self.now.is_due(at, REBUILD_PAUSE));
        if may_rebuild && self.rebuild(&mut conversation, from, retry)? {
            conversation.draft.put_until(rebuilt, Row::Number(self.now.unix), self.now.unix + REBUILD_PAUSE);
        }
        conversation.send_all_waiting(self)?;
        match (self.view.content(&content)?, sent.devices.get(&device)) {
            (Some(content), Some(dispatch)) if !sent.waits_for(device) => {
                // What the device asks for again has arrived at the server. Copies that other devices wait for stay.
                conversation.draft.delete(Key::outbox(dispatch.number));
                let (id, resent) = (retry.id.to_string(), dispatch.times + 1);
                let since = Some(self.now.unix);
                let message =
                    Waiting { id, content, device: Some(device), resent, kept: sent.content, since };
                self.resend(&mut conversation, from, message)?;
            }
            _ => {}
        }
        Ok(conversation.finish())
    }

    /// Sends a message again to one device, or lets it wait for a session with it.
    fn resend(
        &mut self,
        conversation: &mut Conversation,
        device: &Jid,
        message: Waiting,
    ) -> Result<(), Stop> {
        if conversation.is_ready_for(self, device) {
            let envelope = Content::decode(message.content.clone()).envelope();
            return conversation.send(self, &message, &envelope);
        }
        conversation.wait(self, message)?;
        conversation.ask(self);
        Ok(())
    }

    /// Ends the session with a device that cannot use it, and begins another one if its keys came along. Says whether
    /// it did anything.
    fn rebuild(&mut self, conversation: &mut Conversation, from: &Jid, retry: &Retry) -> Result<bool, Stop> {
        let account = conversation.primary_identity();
        let session = conversation.session(from);
        let is_other = session.registration_id().is_some_and(|id| id != retry.registration);
        if !is_other && retry.count < 2 {
            return Ok(false);
        }
        // Archived and not deleted: what the peer still has under way in it is read.
        session.archive_current();
        let Some(keys) = retry.keys.as_ref().filter(|keys| is_vouched_for(keys, from, &account)) else {
            return Ok(true);
        };
        let RetryKeys { identity, one_time, signed, .. } = *keys;
        let registration = retry.registration;
        let bundle = signal_bundle(&wa_stanza::FetchedBundle {
            registration,
            identity,
            one_time,
            signed,
            post_quantum: false,
        });
        let identity = &self.view.account()?.identity.key;
        // With bad keys there is no session, and the server is asked for better ones.
        if session.establish(identity, &bundle, &Trust::Any, self.now.unix, &mut self.rng).is_ok() {
            conversation.notice_identity(self, from, bundle.identity);
        }
        Ok(true)
    }
}

/// The message was encrypted to the device, or waits to be, has not arrived there, and the device has not had its share.
fn may_resend(sent: &Sent, device: u16) -> bool {
    match sent.devices.get(&device) {
        Some(dispatch) => !dispatch.is_delivered && dispatch.times < MAX_RESENT,
        None => sent.waits_for(device),
    }
}

/// Whether nothing speaks against the keys of a companion device being of its account.
fn is_vouched_for(keys: &RetryKeys, from: &Jid, account: &Option<PublicKey>) -> bool {
    match (&keys.device_identity, account) {
        (Some(proof), Some(account)) if from.device() != 0 => {
            is_vouched(account, proof, &PublicKey::from_bytes(keys.identity))
        }
        _ => true,
    }
}
