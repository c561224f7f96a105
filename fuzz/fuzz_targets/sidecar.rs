//! A sidecar is read or refused, and checks what any window is (wa-media).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_media::{MediaClass, MediaKey, MediaKeys, Sidecar};

fuzz_target!(|data: &[u8]| {
    let keys = MediaKeys::derive(&MediaKey::from_bytes([7; 32]), MediaClass::Video);
    if let Ok(sidecar) = Sidecar::from_bytes(data) {
        assert_eq!(sidecar.windows() * 10, data.len());
        assert_eq!(sidecar.as_bytes(), data);
        assert!(sidecar.check(&keys, sidecar.windows(), data).is_err());
        let _ = sidecar.check(&keys, 0, data);
    }
});
