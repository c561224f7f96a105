//! X3DH: three or four agreements, one root (observed).

use wa_keys::{PrivateKey, PublicKey, ZeroSecret};
use zeroize::Zeroizing;

use crate::chain_key::ChainKey;
use crate::hmac::Hmac;
use crate::kdf::{Purpose, derive};
use crate::root_key::RootKey;

/// The agreements in their order, each as (ours, theirs): both sides compute the same secrets.
pub(crate) fn agree(
    pairs: [(&PrivateKey, &PublicKey); 3],
    one_time: Option<(&PrivateKey, &PublicKey)>,
) -> Result<(RootKey, ChainKey), ZeroSecret> {
    // Room for all of it at once: a buffer that grew would leave secrets behind.
    let mut secrets = Zeroizing::new(Vec::with_capacity(32 * 5));
    // F: 32 times 0xFF, the encoding of no key and no point. What is derived here is derived nowhere else, in particular
    // not by XEdDSA, which uses the same keys (X3DH §2.2).
    secrets.extend_from_slice(&[0xFF; 32]);
    // DH1 ‖ DH2 ‖ DH3 ‖ DH4, and DH4 is left out, not zero, where there is no one-time prekey (X3DH §3.3). DH1 and DH2
    // mix in the identities and so authenticate; DH3 and DH4 mix in what is deleted and so keep the past secret. An
    // agreement that gives zeros would add nothing of what it is there for: it fails here.
    for (ours, theirs) in pairs.into_iter().chain(one_time) {
        secrets.extend_from_slice(ours.agree(theirs)?.as_bytes());
    }
    // HKDF without a salt; the first 32 bytes are the root, the others the first chain (X3DH §2.2; observed).
    Ok(RootKey::split(&derive(&mut Hmac::unkeyed(), None, &secrets, &TEXT)))
}

const TEXT: Purpose = Purpose::new(b"WhisperText");
