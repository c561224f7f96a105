//! Where wake-ups go: the service's backend by HTTP, a stream of NATS, or a channel in this process (overview §3.2.1).

mod channel;
#[cfg(feature = "nats")]
mod nats;
mod webhook;

use std::future::Future;
use std::pin::Pin;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::push::{SinkError, WakeUp};

pub use channel::ChannelSink;
#[cfg(feature = "nats")]
pub use nats::NatsSink;
pub use webhook::{Webhook, WebhookFormat};

/// Takes wake-ups and brings them nearer to the user's client.
///
/// A wake-up may come more than once; the second must do no harm.
pub trait PushSink: Send + Sync + 'static {
    /// The name under which wake-ups for it are stored; stable between starts.
    fn name(&self) -> &str;

    /// Takes a wake-up; when this returns `Ok` it is forgotten here.
    ///
    /// # Errors
    /// [`SinkError`]: it is tried again later.
    fn deliver<'a>(&'a self, wake_up: &'a WakeUp) -> Delivery<'a>;
}

/// A delivery under way.
#[must_use = "does nothing unless awaited"]
pub struct Delivery<'a>(Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + 'a>>);

impl<'a> Delivery<'a> {
    /// The delivery that this future is.
    pub fn new(delivering: impl Future<Output = Result<(), SinkError>> + Send + 'a) -> Self {
        Self(Box::pin(delivering))
    }
}

impl Future for Delivery<'_> {
    type Output = Result<(), SinkError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl std::fmt::Debug for Delivery<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Delivery")
    }
}

/// The body of a call, its members in the order in which they are written.
#[derive(Serialize)]
struct Call<'a> {
    to: &'a str,
    count: u64,
    received_at: u64,
}

impl<'a> From<&'a WakeUp> for Call<'a> {
    fn from(wake_up: &'a WakeUp) -> Self {
        Self { to: wake_up.user.as_str(), count: wake_up.count, received_at: wake_up.received_at }
    }
}

impl Call<'_> {
    #[expect(clippy::expect_used, reason = "a struct of texts and whole numbers always serializes")]
    fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers")
    }
}

/// Names the wake-up without telling whose it is: the same for each try to deliver it, another once it was pushed again.
fn delivery_id(wake_up: &WakeUp) -> String {
    let WakeUp { id, user, count, received_at, .. } = wake_up;
    let named = format!("{id}\n{}\n{count}\n{received_at}", user.as_str());
    hex::encode(Sha256::digest(named))
}
