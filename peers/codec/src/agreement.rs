//! Whether two codecs mean the same node, and where it is accepted that they do not.

use std::collections::BTreeMap;

use wa_binary::{AttrValue, EncodeOptions, InteropSuffix, Jid, Limits, Node, NodeContent, decode, encode};
use wacore_binary::marshal::{marshal, unmarshal_ref};
use wacore_binary::node::ValueRef;
use wacore_binary::{JidRef, NodeContentRef, NodeRef};

/// A difference that is known, and why it is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accepted {
    /// The reference reads an empty list of nodes as no content; we keep the two apart.
    EmptyList,
    /// The reference writes text that reads as an address as one; we keep the two apart.
    TextAsAddress,
    /// The reference writes a Messenger address without its device; we keep it.
    MessengerDevice,
}

impl Accepted {
    /// The name and the reason.
    pub fn reason(self) -> (&'static str, &'static str) {
        match self {
            Self::EmptyList => {
                ("empty-list", "the reference reads an empty list as no content; here they are two things")
            }
            Self::TextAsAddress => (
                "text-as-address",
                "the reference writes text that reads as an address as one; here text stays text",
            ),
            Self::MessengerDevice => (
                "messenger-device",
                "the reference writes a Messenger address without its device; here it is kept",
            ),
        }
    }
}

/// How often each accepted difference was met.
pub type Counts = BTreeMap<Accepted, u64>;

/// Compares both ways: what we write as the reference reads it, and what the reference writes as we read it.
///
/// # Errors
/// The first difference that is not accepted, in words.
pub fn agree(node: &Node, counts: &mut Counts) -> Result<(), String> {
    // The reference reads interop addresses only with the suffix, and writes them without.
    let options = EncodeOptions::new().with_interop_suffix(InteropSuffix::Write);
    let written = encode(node, &options).map_err(|error| format!("cannot be written: {error}"))?;
    let theirs = unmarshal_ref(&written).map_err(|error| format!("the reference refuses it: {error}"))?;
    Comparison { counts }.read_by_reference(node, &theirs)?;
    let written =
        marshal(&theirs.to_owned()).map_err(|error| format!("the reference cannot write it: {error}"))?;
    let [0, written @ ..] = &written[..] else { return Err("the reference's flag byte is not 0".to_owned()) };
    let read = decode(&written.to_vec().into(), &Limits::new());
    let read = read.map_err(|error| format!("what the reference writes is refused: {error}"))?;
    Comparison { counts }.written_by_reference(node, &read)
}

struct Comparison<'a> {
    counts: &'a mut Counts,
}

impl Comparison<'_> {
    fn accept(&mut self, difference: Accepted) -> Result<(), String> {
        *self.counts.entry(difference).or_default() += 1;
        Ok(())
    }

    fn read_by_reference(&mut self, ours: &Node, theirs: &NodeRef<'_>) -> Result<(), String> {
        same("tag", ours.tag(), &*theirs.tag)?;
        same("number of attributes", ours.attrs().len(), theirs.attrs.len())?;
        for ((our_name, our_value), (name, value)) in ours.attrs().iter().zip(theirs.attrs_iter()) {
            same("name", our_name.as_str(), &**name)?;
            match (our_value, value) {
                (AttrValue::Text(text), ValueRef::String(other)) => same("text", text.as_str(), &**other)?,
                (AttrValue::Jid(jid), ValueRef::Jid(other)) => same_address(jid, other)?,
                (ours, theirs) => return Err(format!("value {ours:?} is {theirs:?}")),
            }
        }
        match (ours.content(), &theirs.content) {
            (NodeContent::Empty, None) => Ok(()),
            (NodeContent::Nodes(ours), None) if ours.is_empty() => self.accept(Accepted::EmptyList),
            (NodeContent::Nodes(ours), Some(NodeContentRef::Nodes(theirs))) => {
                same("number of nodes", ours.len(), theirs.len())?;
                ours.iter().zip(theirs).try_for_each(|(ours, theirs)| self.read_by_reference(ours, theirs))
            }
            (ours, Some(NodeContentRef::Bytes(theirs))) => {
                same("content", ours.as_bytes(), Some(&theirs[..]))
            }
            (ours, Some(NodeContentRef::String(theirs))) => {
                same("content", ours.as_bytes(), Some(theirs.as_bytes()))
            }
            (ours, theirs) => Err(format!("content {ours:?} is {theirs:?}")),
        }
    }

    fn written_by_reference(&mut self, node: &Node, read: &Node) -> Result<(), String> {
        same("tag", node.tag(), read.tag())?;
        same("number of attributes", node.attrs().len(), read.attrs().len())?;
        for ((name, value), (read_name, read_value)) in node.attrs().iter().zip(read.attrs()) {
            same("name", name, read_name)?;
            match (value, read_value) {
                (value, read) if value == read => {}
                (AttrValue::Text(text), AttrValue::Jid(jid)) if text.parse().as_ref() == Ok(jid) => {
                    self.accept(Accepted::TextAsAddress)?;
                }
                (AttrValue::Text(text), AttrValue::Jid(jid))
                    if without_messenger_device(text.parse().ok()).as_ref() == Some(jid) =>
                {
                    self.accept(Accepted::TextAsAddress)?;
                    self.accept(Accepted::MessengerDevice)?;
                }
                (AttrValue::Jid(jid), AttrValue::Jid(read))
                    if without_messenger_device(Some(jid.clone())).as_ref() == Some(read) =>
                {
                    self.accept(Accepted::MessengerDevice)?;
                }
                (value, read) => return Err(format!("value {value:?} comes back as {read:?}")),
            }
        }
        match (node.content(), read.content()) {
            (NodeContent::Nodes(nodes), NodeContent::Empty) if nodes.is_empty() => {
                self.accept(Accepted::EmptyList)
            }
            (NodeContent::Nodes(nodes), NodeContent::Nodes(read)) => {
                same("number of nodes", nodes.len(), read.len())?;
                nodes.iter().zip(read).try_for_each(|(node, read)| self.written_by_reference(node, read))
            }
            (content, read) => same("content", content, read),
        }
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, ours: T, theirs: T) -> Result<(), String> {
    if ours == theirs { Ok(()) } else { Err(format!("{what} {ours:?} is {theirs:?}")) }
}

fn same_address(ours: &Jid, theirs: &JidRef<'_>) -> Result<(), String> {
    same("user", ours.user().as_deref().unwrap_or_default(), &*theirs.user)?;
    same("server", ours.server(), theirs.server.as_str())?;
    same("device", ours.device(), theirs.device)?;
    same("integrator", ours.as_interop().map_or(0, |(integrator, _)| integrator), theirs.integrator)
}

fn without_messenger_device(jid: Option<Jid>) -> Option<Jid> {
    jid.filter(|jid| jid.server() == "msgr").map(Jid::without_device)
}
