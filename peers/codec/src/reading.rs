//! Reading every byte of a decoded node, on both sides alike, so that laziness gains nothing.

use std::num::Wrapping;

use wa_binary::{AttrValue, Jid, Node, NodeContent};
use wacore_binary::node::ValueRef;
use wacore_binary::{JidRef, NodeContentRef, NodeRef};

/// The sum of all our node holds: tags, names, values, users, servers and devices of JIDs, contents.
pub fn sum_ours(node: &Node) -> Wrapping<u64> {
    let attrs = node.attrs().iter().map(|(name, value)| {
        sum(name.as_bytes())
            + match value {
                AttrValue::Text(text) => sum(text.as_bytes()),
                AttrValue::Jid(jid) => sum_our_jid(jid),
            }
    });
    let content = match node.content() {
        NodeContent::Empty => Wrapping(0),
        NodeContent::Nodes(nodes) => nodes.iter().map(sum_ours).sum(),
        NodeContent::Bytes(bytes) => sum(bytes),
        NodeContent::Text(text) => sum(text.as_bytes()),
        NodeContent::Jid(jid) => sum_our_jid(jid),
    };
    sum(node.tag().as_bytes()) + attrs.sum::<Wrapping<u64>>() + content
}

/// The same sum of the reference's node.
pub fn sum_reference(node: &NodeRef<'_>) -> Wrapping<u64> {
    let attrs = node.attrs_iter().map(|(name, value)| {
        sum(name.as_bytes())
            + match value {
                ValueRef::String(text) => sum(text.as_bytes()),
                ValueRef::Jid(jid) => sum_reference_jid(jid),
            }
    });
    let content = match &node.content {
        None => Wrapping(0),
        Some(NodeContentRef::Nodes(nodes)) => nodes.iter().map(sum_reference).sum(),
        Some(NodeContentRef::Bytes(bytes)) => sum(bytes),
        Some(NodeContentRef::String(text)) => sum(text.as_bytes()),
    };
    sum(node.tag.as_bytes()) + attrs.sum::<Wrapping<u64>>() + content
}

fn sum_our_jid(jid: &Jid) -> Wrapping<u64> {
    let user = jid.user_bytes().map_or(Wrapping(0), |user| sum(&user));
    user + sum(jid.server().as_bytes()) + Wrapping(jid.device().into())
}

fn sum_reference_jid(jid: &JidRef<'_>) -> Wrapping<u64> {
    sum(jid.user.as_bytes()) + sum(jid.server.as_str().as_bytes()) + Wrapping(jid.device.into())
}

/// Many bytes at a time, the last of them perhaps twice, so that what is measured is the codec more than the sum.
fn sum(bytes: &[u8]) -> Wrapping<u64> {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let eights = bytes[8..].as_chunks::<8>().0.iter().map(|eight| Wrapping(u64::from_le_bytes(*eight)));
        return Wrapping(u64::from_le_bytes(*first))
            + Wrapping(u64::from_le_bytes(*last))
            + eights.sum::<Wrapping<u64>>();
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return Wrapping(u64::from(first) + u64::from(last));
    }
    match bytes {
        [] => Wrapping(0),
        [first, .., last] => Wrapping(u64::from(*first) + u64::from(bytes[1]) + u64::from(*last)),
        [only] => Wrapping((*only).into()),
    }
}
