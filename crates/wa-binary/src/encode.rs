//! Seed §2.1.2: a node to bytes.

use crate::content::{Content, Value};
use crate::dictionary::Token;
use crate::error::EncodeError;
use crate::jid::{INTEROP, Jid, MSGR, Repr, Server};
use crate::limits::Limits;
use crate::node::Node;
use crate::tags;
use crate::text::{Form, Str};

/// Which strings are packed two characters to a byte, where their characters allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Packing {
    /// All, as real clients do.
    #[default]
    Everything,
    /// Only users of JIDs, as the seed's printed example does.
    JidsOnly,
    /// None.
    Nothing,
}

/// Whether an interop JID ends in the server's name.
///
/// Readers differ on needing it, so a decoder accepts both (see [`SuffixRule`](crate::SuffixRule)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum InteropSuffix {
    /// Left out, as WhatsApp's own clients do. Still written where the next string is `interop` itself,
    /// which would otherwise be taken for it.
    #[default]
    Omit,
    /// Written, as WhatsApp's servers do.
    Write,
}

/// How nodes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EncodeOptions {
    /// Which strings are packed.
    pub packing: Packing,
    /// Whether interop JIDs end in the server's name.
    pub interop_suffix: InteropSuffix,
    /// The size in bytes above which [`pack`](crate::pack) compresses. None: never, as clients do.
    pub compress_above: Option<usize>,
}

impl EncodeOptions {
    /// The way of clients: everything packed, no interop suffix, no compression.
    #[must_use]
    pub const fn new() -> Self {
        Self { packing: Packing::Everything, interop_suffix: InteropSuffix::Omit, compress_above: None }
    }

    /// With another choice of packed strings.
    #[must_use]
    pub const fn with_packing(mut self, packing: Packing) -> Self {
        self.packing = packing;
        self
    }

    /// With another choice of interop suffix.
    #[must_use]
    pub const fn with_interop_suffix(mut self, suffix: InteropSuffix) -> Self {
        self.interop_suffix = suffix;
        self
    }

    /// With compression of bodies longer than `bytes`.
    #[must_use]
    pub const fn with_compress_above(mut self, bytes: usize) -> Self {
        self.compress_above = Some(bytes);
        self
    }
}

/// Writes a node, without the flag byte of a frame (see [`pack`](crate::pack)).
///
/// # Errors
/// The [`EncodeError`] for what the format cannot carry: an empty name, a list, string or nesting too long.
pub fn encode(node: &Node, options: &EncodeOptions) -> Result<Vec<u8>, EncodeError> {
    encode_after(&[], node, options)
}

/// Writes `head` and then a node, allocating once.
pub(crate) fn encode_after(
    head: &[u8],
    node: &Node,
    options: &EncodeOptions,
) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::with_capacity(head.len() + node_bound(node, 1)?);
    out.extend_from_slice(head);
    Writer { out: &mut out, options: *options }.node(node);
    Ok(out)
}

/// Writes what [`node_bound`] has checked; cannot fail.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    options: EncodeOptions,
}

impl Writer<'_> {
    fn node(&mut self, node: &Node) {
        let content = usize::from(!matches!(node.content, Content::Empty));
        self.list(1 + 2 * node.attrs.len() + content);
        self.string(&node.tag);
        let mut attrs = node.attrs.iter().peekable();
        while let Some((name, value)) = attrs.next() {
            self.string(name);
            match value {
                Value::Text(text) => self.string(text),
                Value::Jid(jid) => {
                    let next = match attrs.peek() {
                        Some((name, _)) => Some(name.as_bytes()),
                        None => node.content.as_bytes(),
                    };
                    self.jid(jid, next == Some(INTEROP.as_bytes()));
                }
            }
        }
        match &node.content {
            Content::Empty => {}
            Content::Nodes(nodes) => {
                self.list(nodes.len());
                nodes.iter().for_each(|node| self.node(node));
            }
            Content::Bytes(bytes) => self.raw(bytes),
            Content::Text(text) => self.string(text),
            Content::Jid(jid) => self.jid(jid, false),
        }
    }

    fn list(&mut self, len: usize) {
        match (len, u8::try_from(len)) {
            (0, _) => self.out.push(tags::LIST_EMPTY),
            (_, Ok(len)) => self.out.extend_from_slice(&[tags::LIST_8, len]),
            _ => {
                let [.., high, low] = len.to_be_bytes();
                self.out.extend_from_slice(&[tags::LIST_16, high, low]);
            }
        }
    }

    #[inline]
    fn string(&mut self, text: &Str) {
        if let Some(token) = text.held_token() {
            return self.token(token);
        }
        self.string_as(text, self.options.packing == Packing::Everything);
    }

    fn user(&mut self, user: &Str) {
        self.string_as(user, self.options.packing != Packing::Nothing);
    }

    fn string_as(&mut self, text: &Str, packing: bool) {
        match text.form() {
            Form::Token(token) => self.token(token),
            Form::Packed(alphabet) if packing => alphabet.pack(text.as_bytes(), self.out),
            Form::Packed(_) | Form::Raw => self.raw(text.as_bytes()),
        }
    }

    #[inline]
    fn token(&mut self, token: Token) {
        match token.wire() {
            (first, None) => self.out.push(first),
            (first, Some(second)) => self.out.extend_from_slice(&[first, second]),
        }
    }

    #[inline]
    fn raw(&mut self, bytes: &[u8]) {
        let [.., a, b, c, d] = bytes.len().to_be_bytes();
        match bytes.len() {
            0..=0xff => self.out.extend_from_slice(&[tags::BINARY_8, d]),
            0x100..=0xf_ffff => self.out.extend_from_slice(&[tags::BINARY_20, b, c, d]),
            _ => self.out.extend_from_slice(&[tags::BINARY_32, a, b, c, d]),
        }
        self.out.extend_from_slice(bytes);
    }

    fn jid(&mut self, jid: &Jid, suffix_needed: bool) {
        match &jid.0 {
            Repr::Pair { user, server } => {
                self.out.push(tags::JID_PAIR);
                match user {
                    Some(user) => self.user(user),
                    None => self.out.push(tags::LIST_EMPTY),
                }
                self.server(server);
            }
            Repr::Device { user, domain, device } => {
                self.out.extend_from_slice(&[tags::JID_AD, domain.byte(), *device]);
                self.user(user);
            }
            Repr::Messenger { user, device } => {
                self.out.push(tags::JID_FB);
                self.user(user);
                self.out.extend_from_slice(&device.to_be_bytes());
                self.string(&Str::from(MSGR));
            }
            Repr::Interop { user, integrator } => {
                self.out.push(tags::JID_INTEROP);
                self.user(&Str::from(*user));
                self.out.extend_from_slice(&[0, 0]);
                self.out.extend_from_slice(&integrator.to_be_bytes());
                if suffix_needed || self.options.interop_suffix == InteropSuffix::Write {
                    self.raw(INTEROP.as_bytes());
                }
            }
        }
    }

    fn server(&mut self, server: &Server) {
        match server {
            Server::Token(token) => self.token(*token),
            Server::Other(text) => self.string(&Str::from(&**text)),
        }
    }
}

/// Most bytes around a string: its tag and length.
const HEADER: usize = 5;
/// Most bytes of a JID around its user and server.
const JID_HEADER: usize = 24;
const MAX_LIST: usize = 0xffff;

/// Checks a node and bounds its encoded length.
fn node_bound(node: &Node, depth: usize) -> Result<usize, EncodeError> {
    if depth > Limits::MAX_DEPTH {
        return Err(EncodeError::TooDeep);
    }
    if node.attrs.len() > (MAX_LIST - 2) / 2 {
        return Err(EncodeError::TooManyAttrs);
    }
    let mut bound = 3 + name_bound(&node.tag)?;
    for (name, value) in &node.attrs {
        bound += name_bound(name)?;
        bound += match value {
            Value::Text(text) => text_bound(text)?,
            Value::Jid(jid) => jid_bound(jid)?,
        };
    }
    bound += match &node.content {
        Content::Empty => 0,
        Content::Bytes(bytes) => bytes_bound(bytes)?,
        Content::Text(text) => text_bound(text)?,
        Content::Jid(jid) => jid_bound(jid)?,
        Content::Nodes(nodes) if nodes.len() > MAX_LIST => return Err(EncodeError::TooManyChildren),
        Content::Nodes(nodes) => {
            nodes.iter().try_fold(3, |sum, node| Ok(sum + node_bound(node, depth + 1)?))?
        }
    };
    Ok(bound)
}

fn name_bound(name: &Str) -> Result<usize, EncodeError> {
    if name.is_blank() {
        return Err(EncodeError::EmptyName);
    }
    text_bound(name)
}

fn text_bound(text: &Str) -> Result<usize, EncodeError> {
    let bound = text.bound();
    if u32::try_from(bound).is_err() { Err(EncodeError::TooLong) } else { Ok(bound) }
}

fn bytes_bound(bytes: &[u8]) -> Result<usize, EncodeError> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(EncodeError::TooLong);
    }
    Ok(HEADER + bytes.len())
}

fn jid_bound(jid: &Jid) -> Result<usize, EncodeError> {
    let (user, server) = match &jid.0 {
        Repr::Pair { user, server } => (user.as_ref(), server.as_str()),
        Repr::Device { user, .. } | Repr::Messenger { user, .. } => (Some(user), MSGR),
        Repr::Interop { .. } => (None, INTEROP),
    };
    let user = user.map_or(Ok(0), text_bound)?;
    Ok(JID_HEADER + user + bytes_bound(server.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(node: &Node) -> Vec<u8> {
        encode(node, &EncodeOptions::new()).unwrap()
    }

    #[test]
    fn write_order_of_strings() {
        for (text, bytes) in [
            ("iq", &[25][..]),
            ("500", &[236, 164]),
            ("54321", &[255, 0x83, 0x54, 0x32, 0x1f]),
            ("3EB0", &[251, 2, 0x3e, 0xb0]),
            ("joe", b"\xfc\x03joe"),
            ("", &[252, 0]),
        ] {
            let node = Node::new("iq").with_attr("id", text);
            assert_eq!(encoded(&node)[4..], *bytes, "{text}");
        }
    }

    #[test]
    fn packing_policies() {
        let node =
            Node::new("iq").with_attr("id", "123456").with_attr("to", Jid::phone("14155551001").unwrap());
        let options = EncodeOptions::new();
        let packed_user = [17, 250, 255, 134, 20, 21, 85, 81, 0, 31, 3];
        let everything = [&[248, 5, 25, 8, 255, 3, 0x12, 0x34, 0x56][..], &packed_user].concat();
        assert_eq!(encode(&node, &options), Ok(everything));
        let jids = [&b"\xf8\x05\x19\x08\xfc\x06123456"[..], &packed_user].concat();
        assert_eq!(encode(&node, &options.with_packing(Packing::JidsOnly)), Ok(jids));
        let nothing = b"\xf8\x05\x19\x08\xfc\x06123456\x11\xfa\xfc\x0b14155551001\x03".to_vec();
        assert_eq!(encode(&node, &options.with_packing(Packing::Nothing)), Ok(nothing));
    }

    #[test]
    fn jid_layouts() {
        for (jid, bytes) in [
            ("s.whatsapp.net", &[250, 0, 3][..]),
            ("55555:3@s.whatsapp.net", &[247, 0, 3, 255, 0x83, 0x55, 0x55, 0x5f]),
            ("55555:1@lid", &[247, 1, 1, 255, 0x83, 0x55, 0x55, 0x5f]),
            ("55555:1@hosted", &[247, 128, 1, 255, 0x83, 0x55, 0x55, 0x5f]),
            ("55555:1@hosted.lid", &[247, 129, 1, 255, 0x83, 0x55, 0x55, 0x5f]),
            ("55555:258@msgr", &[246, 255, 0x83, 0x55, 0x55, 0x5f, 1, 2, 204]),
            ("300-55555@interop", &[245, 255, 0x83, 0x55, 0x55, 0x5f, 0, 0, 1, 44]),
            ("55555@hosted", b"\xfa\xff\x83\x55\x55\x5f\xfc\x06hosted"),
        ] {
            let node = Node::new("iq").with_attr("to", jid.parse::<Jid>().unwrap());
            assert_eq!(encoded(&node)[4..], *bytes, "{jid}");
        }
    }

    #[test]
    fn interop_suffix() {
        let jid = Jid::interop(1, 55_555).unwrap();
        let node = Node::new("iq").with_attr("to", jid.clone()).with_attr("id", "joe");
        let with = EncodeOptions::new().with_interop_suffix(InteropSuffix::Write);
        assert_eq!(
            encode(&node, &with).unwrap(),
            b"\xf8\x05\x19\x11\xf5\xff\x83\x55\x55\x5f\0\0\0\x01\xfc\x07interop\x08\xfc\x03joe"
        );
        // Without it the following name would be taken for it, so it is written.
        let node = Node::new("iq").with_attr("to", jid).with_attr("interop", "joe");
        assert_eq!(
            encoded(&node),
            b"\xf8\x05\x19\x11\xf5\xff\x83\x55\x55\x5f\0\0\0\x01\xfc\x07interop\xfc\x07interop\xfc\x03joe"
        );
    }

    #[test]
    fn lengths() {
        let content = |len| encoded(&Node::new("a").with_bytes(vec![7; len]));
        assert_eq!(content(255)[5..7], [252, 255]);
        assert_eq!(content(256)[5..9], [253, 0, 1, 0]);
        assert_eq!(content(0xf_ffff)[5..9], [253, 0x0f, 0xff, 0xff]);
        assert_eq!(content(0x10_0000)[5..10], [254, 0, 0x10, 0, 0]);
        let list = |len| encoded(&Node::new("iq").with_children(vec![Node::new("iq"); len]));
        assert_eq!(list(0), [248, 2, 25, 0]);
        assert_eq!(list(255)[3..5], [248, 255]);
        assert_eq!(list(256)[3..6], [249, 1, 0]);
        assert_eq!(encoded(&Node::stream_end()), [0xf8, 1, 2]);
    }

    #[test]
    fn refuses_what_the_format_cannot_carry() {
        let error = |node: &Node| encode(node, &EncodeOptions::new()).unwrap_err();
        assert_eq!(error(&Node::new("")), EncodeError::EmptyName);
        assert_eq!(error(&Node::new("a").with_attr("", "b")), EncodeError::EmptyName);
        assert_eq!(error(&Node::new("a").with_child(Node::new(""))), EncodeError::EmptyName);
        let many = (0..32_768).fold(Node::new("a"), |node, _| node.with_attr("b", "c"));
        assert_eq!(error(&many), EncodeError::TooManyAttrs);
        let wide = Node::new("a").with_children(vec![Node::new("b"); 65_536]);
        assert_eq!(error(&wide), EncodeError::TooManyChildren);
        let deep = (0..64).fold(Node::new("a"), |node, _| Node::new("a").with_child(node));
        assert_eq!(error(&deep), EncodeError::TooDeep);
        assert!(encode(&deep.children()[0], &EncodeOptions::new()).is_ok());
    }

    #[test]
    fn fits_its_bound() {
        let node = Node::new("message").with_attr("to", Jid::interop(999, 999_999_999_999_999).unwrap());
        let node = node.with_attr("from", "a:9".repeat(100)).with_children(vec![Node::new("enc"); 300]);
        for packing in [Packing::Everything, Packing::JidsOnly, Packing::Nothing] {
            let options =
                EncodeOptions::new().with_packing(packing).with_interop_suffix(InteropSuffix::Write);
            assert!(encode(&node, &options).unwrap().len() <= node_bound(&node, 1).unwrap());
        }
    }
}
