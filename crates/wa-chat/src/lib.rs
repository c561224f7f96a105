#![doc = include_str!("../README.md")]

mod account;
mod backoff;
mod channel;
mod client;
mod command;
mod content;
mod disconnect;
mod encoded;
mod event;
#[cfg(fuzzing)]
pub mod fuzzing;
#[cfg(feature = "serde")]
mod json;
mod key;
mod memory;
mod messenger;
mod prekey_ids;
mod restoration;
mod row;
mod safety_number;
mod store;
mod time;
mod undecryptable;
mod weighed;

pub use crate::account::{Account, AccountKeys, PublicKeys};
pub use crate::backoff::Backoff;
pub use crate::channel::{BadStanza, Channel, ChannelEvent, Known, Login};
pub use crate::client::{Client, ConnectError};
pub use crate::command::{
    Answer, Ask, Command, CommandError, DeviceIdentity, IdentityPolicy, MAX_CONTENT, Mark, NoAnswer, Reach,
    Ticket,
};
pub use crate::content::{Content, Media, MediaFile, MediaKind, Reply, Target, Text};
pub use crate::disconnect::{DisconnectReason, Refusal};
pub use crate::encoded::EncodedStanza;
pub use crate::event::{Event, EventId, MessageId, NoSession, Status};
pub use crate::key::{Key, Table};
pub use crate::memory::MemoryStore;
pub use crate::messenger::Messenger;
pub use crate::restoration::Restoration;
pub use crate::safety_number::safety_number;
pub use crate::store::{Read, Rows, StateError, Store, StoreError, Transaction, Value, Write, rows_of};
pub use crate::time::Now;
pub use crate::undecryptable::Undecryptable;
/// In public signatures, in the version that they mean.
pub use bytes;
/// In public signatures, in the version that they mean.
pub use rand_core;
pub use wa_media::{FileFacts, MediaClass, MediaKey};
pub use wa_signal::Fingerprint;
pub use wa_stanza::{Report, ReportedMessage, Typing};
