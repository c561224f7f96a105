//! What the application hears from the client and says to it.

use wa_binary::Jid;
use wa_signal::EstablishError;

use crate::channel::Malformed;
use crate::{Content, DisconnectReason};

/// Names an inbox event: it rises, is never used again, and one message has one for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u64);

/// Names a message within one conversation; chosen by its sender.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub String);

/// Names a command, so that its acceptance can be told. The caller counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What the application wants done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Send content to a WhatsApp user. The same id again is the same message and does nothing.
    Send {
        /// To whom.
        to: Jid,
        /// The message's name.
        id: MessageId,
        /// What it says.
        content: Content,
    },
    /// An event was dealt with and must not be delivered again.
    Confirm(EventId),
    /// The login that WhatsApp assigned.
    Enlisted(Jid),
}

/// What the application should know. Those with an id are delivered again after a restart until confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The login stands; messages flow.
    Connected,
    /// The connection ended. [`DisconnectReason::is_terminal`] says whether to try again.
    Disconnected(DisconnectReason),
    /// A message has come.
    Message {
        /// To be confirmed.
        event: EventId,
        /// Who wrote it.
        from: Jid,
        /// Its name.
        id: MessageId,
        /// When the server took it, in Unix seconds.
        timestamp: u64,
        /// What it says.
        content: Content,
    },
    /// Messages of ours have arrived at the peer's device.
    Delivered {
        /// To be confirmed.
        event: EventId,
        /// At whose device.
        by: Jid,
        /// Which messages.
        ids: Vec<MessageId>,
    },
    /// A message could not be decrypted; the session with its sender is as it was.
    Undecryptable {
        /// Who sent it.
        from: Jid,
        /// Its name.
        id: MessageId,
        /// Why.
        why: Undecryptable,
    },
    /// A peer's keys could not be had or were bad: messages to it wait.
    NoSession {
        /// Which peer.
        peer: Jid,
        /// Why.
        why: NoSession,
    },
    /// The server refused a message of ours for good.
    Rejected {
        /// To be confirmed.
        event: EventId,
        /// To whom it was.
        to: Jid,
        /// Its name.
        id: MessageId,
        /// The server's code.
        code: u16,
    },
    /// An authentic frame was no stanza; it was passed over.
    Malformed(Malformed),
}

/// Why a message could not be decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undecryptable {
    /// Its bytes are no message of the protocol.
    #[error(transparent)]
    Message(#[from] wa_signal::MessageError),
    /// The ratchet refused it.
    #[error(transparent)]
    Decrypt(#[from] wa_signal::DecryptError),
    /// It uses a signed prekey that is gone.
    #[error("signed prekey {0} is gone")]
    NoSignedPrekey(u32),
    /// It carries no `<enc>`, or more than one, or one of a kind that is not spoken here.
    #[error("no <enc> of a known kind")]
    NoEnc,
    /// Its padding is impossible. The peer's fault: it decrypted.
    #[error("impossible padding")]
    Padding,
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
}
