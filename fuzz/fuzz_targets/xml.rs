//! XML that is read is written and read the same, on one line and indented (wa-binary).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_binary::Node;

fuzz_target!(|text: &str| {
    if let Ok(node) = text.parse::<Node>() {
        for xml in [format!("{node}"), format!("{node:#}")] {
            assert_eq!(xml.parse().as_ref(), Ok(&node), "{xml}");
        }
    }
});
