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
    let mut secrets = Zeroizing::new(Vec::with_capacity(32 * 5));
    secrets.extend_from_slice(&[0xFF; 32]);
    for (ours, theirs) in pairs.into_iter().chain(one_time) {
        secrets.extend_from_slice(ours.agree(theirs)?.as_bytes());
    }
    Ok(RootKey::split(&derive(&mut Hmac::unkeyed(), None, &secrets, &TEXT)))
}

const TEXT: Purpose = Purpose::new(b"WhisperText");
