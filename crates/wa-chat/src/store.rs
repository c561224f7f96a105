//! The store contract: one method that writes atomically and durably, then reads.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::key::{Key, Table};

/// A row's content: a versioned record, secret.
#[derive(Clone)]
pub struct Value(Zeroizing<Vec<u8>>);

impl Value {
    /// A value from bytes that a store has kept.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for a store to keep (encrypted, where others may read its files).
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl ConstantTimeEq for Value {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.as_bytes().ct_eq(other.as_bytes())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(..)")
    }
}

/// One row written: its new content, or nothing to delete it. Absolute, so writing twice is writing once.
#[derive(Clone, Debug)]
pub struct Write {
    /// The name of the row.
    pub key: Key,
    /// Its content from now on.
    pub value: Option<Value>,
    /// From this date (Unix seconds) the row may vanish by itself, once a [`sweep`](Transaction::sweep) goes beyond it;
    /// nothing goes wrong if it never does.
    pub expires: Option<u64>,
}

/// Rows asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The row of this name, if there is one.
    One(Key),
    /// The first rows of a range, in order.
    Page {
        /// The range begins here.
        from: Key,
        /// The range ends before this.
        to: Key,
        /// At most so many rows.
        limit: u16,
        /// The page may end with the row with which its values have so many bytes together; the first row is always there.
        bytes: usize,
    },
}

/// All writes at once and durably (fsynced), then the reads, which see the writes.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// First, every row of the account goes: the user has deleted it.
    pub erase: bool,
    /// What to write.
    pub writes: Vec<Write>,
    /// What to read afterwards.
    pub reads: Vec<Read>,
    /// From now on, rows of the account that expire before this date (Unix seconds) may vanish: at once or little by
    /// little. No other date counts, least of all the store's own clock's: this one is vouched for by the server's too.
    pub sweep: Option<u64>,
}

/// The transaction that reads the rows of one table (the first 65,535), to look at a store from outside.
pub fn rows_of(table: Table) -> Transaction {
    let (from, to) = (Key::start_of(table), Key::end_of(table));
    let read = Read::Page { from, to, limit: u16::MAX, bytes: usize::MAX };
    Transaction { reads: vec![read], ..Transaction::default() }
}

/// The rows that a transaction's reads found. Absent rows are not here; where reads overlap, a row may be here twice.
#[derive(Clone, Debug, Default)]
pub struct Rows(pub Vec<(Key, Value)>);

/// The rows of one account, owned by one process at a time.
pub trait Store: Send + Sync {
    /// Runs a transaction: returns once its writes are durable. On error none of them is.
    fn run(&self, transaction: &Transaction) -> impl Future<Output = Result<Rows, StoreError>> + Send;
}

impl<S: Store> Store for std::sync::Arc<S> {
    fn run(&self, transaction: &Transaction) -> impl Future<Output = Result<Rows, StoreError>> + Send {
        S::run(self, transaction)
    }
}

/// Why a transaction was not run. The fault is the world's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Others are writing: run the same transaction again.
    #[error("store is busy")]
    Busy,
    /// No room: run the same transaction again when there is.
    #[error("store is full")]
    Full,
    /// The store cannot be reached: run the same transaction again when it can.
    #[error("store is unavailable")]
    Unavailable,
    /// What is stored cannot be read. Drop the client; never start anew over it.
    #[error("store is corrupt")]
    Corrupt,
    /// Another process has taken the account over. Drop the client.
    #[error("another process owns this account")]
    Fenced,
}

impl StoreError {
    /// Whether the same transaction may be run again.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Busy | Self::Full | Self::Unavailable)
    }
}

/// Rows with which a client cannot go on. Drop it; its store is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// There is no account in this store: only [`Client::create`](crate::Client::create) makes one.
    #[error("no account in this store")]
    NoAccount,
    /// There is an account already; it is not written over.
    #[error("this store has an account already")]
    AccountExists,
    /// A row cannot be read. The store's fault; corrupt is never taken for absent.
    #[error("a row of {} is corrupt", .0.map_or("an unknown table".to_owned(), |table| format!("table {table:?}")))]
    Corrupt(Option<Table>),
    /// [`Client::handle_committed`](crate::Client::handle_committed) was called without a transaction under way.
    #[error("no transaction is under way")]
    NoTransaction,
}
