//! What takes long: objects that can be cancelled, since no language's own cancellation crosses the border.

use std::sync::Arc;

use tokio::sync::watch;
use wa_interop::{Drained, TokenSource};

use crate::error::WaError;

/// Where tokens and credentials come from: the service's own server, asked anew each time. The platform implements it.
#[uniffi::export(with_foreign)]
#[async_trait::async_trait]
pub trait Tokens: Send + Sync {
    /// One that has not been used yet.
    async fn fetch(&self) -> Result<String, NoToken>;
}

/// Why there is no token.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum NoToken {
    /// There is none now; it is asked for again later.
    #[error("no token to be had")]
    Later,
    /// There will be none: the user has left, or must log in anew.
    #[error("no token is to be had any more")]
    Never,
}

/// An undeclared exception: it may be better later.
impl From<uniffi::UnexpectedUniFFICallbackError> for NoToken {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Later
    }
}

impl From<NoToken> for wa_interop::NoToken {
    fn from(why: NoToken) -> Self {
        match why {
            NoToken::Later => Self::Later,
            NoToken::Never => Self::Never,
        }
    }
}

pub(crate) struct Source(pub(crate) Arc<dyn Tokens>);

impl TokenSource for Source {
    async fn token(&mut self) -> Result<String, wa_interop::NoToken> {
        self.0.fetch().await.map_err(Into::into)
    }
}

/// How far a mailbox was emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Mailbox {
    /// Nothing waits at the server, all that came is confirmed, and the server has heard so.
    Empty,
    /// There was not enough time, no connection, or it was cancelled.
    TimeUp,
}

/// What ends calls that take long, where the language's own cancellation does not: those that it was given to, and those that
/// it is given to later. In Kotlin and Python a cancelled coroutine or task ends its call without it.
#[derive(Debug, Default, uniffi::Object)]
pub struct Canceller(watch::Sender<bool>);

/// A client that is kept connected.
#[derive(Debug, uniffi::Object)]
pub struct Staying(Run<Result<(), WaError>>);

/// A mailbox that is being emptied.
#[derive(Debug, uniffi::Object)]
pub struct Draining(Run<Result<Mailbox, WaError>>);

/// Something under way: what it came to, and what ends it.
#[derive(Debug)]
struct Run<T> {
    outcome: watch::Receiver<Option<T>>,
    cancel: watch::Sender<bool>,
}

impl<T: Clone + Send + Sync + 'static> Run<T> {
    /// Runs it on the runtime; where it is cancelled it comes to `cancelled`.
    fn start(work: impl Future<Output = T> + Send + 'static, cancelled: T) -> Self {
        let (told, outcome) = watch::channel(None);
        let (cancel, mut cancels) = watch::channel(false);
        tokio::spawn(async move {
            let done = tokio::select! {
                done = work => done,
                // Dropped with the object: cancelled as well.
                _ = cancels.wait_for(|is_cancelled| *is_cancelled) => cancelled,
            };
            told.send_replace(Some(done));
        });
        Self { outcome, cancel }
    }

    /// None if the runtime has ended.
    async fn wait(&self) -> Option<T> {
        self.outcome.clone().wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl Staying {
    pub(crate) fn start(
        staying: impl Future<Output = wa_interop::ClientError> + Send + 'static,
    ) -> Arc<Self> {
        Arc::new(Self(Run::start(async move { Err(staying.await.into()) }, Ok(()))))
    }
}

impl Draining {
    pub(crate) fn start(
        draining: impl Future<Output = Result<Drained, wa_interop::ClientError>> + Send + 'static,
    ) -> Arc<Self> {
        let work = async move {
            match draining.await {
                Ok(Drained::Empty) => Ok(Mailbox::Empty),
                Ok(_) => Ok(Mailbox::TimeUp),
                Err(error) => Err(error.into()),
            }
        };
        Arc::new(Self(Run::start(work, Ok(Mailbox::TimeUp))))
    }
}

/// Does the work unless it is cancelled before: it is dropped then.
pub(crate) async fn unless<T>(
    canceller: Option<Arc<Canceller>>,
    work: impl Future<Output = Result<T, WaError>>,
) -> Result<T, WaError> {
    let Some(canceller) = canceller else { return work.await };
    let mut cancels = canceller.0.subscribe();
    tokio::select! {
        biased;
        done = work => done,
        _ = cancels.wait_for(|is_cancelled| *is_cancelled) => Err(WaError::Cancelled),
    }
}

#[uniffi::export]
impl Canceller {
    /// One that has not been used.
    #[uniffi::constructor]
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Ends the calls; each throws `Cancelled`.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

fn lost() -> WaError {
    WaError::Ended { why: "the runtime has ended".to_owned() }
}

#[uniffi::export(async_runtime = "tokio")]
impl Staying {
    /// Waits for the end: it ends when it is cancelled, or when trying again cannot help.
    ///
    /// # Errors
    /// Why that cannot help; none where it was cancelled.
    pub async fn ended(&self) -> Result<(), WaError> {
        self.0.wait().await.unwrap_or_else(|| Err(lost()))
    }

    /// Ends the attempts; a connection that stands stays.
    pub fn cancel(&self) {
        self.0.cancel.send_replace(true);
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl Draining {
    /// Waits until the mailbox is empty, or there is no time left.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn wait(&self) -> Result<Mailbox, WaError> {
        self.0.wait().await.unwrap_or_else(|| Err(lost()))
    }

    /// Waits no longer; nothing is changed by it.
    pub fn cancel(&self) {
        self.0.cancel.send_replace(true);
    }
}
