//! Any bytes as a message of a session or of a group (wa-signal).
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wa_signal::{Distribution, SenderKeyMessage, SignalMessage};

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    let _ = SignalMessage::decode(bytes.clone());
    let _ = SenderKeyMessage::decode(bytes.clone());
    if let Ok(distribution) = Distribution::decode(bytes) {
        let again = distribution.encode().to_vec();
        assert_eq!(*Distribution::decode(again.clone().into()).expect("what was written").encode(), again);
    }
});
