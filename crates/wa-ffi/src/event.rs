//! What the application hears, in records that every language has.

use wa_interop::binary::Jid;
use wa_interop::chat::{self, EventId, MessageId};
use wa_interop::{Ended, Events};

use crate::content::Content;
use crate::error::Cause;

/// Something that happened. One with a number is told again after a restart until it is confirmed.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Event {
    /// What to confirm it by; none for what is told once.
    pub number: Option<u64>,
    /// What the client says.
    pub what: Happened,
}

/// An event, and its turn among those that a client object has told.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Told {
    /// 1 for the first; it says nothing in another process.
    pub turn: u64,
    /// What is told.
    pub event: Event,
}

/// Tells events in turns, and the last one again if its answer was lost on the way.
#[derive(Debug)]
pub(crate) struct Turns {
    events: Events,
    last: Option<Told>,
}

impl Turns {
    pub(crate) fn new(events: Events) -> Self {
        Self { events, last: None }
    }

    /// The event of the turn after this one; waits for it.
    pub(crate) async fn after(&mut self, turn: u64) -> Result<Told, Ended> {
        match &self.last {
            Some(told) if told.turn > turn => Ok(told.clone()),
            _ => self.next().await,
        }
    }

    /// The next event that was not told yet.
    pub(crate) async fn next(&mut self) -> Result<Told, Ended> {
        let event = Event::from(self.events.next().await?);
        let turn = self.last.as_ref().map_or(0, |told| told.turn) + 1;
        Ok(self.last.insert(Told { turn, event }).clone())
    }
}

/// What a client says to its application.
#[derive(Clone, Debug, uniffi::Enum)]
#[expect(clippy::large_enum_variant, reason = "a box is nothing that UniFFI knows")]
#[non_exhaustive]
pub enum Happened {
    /// The login stands; messages flow.
    Connected,
    /// The connection ended.
    Disconnected {
        /// The reason, for a log.
        why: String,
        /// As far as an application acts on it.
        reason: Cause,
        /// Whether connecting again cannot help until somebody changes something.
        is_final: bool,
    },
    /// A message has come.
    Message {
        /// Who wrote it.
        sender: String,
        /// From which of their devices; 0 is the first.
        device: u16,
        /// The message's id, chosen by its sender.
        id: String,
        /// When the server took it, in Unix seconds.
        timestamp: u64,
        /// What it says.
        content: Content,
        /// Whether the device's identity is the newest one known, and accepted.
        is_accepted: bool,
        /// What the sender calls themself.
        push_name: Option<String>,
        /// Whether it waited in the mailbox.
        waited: bool,
    },
    /// So many messages wait in the mailbox.
    MailboxWaits {
        /// Among other things.
        messages: u32,
    },
    /// All that was in the mailbox has been told.
    MailboxEmpty,
    /// A receipt for messages we sent.
    Receipt {
        /// The user who has the messages, or the server.
        by: String,
        /// The ids of the messages.
        ids: Vec<String>,
        /// How far the messages have come.
        status: Status,
    },
    /// A peer has another identity key: what was verified about them holds no longer.
    IdentityChanged {
        /// The peer whose key changed.
        peer: String,
        /// Which of their devices.
        device: u16,
        /// The new key; none while the server has only said that there is one.
        identity: Option<Vec<u8>>,
    },
    /// Messages to a peer go to other devices from now on.
    DevicesChanged {
        /// The user whose devices changed.
        peer: String,
        /// Devices that were added.
        added: Vec<AddedDevice>,
        /// Devices that get nothing any more.
        removed: Vec<u16>,
        /// Whether nothing was known of the user before.
        is_first: bool,
    },
    /// Two addresses are one user's: from now on both lead to the first.
    SameUser {
        /// The address under which the user is known.
        peer: String,
        /// The other one.
        other: String,
    },
    /// A user makes themselves known: they can be written to.
    Reached {
        /// The user who can be written to.
        sender: String,
        /// What they are called.
        display_name: Option<String>,
    },
    /// A message could not be decrypted.
    Undecryptable {
        /// Who sent it.
        sender: String,
        /// The message's id.
        id: String,
        /// Why it could not be decrypted.
        why: String,
        /// Whether nothing should be shown in its place.
        is_hidden: bool,
    },
    /// A message of ours did not leave, and never will.
    Failed {
        /// To whom it was.
        to: String,
        /// The message's id.
        id: String,
        /// Why it was not sent.
        why: String,
    },
    /// Messages to a peer wait.
    Waiting {
        /// The peer to whom messages wait.
        peer: String,
        /// Why there is no session.
        why: String,
    },
    /// What a peer is doing right now.
    Typing {
        /// The user who is writing.
        sender: String,
        /// Writing, or recording; otherwise neither any more.
        is_active: bool,
    },
    /// Something else, in words for a log.
    Other {
        /// With addresses in it.
        what: String,
    },
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
#[non_exhaustive]
pub enum Status {
    /// The server has it.
    Sent,
    /// It is on the recipient's device.
    Delivered,
    /// It was read.
    Read,
    /// It was played.
    Played,
    /// Its file could not be had: send it again.
    MediaUnavailable,
}

/// A device and its identity key.
#[derive(Clone, Debug, uniffi::Record)]
pub struct AddedDevice {
    /// Its number; 0 is the first.
    pub device: u16,
    /// The device's identity key: 32 bytes.
    pub identity: Vec<u8>,
}

impl From<chat::Event> for Event {
    fn from(event: chat::Event) -> Self {
        Self { number: event.id().map(|EventId(number)| number), what: Happened::from(event) }
    }
}

impl From<chat::Event> for Happened {
    #[expect(clippy::too_many_lines, reason = "one arm a kind")]
    fn from(event: chat::Event) -> Self {
        use chat::Event as E;
        match event {
            E::Connected => Self::Connected,
            E::Disconnected(reason) => Self::Disconnected {
                why: reason.to_string(),
                reason: Cause::from(&reason),
                is_final: reason.is_terminal(),
            },
            E::Message { from, device, id, timestamp, content, is_accepted, push_name, waited, .. } => {
                let (sender, id, content) = (from.to_string(), id.to_string(), content.into());
                Self::Message { sender, device, id, timestamp, content, is_accepted, push_name, waited }
            }
            E::MailboxWaits { messages, .. } => Self::MailboxWaits { messages },
            E::MailboxEmpty { .. } => Self::MailboxEmpty,
            E::Receipt { by, ids, status, .. } => Self::Receipt {
                by: by.to_string(),
                ids: ids.iter().map(ToString::to_string).collect(),
                status: status.into(),
            },
            E::IdentityChanged { peer, device, identity, .. } => Self::IdentityChanged {
                peer: peer.to_string(),
                device,
                identity: identity.map(|key| key.as_bytes().to_vec()),
            },
            E::DevicesChanged { peer, added, removed, is_first, .. } => Self::DevicesChanged {
                peer: peer.to_string(),
                added: added.into_iter().map(AddedDevice::from).collect(),
                removed,
                is_first,
            },
            E::SameUser { peer, other, .. } => {
                Self::SameUser { peer: peer.to_string(), other: other.to_string() }
            }
            E::Reached { from, display_name, .. } => Self::Reached { sender: from.to_string(), display_name },
            E::Undecryptable { from, id, why, is_hidden, .. } => Self::Undecryptable {
                sender: from.to_string(),
                id: id.to_string(),
                why: why.to_string(),
                is_hidden,
            },
            E::Rejected { to, id, code, .. } => Self::failed(&to, &id, format!("refused (code {code})")),
            E::Expired { to, id, .. } => Self::failed(&to, &id, "not sent in 30 days".to_owned()),
            E::NoSession { peer, why, .. } => Self::Waiting { peer: peer.to_string(), why: why.to_string() },
            E::Typing { from, typing, .. } => {
                Self::Typing { sender: from.to_string(), is_active: typing != chat::Typing::Paused }
            }
            other => Self::Other { what: format!("{other:?}") },
        }
    }
}

impl Happened {
    fn failed(to: &Jid, id: &MessageId, why: String) -> Self {
        Self::Failed { to: to.to_string(), id: id.to_string(), why }
    }
}

impl From<(u16, wa_interop::keys::PublicKey)> for AddedDevice {
    fn from((device, identity): (u16, wa_interop::keys::PublicKey)) -> Self {
        Self { device, identity: identity.as_bytes().to_vec() }
    }
}

impl From<chat::Status> for Status {
    fn from(status: chat::Status) -> Self {
        match status {
            chat::Status::Sent => Self::Sent,
            chat::Status::Read => Self::Read,
            chat::Status::Played => Self::Played,
            chat::Status::MediaUnavailable => Self::MediaUnavailable,
            _ => Self::Delivered,
        }
    }
}
