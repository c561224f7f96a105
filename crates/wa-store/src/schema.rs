//! The file: its tables, its version, and what says that it is ours.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};

use crate::error::{Failed, OpenError};
use crate::seal::{Sealer, StoreKey};

/// SQLite's field for whose file it is: `WAST`.
const APPLICATION: i64 = 0x5741_5354;

/// Each step makes the schema of the next version. Steps are added, never changed.
const MIGRATIONS: [&str; 4] = [
    "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE accounts (id BLOB PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE rows (
        account BLOB NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, expires INTEGER,
        PRIMARY KEY (account, key)
    ) WITHOUT ROWID;
    CREATE INDEX rows_expires ON rows (expires) WHERE expires IS NOT NULL;
",
    // Rows that programs before this one cannot read: they are to say that the file is newer, not that it is corrupt.
    "",
    // Each account is swept by a date of its own.
    "
    DROP INDEX rows_expires;
    CREATE INDEX rows_expire ON rows (account, expires) WHERE expires IS NOT NULL;
",
    // Who holds an account among several processes; dates in milliseconds since 1970.
    "
    CREATE TABLE leases (
        account BLOB PRIMARY KEY, epoch INTEGER NOT NULL, holder TEXT NOT NULL,
        renewed INTEGER NOT NULL, term INTEGER NOT NULL, asked INTEGER
    ) WITHOUT ROWID;
",
];

/// How long a connection waits for another one's lock.
pub(crate) const BUSY: Duration = Duration::from_secs(5);

/// Pages of 4 KiB in the log before they go to their places: a page that many commits change goes once. With SQLite's
/// own thousand every tenth commit of 64 busy accounts ended in that.
const CHECKPOINT_PAGES: i64 = 4000;

/// KiB of pages that a connection keeps at most.
const CACHE_KIB: i64 = 8192;

/// What the check value holds; only the right key opens it.
const CHECK: &[u8] = b"wa-store";

/// A new file, its owner's alone.
pub(crate) fn create(path: &Path, key: &StoreKey) -> Result<Connection, Failed> {
    drop(private(path)?);
    let made = initialise(path, key);
    if made.is_err() {
        // Nothing of a half-made store stays.
        fs::remove_file(path).ok();
    }
    made
}

fn initialise(path: &Path, key: &StoreKey) -> Result<Connection, Failed> {
    let mut connection = connect(path)?;
    let transaction = connection.transaction()?;
    migrate(&transaction, 0)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    let sealed = Sealer::new(key, b"").seal(b"check", CHECK);
    transaction.execute("INSERT INTO meta VALUES ('check', ?1), ('opened', 0)", [sealed])?;
    transaction.commit()?;
    // The name in the directory must be durable as well.
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        File::open(directory)?.sync_all()?;
    }
    Ok(connection)
}

/// A file that is there, its schema brought up to date.
pub(crate) fn open(path: &Path, key: &StoreKey) -> Result<Connection, Failed> {
    if fs::metadata(path)?.len() == 0 {
        return Err(OpenError::Corrupt.into());
    }
    let mut connection = connect(path)?;
    // Two processes may bring it up to date at the same time: one does, and the other finds it done.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let application: i64 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let newest = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    match version {
        _ if application != APPLICATION => return Err(OpenError::Corrupt.into()),
        version if version > newest => return Err(OpenError::Newer(version).into()),
        version => {
            // The wrong key changes nothing.
            check_key(&transaction, key)?;
            migrate(&transaction, usize::try_from(version).map_err(|_| OpenError::Corrupt)?)?;
            transaction.commit()?;
        }
    }
    Ok(connection)
}

/// A connection that only reads.
pub(crate) fn reader(path: &Path) -> Result<Connection, Failed> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

pub(crate) fn connect(path: &Path) -> Result<Connection, Failed> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    let mode: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::Io(io::ErrorKind::Unsupported).into());
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Deleted secrets are written over, not only unlinked.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

fn migrate(connection: &Connection, from: usize) -> Result<(), Failed> {
    for (version, step) in (1_i64..).zip(MIGRATIONS).skip(from) {
        connection.execute_batch(step)?;
        connection.pragma_update(None, "user_version", version)?;
    }
    Ok(())
}

fn check_key(connection: &Connection, key: &StoreKey) -> Result<(), Failed> {
    let select = "SELECT value FROM meta WHERE name = 'check'";
    let sealed: Option<Vec<u8>> = connection.query_row(select, [], |row| row.get(0)).optional()?;
    let opened = Sealer::new(key, b"").open(b"check", &sealed.ok_or(OpenError::Corrupt)?);
    match opened {
        Ok(value) if value.as_bytes() == CHECK => Ok(()),
        _ => Err(OpenError::WrongKey.into()),
    }
}

/// A new file that nobody else may read.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
