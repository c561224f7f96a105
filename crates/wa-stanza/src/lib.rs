//! Overview §2.1.1: typed stanzas of the chat protocol.
//!
//! A [`Stanza`] is made from a [`Node`](wa_binary::Node) with `TryFrom` and turned into one with `From`; one
//! file per family. Nothing here reads a socket, a clock or a key.
//!
//! ```
//! use wa_binary::Node;
//! use wa_stanza::{Ack, Stanza};
//!
//! let node: Node = r#"<message from="14155551001@s.whatsapp.net" id="3EB0" type="text" t="1700000000">
//!     <enc v="2" type="msg" wa:bytes="330a"/>
//! </message>"#.parse()?;
//! let Stanza::Message(message) = Stanza::try_from(node)? else { panic!() };
//! assert_eq!(message.t, Some(1_700_000_000));
//! assert_eq!(&message.encs[0].ciphertext[..], b"\x33\x0a");
//!
//! let ack = Node::from(Ack::from(&message));
//! assert_eq!(ack.to_string(), r#"<ack class="message" id="3EB0" to="14155551001@s.whatsapp.net"/>"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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
