//! What an application takes from a client: events, and why there are no more.

use tokio::sync::{mpsc, watch};
use wa_chat::{Event, StateError, StoreError};

/// What a client tells the application, in order. Where it is dropped events with an id stay in the store until the account
/// is opened again, and the others are lost.
#[derive(Debug)]
pub struct Events {
    pub(crate) events: mpsc::Receiver<Box<Event>>,
    pub(crate) ended: watch::Receiver<Option<Ended>>,
}

impl Events {
    /// The next event. Cancelling loses nothing.
    ///
    /// # Errors
    /// Why there will be none any more.
    pub async fn next(&mut self) -> Result<Event, Ended> {
        match self.events.recv().await {
            Some(event) => Ok(*event),
            None => Err(ended(&self.ended)),
        }
    }
}

/// Why a client has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ended {
    /// By [`Client::close`](crate::Client::close), or with the last handle.
    #[error("the client was closed")]
    Closed,
    /// The account was opened somewhere else, which has it now. Nothing of this client became durable since.
    #[error("another process owns this account")]
    Fenced,
    /// The account was deleted, here and at WhatsApp.
    #[error("the account was deleted")]
    Deleted,
    /// A row without which the client cannot go on cannot be read.
    #[error("the store cannot be read: {0}")]
    Corrupt(StateError),
    /// The store failed for good.
    #[error("the store failed: {0}")]
    Store(StoreError),
    /// Its task is gone without a word: a fault of this crate, or the end of the runtime.
    #[error("the client's task is gone")]
    Lost,
}

/// How far a mailbox was emptied in the time that there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Nothing waits at the server, all that came is confirmed, and the server has heard so.
    Empty,
    /// There was not enough time, or no connection.
    TimeUp,
}

/// Why a client has ended, as its task said before it let go of anything.
pub(crate) fn ended(told: &watch::Receiver<Option<Ended>>) -> Ended {
    told.borrow().unwrap_or(Ended::Lost)
}
