//! A stored block of keys is read whole or refused, and what is read opens messages or does not (wa-signal).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_fuzz::sessions::{BODIES, SESSION, seal};
use wa_signal::{DecryptError, SessionRecord, SignalMessage, Trust};

fuzz_target!(|data: &[u8]| {
    let whole = SESSION.clone();
    let mut record = SessionRecord::decode(&whole.encode()).expect("what was written");
    // The second message was overtaken: its key is in a block.
    let message = SignalMessage::decode(seal(&whole, &BODIES[1]).into()).expect("a message");
    let id = record.blocks_for(&message).next().expect("its block");
    let is_whole = record.load_block(id, Some(data)).is_ok();
    match record.decrypt(&message, &Trust::Any) {
        Ok(_) | Err(DecryptError::Invalid | DecryptError::Duplicate { .. }) => assert!(is_whole),
        Err(error) => assert!(!is_whole && error == DecryptError::KeysLost(id), "{error}"),
    }
});
