//! How far a store has come: a number that rises with every opening and every transaction that writes, in the database
//! and in a small file beside it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::{Failed, OpenError};

/// The number of an open store: commits move it, any thread may read it.
#[derive(Debug)]
pub(crate) struct Number {
    /// The small file. It is written over in place, always as long as it was, and synced by no commit: behind the database
    /// after a loss of power it harms nothing.
    beside: File,
    reached: Arc<AtomicU64>,
}

impl Number {
    /// Moves the number on for this opening, in the database and then in the small file. A database whose number is
    /// below the small file's, or below one that was `kept` elsewhere, is an older copy.
    pub(crate) fn open(
        connection: &mut Connection,
        path: &Path,
        kept: u64,
        restored: bool,
    ) -> Result<Self, Failed> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let counted = of_database(&transaction)?;
        let elsewhere = of_small_file(path)?.max(kept);
        if restored {
            transaction.execute("INSERT OR IGNORE INTO meta VALUES ('restoring', 1)", [])?;
        } else if elsewhere > counted || is_restoring(&transaction)? {
            return Err(OpenError::Restored.into());
        }
        let reached = counted.max(elsewhere) + 1;
        put(&transaction, reached)?;
        transaction.commit()?;
        let beside = small_file(path, reached)?;
        Ok(Self { beside, reached: Arc::new(AtomicU64::new(reached)) })
    }

    /// The number as others may read it.
    pub(crate) fn reached(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.reached)
    }

    /// Moves the number in the database as part of a commit; [`committed`](Self::committed) follows it.
    pub(crate) fn advance(transaction: &Transaction<'_>) -> rusqlite::Result<u64> {
        let next = of_database(transaction)? + 1;
        put(transaction, next)?;
        Ok(next)
    }

    /// The commit that moved the number is durable.
    pub(crate) fn committed(&mut self, number: u64) {
        self.reached.fetch_max(number, Ordering::Relaxed);
        let written = self.beside.seek(SeekFrom::Start(0)).and_then(|_| self.beside.write_all(&text(number)));
        if let Err(error) = written {
            tracing::debug!(%error, "the number beside the database stays behind");
        }
    }
}

/// All accounts of a copy that was put back have been restored: from now on it opens as any other.
pub(crate) fn finish_restoration(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM meta WHERE name = 'restoring'", []).map(drop)
}

/// Whether a copy was opened as a restored one, and not all of its accounts have been restored since.
fn is_restoring(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) > 0 FROM meta WHERE name = 'restoring'", [], |row| row.get(0))
}

fn of_database(connection: &Connection) -> rusqlite::Result<u64> {
    let mut select = connection.prepare_cached("SELECT value FROM meta WHERE name = 'opened'")?;
    let number: i64 = select.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(number).unwrap_or_default())
}

fn put(connection: &Connection, number: u64) -> rusqlite::Result<()> {
    let mut update = connection.prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'opened'")?;
    update.execute([i64::try_from(number).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// The number in the small file; 0 if it is not there.
fn of_small_file(path: &Path) -> Result<u64, Failed> {
    match fs::read_to_string(beside(path)) {
        Ok(number) => number.trim().parse().map_err(|_| OpenError::Corrupt.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// The small file with this number in it, synced. It is written over where it stands, since another process may have it
/// open; where there is none, or one of an earlier version, it is made whole under a name of its own first.
fn small_file(path: &Path, number: u64) -> Result<File, Failed> {
    let target = beside(path);
    if let Ok(mut there) = OpenOptions::new().write(true).open(&target)
        && there.metadata()?.len() == u64::try_from(text(number).len()).unwrap_or_default()
    {
        there.write_all(&text(number))?;
        there.sync_all()?;
        return Ok(there);
    }
    static MADE: AtomicU64 = AtomicU64::new(0);
    let own = format!("opened-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let half = target.with_extension(own);
    let mut file = File::create(&half)?;
    file.write_all(&text(number))?;
    file.sync_all()?;
    fs::rename(half, target)?;
    Ok(file)
}

/// Forgets the number of a store that is gone: a new one stands in its place.
pub(crate) fn forget(path: &Path) {
    // Mostly there is none.
    fs::remove_file(beside(path)).ok();
}

/// Always 21 bytes.
fn text(number: u64) -> Vec<u8> {
    format!("{number:020}\n").into_bytes()
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".opened");
    name.into()
}
