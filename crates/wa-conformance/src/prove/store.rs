//! A store of the client's that does not do what it is told.

use std::sync::Arc;

use wa_interop::chat::{MemoryStore, Rows, Store, StoreError, Table, Transaction};

use crate::prove::StoreFault;

/// A store, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct SabotagedStore(pub(crate) Arc<MemoryStore>, pub(crate) Option<StoreFault>);

impl Store for SabotagedStore {
    async fn run(&self, transaction: &Transaction) -> Result<Rows, StoreError> {
        let lost = match self.1 {
            None => return self.0.run(transaction).await,
            Some(StoreFault::Hoards) => None,
            Some(StoreFault::LosesInbox) => Some(Table::Inbox),
            Some(StoreFault::LosesServer) => Some(Table::Server),
            Some(StoreFault::LosesWaiting) => Some(Table::Waiting),
        };
        let mut transaction = transaction.clone();
        match lost {
            Some(table) => transaction.writes.retain(|write| write.key.table() != Some(table)),
            None => {
                transaction.erase = false;
                transaction.writes.retain(|write| write.value.is_some());
            }
        }
        self.0.run(&transaction).await
    }
}
