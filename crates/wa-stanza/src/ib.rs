//! Overview §2.1.1: `<ib>`, information about the connection (children: public clients).

use bytes::Bytes;
use wa_binary::{Jid, Node, Str};

use crate::error::StanzaError;
use crate::fields::Fields;

/// Information from the server, or a client's request for its mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ib {
    /// Who sent it; absent on what a client sends.
    pub from: Option<Jid>,
    /// What it says, mostly one item.
    pub items: Vec<IbItem>,
}

/// The children of [`Ib`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IbItem {
    /// From the server: the mailbox is empty now; so many stanzas were in it.
    Offline {
        /// The number of stanzas that were waiting.
        count: u32,
    },
    /// From the server: what waits in the mailbox.
    OfflinePreview {
        /// The number of all stanzas that wait.
        count: u32,
        /// Messages among them.
        message: u32,
        /// Notifications among them.
        notification: u32,
        /// Receipts among them.
        receipt: u32,
        /// Changes of application data among them.
        appdata: u32,
    },
    /// From a client: send so many stanzas from the mailbox.
    OfflineBatch {
        /// The number of stanzas that are wanted at once.
        count: u32,
    },
    /// From the server: something kept by the client is out of date.
    Dirty {
        /// What is out of date.
        kind: Str,
        /// Since when, seconds since 1970.
        timestamp: Option<u64>,
    },
    /// From the server: what to send before the next connection's first frame.
    EdgeRouting {
        /// Bytes that the client gives back when it connects again; their form is the server's own.
        routing_info: Bytes,
    },
    /// An element that is not modelled.
    Other(Node),
}

impl Ib {
    /// A client's request for the next stanzas of its mailbox.
    #[must_use]
    pub fn offline_batch(count: u32) -> Self {
        Self { from: None, items: vec![IbItem::OfflineBatch { count }] }
    }
}

impl IbItem {
    fn from_node(node: &Node) -> Result<Self, StanzaError> {
        Ok(match node.tag() {
            "offline" => Self::Offline { count: Fields::of(node, "offline")?.number("count")? },
            "offline_batch" => {
                Self::OfflineBatch { count: Fields::of(node, "offline_batch")?.number("count")? }
            }
            "offline_preview" => {
                let preview = Fields::of(node, "offline_preview")?;
                let number = |attr| Ok(preview.number_opt(attr)?.unwrap_or_default());
                Self::OfflinePreview {
                    count: preview.number("count")?,
                    message: number("message")?,
                    notification: number("notification")?,
                    receipt: number("receipt")?,
                    appdata: number("appdata")?,
                }
            }
            "dirty" => {
                let dirty = Fields::of(node, "dirty")?;
                Self::Dirty { kind: dirty.text("type")?, timestamp: dirty.number_opt("timestamp")? }
            }
            "edge_routing" => {
                let routing_info = Fields::of(node, "edge_routing")?.child("routing_info")?.bytes()?;
                Self::EdgeRouting { routing_info }
            }
            _ => Self::Other(node.clone()),
        })
    }
}

impl From<IbItem> for Node {
    fn from(item: IbItem) -> Self {
        match item {
            IbItem::Offline { count } => Self::new("offline").with_attr("count", count),
            IbItem::OfflineBatch { count } => Self::new("offline_batch").with_attr("count", count),
            IbItem::OfflinePreview { count, message, notification, receipt, appdata } => {
                Self::new("offline_preview")
                    .with_attr("count", count)
                    .with_attr("message", message)
                    .with_attr("notification", notification)
                    .with_attr("receipt", receipt)
                    .with_attr("appdata", appdata)
            }
            IbItem::Dirty { kind, timestamp } => {
                Self::new("dirty").with_attr("type", kind).with_attr_opt("timestamp", timestamp)
            }
            IbItem::EdgeRouting { routing_info } => {
                Self::new("edge_routing").with_child(Self::new("routing_info").with_bytes(routing_info))
            }
            IbItem::Other(node) => node,
        }
    }
}

impl TryFrom<&Node> for Ib {
    type Error = StanzaError;

    fn try_from(node: &Node) -> Result<Self, StanzaError> {
        let fields = Fields::of(node, "ib")?;
        let items = node.children().iter().map(IbItem::from_node).collect::<Result<_, _>>()?;
        Ok(Self { from: fields.jid_opt("from")?, items })
    }
}

impl From<Ib> for Node {
    fn from(ib: Ib) -> Self {
        let node = Self::new("ib").with_attr_opt("from", ib.from);
        if ib.items.is_empty() { node } else { node.with_children(ib.items.into_iter().map(Self::from)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors() {
        let error = |xml: &str| Ib::try_from(&xml.parse::<Node>().unwrap()).unwrap_err();
        let missing = |element, attr| StanzaError::MissingAttr { element, attr };
        let invalid = |element, attr| StanzaError::InvalidAttr { element, attr };
        for (xml, expected) in [
            ("<iq/>", StanzaError::WrongTag { expected: "ib" }),
            ("<ib from='a@'/>", invalid("ib", "from")),
            ("<ib><offline/></ib>", missing("offline", "count")),
            ("<ib><offline count='4294967296'/></ib>", invalid("offline", "count")),
            ("<ib><offline_batch/></ib>", missing("offline_batch", "count")),
            ("<ib><offline_preview message='1'/></ib>", missing("offline_preview", "count")),
            ("<ib><offline_preview count='1' message='x'/></ib>", invalid("offline_preview", "message")),
            ("<ib><dirty/></ib>", missing("dirty", "type")),
            (
                "<ib><edge_routing/></ib>",
                StanzaError::MissingChild { element: "edge_routing", child: "routing_info" },
            ),
            (
                "<ib><edge_routing><routing_info/></edge_routing></ib>",
                StanzaError::NotBytes { element: "routing_info" },
            ),
        ] {
            assert_eq!(error(xml), expected, "{xml}");
        }
    }
}
