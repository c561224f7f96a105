//! A store in memory: for tests, and for applications that keep all rows elsewhere as a whole.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::key::{Key, Table};
use crate::store::{Read, Rows, Store, StoreError, Transaction, Value};

/// An ordered map of one account's rows. Durable as long as the process is; what expires goes at once.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<BTreeMap<Key, Dated>>);

/// A row's content, and when it expires.
type Dated = (Value, Option<u64>);

impl MemoryStore {
    /// Runs a transaction at once; it cannot fail.
    pub fn apply(&self, transaction: &Transaction) -> Rows {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if transaction.erase {
            rows.clear();
        }
        for write in &transaction.writes {
            match &write.value {
                Some(value) => rows.insert(write.key.clone(), (value.clone(), write.expires)),
                None => rows.remove(&write.key),
            };
        }
        if let Some(date) = transaction.sweep {
            rows.retain(|_, (_, expires)| expires.is_none_or(|expires| expires >= date));
        }
        let read = |read: &Read| -> Vec<(Key, Value)> {
            let found: Box<dyn Iterator<Item = (&Key, &Dated)>> = match read {
                Read::One(key) => Box::new(rows.get_key_value(key).into_iter()),
                Read::Page { from, to, limit, bytes } if from < to => {
                    let mut taken = 0;
                    let is_short = move |(_, (value, _)): &(&Key, &Dated)| {
                        let before = taken;
                        taken += value.as_bytes().len();
                        before == 0 || before < *bytes
                    };
                    Box::new(rows.range(from..to).take(usize::from(*limit)).take_while(is_short))
                }
                Read::Page { .. } => Box::new(std::iter::empty()),
            };
            found.map(|(key, (value, _))| (key.clone(), value.clone())).collect()
        };
        Rows(transaction.reads.iter().flat_map(read).collect())
    }

    /// How many rows a table has.
    pub fn count(&self, table: Table) -> usize {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.keys().filter(|key| key.table() == Some(table)).count()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Store for MemoryStore {
    async fn run(&self, transaction: &Transaction) -> Result<Rows, StoreError> {
        Ok(self.apply(transaction))
    }
}
