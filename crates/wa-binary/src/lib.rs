#![doc = include_str!("../README.md")]
//!
//! # Frames
//! A decrypted frame begins with a flag byte: [`unpack`] then [`decode`] it; [`pack`] writes one.
//!
//! # XML
//! `Display` writes a node as one line of XML (`{:#}`: indented) and `FromStr` reads it: nothing is lost, not
//! even which values were addresses and which content was a token. What plain XML cannot say is
//! said with attributes named `wa:`:
//!
//! | marker | meaning |
//! |---|---|
//! | `wa:bytes="00ff"` | the content is these bytes; plain text inside an element is content in UTF-8 |
//! | `wa:type="text"` | the content is [`NodeContent::Text`]; the text inside has backslash escapes |
//! | `wa:type="jid"` | the content is an address, likewise |
//! | `wa:type="list"` | the content is an empty list of nodes |
//! | `wa:text="a b"` | attributes `a` and `b` are text, though they read as addresses |
//! | `wa:jid="a b"` | attributes `a` and `b` are addresses, though they read as text |
//! | `wa:name1`, `wa:value1` or `wa:jid1` | an attribute whose name or value XML cannot hold, with backslash escapes, or whose name repeats an earlier one; the number tells several apart |
//! | `<wa:node wa:tag="…">` | a tag that is no XML name, with backslash escapes |
//!
//! An attribute's value reads as an address if it contains `@` and is a [`Jid`], or is `s.whatsapp.net`.
//! The backslash escapes are `\\` and `\u{…}`.

mod content;
mod data;
mod decode;
mod dictionary;
mod encode;
mod error;
mod jid;
#[cfg(feature = "serde")]
mod json;
mod limits;
mod node;
mod pack;
mod packed;
mod tags;
mod text;
mod xml;

/// In public signatures, in the version that they mean.
pub use bytes;
pub use content::{AttrValue, NodeContent};
pub use data::Data;
pub use decode::{DecodeOptions, SuffixRule, decode, decode_with};
pub use dictionary::Token;
pub use encode::{EncodeOptions, InteropSuffix, Packing, encode};
pub use error::{DecodeError, DecodeErrorKind, EncodeError, JidError, UnpackError, XmlError, XmlErrorKind};
pub use jid::{Domain, Jid};
pub use limits::Limits;
pub use node::Node;
pub use pack::{pack, pack_encoded, unpack};
pub use text::Str;
