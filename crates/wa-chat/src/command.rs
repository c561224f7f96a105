//! What the application says to the client.

use wa_binary::Jid;
use wa_keys::PublicKey;
use wa_stanza::{Report, Typing};

use crate::{Content, EventId, MessageId};

/// Names a command, so that its acceptance and its answer can be told. The caller counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What the application wants done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Send content to a WhatsApp user. The same id again is the same message and does nothing.
    Send {
        /// To whom; a device is left out.
        to: Jid,
        /// The message's name.
        id: MessageId,
        /// What it says.
        content: Content,
    },
    /// An event was dealt with and must not be delivered again.
    Confirm(EventId),
    /// The login that WhatsApp assigned: after the first enlistment, and after each later one.
    Enlisted(Jid),
    /// The user has read or played messages; one receipt for all. Nothing is sent where the profile has delivery
    /// receipts only.
    Mark {
        /// Whose messages.
        from: Jid,
        /// Which; none is nothing to do.
        ids: Vec<MessageId>,
        /// Read, or played too.
        mark: Mark,
    },
    /// What the user is doing right now. Not stored: without a connection it is forgotten.
    Typing {
        /// To whom it is shown.
        to: Jid,
        /// What.
        typing: Typing,
    },
    /// The application accepts a peer's new identity: messages that are held because of it go out
    /// ([`IdentityPolicy::Hold`]). It names the key that was looked at; if another one is the newest by now nothing changes,
    /// and an event tells of that one.
    AcceptIdentity {
        /// Which device, with its number.
        address: Jid,
        /// Its key.
        key: PublicKey,
    },
    /// Ask WhatsApp for something, on this connection; [`Event::Answered`](crate::Event::Answered) tells the rest.
    Ask(Ask),
}

impl Command {
    /// Bytes that it has allocated.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            // The time is of no account.
            Self::Send { to, id, content } => id.0.len() + content.encode(to, 0).len(),
            Self::Mark { ids, .. } => ids.iter().map(|id| id.0.len() + size_of::<MessageId>()).sum(),
            Self::Ask(Ask::Report(report)) => report.messages.iter().map(|it| it.content.len() + 128).sum(),
            _ => 0,
        }
    }
}

/// What is to be done with a peer's new identity, or a new device of a peer that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdentityPolicy {
    /// Tell the application, then go on: what WhatsApp's own clients do.
    #[default]
    Notify,
    /// Tell the application, and let messages to that user wait until it accepts the identity
    /// ([`Command::AcceptIdentity`]). The first contact with a user is not held.
    Hold,
}

/// What a user did with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mark {
    /// Read them.
    Read,
    /// Played a voice note or a video.
    Played,
}

/// What WhatsApp can be asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Ask {
    /// Whom the user has blocked.
    Blocklist,
    /// Block somebody: nothing comes from them any more.
    Block(Jid),
    /// The contrary.
    Unblock(Jid),
    /// Report somebody to WhatsApp, with messages in clear.
    Report(Report),
    /// Ping a WhatsApp user who does not know this one yet (reachability), where the profile has it.
    Reach(Jid),
    /// The devices of a user that messages go to, and their identities. WhatsApp is not asked; it needs no connection.
    Identities(Jid),
    /// Delete the account on WhatsApp; once that is confirmed every row of it is erased here, and the client is done.
    DeleteAccount,
}

/// What WhatsApp answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// It is done.
    Done,
    /// Whom the user has blocked.
    Blocklist(Vec<Jid>),
    /// The devices that messages go to, in their order; none of a user that there was no contact with.
    Identities(Vec<DeviceIdentity>),
}

/// A device of a peer, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceIdentity {
    /// Its number; 0 is the first.
    pub device: u16,
    /// Its newest identity key.
    pub key: PublicKey,
    /// Whether messages may go to it; otherwise they wait for [`Command::AcceptIdentity`], or for a newer key.
    pub is_accepted: bool,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// The server refused, with this code.
    #[error("refused (code {0})")]
    Refused(u16),
    /// The connection ended first; whether the request arrived is not known.
    #[error("the connection ended first")]
    Lost,
    /// The server did not answer within a minute; whether it did what was asked is not known.
    #[error("the server did not answer in time")]
    Late,
    /// The profile has no such request.
    #[error("not part of this profile")]
    Unsupported,
    /// The server's answer could not be read.
    #[error("the answer cannot be read")]
    Unreadable,
}
