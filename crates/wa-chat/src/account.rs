//! The account: who we are on WhatsApp, and the keys that prove it (overview §1.2.2).

use rand_core::CryptoRng;
use wa_binary::Jid;
use wa_keys::{PrivateKey, PublicKey};
use wa_signal::{LocalIdentity, SignedPrekey};

use crate::prekey_ids::FIRST_PREKEY;

/// Everything secret that an enlistment's public values come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccountKeys {
    /// The static key of the Noise handshake (`authkey` is its public half).
    pub noise: PrivateKey,
    /// The identity key and registration id (`e_ident`, `e_regid`).
    pub identity: LocalIdentity,
    /// The first signed prekey (`e_skey_id`, `e_skey_val`, `e_key_sig` are its public form).
    pub signed_prekey: PrivateKey,
    /// Its public form.
    pub signed: SignedPrekey,
}

/// The public halves of an account's keys, as an enlistment sends them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicKeys {
    /// `authkey`.
    pub noise: PublicKey,
    /// `e_regid`.
    pub registration_id: u32,
    /// `e_ident`.
    pub identity: PublicKey,
    /// `e_skey_id`, `e_skey_val` and the signature.
    pub signed: SignedPrekey,
}

#[cfg(test)]
impl PublicKeys {
    /// What somebody who fetched the keys begins a session with.
    pub(crate) fn bundle(self) -> wa_signal::Bundle {
        wa_signal::Bundle {
            registration_id: self.registration_id,
            identity: self.identity,
            signed_prekey: self.signed,
            one_time_prekey: None,
        }
    }
}

/// Registration ids that every implementation accepts: 14 bits, not 0.
const REGISTRATION_IDS: u32 = 16_380;

impl AccountKeys {
    /// New keys for a new account.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let identity = LocalIdentity {
            key: PrivateKey::generate(rng),
            registration_id: rng.next_u32() % REGISTRATION_IDS + 1,
        };
        let signed_prekey = PrivateKey::generate(rng);
        let signed = SignedPrekey::sign(FIRST_PREKEY, &signed_prekey, &identity.key, rng);
        Self { noise: PrivateKey::generate(rng), identity, signed_prekey, signed }
    }

    /// Their public halves, for an enlistment.
    pub fn public(&self) -> PublicKeys {
        public(&self.noise, &self.identity, &self.signed)
    }
}

/// The account as its row has it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Account {
    /// The static key of the Noise handshake.
    pub noise: PrivateKey,
    /// The identity key and registration id.
    pub identity: LocalIdentity,
    /// The signed prekey that bundles carry now.
    pub signed: SignedPrekey,
    /// When it was made, in Unix seconds; 0 if that is not known.
    pub signed_since: u64,
    /// Whether the server has not confirmed it yet.
    pub signed_pending: bool,
    /// The login that WhatsApp assigned; none before the enlistment is recorded.
    pub login: Option<Jid>,
}

impl Account {
    /// The public halves of its keys, for another enlistment, for instance after 30 days without a connection.
    pub fn public(&self) -> PublicKeys {
        public(&self.noise, &self.identity, &self.signed)
    }
}

fn public(noise: &PrivateKey, identity: &LocalIdentity, signed: &SignedPrekey) -> PublicKeys {
    PublicKeys {
        noise: noise.public_key(),
        registration_id: identity.registration_id,
        identity: identity.key.public_key(),
        signed: signed.clone(),
    }
}
