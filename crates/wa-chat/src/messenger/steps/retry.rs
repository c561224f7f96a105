//! Messages that could not be decrypted: asking for them again, and sending them again (RO 1.0.3 §1.1 requires both;
//! form and numbers observed).

use wa_binary::Jid;
use wa_keys::PrivateKey;
use wa_signal::{DecryptError, Trust};
use wa_stanza::{Ack, Message, OneTimePrekey, PrekeyId, Receipt, ReceiptKind, Retry, RetryKeys};

use crate::key::Key;
use crate::messenger::bundle::{signal_bundle, signed_prekey};
use crate::messenger::conversation::{Conversation, REMEMBER, address};
use crate::messenger::state::draft::Draft;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::messenger::steps::message::undecryptable;
use crate::row::{Row, Sent, Waiting};
use crate::{Content, Undecryptable};

/// How often a sender is asked for one message.
const MAX_ASKED: u64 = 5;

/// From which time on the asker's keys go along.
const KEYS_FROM: u64 = 2;

/// A peer that counts this far is not answered any more.
const MAX_COUNT: u32 = 10;

/// How often one message is sent again to one device.
const MAX_RESENT: u32 = 5;

/// Seconds in which a session is made anew at most once at its peer's asking.
const REBUILD_PAUSE: u64 = 60 * 60;

impl Step<'_> {
    /// Asks a message's sender for it again, within limits, and acks it.
    pub(super) fn ask_again(
        &mut self,
        message: &Message,
        why: Undecryptable,
        mut draft: Draft,
    ) -> Result<Draft, Stop> {
        let Some(address) = &message.from else { return Ok(draft) };
        let key = Key::asked(address, &message.id);
        self.view.need([key.clone()])?;
        let count = self.view.number(&key)?.unwrap_or(0) + 1;
        let reason = reason(why).filter(|_| count <= MAX_ASKED);
        let asked = reason.and_then(|_| u32::try_from(count).ok());
        let mut receipt = None;
        if let (Some(error), Some(count)) = (reason, asked) {
            let keys = if u64::from(count) < KEYS_FROM { None } else { self.retry_keys(&mut draft)? };
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
        if !message.encs.iter().any(|enc| enc.hide_failure) {
            draft.tell(undecryptable(message, address.clone().without_device(), why, asked));
        }
        Ok(draft)
    }

    /// Our keys for a new session. The one-time prekey is a new one, that the server never sees.
    fn retry_keys(&mut self, draft: &mut Draft) -> Result<Option<RetryKeys>, Stop> {
        let account = self.view.account()?;
        let Some(signed) = signed_prekey(account) else { return Ok(None) };
        let mut counters = self.view.counters()?;
        let mut one_time = None;
        if let Some(id) = counters.prekeys.take_given().and_then(PrekeyId::new) {
            let prekey = PrivateKey::generate(&mut self.rng);
            one_time = Some(OneTimePrekey { id, value: *prekey.public_key().as_bytes() });
            draft.put(Key::prekey(id.value()), Row::Prekey(prekey));
            draft.put_counters(counters);
        }
        let identity = *account.identity.key.public_key().as_bytes();
        Ok(Some(RetryKeys { identity, one_time, signed, device_identity: None }))
    }

    /// A peer asks for a message again: it is encrypted again for that device alone, in a new session if need be.
    pub(super) fn send_again(
        &mut self,
        receipt: &Receipt,
        retry: &Retry,
        draft: Draft,
    ) -> Result<Draft, Stop> {
        let Some(from) = receipt.participant.as_ref().or(receipt.from.as_ref()) else { return Ok(draft) };
        let user = from.clone().without_device();
        let (sent, rebuilt) = (Key::sent(&user, &retry.id), Key::rebuilt(from));
        self.view.need([sent.clone(), rebuilt.clone()])?;
        let device = from.device();
        let may_resend = |sent: &Sent| retry.count <= MAX_COUNT && may_resend(sent, device);
        let Some(sent) = self.view.sent(&sent)?.filter(may_resend) else { return Ok(draft) };
        let content = Key::content(sent.content);
        self.view.need([content.clone()])?;
        let Some(content) = self.view.content(&content)? else { return Ok(draft) };
        let mut conversation = Conversation::load(self, from, draft)?;
        let rebuilt_at = self.view.number(&rebuilt)?;
        let may_rebuild = rebuilt_at.is_none_or(|at| self.now.is_due(at, REBUILD_PAUSE));
        if may_rebuild && self.rebuild(&mut conversation, from, retry)? {
            conversation.draft.put_until(rebuilt, Row::Number(self.now.unix), self.now.unix + REBUILD_PAUSE);
        }
        // What the device asks for again has arrived: the message itself, or its own last copy of it. Copies that other
        // devices wait for stay.
        let arrived = sent.devices.get(&device).map_or(sent.number, |resent| resent.number);
        conversation.draft.delete(Key::outbox(arrived));
        let resent = sent.times(device) + 1;
        let id = retry.id.to_string();
        let message = Waiting { id, content, device: Some(device), resent, kept: sent.content };
        if conversation.is_ready_for(self, &address(&user, device)) {
            let envelope = Content::decode(message.content.clone()).envelope();
            conversation.send(self, &message, &envelope)?;
        } else {
            conversation.wait(self, message)?;
            conversation.learn_device(device);
            conversation.ask(self);
        }
        Ok(conversation.finish())
    }

    /// Ends the session with a device that cannot use it, and begins another one if its keys came along. Says whether
    /// it did anything.
    fn rebuild(&mut self, conversation: &mut Conversation, from: &Jid, retry: &Retry) -> Result<bool, Stop> {
        let session = conversation.session(from);
        let is_other = session.registration_id().is_some_and(|id| id != retry.registration);
        if !is_other && retry.count < 2 {
            return Ok(false);
        }
        session.archive_current();
        let Some(keys) = &retry.keys else { return Ok(true) };
        let RetryKeys { identity, one_time, signed, .. } = *keys;
        let registration = retry.registration;
        let bundle = signal_bundle(&wa_stanza::Bundle {
            registration,
            identity,
            one_time,
            signed,
            post_quantum: false,
        });
        let identity = &self.view.account()?.identity.key;
        // With bad keys there is no session, and the server is asked for better ones.
        if session.establish(identity, &bundle, &Trust::Any, self.now.unix, &mut self.rng).is_ok() {
            conversation.notice_identity(from, bundle.identity);
        }
        Ok(true)
    }
}

/// The device has not had its share, and the message does not wait for it already.
fn may_resend(sent: &Sent, device: u16) -> bool {
    sent.times(device) < MAX_RESENT && !sent.waits_for(device)
}

/// The number that public clients give a failure (observed); none where sending again does not help.
fn reason(why: Undecryptable) -> Option<u16> {
    Some(match why {
        Undecryptable::Decrypt(DecryptError::NoSession) => 1,
        Undecryptable::NoSignedPrekey(_) | Undecryptable::Decrypt(DecryptError::NoOneTimePrekey(_)) => 3,
        Undecryptable::Message(_) => 4,
        Undecryptable::Decrypt(DecryptError::TooFarAhead { .. } | DecryptError::TooManySteps) => 6,
        Undecryptable::Decrypt(DecryptError::Invalid) => 7,
        Undecryptable::Decrypt(_) => 0,
        Undecryptable::NoEnc | Undecryptable::Padding => return None,
    })
}
