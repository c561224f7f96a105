//! Overview §2.1.2: what an attribute holds, and what stands inside a node.

use std::borrow::Cow;

use bytes::Bytes;

use crate::data::Data;
use crate::jid::Jid;
use crate::node::Node;
use crate::text::Str;

/// The value of an attribute: text, or an address written as one.
///
/// The two stay apart, also when the text reads like an address, because they are written differently.
/// [`AttrValue::to_jid`] reads an address from either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttrValue {
    /// Text: a token, packed characters or UTF-8.
    Text(Str),
    /// An address with a JID tag.
    Jid(Jid),
}

impl AttrValue {
    /// The text, if it is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Jid(_) => None,
        }
    }

    /// Bytes that long text has allocated.
    pub(crate) fn allocated(&self) -> usize {
        match self {
            Self::Text(text) => text.allocated(),
            Self::Jid(jid) => jid.allocated(),
        }
    }

    /// The text, or the address as text.
    #[must_use]
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Jid(jid) => Cow::Owned(jid.to_string()),
        }
    }

    /// The address, or the address the text reads as. None if the text is not one.
    #[must_use]
    pub fn to_jid(&self) -> Option<Jid> {
        match self {
            Self::Text(text) => text.parse().ok(),
            Self::Jid(jid) => Some(jid.clone()),
        }
    }
}

impl From<Jid> for AttrValue {
    fn from(jid: Jid) -> Self {
        Self::Jid(jid)
    }
}

impl From<&Jid> for AttrValue {
    fn from(jid: &Jid) -> Self {
        Self::Jid(jid.clone())
    }
}

impl From<&AttrValue> for AttrValue {
    fn from(value: &AttrValue) -> Self {
        value.clone()
    }
}

macro_rules! text_values {
    ($($source:ty),*) => {$(
        impl From<$source> for AttrValue {
            fn from(text: $source) -> Self {
                Self::Text(text.into())
            }
        }
    )*};
}

text_values!(Str, &Str, &str, String, &String, u64, u32, u16, u8);

/// What stands inside a node.
///
/// On the wire this is a list of nodes or one string of bytes. A writer may write the bytes as
/// such, as a token or packed; [`NodeContent::Bytes`] and [`NodeContent::Text`] keep that apart so that a node is
/// written as it was read, but they are *equal* when their bytes are.
#[derive(Clone, Debug, Default)]
pub enum NodeContent {
    /// Nothing: the node is only a tag and attributes.
    #[default]
    Empty,
    /// Nodes; an empty list is not the same as nothing.
    Nodes(Vec<Node>),
    /// Bytes written as they are (tags 252–254).
    Bytes(Data),
    /// Bytes written as a token or packed; when neither is possible they are written as they are.
    Text(Str),
    /// An address. No stanza is known to use it, but the format allows it.
    Jid(Box<Jid>),
}

impl NodeContent {
    /// The bytes of [`NodeContent::Bytes`] or [`NodeContent::Text`].
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Text(text) => Some(text.as_bytes()),
            Self::Empty | Self::Nodes(_) | Self::Jid(_) => None,
        }
    }

    /// The nodes; none for every other content.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        match self {
            Self::Nodes(nodes) => nodes,
            Self::Empty | Self::Bytes(_) | Self::Text(_) | Self::Jid(_) => &[],
        }
    }

    /// The bytes of [`NodeContent::Bytes`] or [`NodeContent::Text`], without a copy where they are long.
    #[must_use]
    pub fn into_bytes(self) -> Option<Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes.into()),
            Self::Text(text) => Some(Bytes::copy_from_slice(text.as_bytes())),
            Self::Empty | Self::Nodes(_) | Self::Jid(_) => None,
        }
    }
}

impl PartialEq for NodeContent {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Empty, Self::Empty) => true,
            (Self::Nodes(a), Self::Nodes(b)) => a == b,
            (Self::Jid(a), Self::Jid(b)) => a == b,
            _ => match (self.as_bytes(), other.as_bytes()) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
        }
    }
}

impl Eq for NodeContent {}

impl From<Vec<Node>> for NodeContent {
    fn from(nodes: Vec<Node>) -> Self {
        Self::Nodes(nodes)
    }
}

impl From<Bytes> for NodeContent {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<Data> for NodeContent {
    fn from(data: Data) -> Self {
        Self::Bytes(data)
    }
}

impl From<Str> for NodeContent {
    fn from(text: Str) -> Self {
        Self::Text(text)
    }
}

impl From<AttrValue> for NodeContent {
    fn from(value: AttrValue) -> Self {
        match value {
            AttrValue::Text(text) => Self::Text(text),
            AttrValue::Jid(jid) => Self::from(jid),
        }
    }
}

impl From<Jid> for NodeContent {
    fn from(jid: Jid) -> Self {
        Self::Jid(Box::new(jid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_equal_by_its_bytes() {
        assert_eq!(NodeContent::from(Bytes::from_static(b"12")), NodeContent::Text("12".into()));
        assert_ne!(NodeContent::from(Bytes::from_static(b"12")), NodeContent::Text("13".into()));
        assert_ne!(NodeContent::Nodes(Vec::new()), NodeContent::Empty);
        assert_ne!(NodeContent::Nodes(Vec::new()), NodeContent::from(Bytes::new()));
        assert_ne!(NodeContent::from(Jid::whatsapp()), NodeContent::Text("s.whatsapp.net".into()));
        assert_eq!(NodeContent::from(Jid::whatsapp()), NodeContent::Jid(Box::new(Jid::whatsapp())));
    }

    #[test]
    fn text_and_address_stay_apart() {
        let text = AttrValue::from("14155551001@s.whatsapp.net");
        let jid = AttrValue::from(Jid::phone("14155551001").unwrap());
        assert_ne!(text, jid);
        assert_eq!(text.to_jid(), jid.to_jid());
        assert_eq!(text.to_text(), jid.to_text());
        assert_eq!((text.as_str(), jid.as_str()), (Some("14155551001@s.whatsapp.net"), None));
        assert_eq!(AttrValue::from("a@b@c").to_jid(), None);
    }
}
