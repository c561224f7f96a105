//! One account, several processes: who may hold it, for how long (an application and its notification extension).
//!
//! What a process may do is decided by the epoch that every transaction checks; a lease only keeps processes from taking
//! the account out of each other's hands. It is a row, renewed by a thread: no lock is held between two renewals, and a
//! process that is stopped or killed is overtaken when its term is over.

use std::io::ErrorKind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use tokio::sync::{oneshot, watch};

use crate::error::{Failed, LeaseError, OpenError};
use crate::schema::BUSY;
use crate::sqlite::{AccountId, AccountStore, SqliteStore};

/// How often one who waits asks again, and how often a holder looks whether somebody waits.
const LOOK: Duration = Duration::from_millis(250);

/// Terms are at least so long: a shorter one would run out between two looks.
const MIN_TERM: Duration = Duration::from_secs(2);

/// How long somebody is taken to be waiting after having asked.
const ASKED: Duration = Duration::from_secs(2);

/// An account that this process holds until it lets go, stays away for longer than the term, or is overtaken.
///
/// Call [`release`](Self::release) before the process is suspended: afterwards neither a lock nor the lease is held.
/// Dropping it releases it a little later.
#[derive(Debug)]
pub struct Lease {
    account: AccountStore,
    standing: watch::Receiver<Standing>,
    /// Ends the thread that renews, which then says so.
    end: mpsc::Sender<oneshot::Sender<()>>,
}

/// How a lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Held,
    Wanted,
    Lost,
}

impl Lease {
    /// The account's rows: what a client is given.
    pub fn account(&self) -> AccountStore {
        self.account.clone()
    }

    /// Waits until another process asks for the account, or has it. A process in the background finishes what is under
    /// way and releases.
    ///
    /// Cancel safety: dropping it changes nothing.
    pub async fn wanted(&self) {
        // An error means that the thread has ended: then the lease is lost.
        let _ = self.standing.clone().wait_for(|standing| *standing != Standing::Held).await;
    }

    /// Waits until the account is another's, or was released; a client on it ends with the next thing that it writes or reads.
    ///
    /// Cancel safety: dropping it changes nothing.
    pub async fn lost(&self) {
        // As above.
        let _ = self.standing.clone().wait_for(|standing| *standing == Standing::Lost).await;
    }

    /// Gives the account back; returns when others can take it at once. Close the client before. A call that waits in
    /// [`wanted`](Self::wanted) or [`lost`](Self::lost) goes on.
    pub async fn release(&self) {
        let (done, released) = oneshot::channel();
        if self.end.send(done).is_ok() {
            // An error means that the thread has ended.
            let _ = released.await;
        }
    }
}

impl SqliteStore {
    /// Takes an account if no other holder has it. `holder` is this process's part ("app", "extension"): what the same
    /// holder left behind when it died is taken at once. Within `term` (two seconds at least, ten are good) the lease is
    /// renewed by itself.
    ///
    /// The rows that an earlier handle held are this one's from now on: see [`account`](Self::account), which asks no lease.
    ///
    /// # Errors
    /// Another holds it: [`LeaseError::Held`] says who, and how long it would last without being renewed. Or the file
    /// cannot be written.
    pub fn try_lease(&self, id: &AccountId, holder: &str, term: Duration) -> Result<Lease, LeaseError> {
        self.take_lease(id, holder, term, false)
    }

    /// Takes it if nobody else holds it; where it `asks`, the holder hears that it is wanted.
    fn take_lease(
        &self,
        id: &AccountId,
        holder: &str,
        term: Duration,
        asks: bool,
    ) -> Result<Lease, LeaseError> {
        let term = term.max(MIN_TERM);
        let (mut connection, account) = (self.connect()?, id.as_str().as_bytes());
        // What is lost with the power harms nobody: no process is left then. It needs no sync of its own.
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(Failed::from)?;
        // A holder must be able to try again within its term.
        connection.busy_timeout(BUSY.min(term / 8)).map_err(Failed::from)?;
        let transaction = begin(&mut connection).map_err(Failed::from)?;
        let taken = take(&transaction, account, holder, term, asks).map_err(Failed::from)?;
        transaction.commit().map_err(Failed::from)?;
        let epoch = taken.map_err(|(holder, left)| LeaseError::Held { holder, left })?;
        let keeper = Keeper { connection, account: account.to_vec(), epoch, term };
        let (end, ends) = mpsc::channel();
        let (standing, told) = watch::channel(Standing::Held);
        let keeping = thread::Builder::new().name("wa-store lease".to_owned());
        keeping.spawn(move || keeper.keep(&ends, &standing)).map_err(OpenError::from_io)?;
        Ok(Lease { account: self.held(id, epoch), standing: told, end })
    }

    /// Takes an account as [`try_lease`](Self::try_lease) does, but waits for the other holder, who is told
    /// ([`Lease::wanted`]).
    ///
    /// Cancel safety: dropping it takes nothing.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn lease(&self, id: &AccountId, holder: &str, term: Duration) -> Result<Lease, LeaseError> {
        loop {
            let (store, id, holder) = (self.clone(), id.clone(), holder.to_owned());
            // Another process may have the file for a moment.
            let taking = tokio::task::spawn_blocking(move || store.take_lease(&id, &holder, term, true));
            match taking.await {
                Ok(Err(
                    LeaseError::Held { .. } | LeaseError::Open(OpenError::Io(ErrorKind::ResourceBusy)),
                )) => {
                    tokio::time::sleep(LOOK).await;
                }
                Ok(decided) => return decided,
                Err(_) => return Err(OpenError::Io(ErrorKind::Other).into()),
            }
        }
    }
}

/// What renews a lease until it ends.
struct Keeper {
    connection: Connection,
    account: Vec<u8>,
    epoch: i64,
    term: Duration,
}

impl Keeper {
    fn keep(mut self, ends: &mpsc::Receiver<oneshot::Sender<()>>, standing: &watch::Sender<Standing>) {
        loop {
            match ends.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                ended => {
                    if let Err(error) = self.release() {
                        tracing::debug!(%error, "a lease stays until its term is over");
                    }
                    drop(self.connection);
                    if let Ok(done) = ended {
                        // Nobody may be waiting any more.
                        let _ = done.send(());
                    }
                    return;
                }
            }
            match self.look() {
                Ok(now) => {
                    standing.send_if_modified(|was| std::mem::replace(was, now) != now);
                }
                // A busy file is asked again; the term has room for that.
                Err(error) => tracing::debug!(%error, "a lease could not be renewed"),
            }
            if *standing.borrow() == Standing::Lost {
                return;
            }
        }
    }

    /// Renews it when a third of the term is over, and tells how it stands.
    fn look(&mut self) -> rusqlite::Result<Standing> {
        let Some(row) = Row::of(&self.connection, &self.account)?.filter(|row| row.epoch == self.epoch)
        else {
            return Ok(Standing::Lost);
        };
        let now = unix_millis();
        if !(0..millis(self.term) / 3).contains(&(now - row.renewed)) {
            let transaction = begin(&mut self.connection)?;
            let update = "UPDATE leases SET renewed = ?1 WHERE account = ?2 AND epoch = ?3";
            let renewed = transaction.execute(update, params![now, self.account, self.epoch])?;
            transaction.commit()?;
            if renewed == 0 {
                return Ok(Standing::Lost);
            }
        }
        let is_wanted = row.asked.is_some_and(|asked| (0..millis(ASKED)).contains(&(now - asked)));
        Ok(if is_wanted { Standing::Wanted } else { Standing::Held })
    }

    fn release(&self) -> rusqlite::Result<()> {
        let delete = "DELETE FROM leases WHERE account = ?1 AND epoch = ?2";
        self.connection.execute(delete, params![self.account, self.epoch]).map(drop)
    }
}

/// A lease that is written down; it counts while its epoch is the account's.
struct Row {
    epoch: i64,
    holder: String,
    renewed: i64,
    term: i64,
    asked: Option<i64>,
}

impl Row {
    fn of(connection: &Connection, account: &[u8]) -> rusqlite::Result<Option<Self>> {
        let select = "SELECT leases.epoch, holder, renewed, term, asked FROM leases JOIN accounts
            ON accounts.id = leases.account AND accounts.epoch = leases.epoch WHERE account = ?1";
        let mut select = connection.prepare_cached(select)?;
        let row = select.query_row([account], |row| {
            let (epoch, holder, renewed) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Self { epoch, holder, renewed, term: row.get(3)?, asked: row.get(4)? })
        });
        row.optional()
    }

    /// How long it lasts from now; none if its term is over, or if a clock has jumped back before its beginning.
    fn left(&self, now: i64) -> Option<Duration> {
        let past = now.checked_sub(self.renewed).filter(|past| *past >= 0)?;
        let left = u64::try_from(self.term - past).ok()?;
        (left > 0).then(|| Duration::from_millis(left))
    }
}

/// The account's next epoch, if nobody else's lease lasts; else whose it is.
fn take(
    transaction: &Transaction<'_>,
    account: &[u8],
    holder: &str,
    term: Duration,
    asks: bool,
) -> rusqlite::Result<Result<i64, (String, Duration)>> {
    let now = unix_millis();
    if let Some(row) = Row::of(transaction, account)?.filter(|row| row.holder != holder)
        && let Some(left) = row.left(now)
    {
        if asks {
            let update = "UPDATE leases SET asked = ?1 WHERE account = ?2";
            transaction.execute(update, params![now, account])?;
        }
        return Ok(Err((row.holder, left)));
    }
    let epoch = next_epoch(transaction, account)?;
    let insert = "INSERT OR REPLACE INTO leases VALUES (?1, ?2, ?3, ?4, ?5, NULL)";
    transaction.execute(insert, params![account, epoch, holder, now, millis(term)])?;
    Ok(Ok(epoch))
}

/// Moves the account's epoch on: every earlier handle is fenced.
pub(crate) fn next_epoch(transaction: &Transaction<'_>, account: &[u8]) -> rusqlite::Result<i64> {
    let upsert = "INSERT INTO accounts VALUES (?1, 1) ON CONFLICT (id) DO UPDATE SET epoch = epoch + 1
        RETURNING epoch";
    transaction.query_row(upsert, [account], |row| row.get(0))
}

pub(crate) fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Both processes stand on one machine: its clock is the one that they share.
#[expect(clippy::disallowed_methods, reason = "a lease's clock is read here and nowhere else")]
fn unix_millis() -> i64 {
    millis(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(renewed: i64) -> Row {
        Row { epoch: 1, holder: "app".to_owned(), renewed, term: 10_000, asked: None }
    }

    #[test]
    fn a_lease_lasts_its_term_and_not_before_its_beginning() {
        assert_eq!(row(5_000).left(5_000), Some(Duration::from_secs(10)));
        assert_eq!(row(5_000).left(14_999), Some(Duration::from_millis(1)));
        assert_eq!(row(5_000).left(15_000), None);
        // A clock that was put back: nobody waits for days.
        assert_eq!(row(5_000).left(4_999), None);
        assert_eq!(row(i64::MAX).left(i64::MIN), None);
    }
}
