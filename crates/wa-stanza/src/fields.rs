//! Overview §2.1.1: reading attributes and content of one element, with the exact error.

use std::str::FromStr;

use bytes::Bytes;
use wa_binary::{AttrValue, Jid, Node, NodeContent, Str};

use crate::error::StanzaError;

/// Bytes of the longest id of a message or of any stanza that must be acked (our choice; public clients write 16 to 32).
///
/// An id becomes the name of a row, and is written back into acks and receipts.
pub const MAX_ID: usize = 128;

/// The attributes and the content of an element, whose tag is known.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    attrs: &'a [(Str, AttrValue)],
    content: &'a NodeContent,
    element: &'static str,
}

impl<'a> Fields<'a> {
    /// Checks the tag.
    pub(crate) fn of(node: &'a Node, element: &'static str) -> Result<Self, StanzaError> {
        if node.is(element) {
            Ok(Self { attrs: node.attrs(), content: node.content(), element })
        } else {
            Err(StanzaError::WrongTag { expected: element })
        }
    }

    /// Content without its element's attributes.
    pub(crate) fn of_content(content: &'a NodeContent, element: &'static str) -> Self {
        Self { attrs: &[], content, element }
    }

    /// The first child of that tag.
    pub(crate) fn child(self, child: &'static str) -> Result<Self, StanzaError> {
        self.child_opt(child).ok_or(StanzaError::MissingChild { element: self.element, child })
    }

    /// The first child of that tag, if there is one.
    pub(crate) fn child_opt(self, child: &'static str) -> Option<Self> {
        self.children(child).next()
    }

    /// The first child, whatever its tag; in errors it has this name.
    pub(crate) fn first(self, name: &'static str) -> Option<Self> {
        let node = self.content.nodes().first()?;
        Some(Self { attrs: node.attrs(), content: node.content(), element: name })
    }

    /// All children of that tag.
    pub(crate) fn children(self, child: &'static str) -> impl Iterator<Item = Fields<'a>> {
        self.content.nodes().iter().filter_map(move |node| Fields::of(node, child).ok())
    }

    /// The children of none of these tags.
    pub(crate) fn others(self, known: &[&str]) -> Vec<Node> {
        self.content.nodes().iter().filter(|node| !known.contains(&node.tag())).cloned().collect()
    }

    /// An attribute as text.
    pub(crate) fn text(self, attr: &'static str) -> Result<Str, StanzaError> {
        self.text_opt(attr).ok_or_else(|| self.missing(attr))
    }

    /// An attribute as text, if it is there.
    pub(crate) fn text_opt(self, attr: &'static str) -> Option<Str> {
        Some(match self.attr(attr)? {
            AttrValue::Text(text) => text.clone(),
            AttrValue::Jid(jid) => jid.to_string().into(),
        })
    }

    /// The attribute `id` of a stanza, a message or what is said about one.
    pub(crate) fn id(self) -> Result<Str, StanzaError> {
        let id = self.text("id")?;
        if id.as_bytes().len() > MAX_ID { Err(self.invalid("id")) } else { Ok(id) }
    }

    /// An attribute as an address.
    pub(crate) fn jid(self, attr: &'static str) -> Result<Jid, StanzaError> {
        self.jid_opt(attr)?.ok_or_else(|| self.missing(attr))
    }

    /// An attribute as an address, if it is there.
    pub(crate) fn jid_opt(self, attr: &'static str) -> Result<Option<Jid>, StanzaError> {
        match self.attr(attr) {
            None => Ok(None),
            Some(value) => {
                let jid = value.to_jid().filter(is_short);
                jid.map(Some).ok_or_else(|| self.invalid(attr))
            }
        }
    }

    /// An attribute as an unsigned decimal number.
    pub(crate) fn number<N: FromStr>(self, attr: &'static str) -> Result<N, StanzaError> {
        self.number_opt(attr)?.ok_or_else(|| self.missing(attr))
    }

    /// An attribute as an unsigned decimal number, if it is there.
    pub(crate) fn number_opt<N: FromStr>(self, attr: &'static str) -> Result<Option<N>, StanzaError> {
        let Some(text) = self.text_opt(attr) else { return Ok(None) };
        let digits = text.as_bytes().iter().all(u8::is_ascii_digit);
        let number = if digits { text.parse().ok() } else { None };
        number.map(Some).ok_or_else(|| self.invalid(attr))
    }

    /// The content as bytes.
    pub(crate) fn bytes(self) -> Result<Bytes, StanzaError> {
        match self.content {
            NodeContent::Bytes(bytes) => Ok(bytes.to_bytes()),
            content => match content.as_bytes() {
                Some(bytes) => Ok(Bytes::copy_from_slice(bytes)),
                None => Err(StanzaError::NotBytes { element: self.element }),
            },
        }
    }

    /// The content as exactly `N` bytes.
    pub(crate) fn array<const N: usize>(self) -> Result<[u8; N], StanzaError> {
        let bytes = self.content.as_bytes().ok_or(StanzaError::NotBytes { element: self.element })?;
        bytes.try_into().map_err(|_| StanzaError::Length {
            element: self.element,
            expected: N,
            found: bytes.len(),
        })
    }

    pub(crate) fn invalid(self, attr: &'static str) -> StanzaError {
        StanzaError::InvalidAttr { element: self.element, attr }
    }

    fn attr(self, attr: &str) -> Option<&'a AttrValue> {
        self.attrs.iter().find(|(name, _)| *name == *attr).map(|(_, value)| value)
    }

    fn missing(self, attr: &'static str) -> StanzaError {
        StanzaError::MissingAttr { element: self.element, attr }
    }
}

/// Whether an address is short enough to name a row: as an id.
fn is_short(jid: &Jid) -> bool {
    jid.user_bytes().map_or(0, |user| user.len()) + jid.server().len() <= MAX_ID
}
