//! Wake-ups for code in this process.

use tokio::sync::mpsc;

use crate::push::{Delivery, PushSink, SinkError, WakeUp};

/// Hands wake-ups to a receiver in this process. Waits while the channel is full.
#[derive(Debug)]
pub struct ChannelSink {
    name: String,
    sender: mpsc::Sender<WakeUp>,
}

impl ChannelSink {
    /// The sink of this name and the end that receives; `capacity` wake-ups, at least one, may wait in between.
    ///
    /// What waits in the channel when the process ends is lost: the receiver stores what must be kept.
    #[must_use]
    pub fn new(name: &str, capacity: usize) -> (Self, mpsc::Receiver<WakeUp>) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        (Self { name: name.to_owned(), sender }, receiver)
    }
}

impl PushSink for ChannelSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver<'a>(&'a self, wake_up: &'a WakeUp) -> Delivery<'a> {
        Delivery::new(async { self.sender.send(wake_up.clone()).await.map_err(|_| SinkError::Closed) })
    }
}
