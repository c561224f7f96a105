//! The contract in a PostgreSQL database that any number of servers share.
//!
//! Pushes that come at the same time are written by one statement, so that they share one sync of the disk. A wake-up
//! that a server has taken to deliver is leased to it: others pass over it until the lease is over. Changes of the keys
//! and new wake-ups are told to the others by `NOTIFY`; whoever misses that finds out when it looks the next time.

mod address;
mod import;
mod listener;
mod puts;
mod rows;
mod schema;

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use rand::Rng as _;
use tokio::task::JoinSet;
use tokio_postgres::error::SqlState;

use super::{Counts, KeyTable, NewWakeUp, Outcome, Put, Store, WakeUp};
use crate::{StoreError, UserIdentifier};
use listener::Bells;
use puts::Puts;

pub use address::PostgresAddress;
pub use import::Imported;

/// A [`Store`] in a PostgreSQL database; clones are one store.
///
/// It needs the encoding UTF-8, and the right to make the schema `wa_integrator` on first start.
#[derive(Clone)]
pub struct PostgresStore(Arc<Shared>);

struct Shared {
    connections: Connections,
    puts: Puts,
    bells: Arc<Bells>,
    /// In whose name wake-ups are leased.
    replica: i64,
    /// Ended with the store.
    _tasks: JoinSet<()>,
}

/// Connections to the database, a few of them; cheap to clone.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: Pool,
    answered: Arc<AtomicBool>,
}

impl PostgresStore {
    /// Connects, and makes the tables or brings them to this program's version.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] while there is no connection, [`StoreError::Refused`] when the database does not
    /// take this user, [`StoreError::Version`] for tables of a newer program, [`StoreError::Encoding`] for another
    /// encoding than UTF-8.
    pub async fn connect(address: &PostgresAddress) -> Result<Self, StoreError> {
        let connections = Connections::new(address)?;
        schema::migrate(&mut *connections.take().await?).await?;
        let bells = Arc::new(Bells::default());
        let replica = rand::rng().next_u64().cast_signed();
        let mut tasks = JoinSet::new();
        tasks.spawn(listener::listen(address.clone(), replica, Arc::clone(&bells)));
        tasks.spawn(listener::tell(connections.clone(), replica, Arc::clone(&bells)));
        let puts = Puts::start(&connections, &mut tasks);
        Ok(Self(Arc::new(Shared { connections, puts, bells, replica, _tasks: tasks })))
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

    pub(crate) fn connections(&self) -> &Connections {
        &self.0.connections
    }
}

impl Store for PostgresStore {
    async fn keys(&self) -> Result<KeyTable, StoreError> {
        rows::keys(&*self.0.connections.take().await?).await
    }

    async fn replace_keys(&self, table: KeyTable) -> Result<(), StoreError> {
        rows::replace_keys(&mut *self.0.connections.take().await?, &table, self.0.replica).await
    }

    async fn remember_user(&self, user: UserIdentifier, now: u64) -> Result<(), StoreError> {
        rows::remember_user(&*self.0.connections.take().await?, &user, now).await
    }

    async fn forget_user(&self, user: UserIdentifier) -> Result<bool, StoreError> {
        rows::forget_user(&mut *self.0.connections.take().await?, &user).await
    }

    async fn put_wake_up(&self, wake_up: NewWakeUp) -> Result<Put, StoreError> {
        let put = self.0.puts.put(wake_up).await;
        if put.is_ok() {
            self.0.bells.to_tell.notify_one();
        }
        put
    }

    async fn due_wake_ups(&self, sink: &str, now: u64, limit: usize) -> Result<Vec<WakeUp>, StoreError> {
        let connection = self.0.connections.take().await?;
        rows::due_wake_ups(&connection, sink, now, limit, self.0.replica).await
    }

    async fn settle(&self, wake_up: WakeUp, outcome: Outcome) -> Result<(), StoreError> {
        rows::settle(&mut *self.0.connections.take().await?, &wake_up, outcome).await
    }

    async fn sweep(&self, now: u64, dead_before: u64) -> Result<u64, StoreError> {
        rows::sweep(&*self.0.connections.take().await?, now, dead_before).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        rows::counts(&*self.0.connections.take().await?).await
    }

    async fn next_due(&self, sink: &str) -> Result<Option<u64>, StoreError> {
        rows::next_due(&*self.0.connections.take().await?, sink).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let connection = self.0.connections.take().await?;
        patiently(connection.query_one("SELECT 1", &[])).await.map(drop)
    }

    fn keys_changed(&self) -> impl Future<Output = ()> + Send {
        self.0.bells.keys.notified()
    }

    fn woken(&self) -> impl Future<Output = ()> + Send {
        self.0.bells.outbox.notified()
    }
}

impl Connections {
    fn new(address: &PostgresAddress) -> Result<Self, StoreError> {
        let manager = Manager::from_config(
            address.config().clone(),
            address.tls()?,
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
            .max_size(address.connections())
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
    pub(crate) async fn take(&self) -> Result<Object, StoreError> {
        let taken = self.pool.get().await;
        self.note(taken.is_ok());
        taken.map_err(|error| match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => error.into(),
            _ => StoreError::Unavailable,
        })
    }

    /// Says once when the database goes, and once when it is back.
    fn note(&self, answers: bool) {
        if self.answered.swap(answers, Ordering::Relaxed) != answers {
            if answers {
                tracing::info!("the database answers again");
            } else {
                tracing::error!("the database does not answer");
            }
        }
    }
}

/// What the database says, without its words: they may quote what was stored.
impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(code) = error.code() else {
            tracing::debug!(closed = error.is_closed(), "no answer of the database");
            return Self::Unavailable;
        };
        tracing::debug!(code = code.code(), "the database refuses");
        match code {
            &SqlState::T_R_SERIALIZATION_FAILURE
            | &SqlState::T_R_DEADLOCK_DETECTED
            | &SqlState::LOCK_NOT_AVAILABLE
            | &SqlState::QUERY_CANCELED => Self::Busy,
            &SqlState::DISK_FULL => Self::Full,
            &SqlState::INVALID_PASSWORD
            | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            | &SqlState::INVALID_CATALOG_NAME
            | &SqlState::INSUFFICIENT_PRIVILEGE => Self::Refused,
            &SqlState::UNDEFINED_TABLE | &SqlState::UNDEFINED_COLUMN | &SqlState::DATATYPE_MISMATCH => {
                Self::Corrupt
            }
            _ => Self::Unavailable,
        }
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

/// How long anything may take: a server that does not answer is answered for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is answered is synced, whatever the role's default; and nothing is held up for ever.
const SESSION: &str = "
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
SET statement_timeout = '5s';
SET idle_in_transaction_session_timeout = '10s';
";

/// An answer of the database, if it comes in time.
pub(crate) async fn patiently<T>(
    asking: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(answer) => answer.map_err(StoreError::from),
        Err(_) => Err(StoreError::Unavailable),
    }
}

/// A value of a row; another type is a table of somebody else's.
pub(crate) fn column<'r, T: tokio_postgres::types::FromSql<'r>>(
    row: &'r tokio_postgres::Row,
    index: usize,
) -> Result<T, StoreError> {
    row.try_get(index).map_err(|_| StoreError::Corrupt)
}

/// PostgreSQL's numbers are signed.
pub(crate) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(row: &tokio_postgres::Row, index: usize) -> Result<u64, StoreError> {
    column::<i64>(row, index).map(i64::unsigned_abs)
}
