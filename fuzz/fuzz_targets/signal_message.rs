//! Any bytes as a message of a session (wa-signal).
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wa_signal::SignalMessage;

fuzz_target!(|data: &[u8]| {
    let _ = SignalMessage::decode(Bytes::copy_from_slice(data));
});
