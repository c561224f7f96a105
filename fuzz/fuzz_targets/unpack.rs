//! A frame's body is opened within its limit or refused; what opens is a node or refused (wa-binary).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_binary::{Limits, decode, unpack};

fuzz_target!(|data: &[u8]| {
    let limits = Limits::new().with_inflated_bytes(1 << 20);
    if let Ok(bytes) = unpack(data.to_vec().into(), &limits) {
        assert!(bytes.len() <= limits.inflated_bytes.max(data.len()));
        let _ = decode(&bytes, &limits);
    }
});
