//! A stored group key that is read is written and read the same (wa-signal).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_signal::{SenderKey, SenderKeyRecord};

fuzz_target!(|data: &[u8]| {
    if let Ok(key) = SenderKey::decode(data) {
        let again = key.encode();
        assert_eq!(*SenderKey::decode(&again).expect("what was written").encode(), *again);
    }
    if let Ok(record) = SenderKeyRecord::decode(data) {
        let again = record.encode();
        assert_eq!(*SenderKeyRecord::decode(&again).expect("what was written").encode(), *again);
    }
});
