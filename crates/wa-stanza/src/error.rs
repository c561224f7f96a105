//! Overview §2.1.1: what can be wrong with a known stanza.

use thiserror::Error;
use wa_binary::Node;

/// Why a node is not the stanza its tag says; the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StanzaError {
    /// The node has another tag.
    #[error("not <{expected}>")]
    WrongTag {
        /// The tag that was expected.
        expected: &'static str,
    },
    /// The iq is of another type or namespace.
    #[error("not the iq of <{element}>")]
    WrongIq {
        /// The element that was expected inside.
        element: &'static str,
    },
    /// A required attribute is missing.
    #[error("<{element}> without {attr}")]
    MissingAttr {
        /// The element's tag.
        element: &'static str,
        /// The attribute's name.
        attr: &'static str,
    },
    /// An attribute is not a number, an address or a word it should be.
    #[error("<{element}> with invalid {attr}")]
    InvalidAttr {
        /// The element's tag.
        element: &'static str,
        /// The attribute's name.
        attr: &'static str,
    },
    /// A required element is missing.
    #[error("<{element}> without <{child}>")]
    MissingChild {
        /// The outer element's tag.
        element: &'static str,
        /// The missing element's tag.
        child: &'static str,
    },
    /// An element's content is nodes or nothing where bytes belong.
    #[error("<{element}> without bytes")]
    NotBytes {
        /// The element's tag.
        element: &'static str,
    },
    /// An element's content is not as long as it must be.
    #[error("<{element}> of {found} bytes, not {expected}")]
    Length {
        /// The element's tag.
        element: &'static str,
        /// The length it must have, in bytes.
        expected: usize,
        /// The length it has, in bytes.
        found: usize,
    },
    /// A key's type is not 5 (Curve25519).
    #[error("key type {0}, not 5")]
    KeyType(u8),
}

/// A node with the tag of a known stanza that is not one.
///
/// The node is handed back, so that it can still be refused with [`Ack::refusing`](crate::Ack::refusing).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a known stanza is malformed")]
pub struct Malformed {
    /// What is wrong.
    #[source]
    pub error: StanzaError,
    /// The stanza that cannot be read.
    pub node: Node,
}
