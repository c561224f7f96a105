//! Overview §2.1.2: bytes to a node, for bytes from anyone.
//!
//! Total and bounded: no input makes it panic; recursion follows [`Limits::depth`] only, as the parts of a JID
//! are read by a function that accepts no JID; nothing is reserved for elements that the remaining bytes
//! could not hold.

mod jid;
mod reader;

use bytes::Bytes;

use self::reader::{BLANK_NODE, Reader};
use crate::error::DecodeError;
use crate::limits::Limits;
use crate::node::Node;

/// Whether an interop JID (tag 245) ends in the server's name; writers differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SuffixRule {
    /// It does if the bytes after it are exactly the raw string `interop`.
    #[default]
    Detect,
    /// It always does.
    Present,
    /// It never does.
    Absent,
}

/// How nodes are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeOptions {
    /// Bounds on one frame.
    pub limits: Limits,
    /// Whether interop JIDs end in the server's name.
    pub interop_suffix: SuffixRule,
}

impl DecodeOptions {
    /// These limits, and the suffix detected.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { limits, interop_suffix: SuffixRule::Detect }
    }

    /// With another rule for the suffix.
    #[must_use]
    pub const fn with_interop_suffix(mut self, rule: SuffixRule) -> Self {
        self.interop_suffix = rule;
        self
    }
}

/// Reads the one node that `bytes` hold, without the flag byte of a frame (see [`unpack`](crate::unpack)).
///
/// Content of more than 38 bytes is a slice of `bytes`; everything else of the node is held by itself.
///
/// # Errors
/// A [`DecodeError`] with the offset of the malformed item.
pub fn decode(bytes: &Bytes, limits: &Limits) -> Result<Node, DecodeError> {
    decode_with(bytes, &DecodeOptions::new(*limits))
}

/// Reads like [`decode`], with the choices of [`DecodeOptions`].
///
/// # Errors
/// A [`DecodeError`] with the offset of the malformed item.
pub fn decode_with(bytes: &Bytes, options: &DecodeOptions) -> Result<Node, DecodeError> {
    let mut node = BLANK_NODE;
    Reader::new(bytes, options).whole(&mut node)?;
    Ok(node)
}

#[cfg(test)]
mod tests {
    use super::jid::INTEROP_RAW;
    use super::*;
    use crate::content::NodeContent;
    use crate::error::{DecodeErrorKind, JidError};
    use crate::jid::Jid;

    fn error(bytes: &[u8]) -> (DecodeErrorKind, usize) {
        error_with(bytes, &DecodeOptions::default())
    }

    fn error_with(bytes: &[u8], options: &DecodeOptions) -> (DecodeErrorKind, usize) {
        let error = decode_with(&Bytes::copy_from_slice(bytes), options).unwrap_err();
        (error.kind, error.offset)
    }

    fn decoded(bytes: &[u8]) -> Node {
        decode(&Bytes::copy_from_slice(bytes), &Limits::new()).unwrap()
    }

    #[test]
    fn refuses_malformed_lists_and_strings() {
        use DecodeErrorKind as Kind;
        for (bytes, expected) in [
            (&[][..], (Kind::UnexpectedEnd, 0)),
            (&[248], (Kind::UnexpectedEnd, 1)),
            (&[249, 0], (Kind::UnexpectedEnd, 2)),
            (&[0], (Kind::ExpectedList(0), 0)),
            (&[25], (Kind::ExpectedList(25), 0)),
            (&[250, 0, 3], (Kind::ExpectedList(250), 0)),
            (&[248, 0], (Kind::EmptyNode, 0)),
            (&[249, 0, 0], (Kind::EmptyNode, 0)),
            (&[248, 1], (Kind::ListTooLong(1), 0)),
            (&[248, 5, 25, 8, 6], (Kind::ListTooLong(5), 0)),
            (&[249, 255, 255, 25], (Kind::ListTooLong(65_535), 0)),
            (&[248, 1, 0], (Kind::EmptyName, 2)),
            (&[248, 1, 252, 0], (Kind::EmptyName, 2)),
            (&[248, 1, 255, 0], (Kind::EmptyName, 2)),
            (&[248, 3, 25, 0, 8], (Kind::EmptyName, 3)),
            (&[248, 1, 248, 1, 25], (Kind::UnexpectedList, 2)),
            (&[248, 1, 250, 0, 3], (Kind::UnexpectedJid, 2)),
            (&[248, 1, 244, 0, 3], (Kind::UnexpectedJid, 2)),
            (&[248, 3, 25, 8, 249, 0, 0], (Kind::UnexpectedList, 4)),
            (&[248, 3, 25, 250, 0, 3, 8], (Kind::UnexpectedJid, 3)),
            (&[248, 1, 240], (Kind::UnknownTag(240), 2)),
            (&[248, 1, 243], (Kind::UnknownTag(243), 2)),
            (&[248, 2, 25, 241], (Kind::UnknownTag(241), 3)),
            (&[248, 1, 236], (Kind::UnexpectedEnd, 3)),
            (&[248, 1, 25, 0], (Kind::TrailingBytes(1), 3)),
            (&[248, 1, 252, 2, b'a'], (Kind::UnexpectedEnd, 5)),
            (&[248, 1, 253, 0x10, 0, 1, b'a'], (Kind::LengthBits, 2)),
            (&[248, 1, 254, 255, 255, 255, 255, b'a'], (Kind::UnexpectedEnd, 8)),
            (&[248, 1, 252, 2, 0xc3, 0x28], (Kind::Utf8, 2)),
            (&[248, 1, 255, 2, 0x12], (Kind::UnexpectedEnd, 5)),
            (&[248, 1, 255, 2, 0x12, 0xf4], (Kind::PackedDigit, 5)),
            (&[248, 1, 255, 1, 0x1f], (Kind::PackedDigit, 4)),
            (&[248, 1, 255, 0x80], (Kind::PackedFiller, 4)),
            (&[248, 1, 251, 0x81, 0x10], (Kind::PackedFiller, 4)),
            (&[248, 2, 25, 248, 1, 0], (Kind::ListTooLong(1), 3)),
            (&[248, 2, 25, 248, 1, 1, 1, 1], (Kind::ExpectedList(1), 5)),
        ] {
            assert_eq!(error(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn refuses_malformed_jids() {
        use DecodeErrorKind as Kind;
        let error = |jid: &[u8]| {
            let (kind, offset) = error(&[&[248, 3, 25, 17][..], jid].concat());
            (kind, offset - 4)
        };
        for (jid, expected) in [
            (&[250, 250, 0, 3, 3][..], (Kind::UnexpectedJid, 1)),
            (&[250, 248, 1, 3, 3], (Kind::UnexpectedList, 1)),
            (&[250, 0, 249, 1, 3], (Kind::UnexpectedList, 2)),
            (&[250, 0, 0], (Kind::Jid(JidError::Server), 0)),
            (&[250, 252, 0, 3], (Kind::Jid(JidError::User), 0)),
            (&[250, 252, 1, b'@', 3], (Kind::Jid(JidError::User), 0)),
            (&[250, 252, 3, b'1', b':', b'x', 3], (Kind::Jid(JidError::Device), 0)),
            (&[250, 0, 252, 2, b'a', b'@'], (Kind::Jid(JidError::Server), 0)),
            (&[247, 2, 1, 14], (Kind::Jid(JidError::Domain(2)), 0)),
            (&[247, 0, 1, 0], (Kind::Jid(JidError::User), 0)),
            (&[247, 0, 1, 247, 0, 1, 14], (Kind::UnexpectedJid, 3)),
            (&[247, 0], (Kind::UnexpectedEnd, 2)),
            (&[246, 14, 0, 1, 3], (Kind::Jid(JidError::Server), 0)),
            (&[246, 0, 0, 1, 204], (Kind::Jid(JidError::User), 0)),
            (&[245, 255, 1, 0x12, 0, 1, 0, 1], (Kind::Jid(JidError::Device), 0)),
            (&[245, 255, 1, 0x12, 0, 0, 0, 0], (Kind::Jid(JidError::Interop), 0)),
            (&[245, 255, 1, 0x12, 0, 0, 3, 232], (Kind::Jid(JidError::Interop), 0)),
            (&[245, 255, 1, 0x02, 0, 0, 0, 1], (Kind::Jid(JidError::Interop), 0)),
            (&[245, 14, 0, 0, 0, 1], (Kind::Jid(JidError::Interop), 0)),
            (&[245, 245, 14, 0, 0, 0, 1], (Kind::UnexpectedJid, 1)),
            (&[245, 255, 1, 0x12, 0, 0, 0], (Kind::UnexpectedEnd, 7)),
            (&[244, 255, 1, 0x12, 0, 0, 0, 1, 0], (Kind::AndroidInterop, 0)),
        ] {
            assert_eq!(error(jid), expected, "{jid:?}");
        }
    }

    #[test]
    fn interop_suffix_is_detected_or_forced() {
        const BARE: &[u8] = &[248, 3, 25, 17, 245, 255, 1, 0x12, 0, 0, 0, 7];
        let suffixed = [BARE, INTEROP_RAW].concat();
        let expected = Node::new("iq").with_attr("to", Jid::interop(7, 12).unwrap());
        assert_eq!(decoded(BARE), expected);
        assert_eq!(decoded(&suffixed), expected);
        let options = |rule| DecodeOptions::default().with_interop_suffix(rule);
        let (present, absent) = (options(SuffixRule::Present), options(SuffixRule::Absent));
        assert_eq!(decode_with(&suffixed.clone().into(), &present), Ok(expected.clone()));
        assert_eq!(decode_with(&Bytes::from_static(BARE), &absent), Ok(expected));
        assert_eq!(error_with(BARE, &present), (DecodeErrorKind::UnexpectedEnd, 12));
        assert_eq!(error_with(&suffixed, &absent), (DecodeErrorKind::TrailingBytes(9), 12));
        let other = [BARE, b"\xfc\x07Interop"].concat();
        assert_eq!(error_with(&other, &present), (DecodeErrorKind::Jid(JidError::Server), 4));
    }

    #[test]
    fn reads_each_form() {
        let node = decoded(&[
            249, 0, 12, 19, 8, 251, 0x83, 0x3e, 0xb0, 0xcf, 4, 56, 17, 247, 1, 2, 255, 1, 0x12, 24, 0, 6,
            250, 0, 3, 248, 2, 248, 1, 25, 248, 2, 29, 253, 0, 0, 2, 0xff, 0xfe,
        ]);
        let expected = Node::new("message")
            .with_attr("id", "3EB0C")
            .with_attr("type", "text")
            .with_attr("to", "12:2@lid".parse::<Jid>().unwrap())
            .with_attr("notify", "")
            .with_attr("from", Jid::whatsapp())
            .with_children([Node::new("iq"), Node::new("enc").with_bytes(&b"\xff\xfe"[..])]);
        assert_eq!(node, expected);
        assert!(decoded(&[0xf8, 1, 2]).is_stream_end());
        assert_eq!(decoded(&[248, 2, 25, 0]).content(), &NodeContent::Nodes(Vec::new()));
        assert_eq!(decoded(&[248, 2, 25, 255, 1, 0x12]).bytes(), Some(&b"12"[..]));
        assert_eq!(decoded(&[248, 2, 25, 250, 0, 3]).content(), &NodeContent::from(Jid::whatsapp()));
    }

    #[test]
    fn device_zero_is_the_user() {
        let user = [255, 134, 20, 21, 85, 81, 0, 31];
        let node = |device| decoded(&[&[248, 3, 25, 17, 247, 0, device][..], &user].concat());
        let phone = Jid::phone("14155551001").unwrap();
        assert_eq!(node(0), Node::new("iq").with_attr("to", phone.clone()));
        assert_eq!(node(7), Node::new("iq").with_attr("to", phone.with_device(7).unwrap()));
    }

    #[test]
    fn keeps_to_its_limits() {
        use DecodeErrorKind as Kind;
        let options = |limits| DecodeOptions::new(limits);
        let limits = Limits::new();
        let two_attrs = [248, 5, 25, 8, 8, 8, 8];
        let two_children = [248, 2, 25, 248, 2, 248, 1, 25, 248, 1, 25];
        assert_eq!(error_with(&two_attrs, &options(limits.with_attrs(1))), (Kind::TooManyAttrs, 0));
        assert!(decode(&two_attrs.to_vec().into(), &limits.with_attrs(2)).is_ok());
        assert_eq!(error_with(&two_children, &options(limits.with_nodes(2))), (Kind::TooManyNodes, 3));
        assert!(decode(&two_children.to_vec().into(), &limits.with_nodes(3)).is_ok());
        assert_eq!(error_with(&two_children, &options(limits.with_depth(1))), (Kind::TooDeep, 5));
        assert!(decode(&two_children.to_vec().into(), &limits.with_depth(2)).is_ok());
        assert_eq!(error_with(&two_children, &options(limits.with_nodes(0))), (Kind::TooManyNodes, 0));
    }
}
