//! Where wake-ups are kept until they are delivered: the contract, the same for every database and shown by one suite of
//! tests.

use std::sync::Arc;

use async_trait::async_trait;

use crate::value::{StoreError, UserIdentifier};

/// Keeps wake-ups on their way. Times are Unix seconds.
///
/// What a method has answered is synced to the disk, and a wake-up stays until it is settled.
#[async_trait]
pub trait OutboxStore: Send + Sync + 'static {
    /// Puts a wake-up into the outbox, one for each sink; it is on the disk when this returns.
    ///
    /// A wake-up that waits already is not doubled: its count goes up and it is due by `due_at`, so that one that is being
    /// delivered at this moment is delivered once more.
    ///
    /// # Errors
    /// [`StoreError`]; whether it was stored is then not known.
    async fn put_wake_up(&self, wake_up: NewWakeUp) -> Result<Put, StoreError>;

    /// The wake-ups for a sink that are due at `now`, the longest due first. Asking changes nothing for who asked;
    /// other servers on the same store are not given them for a while.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn due_wake_ups(&self, sink: &str, now: u64, limit: usize) -> Result<Vec<WakeUp>, StoreError>;

    /// Says how the delivery of a wake-up ended. A wake-up that was pushed again meanwhile stays and is due at once,
    /// whatever the outcome; one that was settled by somebody else meanwhile is not touched, and neither is one that was
    /// put since then.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn settle(&self, wake_up: WakeUp, outcome: Outcome) -> Result<(), StoreError>;

    /// Drops wake-ups whose mailbox time is over and dead letters older than `dead_before`; how many.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn sweep(&self, now: u64, dead_before: u64) -> Result<u64, StoreError>;

    /// How much waits. Large numbers are estimates: measuring must not cost more the more there is.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn counts(&self) -> Result<Counts, StoreError>;

    /// When the first wake-up for a sink is due, if one waits.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn next_due(&self, sink: &str) -> Result<Option<u64>, StoreError>;

    /// Wake-ups that no sink took, the latest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn dead_letters(&self, of: Selection, limit: usize) -> Result<Vec<DeadLetter>, StoreError>;

    /// Puts dead letters into the outbox again, due at `now` and kept until `expires_at`; how many.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn revive(&self, of: Selection, now: u64, expires_at: u64) -> Result<u64, StoreError>;

    /// Drops dead letters, and with `waiting` also wake-ups that wait; how many.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn drop_wake_ups(&self, of: Selection, waiting: bool) -> Result<u64, StoreError>;

    /// Ready when another server says that there are wake-ups; never, where none can say so.
    async fn woken(&self) {
        std::future::pending().await
    }
}

/// A wake-up that was just received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWakeUp {
    /// Whom to wake.
    pub user: UserIdentifier,
    /// The names of the sinks it goes to.
    pub sinks: Arc<[String]>,
    /// When it was received.
    pub received_at: u64,
    /// From when on it may be delivered; one that waits already is due no later than this.
    pub due_at: u64,
    /// When it is no longer worth delivering: WhatsApp has dropped the message from its mailbox.
    pub expires_at: u64,
    /// Whether it is stored also for somebody who never got a token.
    pub for_strangers: bool,
}

/// What became of a [`NewWakeUp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put {
    /// Whether the user is one of ours.
    pub known: bool,
}

/// A wake-up for one sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WakeUp {
    /// Its number in the store: another one is another wake-up, also for the same user.
    pub id: i64,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The sink has it.
    Delivered,
    /// It failed; again at this time.
    Retry {
        /// The Unix second of the next attempt.
        at: u64,
    },
    /// It will never succeed: moved to the dead letters.
    Dead {
        /// When that was found.
        at: u64,
    },
}

/// How much the store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Wake-ups that wait for their sink.
    pub waiting: u64,
    /// When the first of them is due.
    pub next_due: Option<u64>,
    /// Wake-ups that no sink took.
    pub dead: u64,
    /// The number of known users.
    pub users: u64,
}

/// A wake-up that no sink took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The sink's name.
    pub sink: String,
    /// Whom it should have woken.
    pub user: UserIdentifier,
    /// How many pushes had been folded into it.
    pub count: u64,
    /// When the latest of them was received.
    pub received_at: u64,
    /// How many deliveries failed.
    pub attempts: u32,
    /// When it was given up.
    pub died_at: u64,
}

/// Some of the wake-ups: all that are for this sink and for this user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// For this sink only.
    pub sink: Option<String>,
    /// For this user only.
    pub user: Option<UserIdentifier>,
}
