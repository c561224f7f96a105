//! Prekeys and bundles between their two forms: as stanzas have them, and as sessions use them (overview §1.2.2, §3).

use wa_keys::{PublicKey, Signature};
use wa_stanza::{PrekeyId, SignedPrekeyNode};

use crate::account::Account;

/// The signed prekey as it stands in stanzas.
pub(super) fn signed_prekey(account: &Account) -> Option<SignedPrekeyNode> {
    Some(SignedPrekeyNode {
        id: PrekeyId::new(account.signed.id)?,
        value: *account.signed.key.as_bytes(),
        signature: *account.signed.signature.as_bytes(),
    })
}

/// A bundle as stanzas have it, in the form that begins a session.
pub(super) fn signal_bundle(bundle: &wa_stanza::FetchedBundle) -> wa_signal::Bundle {
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
