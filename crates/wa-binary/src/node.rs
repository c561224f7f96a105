//! Overview §2.1.1 and §2.1.2: the node, one element of the chat protocol's XML.

use crate::content::{AttrValue, NodeContent};
use crate::data::Data;
use crate::jid::Jid;
use crate::text::Str;

/// One element: a tag, attributes in order, and content. Owned, without lifetimes.
///
/// Attributes keep their order and may repeat. `Display` and `FromStr` are the XML form (see the crate's
/// documentation); `Debug` prints the same.
///
/// ```
/// use wa_binary::{Jid, Node};
///
/// let ping = Node::new("iq")
///     .with_attr("id", "26")
///     .with_attr("type", "get")
///     .with_attr("xmlns", "w:p")
///     .with_attr("to", Jid::whatsapp());
/// assert_eq!(ping.to_string(), r#"<iq id="26" type="get" xmlns="w:p" to="s.whatsapp.net"/>"#);
/// assert_eq!(ping.attr_str("xmlns"), Some("w:p"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Node {
    pub(crate) tag: Str,
    pub(crate) attrs: Vec<(Str, AttrValue)>,
    pub(crate) content: NodeContent,
}

impl Node {
    /// A node without attributes and content. An empty tag cannot be written.
    #[must_use]
    pub fn new(tag: impl Into<Str>) -> Self {
        Self { tag: tag.into(), attrs: Vec::new(), content: NodeContent::Empty }
    }

    /// The node that ends a stream, `F8 01 02` on the wire.
    #[must_use]
    pub fn stream_end() -> Self {
        Self::new(STREAM_END)
    }

    /// With one more attribute.
    #[must_use]
    pub fn with_attr(mut self, name: impl Into<Str>, value: impl Into<AttrValue>) -> Self {
        self.attrs.push((name.into(), value.into()));
        self
    }

    /// With one more attribute, if there is a value.
    #[must_use]
    pub fn with_attr_opt(self, name: impl Into<Str>, value: Option<impl Into<AttrValue>>) -> Self {
        match value {
            Some(value) => self.with_attr(name, value),
            None => self,
        }
    }

    /// With these nodes as content, after those already there.
    #[must_use]
    pub fn with_children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        match &mut self.content {
            NodeContent::Nodes(nodes) => nodes.extend(children),
            content => *content = NodeContent::Nodes(children.into_iter().collect()),
        }
        self
    }

    /// With one more node as content.
    #[must_use]
    pub fn with_child(self, child: Self) -> Self {
        self.with_children([child])
    }

    /// With bytes as content.
    #[must_use]
    pub fn with_bytes(self, bytes: impl Into<Data>) -> Self {
        self.with_content(NodeContent::Bytes(bytes.into()))
    }

    /// With text as content, written as a token or packed where possible.
    #[must_use]
    pub fn with_text(self, text: impl Into<Str>) -> Self {
        self.with_content(NodeContent::Text(text.into()))
    }

    /// With other content.
    #[must_use]
    pub fn with_content(mut self, content: NodeContent) -> Self {
        self.content = content;
        self
    }

    /// Bytes that the node has allocated beside its own size: nodes, attributes and strings that are not held in place.
    /// Content that is a slice of shared bytes, such as the frame it was read from, is not counted.
    #[must_use]
    pub fn allocated(&self) -> usize {
        let strings = |(name, value): &(Str, AttrValue)| name.allocated() + value.allocated();
        let attrs = self.attrs.capacity() * size_of::<(Str, AttrValue)>();
        let content = match &self.content {
            NodeContent::Nodes(nodes) => {
                nodes.capacity() * size_of::<Self>() + nodes.iter().map(Self::allocated).sum::<usize>()
            }
            NodeContent::Text(text) => text.allocated(),
            NodeContent::Jid(jid) => size_of::<Jid>() + jid.allocated(),
            NodeContent::Empty | NodeContent::Bytes(_) => 0,
        };
        self.tag.allocated() + attrs + self.attrs.iter().map(strings).sum::<usize>() + content
    }

    /// The tag, such as `message`.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Whether the tag is `tag`.
    #[must_use]
    pub fn is(&self, tag: &str) -> bool {
        self.tag == *tag
    }

    /// Whether this is the end of a stream.
    #[must_use]
    pub fn is_stream_end(&self) -> bool {
        self.is(STREAM_END) && self.attrs.is_empty() && self.content == NodeContent::Empty
    }

    /// The attributes in order.
    #[must_use]
    pub fn attrs(&self) -> &[(Str, AttrValue)] {
        &self.attrs
    }

    /// The first attribute of that name.
    #[must_use]
    pub fn attr(&self, name: &str) -> Option<&AttrValue> {
        self.attrs.iter().find(|(key, _)| *key == *name).map(|(_, value)| value)
    }

    /// The first attribute of that name, if it is text.
    #[must_use]
    pub fn attr_str(&self, name: &str) -> Option<&str> {
        self.attr(name)?.as_str()
    }

    /// The content: nodes, bytes, text, or nothing.
    #[must_use]
    pub fn content(&self) -> &NodeContent {
        &self.content
    }

    /// The content, taken out.
    #[must_use]
    pub fn into_content(self) -> NodeContent {
        self.content
    }

    /// The nodes inside; none if the content is not nodes.
    #[must_use]
    pub fn children(&self) -> &[Self] {
        self.content.nodes()
    }

    /// The first node inside with that tag.
    #[must_use]
    pub fn child(&self, tag: &str) -> Option<&Self> {
        self.children().iter().find(|child| child.is(tag))
    }

    /// The bytes inside, however they are written; none if the content is not bytes.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        self.content.as_bytes()
    }
}

const STREAM_END: &str = "xmlstreamend";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size_of::<Node>(), 88);
        assert_eq!(size_of::<(Str, AttrValue)>(), 64);
    }

    #[test]
    fn what_is_allocated_is_counted() {
        // The text stands behind two counters; up to 22 bytes of it stand in place, as tokens do.
        let text = |length: usize| "x".repeat(length);
        let long = 16 + 23;
        assert_eq!(Node::new("message").with_text("receipt").allocated(), 0);
        assert_eq!(Node::new(text(22).as_str()).with_text(text(23)).allocated(), long);
        assert_eq!(Node::new(text(23).as_str()).with_bytes(text(100)).allocated(), long);
        let attrs = Node::new("a").with_attr(text(23).as_str(), text(23)).with_attr("b", "c");
        assert_eq!(attrs.allocated(), 64 * attrs.attrs.capacity() + 2 * long);
        let parent = Node::new("a").with_children([Node::new(text(23).as_str()), Node::new("b")]);
        assert_eq!(parent.allocated(), 88 * 2 + long);
        let addressed =
            |jid: &str| Node::new("a").with_content(NodeContent::from(jid.parse::<Jid>().unwrap()));
        let size = size_of::<Jid>();
        assert_eq!(addressed("1@s.whatsapp.net").allocated(), size);
        assert_eq!(addressed(&format!("{}@{}", text(23), text(9))).allocated(), size + long + 9);
        let jid = format!("{}@lid", text(23)).parse::<Jid>().unwrap();
        assert_eq!(Node::new("a").with_attr("b", jid).allocated() % 64, long);
    }

    #[test]
    fn keeps_order_and_repeats() {
        let node = Node::new("a").with_attr("b", "1").with_attr("a", "2").with_attr("b", "3");
        let pairs: Vec<_> = node.attrs().iter().map(|(name, value)| (&**name, value.to_text())).collect();
        assert_eq!(pairs, [("b", "1".into()), ("a", "2".into()), ("b", "3".into())]);
        assert_eq!(node.attr_str("b"), Some("1"));
        assert_eq!(node.attr("c"), None);
    }

    #[test]
    fn reads_what_is_inside() {
        let node =
            Node::new("list").with_child(Node::new("item").with_bytes("x")).with_children([Node::new("end")]);
        assert_eq!(node.children().len(), 2);
        assert_eq!(node.child("item").and_then(Node::bytes), Some(&b"x"[..]));
        assert_eq!(node.child("none"), None);
        assert_eq!(node.bytes(), None);
        assert!(Node::stream_end().is_stream_end());
        assert!(!Node::stream_end().with_attr("a", "b").is_stream_end());
    }
}
