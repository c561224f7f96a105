//! What a run keeps its rows in: memory, or a SQLite file that is opened anew after each crash.

use tempfile::TempDir;
use tokio::runtime::Runtime;
use wa_interop::chat::{MemoryStore, Rows, Store, Table, Transaction};
use wa_interop::store::{AccountId, AccountStore, SqliteStore, StoreKey};

use crate::report::failure::Failure;

/// What the client's rows are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageKind {
    /// The store in memory.
    Memory,
    /// A file in the directory for temporary files.
    Sqlite,
}

pub(super) enum Storage {
    Memory(MemoryStore),
    Sqlite(Box<Sqlite>),
}

pub(super) struct Sqlite {
    directory: TempDir,
    key: StoreKey,
    runtime: Runtime,
    store: SqliteStore,
    account: AccountStore,
}

impl Storage {
    pub(super) fn new(kind: StorageKind) -> Result<Self, Failure> {
        if kind == StorageKind::Memory {
            return Ok(Self::Memory(MemoryStore::default()));
        }
        let (directory, key) = (tempfile::tempdir()?, StoreKey::generate());
        let store = SqliteStore::create(&directory.path().join(FILE), &key)?;
        let account = store.account(&AccountId::new(ACCOUNT)?)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Self::Sqlite(Box::new(Sqlite { directory, key, runtime, store, account })))
    }

    pub(super) fn apply(&self, transaction: &Transaction) -> Result<Rows, Failure> {
        match self {
            Self::Memory(store) => Ok(store.apply(transaction)),
            Self::Sqlite(it) => Ok(it.runtime.block_on(it.account.run(transaction))?),
        }
    }

    /// Another process takes over: the old one's handle is of no use any more.
    pub(super) fn reopen(&mut self) -> Result<(), Failure> {
        let Self::Sqlite(it) = self else { return Ok(()) };
        it.store = SqliteStore::open(&it.directory.path().join(FILE), &it.key)?;
        it.account = it.store.account(&AccountId::new(ACCOUNT)?)?;
        Ok(())
    }

    /// How many rows a table has.
    pub(super) fn count(&self, table: Table) -> Result<usize, Failure> {
        match self {
            Self::Memory(store) => Ok(store.count(table)),
            Self::Sqlite(_) => Ok(self.apply(&wa_interop::chat::rows_of(table))?.0.len()),
        }
    }
}

const FILE: &str = "store.db";
const ACCOUNT: &str = "alice";
