//! The stores that the program chooses from by its settings.

use std::fmt;

use super::{Counts, KeyTable, NewWakeUp, Outcome, Put, SqliteStore, Store, WakeUp};
use crate::{StoreError, UserIdentifier};

/// A [`Store`] of one of the kinds that are built in.
#[non_exhaustive]
pub enum BuiltInStore {
    /// One file, for one server.
    Sqlite(SqliteStore),
    /// A database, for any number of servers.
    #[cfg(feature = "postgres")]
    Postgres(super::PostgresStore),
}

/// The same call on whichever it is.
macro_rules! either {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            BuiltInStore::Sqlite($store) => $call,
            #[cfg(feature = "postgres")]
            BuiltInStore::Postgres($store) => $call,
        }
    };
}

impl Store for BuiltInStore {
    async fn keys(&self) -> Result<KeyTable, StoreError> {
        either!(self, store => store.keys().await)
    }

    async fn replace_keys(&self, table: KeyTable) -> Result<(), StoreError> {
        either!(self, store => store.replace_keys(table).await)
    }

    async fn remember_user(&self, user: UserIdentifier, now: u64) -> Result<(), StoreError> {
        either!(self, store => store.remember_user(user, now).await)
    }

    async fn forget_user(&self, user: UserIdentifier) -> Result<bool, StoreError> {
        either!(self, store => store.forget_user(user).await)
    }

    async fn put_wake_up(&self, wake_up: NewWakeUp) -> Result<Put, StoreError> {
        either!(self, store => store.put_wake_up(wake_up).await)
    }

    async fn due_wake_ups(&self, sink: &str, now: u64, limit: usize) -> Result<Vec<WakeUp>, StoreError> {
        either!(self, store => store.due_wake_ups(sink, now, limit).await)
    }

    async fn settle(&self, wake_up: WakeUp, outcome: Outcome) -> Result<(), StoreError> {
        either!(self, store => store.settle(wake_up, outcome).await)
    }

    async fn sweep(&self, now: u64, dead_before: u64) -> Result<u64, StoreError> {
        either!(self, store => store.sweep(now, dead_before).await)
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        either!(self, store => store.counts().await)
    }

    async fn next_due(&self, sink: &str) -> Result<Option<u64>, StoreError> {
        either!(self, store => store.next_due(sink).await)
    }

    async fn check(&self) -> Result<(), StoreError> {
        either!(self, store => store.check().await)
    }

    async fn keys_changed(&self) {
        either!(self, store => store.keys_changed().await);
    }

    async fn woken(&self) {
        either!(self, store => store.woken().await);
    }
}

impl fmt::Debug for BuiltInStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        either!(self, store => store.fmt(f))
    }
}
