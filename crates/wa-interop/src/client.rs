//! The client as an application holds it: commands in, events out (seed §2, §3).

use std::io;

use tokio::sync::{mpsc, oneshot};
use wa_binary::Jid;
use wa_chat::{
    AccountKeys, Command, ConnectError, Content, DisconnectReason, Event, EventId, MessageId, StateError,
    Store, StoreError,
};
use wa_noise::TrustRoot;
use wa_profile::Profile;

use crate::driver::{Connector, Driver};

/// Commands that wait for the client.
const MAX_COMMANDS: usize = 64;

/// A running client: one account, one task. Dropping it ends the task; the store keeps everything.
#[derive(Debug)]
pub struct Client {
    requests: mpsc::Sender<Request>,
    events: mpsc::Receiver<Event>,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The store failed for good. The client is gone; what was durable still is.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The account is not ready to connect.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There is no way to the server.
    #[error("could not connect: {0}")]
    Unreachable(io::ErrorKind),
    /// The connection ended before the login stood.
    #[error(transparent)]
    Disconnected(#[from] DisconnectReason),
    /// The client has ended.
    #[error("client has ended")]
    Ended,
}

/// What a client asks of its task.
#[derive(Debug)]
pub(crate) enum Request {
    Connect { token: String, done: oneshot::Sender<Result<(), ClientError>> },
    Command { command: Command, done: oneshot::Sender<()> },
    Shutdown { done: oneshot::Sender<()> },
}

impl Client {
    /// Makes an account in a store, durably. Do this before enlisting its keys.
    ///
    /// # Errors
    /// The store has an account already, or fails.
    pub async fn create(store: &impl Store, keys: &AccountKeys) -> Result<(), ClientError> {
        let found = store.run(&wa_chat::Client::find()).await?;
        if !found.0.is_empty() {
            return Err(StateError::AccountExists.into());
        }
        store.run(&wa_chat::Client::create(keys)).await?;
        Ok(())
    }

    /// Opens the account of a store. `root` is what the server's certificates must come from.
    ///
    /// # Errors
    /// There is no account in the store, or it cannot be read.
    pub async fn open<S: Store + 'static, C: Connector>(
        store: S,
        connector: C,
        profile: Profile,
        root: TrustRoot,
    ) -> Result<Self, ClientError> {
        let mut driver = Driver::new(store, connector, wa_chat::Client::open(profile, root));
        driver.load().await?;
        let (requests, inbox) = mpsc::channel(MAX_COMMANDS);
        let (outbox, events) = mpsc::channel(1);
        tokio::spawn(async move { driver.run(inbox, outbox).await });
        Ok(Self { requests, events })
    }

    /// Keeps the login that WhatsApp assigned; returns when it is durable.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn enlisted(&self, login: Jid) -> Result<(), ClientError> {
        self.command(Command::Enlisted(login)).await
    }

    /// Connects and logs in with a fresh token; returns when the login stands.
    ///
    /// # Errors
    /// Why it does not stand; [`DisconnectReason::is_terminal`] tells whether trying again makes sense.
    pub async fn connect(&self, token: impl Into<String>) -> Result<(), ClientError> {
        let (done, waiting) = oneshot::channel();
        let request = Request::Connect { token: token.into(), done };
        self.requests.send(request).await.map_err(|_| ClientError::Ended)?;
        waiting.await.map_err(|_| ClientError::Ended)?
    }

    /// Sends content; returns when it is durable, so that it will arrive whatever happens here.
    ///
    /// The same id again is the same message and does nothing. Connected or not makes no difference.
    ///
    /// # Errors
    /// The client has ended; whether the message is durable shows when it is sent again.
    pub async fn send(&self, to: Jid, id: MessageId, content: Content) -> Result<(), ClientError> {
        self.command(Command::Send { to, id, content }).await
    }

    /// Says that an event was dealt with; returns when it is durable that it will not come again.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn confirm(&self, event: EventId) -> Result<(), ClientError> {
        self.command(Command::Confirm(event)).await
    }

    /// The next event; none once the client has ended. Cancelling loses nothing.
    pub async fn next_event(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Ends the client after the transaction that is under way.
    pub async fn shutdown(self) {
        let (done, waiting) = oneshot::channel();
        if self.requests.send(Request::Shutdown { done }).await.is_ok() {
            // An error means that the task has ended already.
            let _ = waiting.await;
        }
    }

    async fn command(&self, command: Command) -> Result<(), ClientError> {
        let (done, waiting) = oneshot::channel();
        let request = Request::Command { command, done };
        self.requests.send(request).await.map_err(|_| ClientError::Ended)?;
        waiting.await.map_err(|_| ClientError::Ended)
    }
}
