//! One input: what may come in, and in which lane.

use wa_binary::Jid;
use wa_stanza::{Ack, Chatstate, Iq, Message, Notification, NotificationContent, Receipt};

use crate::key::Key;
use crate::messenger::state::requests::Request;
use crate::messenger::state::view::View;
use crate::row::InboxEntry;
use crate::{Ask, Command, Known, Ticket};

/// One thing to deal with.
#[derive(Clone, Debug)]
pub(super) enum Input {
    Message(Box<Message>),
    Receipt(Box<Receipt>),
    Ack(Box<Ack>),
    Notification(Box<Notification>),
    Chatstate(Box<Chatstate>),
    Answer(Request, Box<Iq>),
    /// The server has not answered in time.
    Unanswered(Request),
    Command(Ticket, Command),
    /// The login stands: pull the mailbox, look after prekeys and waiting messages.
    LinkUp {
        server_time: Option<u64>,
    },
    /// A batch of the mailbox has come: pull the next.
    Pull,
    /// So many stanzas were in the mailbox, and it is empty: runs when nothing before it waits.
    MailboxEnd(u32),
    /// Messages for this user wait.
    Wake(Jid),
    /// What was announced of this user is durable, and messages may wait for that.
    Announced(Jid),
    /// The signed prekey may be due.
    Rotate,
    /// The server was in trouble with our prekeys a while ago.
    CountPrekeys,
    /// A row cannot be read, or can never leave: it goes, and the entry tells of it.
    SetAside(Key, InboxEntry),
    /// A stanza cannot be read or kept: the server is told so, and the application why.
    Refuse(Box<Ack>, String),
    /// There is news of the server: its key, or the way to it.
    Known(Known),
}

/// What is done in order; one lane does not wait for another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    Peer(Jid),
    Own,
}

impl Input {
    /// As far as it is known that two addresses are of one user.
    pub(super) fn lane(&self, view: &View) -> Lane {
        let peer = match self {
            Self::Message(message) => message.from.as_ref(),
            Self::Receipt(receipt) => receipt.participant.as_ref().or(receipt.from.as_ref()),
            Self::Ack(ack) => ack.from.as_ref(),
            Self::Chatstate(state) => state.from.as_ref(),
            Self::Notification(it) => Some(&it.from).filter(|_| concerns_peer(it)),
            Self::Answer(request, _) | Self::Unanswered(request) => request.fetched_user(),
            Self::Wake(user) | Self::Announced(user) => Some(user),
            Self::Command(_, Command::Send { to, .. } | Command::Typing { to, .. }) => Some(to),
            Self::Command(_, Command::Mark { from, .. }) => Some(from),
            Self::Command(_, Command::AcceptIdentity { address, .. }) => Some(address),
            Self::Command(_, Command::Ask(Ask::Identities(user))) => Some(user),
            _ => None,
        };
        peer.map_or(Lane::Own, |peer| {
            let user = peer.clone().without_device();
            Lane::Peer(view.known_peer(&user).unwrap_or(user))
        })
    }

    /// Whether it makes sense on this connection only. A stanza that was not dealt with was not acked: it comes again, and is
    /// acked on the connection over which it came.
    pub(super) fn dies_with_link(&self) -> bool {
        !matches!(
            self,
            Self::Command(..) | Self::Rotate | Self::Announced(_) | Self::SetAside(..) | Self::Known(_)
        )
    }
}

/// Whether a notification changes what is kept for its sender.
fn concerns_peer(notification: &Notification) -> bool {
    notification.content == NotificationContent::IdentityChanged || notification.kind == *"devices"
}
