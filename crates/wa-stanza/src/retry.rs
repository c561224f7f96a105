//! RO 1.0.3 §1.1 (both sides of retry are required): the content of `<receipt type="retry">`.

use bytes::Bytes;
use wa_binary::{Node, Str};

use crate::error::StanzaError;
use crate::fields::Fields;
use crate::prekeys::{
    OneTimePrekey, SignedPrekeyNode, identity, identity_node, key_type, key_type_node, registration,
    registration_node,
};

/// A request to encrypt a message again, in a new session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often it has been asked, from 1.
    pub count: u32,
    /// The id of the message to send again.
    pub id: Str,
    /// The message's own time, seconds since 1970.
    pub t: u64,
    /// The version, 1.
    pub v: u8,
    /// Why it could not be decrypted, by the numbers of public clients; 7 is a bad MAC (observed).
    pub error: Option<u16>,
    /// The asker's registration id.
    pub registration: u32,
    /// What is needed for the new session, without asking the server; from the second time on.
    pub keys: Option<RetryKeys>,
}

/// The asker's bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryKeys {
    /// The identity key.
    pub identity: [u8; 32],
    /// A one-time prekey for the new session alone.
    pub one_time: Option<OneTimePrekey>,
    /// The signed prekey.
    pub signed: SignedPrekeyNode,
    /// The companion's proof of its account, opaque here; an interop account has none.
    pub device_identity: Option<Bytes>,
}

impl Retry {
    /// Reads the children of a `<receipt>`.
    pub(crate) fn from_fields(receipt: Fields<'_>) -> Result<Self, StanzaError> {
        let retry = receipt.child("retry")?;
        Ok(Self {
            count: retry.number("count")?,
            id: retry.id()?,
            t: retry.number("t")?,
            v: retry.number("v")?,
            error: retry.number_opt("error")?,
            registration: registration(receipt)?,
            keys: receipt.child_opt("keys").map(RetryKeys::from_fields).transpose()?,
        })
    }

    pub(crate) fn into_nodes(self) -> Vec<Node> {
        let retry = Node::new("retry")
            .with_attr("count", self.count)
            .with_attr("id", self.id)
            .with_attr("t", self.t)
            .with_attr("v", self.v)
            .with_attr_opt("error", self.error);
        let mut nodes = vec![retry, registration_node(self.registration)];
        nodes.extend(self.keys.map(Node::from));
        nodes
    }
}

impl RetryKeys {
    fn from_fields(keys: Fields<'_>) -> Result<Self, StanzaError> {
        key_type(keys)?;
        Ok(Self {
            identity: identity(keys)?,
            one_time: keys.child_opt("key").map(OneTimePrekey::from_fields).transpose()?,
            signed: SignedPrekeyNode::from_fields(keys.child("skey")?)?,
            device_identity: keys.child_opt("device-identity").map(Fields::bytes).transpose()?,
        })
    }
}

impl From<RetryKeys> for Node {
    fn from(keys: RetryKeys) -> Self {
        let proof = keys.device_identity.map(|proof| Self::new("device-identity").with_bytes(proof));
        Self::new("keys")
            .with_children([key_type_node(), identity_node(keys.identity)])
            .with_children(keys.one_time.map(Self::from))
            .with_child(keys.signed.into())
            .with_children(proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors() {
        let error = |inside: &str| {
            let node: Node = format!("<receipt id='1' type='retry'>{inside}</receipt>").parse().unwrap();
            Fields::of(&node, "receipt").and_then(Retry::from_fields).unwrap_err()
        };
        let missing = |element, attr| StanzaError::MissingAttr { element, attr };
        let child = |element, child| StanzaError::MissingChild { element, child };
        let retry = "<retry count='1' id='1' t='2' v='1'/>";
        let full = "<retry count='1' id='1' t='2' v='1'/><registration wa:bytes='00000001'/>";
        for (inside, expected) in [
            ("<retry id='1' t='2' v='1'/>".to_owned(), missing("retry", "count")),
            ("<retry count='1' t='2' v='1'/>".to_owned(), missing("retry", "id")),
            ("<retry count='1' id='1' v='1'/>".to_owned(), missing("retry", "t")),
            ("<retry count='1' id='1' t='2'/>".to_owned(), missing("retry", "v")),
            (retry.to_owned(), child("receipt", "registration")),
            (
                format!("{retry}<registration wa:bytes='01'/>"),
                StanzaError::Length { element: "registration", expected: 4, found: 1 },
            ),
            (format!("{retry}<registration/>"), StanzaError::NotBytes { element: "registration" }),
            (format!("{full}<keys/>"), child("keys", "type")),
            (format!("{full}<keys><type wa:bytes='06'/></keys>"), StanzaError::KeyType(6)),
            (format!("{full}<keys><type wa:bytes='05'/></keys>"), child("keys", "identity")),
        ] {
            assert_eq!(error(&inside), expected, "{inside}");
        }
    }
}
