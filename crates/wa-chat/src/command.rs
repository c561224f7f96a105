//! What the application says to the client.

use wa_binary::Jid;
use wa_keys::PublicKey;
use wa_stanza::{MAX_ID, Report, Typing};

use crate::{Content, EventId, MessageId};

/// Names a command, so that its acceptance and its answer can be told. The caller counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize), serde(transparent))]
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
    /// This event and every one before it that was taken and not confirmed were dealt with.
    ConfirmThrough(EventId),
    /// The login that WhatsApp assigned: after the first enlistment, and after each later one.
    Enlisted(Jid),
    /// The user has read or played messages; one receipt for each 256 of them. Nothing is sent where the profile has delivery
    /// receipts only.
    Mark {
        /// The sender of the messages.
        from: Jid,
        /// The ids of the messages; an empty list does nothing.
        ids: Vec<MessageId>,
        /// What the user did with them.
        mark: Mark,
    },
    /// What the user is doing right now. Not stored: without a connection it is forgotten.
    Typing {
        /// To whom it is shown.
        to: Jid,
        /// What we are doing: writing, recording, or neither.
        typing: Typing,
    },
    /// The application accepts a peer's new identity: messages that are held because of it go out
    /// ([`IdentityPolicy::Hold`]). It names the key that was looked at; if another one is the newest by now nothing changes,
    /// and an event tells of that one.
    AcceptIdentity {
        /// Which device, with its number.
        address: Jid,
        /// The identity key that was accepted.
        key: PublicKey,
    },
    /// Ask WhatsApp for something, on this connection; [`Event::Answered`](crate::Event::Answered) tells the rest.
    Ask(Ask),
}

/// Why a command is refused at once: nothing was stored, and the same again is refused again. The caller's to mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// A content is longer than [`MAX_CONTENT`].
    #[error("the content has {length} bytes, of at most {MAX_CONTENT}")]
    TooLong {
        /// Its length in protobuf, in bytes.
        length: usize,
    },
    /// A message's name or a user's address is longer than 128 bytes.
    #[error("a message id or an address is longer than {MAX_ID} bytes")]
    LongName,
    /// What would be stored could not be read again.
    #[error("cannot be stored in a form that can be read again")]
    Unreadable,
}

/// Bytes of the longest content in protobuf that is accepted (our choice).
///
/// A message carries it once for each device of its recipient in one frame of 16 MiB: lists have 64 devices at most, and as
/// many again may have written by themselves. A text of 65,536 letters fits, and a preview of a picture.
pub const MAX_CONTENT: usize = 128 * 1024;

impl Command {
    /// Bytes that it has allocated, if it can be carried out.
    pub(crate) fn measure(&self) -> Result<usize, CommandError> {
        match self {
            Self::Send { to, id, content } => {
                check_names(to, [id])?;
                // The date that is written with it adds a few bytes at most.
                let length = content.encode(to, 0).len();
                if length > MAX_CONTENT { Err(CommandError::TooLong { length }) } else { Ok(length) }
            }
            Self::Mark { from, ids, .. } => {
                check_names(from, ids)?;
                Ok(ids.iter().map(|id| id.0.len() + size_of::<MessageId>()).sum())
            }
            Self::Typing { to, .. } => check_names(to, []).map(|()| 0),
            Self::Ask(Ask::Report(report)) => {
                let lengths = report.messages.iter().map(|it| it.content.len() + size_of_val(it));
                Ok(lengths.sum())
            }
            _ => Ok(0),
        }
    }
}

/// Names become names of rows.
fn check_names<'a>(jid: &Jid, ids: impl IntoIterator<Item = &'a MessageId>) -> Result<(), CommandError> {
    let jid = jid.user_bytes().map_or(0, |user| user.len()) + jid.server().len();
    let is_long = |id: &MessageId| id.0.len() > MAX_ID;
    if jid > MAX_ID || ids.into_iter().any(is_long) { Err(CommandError::LongName) } else { Ok(()) }
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
    /// The user has read the messages.
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
    /// Blocks a user: nothing comes from them any more.
    Block(Jid),
    /// Unblocks a user.
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
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Answer {
    /// It is done.
    Done,
    /// Whom the user has blocked.
    Blocklist(Vec<Jid>),
    /// What became of a ping.
    Reach(Reach),
    /// The devices that messages go to, in their order; none of a user that there was no contact with.
    Identities(Vec<DeviceIdentity>),
}

/// What became of a ping to a WhatsApp user (reachability; the form is assumed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reach {
    /// WhatsApp has taken it, and tells the user. Whether they ever answer is another matter.
    Told,
    /// Nobody at WhatsApp has this number ([`Reachability::nobody`](wa_profile::Reachability::nobody)).
    Nobody,
}

/// A device of a peer, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DeviceIdentity {
    /// Its number; 0 is the first.
    pub device: u16,
    /// Its newest identity key.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::json::public::one"))]
    pub key: PublicKey,
    /// Whether messages may go to it; otherwise they wait for [`Command::AcceptIdentity`], or for a newer key.
    pub is_accepted: bool,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// The server refused, with this code; 413 also for a report that is longer than a frame and so never left.
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
