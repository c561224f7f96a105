//! The contract in one SQLite file: write-ahead log, `synchronous=FULL`, one writer thread, group commit.
//!
//! All work is done by one thread in the order it came. It takes everything that waits into one transaction,
//! so that many pushes share one sync of the disk, and answers after that sync. A second process, such as
//! `wa-integrator keys`, may use the file at the same time: transactions begin immediately, so none is refused
//! half-way.

mod rows;
mod writer;

use std::path::Path;

use super::{Counts, KeyTable, NewWakeUp, Outcome, Put, Store, WakeUp};
use crate::{PrivateFileError, StoreError, UserIdentifier, private_file};
use writer::Writer;

/// A [`Store`] in one SQLite file, its owner's alone (mode 0600).
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
}

impl SqliteStore {
    /// Opens the file at `path`, making it where there is none.
    ///
    /// # Errors
    /// [`StoreError::File`] for a file that others may read, [`StoreError::Corrupt`] for one that is no database
    /// of ours (it is left as it is), [`StoreError::Version`] for one of a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        private_file::ensure(path).map_err(|error: PrivateFileError| StoreError::File(error))?;
        Ok(Self { writer: Writer::start(rows::open(path)?)? })
    }

    /// What the database says of its journal and of syncing, for example `("wal", 2)`; 2 is FULL.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn durability(&self) -> Result<(String, i64), StoreError> {
        self.writer.run(rows::durability).await
    }
}

impl Store for SqliteStore {
    async fn keys(&self) -> Result<KeyTable, StoreError> {
        self.writer.run(rows::keys).await?
    }

    async fn replace_keys(&self, table: KeyTable) -> Result<(), StoreError> {
        self.writer.run(move |connection| rows::replace_keys(connection, &table)).await?
    }

    async fn remember_user(&self, user: UserIdentifier, now: u64) -> Result<(), StoreError> {
        self.writer.run(move |connection| rows::remember_user(connection, &user, now)).await
    }

    async fn forget_user(&self, user: UserIdentifier) -> Result<bool, StoreError> {
        self.writer.run(move |connection| rows::forget_user(connection, &user)).await
    }

    async fn put_wake_up(&self, wake_up: NewWakeUp) -> Result<Put, StoreError> {
        self.writer.run(move |connection| rows::put_wake_up(connection, &wake_up)).await
    }

    async fn due_wake_ups(&self, sink: &str, now: u64, limit: usize) -> Result<Vec<WakeUp>, StoreError> {
        let sink = sink.to_owned();
        self.writer.run(move |connection| rows::due_wake_ups(connection, &sink, now, limit)).await
    }

    async fn settle(&self, wake_up: WakeUp, outcome: Outcome) -> Result<(), StoreError> {
        self.writer.run(move |connection| rows::settle(connection, &wake_up, outcome)).await
    }

    async fn sweep(&self, now: u64, dead_before: u64) -> Result<u64, StoreError> {
        self.writer.run(move |connection| rows::sweep(connection, now, dead_before)).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.writer.run(rows::counts).await
    }
}

/// What SQLite says, without its words: they may quote what was stored.
impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase,
        };
        match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => Self::Busy,
            Some(DiskFull) => Self::Full,
            Some(DatabaseCorrupt | NotADatabase) => Self::Corrupt,
            Some(CannotOpen) => Self::Unavailable,
            Some(_) => Self::Unavailable,
            // A row that does not have the form we gave it.
            None => Self::Corrupt,
        }
    }
}

/// The signing keys in a database that is open.
#[cfg(feature = "postgres")]
pub(super) fn keys(connection: &rusqlite::Connection) -> Result<KeyTable, StoreError> {
    rows::keys(connection)?
}
