//! WhatsApp's wake-ups: taken, kept, and brought to the service's own backend (overview §3.2.1, §3.2.2).

mod error;
mod outbox;
mod receive;
mod request;
mod sink;
mod store;

pub use error::{PushRequestError, SinkError};
pub use outbox::{DeliveryRules, Outbox};
pub use receive::{Push, PushRules, Strangers};
pub use request::PushRequest;
#[cfg(feature = "nats")]
pub use sink::NatsSink;
pub use sink::{ChannelSink, Delivery, PushSink, Webhook, WebhookFormat};
pub use store::{Counts, DeadLetter, NewWakeUp, OutboxStore, Outcome, Put, Selection, WakeUp};
