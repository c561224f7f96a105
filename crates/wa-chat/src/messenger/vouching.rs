//! Companion devices: whether the account that a device claims to be of has signed its identity (observed).

use prost::Message as _;
use wa_keys::{PublicKey, Signature};
use wa_proto::signal::SignedDeviceIdentity;

/// What stands before what an account signs.
const ACCOUNT_SIGNATURE: [u8; 2] = [6, 0];

/// Whether the proof, the content of `<device-identity>`, binds the device's key to the account's.
pub(super) fn is_vouched(account: &PublicKey, proof: &[u8], device: &PublicKey) -> bool {
    let Ok(proof) = SignedDeviceIdentity::decode(proof) else { return false };
    let (Some(details), Some(signature)) = (proof.details, proof.account_signature) else { return false };
    // The key may be left out, since the reader has it; a key that is there and is another one proves nothing.
    if proof.account_signature_key.is_some_and(|key| key != account.as_bytes().as_slice()) {
        return false;
    }
    let Ok(signature) = Signature::from_slice(&signature) else { return false };
    let signed = [&ACCOUNT_SIGNATURE[..], &details, device.as_bytes()].concat();
    account.verify(&signed, &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use wa_keys::PrivateKey;

    use super::*;

    #[test]
    fn only_what_the_account_has_signed_is_vouched_for() {
        let mut rng = StdRng::seed_from_u64(1);
        let [account, device, other] = [(); 3].map(|()| PrivateKey::generate(&mut rng));
        let (key, details) = (device.public_key(), b"details".to_vec());
        let signed = [&[6, 0], &details[..], key.as_bytes()].concat();
        let signature = account.sign(&signed, &mut rng);
        let proof = SignedDeviceIdentity {
            details: Some(details.into()),
            account_signature: Some(signature.as_bytes().to_vec().into()),
            ..Default::default()
        };
        let bytes = proof.encode_to_vec();
        assert!(is_vouched(&account.public_key(), &bytes, &key));
        assert!(!is_vouched(&account.public_key(), &bytes, &other.public_key()), "another device");
        assert!(!is_vouched(&other.public_key(), &bytes, &key), "another account");
        assert!(!is_vouched(&account.public_key(), b"\xFF", &key), "no proof");
        assert!(!is_vouched(&account.public_key(), b"", &key), "an empty one");
        let with_key = |key: &PublicKey| SignedDeviceIdentity {
            account_signature_key: Some(key.as_bytes().to_vec().into()),
            ..proof.clone()
        };
        assert!(is_vouched(&account.public_key(), &with_key(&account.public_key()).encode_to_vec(), &key));
        assert!(!is_vouched(&account.public_key(), &with_key(&other.public_key()).encode_to_vec(), &key));
    }
}
