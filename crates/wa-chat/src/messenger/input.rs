//! One input, one step: what may come in, in which lane, and which step it is.

use std::collections::BTreeSet;

use rand_core::CryptoRng;
use wa_binary::Jid;
use wa_profile::Profile;
use wa_stanza::{Ack, Chatstate, Ib, Iq, Message, Notification, NotificationContent, Receipt};

use crate::messenger::requests::Request;
use crate::messenger::view::{Draft, Stop, View};
use crate::{Command, Event, NoAnswer, NoSession, Now, Ticket};

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
    LinkUp,
    /// A batch of the mailbox has come: pull the next.
    Pull,
    /// Messages for this user wait.
    Wake(Jid),
    /// The signed prekey may be due.
    Rotate,
}

/// What is done in order; one lane does not wait for another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    Peer(Jid),
    Own,
}

/// What every step may know besides its rows.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) profile: &'a Profile,
    /// Users whose devices or bundles are on their way.
    pub(crate) fetching: &'a BTreeSet<Jid>,
    pub(crate) now: Now,
}

impl Input {
    pub(super) fn lane(&self) -> Lane {
        let peer = match self {
            Self::Message(message) => message.from.as_ref(),
            Self::Receipt(receipt) => receipt.participant.as_ref().or(receipt.from.as_ref()),
            Self::Ack(ack) => ack.from.as_ref(),
            Self::Chatstate(state) => state.from.as_ref(),
            Self::Notification(it) => Some(&it.from).filter(|_| concerns_peer(it)),
            Self::Answer(request, _) | Self::Unanswered(request) => request.fetched_user(),
            Self::Wake(user) => Some(user),
            Self::Command(_, Command::Send { to, .. } | Command::Typing { to, .. }) => Some(to),
            Self::Command(_, Command::Mark { from, .. }) => Some(from),
            _ => None,
        };
        peer.map_or(Lane::Own, |peer| Lane::Peer(peer.clone().without_device()))
    }

    /// Whether it makes sense on this connection only.
    pub(super) fn dies_with_link(&self) -> bool {
        matches!(self, Self::LinkUp | Self::Pull | Self::Answer(..) | Self::Unanswered(_) | Self::Wake(_))
    }
}

/// Whoever waits for the answer hears of it. What asks for prekeys is asked again by the next connection.
fn unanswered(request: &Request) -> Draft {
    let event = match request {
        Request::Devices(user) | Request::Bundles { user, .. } => {
            Event::NoSession { peer: user.clone(), why: NoSession::Unanswered }
        }
        Request::Ask(ticket, _) => Event::Answered { ticket: *ticket, answer: Err(NoAnswer::Late) },
        Request::PrekeyCount | Request::PrekeyUpload(..) | Request::Rotation(_) => return Draft::default(),
    };
    Draft { fetched: request.fetched_user().cloned(), events: vec![event], ..Draft::default() }
}

/// Whether a notification changes what is kept for its sender.
fn concerns_peer(notification: &Notification) -> bool {
    notification.content == NotificationContent::IdentityChanged || notification.kind == *"devices"
}

impl Context<'_> {
    pub(super) fn step(&self, view: &View, input: &Input, rng: &mut impl CryptoRng) -> Result<Draft, Stop> {
        match input {
            Input::Message(message) => self.receive_message(view, message, rng),
            Input::Receipt(receipt) => self.receive_receipt(view, receipt, rng),
            Input::Ack(ack) => self.receive_ack(view, ack),
            Input::Notification(notification) => self.receive_notification(view, notification, rng),
            Input::Chatstate(state) => Ok(self.receive_chatstate(state)),
            Input::Answer(request, iq) => self.receive_answer(view, request, iq, rng),
            Input::Unanswered(request) => Ok(unanswered(request)),
            Input::Command(ticket, command) => self.command(view, *ticket, command, rng),
            Input::LinkUp => self.link_up(view, rng),
            Input::Pull => Ok(self.pull()),
            Input::Wake(user) => self.wake(view, user, rng),
            Input::Rotate => self.rotate(view, rng),
        }
    }

    fn receive_answer(
        &self,
        view: &View,
        request: &Request,
        iq: &Iq,
        rng: &mut impl CryptoRng,
    ) -> Result<Draft, Stop> {
        match request {
            Request::Devices(user) => self.receive_devices(view, user, iq, rng),
            Request::Bundles { user, devices } => self.receive_bundles(view, user, devices, iq, rng),
            Request::PrekeyCount => self.receive_prekey_count(view, iq, rng),
            Request::PrekeyUpload(_, last) => self.receive_uploaded(view, iq, *last),
            Request::Rotation(rotation) => self.receive_rotated(view, iq, rotation.signed.id),
            Request::Ask(ticket, ask) => Ok(self.receive_asked(*ticket, ask, iq)),
        }
    }

    /// The start of a connection: the mailbox, the prekeys, and whoever's bundle is waited for.
    fn link_up(&self, view: &View, rng: &mut impl CryptoRng) -> Result<Draft, Stop> {
        let wake = view.peers_waiting()?;
        let mut draft = self.rotate(view, rng)?;
        draft.transmits.splice(0..0, self.pull().transmits);
        draft.requests.push(Request::PrekeyCount);
        draft.wake = wake;
        Ok(draft)
    }

    fn pull(&self) -> Draft {
        let pull = Ib::offline_batch(self.profile.chat.offline_batch);
        Draft { transmits: vec![pull.into()], ..Draft::default() }
    }
}
