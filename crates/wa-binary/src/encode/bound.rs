//! Seed §2.1.2: whether a node can be written, and how much room it takes.

use crate::content::{Content, Value};
use crate::error::EncodeError;
use crate::jid::{Jid, Repr};
use crate::limits::Limits;
use crate::node::Node;
use crate::text::Str;

/// What may still be written. A node that a reader with the default [`Limits`] would refuse is not written.
pub(super) struct Left {
    nodes: usize,
    attrs: usize,
}

impl Left {
    /// For a whole frame, whose root is one node.
    pub(super) const fn new() -> Self {
        let limits = Limits::new();
        Self { nodes: limits.nodes - 1, attrs: limits.attrs }
    }
}

/// Checks a node at this depth, the root's being 1, and bounds its encoded length.
pub(super) fn node_bound(node: &Node, depth: usize, left: &mut Left) -> Result<usize, EncodeError> {
    if depth > Limits::MAX_DEPTH {
        return Err(EncodeError::TooDeep);
    }
    let name = LIST + name_bound(&node.tag)?;
    let attrs = if node.attrs.is_empty() { 0 } else { attrs_bound(&node.attrs, left)? };
    let content = match &node.content {
        Content::Bytes(data) => checked(BINARY + data.len())?,
        Content::Nodes(nodes) => nodes_bound(nodes, depth + 1, left)?,
        Content::Empty => 0,
        Content::Text(text) => checked(text.bound())?,
        Content::Jid(jid) => jid_bound(jid)?,
    };
    Ok(name + attrs + content)
}

/// Most bytes before a list: its tag and length.
const LIST: usize = 3;
/// Most bytes before bytes: their tag and length.
const BINARY: usize = 5;
/// Most bytes of a token.
const TOKEN: usize = 2;
/// Most bytes of a JID without its user and the text of its server.
const JID: usize = 32;

fn nodes_bound(nodes: &[Node], depth: usize, left: &mut Left) -> Result<usize, EncodeError> {
    left.nodes = left.nodes.checked_sub(nodes.len()).ok_or(EncodeError::TooManyNodes)?;
    let mut bound = LIST;
    for node in nodes {
        bound += match leaf_bound(node) {
            Some(leaf) if depth <= Limits::MAX_DEPTH => leaf,
            _ => node_bound(node, depth, left)?,
        };
    }
    Ok(bound)
}

/// The bound of what nodes are most often when there are many of them: a tag and few bytes.
#[inline]
fn leaf_bound(node: &Node) -> Option<usize> {
    match (node.tag.held_token(), &node.content) {
        (Some(_), Content::Bytes(data)) if node.attrs.is_empty() && data.in_place().is_some() => {
            Some(LIST + TOKEN + BINARY + data.len())
        }
        _ => None,
    }
}

#[inline(never)]
fn attrs_bound(attrs: &[(Str, Value)], left: &mut Left) -> Result<usize, EncodeError> {
    if attrs.len() > Limits::MAX_ATTRS {
        return Err(EncodeError::TooManyAttrs);
    }
    left.attrs = left.attrs.checked_sub(attrs.len()).ok_or(EncodeError::TooManyAttrs)?;
    let mut bound = 0;
    for (name, value) in attrs {
        bound += name_bound(name)?;
        bound += match value {
            Value::Text(text) => checked(text.bound())?,
            Value::Jid(jid) => jid_bound(jid)?,
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
