//! The tables of a file, and how an older program's become ours.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior};

use crate::store::Opening;
use crate::value::{Failed, StoreError, private_file};

/// What a file holds: forward only, tables of version N have had the first N.
pub(super) struct Schema {
    migrations: &'static [&'static str],
    /// Whether the tables say themselves which programs may use them.
    says_compatible: bool,
}

/// Keys, users and wake-ups.
pub(super) const STORE: Schema = Schema {
    migrations: &[include_str!("migrations/1.sql"), include_str!("migrations/2.sql")],
    says_compatible: true,
};

/// The index of hosted media.
pub(super) const MEDIA: Schema =
    Schema { migrations: &[include_str!("migrations/media-1.sql")], says_compatible: false };

/// How long a transaction waits for another process's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// After how many pages of the log a checkpoint comes: 32 MiB.
const CHECKPOINT_PAGES: i64 = 8192;

/// Opens the database and does with its tables what `opening` says.
pub(super) fn open(path: &Path, schema: &Schema, opening: Opening) -> Result<Connection, Failed> {
    let makes = opening != Opening::Existing;
    if makes {
        private_file::ensure(path).map_err(StoreError::from)?;
    } else if path.exists() {
        private_file::check_existing(path).map_err(StoreError::from)?;
    } else {
        return Err(StoreError::Absent { place: path.display().to_string() }.into());
    }
    let mut connection = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    // What is deleted is overwritten: private keys among it.
    connection.pragma_update(None, "secure_delete", "on")?;
    // A checkpoint writes everything a second time while nobody is answered: seldom, and then more of it at once.
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.set_prepared_statement_cache_capacity(32);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    schema.migrate(&transaction, makes, path)?;
    transaction.commit()?;
    Ok(connection)
}

/// A second connection to a database that was opened, which changes nothing.
pub(super) fn reader(path: &Path) -> Result<Connection, Failed> {
    let connection = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", "on")?;
    Ok(connection)
}

/// Never made by opening it, and used by one thread at a time.
fn flags(access: OpenFlags) -> OpenFlags {
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

impl Schema {
    fn migrate(&self, transaction: &Transaction<'_>, may: bool, path: &Path) -> Result<(), Failed> {
        let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let needed = i64::try_from(self.migrations.len()).unwrap_or(i64::MAX);
        if found > needed {
            return Ok(self.check_compatible(transaction, found, needed)?);
        }
        let Ok(done) = usize::try_from(found) else { return Err(StoreError::Version { found }.into()) };
        if found == needed {
            return Ok(());
        }
        if !may {
            return Err(match done {
                0 => StoreError::Absent { place: path.display().to_string() },
                _ => StoreError::Behind { found, needed },
            }
            .into());
        }
        for migration in self.migrations.iter().skip(done) {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "user_version", needed)?;
        Ok(())
    }

    /// A newer program may have left tables that this one can use.
    fn check_compatible(
        &self,
        transaction: &Transaction<'_>,
        found: i64,
        known: i64,
    ) -> Result<(), StoreError> {
        let refused = StoreError::Version { found };
        if !self.says_compatible {
            return Err(refused);
        }
        let since = transaction.query_row("SELECT since FROM compatible", [], |row| row.get(0)).optional();
        match since {
            Ok(Some::<i64>(since)) if since <= known => Ok(()),
            _ => Err(refused),
        }
    }
}
