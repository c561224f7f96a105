//! Overview §3: how many one-time prekeys the server has left, and giving it more.

use wa_binary::{Node, Str};

use super::{
    OneTimePrekey, SignedPrekeyNode, XMLNS, identity, identity_node, key_type, key_type_node, registration,
    registration_node,
};
use crate::error::StanzaError;
use crate::iq::{Iq, IqKind};

/// How many one-time prekeys the server has left: the answer to [`PrekeyCount::request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrekeyCount {
    /// The number of one-time prekeys that the server has.
    pub value: u32,
}

impl PrekeyCount {
    /// The iq that asks for it.
    #[must_use]
    pub fn request(id: impl Into<Str>) -> Iq {
        Iq::get(id, XMLNS).with_children([Node::new("count")])
    }

    /// The content of the answer.
    #[must_use]
    pub fn into_node(self) -> Node {
        Node::new("count").with_attr("value", self.value)
    }
}

impl TryFrom<&Iq> for PrekeyCount {
    type Error = StanzaError;

    fn try_from(iq: &Iq) -> Result<Self, StanzaError> {
        let count = iq.result_payload("count")?.child("count")?;
        Ok(Self { value: count.number("value")? })
    }
}

/// Everything a peer needs to start a session, for the server to keep; answered with an empty result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrekeyUpload {
    /// The registration id.
    pub registration: u32,
    /// The identity key.
    pub identity: [u8; 32],
    /// More one-time prekeys.
    pub one_time: Vec<OneTimePrekey>,
    /// The signed prekey.
    pub signed: SignedPrekeyNode,
}

impl PrekeyUpload {
    /// The iq that gives it to the server.
    #[must_use]
    pub fn into_iq(self, id: impl Into<Str>) -> Iq {
        Iq::set(id, XMLNS).with_children([
            registration_node(self.registration),
            key_type_node(),
            identity_node(self.identity),
            Node::new("list").with_children(self.one_time.into_iter().map(Node::from)),
            self.signed.into(),
        ])
    }
}

impl TryFrom<&Iq> for PrekeyUpload {
    type Error = StanzaError;

    fn try_from(iq: &Iq) -> Result<Self, StanzaError> {
        let outer = iq.request_payload(&IqKind::Set, XMLNS, "registration")?;
        let registration = registration(outer)?;
        key_type(outer)?;
        let list = outer.child("list")?;
        Ok(Self {
            registration,
            identity: identity(outer)?,
            one_time: list.children("key").map(OneTimePrekey::from_fields).collect::<Result<_, _>>()?,
            signed: SignedPrekeyNode::from_fields(outer.child("skey")?)?,
        })
    }
}

/// A new signed prekey in place of the last one, answered with an empty result (observed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedPrekeyRotation {
    /// The new one.
    pub signed: SignedPrekeyNode,
}

impl SignedPrekeyRotation {
    /// The iq that gives it to the server.
    #[must_use]
    pub fn into_iq(self, id: impl Into<Str>) -> Iq {
        Iq::set(id, XMLNS).with_children([Node::new("rotate").with_child(self.signed.into())])
    }
}

impl TryFrom<&Iq> for SignedPrekeyRotation {
    type Error = StanzaError;

    fn try_from(iq: &Iq) -> Result<Self, StanzaError> {
        let rotate = iq.request_payload(&IqKind::Set, XMLNS, "rotate")?.child("rotate")?;
        Ok(Self { signed: SignedPrekeyNode::from_fields(rotate.child("skey")?)? })
    }
}
