//! Seed §2.1.2: reading lists and strings.

use bytes::Bytes;

use super::jid::{BLANK_PAIR, is_jid};
use super::{DecodeOptions, SuffixRule};
use crate::content::{Content, Value};
use crate::dictionary::{DOUBLE_0, Token};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::limits::Limits;
use crate::node::Node;
use crate::packed::Alphabet;
use crate::tags;
use crate::text::Str;

/// A position in the input and what remains of the limits.
pub(super) struct Reader<'a> {
    input: &'a Bytes,
    pub(super) data: &'a [u8],
    pub(super) at: usize,
    depth: usize,
    nodes: usize,
    attrs: usize,
    pub(super) suffix: SuffixRule,
    /// What went wrong, once something has.
    failure: DecodeError,
}

/// Something went wrong; what, the reader knows. So small that results stay in registers.
pub(super) struct Failed;

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a Bytes, options: &DecodeOptions) -> Self {
        Self {
            input,
            data: input,
            at: 0,
            depth: options.limits.depth.min(Limits::MAX_DEPTH),
            nodes: options.limits.nodes,
            attrs: options.limits.attrs,
            suffix: options.interop_suffix,
            failure: DecodeError { kind: DecodeErrorKind::UnexpectedEnd, offset: 0 },
        }
    }

    /// The one node of the input.
    pub(super) fn whole(mut self, out: &mut Node) -> Result<(), DecodeError> {
        match (self.node(out), self.remaining()) {
            (Ok(()), 0) => Ok(()),
            (Ok(()), rest) => {
                Err(DecodeError { kind: DecodeErrorKind::TrailingBytes(rest), offset: self.at })
            }
            (Err(Failed), _) => Err(self.failure),
        }
    }

    fn node(&mut self, out: &mut Node) -> Result<(), Failed> {
        let at = self.at;
        let size = match self.byte()? {
            tag @ (tags::LIST_8 | tags::LIST_16) => self.list_size(tag)?,
            tag => return Err(self.error(DecodeErrorKind::ExpectedList(tag), at)),
        };
        if size == 0 {
            return Err(self.error(DecodeErrorKind::EmptyNode, at));
        }
        self.depth = self.spend(self.depth, 1, DecodeErrorKind::TooDeep, at)?;
        self.nodes = self.spend(self.nodes, 1, DecodeErrorKind::TooManyNodes, at)?;
        if size > self.remaining() {
            return Err(self.error(DecodeErrorKind::ListTooLong(size), at));
        }
        self.name(&mut out.tag)?;
        let count = (size - 1) / 2;
        self.attrs = self.spend(self.attrs, count, DecodeErrorKind::TooManyAttrs, at)?;
        self.attributes(count, &mut out.attrs)?;
        if size % 2 == 0 {
            self.content(&mut out.content)?;
        }
        self.depth += 1;
        Ok(())
    }

    fn attributes(&mut self, count: usize, out: &mut Vec<(Str, Value)>) -> Result<(), Failed> {
        for _ in 0..count {
            reserve(out, count, self.remaining() / 2);
            out.push(BLANK_ATTR);
            if let Some((name, value)) = out.last_mut() {
                self.attribute(name, value)?;
            }
        }
        Ok(())
    }

    fn content(&mut self, out: &mut Content) -> Result<(), Failed> {
        let at = self.at;
        match self.byte()? {
            tags::LIST_EMPTY => *out = Content::Nodes(Vec::new()),
            tag @ (tags::LIST_8 | tags::LIST_16) => {
                let count = self.list_size(tag)?;
                *out = Content::Nodes(Vec::new());
                if let Content::Nodes(nodes) = out {
                    self.children(count, at, nodes)?;
                }
            }
            tag @ tags::BINARY_8..=tags::BINARY_32 => {
                let len = self.length(tag, at)?;
                let start = self.at;
                self.take(len)?;
                *out = Content::Bytes(Bytes::new());
                if let Content::Bytes(bytes) = out {
                    *bytes = self.input.slice(start..self.at);
                }
            }
            tag if is_jid(tag) => {
                let mut value = BLANK_PAIR;
                self.jid(tag, at, &mut value)?;
                *out = value.into();
            }
            tag => {
                *out = Content::Text(Str::BLANK);
                if let Content::Text(text) = out {
                    self.atom(tag, at, text)?;
                }
            }
        }
        Ok(())
    }

    fn children(&mut self, count: usize, at: usize, out: &mut Vec<Node>) -> Result<(), Failed> {
        if count > self.remaining() / SMALLEST_NODE {
            return Err(self.error(DecodeErrorKind::ListTooLong(count), at));
        }
        if count > self.nodes {
            return Err(self.error(DecodeErrorKind::TooManyNodes, at));
        }
        for _ in 0..count {
            reserve(out, count, self.remaining() / SMALLEST_NODE);
            out.push(BLANK_NODE);
            if let Some(node) = out.last_mut() {
                self.node(node)?;
            }
        }
        Ok(())
    }

    /// A tag or an attribute's name: a plain string, not empty.
    #[inline]
    fn name(&mut self, out: &mut Str) -> Result<(), Failed> {
        let at = self.at;
        self.part(out)?;
        if out.is_blank() {
            return Err(self.error(DecodeErrorKind::EmptyName, at));
        }
        Ok(())
    }

    #[inline]
    fn attribute(&mut self, name: &mut Str, value: &mut Value) -> Result<(), Failed> {
        let at = self.at;
        // Nearly every name is one byte: read it and what follows in one step.
        let short = match self.data.get(at..) {
            Some(&[first, second, ..]) => Token::single(first).map(|token| (token, second)),
            _ => None,
        };
        let (tag, at) = match short {
            Some((token, second)) => {
                *name = token.into();
                self.at = at + 2;
                (second, at + 1)
            }
            None => {
                self.name(name)?;
                let at = self.at;
                (self.byte()?, at)
            }
        };
        match value {
            Value::Text(text) if !is_jid(tag) => self.atom(tag, at, text),
            _ => self.jid(tag, at, value),
        }
    }

    /// A plain string after its tag; never a JID, so this and [`Reader::jid`] do not nest.
    #[inline]
    pub(super) fn atom(&mut self, tag: u8, at: usize, out: &mut Str) -> Result<(), Failed> {
        match Token::single(tag) {
            Some(token) => {
                *out = token.into();
                Ok(())
            }
            None => self.longer_atom(tag, at, out),
        }
    }

    fn longer_atom(&mut self, tag: u8, at: usize, out: &mut Str) -> Result<(), Failed> {
        match tag {
            tags::LIST_EMPTY => *out = Str::EMPTY,
            tags::BINARY_8..=tags::BINARY_32 => {
                let len = self.length(tag, at)?;
                let rest = self.data.get(self.at..).unwrap_or_default();
                self.take(len)?;
                out.set_raw(self.input, rest, len).map_err(|kind| self.error(kind, at))?;
            }
            tags::NIBBLE_8 => self.packed(Alphabet::Nibble, out)?,
            tags::HEX_8 => self.packed(Alphabet::Hex, out)?,
            tags::LIST_8 | tags::LIST_16 => return Err(self.error(DecodeErrorKind::UnexpectedList, at)),
            _ if is_jid(tag) => return Err(self.error(DecodeErrorKind::UnexpectedJid, at)),
            _ => {
                let page = tag.wrapping_sub(DOUBLE_0);
                if Token::double(page, 0).is_none() {
                    return Err(self.error(DecodeErrorKind::UnknownTag(tag), at));
                }
                *out = Token::double(page, self.byte()?).map(Str::from).unwrap_or_default();
            }
        }
        Ok(())
    }

    #[inline]
    fn packed(&mut self, alphabet: Alphabet, out: &mut Str) -> Result<(), Failed> {
        let header = self.byte()?;
        let at = self.at;
        let packed = self.take(usize::from(header & 0x7f))?;
        out.set_packed(alphabet, packed, header & 0x80 != 0)
            .map_err(|(kind, index)| self.error(kind, at + index))
    }

    /// The length after a binary tag.
    #[inline]
    fn length(&mut self, tag: u8, at: usize) -> Result<usize, Failed> {
        let len = match tag {
            tags::BINARY_8 => u32::from(self.byte()?),
            tags::BINARY_20 => match self.array()? {
                [high, _, _] if high > 0x0f => return Err(self.error(DecodeErrorKind::LengthBits, at)),
                [a, b, c] => u32::from_be_bytes([0, a, b, c]),
            },
            _ => u32::from_be_bytes(self.array()?),
        };
        Ok(usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// A plain string, such as a JID's user.
    #[inline]
    pub(super) fn part(&mut self, out: &mut Str) -> Result<(), Failed> {
        let at = self.at;
        let tag = self.byte()?;
        self.atom(tag, at, out)
    }

    #[inline]
    fn list_size(&mut self, tag: u8) -> Result<usize, Failed> {
        match tag {
            tags::LIST_8 => Ok(usize::from(self.byte()?)),
            _ => Ok(usize::from(u16::from_be_bytes(self.array()?))),
        }
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Failed> {
        match self.data.get(self.at) {
            Some(byte) => {
                self.at += 1;
                Ok(*byte)
            }
            None => Err(self.end()),
        }
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Failed> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let Some(array) = rest.first_chunk() else { return Err(self.end()) };
        let array = *array;
        self.at += N;
        Ok(array)
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], Failed> {
        let data: &'a [u8] = self.data;
        let rest = data.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.get(..len) else { return Err(self.end()) };
        self.at += len;
        Ok(taken)
    }

    #[inline]
    fn spend(
        &mut self,
        left: usize,
        count: usize,
        kind: DecodeErrorKind,
        at: usize,
    ) -> Result<usize, Failed> {
        left.checked_sub(count).ok_or_else(|| self.error(kind, at))
    }

    fn remaining(&self) -> usize {
        self.data.len() - self.at
    }

    #[cold]
    pub(super) fn error(&mut self, kind: DecodeErrorKind, offset: usize) -> Failed {
        self.failure = DecodeError { kind, offset };
        Failed
    }

    #[cold]
    fn end(&mut self) -> Failed {
        self.error(DecodeErrorKind::UnexpectedEnd, self.data.len())
    }
}

/// What a node is before it is read into place: these values are so large that moving them costs more than
/// reading them.
pub(super) const BLANK_NODE: Node = Node { tag: Str::BLANK, attrs: Vec::new(), content: Content::Empty };
/// Likewise for an attribute.
const BLANK_ATTR: (Str, Value) = (Str::BLANK, Value::Text(Str::BLANK));
/// Bytes of the smallest node: a list tag, its length, a tag.
const SMALLEST_NODE: usize = 3;
/// Elements reserved before the first was read.
const FIRST_RESERVE: usize = 32;
/// How far a reserve may run ahead of what was read.
const GROWTH: usize = 8;
/// Makes room for the next of `declared` elements, exactly where the declaration can be believed.
fn reserve<T>(list: &mut Vec<T>, declared: usize, possible: usize) {
    if list.capacity() == 0 {
        *list = Vec::with_capacity(growth(0, declared, possible));
    } else if list.len() == list.capacity() {
        list.reserve_exact(growth(list.len(), declared, possible));
    }
}

/// Elements to reserve after `len`, when `declared` are announced and the input could hold `possible` more.
fn growth(len: usize, declared: usize, possible: usize) -> usize {
    declared.saturating_sub(len).min(possible).min((len * GROWTH).max(FIRST_RESERVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reserves_little() {
        const KIB: usize = 1024;
        let bytes = |elements: usize| elements * size_of::<Node>().max(size_of::<(Str, Value)>());
        // A list of 65,535 at the end of its frame, in a long frame, and after ever more of it has come true.
        assert_eq!(growth(0, 65_535, 0), 0);
        assert!(bytes(growth(0, 65_535, 1 << 24)) <= 4 * KIB);
        assert_eq!(growth(32, 65_535, 1 << 24), 256);
        assert_eq!(growth(288, 300, 1 << 24), 12);
        assert_eq!(growth(0, 5, 1 << 24), 5);
    }
}
