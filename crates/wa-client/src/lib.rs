#![doc = include_str!("../README.md")]
//!
//! # In detail
//! What a client does is told to `tracing`, in a span `client` with a number of this process. Neither addresses nor ids nor
//! anything that was written or stored is ever told.

mod client;
mod connector;
mod driver;
#[cfg(feature = "http")]
mod enlistment;
mod error;
mod events;
mod line;
#[cfg(feature = "metadata")]
mod metadata;
mod pending;
mod reconnect;
#[cfg(feature = "media")]
mod transfer;
#[cfg(feature = "media")]
mod upload;
mod waiting;

pub use crate::client::Client;
pub use crate::connector::{Connector, TcpConnector};
#[cfg(feature = "http")]
pub use crate::enlistment::{EnlistmentError, enlist};
pub use crate::error::{ClientError, OpenOrEnlistError};
pub use crate::events::{Drained, Ended, Events};
#[cfg(feature = "metadata")]
pub use crate::metadata::{describe, kind_of};
pub use crate::reconnect::{NoToken, TokenSource};
#[cfg(feature = "media")]
pub use crate::transfer::{MediaTransfer, MediaTransferError, Outgoing, SentFile};
#[cfg(feature = "media")]
pub use crate::upload::{CredentialSource, MediaServer};
