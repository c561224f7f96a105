//! One-time prekeys: made before they are uploaded, uploaded until the server confirms (seed §3; numbers assumed).

use rand_core::CryptoRng;
use wa_keys::PrivateKey;
use wa_signal::SignedPrekey;
use wa_stanza::{Iq, IqKind, OneTimePrekey, PrekeyCount, PrekeyId, PrekeyUpload, SignedPrekeyRotation};

use crate::account::FIRST_PREKEY;
use crate::key::Key;
use crate::messenger::input::Context;
use crate::messenger::requests::Request;
use crate::messenger::retry::signed_prekey;
use crate::messenger::view::{Draft, Stop, View};
use crate::row::Row;

/// Ids are 24 bits on the wire; behind the last they begin again.
const LAST_PREKEY: u32 = 0x00FF_FFFF;

impl Context<'_> {
    pub(crate) fn receive_prekey_count(
        &self,
        view: &View,
        iq: &Iq,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        match PrekeyCount::try_from(iq) {
            Ok(left) => self.look_after_prekeys(view, left.value, rng),
            // Asked again at the next connection.
            Err(_) => Ok(Draft::default()),
        }
    }

    /// So many prekeys are left on the server: makes more if they are few.
    ///
    /// Those that the server never confirmed go first, so that none is made for nothing, unless the number shows that
    /// they arrived.
    pub(crate) fn look_after_prekeys(
        &self,
        view: &View,
        left: u32,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        view.need([Key::account(), Key::counters()])?;
        let mut counters = view.counters()?;
        let rules = self.profile.encryption.one_time_prekeys;
        let is_enough = left > u32::from(rules.refill_at);
        if counters.next_upload != counters.next_prekey && !is_enough {
            let unconfirmed = view.uploads(counters.next_upload)?;
            return self.upload(
                view,
                unconfirmed.iter().map(|(id, key)| (*id, key)),
                counters.next_prekey - 1,
            );
        }
        if is_enough {
            // An upload is made only when few are left: so many can only mean that the last one arrived, and giving
            // a prekey twice could hand it out twice.
            let mut draft = Draft::default();
            if counters.next_upload != counters.next_prekey {
                counters.next_upload = counters.next_prekey;
                draft.put(Key::counters(), Row::Counters(counters));
            }
            return Ok(draft);
        }
        let is_first = counters.next_prekey == FIRST_PREKEY;
        let wanted = u32::from(if is_first { rules.first_upload } else { rules.refill_to });
        if counters.next_prekey > LAST_PREKEY - wanted {
            counters.next_prekey = FIRST_PREKEY;
            counters.next_upload = FIRST_PREKEY;
        }
        let first = counters.next_prekey;
        counters.next_prekey += wanted.saturating_sub(left);
        let made: Vec<(u32, PrivateKey)> =
            (first..counters.next_prekey).map(|id| (id, PrivateKey::generate(rng))).collect();
        let last = counters.next_prekey.saturating_sub(1);
        let mut draft = self.upload(view, made.iter().map(|(id, key)| (*id, key)), last)?;
        draft.put(Key::counters(), Row::Counters(counters));
        for (id, key) in made {
            draft.put(Key::prekey(id), Row::Prekey(key));
        }
        Ok(draft)
    }

    fn upload<'k>(
        &self,
        view: &View,
        prekeys: impl Iterator<Item = (u32, &'k PrivateKey)>,
        last: u32,
    ) -> Result<Draft, Stop> {
        let account = view.account()?;
        let one_time = prekeys.filter_map(|(id, key)| {
            Some(OneTimePrekey { id: PrekeyId::new(id)?, value: *key.public_key().as_bytes() })
        });
        let Some(signed) = signed_prekey(account) else { return Ok(Draft::default()) };
        let upload = PrekeyUpload {
            registration: account.identity.registration_id,
            identity: *account.identity.key.public_key().as_bytes(),
            one_time: one_time.collect(),
            signed,
        };
        let requests = vec![Request::PrekeyUpload(Box::new(upload), last)];
        Ok(Draft { requests, ..Draft::default() })
    }

    /// The server has the prekeys up to this one, or not: then they are uploaded again at the next connection.
    pub(crate) fn receive_uploaded(&self, view: &View, iq: &Iq, last: u32) -> Result<Draft, Stop> {
        let mut draft = Draft::default();
        if iq.kind == IqKind::Result {
            let mut counters = view.counters()?;
            counters.next_upload = counters.next_upload.max(last + 1);
            draft.put(Key::counters(), Row::Counters(counters));
        }
        Ok(draft)
    }

    /// Makes a new signed prekey when the current one is old, and gives the server one that it has not confirmed. Old
    /// ones are kept for messages that wait in mailboxes. The age of the first is counted from the first connection.
    pub(crate) fn rotate(&self, view: &View, rng: &mut impl CryptoRng) -> Result<Draft, Stop> {
        let mut account = view.account()?.clone();
        let rules = self.profile.encryption.signed_prekey;
        let (now, old) = (self.now.unix, Key::signed_prekey(account.signed.id));
        let mut draft = Draft::default();
        if now.saturating_sub(account.signed_since) >= rules.rotate_after.as_secs() {
            view.need([old.clone()])?;
            if account.signed_since > 0 {
                if let Some(key) = view.prekey(&old)? {
                    draft.put_until(old, Row::Prekey(key.clone()), now + rules.keep.as_secs());
                }
                let id = account.signed.id % LAST_PREKEY + 1;
                let key = PrivateKey::generate(rng);
                account.signed = SignedPrekey::sign(id, &key, &account.identity.key, rng);
                account.signed_pending = true;
                draft.put(Key::signed_prekey(id), Row::Prekey(key));
            }
            account.signed_since = now;
            draft.put(Key::account(), Row::Account(Box::new(account.clone())));
        }
        if let Some(signed) = signed_prekey(&account).filter(|_| account.signed_pending) {
            draft.requests.push(Request::Rotation(Box::new(SignedPrekeyRotation { signed })));
        }
        Ok(draft)
    }

    /// The server has the new signed prekey, or not: then it gets it again at the next connection.
    pub(crate) fn receive_rotated(&self, view: &View, iq: &Iq, id: PrekeyId) -> Result<Draft, Stop> {
        let mut draft = Draft::default();
        let account = view.account()?;
        if iq.kind == IqKind::Result && account.signed.id == id.value() {
            let mut account = account.clone();
            account.signed_pending = false;
            draft.put(Key::account(), Row::Account(Box::new(account)));
        }
        Ok(draft)
    }
}
