//! Seed §2.1.2: whether a node can be written, and how much room it takes.

use crate::content::{Content, Value};
use crate::error::EncodeError;
use crate::jid::{Jid, Repr};
use crate::limits::Limits;
use crate::node::Node;
use crate::text::Str;

/// Checks a node and bounds its encoded length.
pub(super) fn node_bound(node: &Node, depth: usize) -> Result<usize, EncodeError> {
    if depth > Limits::MAX_DEPTH {
        return Err(EncodeError::TooDeep);
    }
    let mut bound = LIST + name_bound(&node.tag)?;
    if !node.attrs.is_empty() {
        bound += attrs_bound(&node.attrs)?;
    }
    match &node.content {
        Content::Empty => {}
        Content::Bytes(data) => bound += checked(BINARY + data.len())?,
        Content::Text(text) => bound += checked(text.bound())?,
        Content::Jid(jid) => bound += jid_bound(jid)?,
        Content::Nodes(nodes) if nodes.len() > MAX_LIST => return Err(EncodeError::TooManyChildren),
        Content::Nodes(nodes) => {
            bound += LIST;
            for node in nodes {
                bound += node_bound(node, depth + 1)?;
            }
        }
    }
    Ok(bound)
}

/// Most bytes before a list: its tag and length.
const LIST: usize = 3;
/// Most bytes before bytes: their tag and length.
const BINARY: usize = 5;
/// Most bytes of a JID without its user and server.
const JID: usize = 24;
const MAX_LIST: usize = 0xffff;

fn attrs_bound(attrs: &[(Str, Value)]) -> Result<usize, EncodeError> {
    if attrs.len() > (MAX_LIST - 2) / 2 {
        return Err(EncodeError::TooManyAttrs);
    }
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
    if name.is_blank() {
        return Err(EncodeError::EmptyName);
    }
    checked(name.bound())
}

fn jid_bound(jid: &Jid) -> Result<usize, EncodeError> {
    let (user, server) = match &jid.0 {
        Repr::Pair { user, server } => (user.as_ref(), server.as_str().len()),
        Repr::Device { user, .. } | Repr::Messenger { user, .. } => (Some(user), 0),
        Repr::Interop { .. } => (None, 0),
    };
    let user = user.map_or(Ok(0), |user| checked(user.bound()))?;
    Ok(JID + user + checked(BINARY + server)?)
}

#[inline]
fn checked(bound: usize) -> Result<usize, EncodeError> {
    if u32::try_from(bound).is_ok() { Ok(bound) } else { Err(EncodeError::TooLong) }
}
