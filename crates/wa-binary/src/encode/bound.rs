//! Whether a node can be written, and how much room it takes (overview §2.1.2).

use crate::content::{AttrValue, NodeContent};
use crate::error::EncodeError;
use crate::jid::{Jid, Repr};
use crate::limits::Limits;
use crate::node::Node;
use crate::text::Str;

/// The longest bound of a frame whose nodes and attributes need not be counted: at its least size, one node too many or
/// one attribute too many has a longer one. Stanzas stay below it, so that they are gone through once.
const UNCOUNTED: usize = {
    let nodes = Limits::new().nodes * (LIST + TOKEN);
    let attrs = Limits::MAX_ATTRS * (TOKEN + TOKEN);
    if nodes < attrs { nodes } else { attrs }
};

/// Most bytes before a list: its tag and length.
const LIST: usize = 3;
/// Most bytes before bytes: their tag and length.
const BINARY: usize = 5;
/// Most bytes of a token.
const TOKEN: usize = 2;
/// Most bytes of a JID without its user and the text of its server.
const JID: usize = 32;

/// Checks a whole frame and bounds its encoded length.
///
/// What a reader with the default [`Limits`] would refuse is not written. Not inlined: what calls it is, for being short.
#[inline(never)]
pub(super) fn frame_bound(root: &Node) -> Result<usize, EncodeError> {
    let bound = node_bound(root, 1)?;
    if bound > UNCOUNTED {
        let limits = Limits::new();
        count(root, &mut Left { nodes: limits.nodes - 1, attrs: limits.attrs })?;
    }
    Ok(bound)
}

/// What may still be written.
struct Left {
    nodes: usize,
    attrs: usize,
}

/// Takes what is below a node, and its attributes, off what is left. The node is known not to be too deep.
fn count(node: &Node, left: &mut Left) -> Result<(), EncodeError> {
    let attrs = node.attrs.len();
    left.attrs = left.attrs.checked_sub(attrs).ok_or(EncodeError::TooManyAttrs)?;
    if attrs > Limits::MAX_ATTRS {
        return Err(EncodeError::TooManyAttrs);
    }
    let NodeContent::Nodes(nodes) = &node.content else { return Ok(()) };
    left.nodes = left.nodes.checked_sub(nodes.len()).ok_or(EncodeError::TooManyNodes)?;
    nodes.iter().try_for_each(|node| count(node, left))
}

/// Checks a node at this depth, the root's being 1, and bounds its encoded length.
fn node_bound(node: &Node, depth: usize) -> Result<usize, EncodeError> {
    if depth > Limits::MAX_DEPTH {
        return Err(EncodeError::TooDeep);
    }
    let name = LIST + name_bound(&node.tag)?;
    let attrs = if node.attrs.is_empty() { 0 } else { attrs_bound(&node.attrs)? };
    let content = match &node.content {
        NodeContent::Bytes(data) => checked(BINARY + data.len())?,
        NodeContent::Nodes(nodes) => nodes_bound(nodes, depth + 1)?,
        NodeContent::Empty => 0,
        NodeContent::Text(text) => checked(text.bound())?,
        NodeContent::Jid(jid) => jid_bound(jid)?,
    };
    Ok(name + attrs + content)
}

fn nodes_bound(nodes: &[Node], depth: usize) -> Result<usize, EncodeError> {
    let mut bound = LIST;
    for node in nodes {
        bound += match leaf_bound(node) {
            Some(leaf) if depth <= Limits::MAX_DEPTH => leaf,
            _ => node_bound(node, depth)?,
        };
    }
    Ok(bound)
}

/// The bound of what nodes are most often when there are many of them: a tag and few bytes.
#[inline]
fn leaf_bound(node: &Node) -> Option<usize> {
    match (node.tag.held_token(), &node.content) {
        (Some(_), NodeContent::Bytes(data)) if node.attrs.is_empty() && data.in_place().is_some() => {
            Some(LIST + TOKEN + BINARY + data.len())
        }
        _ => None,
    }
}

#[inline(never)]
fn attrs_bound(attrs: &[(Str, AttrValue)]) -> Result<usize, EncodeError> {
    let mut bound = 0;
    for (name, value) in attrs {
        bound += name_bound(name)?;
        bound += match value {
            AttrValue::Text(text) => checked(text.bound())?,
            AttrValue::Jid(jid) => jid_bound(jid)?,
        };
    }
    Ok(bound)
}

#[inline]
fn name_bound(name: &Str) -> Result<usize, EncodeError> {
    if name.is_blank() { Err(EncodeError::EmptyName) } else { checked(name.bound()) }
}

#[inline(never)]
fn jid_bound(jid: &Jid) -> Result<usize, EncodeError> {
    let (user, server) = match &jid.0 {
        Repr::Pair { user, server } => (user.as_ref(), server.as_str().len()),
        Repr::Device { user, .. } | Repr::Messenger { user, .. } => (Some(user), 0),
        Repr::Interop { .. } => (None, 0),
    };
    Ok(checked(user.map_or(0, Str::bound))? + checked(JID + server)?)
}

/// The length of one string with its header.
#[inline]
fn checked(length: usize) -> Result<usize, EncodeError> {
    if u32::try_from(length).is_ok() { Ok(length) } else { Err(EncodeError::TooLong) }
}
