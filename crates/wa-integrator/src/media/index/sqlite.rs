//! The index in one SQLite file (RO 1.0.3 leaves this to the third party).

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::{Beginning, Begun, DAY, Entry, Hosted, MediaQuota};
use crate::{PrivateFileError, StoreError, private_file};

/// The index in a file, its owner's alone (mode 0600); cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct SqliteRows(Arc<Mutex<Connection>>);

impl SqliteRows {
    /// Opens the file, making it where there is none.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        private_file::ensure(path).map_err(|error: PrivateFileError| StoreError::File(error))?;
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match version {
            0 => {
                transaction.execute_batch(TABLES)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
            }
            VERSION => {}
            found => return Err(StoreError::Version { found }),
        }
        transaction.commit()?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Notes an upload, and what it will use of its user's quota.
    pub(super) async fn begin(&self, it: Beginning, quota: MediaQuota) -> Result<Begun, StoreError> {
        self.run(move |connection| begin(connection, &it, quota)).await
    }

    /// The upload has ended well: from now on the file is hosted.
    pub(super) async fn complete(&self, id: [u8; 32]) -> Result<(), StoreError> {
        let changed = self
            .run(move |connection| {
                connection.execute("UPDATE media SET state = 1 WHERE id = ? AND state = 0", [&id[..]])
            })
            .await?;
        // The sweep took it for one that was left: it has gone on for more than a day.
        if changed == 1 { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// The upload has ended otherwise, its blob is gone, and so many bytes of it never came.
    pub(super) async fn give_up(&self, id: [u8; 32], unused: u64) -> Result<(), StoreError> {
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute(
                "UPDATE media_usage SET bytes = max(0, bytes - ?2)
                 WHERE (user, day) = (SELECT user, created_at / 86400 FROM media WHERE id = ?1)",
                params![&id[..], number(unused)],
            )?;
            transaction.execute("DELETE FROM media WHERE id = ?", [&id[..]])?;
            transaction.commit()
        })
        .await
    }

    /// The file with this name, unless it has expired by `now`.
    pub(super) async fn hosted(&self, id: [u8; 32], now: u64) -> Result<Option<Hosted>, StoreError> {
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT length, digest FROM media WHERE id = ? AND state = 1 AND expires_at > ?",
            )?;
            let row = |row: &rusqlite::Row<'_>| Ok(Hosted { length: unsigned(row, 0)?, digest: row.get(1)? });
            statement.query_row(params![&id[..], number(now)], row).optional()
        })
        .await
    }

    /// The user's file is to be removed; from now on it is hosted no longer. Whether there was one.
    pub(super) async fn doom(&self, id: [u8; 32], user: String, now: u64) -> Result<bool, StoreError> {
        self.run(move |connection| {
            let doomed = connection.execute(
                "UPDATE media SET state = 2 WHERE id = ? AND user = ? AND state = 1 AND expires_at > ?",
                params![&id[..], user, number(now)],
            )?;
            Ok(doomed == 1)
        })
        .await
    }

    /// Dooms and gives some rows that have expired by `now`, are doomed, or are uploads begun before then; with
    /// whether they are uploads.
    pub(super) async fn doomed(
        &self,
        now: u64,
        begun_before: u64,
        limit: u32,
    ) -> Result<Vec<([u8; 32], bool)>, StoreError> {
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction
                .execute("UPDATE media SET state = 2 WHERE state = 1 AND expires_at <= ?", [number(now)])?;
            // An upload that goes on after all finds its row changed, and gives up.
            transaction.execute(
                "UPDATE media SET state = 3 WHERE state = 0 AND created_at < ?",
                [number(begun_before)],
            )?;
            let doomed = {
                let mut statement =
                    transaction.prepare_cached("SELECT id, state = 3 FROM media WHERE state > 1 LIMIT ?")?;
                let rows = statement.query_map([limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect::<rusqlite::Result<Vec<_>>>()?
            };
            transaction.commit()?;
            Ok(doomed)
        })
        .await
    }

    /// Removes a row whose blob is gone.
    pub(super) async fn forget(&self, id: [u8; 32]) -> Result<(), StoreError> {
        self.run(move |connection| connection.execute("DELETE FROM media WHERE id = ?", [&id[..]]).map(drop))
            .await
    }

    /// Forgets what was used before yesterday.
    pub(super) async fn forget_usage(&self, now: u64) -> Result<(), StoreError> {
        let day = number((now / DAY).saturating_sub(1));
        self.run(move |connection| {
            connection.execute("DELETE FROM media_usage WHERE day < ?", [day]).map(drop)
        })
        .await
    }

    /// Every row.
    pub(super) async fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        self.run(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT id, length, digest, state <> 1 FROM media")?;
            let rows = statement.query_map([], |row| {
                let (length, digest) = (unsigned(row, 1)?, row.get(2)?);
                Ok(Entry { id: row.get(0)?, length, digest, is_uploading: row.get(3)? })
            })?;
            rows.collect()
        })
        .await
    }

    /// Does work off the async threads, one piece at a time.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = Arc::clone(&self.0);
        let working = tokio::task::spawn_blocking(move || {
            // A statement that panicked has left no transaction open: it was dropped, and so rolled back.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection)
        });
        match working.await {
            Ok(done) => Ok(done?),
            Err(_) => Err(StoreError::Unavailable),
        }
    }
}

const VERSION: i64 = 1;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// States: 0 uploading, 1 hosted, 2 to be removed, 3 an upload to be removed.
const TABLES: &str = "
    CREATE TABLE media (
        id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 32),
        user TEXT NOT NULL,
        length INTEGER NOT NULL,
        digest BLOB NOT NULL CHECK (length(digest) = 32),
        state INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX media_by_state ON media (state, expires_at);
    CREATE TABLE media_usage (
        user TEXT NOT NULL,
        day INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        files INTEGER NOT NULL,
        PRIMARY KEY (user, day)
    ) STRICT, WITHOUT ROWID;
";

fn begin(connection: &mut Connection, it: &Beginning, quota: MediaQuota) -> rusqlite::Result<Begun> {
    let day = it.now / DAY;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "INSERT INTO media_usage (user, day, bytes, files) VALUES (?1, ?2, ?3, 1)
         ON CONFLICT DO UPDATE SET bytes = bytes + ?3, files = files + 1",
        params![it.user, number(day), number(it.length)],
    )?;
    let (bytes, files) = transaction.query_row(
        "SELECT bytes, files FROM media_usage WHERE user = ? AND day = ?",
        params![it.user, number(day)],
        |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)),
    )?;
    if bytes > quota.bytes || files > quota.files {
        // Dropped, and so undone.
        return Ok(Begun::QuotaUsed { until: day.saturating_add(1).saturating_mul(DAY) });
    }
    transaction.execute(
        "INSERT INTO media (id, user, length, digest, state, created_at, expires_at) VALUES (?, ?, ?, ?, 0, ?, ?)",
        params![
            &it.id[..],
            it.user,
            number(it.length),
            &it.digest[..],
            number(it.now),
            number(it.expires_at)
        ],
    )?;
    transaction.commit()?;
    Ok(Begun::Yes)
}

/// SQLite's integers have a sign; no length and no time reaches it.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    Ok(u64::try_from(value).unwrap_or(0))
}
