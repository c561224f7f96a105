//! The two threads: one writes, many transactions in one commit; one reads.

use std::time::{Duration, Instant, SystemTime};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tokio::sync::{mpsc, oneshot};
use wa_chat::StoreError;

use crate::error::store_error;
use crate::number::Number;

/// Transactions that share a commit.
const BATCH: usize = 64;

/// Transactions that wait before a caller has to.
pub(crate) const QUEUE: usize = 1024;

/// How often expired rows are looked for, and how many go at once.
const SWEEP: Duration = Duration::from_secs(600);
const SWEPT: u32 = 1000;

/// What a thread is asked.
#[derive(Debug)]
pub(crate) enum Request {
    Run(Job),
    /// The file may have so many bytes from now on.
    Limit {
        bytes: u64,
        reply: oneshot::Sender<Result<(), StoreError>>,
    },
    /// Let go of the file, and say so.
    End {
        reply: oneshot::Sender<()>,
    },
}

/// A transaction of one account, its values sealed.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) account: Vec<u8>,
    pub(crate) epoch: i64,
    pub(crate) erase: bool,
    pub(crate) writes: Vec<SealedWrite>,
    pub(crate) reads: Vec<Range>,
    pub(crate) reply: oneshot::Sender<Result<SealedRows, StoreError>>,
}

/// One row: its name, its sealed value or nothing, its date.
#[derive(Debug)]
pub(crate) struct SealedWrite {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) expires: Option<i64>,
}

/// Rows asked for: from here, to before there or this one alone.
#[derive(Debug)]
pub(crate) enum Range {
    One(Vec<u8>),
    Page { from: Vec<u8>, to: Vec<u8>, limit: u16 },
}

/// Names and sealed values.
#[derive(Debug, Default)]
pub(crate) struct SealedRows(pub(crate) Vec<(Vec<u8>, Vec<u8>)>);

/// Writes until there is nobody left to ask.
#[expect(clippy::disallowed_methods, reason = "expired rows are looked for now and then")]
pub(crate) fn write(mut connection: Connection, mut number: Number, mut requests: mpsc::Receiver<Request>) {
    let mut swept: Option<Instant> = None;
    while let Some(first) = requests.blocking_recv() {
        let mut batch = Vec::new();
        let (mut next, mut end) = (Some(first), None);
        while let Some(request) = next {
            match request {
                Request::End { reply } => end = Some(reply),
                Request::Run(job) => batch.push(job),
                Request::Limit { bytes, reply } => {
                    // Nobody may be waiting any more.
                    let _ = reply.send(limit(&connection, bytes));
                }
            }
            next = if batch.len() < BATCH && end.is_none() { requests.try_recv().ok() } else { None };
        }
        run_batch(&mut connection, &mut number, batch);
        if let Some(reply) = end {
            drop(connection);
            let _ = reply.send(());
            return;
        }
        if swept.is_none_or(|swept| swept.elapsed() > SWEEP) {
            swept = Some(Instant::now());
            if let Err(error) = sweep(&connection) {
                tracing::debug!(%error, "expired rows stay");
            }
        }
    }
}

/// Reads until there is nobody left to ask.
pub(crate) fn read(connection: Connection, mut requests: mpsc::Receiver<Request>) {
    while let Some(request) = requests.blocking_recv() {
        match request {
            Request::Run(job) => {
                let done = run(&connection, &job);
                let _ = job.reply.send(done);
            }
            Request::End { reply } => {
                drop(connection);
                let _ = reply.send(());
                return;
            }
            Request::Limit { .. } => {}
        }
    }
}

fn limit(connection: &Connection, bytes: u64) -> Result<(), StoreError> {
    let set = || {
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page;
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
    };
    set().map_err(|error| store_error(&error))
}

/// All in one commit; if that fails, each in its own, so that one cannot spoil the others.
fn run_batch(connection: &mut Connection, number: &mut Number, batch: Vec<Job>) {
    match commit(connection, number, &batch) {
        Ok(answers) => {
            for (job, answer) in batch.into_iter().zip(answers) {
                let _ = job.reply.send(answer);
            }
        }
        Err(error) if batch.len() == 1 => {
            for job in batch {
                let _ = job.reply.send(Err(error));
            }
        }
        Err(_) => {
            for job in batch {
                run_batch(connection, number, vec![job]);
            }
        }
    }
}

/// Writes, reads and commits; an error means that nothing was kept.
fn commit(
    connection: &mut Connection,
    number: &mut Number,
    batch: &[Job],
) -> Result<Vec<Result<SealedRows, StoreError>>, StoreError> {
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = begun.map_err(|error| store_error(&error))?;
    let mut answers = Vec::with_capacity(batch.len());
    for job in batch {
        match run(&transaction, job) {
            // A fenced job has written nothing: the others go on.
            answer @ (Ok(_) | Err(StoreError::Fenced)) => answers.push(answer),
            Err(error) => return Err(error),
        }
    }
    let next = Number::advance(&transaction).map_err(|error| store_error(&error))?;
    transaction.commit().map_err(|error| store_error(&error))?;
    number.committed(next);
    Ok(answers)
}

fn run(connection: &Connection, job: &Job) -> Result<SealedRows, StoreError> {
    check_epoch(connection, job)?;
    apply(connection, job).map_err(|error| store_error(&error))
}

/// Whether the account is still this process's.
fn check_epoch(connection: &Connection, job: &Job) -> Result<(), StoreError> {
    let find = || {
        let mut select = connection.prepare_cached("SELECT epoch FROM accounts WHERE id = ?1")?;
        select.query_row([&job.account], |row| row.get::<_, i64>(0)).optional()
    };
    match find().map_err(|error| store_error(&error))? {
        Some(epoch) if epoch == job.epoch => Ok(()),
        _ => Err(StoreError::Fenced),
    }
}

fn apply(connection: &Connection, job: &Job) -> rusqlite::Result<SealedRows> {
    if job.erase {
        connection.execute("DELETE FROM rows WHERE account = ?1", [&job.account])?;
    }
    for write in &job.writes {
        match &write.value {
            Some(value) => {
                let insert = "INSERT INTO rows (account, key, value, expires) VALUES (?1, ?2, ?3, ?4)
                    ON CONFLICT (account, key) DO UPDATE SET value = excluded.value, expires = excluded.expires";
                let mut insert = connection.prepare_cached(insert)?;
                insert.execute(params![job.account, write.key, value, write.expires])?;
            }
            None => {
                let delete = "DELETE FROM rows WHERE account = ?1 AND key = ?2";
                connection.prepare_cached(delete)?.execute(params![job.account, write.key])?;
            }
        }
    }
    let mut rows = SealedRows::default();
    for range in &job.reads {
        select(connection, &job.account, range, &mut rows)?;
    }
    Ok(rows)
}

fn select(
    connection: &Connection,
    account: &[u8],
    range: &Range,
    rows: &mut SealedRows,
) -> rusqlite::Result<()> {
    let found = match range {
        Range::One(key) => {
            let select = "SELECT key, value FROM rows WHERE account = ?1 AND key = ?2";
            let mut select = connection.prepare_cached(select)?;
            collect(select.query(params![account, key])?)?
        }
        Range::Page { from, to, limit } => {
            let select = "SELECT key, value FROM rows
                WHERE account = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4";
            let mut select = connection.prepare_cached(select)?;
            collect(select.query(params![account, from, to, limit])?)?
        }
    };
    rows.0.extend(found);
    Ok(())
}

fn collect(mut found: rusqlite::Rows<'_>) -> rusqlite::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push((row.get(0)?, row.get(1)?));
    }
    Ok(rows)
}

/// Rows whose date has passed may vanish; nothing depends on it.
#[expect(clippy::disallowed_methods, reason = "the store's own housekeeping")]
fn sweep(connection: &Connection) -> rusqlite::Result<usize> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let expired = "SELECT account, key FROM rows WHERE expires IS NOT NULL AND expires < ?1 LIMIT ?2";
    let delete = format!("DELETE FROM rows WHERE (account, key) IN ({expired})");
    connection.execute(&delete, params![now, SWEPT])
}
