//! A node that is read from JSON is written and read the same, as JSON and as bytes, within the depth of the codec
//! (wa-binary).
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use wa_binary::{EncodeOptions, Jid, Limits, Node, decode, encode};

fuzz_target!(|data: &[u8]| {
    let mut json = serde_json::Deserializer::from_slice(data);
    // To see our own bound on depth and not the reader's.
    json.disable_recursion_limit();
    if let Ok(node) = Node::deserialize(&mut json) {
        let text = serde_json::to_string(&node).expect("a node has a text");
        assert_eq!(serde_json::from_str::<Node>(&text).ok().as_ref(), Some(&node), "{text}");
        assert!(depth(&node) <= Limits::new().depth, "deeper than any stanza");
        // What can be written in the binary form, too, says the same there.
        if let Ok(bytes) = encode(&node, &EncodeOptions::new())
            && let Ok(read) = decode(&bytes.into(), &Limits::new())
        {
            assert_eq!(read.tag(), node.tag());
        }
    }
    if let Ok(jid) = serde_json::from_slice::<Jid>(data) {
        let text = serde_json::to_string(&jid).expect("an address has a text");
        assert_eq!(serde_json::from_str::<Jid>(&text).ok(), Some(jid));
    }
});

fn depth(node: &Node) -> usize {
    1 + node.content().nodes().iter().map(depth).max().unwrap_or_default()
}
