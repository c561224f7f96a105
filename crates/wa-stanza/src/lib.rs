#![doc = include_str!("../README.md")]
//!
//! # What is kept
//! Attributes and children that are not modelled never make a stanza fail. What an answer needs is kept;
//! children of a message, receipt, ib or notification that are not modelled are kept as nodes; a stanza
//! whose tag is not modelled is [`Stanza::Other`], whole.

mod ack;
mod blocklist;
mod chatstate;
mod devices;
mod error;
mod fields;
mod ib;
mod iq;
mod message;
mod notification;
mod ping;
mod prekeys;
mod receipt;
mod report;
mod retry;
mod stanza;
mod stream;

pub use ack::Ack;
pub use blocklist::{Blocklist, BlocklistChange};
pub use chatstate::{Chatstate, Typing};
pub use devices::{DeviceLists, DeviceQuery, UserDevices};
pub use error::{Malformed, StanzaError};
pub use fields::MAX_ID;
pub use ib::{Ib, IbItem};
pub use iq::{Iq, IqError, IqKind};
pub use message::{Edit, Enc, EncKind, Message, MessageKind};
pub use notification::{Notification, NotificationContent, ReachabilityPing};
pub use ping::ping;
pub use prekeys::{
    FetchedBundle, FetchedUser, OneTimePrekey, PrekeyBundles, PrekeyCount, PrekeyFetch, PrekeyId,
    PrekeyUpload, SignedPrekeyNode, SignedPrekeyRotation, WantedUser,
};
pub use receipt::{Receipt, ReceiptKind};
pub use report::{Report, ReportedMessage};
pub use retry::{Retry, RetryKeys};
pub use stanza::Stanza;
pub use stream::{Conflict, Failure, FailureReason, StreamCondition, StreamError, Success};
