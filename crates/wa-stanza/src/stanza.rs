//! Overview §2.1.1: all stanzas in one type.

use wa_binary::Node;

use crate::ack::Ack;
use crate::chatstate::Chatstate;
use crate::error::Malformed;
use crate::ib::Ib;
use crate::iq::Iq;
use crate::message::Message;
use crate::notification::Notification;
use crate::receipt::Receipt;
use crate::stream::{Failure, StreamError, Success};

/// One stanza, from either side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stanza {
    /// The login was accepted.
    Success(Success),
    /// The login was refused.
    Failure(Failure),
    /// The stream is about to end, and why.
    StreamError(StreamError),
    /// The stream ends.
    StreamEnd,
    /// A request or its answer.
    Iq(Iq),
    /// An encrypted message, in either direction.
    Message(Message),
    /// What became of a message.
    Receipt(Receipt),
    /// A stanza was received.
    Ack(Ack),
    /// Information about the connection.
    Ib(Ib),
    /// The server says that something changed.
    Notification(Notification),
    /// What a user is doing right now.
    Chatstate(Chatstate),
    /// A stanza with any other tag, whole.
    Other(Node),
}

impl TryFrom<Node> for Stanza {
    type Error = Malformed;

    /// Reads the stanza its tag says; only a known tag can fail.
    fn try_from(node: Node) -> Result<Self, Malformed> {
        let stanza = match node.tag() {
            "message" => Message::try_from(&node).map(Self::Message),
            "receipt" => Receipt::try_from(&node).map(Self::Receipt),
            "ack" => Ack::try_from(&node).map(Self::Ack),
            "iq" => Iq::try_from(&node).map(Self::Iq),
            "notification" => Notification::try_from(&node).map(Self::Notification),
            "chatstate" => Chatstate::try_from(&node).map(Self::Chatstate),
            "ib" => Ib::try_from(&node).map(Self::Ib),
            "success" => Success::try_from(&node).map(Self::Success),
            "failure" => Failure::try_from(&node).map(Self::Failure),
            "stream:error" => StreamError::try_from(&node).map(Self::StreamError),
            _ if node.is_stream_end() => Ok(Self::StreamEnd),
            _ => return Ok(Self::Other(node)),
        };
        stanza.map_err(|error| Malformed { error, node })
    }
}

impl From<Stanza> for Node {
    fn from(stanza: Stanza) -> Self {
        match stanza {
            Stanza::Success(success) => success.into(),
            Stanza::Failure(failure) => failure.into(),
            Stanza::StreamError(error) => error.into(),
            Stanza::StreamEnd => Self::stream_end(),
            Stanza::Iq(iq) => iq.into(),
            Stanza::Message(message) => message.into(),
            Stanza::Receipt(receipt) => receipt.into(),
            Stanza::Ack(ack) => ack.into(),
            Stanza::Ib(ib) => ib.into(),
            Stanza::Notification(notification) => notification.into(),
            Stanza::Chatstate(state) => state.into(),
            Stanza::Other(node) => node,
        }
    }
}

macro_rules! from_family {
    ($($family:ident),*) => {$(
        impl From<$family> for Stanza {
            fn from(value: $family) -> Self {
                Self::$family(value)
            }
        }
    )*};
}

from_family!(Success, Failure, StreamError, Iq, Message, Receipt, Ack, Ib, Notification, Chatstate);
