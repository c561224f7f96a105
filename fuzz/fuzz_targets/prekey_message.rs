//! Any bytes as a message that begins a session: what is read is what protobuf says, keys of small order and post-quantum
//! sessions are refused, and nobody's secret authenticates it: a refusal leaves the record without a session (wa-signal).
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use wa_fuzz::first::PREKEYS;
use wa_proto::signal::PreKeySignalMessage;
use wa_signal::{PreKeyMessage, SessionRecord, Trust};

fuzz_target!(|data: &[u8]| {
    let Ok(message) = PreKeyMessage::decode(Bytes::copy_from_slice(data)) else { return };
    let form = PreKeySignalMessage::decode(&data[1..]).expect("it was read");
    assert_eq!(data[0] >> 4, 3);
    assert_eq!(form.registration_id.unwrap_or_default(), message.registration_id);
    assert_eq!(form.pre_key_id, message.one_time_prekey_id);
    assert_eq!(form.signed_pre_key_id, Some(message.signed_prekey_id));
    assert_eq!(form.identity_key.as_deref(), Some(&message.identity.to_prefixed()[..]));
    assert_eq!(form.base_key.as_deref(), Some(&message.base_key().to_prefixed()[..]));
    assert!(message.base_key().is_prime_order() && form.kyber_ciphertext.is_none());
    let mut record = SessionRecord::default();
    let before = record.encode();
    PREKEYS.decrypt(&mut record, &message, &Trust::Any).expect_err("nobody sealed it");
    assert_eq!(*record.encode(), *before, "a refusal changed the record");
    assert!(!record.knows(&message));
});
