//! Overview §2.1.1: `<receipt>`, what became of a message at its recipient (types: public clients).

use wa_binary::{Jid, Node, Str};

use crate::error::StanzaError;
use crate::fields::Fields;
use crate::message::Message;
use crate::retry::Retry;

/// A receipt for one or several messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The message, or the first of several.
    pub id: Str,
    /// More messages (`<list><item id/></list>`).
    pub more_ids: Vec<Str>,
    /// Whom it is for: the sender of the messages; present on what a client sends.
    pub to: Option<Jid>,
    /// Who sent it.
    pub from: Option<Jid>,
    /// Who sent the message (to a group), or who sent the receipt (from a group).
    pub participant: Option<Jid>,
    /// Whom the message was for, if one's own other device sent it.
    pub recipient: Option<Jid>,
    /// What became of it.
    pub kind: ReceiptKind,
    /// When, seconds since 1970.
    pub t: Option<u64>,
    /// Present if it waited in the mailbox.
    pub offline: Option<u32>,
    /// Children that are not modelled.
    pub children: Vec<Node>,
}

/// The types of receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiptKind {
    /// Delivered; the type is left out.
    Delivery,
    /// The messages were read.
    Read,
    /// Played (voice), or viewed (once).
    Played,
    /// Delivered to a device that is not in use.
    Inactive,
    /// Its media could not be downloaded.
    ServerError,
    /// It could not be decrypted: send it again.
    Retry(Box<Retry>),
    /// A type that is not modelled.
    Other(Str),
}

impl Receipt {
    /// A receipt as a client sends it.
    #[must_use]
    pub fn new(to: Jid, id: impl Into<Str>, kind: ReceiptKind) -> Self {
        Self {
            id: id.into(),
            more_ids: Vec::new(),
            to: Some(to),
            from: None,
            participant: None,
            recipient: None,
            kind,
            t: None,
            offline: None,
            children: Vec::new(),
        }
    }

    /// A receipt to the sender of a message, as a client sends it. None if the message does not say who sent it.
    #[must_use]
    pub fn for_message(message: &Message, kind: ReceiptKind) -> Option<Self> {
        Some(Self {
            participant: message.participant.clone(),
            recipient: message.recipient.clone(),
            ..Self::new(message.from.clone()?, message.id.clone(), kind)
        })
    }

    /// With more messages.
    #[must_use]
    pub fn with_more_ids(mut self, ids: impl IntoIterator<Item = Str>) -> Self {
        self.more_ids.extend(ids);
        self
    }

    /// With the time of the event, seconds since 1970.
    #[must_use]
    pub fn with_t(mut self, t: u64) -> Self {
        self.t = Some(t);
        self
    }

    /// All messages it is for.
    pub fn ids(&self) -> impl Iterator<Item = &Str> {
        std::iter::once(&self.id).chain(&self.more_ids)
    }
}

impl ReceiptKind {
    /// The word on the wire; none for a delivery.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Delivery => None,
            Self::Read => Some("read"),
            Self::Played => Some("played"),
            Self::Inactive => Some("inactive"),
            Self::ServerError => Some("server-error"),
            Self::Retry(_) => Some("retry"),
            Self::Other(word) => Some(word),
        }
    }

    fn from_fields(receipt: Fields<'_>) -> Result<Self, StanzaError> {
        let Some(word) = receipt.text_opt("type") else { return Ok(Self::Delivery) };
        Ok(match &*word {
            "read" => Self::Read,
            "played" => Self::Played,
            "inactive" => Self::Inactive,
            "server-error" => Self::ServerError,
            "retry" => Self::Retry(Box::new(Retry::from_fields(receipt)?)),
            _ => Self::Other(word),
        })
    }
}

impl TryFrom<&Node> for Receipt {
    type Error = StanzaError;

    fn try_from(node: &Node) -> Result<Self, StanzaError> {
        let fields = Fields::of(node, "receipt")?;
        let kind = ReceiptKind::from_fields(fields)?;
        let known: &[&str] = match kind {
            ReceiptKind::Retry(_) => &["list", "retry", "registration", "keys"],
            _ => &["list"],
        };
        let more_ids = match fields.child_opt("list") {
            Some(list) => list.children("item").map(|item| item.id()).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        Ok(Self {
            id: fields.id()?,
            more_ids,
            to: fields.jid_opt("to")?,
            from: fields.jid_opt("from")?,
            participant: fields.jid_opt("participant")?,
            recipient: fields.jid_opt("recipient")?,
            kind,
            t: fields.number_opt("t")?,
            offline: fields.number_opt("offline")?,
            children: fields.others(known),
        })
    }
}

impl From<Receipt> for Node {
    fn from(receipt: Receipt) -> Self {
        let node = Self::new("receipt")
            .with_attr_opt("to", receipt.to)
            .with_attr_opt("from", receipt.from)
            .with_attr_opt("participant", receipt.participant)
            .with_attr_opt("recipient", receipt.recipient)
            .with_attr("id", receipt.id)
            .with_attr_opt("type", receipt.kind.as_str())
            .with_attr_opt("t", receipt.t)
            .with_attr_opt("offline", receipt.offline);
        let mut children = match receipt.kind {
            ReceiptKind::Retry(retry) => retry.into_nodes(),
            _ => Vec::new(),
        };
        if !receipt.more_ids.is_empty() {
            let items = receipt.more_ids.into_iter().map(|id| Self::new("item").with_attr("id", id));
            children.push(Self::new("list").with_children(items));
        }
        children.extend(receipt.children);
        if children.is_empty() { node } else { node.with_children(children) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors() {
        let error = |xml: &str| Receipt::try_from(&xml.parse::<Node>().unwrap()).unwrap_err();
        let missing = |element, attr| StanzaError::MissingAttr { element, attr };
        for (xml, expected) in [
            ("<ack/>", StanzaError::WrongTag { expected: "receipt" }),
            ("<receipt from='1@lid'/>", missing("receipt", "id")),
            ("<receipt id='1' to='a@'/>", StanzaError::InvalidAttr { element: "receipt", attr: "to" }),
            ("<receipt id='1' t='1.5'/>", StanzaError::InvalidAttr { element: "receipt", attr: "t" }),
            ("<receipt id='1'><list><item/></list></receipt>", missing("item", "id")),
            (
                "<receipt id='1' type='retry'/>",
                StanzaError::MissingChild { element: "receipt", child: "retry" },
            ),
        ] {
            assert_eq!(error(xml), expected, "{xml}");
        }
    }

    #[test]
    fn answers_a_message() {
        let xml = "<message from='1-2@g.us' participant='55@lid' id='3EB0' type='text'/>";
        let message = Message::try_from(&xml.parse::<Node>().unwrap()).unwrap();
        let receipt = Receipt::for_message(&message, ReceiptKind::Read).unwrap();
        let receipt = receipt.with_t(9).with_more_ids(["3EB1".into()]);
        assert_eq!(receipt.ids().map(Str::as_str).collect::<Vec<_>>(), ["3EB0", "3EB1"]);
        let expected = "<receipt to='1-2@g.us' participant='55@lid' id='3EB0' type='read' t='9'>\
                        <list><item id='3EB1'/></list></receipt>";
        assert_eq!(Node::from(receipt), expected.parse().unwrap());
        let xml = "<message to='55@lid' id='3EB0' type='text'/>";
        let own = Message::try_from(&xml.parse::<Node>().unwrap()).unwrap();
        assert_eq!(Receipt::for_message(&own, ReceiptKind::Delivery), None);
    }
}
