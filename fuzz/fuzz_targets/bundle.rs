//! Any keys as a fetched bundle: without the identity's signature nothing begins, with it a session does unless a key is
//! refused, and a refusal changes nothing (wa-signal).
#![no_main]

use libfuzzer_sys::fuzz_target;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_keys::{PrivateKey, PublicKey, Signature};
use wa_signal::{Bundle, EstablishError, LocalIdentity, PreKeyMessage, SessionRecord, SignedPrekey, Trust};

fuzz_target!(|data: &[u8]| {
    let Some((&[flags, id, one_time_id], rest)) = data.split_first_chunk() else { return };
    let Some((&signature, rest)) = rest.split_first_chunk() else { return };
    let [Some(identity), Some(signed), Some(one_time)] =
        [0, 1, 2].map(|n| rest.as_chunks().0.get(n).copied())
    else {
        return;
    };
    let (signer, mut rng) = (PrivateKey::from_bytes([8; 32]), StdRng::seed_from_u64(1));
    let key = PublicKey::from_bytes(signed);
    let (identity, signature) = match flags & 1 {
        0 => (PublicKey::from_bytes(identity), Signature::from_bytes(signature)),
        _ => (signer.public_key(), signer.sign(&key.to_prefixed(), &mut rng)),
    };
    let bundle = Bundle {
        registration_id: id.into(),
        identity,
        signed_prekey: SignedPrekey { id: id.into(), key, signature },
        one_time_prekey: (flags & 2 != 0).then(|| (one_time_id.into(), PublicKey::from_bytes(one_time))),
    };
    let local = LocalIdentity { key: PrivateKey::from_bytes([9; 32]), registration_id: 9 };
    let mut record = SessionRecord::default();
    let before = record.encode();
    let established = record.establish(&local.key, &bundle, &Trust::Any, 0, &mut rng);
    let is_signed = identity.verify(&key.to_prefixed(), &signature).is_ok();
    assert_eq!(established == Err(EstablishError::Signature), !is_signed);
    if established.is_err() {
        assert_eq!(*record.encode(), *before, "a refusal changed the record");
        return;
    }
    let mut stored = SessionRecord::decode(&record.encode()).expect("what was written");
    let sent = stored.encrypt(&local, b"hello", 0, &mut rng).expect("encrypts");
    let message = PreKeyMessage::decode(sent.bytes).expect("a first message");
    assert_eq!((message.signed_prekey_id, message.identity), (id.into(), local.key.public_key()));
    assert_eq!(message.one_time_prekey_id, bundle.one_time_prekey.map(|(id, _)| id));
});
