//! Why a store cannot be opened. What goes wrong later is a [`StoreError`].

use std::io;

use rusqlite::ErrorCode;
use wa_chat::StoreError;

/// Why a file was not opened. It is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no such file. Whoever expected one has lost it; a new one is made by `create` only.
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

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match store_error(&error) {
            StoreError::Corrupt => Self::Corrupt,
            StoreError::Full => Self::Io(io::ErrorKind::StorageFull),
            StoreError::Busy => Self::Io(io::ErrorKind::ResourceBusy),
            _ => Self::Io(io::ErrorKind::Other),
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::AlreadyExists => Self::Exists,
            kind => Self::Io(kind),
        }
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
