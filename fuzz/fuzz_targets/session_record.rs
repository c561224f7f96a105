//! A stored session that is read is written and read the same (wa-signal).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_signal::SessionRecord;

fuzz_target!(|data: &[u8]| {
    if let Ok(record) = SessionRecord::decode(data) {
        let again = record.encode();
        let read = SessionRecord::decode(&again).expect("what was written");
        assert_eq!(*read.encode(), *again);
    }
});
