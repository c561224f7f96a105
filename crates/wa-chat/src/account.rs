//! The account: who we are on WhatsApp, and the keys that prove it (seed §1.2.2).

use rand_core::CryptoRng;
use wa_binary::Jid;
use wa_keys::PrivateKey;
use wa_signal::{LocalIdentity, SignedPrekey};

/// Everything secret that an enlistment's public values come from.
#[derive(Clone, Debug)]
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

/// Ids begin at 1: some implementations take 0 for absent.
pub(crate) const FIRST_PREKEY: u32 = 1;

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
}

/// The account as its row has it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The static key of the Noise handshake.
    pub noise: PrivateKey,
    /// The identity key and registration id.
    pub identity: LocalIdentity,
    /// The signed prekey that bundles carry now.
    pub signed: SignedPrekey,
    /// The login that WhatsApp assigned; none before the enlistment is recorded.
    pub login: Option<Jid>,
}
