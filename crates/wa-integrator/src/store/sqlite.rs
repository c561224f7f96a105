//! The contract in one SQLite file: write-ahead log, `synchronous=FULL`, one writer thread, group commit.
//!
//! All work is done by one thread in the order it came. It takes everything that waits into one transaction,
//! so that many pushes share one sync of the disk, and answers after that sync. A second process, such as
//! `wa-integrator keys`, may use the file at the same time: transactions begin immediately, so none is refused
//! half-way. What is only measured is read beside the writer.

mod media;
mod rows;
mod schema;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::Connection;

use crate::keys::{KeyStore, KeyTable};
use crate::push::{Counts, DeadLetter, NewWakeUp, OutboxStore, Outcome, Put, Selection, WakeUp};
use crate::store::{Opening, Store};
use crate::tokens::UserStore;
use crate::value::{Failed, StoreError, UserIdentifier};
use writer::Writer;

pub use media::SqliteMedia;

/// A store in one SQLite file, its owner's alone (mode 0600).
pub struct SqliteStore {
    writer: Writer,
    /// Reads what need not be the newest.
    reader: Arc<Mutex<Connection>>,
}

impl SqliteStore {
    /// Opens the file at `path`, making it where there is none, and brings it to this program's version.
    ///
    /// # Errors
    /// [`StoreError::File`] for a file that others may read, [`StoreError::Corrupt`] for one that is no database
    /// of ours (it is left as it is), [`StoreError::Version`] for one of a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_as(path, Opening::Serve)
    }

    /// Opens the file at `path`, doing with it what `opening` says.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`StoreError::Absent`] and [`StoreError::Behind`] where nothing may be done about it.
    pub fn open_as(path: &Path, opening: Opening) -> Result<Self, StoreError> {
        let connection = schema::open(path, &schema::STORE, opening)?;
        let reader = Arc::new(Mutex::new(schema::reader(path)?));
        Ok(Self { writer: Writer::start(connection)?, reader })
    }

    /// What the database says of its journal and of syncing, for example `("wal", 2)`; 2 is FULL.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn durability(&self) -> Result<(String, i64), StoreError> {
        self.writer.run(rows::durability).await
    }

    /// Reads beside the writer, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let reader = Arc::clone(&self.reader);
        let reading =
            tokio::task::spawn_blocking(move || work(&reader.lock().unwrap_or_else(PoisonError::into_inner)));
        Ok(reading.await.map_err(|_| StoreError::Unavailable)?.map_err(Failed::from)?)
    }
}

#[async_trait]
impl KeyStore for SqliteStore {
    async fn keys(&self) -> Result<KeyTable, StoreError> {
        self.writer.run(rows::keys).await?
    }

    async fn replace_keys(&self, table: KeyTable) -> Result<(), StoreError> {
        self.writer.run(move |connection| rows::replace_keys(connection, &table)).await?
    }
}

#[async_trait]
impl UserStore for SqliteStore {
    async fn remember_user(&self, user: UserIdentifier, now: u64) -> Result<(), StoreError> {
        self.writer.run(move |connection| rows::remember_user(connection, &user, now)).await
    }

    async fn forget_user(&self, user: UserIdentifier) -> Result<bool, StoreError> {
        self.writer.run(move |connection| rows::forget_user(connection, &user)).await
    }
}

#[async_trait]
impl OutboxStore for SqliteStore {
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
        self.read(rows::counts).await
    }

    async fn next_due(&self, sink: &str) -> Result<Option<u64>, StoreError> {
        let sink = sink.to_owned();
        self.read(move |connection| rows::next_due(connection, &sink)).await
    }

    async fn dead_letters(&self, of: Selection, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.read(move |connection| rows::dead_letters(connection, &of, limit)).await
    }

    async fn revive(&self, of: Selection, now: u64, expires_at: u64) -> Result<u64, StoreError> {
        self.writer.run(move |connection| rows::revive(connection, &of, now, expires_at)).await
    }

    async fn drop_wake_ups(&self, of: Selection, waiting: bool) -> Result<u64, StoreError> {
        self.writer.run(move |connection| rows::drop_wake_ups(connection, &of, waiting)).await
    }
}

impl Store for SqliteStore {}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteStore")
    }
}

/// What SQLite says, without its words: they may quote what was stored.
impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase};
        Self(match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => StoreError::Busy,
            Some(DiskFull) => StoreError::Full,
            Some(DatabaseCorrupt | NotADatabase) => StoreError::Corrupt,
            Some(_) => StoreError::Unavailable,
            // A row that does not have the form we gave it.
            None => StoreError::Corrupt,
        })
    }
}

/// The signing keys in a database that is open.
#[cfg(feature = "postgres")]
pub(super) fn keys(connection: &Connection) -> Result<KeyTable, Failed> {
    Ok(rows::keys(connection)??)
}
