//! Prekeys: made before they are uploaded, uploaded until the server confirms (overview §3; numbers assumed).

use wa_keys::PrivateKey;
use wa_signal::SignedPrekey;
use wa_stanza::{Iq, IqKind, OneTimePrekey, PrekeyCount, PrekeyId, PrekeyUpload, SignedPrekeyRotation};

use crate::key::Key;
use crate::messenger::bundle::signed_prekey;
use crate::messenger::state::draft::Draft;
use crate::messenger::state::requests::Request;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::{Step, count_prekeys};
use crate::prekey_ids::LAST_PREKEY;
use crate::row::Row;

/// The server's error for prekeys that are not as they should be (observed).
const BAD_PREKEYS: u16 = 406;

/// Old signed prekeys that are kept: enough for the month that a mailbox keeps messages, with one rotation a week, and bounded
/// whatever the clock says.
const KEPT_SIGNED: u32 = 8;

impl Step<'_> {
    /// The server says that few are left. That may have waited in the mailbox, and be long over: it is asked how many there are
    /// now.
    pub(super) fn doubt_prekeys(&self, left: u32) -> Draft {
        let rules = self.profile.encryption.one_time_prekeys;
        let is_known = self.refill.is_counting() || self.refill.is_under_way();
        if is_known || left > u32::from(rules.refill_at) { Draft::default() } else { count_prekeys() }
    }

    pub(super) fn receive_prekey_count(&mut self, iq: &Iq) -> Result<Draft, Stop> {
        let draft = match PrekeyCount::try_from(iq) {
            Ok(left) => self.look_after_prekeys(left.value)?,
            // Asked again at the next connection, or in a while.
            Err(_) => Draft { in_trouble: is_in_trouble(iq), ..Draft::default() },
        };
        Ok(Draft { counted: true, ..draft })
    }

    /// So many prekeys are left on the server: makes more if they are few.
    ///
    /// Those that the server never confirmed go first, so that none is made for nothing, unless the number shows that
    /// they arrived. While an upload is under way nothing is done, and new ones are made once an hour at most.
    pub(super) fn look_after_prekeys(&mut self, left: u32) -> Result<Draft, Stop> {
        self.view.need([Key::account(), Key::counters()])?;
        let mut counters = self.view.counters()?;
        let rules = self.profile.encryption.one_time_prekeys;
        let is_enough = left > u32::from(rules.refill_at);
        let mut draft = Draft::default();
        if is_enough {
            // An upload is made only when few are left: so many can only mean that the last one arrived, and giving
            // a prekey twice could hand it out twice.
            if counters.prekeys.confirm_all() {
                draft.put_counters(counters);
            }
            return Ok(draft);
        }
        if self.refill.is_under_way() {
            return Ok(draft);
        }
        if let Some(first) = counters.prekeys.first_unconfirmed() {
            let unconfirmed = self.view.uploads(first)?;
            self.upload(&mut draft, unconfirmed, counters.prekeys.last())?;
            return Ok(draft);
        }
        if !self.refill.may_make(self.now.tick) {
            return Ok(draft);
        }
        draft.made_prekeys = true;
        let wanted = u32::from(if counters.prekeys.is_new() { rules.first_upload } else { rules.refill_to });
        let ids = counters.prekeys.take(wanted, wanted.saturating_sub(left));
        let made: Vec<(u32, PrivateKey)> = ids.map(|id| (id, PrivateKey::generate(&mut self.rng))).collect();
        self.upload(&mut draft, &made, counters.prekeys.last())?;
        draft.put_counters(counters);
        for (id, key) in made {
            draft.put(Key::prekey(id), Row::Prekey(key));
        }
        Ok(draft)
    }

    fn upload(&self, draft: &mut Draft, prekeys: &[(u32, PrivateKey)], last: u32) -> Result<(), Stop> {
        let account = self.view.account()?;
        let one_time = prekeys.iter().filter_map(|(id, key)| {
            Some(OneTimePrekey { id: PrekeyId::new(*id)?, value: *key.public_key().as_bytes() })
        });
        let Some(signed) = signed_prekey(account) else { return Ok(()) };
        let upload = PrekeyUpload {
            registration: account.identity.registration_id,
            identity: *account.identity.key.public_key().as_bytes(),
            one_time: one_time.collect(),
            signed,
        };
        draft.request(Request::PrekeyUpload(Box::new(upload), last));
        Ok(())
    }

    /// The server has the prekeys up to this one, or not: then they are uploaded again at the next connection, or in a while
    /// if it is in trouble, unless they are what it does not like (406): then they go, and others are made in time.
    pub(super) fn receive_uploaded(&self, iq: &Iq, last: u32) -> Result<Draft, Stop> {
        let mut draft = Draft { uploaded: true, in_trouble: is_in_trouble(iq), ..Draft::default() };
        if matches!(&iq.kind, IqKind::Error(error) if error.code == BAD_PREKEYS) {
            let mut counters = self.view.counters()?;
            if let Some(first) = counters.prekeys.first_unconfirmed() {
                self.view.uploads(first)?.iter().for_each(|(id, _)| draft.delete(Key::prekey(*id)));
                counters.prekeys.confirm_all();
                draft.put_counters(counters);
            }
        } else if iq.kind == IqKind::Result {
            let mut counters = self.view.counters()?;
            counters.prekeys.confirm(last);
            draft.put_counters(counters);
        }
        Ok(draft)
    }

    /// Makes a new signed prekey when the current one is old, and gives the server one that it has not confirmed. Old
    /// ones are kept for messages that wait in mailboxes, the last eight at most; those behind them go whatever the clock
    /// says: a thief of an old one reads what began sessions with it (X3DH §3.2). The age of the first is counted from the
    /// first connection.
    pub(super) fn rotate(&mut self) -> Result<Draft, Stop> {
        let view = self.view;
        let mut account = view.account()?.clone();
        let rules = self.profile.encryption.signed_prekey;
        let (now, old) = (self.now.unix, Key::signed_prekey(account.signed.id));
        let mut draft = Draft::default();
        if self.now.is_due(account.signed_since, rules.rotate_after.as_secs()) {
            view.need([old.clone()])?;
            if account.signed_since > 0 {
                if let Some(key) = view.prekey(&old)? {
                    // Where the clock went back, the later of its dates counts.
                    let until = now.max(account.signed_since).saturating_add(rules.keep.as_secs());
                    draft.put_until(old, Row::Prekey(key.clone()), until);
                }
                draft.delete(Key::signed_prekey(before(account.signed.id, KEPT_SIGNED)));
                let id = account.signed.id % LAST_PREKEY + 1;
                let key = PrivateKey::generate(&mut self.rng);
                account.signed = SignedPrekey::sign(id, &key, &account.identity.key, &mut self.rng);
                account.signed_pending = true;
                draft.put(Key::signed_prekey(id), Row::Prekey(key));
            }
            account.signed_since = now;
            draft.put(Key::account(), Row::Account(Box::new(account.clone())));
        }
        if let Some(signed) = signed_prekey(&account).filter(|_| account.signed_pending) {
            draft.request(Request::Rotation(Box::new(SignedPrekeyRotation { signed })));
        }
        Ok(draft)
    }

    /// The server has the new signed prekey, or not: then it gets it again at the next connection.
    pub(super) fn receive_rotated(&self, iq: &Iq, id: PrekeyId) -> Result<Draft, Stop> {
        let account = self.view.account()?;
        if iq.kind != IqKind::Result || account.signed.id != id.value() {
            return Ok(Draft::default());
        }
        let mut account = account.clone();
        account.signed_pending = false;
        Ok(Draft::of(Key::account(), Row::Account(Box::new(account))))
    }
}

/// Whether the server refuses for reasons of its own, which pass.
fn is_in_trouble(iq: &Iq) -> bool {
    matches!(&iq.kind, IqKind::Error(error) if (500..600).contains(&error.code))
}

/// The id so many rotations before this one.
fn before(id: u32, rotations: u32) -> u32 {
    (id.saturating_sub(1) + LAST_PREKEY - rotations) % LAST_PREKEY + 1
}
