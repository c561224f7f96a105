//! Overview §3: fetching what is needed to start sessions with other users.

use wa_binary::{Jid, Node, Str};

use super::{
    OneTimePrekey, SignedPrekeyNode, XMLNS, identity, identity_node, key_type, key_type_node, registration,
    registration_node,
};
use crate::error::StanzaError;
use crate::fields::Fields;
use crate::iq::{Iq, IqError, IqKind};

/// A request for bundles; the answer is [`PrekeyBundles`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrekeyFetch {
    /// The users whose keys are asked for.
    pub users: Vec<WantedUser>,
}

/// A user, or one device of a user, whose bundle is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedUser {
    /// The address of the user, or of one device.
    pub jid: Jid,
    /// Whether it is wanted because the user's identity key changed (`reason="identity"`).
    pub identity_changed: bool,
}

/// The answer to a [`PrekeyFetch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrekeyBundles {
    /// One for each that was asked for, in any order.
    pub users: Vec<FetchedUser>,
}

/// A user's bundle, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedUser {
    /// The address of the device.
    pub jid: Jid,
    /// The bundle, or the server's error for this user alone.
    pub bundle: Result<FetchedBundle, IqError>,
}

/// What is needed to start a session with one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchedBundle {
    /// The registration id.
    pub registration: u32,
    /// The identity key.
    pub identity: [u8; 32],
    /// A one-time prekey, unless the server has none left.
    pub one_time: Option<OneTimePrekey>,
    /// The signed prekey.
    pub signed: SignedPrekeyNode,
    /// Whether the device could do more than is done here: a `<pqkey>` came with the bundle, a key that quantum computers
    /// do not break (observed). It is not read.
    pub post_quantum: bool,
}

impl PrekeyFetch {
    /// The iq that asks.
    #[must_use]
    pub fn into_iq(self, id: impl Into<Str>) -> Iq {
        let users = self.users.into_iter().map(|user| {
            let reason = user.identity_changed.then_some("identity");
            Node::new("user").with_attr("jid", user.jid).with_attr_opt("reason", reason)
        });
        Iq::get(id, XMLNS).with_children([Node::new("key").with_children(users)])
    }
}

impl TryFrom<&Iq> for PrekeyFetch {
    type Error = StanzaError;

    fn try_from(iq: &Iq) -> Result<Self, StanzaError> {
        let key = iq.request_payload(&IqKind::Get, XMLNS, "key")?.child("key")?;
        let wanted = |user: Fields<'_>| {
            let identity_changed = user.text_opt("reason").is_some_and(|reason| reason == *"identity");
            Ok(WantedUser { jid: user.jid("jid")?, identity_changed })
        };
        Ok(Self { users: key.children("user").map(wanted).collect::<Result<_, _>>()? })
    }
}

impl PrekeyBundles {
    /// The content of the answer.
    #[must_use]
    pub fn into_node(self) -> Node {
        Node::new("list").with_children(self.users.into_iter().map(Node::from))
    }
}

impl TryFrom<&Iq> for PrekeyBundles {
    type Error = StanzaError;

    fn try_from(iq: &Iq) -> Result<Self, StanzaError> {
        let list = iq.result_payload("list")?.child("list")?;
        Ok(Self { users: list.children("user").map(FetchedUser::from_fields).collect::<Result<_, _>>()? })
    }
}

impl FetchedUser {
    fn from_fields(user: Fields<'_>) -> Result<Self, StanzaError> {
        let bundle = match user.child_opt("error") {
            Some(error) => Err(IqError::from_fields(error)?),
            None => Ok(FetchedBundle::from_fields(user)?),
        };
        Ok(Self { jid: user.jid("jid")?, bundle })
    }
}

impl From<FetchedUser> for Node {
    fn from(user: FetchedUser) -> Self {
        let node = Self::new("user").with_attr("jid", user.jid);
        match user.bundle {
            Ok(bundle) => node.with_children(bundle.into_nodes()),
            Err(error) => node.with_child(error.into()),
        }
    }
}

impl FetchedBundle {
    fn from_fields(user: Fields<'_>) -> Result<Self, StanzaError> {
        let registration = registration(user)?;
        key_type(user)?;
        Ok(Self {
            registration,
            identity: identity(user)?,
            one_time: user.child_opt("key").map(OneTimePrekey::from_fields).transpose()?,
            signed: SignedPrekeyNode::from_fields(user.child("skey")?)?,
            post_quantum: user.child_opt("pqkey").is_some(),
        })
    }

    fn into_nodes(self) -> Vec<Node> {
        let mut nodes =
            vec![registration_node(self.registration), key_type_node(), identity_node(self.identity)];
        nodes.extend(self.one_time.map(Node::from));
        nodes.push(self.signed.into());
        nodes.extend(self.post_quantum.then(|| Node::new("pqkey")));
        nodes
    }
}
