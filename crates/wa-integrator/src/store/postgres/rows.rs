//! The statements, except for pushes.

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;

use super::{column, listener, number, patiently, unsigned};
use crate::{
    KeyEntry, KeyState, PublicKey, StoreError, UserIdentifier,
    store::{Counts, KeyTable, Outcome, StoredKey, WakeUp, secret},
};

/// One statement, and so one state: the generation and its keys belong together.
pub(super) async fn keys(client: &ClientWrapper) -> Result<KeyTable, StoreError> {
    key_table(&patiently(client.query(KEYS, &[])).await?)
}

/// What the rows of [`KEYS`] say.
pub(super) fn key_table(rows: &[Row]) -> Result<KeyTable, StoreError> {
    let first = rows.first().ok_or(StoreError::Corrupt)?;
    let (generation, seen_at) = (unsigned(first, 0)?, unsigned(first, 1)?);
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        if column::<Option<i64>>(row, 2)?.is_some() {
            keys.push(key(row)?);
        }
    }
    Ok(KeyTable { generation, seen_at, keys })
}

fn key(row: &Row) -> Result<StoredKey, StoreError> {
    let (n, e, state): (&str, &str, &str) = (column(row, 3)?, column(row, 4)?, column(row, 5)?);
    let state = KeyState::ALL.into_iter().find(|known| known.name() == state);
    let entry = KeyEntry {
        public_key: PublicKey::new(n, e),
        state: state.ok_or(StoreError::Corrupt)?,
        published_at: unsigned(row, 6)?,
        ripe_at: unsigned(row, 7)?,
        since: unsigned(row, 8)?,
    };
    Ok(StoredKey { entry, private: column::<Option<Vec<u8>>>(row, 9)?.map(secret) })
}

/// The row of the generation is changed first, and so locked: of two the second finds it changed.
pub(super) async fn replace_keys(
    client: &mut ClientWrapper,
    table: &KeyTable,
    replica: i64,
) -> Result<(), StoreError> {
    let Some(before) = table.generation.checked_sub(1) else { return Err(StoreError::Conflict) };
    let transaction = patiently(client.transaction()).await?;
    let changed = patiently(transaction.execute(
        "UPDATE wa_integrator.key_table SET generation = $1, seen_at = $2 WHERE generation = $3 AND $3 < $1",
        &[&number(table.generation), &number(table.seen_at), &number(before)],
    ))
    .await?;
    if changed != 1 {
        return Err(StoreError::Conflict);
    }
    patiently(transaction.execute("DELETE FROM wa_integrator.signing_key", &[])).await?;
    for (position, StoredKey { entry, private }) in table.keys.iter().enumerate() {
        patiently(transaction.execute(
            "INSERT INTO wa_integrator.signing_key VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                &number(position as u64),
                &entry.public_key.n(),
                &entry.public_key.e(),
                &entry.state.name(),
                &number(entry.published_at),
                &number(entry.ripe_at),
                &number(entry.since),
                &private.as_ref().map(|private| private.as_slice()),
            ],
        ))
        .await?;
    }
    patiently(transaction.execute(listener::NOTIFY, &[&listener::KEYS, &replica.to_string()])).await?;
    patiently(transaction.commit()).await
}

pub(super) async fn remember_user(
    client: &ClientWrapper,
    user: &UserIdentifier,
    now: u64,
) -> Result<(), StoreError> {
    let remember = "INSERT INTO wa_integrator.known_user VALUES ($1, $2) ON CONFLICT DO NOTHING";
    let statement = patiently(client.prepare_cached(remember)).await?;
    patiently(client.execute(&statement, &[&user.as_str(), &number(now)])).await.map(drop)
}

pub(super) async fn forget_user(
    client: &mut ClientWrapper,
    user: &UserIdentifier,
) -> Result<bool, StoreError> {
    let transaction = patiently(client.transaction()).await?;
    let user = user.as_str();
    let waiting = "DELETE FROM wa_integrator.outbox WHERE identifier = $1";
    patiently(transaction.execute(waiting, &[&user])).await?;
    let known = "DELETE FROM wa_integrator.known_user WHERE identifier = $1";
    let forgotten = patiently(transaction.execute(known, &[&user])).await? > 0;
    patiently(transaction.commit()).await?;
    Ok(forgotten)
}

/// Leases what it gives, and passes over what others have leased or are looking at.
pub(super) async fn due_wake_ups(
    client: &ClientWrapper,
    sink: &str,
    now: u64,
    limit: usize,
    replica: i64,
) -> Result<Vec<WakeUp>, StoreError> {
    let statement = patiently(client.prepare_cached(
        "WITH due AS (
           SELECT identifier FROM wa_integrator.outbox
           WHERE sink = $1 AND due_at <= $2 AND (leased_until <= $2 OR leased_by = $4)
           ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
         )
         UPDATE wa_integrator.outbox SET leased_by = $4, leased_until = $5 FROM due
         WHERE outbox.sink = $1 AND outbox.identifier = due.identifier
         RETURNING outbox.due_at, outbox.identifier, count, received_at, attempts, expires_at",
    ))
    .await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let until = number(now.saturating_add(LEASE));
    let rows = patiently(client.query(&statement, &[&sink, &number(now), &limit, &replica, &until])).await?;
    let mut due = Vec::with_capacity(rows.len());
    for row in &rows {
        due.push((unsigned(row, 0)?, wake_up(sink, row)?));
    }
    due.sort_by_key(|(due_at, _)| *due_at);
    Ok(due.into_iter().map(|(_, wake_up)| wake_up).collect())
}

fn wake_up(sink: &str, row: &Row) -> Result<WakeUp, StoreError> {
    let user = UserIdentifier::new(column(row, 1)?, usize::MAX).map_err(|_| StoreError::Corrupt)?;
    Ok(WakeUp {
        sink: sink.to_owned(),
        user,
        count: unsigned(row, 2)?,
        received_at: unsigned(row, 3)?,
        attempts: u32::try_from(unsigned(row, 4)?).unwrap_or(u32::MAX),
        expires_at: unsigned(row, 5)?,
    })
}

pub(super) async fn settle(
    client: &mut ClientWrapper,
    wake_up: &WakeUp,
    outcome: Outcome,
) -> Result<(), StoreError> {
    let (sink, user, count) = (&wake_up.sink, wake_up.user.as_str(), number(wake_up.count));
    let settled = match outcome {
        Outcome::Delivered => {
            let statement = patiently(client.prepare_cached(DELIVERED)).await?;
            patiently(client.execute(&statement, &[sink, &user, &count])).await?
        }
        Outcome::Retry { at } => {
            let statement = patiently(client.prepare_cached(RETRY)).await?;
            patiently(client.execute(&statement, &[sink, &user, &count, &number(at)])).await?
        }
        Outcome::Dead { at } => patiently(client.execute(DEAD, &[sink, &user, &count, &number(at)])).await?,
    };
    if settled == 0 {
        let statement = patiently(client.prepare_cached(AGAIN)).await?;
        patiently(client.execute(&statement, &[sink, &user])).await?;
    }
    Ok(())
}

/// Of several servers that sweep at once each takes what the others do not.
pub(super) async fn sweep(client: &ClientWrapper, now: u64, dead_before: u64) -> Result<u64, StoreError> {
    let expired = patiently(client.execute(
        "DELETE FROM wa_integrator.outbox WHERE (sink, identifier) IN (
           SELECT sink, identifier FROM wa_integrator.outbox WHERE expires_at <= $1 FOR UPDATE SKIP LOCKED
         )",
        &[&number(now)],
    ))
    .await?;
    let dead = "DELETE FROM wa_integrator.dead_letter WHERE died_at < $1";
    let dead = patiently(client.execute(dead, &[&number(dead_before)])).await?;
    Ok(expired.saturating_add(dead))
}

pub(super) async fn counts(client: &ClientWrapper) -> Result<Counts, StoreError> {
    let row = patiently(client.query_one(
        "SELECT (SELECT count(*) FROM wa_integrator.outbox), (SELECT min(due_at) FROM wa_integrator.outbox),
                (SELECT count(*) FROM wa_integrator.dead_letter),
                (SELECT count(*) FROM wa_integrator.known_user)",
        &[],
    ))
    .await?;
    Ok(Counts {
        waiting: unsigned(&row, 0)?,
        next_due: column::<Option<i64>>(&row, 1)?.map(i64::unsigned_abs),
        dead: unsigned(&row, 2)?,
        users: unsigned(&row, 3)?,
    })
}

pub(super) async fn next_due(client: &ClientWrapper, sink: &str) -> Result<Option<u64>, StoreError> {
    let next = "SELECT min(due_at) FROM wa_integrator.outbox WHERE sink = $1";
    let statement = patiently(client.prepare_cached(next)).await?;
    let row = patiently(client.query_one(&statement, &[&sink])).await?;
    Ok(column::<Option<i64>>(&row, 0)?.map(i64::unsigned_abs))
}

/// For how long a wake-up is its server's alone, in seconds: longer than any delivery takes.
const LEASE: u64 = 60;

pub(super) const KEYS: &str =
    "SELECT generation, seen_at, position, n, e, state, published_at, ripe_at, since, private
     FROM wa_integrator.key_table LEFT JOIN wa_integrator.signing_key ON true ORDER BY position";

const DELIVERED: &str = "DELETE FROM wa_integrator.outbox WHERE sink = $1 AND identifier = $2 AND count = $3";
const RETRY: &str = "UPDATE wa_integrator.outbox SET attempts = attempts + 1, due_at = $4, leased_until = 0
  WHERE sink = $1 AND identifier = $2 AND count = $3";
const DEAD: &str = "WITH dead AS (
    DELETE FROM wa_integrator.outbox WHERE sink = $1 AND identifier = $2 AND count = $3
    RETURNING sink, identifier, count, received_at, attempts + 1
  )
  INSERT INTO wa_integrator.dead_letter SELECT *, $4::bigint FROM dead";
/// Pushed again meanwhile: due since then.
const AGAIN: &str = "UPDATE wa_integrator.outbox SET attempts = 0, due_at = received_at, leased_until = 0
  WHERE sink = $1 AND identifier = $2";
