//! The index of hosted media in a PostgreSQL database that any number of servers share.

use async_trait::async_trait;
use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{PostgresStore, column, number, patiently, unsigned};
use crate::media::{Beginning, Begun, DAY, Doomed, Entry, Hosted, MediaQuota, MediaStore};
use crate::value::StoreError;

#[async_trait]
impl MediaStore for PostgresStore {
    fn is_shared(&self) -> bool {
        true
    }

    /// The row of the usage is changed first, and so locked: of two uploads the second sees the first.
    async fn begin(&self, it: Beginning, quota: MediaQuota) -> Result<Begun, StoreError> {
        let day = it.now / DAY;
        let mut client = self.0.media.take().await?;
        let transaction = patiently(client.transaction()).await?;
        let statement = patiently(transaction.prepare_cached(USE)).await?;
        let length = number(it.length);
        let used = patiently(transaction.query_one(&statement, &[&it.user, &number(day), &length])).await?;
        if unsigned(&used, 0)? > quota.bytes || unsigned(&used, 1)? > quota.files {
            // Dropped, and so undone.
            return Ok(Begun::QuotaUsed { until: day.saturating_add(1).saturating_mul(DAY) });
        }
        let statement = patiently(transaction.prepare_cached(BEGIN)).await?;
        let (id, digest) = (&it.id[..], &it.digest[..]);
        let (now, expires_at) = (number(it.now), number(it.expires_at));
        let row: [&(dyn ToSql + Sync); 6] = [&id, &it.user, &length, &digest, &now, &expires_at];
        patiently(transaction.execute(&statement, &row)).await?;
        patiently(transaction.commit()).await?;
        Ok(Begun::Yes)
    }

    async fn complete(&self, id: [u8; 32]) -> Result<(), StoreError> {
        let complete = "UPDATE wa_integrator.media SET state = 1 WHERE id = $1 AND state = 0";
        let client = self.0.media.take().await?;
        // The sweep took it for one that was left: it has gone on for more than a day.
        if patiently(client.execute(complete, &[&&id[..]])).await? == 1 {
            Ok(())
        } else {
            Err(StoreError::Conflict)
        }
    }

    async fn give_up(&self, id: [u8; 32], unused: u64) -> Result<(), StoreError> {
        let client = self.0.media.take().await?;
        patiently(client.execute(GIVE_UP, &[&&id[..], &number(unused)])).await.map(drop)
    }

    async fn hosted(&self, id: [u8; 32], now: u64) -> Result<Option<Hosted>, StoreError> {
        let client = self.0.media.take().await?;
        let statement = patiently(client.prepare_cached(HOSTED)).await?;
        let row = patiently(client.query_opt(&statement, &[&&id[..], &number(now)])).await?;
        row.map(|row| Ok(Hosted { length: unsigned(&row, 0)?, digest: bytes(&row, 1)? })).transpose()
    }

    async fn doom(&self, id: [u8; 32], user: String, now: u64) -> Result<bool, StoreError> {
        let doom = "UPDATE wa_integrator.media SET state = 2
          WHERE id = $1 AND identifier = $2 AND state = 1 AND expires_at > $3";
        let client = self.0.media.take().await?;
        Ok(patiently(client.execute(doom, &[&&id[..], &user, &number(now)])).await? == 1)
    }

    async fn doom_user(&self, user: String) -> Result<u64, StoreError> {
        let mut client = self.0.media.take().await?;
        let transaction = patiently(client.transaction()).await?;
        let doom = "UPDATE wa_integrator.media SET state = 2 WHERE identifier = $1 AND state < 2";
        let doomed = patiently(transaction.execute(doom, &[&user])).await?;
        let forget = "DELETE FROM wa_integrator.media_usage WHERE identifier = $1";
        patiently(transaction.execute(forget, &[&user])).await?;
        patiently(transaction.commit()).await?;
        Ok(doomed)
    }

    async fn doomed(
        &self,
        now: u64,
        begun_before: u64,
        after: Option<[u8; 32]>,
        limit: u32,
    ) -> Result<Vec<Doomed>, StoreError> {
        let client = self.0.media.take().await?;
        doom_expired(&client, now, begun_before).await?;
        let doomed = "SELECT id, state = 3 FROM wa_integrator.media WHERE state > 1 AND id > $1
          ORDER BY id LIMIT $2";
        let rows = patiently(client.query(doomed, &[&behind(&after), &i64::from(limit)])).await?;
        rows.iter().map(|row| Ok(Doomed { id: bytes(row, 0)?, is_upload: column(row, 1)? })).collect()
    }

    async fn forget(&self, id: [u8; 32]) -> Result<(), StoreError> {
        let client = self.0.media.take().await?;
        patiently(client.execute("DELETE FROM wa_integrator.media WHERE id = $1", &[&&id[..]]))
            .await
            .map(drop)
    }

    async fn forget_usage(&self, now: u64) -> Result<(), StoreError> {
        let day = number((now / DAY).saturating_sub(1));
        let client = self.0.media.take().await?;
        let forget = "DELETE FROM wa_integrator.media_usage WHERE day < $1";
        patiently(client.execute(forget, &[&day])).await.map(drop)
    }

    async fn entries(&self, after: Option<[u8; 32]>, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let client = self.0.media.take().await?;
        let some = "SELECT id, length, digest, state <> 1 FROM wa_integrator.media WHERE id > $1
          ORDER BY id LIMIT $2";
        let rows = patiently(client.query(some, &[&behind(&after), &i64::from(limit)])).await?;
        let entry = |row: &Row| {
            let (id, digest) = (bytes(row, 0)?, bytes(row, 2)?);
            Ok(Entry { id, length: unsigned(row, 1)?, digest, is_uploading: column(row, 3)? })
        };
        rows.iter().map(entry).collect()
    }
}

/// The bound behind which names are wanted.
fn behind(after: &Option<[u8; 32]>) -> &[u8] {
    after.as_ref().map_or(&[], |id| id.as_slice())
}

async fn doom_expired(client: &ClientWrapper, now: u64, begun_before: u64) -> Result<(), StoreError> {
    let expired = "UPDATE wa_integrator.media SET state = 2 WHERE state = 1 AND expires_at <= $1";
    patiently(client.execute(expired, &[&number(now)])).await?;
    // An upload that goes on after all finds its row changed, and gives up.
    let left = "UPDATE wa_integrator.media SET state = 3 WHERE state = 0 AND created_at < $1";
    patiently(client.execute(left, &[&number(begun_before)])).await.map(drop)
}

fn bytes(row: &Row, index: usize) -> Result<[u8; 32], StoreError> {
    column::<&[u8]>(row, index)?.try_into().map_err(|_| StoreError::Corrupt)
}

const USE: &str = "INSERT INTO wa_integrator.media_usage AS used (identifier, day, bytes, files)
  VALUES ($1, $2, $3, 1)
  ON CONFLICT (identifier, day) DO UPDATE SET bytes = used.bytes + excluded.bytes, files = used.files + 1
  RETURNING bytes, files";
const BEGIN: &str = "INSERT INTO wa_integrator.media
  (id, identifier, length, digest, state, created_at, expires_at) VALUES ($1, $2, $3, $4, 0, $5, $6)";
const GIVE_UP: &str = "WITH given_up AS (
    DELETE FROM wa_integrator.media WHERE id = $1 RETURNING identifier, created_at / 86400 AS day
  )
  UPDATE wa_integrator.media_usage AS used SET bytes = greatest(0, bytes - $2) FROM given_up
  WHERE used.identifier = given_up.identifier AND used.day = given_up.day";
const HOSTED: &str =
    "SELECT length, digest FROM wa_integrator.media WHERE id = $1 AND state = 1 AND expires_at > $2";
