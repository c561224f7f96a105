//! Why a store cannot be opened. What goes wrong later is a [`StoreError`].

use std::io;
use std::time::Duration;

use rusqlite::ErrorCode;
use wa_chat::StoreError;

/// Why a file was not opened. It is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no such file. If one was expected, it is lost; a new one is made by `create` only.
    #[error("no store at this path")]
    Missing,
    /// There is a file already; it is not written over.
    #[error("there is a file at this path already")]
    Exists,
    /// The file is empty, cut, damaged, or not a store.
    #[error("not a store, or a damaged one")]
    Corrupt,
    /// The key is not the one that the file was made with.
    #[error("wrong key")]
    WrongKey,
    /// The file was made by a later version of this crate.
    #[error("made by a later version (schema {0})")]
    Newer(i64),
    /// The file is older than the last one that was opened here: a backup was put back. Going on as if nothing had
    /// happened would use message keys twice.
    #[error("an older copy was put back")]
    Restored,
    /// The world's fault: no permission, no space, a busy file.
    #[error("could not be opened: {0}")]
    Io(io::ErrorKind),
}

/// A name that is no account's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account's name has 1 to 128 bytes")]
pub struct BadAccountId;

/// Why a lease was not given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Another process holds the account: wait for it, or leave the work to it.
    #[error("held by \"{holder}\", for {} ms unless it is renewed", left.as_millis())]
    Held {
        /// What the other one calls itself.
        holder: String,
        /// How long its lease would last without being renewed.
        left: Duration,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl OpenError {
    pub(crate) fn from_io(error: io::Error) -> Self {
        Failed::from(error).into()
    }
}

/// What went wrong inside, on its way out: the crates that say so are not part of what this one promises.
#[derive(Debug)]
pub(crate) struct Failed(OpenError);

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self(match store_error(&error) {
            StoreError::Corrupt => OpenError::Corrupt,
            StoreError::Full => OpenError::Io(io::ErrorKind::StorageFull),
            StoreError::Busy => OpenError::Io(io::ErrorKind::ResourceBusy),
            _ => OpenError::Io(io::ErrorKind::Other),
        })
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self(match error.kind() {
            io::ErrorKind::NotFound => OpenError::Missing,
            io::ErrorKind::AlreadyExists => OpenError::Exists,
            kind => OpenError::Io(kind),
        })
    }
}

impl From<OpenError> for Failed {
    fn from(error: OpenError) -> Self {
        Self(error)
    }
}

impl From<Failed> for OpenError {
    fn from(failed: Failed) -> Self {
        failed.0
    }
}

impl From<Failed> for LeaseError {
    fn from(failed: Failed) -> Self {
        Self::Open(failed.0)
    }
}

/// What SQLite's error means for a transaction, of which nothing was kept.
pub(crate) fn store_error(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy,
        Some(ErrorCode::DiskFull) => StoreError::Full,
        // Statements that do not fit the tables, and rows of another type than ours, mean a file that is not ours.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) | None => {
            StoreError::Corrupt
        }
        Some(_) => StoreError::Unavailable,
    }
}
