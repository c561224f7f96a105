//! RO 1.0.1 (typing indicators; form: public clients): `<chatstate>`, what a user is doing right now.

use wa_binary::{Jid, Node};

use crate::error::StanzaError;
use crate::fields::Fields;

/// What a user is doing in a conversation. Neither stored by the server nor acked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chatstate {
    /// Whom it is for; present on what a client sends.
    pub to: Option<Jid>,
    /// Whose it is; stamped by the server.
    pub from: Option<Jid>,
    /// What the sender is doing.
    pub typing: Typing,
}

/// The states of [`Chatstate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Typing {
    /// The sender is writing a text.
    Composing,
    /// Recording a voice message.
    Recording,
    /// No longer either.
    Paused,
}

impl Chatstate {
    /// A state as a client sends it.
    #[must_use]
    pub fn new(to: Jid, typing: Typing) -> Self {
        Self { to: Some(to), from: None, typing }
    }
}

impl TryFrom<&Node> for Chatstate {
    type Error = StanzaError;

    fn try_from(node: &Node) -> Result<Self, StanzaError> {
        let fields = Fields::of(node, "chatstate")?;
        let typing = match fields.child_opt("composing") {
            Some(composing) if composing.text_opt("media").is_some_and(|media| media == *"audio") => {
                Typing::Recording
            }
            Some(_) => Typing::Composing,
            None => fields.child("paused").map(|_| Typing::Paused)?,
        };
        Ok(Self { to: fields.jid_opt("to")?, from: fields.jid_opt("from")?, typing })
    }
}

impl From<Chatstate> for Node {
    fn from(state: Chatstate) -> Self {
        let child = match state.typing {
            Typing::Composing => Self::new("composing"),
            Typing::Recording => Self::new("composing").with_attr("media", "audio"),
            Typing::Paused => Self::new("paused"),
        };
        Self::new("chatstate")
            .with_attr_opt("to", state.to)
            .with_attr_opt("from", state.from)
            .with_child(child)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors() {
        let error = |xml: &str| Chatstate::try_from(&xml.parse::<Node>().unwrap()).unwrap_err();
        for (xml, expected) in [
            ("<presence/>", StanzaError::WrongTag { expected: "chatstate" }),
            ("<chatstate/>", StanzaError::MissingChild { element: "chatstate", child: "paused" }),
            (
                "<chatstate from='@'><paused/></chatstate>",
                StanzaError::InvalidAttr { element: "chatstate", attr: "from" },
            ),
        ] {
            assert_eq!(error(xml), expected, "{xml}");
        }
    }
}
