//! Every statement on the tables.

use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::keys::{KeyEntry, KeyState, KeyTable, PublicKey, StoredKey};
use crate::push::{Counts, DeadLetter, NewWakeUp, Outcome, Put, Selection, WakeUp};
use crate::store::secret;
use crate::value::{StoreError, UserIdentifier};

/// How many rows are counted: more are more.
const COUNTED_MAX: i64 = 1_000_000;

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
    let mut forgotten = 0;
    for statement in [
        "DELETE FROM outbox WHERE user = ?",
        "DELETE FROM dead_letter WHERE user = ?",
        "DELETE FROM user WHERE identifier = ?",
    ] {
        forgotten += connection.execute(statement, [user.as_str()])?;
    }
    Ok(forgotten > 0)
}

pub(super) fn put_wake_up(connection: &Connection, new: &NewWakeUp) -> rusqlite::Result<Put> {
    let mut lookup = connection.prepare_cached("SELECT 1 FROM user WHERE identifier = ?")?;
    let known = lookup.exists([new.user.as_str()])?;
    if known || new.for_strangers {
        let mut statement = connection.prepare_cached(PUT)?;
        for sink in new.sinks.iter() {
            let (received_at, expires_at) = (number(new.received_at), number(new.expires_at));
            let user = new.user.as_str();
            statement.execute(params![sink, user, 1, received_at, number(new.due_at), expires_at])?;
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
        "SELECT user, count, received_at, attempts, expires_at, id FROM outbox
         WHERE sink = ? AND due_at <= ? ORDER BY due_at LIMIT ?",
    )?;
    let found = statement.query_map(params![sink, number(now), count(limit)], |row| {
        Ok(WakeUp {
            id: row.get(5)?,
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
    let WakeUp { id, sink, user, count, .. } = wake_up;
    let (user, count) = (user.as_str(), number(*count));
    let named = params![sink, user, id, count];
    let settled = match outcome {
        Outcome::Delivered => connection.prepare_cached(DELIVERED)?.execute(named)?,
        Outcome::Retry { at } => {
            connection.prepare_cached(RETRY)?.execute(params![sink, user, id, count, number(at)])?
        }
        Outcome::Dead { at } => {
            connection.execute(DEAD, params![sink, user, id, count, number(at)])?;
            connection.prepare_cached(DELIVERED)?.execute(named)?
        }
    };
    if settled == 0 {
        let attempts = match outcome {
            Outcome::Delivered => 0,
            _ => wake_up.attempts.saturating_add(1),
        };
        connection.prepare_cached(AGAIN)?.execute(params![sink, user, id, attempts])?;
    }
    Ok(())
}

pub(super) fn dead_letters(
    connection: &Connection,
    of: &Selection,
    limit: usize,
) -> rusqlite::Result<Vec<DeadLetter>> {
    let mut statement = connection.prepare(&format!(
        "SELECT sink, user, count, received_at, attempts, died_at FROM dead_letter
         WHERE {SELECTED} ORDER BY died_at DESC LIMIT ?3"
    ))?;
    let (sink, user_name) = selected(of);
    let found = statement.query_map(params![sink, user_name, count(limit)], |row| {
        Ok(DeadLetter {
            sink: row.get(0)?,
            user: user(row, 1)?,
            count: unsigned(row, 2)?,
            received_at: unsigned(row, 3)?,
            attempts: row.get(4)?,
            died_at: unsigned(row, 5)?,
        })
    })?;
    found.collect()
}

pub(super) fn revive(
    connection: &Connection,
    of: &Selection,
    now: u64,
    expires_at: u64,
) -> rusqlite::Result<u64> {
    let dead = dead_letters(connection, of, usize::MAX)?;
    let mut statement = connection.prepare_cached(PUT)?;
    for DeadLetter { sink, user, count, .. } in &dead {
        let now = number(now);
        statement.execute(params![sink, user.as_str(), number(*count), now, now, number(expires_at)])?;
    }
    drop_wake_ups(connection, of, false)
}

pub(super) fn drop_wake_ups(connection: &Connection, of: &Selection, waiting: bool) -> rusqlite::Result<u64> {
    let (sink, user) = selected(of);
    let named: [&dyn ToSql; 2] = [&sink, &user];
    let mut dropped = connection.execute(&format!("DELETE FROM dead_letter WHERE {SELECTED}"), named)?;
    if waiting {
        dropped += connection.execute(&format!("DELETE FROM outbox WHERE {SELECTED}"), named)?;
    }
    Ok(u64::try_from(dropped).unwrap_or(u64::MAX))
}

pub(super) fn sweep(connection: &Connection, now: u64, dead_before: u64) -> rusqlite::Result<u64> {
    let expired = connection.execute("DELETE FROM outbox WHERE expires_at <= ?", [number(now)])?;
    let dead = connection.execute("DELETE FROM dead_letter WHERE died_at < ?", [number(dead_before)])?;
    Ok(u64::try_from(expired + dead).unwrap_or(u64::MAX))
}

pub(super) fn counts(connection: &Connection) -> rusqlite::Result<Counts> {
    let bounded = |table: &str| -> rusqlite::Result<u64> {
        let count = format!("SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {COUNTED_MAX})");
        connection.query_row(&count, [], |row| unsigned(row, 0))
    };
    // A step for each sink: the index has them apart.
    let mut next_due: Option<u64> = None;
    let mut sinks = connection.prepare_cached(
        "WITH RECURSIVE sinks (name) AS (
           SELECT min(sink) FROM outbox
           UNION ALL SELECT (SELECT min(sink) FROM outbox WHERE sink > name) FROM sinks WHERE name IS NOT NULL
         )
         SELECT (SELECT min(due_at) FROM outbox WHERE sink = name) FROM sinks WHERE name IS NOT NULL",
    )?;
    for due in sinks.query_map([], |row| unsigned(row, 0))? {
        let due = due?;
        next_due = Some(next_due.map_or(due, |first| first.min(due)));
    }
    Ok(Counts {
        waiting: bounded("outbox")?,
        next_due,
        dead: bounded("dead_letter")?,
        users: bounded("user")?,
    })
}

pub(super) fn next_due(connection: &Connection, sink: &str) -> rusqlite::Result<Option<u64>> {
    let mut statement = connection.prepare_cached("SELECT min(due_at) FROM outbox WHERE sink = ?")?;
    let next: Option<i64> = statement.query_row([sink], |row| row.get(0))?;
    Ok(next.map(i64::unsigned_abs))
}

const PUT: &str = "INSERT INTO outbox (sink, user, count, received_at, attempts, due_at, expires_at, id)
  VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, random())
  ON CONFLICT (sink, user) DO UPDATE SET count = count + excluded.count, received_at = excluded.received_at,
    due_at = min(due_at, excluded.due_at), expires_at = excluded.expires_at";
const DELIVERED: &str = "DELETE FROM outbox WHERE sink = ?1 AND user = ?2 AND id = ?3 AND count = ?4";
const RETRY: &str = "UPDATE outbox SET attempts = attempts + 1, due_at = ?5
  WHERE sink = ?1 AND user = ?2 AND id = ?3 AND count = ?4";
const DEAD: &str = "INSERT INTO dead_letter (sink, user, count, received_at, attempts, died_at)
  SELECT sink, user, count, received_at, attempts + 1, ?5 FROM outbox
  WHERE sink = ?1 AND user = ?2 AND id = ?3 AND count = ?4";
/// Pushed again meanwhile: due since then.
const AGAIN: &str = "UPDATE outbox SET attempts = ?4, due_at = received_at
  WHERE sink = ?1 AND user = ?2 AND id = ?3";
const SELECTED: &str = "(?1 IS NULL OR sink = ?1) AND (?2 IS NULL OR user = ?2)";

fn selected(of: &Selection) -> (Option<&str>, Option<&str>) {
    (of.sink.as_deref(), of.user.as_ref().map(UserIdentifier::as_str))
}

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
