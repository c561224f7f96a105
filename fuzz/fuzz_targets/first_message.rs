//! A peer's first messages that authenticate, whatever they say: each begins a session or is refused, comes only once,
//! and a refusal changes nothing (wa-signal). The input is envelopes, each with its length before it in two bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_fuzz::first::{IDENTITY, PREKEYS, seal};
use wa_signal::{DecryptError, PreKeyMessage, SessionRecord, Trust};

fuzz_target!(|data: &[u8]| {
    let (mut record, mut rest) = (SessionRecord::default(), data);
    for _ in 0..MOST {
        let Some((length, following)) = rest.split_first_chunk() else { break };
        let length = usize::from(u16::from_be_bytes(*length));
        let (envelope, following) = following.split_at(following.len().min(length));
        rest = following;
        let Ok(message) = PreKeyMessage::decode(seal(&record, envelope).into()) else { continue };
        let (before, known) = (record.encode(), record.knows(&message));
        match PREKEYS.decrypt(&mut record, &message, &Trust::Any) {
            Err(error) => {
                assert_eq!(*record.encode(), *before, "a refusal changed the record: {error}");
                assert_eq!(record.knows(&message), known);
            }
            Ok(decrypted) => {
                assert_eq!(decrypted.identity, message.identity);
                assert_ne!(message.identity, IDENTITY.public_key(), "our own key as a peer's");
                assert!(record.knows(&message));
                let used = message.one_time_prekey_id.filter(|_| !known);
                assert_eq!(decrypted.used_one_time_prekey, used, "of a known session none is used");
                again(&mut record, &message);
            }
        }
    }
});

/// It comes a second time, with the prekeys and, as they are gone by then, without.
fn again(record: &mut SessionRecord, message: &PreKeyMessage) {
    let before = record.encode();
    let twice = PREKEYS.decrypt(record, message, &Trust::Any).expect_err("a message decrypts once");
    assert!(matches!(twice, DecryptError::Duplicate { .. }), "{twice}");
    record.decrypt_known(message, &Trust::Any).expect_err("a message decrypts once");
    assert_eq!(*record.encode(), *before);
    let stored = SessionRecord::decode(&before).expect("what was written");
    assert_eq!(*stored.encode(), *before);
    assert_eq!(stored.identity(), Some(message.identity));
}

/// Messages in one input.
const MOST: usize = 6;
