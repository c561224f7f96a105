#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_binary::Node;

fuzz_target!(|text: &str| {
    if let Ok(node) = text.parse::<Node>() {
        let xml = node.to_string();
        assert_eq!(xml.parse(), Ok(node), "{xml}");
    }
});
