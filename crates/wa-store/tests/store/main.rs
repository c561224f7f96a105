//! One suite against every store: the one in memory, and SQLite.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use wa_chat::MemoryStore;
use wa_store::{AccountId, SqliteStore, StoreKey};

mod faults;
mod leases;
mod suite;

#[tokio::test]
async fn memory() {
    suite::check(&MemoryStore::default()).await;
}

#[tokio::test]
async fn sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(&directory.path().join("store.db"), &StoreKey::generate()).unwrap();
    let account = store.account(&AccountId::new("alice").unwrap()).unwrap();
    suite::check(&account).await;
}
