//! The two threads: one writes, many transactions in one commit; one reads.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tokio::sync::{mpsc, oneshot};
use wa_chat::StoreError;

use crate::error::store_error;
use crate::number::Number;

/// Transactions that share a commit.
const BATCH: usize = 64;

/// Transactions that wait before a caller has to.
pub(crate) const QUEUE: usize = 1024;

/// Expired rows that go at once; between two such slices others have their turn.
const SWEPT: usize = 1000;

/// A request to a thread.
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
    /// Rows that expire before this date may vanish.
    pub(crate) sweep: Option<i64>,
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
    Page { from: Vec<u8>, to: Vec<u8>, limit: u16, bytes: usize },
}

/// Names and sealed values.
#[derive(Debug, Default)]
pub(crate) struct SealedRows(pub(crate) Vec<(Vec<u8>, Vec<u8>)>);

/// Writes until there is nobody left to ask.
pub(crate) fn write(mut connection: Connection, mut number: Number, mut requests: mpsc::Receiver<Request>) {
    let (mut sweeps, mut sweeping) = (Sweeps::default(), false);
    loop {
        let first = if sweeping { requests.try_recv().ok() } else { requests.blocking_recv() };
        if first.is_none() && !sweeping {
            return;
        }
        let mut batch = Vec::new();
        let (mut next, mut end) = (first, None);
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
        if !batch.is_empty() {
            run_batch(&mut connection, &mut number, &mut sweeps, batch);
        }
        if let Some(reply) = end {
            drop(connection);
            let _ = reply.send(());
            return;
        }
        sweeping = sweeps.go_on(&connection);
    }
}

/// Reads until there is nobody left to ask.
pub(crate) fn read(connection: Connection, mut requests: mpsc::Receiver<Request>) {
    while let Some(request) = requests.blocking_recv() {
        match request {
            Request::Run(job) => {
                let done = read_once(&connection, &job);
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

/// Everything that one job reads is of one moment: whether the account is still its, and each of its rows.
fn read_once(connection: &Connection, job: &Job) -> Result<SealedRows, StoreError> {
    let snapshot = connection.unchecked_transaction().map_err(|error| store_error(&error))?;
    run(&snapshot, job)
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
fn run_batch(connection: &mut Connection, number: &mut Number, sweeps: &mut Sweeps, batch: Vec<Job>) {
    match commit(connection, number, &batch) {
        Ok(answers) => {
            for (job, answer) in batch.into_iter().zip(answers) {
                if let (Ok(_), Some(date)) = (&answer, job.sweep) {
                    sweeps.begin(&job.account, date);
                }
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
                run_batch(connection, number, sweeps, vec![job]);
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
            collect(select.query(params![account, key])?, usize::MAX)?
        }
        Range::Page { from, to, limit, bytes } => {
            let select = "SELECT key, value FROM rows
                WHERE account = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4";
            let mut select = connection.prepare_cached(select)?;
            collect(select.query(params![account, from, to, limit])?, *bytes)?
        }
    };
    rows.0.extend(found);
    Ok(())
}

/// The rows, up to the one with which they have so many bytes.
fn collect(mut found: rusqlite::Rows<'_>, bytes: usize) -> rusqlite::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let (mut rows, mut taken) = (Vec::new(), 0);
    while (rows.is_empty() || taken < bytes)
        && let Some(row) = found.next()?
    {
        let (key, value): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        taken += value.len();
        rows.push((key, value));
    }
    Ok(rows)
}

/// The dates by which accounts are being swept.
#[derive(Debug, Default)]
struct Sweeps(BTreeMap<Vec<u8>, i64>);

impl Sweeps {
    /// Rows of the account that expire before this date may vanish.
    fn begin(&mut self, account: &[u8], date: i64) {
        let until = self.0.entry(account.to_vec()).or_insert(date);
        *until = date.max(*until);
    }

    /// Deletes some of the rows that may vanish; an account of which none is left is done. Says whether any is.
    fn go_on(&mut self, connection: &Connection) -> bool {
        let Some((account, date)) = self.0.pop_first() else { return false };
        match sweep(connection, &account, date) {
            Ok(swept) if swept >= SWEPT => self.begin(&account, date),
            Ok(_) => {}
            // The next login tells the date again.
            Err(error) => tracing::debug!(%error, "expired rows stay"),
        }
        !self.0.is_empty()
    }
}

fn sweep(connection: &Connection, account: &[u8], date: i64) -> rusqlite::Result<usize> {
    let delete = "DELETE FROM rows WHERE account = ?1 AND key IN
        (SELECT key FROM rows WHERE account = ?1 AND expires IS NOT NULL AND expires < ?2 LIMIT ?3)";
    connection.prepare_cached(delete)?.execute(params![
        account,
        date,
        i64::try_from(SWEPT).unwrap_or(i64::MAX)
    ])
}
