//! The index of hosted media in one SQLite file (RO 1.0.3 leaves this to the third party).

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::schema;
use crate::media::{Beginning, Begun, DAY, Doomed, Entry, Hosted, MediaQuota, MediaStore};
use crate::store::Opening;
use crate::value::{Failed, StoreError};

/// The index in a file, its owner's alone (mode 0600); cheap to clone.
#[derive(Clone, Debug)]
pub struct SqliteMedia(Arc<Mutex<Connection>>);

impl SqliteMedia {
    /// Opens the file at `path`, its owner's alone (mode 0600), making it where there is none.
    ///
    /// # Errors
    /// [`StoreError::File`] for a file that others may read, [`StoreError::Corrupt`] for one that is no database of
    /// ours, [`StoreError::Version`] for one of a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_as(path, Opening::Serve)
    }

    /// Opens the file at `path`, doing with it what `opening` says.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`StoreError::Absent`] and [`StoreError::Behind`] where nothing may be done about it.
    pub fn open_as(path: &Path, opening: Opening) -> Result<Self, StoreError> {
        let connection = schema::open(path, &schema::MEDIA, opening)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
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
            Ok(done) => Ok(done.map_err(Failed::from)?),
            Err(_) => Err(StoreError::Unavailable),
        }
    }
}

#[async_trait]
impl MediaStore for SqliteMedia {
    fn is_shared(&self) -> bool {
        false
    }

    async fn begin(&self, it: Beginning, quota: MediaQuota) -> Result<Begun, StoreError> {
        self.run(move |connection| begin(connection, &it, quota)).await
    }

    async fn complete(&self, id: [u8; 32]) -> Result<(), StoreError> {
        let changed = self
            .run(move |connection| {
                connection.execute("UPDATE media SET state = 1 WHERE id = ? AND state = 0", [&id[..]])
            })
            .await?;
        // The sweep took it for one that was left: it has gone on for more than a day.
        if changed == 1 { Ok(()) } else { Err(StoreError::Conflict) }
    }

    async fn give_up(&self, id: [u8; 32], unused: u64) -> Result<(), StoreError> {
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

    async fn hosted(&self, id: [u8; 32], now: u64) -> Result<Option<Hosted>, StoreError> {
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT length, digest FROM media WHERE id = ? AND state = 1 AND expires_at > ?",
            )?;
            let row = |row: &rusqlite::Row<'_>| Ok(Hosted { length: unsigned(row, 0)?, digest: row.get(1)? });
            statement.query_row(params![&id[..], number(now)], row).optional()
        })
        .await
    }

    async fn doom(&self, id: [u8; 32], user: String, now: u64) -> Result<bool, StoreError> {
        self.run(move |connection| {
            let doomed = connection.execute(
                "UPDATE media SET state = 2 WHERE id = ? AND user = ? AND state = 1 AND expires_at > ?",
                params![&id[..], user, number(now)],
            )?;
            Ok(doomed == 1)
        })
        .await
    }

    async fn doom_user(&self, user: String) -> Result<u64, StoreError> {
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let doomed =
                transaction.execute("UPDATE media SET state = 2 WHERE user = ? AND state < 2", [&user])?;
            transaction.execute("DELETE FROM media_usage WHERE user = ?", [&user])?;
            transaction.commit()?;
            Ok(u64::try_from(doomed).unwrap_or(u64::MAX))
        })
        .await
    }

    async fn doomed(
        &self,
        now: u64,
        begun_before: u64,
        after: Option<[u8; 32]>,
        limit: u32,
    ) -> Result<Vec<Doomed>, StoreError> {
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
                let mut statement = transaction.prepare_cached(
                    "SELECT id, state = 3 FROM media WHERE state > 1 AND id > ? ORDER BY id LIMIT ?",
                )?;
                let rows = statement.query_map(params![behind(&after), limit], |row| {
                    Ok(Doomed { id: row.get(0)?, is_upload: row.get(1)? })
                })?;
                rows.collect::<rusqlite::Result<Vec<_>>>()?
            };
            transaction.commit()?;
            Ok(doomed)
        })
        .await
    }

    async fn forget(&self, id: [u8; 32]) -> Result<(), StoreError> {
        self.run(move |connection| connection.execute("DELETE FROM media WHERE id = ?", [&id[..]]).map(drop))
            .await
    }

    async fn forget_usage(&self, now: u64) -> Result<(), StoreError> {
        let day = number((now / DAY).saturating_sub(1));
        self.run(move |connection| {
            connection.execute("DELETE FROM media_usage WHERE day < ?", [day]).map(drop)
        })
        .await
    }

    async fn entries(&self, after: Option<[u8; 32]>, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, length, digest, state <> 1 FROM media WHERE id > ? ORDER BY id LIMIT ?",
            )?;
            let rows = statement.query_map(params![behind(&after), limit], |row| {
                let (length, digest) = (unsigned(row, 1)?, row.get(2)?);
                Ok(Entry { id: row.get(0)?, length, digest, is_uploading: row.get(3)? })
            })?;
            rows.collect()
        })
        .await
    }
}

/// The bound behind which names are wanted.
fn behind(after: &Option<[u8; 32]>) -> &[u8] {
    after.as_ref().map_or(&[], |id| id.as_slice())
}

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
