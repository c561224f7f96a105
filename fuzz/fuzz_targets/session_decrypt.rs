//! Messages that authenticate, whatever they say: each is decrypted once or refused, and a refusal changes nothing
//! (wa-signal). The input is bodies, each with its length before it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_fuzz::sessions::{SESSION, seal};
use wa_signal::{SessionRecord, SignalMessage, Trust};

fuzz_target!(|data: &[u8]| {
    let (mut record, mut rng, mut rest) = (SESSION.clone(), StdRng::seed_from_u64(1), data);
    for _ in 0..MOST {
        let Some((length, following)) = rest.split_first() else { break };
        let (body, following) = following.split_at(following.len().min(usize::from(*length)));
        rest = following;
        let Ok(message) = SignalMessage::decode(seal(&record, body).into()) else { continue };
        let before = record.encode();
        if record.decrypt(&message, &Trust::Any, &mut rng).is_err() {
            assert_eq!(*record.encode(), *before, "a refusal changed the record");
            continue;
        }
        let after = record.encode();
        assert_ne!(*after, *before, "decrypting uses a key up");
        record.decrypt(&message, &Trust::Any, &mut rng).expect_err("a message decrypts once");
        assert_eq!(*record.encode(), *after);
        record = SessionRecord::decode(&after).expect("what was written");
        assert_eq!(*record.encode(), *after);
    }
});

/// Messages in one input.
const MOST: usize = 8;
