//! The contract in a PostgreSQL database that any number of servers share.
//!
//! Pushes that come at the same time are written by one statement, so that they share one sync of the disk. A wake-up
//! that a server has taken to deliver is leased to it: others pass over it until the lease is over. Changes of the keys
//! and new wake-ups are told to the others by `NOTIFY`; a server that misses one finds out when it looks the next time.

mod address;
mod import;
mod listener;
mod media;
mod outbox;
mod puts;
mod rows;
mod schema;

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use rand::Rng as _;
use tokio::task::JoinSet;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::FromSql;
use tokio_postgres::{Error as PostgresError, Row};

use crate::keys::{KeyStore, KeyTable};
use crate::push::{Counts, DeadLetter, NewWakeUp, OutboxStore, Outcome, Put, Selection, WakeUp};
use crate::store::{Opening, Store};
use crate::tokens::UserStore;
use crate::value::{Failed, StoreError, UserIdentifier};
use listener::Bells;
use puts::Puts;

pub use address::PostgresAddress;
pub use import::Imported;

/// How long anything may take: a server that does not answer is answered for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is answered is synced, whatever the role's default; and nothing is held up without end.
const SESSION: &str = "
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
SET statement_timeout = '5s';
SET idle_in_transaction_session_timeout = '10s';
";

/// A store in a PostgreSQL database; clones are one store.
///
/// It needs the encoding UTF-8, and the right to make the schema `wa_integrator` on first start.
#[derive(Clone)]
pub struct PostgresStore(Arc<Shared>);

struct Shared {
    connections: Connections,
    /// A few of their own for what anybody may ask: hosted files.
    media: Connections,
    puts: Puts,
    bells: Arc<Bells>,
    /// In whose name wake-ups are leased.
    replica: i64,
    /// Ended with the store.
    _tasks: JoinSet<()>,
}

/// Connections to the database, a few of them; cheap to clone.
#[derive(Clone)]
struct Connections {
    pool: Pool,
    answered: Arc<AtomicBool>,
}

impl PostgresStore {
    /// Connects, and makes the tables where there are none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] while there is no connection, [`StoreError::Refused`] when the database does not
    /// take this user, [`StoreError::Behind`] for tables of an older program, [`StoreError::Version`] for those of a newer
    /// one that this cannot use, [`StoreError::Encoding`] for another encoding than UTF-8.
    pub async fn connect(address: &PostgresAddress) -> Result<Self, StoreError> {
        Self::connect_as(address, Opening::Serve).await
    }

    /// Connects, and does with the tables what `opening` says.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); [`StoreError::Absent`] where none may be made.
    pub async fn connect_as(address: &PostgresAddress, opening: Opening) -> Result<Self, StoreError> {
        let connections = Connections::new(address, address.connections())?;
        let media = Connections::new(address, (address.connections() / 4).max(2))?;
        schema::open(&mut *connections.take().await?, opening).await?;
        let bells = Arc::new(Bells::default());
        let replica = rand::rng().next_u64().cast_signed();
        let mut tasks = JoinSet::new();
        tasks.spawn(listener::listen(address.clone(), replica, Arc::clone(&bells)));
        tasks.spawn(listener::tell(connections.clone(), replica, Arc::clone(&bells)));
        let puts = Puts::start(&connections, &mut tasks);
        Ok(Self(Arc::new(Shared { connections, media, puts, bells, replica, _tasks: tasks })))
    }

    /// The version of the tables in a database, and the one that this program makes; `None` where there are none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn version(address: &PostgresAddress) -> Result<(Option<i64>, i64), StoreError> {
        let connections = Connections::new(address, 2)?;
        let found = schema::version(&*connections.take().await?).await?;
        Ok((found.map(|found| found.number), schema::known()))
    }

    /// What the database says of syncing: `fsync`, and `synchronous_commit` of our connections.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn durability(&self) -> Result<(String, String), StoreError> {
        let connection = self.0.connections.take().await?;
        let statement = "SELECT current_setting('fsync'), current_setting('synchronous_commit')";
        let row = patiently(connection.query_one(statement, &[])).await?;
        Ok((column(&row, 0)?, column(&row, 1)?))
    }
}

#[async_trait]
impl KeyStore for PostgresStore {
    async fn keys(&self) -> Result<KeyTable, StoreError> {
        rows::keys(&*self.0.connections.take().await?).await
    }

    async fn replace_keys(&self, table: KeyTable) -> Result<(), StoreError> {
        rows::replace_keys(&mut *self.0.connections.take().await?, &table, self.0.replica).await
    }

    async fn keys_changed(&self) {
        self.0.bells.keys.notified().await;
    }
}

#[async_trait]
impl UserStore for PostgresStore {
    async fn remember_user(&self, user: UserIdentifier, now: u64) -> Result<(), StoreError> {
        rows::remember_user(&*self.0.connections.take().await?, &user, now).await
    }

    async fn forget_user(&self, user: UserIdentifier) -> Result<bool, StoreError> {
        rows::forget_user(&mut *self.0.connections.take().await?, &user).await
    }
}

#[async_trait]
impl OutboxStore for PostgresStore {
    async fn put_wake_up(&self, wake_up: NewWakeUp) -> Result<Put, StoreError> {
        let put = self.0.puts.put(wake_up).await;
        if put.is_ok() {
            self.0.bells.to_tell.notify_one();
        }
        put
    }

    async fn due_wake_ups(&self, sink: &str, now: u64, limit: usize) -> Result<Vec<WakeUp>, StoreError> {
        let connection = self.0.connections.take().await?;
        outbox::due_wake_ups(&connection, sink, now, limit, self.0.replica).await
    }

    async fn settle(&self, wake_up: WakeUp, outcome: Outcome) -> Result<(), StoreError> {
        outbox::settle(&*self.0.connections.take().await?, &wake_up, outcome).await
    }

    async fn sweep(&self, now: u64, dead_before: u64) -> Result<u64, StoreError> {
        outbox::sweep(&*self.0.connections.take().await?, now, dead_before).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        outbox::counts(&*self.0.connections.take().await?).await
    }

    async fn next_due(&self, sink: &str) -> Result<Option<u64>, StoreError> {
        outbox::next_due(&*self.0.connections.take().await?, sink).await
    }

    async fn dead_letters(&self, of: Selection, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        outbox::dead_letters(&*self.0.connections.take().await?, &of, limit).await
    }

    async fn revive(&self, of: Selection, now: u64, expires_at: u64) -> Result<u64, StoreError> {
        let revived = outbox::revive(&*self.0.connections.take().await?, &of, now, expires_at).await;
        self.0.bells.to_tell.notify_one();
        revived
    }

    async fn drop_wake_ups(&self, of: Selection, waiting: bool) -> Result<u64, StoreError> {
        outbox::drop_wake_ups(&*self.0.connections.take().await?, &of, waiting).await
    }

    async fn woken(&self) {
        self.0.bells.outbox.notified().await;
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn check(&self) -> Result<(), StoreError> {
        let connection = self.0.connections.take().await?;
        patiently(connection.query_one("SELECT 1", &[])).await.map(drop)
    }

    fn connections(&self) -> Option<(usize, usize)> {
        let status = self.0.connections.pool.status();
        Some((status.size, status.size.saturating_sub(status.available)))
    }
}

impl Connections {
    fn new(address: &PostgresAddress, size: usize) -> Result<Self, StoreError> {
        let manager = Manager::from_config(
            address.config().clone(),
            address.tls()?,
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .recycle_timeout(Some(PATIENCE))
            .post_create(Hook::async_fn(|connection, _| {
                Box::pin(async move { connection.batch_execute(SESSION).await.map_err(HookError::Backend) })
            }))
            .build()
            .map_err(|_| StoreError::Unavailable)?;
        Ok(Self { pool, answered: Arc::new(AtomicBool::new(true)) })
    }

    /// A connection for as long as it is held.
    async fn take(&self) -> Result<Object, StoreError> {
        let taken = self.pool.get().await;
        self.note(taken.as_ref().err());
        taken.map_err(|error| match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                Failed::from(error).into()
            }
            _ => StoreError::Unavailable,
        })
    }

    /// Says once when the database goes, with the system's words, and once when it is back.
    fn note(&self, refused: Option<&PoolError>) {
        let answers = refused.is_none();
        if self.answered.swap(answers, Ordering::Relaxed) == answers {
            return;
        }
        match refused {
            None => tracing::info!("the database answers again"),
            Some(error) => tracing::error!(reason = reason(error), "the database does not answer"),
        }
    }
}

/// Why there is no connection: what the operating system or the library says. What the database says is not repeated: it
/// may quote what was stored.
fn reason(error: &PoolError) -> String {
    let (PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error))) = error else {
        return error.to_string();
    };
    match (error.code(), error.source()) {
        (Some(code), _) => format!("it refuses with SQLSTATE {}", code.code()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

/// What the database says, without its words: they may quote what was stored.
impl From<PostgresError> for Failed {
    fn from(error: PostgresError) -> Self {
        let Some(code) = error.code() else {
            tracing::debug!(closed = error.is_closed(), "no answer of the database");
            return Self(StoreError::Unavailable);
        };
        tracing::debug!(code = code.code(), "the database refuses");
        Self(match code {
            &SqlState::T_R_SERIALIZATION_FAILURE
            | &SqlState::T_R_DEADLOCK_DETECTED
            | &SqlState::LOCK_NOT_AVAILABLE
            | &SqlState::QUERY_CANCELED => StoreError::Busy,
            &SqlState::DISK_FULL => StoreError::Full,
            &SqlState::INVALID_PASSWORD
            | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            | &SqlState::INVALID_CATALOG_NAME
            | &SqlState::INSUFFICIENT_PRIVILEGE => StoreError::Refused,
            &SqlState::UNDEFINED_TABLE | &SqlState::UNDEFINED_COLUMN | &SqlState::DATATYPE_MISMATCH => {
                StoreError::Corrupt
            }
            _ => StoreError::Unavailable,
        })
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connections")
    }
}

/// An answer of the database, if it comes in time.
async fn patiently<T>(asking: impl Future<Output = Result<T, PostgresError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(answer) => Ok(answer.map_err(Failed::from)?),
        Err(_) => Err(StoreError::Unavailable),
    }
}

/// A value of a row; another type is a table of somebody else's.
fn column<'r, T: FromSql<'r>>(row: &'r Row, index: usize) -> Result<T, StoreError> {
    row.try_get(index).map_err(|_| StoreError::Corrupt)
}

/// PostgreSQL's numbers are signed.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(row: &Row, index: usize) -> Result<u64, StoreError> {
    column::<i64>(row, index).map(i64::unsigned_abs)
}
