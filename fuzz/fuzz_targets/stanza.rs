//! A stanza that is read and written reads as the same (wa-stanza).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_binary::{Limits, Node, decode};
use wa_stanza::Stanza;

fuzz_target!(|data: &[u8]| {
    let Ok(node) = decode(&data.to_vec().into(), &Limits::new()) else { return };
    let Ok(stanza) = Stanza::try_from(node) else { return };
    let again = Stanza::try_from(Node::from(stanza.clone())).expect("what was written");
    assert_eq!(again, stanza);
});
