//! Overview §3 and the public clients: prekeys, iqs in the namespace `encrypt`.
//!
//! All keys here are public, 32 bytes without the type byte; identifiers are 3 bytes on the wire.

mod bundle;
mod upload;

pub use bundle::{FetchedBundle, FetchedUser, PrekeyBundles, PrekeyFetch, WantedUser};
pub use upload::{PrekeyCount, PrekeyUpload, SignedPrekeyRotation};

use wa_binary::Node;

use crate::error::StanzaError;
use crate::fields::Fields;

/// The identifier of a prekey, 24 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrekeyId(u32);

/// A signed prekey's public part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedPrekeyNode {
    /// The prekey's id.
    pub id: PrekeyId,
    /// The public half of the prekey.
    pub value: [u8; 32],
    /// The identity key's XEdDSA signature over `0x05` and the key.
    pub signature: [u8; 64],
}

/// A one-time prekey's public part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneTimePrekey {
    /// The prekey's id.
    pub id: PrekeyId,
    /// The public half of the prekey.
    pub value: [u8; 32],
}

impl PrekeyId {
    /// The identifier, unless it is above 24 bits.
    #[must_use]
    pub const fn new(id: u32) -> Option<Self> {
        if id >> 24 == 0 { Some(Self(id)) } else { None }
    }

    /// The identifier as a number.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }

    fn from_fields(fields: Fields<'_>) -> Result<Self, StanzaError> {
        let [a, b, c] = fields.child("id")?.array()?;
        Ok(Self(u32::from_be_bytes([0, a, b, c])))
    }

    fn into_node(self) -> Node {
        let [_, id @ ..] = self.0.to_be_bytes();
        Node::new("id").with_bytes(id.to_vec())
    }
}

impl SignedPrekeyNode {
    /// Reads a `<skey>`.
    pub(crate) fn from_fields(skey: Fields<'_>) -> Result<Self, StanzaError> {
        Ok(Self {
            id: PrekeyId::from_fields(skey)?,
            value: skey.child("value")?.array()?,
            signature: skey.child("signature")?.array()?,
        })
    }
}

impl From<SignedPrekeyNode> for Node {
    fn from(prekey: SignedPrekeyNode) -> Self {
        Self::new("skey").with_children([
            prekey.id.into_node(),
            Self::new("value").with_bytes(prekey.value.to_vec()),
            Self::new("signature").with_bytes(prekey.signature.to_vec()),
        ])
    }
}

impl OneTimePrekey {
    /// Reads a `<key>`.
    pub(crate) fn from_fields(key: Fields<'_>) -> Result<Self, StanzaError> {
        Ok(Self { id: PrekeyId::from_fields(key)?, value: key.child("value")?.array()? })
    }
}

impl From<OneTimePrekey> for Node {
    fn from(prekey: OneTimePrekey) -> Self {
        let value = Self::new("value").with_bytes(prekey.value.to_vec());
        Self::new("key").with_children([prekey.id.into_node(), value])
    }
}

/// The namespace of the iq.
const XMLNS: &str = "encrypt";
/// The only key type: Curve25519.
const KEY_TYPE: u8 = 5;

/// Reads `<registration>`, 4 bytes.
pub(crate) fn registration(outer: Fields<'_>) -> Result<u32, StanzaError> {
    Ok(u32::from_be_bytes(outer.child("registration")?.array()?))
}

pub(crate) fn registration_node(id: u32) -> Node {
    Node::new("registration").with_bytes(id.to_be_bytes().to_vec())
}

/// Reads `<type>`, which must say Curve25519.
pub(crate) fn key_type(outer: Fields<'_>) -> Result<(), StanzaError> {
    match outer.child("type")?.array()? {
        [KEY_TYPE] => Ok(()),
        [other] => Err(StanzaError::KeyType(other)),
    }
}

pub(crate) fn key_type_node() -> Node {
    Node::new("type").with_bytes(vec![KEY_TYPE])
}

/// Reads `<identity>`, 32 bytes.
pub(crate) fn identity(outer: Fields<'_>) -> Result<[u8; 32], StanzaError> {
    outer.child("identity")?.array()
}

pub(crate) fn identity_node(key: [u8; 32]) -> Node {
    Node::new("identity").with_bytes(key.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_24_bits() {
        assert_eq!(PrekeyId::new(0xff_ffff).map(PrekeyId::value), Some(0xff_ffff));
        assert_eq!(PrekeyId::new(0x100_0000), None);
        let node = PrekeyId::new(0xfe_d749).unwrap().into_node();
        assert_eq!(node, "<id wa:bytes='fed749'/>".parse().unwrap());
    }

    #[test]
    fn sizes_are_exact() {
        let skey = |id: &str, value: usize, signature: usize| {
            let xml = format!(
                "<skey><id wa:bytes='{id}'/><value wa:bytes='{}'/><signature wa:bytes='{}'/></skey>",
                "01".repeat(value),
                "02".repeat(signature)
            );
            let node: Node = xml.parse().unwrap();
            Fields::of(&node, "skey").and_then(SignedPrekeyNode::from_fields)
        };
        let length = |element, expected, found| Err(StanzaError::Length { element, expected, found });
        assert_eq!(skey("0001", 32, 64), length("id", 3, 2));
        assert_eq!(skey("00000001", 32, 64), length("id", 3, 4));
        assert_eq!(skey("000001", 33, 64), length("value", 32, 33));
        assert_eq!(skey("000001", 31, 64), length("value", 32, 31));
        assert_eq!(skey("000001", 32, 65), length("signature", 64, 65));
        assert_eq!(skey("000001", 32, 0), length("signature", 64, 0));
        let expected = SignedPrekeyNode { id: PrekeyId(1), value: [1; 32], signature: [2; 64] };
        assert_eq!(skey("000001", 32, 64), Ok(expected));
    }
}
