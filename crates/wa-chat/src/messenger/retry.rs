//! Messages that could not be decrypted: asking for them again, and sending them again (RO 1.0.3 §1.1 requires both;
//! form and numbers observed).

use rand_core::CryptoRng;
use wa_binary::Jid;
use wa_keys::{PrivateKey, PublicKey, Signature};
use wa_signal::{DecryptError, Trust};
use wa_stanza::{Message, OneTimePrekey, PrekeyId, Receipt, ReceiptKind, Retry, RetryKeys, SignedPrekey};

use crate::Undecryptable;
use crate::account::Account;
use crate::key::Key;
use crate::messenger::conversation::{Conversation, NOT_NUMBERED, REMEMBER, address};
use crate::messenger::input::Context;
use crate::messenger::receive::undecryptable;
use crate::messenger::view::{Draft, Stop, View};
use crate::row::{InboxEntry, InboxItem, Row, Sent, Waiting};

/// How often a sender is asked for one message.
const MAX_ASKED: u64 = 5;

/// From which time on the asker's keys go along.
const KEYS_FROM: u64 = 2;

/// A peer that counts this far is not answered any more.
const MAX_COUNT: u32 = 10;

/// How often one message is sent again.
const MAX_RESENT: u32 = 5;

/// Seconds in which a session is made anew at most once at its peer's asking.
const REBUILD_PAUSE: u64 = 60 * 60;

impl Context<'_> {
    /// Asks a message's sender for it again, within limits; the ack is in the draft already.
    pub(super) fn ask_again(
        &self,
        view: &View,
        message: &Message,
        address: &Jid,
        why: Undecryptable,
        mut draft: Draft,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        let key = Key::asked(address, &message.id);
        view.need([key.clone()])?;
        let count = view.number(&key)?.unwrap_or(0) + 1;
        let reason = reason(why).filter(|_| count <= MAX_ASKED);
        let asked = reason.and_then(|_| u32::try_from(count).ok());
        if let (Some(error), Some(count)) = (reason, asked) {
            let keys =
                if u64::from(count) < KEYS_FROM { None } else { self.retry_keys(view, &mut draft, rng)? };
            let retry = Retry {
                count,
                id: message.id.clone(),
                t: message.t.unwrap_or(self.now.unix),
                v: 1,
                error: Some(error),
                registration: view.account()?.identity.registration_id,
                keys,
            };
            draft.put_until(key, Row::Number(u64::from(count)), self.now.unix + REMEMBER);
            let receipt = Receipt::for_message(message, ReceiptKind::Retry(Box::new(retry)));
            // Before the ack: once that has arrived nobody sends the message again by itself.
            draft.transmits.splice(0..0, receipt.map(Into::into));
        }
        if !message.encs.iter().any(|enc| enc.hide_failure) {
            draft.events.push(undecryptable(message, address.clone().without_device(), why, asked));
        }
        Ok(draft)
    }

    /// Our keys for a new session. The one-time prekey is a new one, that the server never sees.
    fn retry_keys(
        &self,
        view: &View,
        draft: &mut Draft,
        rng: &mut impl CryptoRng,
    ) -> Result<Option<RetryKeys>, Stop> {
        let account = view.account()?;
        let Some(signed) = signed_prekey(account) else { return Ok(None) };
        let mut counters = view.counters()?;
        let mut one_time = None;
        // Prekeys from `next_upload` on are uploaded later, and none may be given out twice.
        if counters.next_upload == counters.next_prekey
            && let Some(id) = PrekeyId::new(counters.next_prekey)
        {
            let prekey = PrivateKey::generate(rng);
            one_time = Some(OneTimePrekey { id, value: *prekey.public_key().as_bytes() });
            draft.put(Key::prekey(id.value()), Row::Prekey(prekey));
            counters.next_prekey += 1;
            counters.next_upload += 1;
            draft.put_counters(counters);
        }
        let identity = *account.identity.key.public_key().as_bytes();
        Ok(Some(RetryKeys { identity, one_time, signed, device_identity: None }))
    }

    /// A peer asks for a message again: it is encrypted again for that device alone, in a new session if need be.
    pub(super) fn send_again(
        &self,
        view: &View,
        receipt: &Receipt,
        retry: &Retry,
        draft: Draft,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        let Some(from) = receipt.participant.as_ref().or(receipt.from.as_ref()) else { return Ok(draft) };
        let user = from.clone().without_device();
        let (sent, rebuilt) = (Key::sent(&user, &retry.id), Key::rebuilt(from));
        view.need([sent.clone(), rebuilt.clone()])?;
        let Some(sent) = view.sent(&sent)?.filter(|sent| may_resend(sent, retry)) else { return Ok(draft) };
        let content = Key::content(sent.content);
        view.need([content.clone()])?;
        let Some(content) = view.content(&content)? else { return Ok(draft) };
        let mut conversation = Conversation::load(self, view, from, draft)?;
        let rebuilt_at = view.number(&rebuilt)?;
        let may_rebuild = rebuilt_at.is_none_or(|at| self.now.unix.saturating_sub(at) >= REBUILD_PAUSE);
        if may_rebuild && self.rebuild(view, &mut conversation, from, retry, rng)? {
            conversation.draft.put_until(rebuilt, Row::Number(self.now.unix), self.now.unix + REBUILD_PAUSE);
        }
        // The first ciphertext has arrived, since it is asked for again.
        conversation.draft.delete(Key::outbox(sent.number));
        let message = Waiting {
            id: retry.id.to_string(),
            content,
            device: Some(from.device()),
            resent: sent.resent + 1,
            kept: sent.content,
        };
        if conversation.is_ready_for(self, &address(&user, from.device())) {
            conversation.send(self, view, &message, rng)?;
        } else {
            conversation.wait(self, message);
            conversation.learn_device(from.device());
            conversation.ask(self);
        }
        Ok(conversation.finish())
    }

    /// Ends the session with a device that cannot use it, and begins another one if its keys came along. Says whether
    /// it did anything.
    fn rebuild(
        &self,
        view: &View,
        conversation: &mut Conversation,
        from: &Jid,
        retry: &Retry,
        rng: &mut impl CryptoRng,
    ) -> Result<bool, Stop> {
        let session = conversation.session(from);
        let is_other = session.registration_id().is_some_and(|id| id != retry.registration);
        if !is_other && retry.count < 2 {
            return Ok(false);
        }
        let known = session.identity();
        session.archive_current();
        let Some(keys) = &retry.keys else { return Ok(true) };
        let RetryKeys { identity, one_time, signed, .. } = *keys;
        let registration = retry.registration;
        let bundle = signal_bundle(&wa_stanza::Bundle { registration, identity, one_time, signed });
        let identity = &view.account()?.identity.key;
        // With bad keys there is no session, and the server is asked for better ones.
        let begun = session.establish(identity, &bundle, &Trust::Any, self.now.unix, rng);
        if begun.is_ok() && known.is_some_and(|known| known != bundle.identity) {
            let what = InboxItem::Identity { key: Some(bundle.identity) };
            let peer = conversation.user.clone();
            conversation.put_inbox(InboxEntry { peer, ids: Vec::new(), what });
        }
        Ok(true)
    }
}

/// Neither the asker nor we have come to a limit, and the message is not waiting already.
fn may_resend(sent: &Sent, retry: &Retry) -> bool {
    retry.count <= MAX_COUNT && sent.resent < MAX_RESENT && sent.number != NOT_NUMBERED
}

/// The signed prekey as it stands in stanzas.
pub(super) fn signed_prekey(account: &Account) -> Option<SignedPrekey> {
    Some(SignedPrekey {
        id: PrekeyId::new(account.signed.id)?,
        value: *account.signed.key.as_bytes(),
        signature: *account.signed.signature.as_bytes(),
    })
}

/// A bundle as stanzas have it, in the form that begins a session.
pub(super) fn signal_bundle(bundle: &wa_stanza::Bundle) -> wa_signal::Bundle {
    wa_signal::Bundle {
        registration_id: bundle.registration,
        identity: PublicKey::from_bytes(bundle.identity),
        signed_prekey: wa_signal::SignedPrekey {
            id: bundle.signed.id.value(),
            key: PublicKey::from_bytes(bundle.signed.value),
            signature: Signature::from_bytes(bundle.signed.signature),
        },
        one_time_prekey: bundle.one_time.map(|key| (key.id.value(), PublicKey::from_bytes(key.value))),
    }
}

/// The number that public clients give a failure (observed); none where sending again does not help.
fn reason(why: Undecryptable) -> Option<u16> {
    Some(match why {
        Undecryptable::Decrypt(DecryptError::NoSession) => 1,
        Undecryptable::NoSignedPrekey(_) | Undecryptable::Decrypt(DecryptError::NoOneTimePrekey(_)) => 3,
        Undecryptable::Message(_) => 4,
        Undecryptable::Decrypt(DecryptError::TooFarAhead { .. }) => 6,
        Undecryptable::Decrypt(DecryptError::Invalid) => 7,
        Undecryptable::Decrypt(_) => 0,
        Undecryptable::NoEnc | Undecryptable::Padding => return None,
    })
}
