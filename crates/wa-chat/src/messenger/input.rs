//! One input, one step: what may come in, in which lane, and which step it is.

use std::collections::BTreeSet;

use rand_core::CryptoRng;
use wa_binary::Jid;
use wa_profile::Profile;
use wa_stanza::{Ack, Ib, Iq, Message, Notification, Receipt};

use crate::messenger::requests::Request;
use crate::messenger::view::{Draft, Stop, View};
use crate::{Command, Now, Ticket};

/// One thing to deal with.
#[derive(Clone, Debug)]
pub(super) enum Input {
    Message(Box<Message>),
    Receipt(Box<Receipt>),
    Ack(Box<Ack>),
    Notification(Box<Notification>),
    Answer(Request, Box<Iq>),
    Command(Ticket, Command),
    /// The login stands: pull the mailbox, look after prekeys and waiting messages.
    LinkUp,
    /// A batch of the mailbox has come: pull the next.
    Pull,
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
    pub(crate) fetching: &'a BTreeSet<Jid>,
    pub(crate) now: Now,
}

impl Input {
    pub(super) fn lane(&self) -> Lane {
        let peer = match self {
            Self::Message(message) => message.from.as_ref(),
            Self::Receipt(receipt) => receipt.from.as_ref(),
            Self::Ack(ack) => ack.from.as_ref(),
            Self::Answer(Request::Bundle(peer), _) => Some(peer),
            Self::Command(_, Command::Send { to, .. }) => Some(to),
            _ => None,
        };
        peer.map_or(Lane::Own, |peer| Lane::Peer(peer.clone()))
    }
}

impl Context<'_> {
    pub(super) fn step(&self, view: &View, input: &Input, rng: &mut impl CryptoRng) -> Result<Draft, Stop> {
        match input {
            Input::Message(message) => self.receive_message(view, message, rng),
            Input::Receipt(receipt) => self.receive_receipt(view, receipt),
            Input::Ack(ack) => self.receive_ack(view, ack),
            Input::Notification(notification) => self.receive_notification(view, notification, rng),
            Input::Answer(Request::Bundle(peer), iq) => self.receive_bundle(view, peer, iq, rng),
            Input::Answer(Request::PrekeyCount, iq) => self.receive_prekey_count(view, iq, rng),
            Input::Answer(Request::PrekeyUpload(_, last), iq) => self.receive_uploaded(view, iq, *last),
            Input::Command(ticket, command) => self.command(view, *ticket, command, rng),
            Input::LinkUp => self.link_up(view),
            Input::Pull => Ok(self.pull()),
        }
    }

    /// The start of a connection: the mailbox, the prekeys, and whoever's bundle is waited for.
    fn link_up(&self, view: &View) -> Result<Draft, Stop> {
        let mut draft = self.pull();
        draft.requests.push(Request::PrekeyCount);
        draft.requests.extend(view.peers_waiting()?.into_iter().map(Request::Bundle));
        Ok(draft)
    }

    fn pull(&self) -> Draft {
        let pull = Ib::offline_batch(self.profile.chat.offline_batch);
        Draft { transmits: vec![pull.into()], ..Draft::default() }
    }
}
