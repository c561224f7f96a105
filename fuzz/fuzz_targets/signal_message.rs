//! Any bytes as a message of a session: read or refused as protobuf says, and nobody's secret authenticates them
//! (wa-signal).
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use wa_fuzz::sessions::SESSION;
use wa_keys::PublicKey;
use wa_proto::signal;
use wa_signal::{DecryptError, SignalMessage, Trust};

fuzz_target!(|data: &[u8]| {
    let read = SignalMessage::decode(Bytes::copy_from_slice(data));
    assert_eq!(read.is_ok(), is_message(data), "another reader says otherwise");
    let Ok(message) = read else { return };
    let (mut record, before) = (SESSION.clone(), SESSION.encode());
    match record.decrypt(&message, &Trust::Any) {
        Ok(_) => unreachable!("nobody sealed it"),
        Err(DecryptError::NoSession | DecryptError::Untrusted) => unreachable!("there is a session"),
        Err(_) => assert_eq!(*record.encode(), *before, "a refusal changed the record"),
    }
});

/// Version 3, a protobuf with a key, a counter and a ciphertext, and eight bytes of MAC: by prost alone.
fn is_message(bytes: &[u8]) -> bool {
    let Some((body, _)) = bytes.split_last_chunk::<8>() else { return false };
    let Some((version, form)) = body.split_first() else { return false };
    let Ok(form) = signal::SignalMessage::decode(form) else { return false };
    let key = form.ratchet_key.is_some_and(|key| PublicKey::from_prefixed(&key).is_ok());
    version >> 4 == 3 && key && form.counter.is_some() && form.ciphertext.is_some()
}
