//! What is decoded and encoded decodes to the same, with every option (wa-binary).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_binary::{EncodeOptions, InteropSuffix, Limits, Packing, decode, encode};

fuzz_target!(|data: &[u8]| {
    let Ok(node) = decode(&data.to_vec().into(), &Limits::new()) else { return };
    for packing in [Packing::Everything, Packing::JidsOnly, Packing::Nothing] {
        for suffix in [InteropSuffix::Omit, InteropSuffix::Write] {
            let options = EncodeOptions::new().with_packing(packing).with_interop_suffix(suffix);
            let again = encode(&node, &options).expect("a decoded node can be written");
            assert_eq!(decode(&again.into(), &Limits::new()).as_ref(), Ok(&node));
        }
    }
    let xml = node.to_string();
    assert_eq!(xml.parse().as_ref(), Ok(&node), "{xml}");
});
