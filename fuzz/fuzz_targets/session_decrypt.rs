//! Messages that authenticate, whatever they say: each is decrypted once or refused, and a refusal changes nothing
//! (wa-signal). The input is bodies, each with its length before it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_fuzz::sessions::{SESSION, seal};
use wa_signal::{KeyBlockId, SessionRecord, SignalMessage, Trust};
use zeroize::Zeroizing;

fuzz_target!(|data: &[u8]| {
    let (mut record, mut rest) = (SESSION.clone(), data);
    for _ in 0..MOST {
        let Some((length, following)) = rest.split_first() else { break };
        let (body, following) = following.split_at(following.len().min(usize::from(*length)));
        rest = following;
        let Ok(message) = SignalMessage::decode(seal(&record, body).into()) else { continue };
        let before = state(&record);
        if record.decrypt(&message, &Trust::Any).is_err() {
            assert!(state(&record) == before, "a refusal changed the record");
            continue;
        }
        let after = state(&record);
        assert!(after != before, "decrypting uses a key up");
        record.decrypt(&message, &Trust::Any).expect_err("a message decrypts once");
        assert!(state(&record) == after);
        let stored = SessionRecord::decode(&after.0).expect("what was written");
        assert_eq!(*stored.encode(), *after.0);
    }
});

type State = (Zeroizing<Vec<u8>>, Vec<(KeyBlockId, Option<Zeroizing<Vec<u8>>>)>);

/// A record and its blocks, which stay with it in memory.
fn state(record: &SessionRecord) -> State {
    (record.encode(), record.clone().take_block_changes())
}

/// Messages in one input.
const MOST: usize = 8;
