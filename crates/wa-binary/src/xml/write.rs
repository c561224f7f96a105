//! Overview §2.1.1: a node to one line of XML.

use std::collections::HashSet;
use std::fmt;

use super::escape::{write_escaped, write_plain};
use super::{BYTES, JID, NAME, NODE, TAG, TEXT, TYPE, VALUE, address, is_plain_name, is_plain_text};
use crate::content::{AttrValue, NodeContent};
use crate::node::Node;
use crate::text::Str;

impl fmt::Display for Node {
    /// One line; with `{:#}` one line for each element, indented. Both read back as this node.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_node(f, self, f.alternate().then_some(0))
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn write_node(f: &mut fmt::Formatter<'_>, node: &Node, indent: Option<usize>) -> fmt::Result {
    let tag = if is_plain_name(&node.tag) { node.tag() } else { NODE };
    write!(f, "<{tag}")?;
    if tag == NODE {
        write_attr(f, TAG, &node.tag, true)?;
    }
    write_attrs(f, &node.attrs)?;
    match &node.content {
        NodeContent::Empty => f.write_str("/>"),
        NodeContent::Nodes(nodes) if nodes.is_empty() => write!(f, " {TYPE}=\"list\"/>"),
        NodeContent::Nodes(nodes) => {
            f.write_str(">")?;
            for node in nodes {
                write_break(f, indent.map(|indent| indent + INDENT))?;
                write_node(f, node, indent.map(|indent| indent + INDENT))?;
            }
            write_break(f, indent)?;
            write!(f, "</{tag}>")
        }
        NodeContent::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if is_plain_text(text) && !is_blank(text) => {
                f.write_str(">")?;
                write_plain(f, text)?;
                write!(f, "</{tag}>")
            }
            _ => write!(f, " {BYTES}=\"{}\"/>", hex::encode(bytes)),
        },
        NodeContent::Text(text) => write_marked(f, tag, "text", text),
        NodeContent::Jid(jid) => write_marked(f, tag, "jid", &jid.to_string()),
    }
}

/// Spaces for each level of depth.
const INDENT: usize = 2;

fn write_break(f: &mut fmt::Formatter<'_>, indent: Option<usize>) -> fmt::Result {
    match indent {
        Some(indent) => write!(f, "\n{:indent$}", ""),
        None => Ok(()),
    }
}

/// Whether a reader may take the text for indentation.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

fn write_attrs(f: &mut fmt::Formatter<'_>, attrs: &[(Str, AttrValue)]) -> fmt::Result {
    let mut seen = HashSet::with_capacity(attrs.len());
    let (mut texts, mut jids, mut odd) = (Vec::new(), Vec::new(), 0);
    for (name, value) in attrs {
        let text = value.to_text();
        if !is_plain_name(name) || !is_plain_text(&text) || !seen.insert(name.as_bytes()) {
            odd += 1;
            write_attr(f, &format!("{NAME}{odd}"), name, true)?;
            let value_name = if matches!(value, AttrValue::Jid(_)) { JID } else { VALUE };
            write_attr(f, &format!("{value_name}{odd}"), &text, true)?;
            continue;
        }
        write_attr(f, name, &text, false)?;
        match (value, address(&text)) {
            (AttrValue::Text(_), Some(_)) => texts.push(name.as_str()),
            (AttrValue::Jid(_), None) => jids.push(name.as_str()),
            _ => {}
        }
    }
    for (marker, names) in [(TEXT, texts), (JID, jids)] {
        if !names.is_empty() {
            write!(f, " {marker}=\"{}\"", names.join(" "))?;
        }
    }
    Ok(())
}

fn write_attr(f: &mut fmt::Formatter<'_>, name: &str, value: &str, escaped: bool) -> fmt::Result {
    write!(f, " {name}=\"")?;
    if escaped { write_escaped(f, value) } else { write_plain(f, value) }?;
    f.write_str("\"")
}

fn write_marked(f: &mut fmt::Formatter<'_>, tag: &str, kind: &str, text: &str) -> fmt::Result {
    write!(f, " {TYPE}=\"{kind}\">")?;
    write_escaped(f, text)?;
    write!(f, "</{tag}>")
}
