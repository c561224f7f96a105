//! Overview §2.1 and the public clients: `<ack>`, a stanza was received.
//!
//! Messages, receipts, notifications and calls must be acked; what is not is sent again on the next
//! connection, and can end the stream.

use wa_binary::{Jid, Node, Str};

use crate::error::StanzaError;
use crate::fields::Fields;
use crate::message::Message;
use crate::notification::Notification;
use crate::receipt::Receipt;

/// A stanza was received, or refused if there is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The stanza's tag.
    pub class: Str,
    /// The stanza's id.
    pub id: Str,
    /// Whom it is for: the stanza's `from`; present on what a client sends.
    pub to: Option<Jid>,
    /// Who sent it.
    pub from: Option<Jid>,
    /// As in the stanza.
    pub participant: Option<Jid>,
    /// As in the stanza.
    pub recipient: Option<Jid>,
    /// The stanza's type; left out for messages.
    pub kind: Option<Str>,
    /// When the server received the stanza, seconds since 1970.
    pub t: Option<u64>,
    /// Why it was refused, such as 479 (not valid) from a server, 487 (not readable) or 491 (content not
    /// readable) from a client.
    pub error: Option<u16>,
}

impl Ack {
    /// The ack of any stanza that must be acked, typed or not. None for others, and for those that do not say
    /// what to ack.
    #[must_use]
    pub fn for_node(node: &Node) -> Option<Self> {
        if !matches!(node.tag(), "message" | "receipt" | "notification" | "call") {
            return None;
        }
        let jid = |attr| node.attr(attr).and_then(wa_binary::AttrValue::to_jid);
        let text = |attr| node.attr(attr).map(|value| Str::from(&*value.to_text()));
        Some(Self {
            to: Some(jid("from")?),
            participant: jid("participant"),
            recipient: jid("recipient"),
            kind: if node.is("message") { None } else { text("type") },
            ..Self::new(node.tag().into(), text("id")?)
        })
    }

    /// The refusal of a stanza that must be acked, as [`Ack::for_node`].
    #[must_use]
    pub fn refusing(node: &Node, error: u16) -> Option<Self> {
        Some(Self::for_node(node)?.with_error(error))
    }

    /// With an error, so that it refuses the stanza.
    #[must_use]
    pub fn with_error(mut self, error: u16) -> Self {
        self.error = Some(error);
        self
    }

    fn new(class: Str, id: Str) -> Self {
        Self {
            class,
            id,
            to: None,
            from: None,
            participant: None,
            recipient: None,
            kind: None,
            t: None,
            error: None,
        }
    }
}

impl From<&Message> for Ack {
    fn from(message: &Message) -> Self {
        Self {
            to: message.from.clone(),
            participant: message.participant.clone(),
            recipient: message.recipient.clone(),
            ..Self::new("message".into(), message.id.clone())
        }
    }
}

impl From<&Receipt> for Ack {
    fn from(receipt: &Receipt) -> Self {
        Self {
            to: receipt.from.clone(),
            participant: receipt.participant.clone(),
            recipient: receipt.recipient.clone(),
            kind: receipt.kind.as_str().map(Str::from),
            ..Self::new("receipt".into(), receipt.id.clone())
        }
    }
}

impl From<&Notification> for Ack {
    fn from(notification: &Notification) -> Self {
        Self {
            to: Some(notification.from.clone()),
            participant: notification.participant.clone(),
            kind: Some(notification.kind.clone()),
            ..Self::new("notification".into(), notification.id.clone())
        }
    }
}

impl TryFrom<&Node> for Ack {
    type Error = StanzaError;

    fn try_from(node: &Node) -> Result<Self, StanzaError> {
        let fields = Fields::of(node, "ack")?;
        Ok(Self {
            class: fields.text("class")?,
            id: fields.id()?,
            to: fields.jid_opt("to")?,
            from: fields.jid_opt("from")?,
            participant: fields.jid_opt("participant")?,
            recipient: fields.jid_opt("recipient")?,
            kind: fields.text_opt("type"),
            t: fields.number_opt("t")?,
            error: fields.number_opt("error")?,
        })
    }
}

impl From<Ack> for Node {
    fn from(ack: Ack) -> Self {
        Self::new("ack")
            .with_attr("class", ack.class)
            .with_attr("id", ack.id)
            .with_attr_opt("to", ack.to)
            .with_attr_opt("from", ack.from)
            .with_attr_opt("participant", ack.participant)
            .with_attr_opt("recipient", ack.recipient)
            .with_attr_opt("type", ack.kind)
            .with_attr_opt("t", ack.t)
            .with_attr_opt("error", ack.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors() {
        let error = |xml: &str| Ack::try_from(&xml.parse::<Node>().unwrap()).unwrap_err();
        assert_eq!(error("<iq/>"), StanzaError::WrongTag { expected: "ack" });
        assert_eq!(error("<ack id='1'/>"), StanzaError::MissingAttr { element: "ack", attr: "class" });
        assert_eq!(error("<ack class='message'/>"), StanzaError::MissingAttr { element: "ack", attr: "id" });
        assert_eq!(
            error("<ack class='message' id='1' error='many'/>"),
            StanzaError::InvalidAttr { element: "ack", attr: "error" }
        );
    }

    /// The ack of each class, from the node and from what it is parsed to.
    #[test]
    fn answers_each_class() {
        const GROUP: &str = "from='1-2@g.us' participant='55@lid' id='3EB0'";
        for (stanza, ack) in [
            (
                format!("<message {GROUP} type='text'/>"),
                "class='message' id='3EB0' to='1-2@g.us' participant='55@lid'",
            ),
            (format!("<receipt {GROUP}/>"), "class='receipt' id='3EB0' to='1-2@g.us' participant='55@lid'"),
            (
                format!("<receipt {GROUP} type='read'/>"),
                "class='receipt' id='3EB0' to='1-2@g.us' participant='55@lid' type='read'",
            ),
            (
                "<notification from='s.whatsapp.net' id='9' type='encrypt'/>".to_owned(),
                "class='notification' id='9' to='s.whatsapp.net' type='encrypt'",
            ),
        ] {
            let node: Node = stanza.parse().unwrap();
            let expected: Node = format!("<ack {ack}/>").parse().unwrap();
            assert_eq!(Ack::for_node(&node).map(Node::from), Some(expected.clone()));
            let typed = match node.tag() {
                "message" => Ack::from(&Message::try_from(&node).unwrap()),
                "receipt" => Ack::from(&Receipt::try_from(&node).unwrap()),
                _ => Ack::from(&Notification::try_from(&node).unwrap()),
            };
            assert_eq!(Node::from(typed), expected);
        }
    }

    #[test]
    fn refuses_what_says_enough() {
        let refusing =
            |xml: &str| Ack::refusing(&xml.parse().unwrap(), 487).map(|ack| Node::from(ack).to_string());
        let expected = r#"<ack class="call" id="9" to="55@lid" error="487"/>"#;
        assert_eq!(refusing("<call from='55@lid' id='9'/>").as_deref(), Some(expected));
        assert_eq!(refusing("<call from='55@lid'/>"), None);
        assert_eq!(refusing("<call id='9'/>"), None);
        assert_eq!(refusing("<iq from='55@lid' id='9'/>"), None);
    }
}
