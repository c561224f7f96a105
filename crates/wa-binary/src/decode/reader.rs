//! Overview §2.1.2: reading lists and strings.
//!
//! Each function takes the input from where it reads and returns it from where it stopped: a position held in
//! registers. What it reads it puts in place, because moving a node costs more than reading it.

use bytes::Bytes;

use super::jid::is_jid;
use super::{DecodeOptions, SuffixRule};
use crate::content::{AttrValue, NodeContent};
use crate::data::Data;
use crate::dictionary::{DOUBLE_0, Token};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::limits::Limits;
use crate::node::Node;
use crate::packed::Alphabet;
use crate::tags;
use crate::text::{Str, put};

/// The input and what remains of the limits.
pub(super) struct Reader<'a> {
    frame: &'a Bytes,
    depth: usize,
    nodes: usize,
    attrs: usize,
    /// Bytes that the nodes declared, but not yet reached, take at least.
    promised: usize,
    pub(super) suffix: SuffixRule,
    /// What went wrong, once something has.
    failure: DecodeError,
}

/// Something went wrong; what, the reader knows. So small that results stay in registers.
pub(super) struct Failed;

impl<'a> Reader<'a> {
    pub(super) fn new(frame: &'a Bytes, options: &DecodeOptions) -> Self {
        Self {
            frame,
            depth: options.limits.depth.min(Limits::MAX_DEPTH),
            nodes: options.limits.nodes,
            attrs: options.limits.attrs,
            promised: 0,
            suffix: options.interop_suffix,
            failure: DecodeError { kind: DecodeErrorKind::UnexpectedEnd, offset: 0 },
        }
    }

    /// The one node of the input.
    pub(super) fn whole(mut self, out: &mut Node) -> Result<(), DecodeError> {
        let Some(nodes) = self.nodes.checked_sub(1) else {
            return Err(DecodeError { kind: DecodeErrorKind::TooManyNodes, offset: 0 });
        };
        self.nodes = nodes;
        match self.node(self.frame, out) {
            Ok([]) => Ok(()),
            Ok(rest) => {
                let kind = DecodeErrorKind::TrailingBytes(rest.len());
                Err(DecodeError { kind, offset: self.frame.len() - rest.len() })
            }
            Err(Failed) => Err(self.failure),
        }
    }

    fn node(&mut self, at: &'a [u8], out: &mut Node) -> Result<&'a [u8], Failed> {
        let (size, rest) = match (list(at), at) {
            (Some(list), _) => list,
            (None, [] | [tags::LIST_8 | tags::LIST_16, ..]) => return Err(self.end()),
            (None, [tag, ..]) => return Err(self.error(DecodeErrorKind::ExpectedList(*tag), at)),
        };
        if size == 0 {
            return Err(self.error(DecodeErrorKind::EmptyNode, at));
        }
        if self.depth == 0 {
            return Err(self.error(DecodeErrorKind::TooDeep, at));
        }
        if size + self.promised > rest.len() {
            return Err(self.error(DecodeErrorKind::ListTooLong(size), at));
        }
        self.depth -= 1;
        let mut rest = self.name(rest, &mut out.tag)?;
        if size > 2 {
            rest = self.attributes((size - 1) / 2, rest, at, &mut out.attrs)?;
        }
        if size % 2 == 0 {
            rest = self.content(rest, &mut out.content)?;
        }
        self.depth += 1;
        Ok(rest)
    }

    fn attributes(
        &mut self,
        count: usize,
        mut rest: &'a [u8],
        at: &'a [u8],
        out: &mut Vec<(Str, AttrValue)>,
    ) -> Result<&'a [u8], Failed> {
        let Some(attrs) = self.attrs.checked_sub(count).filter(|_| count <= Limits::MAX_ATTRS) else {
            return Err(self.error(DecodeErrorKind::TooManyAttrs, at));
        };
        self.attrs = attrs;
        put(out, Vec::with_capacity(count));
        out.resize_with(count, || BLANK_ATTR);
        for (name, value) in out {
            rest = self.name(rest, name)?;
            rest = self.value(rest, value)?;
        }
        Ok(rest)
    }

    #[inline]
    fn value(&mut self, at: &'a [u8], out: &mut AttrValue) -> Result<&'a [u8], Failed> {
        match (at, out) {
            ([tag, rest @ ..], out) if is_jid(*tag) => self.jid(*tag, rest, at, out),
            (_, AttrValue::Text(text)) => self.atom(at, text),
            (_, AttrValue::Jid(_)) => Err(self.end()),
        }
    }

    #[inline]
    fn content(&mut self, at: &'a [u8], out: &mut NodeContent) -> Result<&'a [u8], Failed> {
        match *at {
            [tags::BINARY_8..=tags::BINARY_32, ..] => {
                let Binary { data, from, rest } = self.binary(at)?;
                put(out, NodeContent::Bytes(Data::EMPTY));
                if let NodeContent::Bytes(out) = out {
                    out.set(self.frame, data, from);
                }
                Ok(rest)
            }
            [tags::LIST_8 | tags::LIST_16, ..] => match list(at) {
                Some((count, rest)) => self.children(count, rest, at, out),
                None => Err(self.end()),
            },
            [tags::LIST_EMPTY, ref rest @ ..] => {
                *out = NodeContent::Nodes(Vec::new());
                Ok(rest)
            }
            _ => {
                let mut value = AttrValue::Text(Str::BLANK);
                let rest = self.value(at, &mut value)?;
                *out = value.into();
                Ok(rest)
            }
        }
    }

    /// So many nodes. They are counted, and their smallest lengths set aside, before room is made for them:
    /// what is reserved in a whole frame is in proportion to its length, however lists nest.
    fn children(
        &mut self,
        count: usize,
        mut rest: &'a [u8],
        at: &'a [u8],
        out: &mut NodeContent,
    ) -> Result<&'a [u8], Failed> {
        if count * SMALLEST_NODE + self.promised > rest.len() {
            return Err(self.error(DecodeErrorKind::ListTooLong(count), at));
        }
        let Some(nodes) = self.nodes.checked_sub(count) else {
            return Err(self.error(DecodeErrorKind::TooManyNodes, at));
        };
        self.nodes = nodes;
        self.promised += count * SMALLEST_NODE;
        put(out, NodeContent::Nodes(Vec::with_capacity(count)));
        if let NodeContent::Nodes(children) = out {
            children.resize_with(count, || BLANK_NODE);
            for node in children {
                self.promised -= SMALLEST_NODE;
                rest = self.node(rest, node)?;
            }
        }
        Ok(rest)
    }

    /// A tag or an attribute's name: a plain string, not empty.
    #[inline]
    fn name(&mut self, at: &'a [u8], out: &mut Str) -> Result<&'a [u8], Failed> {
        if let [byte, rest @ ..] = at
            && let Some(token) = Token::single(*byte)
        {
            put(out, token.into());
            return Ok(rest);
        }
        let rest = self.longer_atom(at, out)?;
        if out.is_blank() {
            return Err(self.error(DecodeErrorKind::EmptyName, at));
        }
        Ok(rest)
    }

    /// A plain string; never a JID, so this and [`Reader::jid`] do not nest.
    #[inline]
    pub(super) fn atom(&mut self, at: &'a [u8], out: &mut Str) -> Result<&'a [u8], Failed> {
        if let [byte, rest @ ..] = at
            && let Some(token) = Token::single(*byte)
        {
            put(out, token.into());
            return Ok(rest);
        }
        self.longer_atom(at, out)
    }

    /// An atom that is not a token of one byte.
    #[inline(never)]
    fn longer_atom(&mut self, at: &'a [u8], out: &mut Str) -> Result<&'a [u8], Failed> {
        match *at {
            [tag @ (tags::NIBBLE_8 | tags::HEX_8), header, ref rest @ ..] => {
                let alphabet = if tag == tags::NIBBLE_8 { Alphabet::Nibble } else { Alphabet::Hex };
                self.packed(alphabet, header, rest, out)
            }
            [tags::BINARY_8..=tags::BINARY_32, ..] => {
                let Binary { data, from, rest } = self.binary(at)?;
                out.set_raw(data, from).map_err(|kind| self.error(kind, at))?;
                Ok(rest)
            }
            [page @ DOUBLE_0..DOUBLE_END, index, ref rest @ ..] => {
                put(out, Token::double(page - DOUBLE_0, index).map(Str::from).unwrap_or_default());
                Ok(rest)
            }
            [tags::LIST_EMPTY, ref rest @ ..] => {
                *out = Str::EMPTY;
                Ok(rest)
            }
            [tags::LIST_8 | tags::LIST_16, ..] => Err(self.error(DecodeErrorKind::UnexpectedList, at)),
            [] | [tags::NIBBLE_8 | tags::HEX_8 | DOUBLE_0..DOUBLE_END] => Err(self.end()),
            [tag, ..] if is_jid(tag) => Err(self.error(DecodeErrorKind::UnexpectedJid, at)),
            [tag, ..] => Err(self.error(DecodeErrorKind::UnknownTag(tag), at)),
        }
    }

    #[inline]
    fn packed(
        &mut self,
        alphabet: Alphabet,
        header: u8,
        from: &'a [u8],
        out: &mut Str,
    ) -> Result<&'a [u8], Failed> {
        let Some((packed, rest)) = from.split_at_checked(usize::from(header & 0x7f)) else {
            return Err(self.end());
        };
        match out.set_packed(alphabet, packed, header & 0x80 != 0) {
            Ok(()) => Ok(rest),
            Err((kind, index)) => Err(self.error(kind, from.get(index..).unwrap_or_default())),
        }
    }

    #[inline]
    fn binary(&mut self, at: &'a [u8]) -> Result<Binary<'a>, Failed> {
        let (len, from) = match *at {
            [tags::BINARY_8, len, ref from @ ..] => (u32::from(len), from),
            [tags::BINARY_20, a, b, c, ref from @ ..] => {
                if a > 0x0f {
                    return Err(self.error(DecodeErrorKind::LengthBits, at));
                }
                (u32::from_be_bytes([0, a, b, c]), from)
            }
            [tags::BINARY_32, a, b, c, d, ref from @ ..] => (u32::from_be_bytes([a, b, c, d]), from),
            _ => return Err(self.end()),
        };
        match from.split_at_checked(usize::try_from(len).unwrap_or(usize::MAX)) {
            Some((data, rest)) => Ok(Binary { data, from, rest }),
            None => Err(self.end()),
        }
    }

    /// What is wrong with what begins at `at`, a tail of the input.
    #[cold]
    pub(super) fn error(&mut self, kind: DecodeErrorKind, at: &[u8]) -> Failed {
        self.failure = DecodeError { kind, offset: self.frame.len() - at.len() };
        Failed
    }

    #[cold]
    pub(super) fn end(&mut self) -> Failed {
        self.error(DecodeErrorKind::UnexpectedEnd, &[])
    }
}

/// What a binary tag and its length announce.
struct Binary<'a> {
    /// The bytes of the string.
    data: &'a [u8],
    /// The bytes and all that follows.
    from: &'a [u8],
    /// The input after the string.
    rest: &'a [u8],
}

/// The number of elements of a list, and what follows its header; none if no whole header is there.
#[inline]
fn list(at: &[u8]) -> Option<(usize, &[u8])> {
    match *at {
        [tags::LIST_8, count, ref rest @ ..] => Some((usize::from(count), rest)),
        [tags::LIST_16, high, low, ref rest @ ..] => {
            Some((usize::from(u16::from_be_bytes([high, low])), rest))
        }
        _ => None,
    }
}

/// What a node is before it is read into place.
pub(super) const BLANK_NODE: Node = Node { tag: Str::BLANK, attrs: Vec::new(), content: NodeContent::Empty };
/// Likewise for an attribute.
const BLANK_ATTR: (Str, AttrValue) = (Str::BLANK, AttrValue::Text(Str::BLANK));
/// Bytes of the smallest node: a list tag, its length, a tag.
const SMALLEST_NODE: usize = 3;
/// The first byte after those of two-byte tokens.
const DOUBLE_END: u8 = DOUBLE_0 + 4;
