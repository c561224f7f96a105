//! Overview §2.1.2: everything that can be wrong with a node, a JID or a frame body.

use thiserror::Error;

/// Why bytes are not a node; the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{kind} at byte {offset}")]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// Where: the first byte of the malformed item, or the length of the input where it ended too early.
    pub offset: usize,
}

/// What is wrong with encoded bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input ends inside an item.
    #[error("input ends inside an item")]
    UnexpectedEnd,
    /// Bytes follow the node.
    #[error("{0} {follows} the node", follows = follow(*.0))]
    TrailingBytes(usize),
    /// A byte that starts nothing known (240–243).
    #[error("unknown tag {0}")]
    UnknownTag(u8),
    /// A node must be a list, and this is not one.
    #[error("a node must be a list, not tag {0}")]
    ExpectedList(u8),
    /// A list stands where a string belongs.
    #[error("a list where a string belongs")]
    UnexpectedList,
    /// A JID stands where a plain string belongs: a tag, an attribute name, or a part of another JID.
    #[error("a jid where a plain string belongs")]
    UnexpectedJid,
    /// A node of no elements, so without a tag.
    #[error("a node without elements")]
    EmptyNode,
    /// A node's tag, an attribute's name or a device's user is the empty string.
    #[error("an empty name")]
    EmptyName,
    /// A list declares more elements than the bytes after it can hold.
    #[error("a list of {0} elements is longer than the input")]
    ListTooLong(usize),
    /// Nodes are nested deeper than [`Limits::depth`](crate::Limits::depth).
    #[error("nodes nested too deep")]
    TooDeep,
    /// More nodes than [`Limits::nodes`](crate::Limits::nodes).
    #[error("too many nodes")]
    TooManyNodes,
    /// More attributes than [`Limits::attrs`](crate::Limits::attrs).
    #[error("too many attributes")]
    TooManyAttrs,
    /// The upper four bits of a 20-bit length are not zero.
    #[error("a 20-bit length with high bits set")]
    LengthBits,
    /// A packed string holds a nibble that is not in its alphabet, or a filler before its end.
    #[error("an invalid packed digit")]
    PackedDigit,
    /// A packed string of odd length has no filler in its last nibble, or no bytes at all.
    #[error("a packed string of odd length without its filler")]
    PackedFiller,
    /// A string is not UTF-8.
    #[error("a string is not utf-8")]
    Utf8,
    /// The parts of a JID do not make one.
    #[error(transparent)]
    Jid(#[from] JidError),
    /// Tag 244, the typed interop JID of newer Android clients; how to read it is not public.
    #[error("tag 244 has no public reader")]
    AndroidInterop,
}

/// Why text or parts are not a JID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JidError {
    /// The server is empty, contains `@`, or is not the one the form requires.
    #[error("invalid jid server")]
    Server,
    /// The user is empty where it may not be, or contains `@` (or `:` where a device may follow).
    #[error("invalid jid user")]
    User,
    /// The device is not a number in range without leading zeros.
    #[error("invalid jid device")]
    Device,
    /// The domain byte is not 0, 1, 128 or 129.
    #[error("unknown jid domain {0}")]
    Domain(u8),
    /// The user of an interop address is not of the form `{1..999}-{1..999999999999999}[:0]@interop`.
    #[error("invalid interop jid")]
    Interop,
    /// Not `+` and 7 to 15 digits.
    #[error("no phone number in international form, such as +1 415 555 1001")]
    E164,
}

/// Why a node cannot be written; the caller's fault.
// As wide as a length, so that a result of either comes back in registers.
#[repr(usize)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A tag or an attribute name is empty.
    #[error("a tag or attribute name is empty")]
    EmptyName,
    /// A node has more than [`Limits::MAX_ATTRS`](crate::Limits::MAX_ATTRS) attributes, or all nodes together have more
    /// than a reader with the default limits takes.
    #[error("too many attributes")]
    TooManyAttrs,
    /// There are more nodes than a reader with the default limits takes.
    #[error("too many nodes")]
    TooManyNodes,
    /// Nodes are nested deeper than [`Limits::MAX_DEPTH`](crate::Limits::MAX_DEPTH).
    #[error("nodes nested too deep")]
    TooDeep,
    /// A string or content is longer than 2³² − 1 bytes.
    #[error("a string is too long")]
    TooLong,
}

/// Why the body of a frame cannot be opened; the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The body has no flag byte.
    #[error("the frame body is empty")]
    Empty,
    /// A flag other than compression is set.
    #[error("unknown flags {0:#04x}")]
    UnknownFlags(u8),
    /// The compressed part is not one complete zlib stream.
    #[error("invalid zlib stream")]
    Zlib,
    /// The inflated part is longer than [`Limits::inflated_bytes`](crate::Limits::inflated_bytes).
    #[error("inflated body is too long")]
    TooLong,
    /// Bytes follow the zlib stream.
    #[error("{0} {follows} the zlib stream", follows = follow(*.0))]
    TrailingBytes(usize),
}

/// Why XML text is not a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{kind} at byte {offset}")]
#[non_exhaustive]
pub struct XmlError {
    /// What is wrong.
    pub kind: XmlErrorKind,
    /// Byte offset in the text, of or shortly after the fault.
    pub offset: usize,
}

/// What is wrong with XML text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum XmlErrorKind {
    /// The XML is not well-formed.
    #[error("xml is not well-formed")]
    Syntax,
    /// The text ends before the first element does, or has none.
    #[error("xml ends early")]
    UnexpectedEnd,
    /// Something follows the first element.
    #[error("xml continues after the node")]
    Trailing,
    /// A declaration, document type or processing instruction.
    #[error("xml declarations are not accepted")]
    Declaration,
    /// An entity other than the five predefined ones and characters by number.
    #[error("unknown xml entity")]
    Entity,
    /// Elements are nested deeper than [`Limits::MAX_DEPTH`](crate::Limits::MAX_DEPTH).
    #[error("xml nested too deep")]
    TooDeep,
    /// An element has both text and elements inside.
    #[error("an element mixes text and elements")]
    Mixed,
    /// An attribute is given twice.
    #[error("an attribute is repeated")]
    Repeated,
    /// A `wa:` attribute is unknown, misplaced or malformed.
    #[error("invalid wa: attribute")]
    Marker,
    /// A backslash escape is malformed.
    #[error("invalid backslash escape")]
    Escape,
    /// A `wa:bytes` attribute is not hexadecimal.
    #[error("invalid hexadecimal")]
    Hex,
    /// An attribute marked as a JID is not one.
    #[error(transparent)]
    Jid(#[from] JidError),
}

/// What so many bytes do.
const fn follow(bytes: usize) -> &'static str {
    if bytes == 1 { "byte follows" } else { "bytes follow" }
}
