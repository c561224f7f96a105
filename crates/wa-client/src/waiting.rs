//! What an application does that a push has woken: take what waits, and leave.

use tokio::time::{Instant, timeout_at};
use wa_chat::Event;

use crate::client::Client;
use crate::error::ClientError;
use crate::events::{Drained, Events};

impl Client {
    /// Connects with a fresh token, gives every event to `keep` and confirms it, until the mailbox is empty and the server
    /// has heard so, or it is `until`; and disconnects. An event is confirmed when `keep` has returned: what is to outlive
    /// the process must be durable by then.
    ///
    /// Cancel safety: what was given to `keep` and not confirmed comes again. The attempt to connect ends with the call; a
    /// login that stands stays.
    ///
    /// # Errors
    /// The connection failed, or the client has ended. What waits still waits.
    pub async fn take_waiting(
        &self,
        events: &mut Events,
        token: impl Into<String>,
        until: Instant,
        mut keep: impl FnMut(&Event),
    ) -> Result<Drained, ClientError> {
        let taking = async {
            loop {
                let event = events.next().await?;
                keep(&event);
                self.confirm_through(&event).await?;
            }
        };
        let drained = tokio::select! {
            ended = taking => ended,
            drained = self.connect_and_drain(token.into(), until) => drained,
        };
        self.disconnect().await?;
        drained
    }

    async fn connect_and_drain(&self, token: String, until: Instant) -> Result<Drained, ClientError> {
        match timeout_at(until, self.connect(token)).await {
            Ok(connected) => connected?,
            Err(_) => return Ok(Drained::TimeUp),
        }
        self.drain(until).await
    }
}
