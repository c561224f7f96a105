//! From SQLite's files into a database: everything, in one transaction, and compared before it counts.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::mpsc;
use tokio_postgres::Transaction;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::{PostgresStore, column, number, rows};
use crate::store::sqlite;
use crate::value::{Failed, StoreError};

/// How much was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Signing keys, also those that ended.
    pub keys: u64,
    /// The number of known users.
    pub users: u64,
    /// Wake-ups that wait.
    pub wake_ups: u64,
    /// Wake-ups that no sink took.
    pub dead_letters: u64,
    /// Hosted files' rows; the files themselves stay where they are.
    pub media: u64,
}

impl PostgresStore {
    /// Copies what is in SQLite's files, of the store and of the media index, if there is one. Nobody may be using them.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`] unless the database is as it was made, [`StoreError::Unequal`] when it holds something
    /// else afterwards; others of either database. Nothing is copied then.
    pub async fn import(&self, store: &Path, media: Option<&Path>) -> Result<Imported, StoreError> {
        Ok(self.copied(store, media).await?)
    }

    async fn copied(&self, store: &Path, media: Option<&Path>) -> Result<Imported, Failed> {
        let mut client = self.0.connections.take().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(BEGIN).await?;
        let empty = transaction.query_one(EMPTY, &[]).await?;
        if !column::<bool>(&empty, 0)? {
            return Err(StoreError::NotEmpty.into());
        }
        let mut imported = Imported {
            keys: import_keys(&transaction, store).await?,
            users: copy(&transaction, store, &USERS).await?,
            wake_ups: copy(&transaction, store, &WAKE_UPS).await?,
            dead_letters: copy(&transaction, store, &DEAD_LETTERS).await?,
            media: 0,
        };
        if let Some(media) = media {
            imported.media = copy(&transaction, media, &MEDIA).await?;
            copy(&transaction, media, &MEDIA_USAGE).await?;
        }
        transaction.commit().await?;
        Ok(imported)
    }
}

async fn import_keys(transaction: &Transaction<'_>, store: &Path) -> Result<u64, Failed> {
    let imported = copy(transaction, store, &KEYS).await?;
    let path = store.to_owned();
    let reading = tokio::task::spawn_blocking(move || sqlite::keys(&open(&path)?));
    let table = reading.await.map_err(|_| StoreError::Unavailable)??;
    let set = "UPDATE wa_integrator.key_table SET generation = $1, seen_at = $2";
    transaction.execute(set, &[&number(table.generation), &number(table.seen_at)]).await?;
    let copied = rows::key_table(&transaction.query(rows::KEYS, &[]).await?)?;
    if copied == table { Ok(imported) } else { Err(StoreError::Unequal.into()) }
}

/// A table there and here, column by column.
struct Table {
    from: &'static str,
    to: &'static str,
    columns: &'static str,
    types: &'static [Type],
}

/// Copies a table; gives how many rows it has there, and here.
async fn copy(transaction: &Transaction<'_>, file: &Path, table: &'static Table) -> Result<u64, Failed> {
    let (sender, mut read) = mpsc::channel(4);
    let path = file.to_owned();
    let reading = tokio::task::spawn_blocking(move || read_rows(&path, table, &sender));
    let statement = format!("COPY wa_integrator.{} ({}) FROM STDIN BINARY", table.to, table.columns);
    let writer = BinaryCopyInWriter::new(transaction.copy_in(&statement).await?, table.types);
    let mut writer = std::pin::pin!(writer);
    while let Some(rows) = read.recv().await {
        for row in rows {
            let row: Vec<Copied> = row.into_iter().map(Copied).collect();
            writer.as_mut().write_raw(row.iter()).await?;
        }
    }
    let there = reading.await.map_err(|_| StoreError::Unavailable)??;
    writer.finish().await?;
    let count = format!("SELECT count(*) FROM wa_integrator.{}", table.to);
    let here: i64 = column(&transaction.query_one(&count, &[]).await?, 0)?;
    if here == number(there) { Ok(there) } else { Err(StoreError::Unequal.into()) }
}

/// Reads a table in pieces; gives how many rows it says it has.
fn read_rows(file: &Path, table: &Table, sender: &mpsc::Sender<Vec<Vec<Value>>>) -> Result<u64, Failed> {
    let connection = open(file)?;
    let mut statement = connection.prepare(&format!("SELECT {}", table.from))?;
    let mut rows = statement.query([])?;
    let mut piece = Vec::with_capacity(PIECE);
    while let Some(row) = rows.next()? {
        let values = (0..table.types.len()).map(|index| row.get(index));
        piece.push(values.collect::<rusqlite::Result<Vec<Value>>>()?);
        if piece.len() >= PIECE && sender.blocking_send(std::mem::take(&mut piece)).is_err() {
            return Err(StoreError::Unavailable.into());
        }
    }
    sender.blocking_send(piece).map_err(|_| StoreError::Unavailable)?;
    let count = format!("SELECT count(*) FROM (SELECT {})", table.from);
    let count: i64 = connection.query_row(&count, [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

fn open(file: &Path) -> Result<Connection, Failed> {
    Ok(Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?)
}

/// A value of SQLite as one of PostgreSQL.
#[derive(Debug)]
struct Copied(Value);

impl ToSql for Copied {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match (&self.0, kind) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Integer(number), &Type::INT2) => i16::try_from(*number)?.to_sql(kind, out),
            (Value::Integer(number), &Type::INT8) => number.to_sql(kind, out),
            (Value::Text(text), &Type::TEXT) => text.to_sql(kind, out),
            (Value::Blob(bytes), &Type::BYTEA) => bytes.to_sql(kind, out),
            _ => Err("another type".into()),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT2 | Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    to_sql_checked!();
}

/// How many rows are on their way at a time.
const PIECE: usize = 1000;

/// Nobody else imports, and it may take its time.
const BEGIN: &str = "
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
LOCK TABLE wa_integrator.key_table, wa_integrator.signing_key, wa_integrator.known_user, wa_integrator.outbox,
  wa_integrator.dead_letter, wa_integrator.media, wa_integrator.media_usage IN SHARE ROW EXCLUSIVE MODE;
";
const EMPTY: &str = "SELECT (SELECT max(generation) FROM wa_integrator.key_table) = 0
  AND NOT EXISTS (SELECT FROM wa_integrator.signing_key) AND NOT EXISTS (SELECT FROM wa_integrator.known_user)
  AND NOT EXISTS (SELECT FROM wa_integrator.outbox) AND NOT EXISTS (SELECT FROM wa_integrator.dead_letter)
  AND NOT EXISTS (SELECT FROM wa_integrator.media) AND NOT EXISTS (SELECT FROM wa_integrator.media_usage)";

static KEYS: Table = Table {
    from: "position, n, e, state, published_at, ripe_at, since, private FROM signing_key",
    to: "signing_key",
    columns: "position, n, e, state, published_at, ripe_at, since, private",
    types: &[Type::INT8, Type::TEXT, Type::TEXT, Type::TEXT, Type::INT8, Type::INT8, Type::INT8, Type::BYTEA],
};
static USERS: Table = Table {
    from: "identifier, since FROM user",
    to: "known_user",
    columns: "identifier, since",
    types: &[Type::TEXT, Type::INT8],
};
static WAKE_UPS: Table = Table {
    from: "sink, user, count, received_at, attempts, due_at, expires_at FROM outbox",
    to: "outbox",
    columns: "sink, identifier, count, received_at, attempts, due_at, expires_at",
    types: &[Type::TEXT, Type::TEXT, Type::INT8, Type::INT8, Type::INT8, Type::INT8, Type::INT8],
};
static DEAD_LETTERS: Table = Table {
    from: "sink, user, count, received_at, attempts, died_at FROM dead_letter",
    to: "dead_letter",
    columns: "sink, identifier, count, received_at, attempts, died_at",
    types: &[Type::TEXT, Type::TEXT, Type::INT8, Type::INT8, Type::INT8, Type::INT8],
};
static MEDIA: Table = Table {
    from: "id, user, length, digest, state, created_at, expires_at FROM media",
    to: "media",
    columns: "id, identifier, length, digest, state, created_at, expires_at",
    types: &[Type::BYTEA, Type::TEXT, Type::INT8, Type::BYTEA, Type::INT2, Type::INT8, Type::INT8],
};
static MEDIA_USAGE: Table = Table {
    from: "user, day, bytes, files FROM media_usage",
    to: "media_usage",
    columns: "identifier, day, bytes, files",
    types: &[Type::TEXT, Type::INT8, Type::INT8, Type::INT8],
};
