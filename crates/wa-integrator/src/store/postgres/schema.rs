//! The tables, and how an older program's become ours.

use deadpool_postgres::ClientWrapper;

use super::{column, number, patiently};
use crate::StoreError;

/// Makes the tables, or brings them to this program's version: one server at a time, all of it or nothing.
pub(super) async fn migrate(client: &mut ClientWrapper) -> Result<(), StoreError> {
    let known = number(MIGRATIONS.len() as u64);
    // Most starts find everything done, and need no right to make anything.
    if version(client).await? == Some(known) {
        return Ok(());
    }
    let transaction = patiently(client.transaction()).await?;
    transaction.batch_execute(BEGIN).await?;
    let encoding = patiently(transaction.query_one("SELECT current_setting('server_encoding')", &[])).await?;
    if column::<&str>(&encoding, 0)? != "UTF8" {
        return Err(StoreError::Encoding);
    }
    let row = patiently(transaction.query_one("SELECT number FROM wa_integrator.version", &[])).await?;
    let found: i64 = column(&row, 0)?;
    let done = usize::try_from(found).ok().filter(|done| *done <= MIGRATIONS.len());
    for migration in MIGRATIONS.iter().skip(done.ok_or(StoreError::Version { found })?) {
        transaction.batch_execute(migration).await?;
    }
    patiently(transaction.execute("UPDATE wa_integrator.version SET number = $1", &[&known])).await?;
    patiently(transaction.commit()).await
}

/// The version of the tables; none where there are none.
async fn version(client: &ClientWrapper) -> Result<Option<i64>, StoreError> {
    let there = "SELECT to_regclass('wa_integrator.version') IS NOT NULL";
    if !column::<bool>(&patiently(client.query_one(there, &[])).await?, 0)? {
        return Ok(None);
    }
    let row = patiently(client.query_one("SELECT number FROM wa_integrator.version", &[])).await?;
    column(&row, 0).map(Some)
}

/// The lock is let go with the transaction; its number is `wa-integ` in ASCII.
const BEGIN: &str = "
SET LOCAL statement_timeout = 0;
SELECT pg_advisory_xact_lock(8602206694102295911);
CREATE SCHEMA IF NOT EXISTS wa_integrator;
CREATE TABLE IF NOT EXISTS wa_integrator.version (number BIGINT NOT NULL);
INSERT INTO wa_integrator.version SELECT 0 WHERE NOT EXISTS (SELECT FROM wa_integrator.version);
";

/// Forward only; tables of version N have had the first N.
///
/// `leased_until`: until when only the replica `leased_by` delivers a wake-up. States of media: 0 uploading, 1 hosted, 2
/// to be removed, 3 an upload to be removed.
const MIGRATIONS: [&str; 1] = ["
CREATE TABLE wa_integrator.key_table (generation BIGINT NOT NULL, seen_at BIGINT NOT NULL);
INSERT INTO wa_integrator.key_table VALUES (0, 0);
CREATE TABLE wa_integrator.signing_key (
  position BIGINT PRIMARY KEY,
  n TEXT NOT NULL,
  e TEXT NOT NULL,
  state TEXT NOT NULL,
  published_at BIGINT NOT NULL,
  ripe_at BIGINT NOT NULL,
  since BIGINT NOT NULL,
  private BYTEA
);
CREATE TABLE wa_integrator.known_user (identifier TEXT COLLATE \"C\" PRIMARY KEY, since BIGINT NOT NULL);
CREATE TABLE wa_integrator.outbox (
  sink TEXT COLLATE \"C\" NOT NULL,
  identifier TEXT COLLATE \"C\" NOT NULL,
  count BIGINT NOT NULL,
  received_at BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  leased_by BIGINT NOT NULL DEFAULT 0,
  leased_until BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (sink, identifier)
);
CREATE INDEX outbox_due ON wa_integrator.outbox (sink, due_at);
CREATE INDEX outbox_expires ON wa_integrator.outbox (expires_at);
CREATE TABLE wa_integrator.dead_letter (
  sink TEXT NOT NULL,
  identifier TEXT NOT NULL,
  count BIGINT NOT NULL,
  received_at BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  died_at BIGINT NOT NULL
);
CREATE INDEX dead_letter_died ON wa_integrator.dead_letter (died_at);
CREATE TABLE wa_integrator.media (
  id BYTEA PRIMARY KEY CHECK (octet_length(id) = 32),
  identifier TEXT NOT NULL,
  length BIGINT NOT NULL,
  digest BYTEA NOT NULL CHECK (octet_length(digest) = 32),
  state SMALLINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX media_by_state ON wa_integrator.media (state, expires_at);
CREATE TABLE wa_integrator.media_usage (
  identifier TEXT COLLATE \"C\" NOT NULL,
  day BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  files BIGINT NOT NULL,
  PRIMARY KEY (identifier, day)
);
"];
