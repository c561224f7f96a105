//! The statements on wake-ups, except for pushes.

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;

use super::{column, number, patiently, unsigned};
use crate::push::{Counts, DeadLetter, Outcome, Selection, WakeUp};
use crate::value::{StoreError, UserIdentifier};

/// For how long a wake-up is its server's alone, in seconds: longer than any delivery takes.
const LEASE: u64 = 60;

const DUE: &str = "WITH due AS (
    SELECT identifier FROM wa_integrator.outbox
    WHERE sink = $1 AND due_at <= $2 AND (leased_until <= $2 OR leased_by = $4)
    ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
  )
  UPDATE wa_integrator.outbox SET leased_by = $4, leased_until = $5 FROM due
  WHERE outbox.sink = $1 AND outbox.identifier = due.identifier
  RETURNING outbox.due_at, outbox.identifier, count, received_at, attempts, expires_at, id";
const DELIVERED: &str =
    "DELETE FROM wa_integrator.outbox WHERE sink = $1 AND identifier = $2 AND id = $3 AND count = $4";
const RETRY: &str = "UPDATE wa_integrator.outbox SET attempts = attempts + 1, due_at = $5, leased_until = 0
  WHERE sink = $1 AND identifier = $2 AND id = $3 AND count = $4";
const DEAD: &str = "WITH dead AS (
    DELETE FROM wa_integrator.outbox WHERE sink = $1 AND identifier = $2 AND id = $3 AND count = $4
    RETURNING sink, identifier, count, received_at, attempts + 1
  )
  INSERT INTO wa_integrator.dead_letter SELECT *, $5::bigint FROM dead";
/// Pushed again meanwhile: due since then.
const AGAIN: &str = "UPDATE wa_integrator.outbox SET attempts = $4, due_at = received_at, leased_until = 0
  WHERE sink = $1 AND identifier = $2 AND id = $3";
/// A few are counted, many estimated as the database's own statistics have it.
const COUNTS: &str = "SELECT
    (SELECT CASE WHEN few.n <= 10000 THEN few.n ELSE greatest(few.n, (SELECT reltuples::bigint FROM pg_class
       WHERE oid = 'wa_integrator.outbox'::regclass)) END
     FROM (SELECT count(*) AS n FROM (SELECT FROM wa_integrator.outbox LIMIT 10001) AS part) AS few),
    (SELECT min(first.due_at) FROM (
       WITH RECURSIVE sinks (name) AS (
         SELECT min(sink) FROM wa_integrator.outbox
         UNION ALL SELECT (SELECT min(sink) FROM wa_integrator.outbox WHERE sink > name) FROM sinks
           WHERE name IS NOT NULL
       )
       SELECT (SELECT min(due_at) FROM wa_integrator.outbox WHERE sink = name) AS due_at FROM sinks
         WHERE name IS NOT NULL) AS first),
    (SELECT CASE WHEN few.n <= 10000 THEN few.n ELSE greatest(few.n, (SELECT reltuples::bigint FROM pg_class
       WHERE oid = 'wa_integrator.dead_letter'::regclass)) END
     FROM (SELECT count(*) AS n FROM (SELECT FROM wa_integrator.dead_letter LIMIT 10001) AS part) AS few),
    (SELECT CASE WHEN few.n <= 10000 THEN few.n ELSE greatest(few.n, (SELECT reltuples::bigint FROM pg_class
       WHERE oid = 'wa_integrator.known_user'::regclass)) END
     FROM (SELECT count(*) AS n FROM (SELECT FROM wa_integrator.known_user LIMIT 10001) AS part) AS few)";
const DEAD_LETTERS: &str = "SELECT sink, identifier, count, received_at, attempts, died_at
  FROM wa_integrator.dead_letter
  WHERE ($1::text IS NULL OR sink = $1) AND ($2::text IS NULL OR identifier = $2)
  ORDER BY died_at DESC LIMIT $3";
const REVIVE: &str = "WITH dead AS (
    DELETE FROM wa_integrator.dead_letter
    WHERE ($1::text IS NULL OR sink = $1) AND ($2::text IS NULL OR identifier = $2)
    RETURNING sink, identifier, count
  ), revived AS (
    INSERT INTO wa_integrator.outbox AS waiting
      (sink, identifier, count, received_at, attempts, due_at, expires_at)
    SELECT sink, identifier, sum(count)::bigint, $3, 0, $3, $4 FROM dead GROUP BY sink, identifier
    ON CONFLICT (sink, identifier) DO UPDATE SET count = waiting.count + excluded.count,
      due_at = least(waiting.due_at, excluded.due_at)
  )
  SELECT count(*) FROM dead";

/// Leases what it gives, and passes over what others have leased or are looking at.
pub(super) async fn due_wake_ups(
    client: &ClientWrapper,
    sink: &str,
    now: u64,
    limit: usize,
    replica: i64,
) -> Result<Vec<WakeUp>, StoreError> {
    let statement = patiently(client.prepare_cached(DUE)).await?;
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
    Ok(WakeUp {
        id: column(row, 6)?,
        sink: sink.to_owned(),
        user: user(row, 1)?,
        count: unsigned(row, 2)?,
        received_at: unsigned(row, 3)?,
        attempts: attempts(row, 4)?,
        expires_at: unsigned(row, 5)?,
    })
}

pub(super) async fn settle(
    client: &ClientWrapper,
    wake_up: &WakeUp,
    outcome: Outcome,
) -> Result<(), StoreError> {
    let WakeUp { id, sink, user, count, .. } = wake_up;
    let (user, count) = (user.as_str(), number(*count));
    let settled = match outcome {
        Outcome::Delivered => {
            let statement = patiently(client.prepare_cached(DELIVERED)).await?;
            patiently(client.execute(&statement, &[sink, &user, id, &count])).await?
        }
        Outcome::Retry { at } => {
            let statement = patiently(client.prepare_cached(RETRY)).await?;
            patiently(client.execute(&statement, &[sink, &user, id, &count, &number(at)])).await?
        }
        Outcome::Dead { at } => {
            patiently(client.execute(DEAD, &[sink, &user, id, &count, &number(at)])).await?
        }
    };
    if settled == 0 {
        let failed = outcome != Outcome::Delivered;
        let attempts = if failed { i64::from(wake_up.attempts).saturating_add(1) } else { 0 };
        let statement = patiently(client.prepare_cached(AGAIN)).await?;
        patiently(client.execute(&statement, &[sink, &user, id, &attempts])).await?;
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
    let row = patiently(client.query_one(COUNTS, &[])).await?;
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

pub(super) async fn dead_letters(
    client: &ClientWrapper,
    of: &Selection,
    limit: usize,
) -> Result<Vec<DeadLetter>, StoreError> {
    let (sink, named) = selected(of);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = patiently(client.query(DEAD_LETTERS, &[&sink, &named, &limit])).await?;
    let dead = rows.iter().map(|row| {
        Ok(DeadLetter {
            sink: column(row, 0)?,
            user: user(row, 1)?,
            count: unsigned(row, 2)?,
            received_at: unsigned(row, 3)?,
            attempts: attempts(row, 4)?,
            died_at: unsigned(row, 5)?,
        })
    });
    dead.collect()
}

pub(super) async fn revive(
    client: &ClientWrapper,
    of: &Selection,
    now: u64,
    expires_at: u64,
) -> Result<u64, StoreError> {
    let (sink, user) = selected(of);
    let times = (number(now), number(expires_at));
    unsigned(&patiently(client.query_one(REVIVE, &[&sink, &user, &times.0, &times.1])).await?, 0)
}

pub(super) async fn drop_wake_ups(
    client: &ClientWrapper,
    of: &Selection,
    waiting: bool,
) -> Result<u64, StoreError> {
    let (sink, user) = selected(of);
    let mut dropped = 0;
    for table in if waiting { &["dead_letter", "outbox"][..] } else { &["dead_letter"] } {
        let statement = format!(
            "DELETE FROM wa_integrator.{table}
             WHERE ($1::text IS NULL OR sink = $1) AND ($2::text IS NULL OR identifier = $2)"
        );
        dropped += patiently(client.execute(&statement, &[&sink, &user])).await?;
    }
    Ok(dropped)
}

fn selected(of: &Selection) -> (Option<&str>, Option<&str>) {
    (of.sink.as_deref(), of.user.as_ref().map(UserIdentifier::as_str))
}

fn user(row: &Row, index: usize) -> Result<UserIdentifier, StoreError> {
    UserIdentifier::new(column(row, index)?, usize::MAX).map_err(|_| StoreError::Corrupt)
}

fn attempts(row: &Row, index: usize) -> Result<u32, StoreError> {
    Ok(u32::try_from(unsigned(row, index)?).unwrap_or(u32::MAX))
}
