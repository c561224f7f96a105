//! A store whose memory is not the client's.

use std::collections::BTreeMap;

use measure::held;
use wa_chat::{Key, Read, Rows, Transaction, Value};

/// Rows, copied in and out.
#[derive(Default)]
pub struct Shelf {
    rows: BTreeMap<Key, Vec<u8>>,
    /// What they take.
    pub bytes: i64,
}

impl Shelf {
    pub fn apply(&mut self, transaction: &Transaction) -> Rows {
        let before = held();
        for write in &transaction.writes {
            let key = Key::from_bytes(write.key.as_bytes());
            match &write.value {
                Some(value) => self.rows.insert(key, value.as_bytes().to_vec()),
                None => self.rows.remove(&key),
            };
        }
        self.bytes += held() - before;
        let copy = |key: &Key, value: &Vec<u8>| (Key::from_bytes(key.as_bytes()), Value::new(value.clone()));
        let mut rows = Vec::new();
        for read in &transaction.reads {
            match read {
                Read::One(key) => {
                    rows.extend(self.rows.get_key_value(key).map(|(key, value)| copy(key, value)))
                }
                Read::Page { from, to, limit, bytes } if from < to => {
                    let mut taken = 0;
                    for (key, value) in self.rows.range(from.clone()..to.clone()).take(usize::from(*limit)) {
                        rows.push(copy(key, value));
                        taken += value.len();
                        if taken >= *bytes {
                            break;
                        }
                    }
                }
                Read::Page { .. } => {}
            }
        }
        Rows(rows)
    }
}
