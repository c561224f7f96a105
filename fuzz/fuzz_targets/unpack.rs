#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_binary::{Limits, unpack};

fuzz_target!(|data: &[u8]| {
    let limits = Limits::new().with_inflated_bytes(1 << 20);
    if let Ok(bytes) = unpack(data.to_vec().into(), &limits) {
        assert!(bytes.len() <= limits.inflated_bytes.max(data.len()));
    }
});
