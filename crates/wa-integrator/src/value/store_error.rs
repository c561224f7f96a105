//! What a store refuses, and whose fault it is.

use thiserror::Error;

use crate::value::PrivateFileError;

/// What a store refuses.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else changed the same at the same time: read again.
    #[error("the store was changed by somebody else")]
    Conflict,
    /// Another process holds the database for too long.
    #[error("the store is busy")]
    Busy,
    /// The disk is full.
    #[error("the store is full")]
    Full,
    /// The database cannot be read or written now.
    #[error("the store is unavailable")]
    Unavailable,
    /// The database is no database of ours; it is left as it is.
    #[error("the store is corrupt; restore it, or move it away to start anew")]
    Corrupt,
    /// Its tables are of an older program; `wa-integrator store upgrade` brings them to this one's.
    #[error(
        "the store has version {found}, and this program needs {needed}: run `wa-integrator store upgrade`"
    )]
    Behind {
        /// The version that the data has.
        found: i64,
        /// What this program needs.
        needed: i64,
    },
    /// There is no store where one should be, and the caller makes none.
    #[error("there is no store at {place}")]
    Absent {
        /// The file, or the database.
        place: String,
    },
    /// A newer program has written it, which this one is too old for.
    #[error("the store has version {found}, which this program does not know")]
    Version {
        /// The version that the data has.
        found: i64,
    },
    /// The database does not take this user; the configuration's fault.
    #[error("the database refuses this user, its password or its rights")]
    Refused,
    /// The database holds texts in another encoding; the configuration's fault.
    #[error("the database's encoding is not utf-8")]
    Encoding,
    /// It is no address of a database; the configuration's fault.
    #[error("that is no address of a database, such as postgresql://user@host/database")]
    Address,
    /// It is no object store that may be used; the configuration's fault.
    #[error(
        "media.s3_endpoint is neither https, nor http to a loopback host or one of trust.plain_http; or the bucket cannot be"
    )]
    Endpoint,
    /// Something is there already where only nothing may be.
    #[error("there is something in the database already")]
    NotEmpty,
    /// A copy holds something else than what was copied.
    #[error("the copy is not equal to what was copied")]
    Unequal,
    /// Its file cannot be used.
    #[error(transparent)]
    File(#[from] PrivateFileError),
}

/// The same inside a store, which a database's own errors become: none of them is in our interface, where a user's code
/// would depend on the version of its crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed(pub(crate) StoreError);

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl From<Failed> for StoreError {
    fn from(Failed(error): Failed) -> Self {
        error
    }
}
