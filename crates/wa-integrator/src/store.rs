//! What the server must not forget: signing keys, users, and wake-ups on their way (seed §1.3, §3.2.2).
//!
//! [`Store`] is the contract, the same for every database and shown by one suite of tests: what a method has
//! answered is synced to the disk, a wake-up stays until it is settled, and two servers that change the keys
//! at the same time do not overwrite each other. [`MemoryStore`] keeps it for tests, [`SqliteStore`] for one
//! machine, `PostgresStore` for many.

mod built_in;
mod memory;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod sqlite;

use std::{future::Future, sync::Arc};

use zeroize::Zeroizing;

use crate::{KeyEntry, StoreError, UserIdentifier};

pub use built_in::BuiltInStore;
pub use memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use postgres::{Imported, PostgresAddress, PostgresStore};
pub use sqlite::SqliteStore;

/// Where the server keeps its state. Times are Unix seconds.
pub trait Store: Send + Sync + 'static {
    /// The signing keys; generation 0 without keys before anything was written.
    ///
    /// # Errors
    /// [`StoreError`].
    fn keys(&self) -> impl Future<Output = Result<KeyTable, StoreError>> + Send;

    /// Replaces all keys, if the stored table's generation is the one before this table's.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else was first; nothing is changed then.
    fn replace_keys(&self, table: KeyTable) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes that this is one of our users.
    ///
    /// # Errors
    /// [`StoreError`].
    fn remember_user(
        &self,
        user: UserIdentifier,
        now: u64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Forgets a user and every wake-up for them; whether they were known.
    ///
    /// # Errors
    /// [`StoreError`].
    fn forget_user(&self, user: UserIdentifier) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Puts a wake-up into the outbox, one for each sink; it is on the disk when this returns.
    ///
    /// A wake-up that waits already is not doubled: its count goes up, so that one that is being delivered at
    /// this moment is delivered once more.
    ///
    /// # Errors
    /// [`StoreError`]; whether it was stored is then not known.
    fn put_wake_up(&self, wake_up: NewWakeUp) -> impl Future<Output = Result<Put, StoreError>> + Send;

    /// The wake-ups for a sink that are due at `now`, the longest due first. Asking changes nothing for who asked;
    /// other servers on the same store are not given them for a while.
    ///
    /// # Errors
    /// [`StoreError`].
    fn due_wake_ups(
        &self,
        sink: &str,
        now: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<WakeUp>, StoreError>> + Send;

    /// Says how the delivery of a wake-up ended. A wake-up whose count has gone up meanwhile stays and is due at
    /// once, whatever the outcome.
    ///
    /// # Errors
    /// [`StoreError`].
    fn settle(
        &self,
        wake_up: WakeUp,
        outcome: Outcome,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Drops wake-ups whose mailbox time is over and dead letters older than `dead_before`; how many.
    ///
    /// # Errors
    /// [`StoreError`].
    fn sweep(&self, now: u64, dead_before: u64) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// How much waits.
    ///
    /// # Errors
    /// [`StoreError`].
    fn counts(&self) -> impl Future<Output = Result<Counts, StoreError>> + Send;

    /// When the first wake-up for a sink is due, if one waits.
    ///
    /// # Errors
    /// [`StoreError`].
    fn next_due(&self, sink: &str) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send {
        let _ = sink;
        async { self.counts().await.map(|counts| counts.next_due) }
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// [`StoreError`].
    fn check(&self) -> impl Future<Output = Result<(), StoreError>> + Send {
        async { self.keys().await.map(drop) }
    }

    /// Ready when another server says that it has changed the keys; never, where none can say so.
    fn keys_changed(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Ready when another server says that there are wake-ups; never, where none can say so.
    fn woken(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// All signing keys and the version of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyTable {
    /// Goes up by one with each replacement.
    pub generation: u64,
    /// When they were changed last.
    pub seen_at: u64,
    /// In the order in which they were published.
    pub keys: Vec<StoredKey>,
}

/// A signing key as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// What the keyring knows of it.
    pub entry: KeyEntry,
    /// The private half, in the clear (PKCS#8 in PEM) or sealed with a master key; none once it signs no more.
    pub private: Option<Zeroizing<Vec<u8>>>,
}

/// A wake-up that was just received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWakeUp {
    /// Whom to wake.
    pub user: UserIdentifier,
    /// The names of the sinks it goes to.
    pub sinks: Arc<[String]>,
    /// When it was received.
    pub received_at: u64,
    /// When it is no longer worth delivering: WhatsApp has dropped the message from its mailbox.
    pub expires_at: u64,
    /// Whether it is stored also for somebody who was never [remembered](Store::remember_user).
    pub for_strangers: bool,
}

/// What became of a [`NewWakeUp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Put {
    /// Whether the user is one of ours.
    pub known: bool,
}

/// A wake-up for one sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WakeUp {
    /// The sink's name.
    pub sink: String,
    /// Whom to wake.
    pub user: UserIdentifier,
    /// How many pushes have been folded into it.
    pub count: u64,
    /// When the latest of them was received.
    pub received_at: u64,
    /// How many deliveries have failed.
    pub attempts: u32,
    /// When it is dropped.
    pub expires_at: u64,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The sink has it.
    Delivered,
    /// It failed; again at this time.
    Retry {
        /// When.
        at: u64,
    },
    /// It will never succeed: moved to the dead letters.
    Dead {
        /// When that was found.
        at: u64,
    },
}

/// How much the store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Wake-ups that wait for their sink.
    pub waiting: u64,
    /// When the first of them is due.
    pub next_due: Option<u64>,
    /// Wake-ups that no sink took.
    pub dead: u64,
    /// Known users.
    pub users: u64,
}

impl<S: Store> Store for Arc<S> {
    fn keys(&self) -> impl Future<Output = Result<KeyTable, StoreError>> + Send {
        S::keys(self)
    }

    fn replace_keys(&self, table: KeyTable) -> impl Future<Output = Result<(), StoreError>> + Send {
        S::replace_keys(self, table)
    }

    fn remember_user(
        &self,
        user: UserIdentifier,
        now: u64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        S::remember_user(self, user, now)
    }

    fn forget_user(&self, user: UserIdentifier) -> impl Future<Output = Result<bool, StoreError>> + Send {
        S::forget_user(self, user)
    }

    fn put_wake_up(&self, wake_up: NewWakeUp) -> impl Future<Output = Result<Put, StoreError>> + Send {
        S::put_wake_up(self, wake_up)
    }

    fn due_wake_ups(
        &self,
        sink: &str,
        now: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<WakeUp>, StoreError>> + Send {
        S::due_wake_ups(self, sink, now, limit)
    }

    fn settle(
        &self,
        wake_up: WakeUp,
        outcome: Outcome,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        S::settle(self, wake_up, outcome)
    }

    fn sweep(&self, now: u64, dead_before: u64) -> impl Future<Output = Result<u64, StoreError>> + Send {
        S::sweep(self, now, dead_before)
    }

    fn counts(&self) -> impl Future<Output = Result<Counts, StoreError>> + Send {
        S::counts(self)
    }

    fn next_due(&self, sink: &str) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send {
        S::next_due(self, sink)
    }

    fn check(&self) -> impl Future<Output = Result<(), StoreError>> + Send {
        S::check(self)
    }

    fn keys_changed(&self) -> impl Future<Output = ()> + Send {
        S::keys_changed(self)
    }

    fn woken(&self) -> impl Future<Output = ()> + Send {
        S::woken(self)
    }
}

impl std::fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let private = if self.private.is_some() { "…" } else { "none" };
        f.debug_struct("StoredKey").field("entry", &self.entry).field("private", &private).finish()
    }
}

/// A private key that came out of a database, wiped when dropped.
fn secret(bytes: Vec<u8>) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes)
}
