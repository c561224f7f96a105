//! The tables and every statement on them.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::{
    KeyEntry, KeyState, PublicKey, StoreError, UserIdentifier,
    store::{Counts, KeyTable, NewWakeUp, Outcome, Put, StoredKey, WakeUp, secret},
};

/// Opens the database and brings its tables to this program's version.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    // A checkpoint writes everything a second time while nobody is answered: seldom, and then more of it at once.
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.set_prepared_statement_cache_capacity(32);
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => {
            for migration in MIGRATIONS.iter().skip(version) {
                transaction.execute_batch(migration)?;
            }
            transaction.pragma_update(None, "user_version", count(MIGRATIONS.len()))?;
        }
        _ => return Err(StoreError::Version { found: version }),
    }
    transaction.commit()?;
    Ok(connection)
}

pub(super) fn durability(connection: &Connection) -> rusqlite::Result<(String, i64)> {
    let journal = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let synchronous = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    Ok((journal, synchronous))
}

pub(super) fn keys(connection: &Connection) -> rusqlite::Result<Result<KeyTable, StoreError>> {
    let (generation, seen_at) = generation(connection)?;
    let mut statement = connection.prepare_cached(
        "SELECT n, e, state, published_at, ripe_at, since, private FROM signing_key ORDER BY position",
    )?;
    let keys = statement.query_map([], key)?.collect::<rusqlite::Result<Option<Vec<_>>>>()?;
    Ok(keys.map(|keys| KeyTable { generation, seen_at, keys }).ok_or(StoreError::Corrupt))
}

pub(super) fn replace_keys(
    connection: &Connection,
    table: &KeyTable,
) -> rusqlite::Result<Result<(), StoreError>> {
    let (generation, _) = generation(connection)?;
    if generation.checked_add(1) != Some(table.generation) {
        return Ok(Err(StoreError::Conflict));
    }
    connection.execute("DELETE FROM signing_key", [])?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO signing_key (position, n, e, state, published_at, ripe_at, since, private)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for (position, StoredKey { entry, private }) in table.keys.iter().enumerate() {
        statement.execute(params![
            count(position),
            entry.public_key.n(),
            entry.public_key.e(),
            entry.state.name(),
            number(entry.published_at),
            number(entry.ripe_at),
            number(entry.since),
            private.as_ref().map(|private| private.as_slice()),
        ])?;
    }
    connection.execute(
        "UPDATE key_table SET generation = ?, seen_at = ?",
        [number(table.generation), number(table.seen_at)],
    )?;
    Ok(Ok(()))
}

pub(super) fn remember_user(
    connection: &Connection,
    user: &UserIdentifier,
    now: u64,
) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("INSERT INTO user (identifier, since) VALUES (?, ?) ON CONFLICT DO NOTHING")?;
    statement.execute(params![user.as_str(), number(now)]).map(drop)
}

pub(super) fn forget_user(connection: &Connection, user: &UserIdentifier) -> rusqlite::Result<bool> {
    connection.execute("DELETE FROM outbox WHERE user = ?", [user.as_str()])?;
    Ok(connection.execute("DELETE FROM user WHERE identifier = ?", [user.as_str()])? > 0)
}

pub(super) fn put_wake_up(connection: &Connection, new: &NewWakeUp) -> rusqlite::Result<Put> {
    let mut lookup = connection.prepare_cached("SELECT 1 FROM user WHERE identifier = ?")?;
    let known = lookup.exists([new.user.as_str()])?;
    if known || new.for_strangers {
        let mut statement = connection.prepare_cached(
            "INSERT INTO outbox (sink, user, count, received_at, attempts, due_at, expires_at)
             VALUES (?1, ?2, 1, ?3, 0, ?3, ?4)
             ON CONFLICT (sink, user) DO UPDATE SET
               count = count + 1, received_at = excluded.received_at, expires_at = excluded.expires_at",
        )?;
        for sink in new.sinks.iter() {
            let (received_at, expires_at) = (number(new.received_at), number(new.expires_at));
            statement.execute(params![sink, new.user.as_str(), received_at, expires_at])?;
        }
    }
    Ok(Put { known })
}

pub(super) fn due_wake_ups(
    connection: &Connection,
    sink: &str,
    now: u64,
    limit: usize,
) -> rusqlite::Result<Vec<WakeUp>> {
    let mut statement = connection.prepare_cached(
        "SELECT user, count, received_at, attempts, expires_at FROM outbox
         WHERE sink = ? AND due_at <= ? ORDER BY due_at LIMIT ?",
    )?;
    let found = statement.query_map(params![sink, number(now), count(limit)], |row| {
        Ok(WakeUp {
            sink: sink.to_owned(),
            user: user(row, 0)?,
            count: unsigned(row, 1)?,
            received_at: unsigned(row, 2)?,
            attempts: row.get(3)?,
            expires_at: unsigned(row, 4)?,
        })
    })?;
    found.collect()
}

pub(super) fn settle(connection: &Connection, wake_up: &WakeUp, outcome: Outcome) -> rusqlite::Result<()> {
    let named = params![wake_up.sink, wake_up.user.as_str(), number(wake_up.count)];
    let settled = match outcome {
        Outcome::Delivered => connection
            .prepare_cached("DELETE FROM outbox WHERE sink = ? AND user = ? AND count = ?")?
            .execute(named)?,
        Outcome::Retry { at } => connection
            .prepare_cached(
                "UPDATE outbox SET attempts = attempts + 1, due_at = ?4 WHERE sink = ?1 AND user = ?2 AND count = ?3",
            )?
            .execute(params![wake_up.sink, wake_up.user.as_str(), number(wake_up.count), number(at)])?,
        Outcome::Dead { at } => {
            connection.execute(
                "INSERT INTO dead_letter (sink, user, count, received_at, attempts, died_at)
                 SELECT sink, user, count, received_at, attempts + 1, ?4 FROM outbox
                 WHERE sink = ?1 AND user = ?2 AND count = ?3",
                params![wake_up.sink, wake_up.user.as_str(), number(wake_up.count), number(at)],
            )?;
            connection.execute("DELETE FROM outbox WHERE sink = ? AND user = ? AND count = ?", named)?
        }
    };
    if settled == 0 {
        // Pushed again meanwhile: due since then.
        let mut statement = connection.prepare_cached(
            "UPDATE outbox SET attempts = 0, due_at = received_at WHERE sink = ? AND user = ?",
        )?;
        statement.execute(params![wake_up.sink, wake_up.user.as_str()])?;
    }
    Ok(())
}

pub(super) fn sweep(connection: &Connection, now: u64, dead_before: u64) -> rusqlite::Result<u64> {
    let expired = connection.execute("DELETE FROM outbox WHERE expires_at <= ?", [number(now)])?;
    let dead = connection.execute("DELETE FROM dead_letter WHERE died_at < ?", [number(dead_before)])?;
    Ok(u64::try_from(expired + dead).unwrap_or(u64::MAX))
}

pub(super) fn counts(connection: &Connection) -> rusqlite::Result<Counts> {
    connection.query_row(
        "SELECT (SELECT count(*) FROM outbox), (SELECT min(due_at) FROM outbox),
                (SELECT count(*) FROM dead_letter), (SELECT count(*) FROM user)",
        [],
        |row| {
            let next_due: Option<i64> = row.get(1)?;
            Ok(Counts {
                waiting: unsigned(row, 0)?,
                next_due: next_due.map(i64::unsigned_abs),
                dead: unsigned(row, 2)?,
                users: unsigned(row, 3)?,
            })
        },
    )
}

/// How long a transaction waits for another process's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// After how many pages of the log a checkpoint comes: 32 MiB.
const CHECKPOINT_PAGES: i64 = 8192;

/// Forward only; a database of version N has had the first N.
const MIGRATIONS: [&str; 1] = ["
CREATE TABLE key_table (generation INTEGER NOT NULL, seen_at INTEGER NOT NULL);
INSERT INTO key_table VALUES (0, 0);
CREATE TABLE signing_key (
  position INTEGER PRIMARY KEY,
  n TEXT NOT NULL,
  e TEXT NOT NULL,
  state TEXT NOT NULL,
  published_at INTEGER NOT NULL,
  ripe_at INTEGER NOT NULL,
  since INTEGER NOT NULL,
  private BLOB
) STRICT;
CREATE TABLE user (identifier TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (
  sink TEXT NOT NULL,
  user TEXT NOT NULL,
  count INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (sink, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_due ON outbox (sink, due_at);
CREATE TABLE dead_letter (
  sink TEXT NOT NULL,
  user TEXT NOT NULL,
  count INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  died_at INTEGER NOT NULL
) STRICT;
"];

fn generation(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    let row = connection
        .query_row("SELECT generation, seen_at FROM key_table", [], |row| {
            Ok((unsigned(row, 0)?, unsigned(row, 1)?))
        })
        .optional()?;
    Ok(row.unwrap_or_default())
}

/// `None` for a state that no key has.
fn key(row: &Row<'_>) -> rusqlite::Result<Option<StoredKey>> {
    let (n, e, state): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let Some(state) = KeyState::ALL.into_iter().find(|known| known.name() == state) else {
        return Ok(None);
    };
    let entry = KeyEntry {
        public_key: PublicKey::new(&n, &e),
        state,
        published_at: unsigned(row, 3)?,
        ripe_at: unsigned(row, 4)?,
        since: unsigned(row, 5)?,
    };
    Ok(Some(StoredKey { entry, private: row.get::<_, Option<Vec<u8>>>(6)?.map(secret) }))
}

fn user(row: &Row<'_>, column: usize) -> rusqlite::Result<UserIdentifier> {
    let text: String = row.get(column)?;
    UserIdentifier::new(&text, usize::MAX).map_err(|_| rusqlite::Error::InvalidQuery)
}

/// SQLite's numbers are signed.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::unsigned_abs)
}
