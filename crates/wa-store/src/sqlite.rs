//! The store and one account of it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tokio::sync::{mpsc, oneshot};
use wa_chat::{Key, Read, Rows, Store, StoreError, Transaction, Write};

use crate::error::{BadAccountId, Failed, OpenError};
use crate::lease;
use crate::number::{self, Number};
use crate::schema;
use crate::seal::{Sealer, StoreKey};
use crate::writer::{self, Job, QUEUE, Range, Request, SealedWrite};

/// Many accounts in one file. Dropping the last handle ends its threads.
#[derive(Clone, Debug)]
pub struct SqliteStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: std::path::PathBuf,
    key: StoreKey,
    number: Arc<AtomicU64>,
    writer: mpsc::Sender<Request>,
    reader: mpsc::Sender<Request>,
}

/// A local name of an account, 1 to 128 bytes; it stays when the login changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

impl AccountId {
    /// A name, for instance the user's identifier.
    ///
    /// # Errors
    /// It is empty or too long.
    pub fn new(name: impl Into<String>) -> Result<Self, BadAccountId> {
        let name = name.into();
        if (1..=128).contains(&name.len()) { Ok(Self(name)) } else { Err(BadAccountId) }
    }

    /// The name as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for AccountId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<&str> for AccountId {
    type Error = BadAccountId;

    fn try_from(name: &str) -> Result<Self, BadAccountId> {
        Self::new(name)
    }
}

impl SqliteStore {
    /// Makes a new store at a path where nothing is.
    ///
    /// # Errors
    /// There is a file, or it cannot be made.
    pub fn create(path: &Path, key: &StoreKey) -> Result<Self, OpenError> {
        drop(schema::create(path, key)?);
        number::forget(path);
        Self::open(path, key)
    }

    /// Opens a store that is there, bringing its schema up to date.
    ///
    /// # Errors
    /// There is none, it is damaged or newer, the key is another's, or it is an older copy.
    pub fn open(path: &Path, key: &StoreKey) -> Result<Self, OpenError> {
        Self::open_from(path, key, 0)
    }

    /// Opens a store that has come at least as far as `number`, which [`number`](Self::number) gave and the application
    /// kept elsewhere: this recognises an older copy although the small file beside it was put back as well.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`OpenError::Restored`] if the store has not come so far.
    pub fn open_from(path: &Path, key: &StoreKey, number: u64) -> Result<Self, OpenError> {
        Ok(Self::start(path, key, number, false)?)
    }

    /// Opens a backup that was put back. Its sessions would use message keys a second time: give each account to
    /// [`wa_chat::Restoration`] before a client opens it, and call [`finish_restoration`](Self::finish_restoration)
    /// when all are done; until then [`open`](Self::open) says [`OpenError::Restored`], also after a death in between.
    ///
    /// # Errors
    /// As [`open`](Self::open), except that an older copy is what is expected.
    pub fn open_restored(path: &Path, key: &StoreKey) -> Result<Self, OpenError> {
        Ok(Self::start(path, key, 0, true)?)
    }

    /// Every account of a copy that was put back has been restored: from now on it opens as any other. A number that was
    /// kept elsewhere is void: keep the new one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish_restoration(&self) -> Result<(), OpenError> {
        Ok(number::finish_restoration(&self.connect()?).map_err(Failed::from)?)
    }

    /// How far the store has come: it rises with every opening and every transaction that writes, and never by itself. Keep it where a backup of the file
    /// does not put it back, at least whenever much was written, and give it to [`open_from`](Self::open_from).
    pub fn number(&self) -> u64 {
        self.0.number.load(Ordering::Relaxed)
    }

    fn start(path: &Path, key: &StoreKey, kept: u64, restored: bool) -> Result<Self, Failed> {
        let mut connection = schema::open(path, key)?;
        let number = Number::open(&mut connection, path, kept, restored)?;
        let reached = number.reached();
        let reading = schema::reader(path)?;
        let (writer, writes) = mpsc::channel(QUEUE);
        let (reader, reads) = mpsc::channel(QUEUE);
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
        };
        spawn("wa-store write", Box::new(move || writer::write(connection, number, writes)))?;
        spawn("wa-store read", Box::new(move || writer::read(reading, reads)))?;
        let inner = Inner { path: path.to_owned(), key: key.clone(), number: reached, writer, reader };
        Ok(Self(Arc::new(inner)))
    }

    /// One account's rows, this handle's from now on: an older handle, here or in another process, finds
    /// [`StoreError::Fenced`].
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn account(&self, id: &AccountId) -> Result<AccountStore, OpenError> {
        let take = || -> Result<i64, Failed> {
            let mut connection = schema::connect(&self.0.path)?;
            let transaction = lease::begin(&mut connection)?;
            let epoch = lease::next_epoch(&transaction, id.0.as_bytes())?;
            transaction.commit()?;
            Ok(epoch)
        };
        Ok(self.held(id, take()?))
    }

    /// A handle of an epoch that was taken.
    pub(crate) fn held(&self, id: &AccountId, epoch: i64) -> AccountStore {
        let account = id.0.as_bytes();
        let sealer = Sealer::new(&self.0.key, account);
        AccountStore { store: self.clone(), account: account.to_vec(), epoch, sealer }
    }

    /// Another connection to the file.
    pub(crate) fn connect(&self) -> Result<rusqlite::Connection, Failed> {
        schema::connect(&self.0.path)
    }

    /// Lets the file grow to so many bytes and no further: beyond them transactions fail with [`StoreError::Full`] and
    /// change nothing, as on a full disk.
    ///
    /// # Errors
    /// The store has ended.
    pub async fn limit_size(&self, bytes: u64) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Limit { bytes, reply };
        self.0.writer.send(request).await.map_err(|_| StoreError::Unavailable)?;
        answer.await.map_err(|_| StoreError::Unavailable)?
    }

    /// Ends the store and lets go of its files; what is under way is done first. Other handles find
    /// [`StoreError::Unavailable`]. Without it the files are let go a little after the last handle is dropped.
    pub async fn close(self) {
        for thread in [&self.0.reader, &self.0.writer] {
            let (reply, ended) = oneshot::channel();
            if thread.send(Request::End { reply }).await.is_ok() {
                // An error means that the thread has ended already.
                let _ = ended.await;
            }
        }
    }

    /// The accounts that were ever opened here.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn accounts(&self) -> Result<Vec<AccountId>, OpenError> {
        Ok(self.read_accounts()?)
    }

    fn read_accounts(&self) -> Result<Vec<AccountId>, Failed> {
        let connection = schema::reader(&self.0.path)?;
        let mut select = connection.prepare("SELECT id FROM accounts ORDER BY id")?;
        let ids = select.query_map([], |row| row.get::<_, Vec<u8>>(0))?.collect::<Result<Vec<_>, _>>()?;
        let id = |bytes| String::from_utf8(bytes).map(AccountId).map_err(|_| OpenError::Corrupt.into());
        ids.into_iter().map(id).collect()
    }
}

/// One account of a [`SqliteStore`]: what a client is given.
#[derive(Clone, Debug)]
pub struct AccountStore {
    store: SqliteStore,
    account: Vec<u8>,
    epoch: i64,
    sealer: Sealer,
}

impl AccountStore {
    fn job(
        &self,
        transaction: &Transaction,
    ) -> (Job, oneshot::Receiver<Result<writer::SealedRows, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        let write = |Write { key, value, expires }: &Write| SealedWrite {
            key: key.as_bytes().to_vec(),
            value: value.as_ref().map(|value| self.sealer.seal(key.as_bytes(), value.as_bytes())),
            expires: expires.and_then(|date| i64::try_from(date).ok()),
        };
        let range = |read: &Read| match read {
            Read::One(key) => Range::One(key.as_bytes().to_vec()),
            Read::Page { from, to, limit, bytes } => Range::Page {
                from: from.as_bytes().to_vec(),
                to: to.as_bytes().to_vec(),
                limit: *limit,
                bytes: *bytes,
            },
        };
        let job = Job {
            account: self.account.clone(),
            epoch: self.epoch,
            erase: transaction.erase,
            sweep: transaction.sweep.map(|date| i64::try_from(date).unwrap_or(i64::MAX)),
            writes: transaction.writes.iter().map(write).collect(),
            reads: transaction.reads.iter().map(range).collect(),
            reply,
        };
        (job, answer)
    }
}

impl Store for AccountStore {
    async fn run(&self, transaction: &Transaction) -> Result<Rows, StoreError> {
        let (job, answer) = self.job(transaction);
        let reads_only = !job.erase && job.writes.is_empty() && job.sweep.is_none();
        let thread = if reads_only { &self.store.0.reader } else { &self.store.0.writer };
        thread.send(Request::Run(job)).await.map_err(|_| StoreError::Unavailable)?;
        let sealed = answer.await.map_err(|_| StoreError::Unavailable)??;
        let open = |(key, value): (Vec<u8>, Vec<u8>)| {
            let value = self.sealer.open(&key, &value)?;
            Ok((Key::from_bytes(&key), value))
        };
        Ok(Rows(sealed.0.into_iter().map(open).collect::<Result<_, StoreError>>()?))
    }
}
