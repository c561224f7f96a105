//! Pushes: those that wait are written by one statement, and answered once that is synced.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_postgres::types::ToSql;

use super::{Connections, column, number, patiently};
use crate::push::{NewWakeUp, Put};
use crate::value::StoreError;

/// The way to the tasks that write.
pub(super) struct Puts(mpsc::Sender<Waiting>);

type Waiting = (NewWakeUp, oneshot::Sender<Result<Put, StoreError>>);

impl Puts {
    /// Starts the tasks.
    pub(super) fn start(connections: &Connections, tasks: &mut JoinSet<()>) -> Self {
        let (puts, waiting) = mpsc::channel(WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..WRITERS {
            tasks.spawn(write(connections.clone(), Arc::clone(&waiting)));
        }
        Self(puts)
    }

    /// Stores a wake-up; it is synced when this returns.
    pub(super) async fn put(&self, wake_up: NewWakeUp) -> Result<Put, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.0.send((wake_up, answer)).await.map_err(|_| StoreError::Unavailable)?;
        answered.await.map_err(|_| StoreError::Unavailable)?
    }
}

async fn write(connections: Connections, waiting: Arc<Mutex<mpsc::Receiver<Waiting>>>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while waiting.lock().await.recv_many(&mut group, GROUP_MAX).await > 0 {
        let known = put(&connections, &group).await;
        for (wake_up, answer) in group.drain(..) {
            let put = known.as_ref().map(|known| Put { known: known.contains(wake_up.user.as_str()) });
            // Nobody waits any more: it is stored all the same.
            let _ = answer.send(put.map_err(Clone::clone));
        }
    }
}

/// Writes the group; gives whom of them we know.
async fn put(connections: &Connections, group: &[Waiting]) -> Result<BTreeSet<String>, StoreError> {
    let folded = Folded::of(group);
    let client = connections.take().await?;
    let statement = patiently(client.prepare_cached(PUT)).await?;
    let rows: [&(dyn ToSql + Sync); 7] = [
        &folded.sinks,
        &folded.users,
        &folded.counts,
        &folded.received_at,
        &folded.due_at,
        &folded.expires_at,
        &folded.for_strangers,
    ];
    let known = client.query(&statement, &rows);
    patiently(known).await?.iter().map(|row| column(row, 0)).collect()
}

/// One row for each sink and user, sorted: two servers that write the same rows lock them in the same order.
#[derive(Default)]
struct Folded<'g> {
    sinks: Vec<&'g str>,
    users: Vec<&'g str>,
    counts: Vec<i64>,
    received_at: Vec<i64>,
    due_at: Vec<i64>,
    expires_at: Vec<i64>,
    for_strangers: Vec<bool>,
}

impl<'g> Folded<'g> {
    fn of(group: &'g [Waiting]) -> Self {
        let mut rows: BTreeMap<(&str, &str), (i64, &NewWakeUp, bool, u64)> = BTreeMap::new();
        for (wake_up, _) in group {
            for sink in wake_up.sinks.iter() {
                let row =
                    rows.entry((sink, wake_up.user.as_str())).or_insert((0, wake_up, false, wake_up.due_at));
                *row = (row.0 + 1, wake_up, row.2 || wake_up.for_strangers, row.3.min(wake_up.due_at));
            }
        }
        let mut folded = Self::default();
        for ((sink, user), (count, last, for_strangers, due_at)) in rows {
            folded.sinks.push(sink);
            folded.users.push(user);
            folded.counts.push(count);
            folded.received_at.push(number(last.received_at));
            folded.due_at.push(number(due_at));
            folded.expires_at.push(number(last.expires_at));
            folded.for_strangers.push(for_strangers);
        }
        folded
    }
}

/// How many groups are written at a time: while one is synced, the next is on its way.
const WRITERS: usize = 3;
/// How many jobs may wait before the callers have to.
const WAITING_MAX: usize = 4096;
/// How much one statement takes.
const GROUP_MAX: usize = 512;

const PUT: &str = "
WITH pushed AS (
  SELECT * FROM
    unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::boolean[])
    AS pushed (sink, identifier, count, received_at, due_at, expires_at, for_strangers)
), known AS (
  SELECT identifier FROM wa_integrator.known_user WHERE identifier = ANY ($2)
), stored AS (
  INSERT INTO wa_integrator.outbox AS waiting
    (sink, identifier, count, received_at, attempts, due_at, expires_at)
  SELECT sink, identifier, count, received_at, 0, due_at, expires_at FROM pushed
  WHERE for_strangers OR identifier IN (SELECT identifier FROM known)
  ORDER BY sink COLLATE \"C\", identifier COLLATE \"C\"
  ON CONFLICT (sink, identifier) DO UPDATE SET count = waiting.count + excluded.count,
    received_at = excluded.received_at, due_at = least(waiting.due_at, excluded.due_at),
    expires_at = excluded.expires_at
)
SELECT identifier FROM known";
