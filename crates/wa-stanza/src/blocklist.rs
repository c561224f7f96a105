//! Overview §5 and the public clients: whom a user has blocked, iqs in the namespace `blocklist`.

use wa_binary::{Jid, Node, Str};

use crate::error::StanzaError;
use crate::fields::Fields;
use crate::iq::Iq;

/// Whom a user has blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blocklist {
    /// A digest of the list, opaque here.
    pub dhash: Option<Str>,
    /// The users who are blocked.
    pub blocked: Vec<Jid>,
}

/// A change of the [`Blocklist`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlocklistChange {
    /// The user to block or unblock.
    pub jid: Jid,
    /// Whether they are blocked from now on, or no longer.
    pub block: bool,
}

/// The namespace of the iq.
const XMLNS: &str = "blocklist";

impl Blocklist {
    /// Asks for the list.
    #[must_use]
    pub fn request(id: impl Into<Str>) -> Iq {
        Iq::get(id, XMLNS)
    }
}

impl TryFrom<&Iq> for Blocklist {
    type Error = StanzaError;

    /// Reads the answer. A list that is not there is empty.
    fn try_from(iq: &Iq) -> Result<Self, StanzaError> {
        let Some(list) = iq.result_payload("list")?.child_opt("list") else {
            return Ok(Self { dhash: None, blocked: Vec::new() });
        };
        let blocked = list.children("item").map(|item| item.jid("jid")).collect::<Result<_, _>>()?;
        Ok(Self { dhash: list.text_opt("dhash"), blocked })
    }
}

impl BlocklistChange {
    /// The iq that asks for it.
    #[must_use]
    pub fn into_iq(self, id: impl Into<Str>) -> Iq {
        Iq::set(id, XMLNS).with_children([self.into()])
    }
}

impl TryFrom<&Iq> for BlocklistChange {
    type Error = StanzaError;

    fn try_from(iq: &Iq) -> Result<Self, StanzaError> {
        let item = iq.request_payload(&crate::iq::IqKind::Set, XMLNS, "item")?.child("item")?;
        Self::from_fields(item)
    }
}

impl BlocklistChange {
    fn from_fields(item: Fields<'_>) -> Result<Self, StanzaError> {
        let block = match &*item.text("action")? {
            "block" => true,
            "unblock" => false,
            _ => return Err(item.invalid("action")),
        };
        Ok(Self { jid: item.jid("jid")?, block })
    }
}

impl From<BlocklistChange> for Node {
    fn from(change: BlocklistChange) -> Self {
        let action = if change.block { "block" } else { "unblock" };
        Self::new("item").with_attr("action", action).with_attr("jid", change.jid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iq(xml: &str) -> Iq {
        Iq::try_from(&xml.parse::<Node>().unwrap()).unwrap()
    }

    #[test]
    fn golden() {
        let xml = "<iq id='7' to='s.whatsapp.net' type='get' xmlns='blocklist'/>";
        assert_eq!(Node::from(Blocklist::request("7")), xml.parse().unwrap());
        let xml = "<iq id='8' to='s.whatsapp.net' type='set' xmlns='blocklist'>\
                   <item action='block' jid='14155551001@s.whatsapp.net'/></iq>";
        let change = BlocklistChange { jid: "14155551001@s.whatsapp.net".parse().unwrap(), block: true };
        assert_eq!(Node::from(change.clone().into_iq("8")), xml.parse().unwrap());
        assert_eq!(BlocklistChange::try_from(&iq(xml)), Ok(change));
        let answer = "<iq id='7' from='s.whatsapp.net' type='result'>\
                      <list dhash='17'><item jid='1@s.whatsapp.net'/><item jid='2@lid'/></list></iq>";
        let expected = Blocklist {
            dhash: Some("17".into()),
            blocked: vec!["1@s.whatsapp.net".parse().unwrap(), "2@lid".parse().unwrap()],
        };
        assert_eq!(Blocklist::try_from(&iq(answer)), Ok(expected));
        let empty = Blocklist { dhash: None, blocked: vec![] };
        assert_eq!(Blocklist::try_from(&iq("<iq id='7' type='result'/>")), Ok(empty));
    }

    #[test]
    fn errors() {
        let wrong = StanzaError::WrongIq { element: "list" };
        let refused = iq("<iq id='7' type='error'><error code='503'/></iq>");
        assert_eq!(Blocklist::try_from(&refused), Err(wrong));
        let unnamed = iq("<iq id='7' type='result'><list><item/></list></iq>");
        let missing = StanzaError::MissingAttr { element: "item", attr: "jid" };
        assert_eq!(Blocklist::try_from(&unnamed), Err(missing));
        let odd = iq("<iq id='7' type='set' xmlns='blocklist'><item action='mute' jid='1@lid'/></iq>");
        let invalid = StanzaError::InvalidAttr { element: "item", attr: "action" };
        assert_eq!(BlocklistChange::try_from(&odd), Err(invalid));
    }
}
