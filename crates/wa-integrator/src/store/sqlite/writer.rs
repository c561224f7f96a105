//! The thread that owns the database: takes what waits, commits it at once, answers after the sync.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::value::{Failed, StoreError};

/// How many jobs may wait before the callers have to.
const WAITING_MAX: usize = 4096;
/// How much one transaction takes.
const GROUP_MAX: usize = 512;

/// The way to the thread; the thread ends with the last of these.
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

/// A piece of work in the common transaction, and what to do once it is known whether that was committed.
type Job = Box<dyn FnOnce(&Connection) -> (Result<(), StoreError>, Answer) + Send>;
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

impl Writer {
    /// Starts the thread over this database.
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        let thread = thread::Builder::new().name("wa-integrator-store".to_owned());
        thread.spawn(move || work(connection, waiting)).map_err(|_| StoreError::Unavailable)?;
        Ok(Self { jobs })
    }

    /// Runs `work` in a transaction that is committed and synced before this returns.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| match work(connection) {
            Ok(value) => {
                let answer: Answer = Box::new(move |committed| {
                    // Nobody waits any more: the work is done all the same.
                    let _ = answer.send(committed.map(|()| value));
                });
                (Ok(()), answer)
            }
            Err(error) => {
                let error = Failed::from(error).into();
                let answer: Answer = Box::new(move |_| {
                    let _ = answer.send(Err(error));
                });
                (Err(StoreError::Unavailable), answer)
            }
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Unavailable)?;
        answered.await.map_err(|_| StoreError::Unavailable)?
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

fn work(mut connection: Connection, mut waiting: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while waiting.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        commit(&mut connection, &mut group);
    }
}

/// All of the group or nothing of it, but for jobs that fail by themselves: what such a one did is undone, and the others are
/// stored.
fn commit(connection: &mut Connection, group: &mut Vec<Job>) {
    let mut answers = Vec::with_capacity(group.len());
    let committed = (|| -> Result<(), Failed> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for job in group.drain(..) {
            answers.push(attempt(&transaction, job)?);
        }
        Ok(transaction.commit()?)
    })();
    let committed = committed.map_err(StoreError::from);
    // Where the transaction could not even begin, dropping the jobs tells who waits.
    group.clear();
    for answer in answers {
        answer(committed.clone());
    }
}

/// Does one job; what it did is undone if it fails, or panics.
fn attempt(transaction: &Connection, job: Job) -> Result<Answer, Failed> {
    transaction.prepare_cached("SAVEPOINT job")?.execute([])?;
    let attempted = catch_unwind(AssertUnwindSafe(|| job(transaction)));
    let (done, answer) = attempted.unwrap_or_else(|_| {
        tracing::error!("a job of the store panicked");
        // Who waits for it is told by its end.
        (Err(StoreError::Unavailable), Box::new(|_| {}))
    });
    if done.is_err() {
        transaction.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    transaction.prepare_cached("RELEASE job")?.execute([])?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of jobs in one transaction one fails and one panics: what they did is undone, and the others are stored (A21, Low).
    #[tokio::test]
    async fn a_job_that_fails_or_panics_takes_nobody_elses_with_it() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE noted (number INTEGER PRIMARY KEY)").unwrap();
        let writer = Writer::start(connection).unwrap();
        // The thread is kept busy until all of them wait, so that they come into one transaction.
        let (go_on, held) = std::sync::mpsc::channel::<()>();
        let holding = writer.run(move |_| Ok(held.recv().is_ok()));
        let note = |number: i64| {
            writer.run(move |connection| {
                connection.execute("INSERT INTO noted VALUES (?)", [number])?;
                assert_ne!(number, 3, "as asked for");
                if number == 2 { Err(rusqlite::Error::InvalidQuery) } else { Ok(number) }
            })
        };
        let told = async {
            tokio::task::yield_now().await;
            go_on.send(()).unwrap();
        };
        let (holding, one, two, three, four, ()) =
            tokio::join!(holding, note(1), note(2), note(3), note(4), told);
        assert_eq!((holding, one, four), (Ok(true), Ok(1), Ok(4)));
        assert!(two.is_err());
        assert_eq!(three, Err(StoreError::Unavailable));
        let stored = writer.run(|connection| {
            connection.query_row("SELECT group_concat(number) FROM noted", [], |row| row.get::<_, String>(0))
        });
        assert_eq!(stored.await.as_deref(), Ok("1,4"));
    }
}
