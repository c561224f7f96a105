//! What the application hears from the client.

use std::fmt;

use wa_binary::{Jid, Node};
use wa_keys::PublicKey;
use wa_signal::EstablishError;
use wa_stanza::Typing;

use crate::channel::BadStanza;
use crate::key::Table;
use crate::{Answer, Content, DisconnectReason, NoAnswer, StoreError, Ticket, Undecryptable};

/// Names an event of the inbox. Ids rise and are never used again; a message keeps its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize), serde(transparent))]
pub struct EventId(pub u64);

/// Names a message within one conversation; chosen by its sender.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize), serde(transparent))]
pub struct MessageId(pub String);

impl MessageId {
    /// The id as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for MessageId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<String> for MessageId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl From<&str> for MessageId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<u64> for EventId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

impl From<EventId> for u64 {
    fn from(id: EventId) -> Self {
        id.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the application should know. Those with an id are delivered again after a restart until confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Event {
    /// The login stands; messages flow.
    Connected,
    /// The connection ended. [`DisconnectReason::is_terminal`] says whether to try again.
    Disconnected(
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::json::words"))] DisconnectReason,
    ),
    /// A message has come.
    #[non_exhaustive]
    Message {
        /// To be confirmed.
        event: EventId,
        /// Who wrote it.
        from: Jid,
        /// The message's id, chosen by its sender.
        id: MessageId,
        /// When the server took it, in Unix seconds.
        timestamp: u64,
        /// What it says.
        content: Content,
        /// Which of the sender's devices wrote it; 0 is the first.
        device: u16,
        /// Whether that device's identity is the newest one known, and accepted ([`IdentityPolicy`](crate::IdentityPolicy)).
        is_accepted: bool,
        /// What the sender calls themself, by the server's word; of a long name the beginning.
        push_name: Option<String>,
        /// Whether it waited in the mailbox.
        waited: bool,
    },
    /// So much waits in the mailbox: told with a login, before any of it comes.
    #[non_exhaustive]
    MailboxWaits {
        /// Messages, receipts, notifications and whatever else.
        stanzas: u32,
        /// Messages among them.
        messages: u32,
    },
    /// The mailbox is empty. Told behind everything that was in it; what comes now is new.
    #[non_exhaustive]
    MailboxEmpty {
        /// So much was in it.
        stanzas: u32,
    },
    /// A receipt for messages we sent.
    #[non_exhaustive]
    Receipt {
        /// To be confirmed.
        event: EventId,
        /// At whom; of [`Status::Sent`] to whom.
        by: Jid,
        /// The ids of the messages.
        ids: Vec<MessageId>,
        /// How far the messages have come.
        status: Status,
        /// When, in Unix seconds, as far as the server says.
        timestamp: Option<u64>,
    },
    /// A peer has another identity key: their application was installed anew, or somebody else's is there. What was
    /// verified about them holds no longer. Told in a commit before anything is encrypted for that key.
    #[non_exhaustive]
    IdentityChanged {
        /// To be confirmed.
        event: EventId,
        /// The peer whose key changed.
        peer: Jid,
        /// Which of their devices; 0 is the first.
        device: u16,
        /// The new key; none while the server has only said that there is one.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::json::public::serialize"))]
        identity: Option<PublicKey>,
    },
    /// Messages to a peer go to other devices from now on. Told in a commit before anything is encrypted for a device that
    /// was added; the first contact with a user is one such event.
    #[non_exhaustive]
    DevicesChanged {
        /// To be confirmed.
        event: EventId,
        /// The user whose devices changed.
        peer: Jid,
        /// The devices that were added, and their identity keys. All but the first device, 0, are the server's word.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::json::public::by_device"))]
        added: Vec<(u16, PublicKey)>,
        /// The devices that get nothing any more.
        removed: Vec<u16>,
        /// Whether nothing was known of the user before.
        is_first: bool,
    },
    /// Two addresses are of one user, by the server's word: a phone number and an internal one. Messages to either go to the
    /// same devices from now on, and events name the first. Told in a commit before anything is encrypted for them.
    #[non_exhaustive]
    SameUser {
        /// To be confirmed.
        event: EventId,
        /// The address under which the user is known.
        peer: Jid,
        /// The other one.
        other: Jid,
    },
    /// A user makes themselves known: they can be written to (reachability; the form is assumed).
    #[non_exhaustive]
    Reached {
        /// To be confirmed.
        event: EventId,
        /// The user who can be written to.
        from: Jid,
        /// What they are called.
        display_name: Option<String>,
    },
    /// The server says that something changed, in a way that is not modelled here.
    #[non_exhaustive]
    Notification {
        /// To be confirmed.
        event: EventId,
        /// Whose change it is.
        from: Jid,
        /// The whole notification.
        node: Node,
    },
    /// What a peer is doing right now.
    #[non_exhaustive]
    Typing {
        /// The user who is writing.
        from: Jid,
        /// What they are doing: writing, recording, or neither.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::json::typing"))]
        typing: Typing,
    },
    /// The answer to an [`Ask`](crate::Ask).
    #[non_exhaustive]
    Answered {
        /// The ticket of the question.
        ticket: Ticket,
        /// What WhatsApp says, or why nothing.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::json::answer"))]
        answer: Result<Answer, NoAnswer>,
    },
    /// A message could not be decrypted; the session with its sender is as it was.
    #[non_exhaustive]
    Undecryptable {
        /// To be confirmed.
        event: EventId,
        /// Who sent it.
        from: Jid,
        /// From which of their devices.
        device: u16,
        /// The message's id.
        id: MessageId,
        /// Why it could not be decrypted.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::json::words"))]
        why: Undecryptable,
        /// How often its sender has been asked to send it again; none if that makes no sense, or not any more.
        asked: Option<u32>,
        /// Whether nothing should be shown in its place, by the stanza's unauthenticated word.
        is_hidden: bool,
    },
    /// A peer's keys could not be had or were bad: messages to it wait.
    #[non_exhaustive]
    NoSession {
        /// The peer to whom messages wait.
        peer: Jid,
        /// Why there is no session.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::json::words"))]
        why: NoSession,
    },
    /// The server refused a message of ours for good.
    #[non_exhaustive]
    Rejected {
        /// To be confirmed.
        event: EventId,
        /// To whom it was.
        to: Jid,
        /// The message's id.
        id: MessageId,
        /// The server's code; 413 also for a message that is longer than a frame and so never left.
        code: u16,
    },
    /// A row of the store cannot be read: an event or a stanza that waited to be sent is lost, and everything else is as it
    /// was. The store's fault, or that of the program that wrote it.
    #[non_exhaustive]
    Unreadable {
        /// To be confirmed; then the row is deleted.
        event: EventId,
        /// Where it stood: an event, a stanza, a content that waited for its session, or a session, which is begun anew.
        table: Table,
    },
    /// A message was not sent in 30 days: it is given up.
    #[non_exhaustive]
    Expired {
        /// To be confirmed.
        event: EventId,
        /// To whom it was.
        to: Jid,
        /// The message's id.
        id: MessageId,
    },
    /// A stanza could not be read, or what it says not be kept: the server is told so (code 488) and does not bring it again.
    /// The server's fault, or that of a program behind it. Where this end dies before the server has heard, it is told twice.
    #[non_exhaustive]
    Refused {
        /// To be confirmed.
        event: EventId,
        /// Who sent it.
        from: Jid,
        /// Its tag, such as `message`.
        stanza: String,
        /// Its id; of a long one the beginning.
        id: MessageId,
        /// What is wrong with it, in words.
        why: String,
    },
    /// An authentic frame was no stanza, or one that says too little to be refused; it was passed over.
    Malformed(#[cfg_attr(feature = "serde", serde(serialize_with = "crate::json::words"))] BadStanza),
    /// So many events that are told once were not kept, because the application did not take those before them. Those with
    /// an id are never dropped.
    #[non_exhaustive]
    Dropped {
        /// The number of events that were dropped.
        events: u64,
    },
    /// The store cannot run a transaction now; it gets it again until it can. Nothing becomes durable, and nothing that
    /// depends on it leaves or is shown. Told once for each time, by the driver, which runs the transactions.
    StoreStalled(#[cfg_attr(feature = "serde", serde(serialize_with = "crate::json::words"))] StoreError),
}

impl Event {
    /// What to confirm it by; none for what is told once and not kept.
    pub fn id(&self) -> Option<EventId> {
        match self {
            Self::Message { event, .. }
            | Self::Receipt { event, .. }
            | Self::IdentityChanged { event, .. }
            | Self::DevicesChanged { event, .. }
            | Self::Undecryptable { event, .. }
            | Self::Expired { event, .. }
            | Self::Reached { event, .. }
            | Self::Notification { event, .. }
            | Self::Unreadable { event, .. }
            | Self::Refused { event, .. }
            | Self::SameUser { event, .. }
            | Self::Rejected { event, .. } => Some(*event),
            _ => None,
        }
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Status {
    /// The server has it.
    Sent = 5,
    /// It is on the recipient's device.
    Delivered = 1,
    /// It was read.
    Read = 2,
    /// It was played.
    Played = 3,
    /// Its media could not be had by the recipient: upload it again.
    MediaUnavailable = 4,
}

impl Status {
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        let all = [Self::Sent, Self::Delivered, Self::Read, Self::Played, Self::MediaUnavailable];
        all.into_iter().find(|&status| u32::from(status as u8) == number)
    }
}

/// Why there is no session with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoSession {
    /// The server has no keys for it, and says so with this code.
    #[error("no keys (code {0})")]
    Refused(u16),
    /// Its keys are bad.
    #[error(transparent)]
    Bundle(#[from] EstablishError),
    /// The server's answer did not name it, or could not be read.
    #[error("the answer cannot be read")]
    Unreadable,
    /// The server did not answer within a minute; it is asked again with the next message, or connection.
    #[error("the server did not answer in time")]
    Unanswered,
    /// The peer has a new identity or a new device, and the application has not accepted it
    /// ([`Command::AcceptIdentity`](crate::Command::AcceptIdentity)).
    #[error("a new identity is not accepted yet")]
    Held,
}
