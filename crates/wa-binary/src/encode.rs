//! Overview §2.1.2: a node to bytes.

mod bound;
mod writer;

use self::bound::frame_bound;
pub(crate) use self::writer::put_bytes;
use self::writer::{SLACK, Writer, put_slice};
use crate::error::EncodeError;
use crate::node::Node;

/// Which strings are packed two characters to a byte, where their characters allow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// All, as real clients do.
    #[default]
    Everything,
    /// Only users of JIDs, as the overview's printed example does.
    JidsOnly,
    /// No string is packed.
    Nothing,
}

/// Whether an interop JID ends in the server's name.
///
/// Readers differ on needing it, so a decoder accepts both (see [`SuffixRule`](crate::SuffixRule)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InteropSuffix {
    /// Left out, as WhatsApp's own clients do. Still written where the next string is `interop` itself,
    /// which would otherwise be taken for it.
    #[default]
    Omit,
    /// Written, as WhatsApp's servers do.
    Write,
}

/// How nodes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[expect(clippy::slow_vector_initialization, reason = "at the size of a stanza this is the faster way")]
pub(crate) fn encode_after(
    head: &[u8],
    node: &Node,
    options: &EncodeOptions,
) -> Result<Vec<u8>, EncodeError> {
    let bound = head.len() + frame_bound(node)? + SLACK;
    let mut out = Vec::with_capacity(bound);
    out.resize(bound, 0);
    let room = put_slice(&mut out, head);
    let left = Writer::new(options).node(node, room).len();
    out.truncate(out.len() - left);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jid::Jid;

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
        assert_eq!(error(&wide), EncodeError::TooManyNodes);
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
            assert!(encode(&node, &options).unwrap().len() <= frame_bound(&node).unwrap());
        }
    }
}
