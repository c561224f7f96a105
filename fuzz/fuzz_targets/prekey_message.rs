//! Any bytes as a message that begins a session (wa-signal).
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wa_signal::PreKeyMessage;

fuzz_target!(|data: &[u8]| {
    let _ = PreKeyMessage::decode(Bytes::copy_from_slice(data));
});
