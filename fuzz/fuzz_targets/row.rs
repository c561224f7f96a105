//! A stored row of any table is corrupt, or is written and read the same; and what a name says is what names say that are
//! made of it (wa-chat).
//!
//! The input is the name, with its length before it, and the value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_chat::Key;
use wa_chat::fuzzing::{named, names, rewritten};

fuzz_target!(|data: &[u8]| {
    let Some((length, rest)) = data.split_first() else { return };
    let (key, value) = rest.split_at(rest.len().min(usize::from(*length)));
    if let Some(written) = rewritten(key, value) {
        assert!(Key::from_bytes(key).table().is_some(), "a row of no table");
        assert_eq!(rewritten(key, &written).as_ref(), Some(&written));
    }
    let (number, id, peer) = named(key);
    if let Some(peer) = peer {
        let (number, id) = (number.unwrap_or(7), id.unwrap_or(8));
        let [inbox, prekey, waiting] = names(number, id, &peer);
        assert_eq!(named(&inbox).0, Some(number));
        assert_eq!(named(&prekey).1, Some(id));
        assert_eq!(named(&waiting).2, Some(peer));
    }
});
