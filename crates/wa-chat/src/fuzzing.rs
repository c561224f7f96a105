//! What the fuzzer looks at and nobody else: only in builds with `--cfg fuzzing` (docs/FUZZING.md).

use crate::row::Row;
use crate::{Key, Value};

/// What is written of a stored row that can be read; nothing if it is corrupt.
#[must_use]
pub fn rewritten(key: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let row = Row::decode(&Key::from_bytes(key), &Value::new(value.to_vec())).ok()?;
    assert!(row.bytes() >= size_of::<Row>());
    Some(row.encode().as_bytes().to_vec())
}

/// What the names of rows hold besides their table, as far as it is read: a number, a prekey's id, whom a content waits for.
#[must_use]
pub fn named(key: &[u8]) -> (Option<u64>, Option<u32>, Option<wa_binary::Jid>) {
    let key = Key::from_bytes(key);
    (key.number(), key.prekey_id(), key.waiting_peer())
}

/// The name of a row of that table that holds these.
#[must_use]
pub fn names(number: u64, id: u32, peer: &wa_binary::Jid) -> [Vec<u8>; 3] {
    [Key::inbox(number), Key::prekey(id), Key::waiting(peer, number)].map(|key| key.as_bytes().to_vec())
}
