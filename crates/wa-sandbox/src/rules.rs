//! The grammar of stanzas: what a third party's client may send, attribute by attribute (overview §2.1.1; observed).
//!
//! A stanza is judged as the raw node that came over the wire, in three classes. *Fine*: the documents have it, or it is a
//! form that the profile assumes where they are silent. *Note*: beyond the documents, but public clients send it; it is
//! taken. *Deviation*: anything else, such as an attribute that only servers write, or a JID written as text.
//!
//! The rules are values: the table in `docs/SANDBOX.md` is written from them.

use wa_binary::{AttrValue, Jid, Node, NodeContent};

use crate::rules::judge::Judge;

pub mod book;
mod describe;
mod iqs;
mod judge;
mod mark;
mod stanzas;

pub use self::book::{Clause, Place};
pub(crate) use self::iqs::FOREIGN_NAMESPACES;
pub use self::judge::{Class, Finding};
pub(crate) use self::mark::{marked, shortened};

/// What one kind of stanza must look like.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Attributes that must be there.
    pub required: &'static [(&'static str, Kind)],
    /// Attributes that may be there.
    pub optional: &'static [(&'static str, Kind)],
    /// Attributes, or values of the ones above, that public clients send beyond the documents: taken with a note.
    pub noted: &'static [(&'static str, Kind)],
    /// What stands inside.
    pub content: Inside,
    /// Children that public clients put beside the content: passed over with a note.
    pub beside: &'static [&'static str],
}

/// What an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text that names a stanza: 1 to 64 characters.
    Id,
    /// WhatsApp's server, as a JID.
    Server,
    /// A WhatsApp user without device, as a JID.
    User,
    /// A WhatsApp user, or one device of theirs, as a JID.
    Device,
    /// A JID of any form.
    Address,
    /// A text of any form.
    Text,
    /// WhatsApp's server or a user.
    Sender,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A decimal number.
    Number,
}

/// What stands inside a node.
#[derive(Clone, Copy, Debug)]
pub enum Inside {
    /// The element is empty.
    Nothing,
    /// At least and at most so many bytes.
    Bytes(usize, usize),
    /// Text or bytes, of any length.
    Text,
    /// Exactly these children, in any order.
    Children(&'static [(&'static str, &'static Rule)]),
    /// Nothing, or this one child.
    Maybe(&'static str, &'static Rule),
    /// Between 1 and so many children of one kind.
    Many(&'static str, &'static Rule, usize),
    /// These children, and perhaps one of each of those, in any order.
    Parts(&'static [(&'static str, &'static Rule)], &'static [(&'static str, &'static Rule)]),
    /// One of these.
    OneOf(&'static [Inside]),
    /// This, which public clients send beyond the documents: taken with a note.
    Noted(&'static Inside),
    /// One child whose tag the profile names: the caller compares it.
    Named(&'static Rule),
    /// Children of any form.
    Anything,
}

impl Rule {
    /// A node with these attributes and this content.
    pub(crate) const fn new(required: &'static [(&'static str, Kind)], content: Inside) -> Self {
        Self { required, optional: &[], noted: &[], content, beside: &[] }
    }

    /// The same with attributes that may be there.
    pub(crate) const fn optional(mut self, optional: &'static [(&'static str, Kind)]) -> Self {
        self.optional = optional;
        self
    }

    /// The same with attributes that are taken with a note.
    pub(crate) const fn noted(mut self, noted: &'static [(&'static str, Kind)]) -> Self {
        self.noted = noted;
        self
    }

    /// The same with children that are passed over with a note.
    pub(crate) const fn beside(mut self, beside: &'static [&'static str]) -> Self {
        self.beside = beside;
        self
    }

    /// Judges a node: what is worth a note, or the first deviation.
    ///
    /// # Errors
    /// The deviation.
    pub fn check(&self, node: &Node) -> Result<Vec<Finding>, Box<Finding>> {
        let mut judge = Judge::default();
        judge.node(self, node)?;
        Ok(judge.notes)
    }
}

impl Kind {
    pub(crate) fn allows(self, value: &AttrValue) -> bool {
        match (self, value) {
            (Self::Id, AttrValue::Text(text)) => (1..=64).contains(&text.chars().count()),
            (Self::OneOf(words), AttrValue::Text(text)) => words.iter().any(|word| *text == **word),
            (Self::Number, AttrValue::Text(text)) => text.parse::<u64>().is_ok(),
            (Self::Server, AttrValue::Jid(jid)) => is_server(jid),
            (Self::User, AttrValue::Jid(jid)) => is_user(jid) && jid.device() == 0,
            (Self::Device, AttrValue::Jid(jid)) => is_user(jid),
            (Self::Address, AttrValue::Jid(_)) | (Self::Text, AttrValue::Text(_)) => true,
            (Self::Sender, AttrValue::Jid(jid)) => is_server(jid) || is_user(jid),
            // The server's name is a token, and some writers write it as text.
            (Self::Server | Self::Sender, AttrValue::Text(text)) => *text == *"s.whatsapp.net",
            _ => false,
        }
    }
}

fn is_server(jid: &Jid) -> bool {
    *jid == Jid::whatsapp()
}

/// A phone number: digits only, so that an interop user under WhatsApp's server is none.
fn is_user(jid: &Jid) -> bool {
    let digits = |user: &str| user.bytes().all(|byte| byte.is_ascii_digit());
    jid.server() == "s.whatsapp.net" && jid.user().is_some_and(|user| digits(&user))
}

/// Nothing, or a list of no nodes, which some writers send for it.
fn is_empty(node: &Node) -> bool {
    match node.content() {
        NodeContent::Empty => true,
        NodeContent::Nodes(nodes) => nodes.is_empty(),
        _ => false,
    }
}

pub(crate) const EMPTY: Rule = Rule::new(&[], Inside::Nothing);

pub(crate) const fn bytes(least: usize, most: usize) -> Rule {
    Rule::new(&[], Inside::Bytes(least, most))
}

pub(crate) const KEY_ID: Rule = bytes(3, 3);
pub(crate) const KEY_VALUE: Rule = bytes(32, 32);
pub(crate) const SIGNATURE: Rule = bytes(64, 64);
