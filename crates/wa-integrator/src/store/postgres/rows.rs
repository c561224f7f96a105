//! The statements on signing keys and users.

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;

use super::{column, listener, number, patiently, unsigned};
use crate::keys::{KeyEntry, KeyState, KeyTable, PublicKey, StoredKey};
use crate::store::secret;
use crate::value::{StoreError, UserIdentifier};

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
    let mut forgotten = 0;
    for table in ["outbox", "dead_letter", "known_user"] {
        let forget = format!("DELETE FROM wa_integrator.{table} WHERE identifier = $1");
        forgotten += patiently(transaction.execute(&forget, &[&user.as_str()])).await?;
    }
    patiently(transaction.commit()).await?;
    Ok(forgotten > 0)
}

pub(super) const KEYS: &str =
    "SELECT generation, seen_at, position, n, e, state, published_at, ripe_at, since, private
     FROM wa_integrator.key_table LEFT JOIN wa_integrator.signing_key ON true ORDER BY position";
