//! An address that is read is written and read the same (wa-binary).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_binary::{EncodeOptions, Jid, Limits, Node, decode, encode};

fuzz_target!(|text: &str| {
    if let Ok(jid) = text.parse::<Jid>() {
        let node = Node::new("iq").with_attr("to", &jid);
        let bytes = encode(&node, &EncodeOptions::new()).expect("an address can be written");
        assert_eq!(decode(&bytes.into(), &Limits::new()), Ok(node));
        assert_eq!(jid.to_string().parse(), Ok(jid));
    }
});
