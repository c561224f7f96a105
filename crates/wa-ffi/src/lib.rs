#![doc = include_str!("../README.md")]
//!
//! # In detail
//! End-to-end encryption ends on the device, so the client runs there. What crosses the border is coarse: a message is one
//! call, bytes are bytes, addresses are text, errors are exceptions with words. The event loop is `next_event` and
//! `confirm_through`; what takes long has a time, gives an object with `cancel`, or takes a [`Canceller`]. The platform may bring
//! HTTP ([`Http`]), so that no TLS stack is linked.
//!
//! This is the one crate that may say `unsafe`, and it does not: UniFFI's scaffolding does.

mod client;
#[cfg(feature = "codec")]
mod codec;
mod content;
mod error;
mod event;
#[cfg(feature = "media")]
mod files;
mod http;
mod store;
mod tasks;

pub use crate::client::{Client, Options, Safety, open_client};
#[cfg(feature = "codec")]
pub use crate::codec::{decode_stanza, encode_stanza};
pub use crate::content::{Content, Kind, Media, Reply};
pub use crate::error::{Cause, WaError};
pub use crate::event::{AddedDevice, Event, Happened, Status, Told};
#[cfg(feature = "media")]
pub use crate::files::{Files, Progress};
pub use crate::http::{Http, HttpAnswer, HttpFailed, HttpHeader, HttpQuestion};
pub use crate::store::{Account, Lease, Store, new_store_key};
pub use crate::tasks::{Canceller, Draining, Mailbox, NoToken, Staying, Tokens};

uniffi::setup_scaffolding!();

/// The version of this library.
#[uniffi::export]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
