//! A sealed value opens for its row of its account and for no other, and no other bytes open (wa-store).
//!
//! The input is where a byte of the sealed value changes and into what, the row's name with its length, and the value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_store::StoreKey;
use wa_store::fuzzing::{open, seal};

fuzz_target!(|data: &[u8]| {
    let key = StoreKey::from_bytes([7; 32]);
    let opens = |account: &[u8], row: &[u8], sealed: &[u8]| open(&key, account, row, sealed);
    assert_eq!(opens(b"alice", b"row", data), None, "nobody sealed it");

    let Some((&[high, low, change, length], rest)) = data.split_first_chunk() else { return };
    let (row, value) = rest.split_at(rest.len().min(usize::from(length)));
    let mut sealed = seal(&key, b"alice", row, value);
    assert_eq!(opens(b"alice", row, &sealed).as_deref(), Some(value));
    // The same bytes with the border between account and row elsewhere.
    let joined = [b"alice", row].concat();
    let elsewhere = if row.is_empty() { &b"bob"[..] } else { &joined[..] };
    for (account, row) in [(&b"bob"[..], row), (&joined[..4], &joined[4..]), (elsewhere, &[][..])] {
        assert_eq!(opens(account, row, &sealed), None, "another account");
    }
    assert_eq!(opens(b"alice", &[row, b"x"].concat(), &sealed), None, "another row");
    assert_eq!(open(&StoreKey::from_bytes([8; 32]), b"alice", row, &sealed), None, "another key");
    let at = usize::from(u16::from_be_bytes([high, low])) % sealed.len();
    assert_eq!(opens(b"alice", row, &sealed[..at]), None, "cut");
    sealed[at] ^= change;
    assert_eq!(opens(b"alice", row, &sealed).is_some(), change == 0);
});
