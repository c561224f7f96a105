#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_binary::{EncodeOptions, Limits, decode, encode};

fuzz_target!(|data: &[u8]| {
    if let Ok(node) = decode(&data.to_vec().into(), &Limits::new()) {
        let again = encode(&node, &EncodeOptions::new()).expect("a decoded node can be written");
        assert_eq!(decode(&again.into(), &Limits::new()), Ok(node));
    }
});
