//! Which files are hosted, whose they are and until when (RO 1.0.3 leaves this to the third party).

#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

use std::path::Path;

#[cfg(feature = "postgres")]
use crate::PostgresStore;
use crate::StoreError;
#[cfg(feature = "postgres")]
use postgres::PostgresRows;
use sqlite::SqliteRows;

/// The index of hosted files; cheap to clone. Every change is synced when it returns.
#[derive(Debug, Clone)]
pub struct MediaIndex(Rows);

#[derive(Debug, Clone)]
enum Rows {
    Sqlite(SqliteRows),
    #[cfg(feature = "postgres")]
    Postgres(PostgresRows),
}

/// What one user may upload on one day (UTC). What a broken upload did not bring does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaQuota {
    /// Bytes, as encrypted.
    pub bytes: u64,
    /// Files.
    pub files: u64,
}

/// An upload that is to begin.
#[derive(Clone)]
pub(super) struct Beginning {
    pub(super) id: [u8; 32],
    pub(super) user: String,
    pub(super) length: u64,
    pub(super) digest: [u8; 32],
    pub(super) now: u64,
    pub(super) expires_at: u64,
}

/// Whether it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    Yes,
    /// Not before then.
    QuotaUsed {
        until: u64,
    },
}

/// What is known of a hosted file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hosted {
    pub(super) length: u64,
    pub(super) digest: [u8; 32],
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: [u8; 32],
    pub(super) length: u64,
    pub(super) digest: [u8; 32],
    pub(super) is_uploading: bool,
}

/// The same call on whichever it is.
macro_rules! either {
    ($self:ident, $rows:ident => $call:expr) => {
        match &$self.0 {
            Rows::Sqlite($rows) => $call,
            #[cfg(feature = "postgres")]
            Rows::Postgres($rows) => $call,
        }
    };
}

impl MediaIndex {
    /// The index in the file at `path`, its owner's alone (mode 0600), made where there is none.
    ///
    /// # Errors
    /// [`StoreError::File`] for a file that others may read, [`StoreError::Corrupt`] for one that is no database of
    /// ours, [`StoreError::Version`] for one of a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        SqliteRows::open(path).map(Rows::Sqlite).map(Self)
    }

    /// The index in the database of this store, shared by all servers on it.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn in_postgres(store: &PostgresStore) -> Self {
        Self(Rows::Postgres(PostgresRows::new(store.connections().clone())))
    }

    /// Whether other servers may use it at this time.
    pub(super) const fn is_shared(&self) -> bool {
        !matches!(self.0, Rows::Sqlite(_))
    }

    /// Notes an upload, and what it will use of its user's quota.
    pub(super) async fn begin(&self, it: Beginning, quota: MediaQuota) -> Result<Begun, StoreError> {
        either!(self, rows => rows.begin(it, quota).await)
    }

    /// The upload has ended well: from now on the file is hosted.
    pub(super) async fn complete(&self, id: [u8; 32]) -> Result<(), StoreError> {
        either!(self, rows => rows.complete(id).await)
    }

    /// The upload has ended otherwise, its blob is gone, and so many bytes of it never came.
    pub(super) async fn give_up(&self, id: [u8; 32], unused: u64) -> Result<(), StoreError> {
        either!(self, rows => rows.give_up(id, unused).await)
    }

    /// The file with this name, unless it has expired by `now`.
    pub(super) async fn hosted(&self, id: [u8; 32], now: u64) -> Result<Option<Hosted>, StoreError> {
        either!(self, rows => rows.hosted(id, now).await)
    }

    /// The user's file is to be removed; from now on it is hosted no longer. Whether there was one.
    pub(super) async fn doom(&self, id: [u8; 32], user: String, now: u64) -> Result<bool, StoreError> {
        either!(self, rows => rows.doom(id, user, now).await)
    }

    /// Dooms and gives some rows that have expired by `now`, are doomed, or are uploads begun before then; with
    /// whether they are uploads.
    pub(super) async fn doomed(
        &self,
        now: u64,
        begun_before: u64,
        limit: u32,
    ) -> Result<Vec<([u8; 32], bool)>, StoreError> {
        either!(self, rows => rows.doomed(now, begun_before, limit).await)
    }

    /// Removes a row whose blob is gone.
    pub(super) async fn forget(&self, id: [u8; 32]) -> Result<(), StoreError> {
        either!(self, rows => rows.forget(id).await)
    }

    /// Forgets what was used before yesterday.
    pub(super) async fn forget_usage(&self, now: u64) -> Result<(), StoreError> {
        either!(self, rows => rows.forget_usage(now).await)
    }

    /// Every row.
    pub(super) async fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        either!(self, rows => rows.entries().await)
    }
}

/// Quotas are for a day of so many seconds, by UTC.
const DAY: u64 = 24 * 60 * 60;
