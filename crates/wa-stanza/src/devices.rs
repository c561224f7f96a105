//! The devices of users, iqs in the namespace `usync` (public clients; assumed for interoperability).

use wa_binary::{Jid, Node, Str};

use crate::error::StanzaError;
use crate::fields::Fields;
use crate::iq::Iq;

/// Asks which devices users have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceQuery {
    /// The users whose devices are asked for.
    pub users: Vec<Jid>,
}

/// The answer to a [`DeviceQuery`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceLists {
    /// What each user has, as far as the server tells.
    pub users: Vec<UserDevices>,
}

/// One user's devices.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserDevices {
    /// The user whose devices these are.
    pub jid: Jid,
    /// Their numbers; 0 is the phone. Empty if the server refused or left them out.
    pub devices: Vec<u16>,
}

/// Most devices that are read for one user; WhatsApp allows far fewer.
const MAX_DEVICES: usize = 64;

impl DeviceQuery {
    /// The iq that asks for them.
    #[must_use]
    pub fn into_iq(self, id: impl Into<Str>) -> Iq {
        let id = id.into();
        let users = self.users.into_iter().map(|jid| Node::new("user").with_attr("jid", jid));
        let query = Node::new("query").with_child(Node::new("devices").with_attr("version", "2"));
        let usync = Node::new("usync")
            .with_attr("sid", &*id)
            .with_attr("mode", "query")
            .with_attr("last", "true")
            .with_attr("index", "0")
            .with_attr("context", "message")
            .with_children([query, Node::new("list").with_children(users)]);
        Iq::get(id, "usync").with_children([usync])
    }
}

impl TryFrom<&Iq> for DeviceLists {
    type Error = StanzaError;

    fn try_from(iq: &Iq) -> Result<Self, StanzaError> {
        let list = iq.result_payload("usync")?.child("usync")?.child("list")?;
        Ok(Self { users: list.children("user").map(UserDevices::from_fields).collect::<Result<_, _>>()? })
    }
}

impl UserDevices {
    fn from_fields(user: Fields<'_>) -> Result<Self, StanzaError> {
        let list = user.child_opt("devices").and_then(|devices| devices.child_opt("device-list"));
        let devices = match list {
            Some(list) => list.children("device").take(MAX_DEVICES).map(|it| it.number("id")).collect(),
            None => Ok(Vec::new()),
        };
        Ok(Self { jid: user.jid("jid")?, devices: devices? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let query = DeviceQuery { users: vec!["14155551001@s.whatsapp.net".parse().unwrap()] };
        let expected = "<iq id='4' to='s.whatsapp.net' type='get' xmlns='usync'>\
            <usync sid='4' mode='query' last='true' index='0' context='message'>\
            <query><devices version='2'/></query>\
            <list><user jid='14155551001@s.whatsapp.net'/></list></usync></iq>";
        assert_eq!(Node::from(query.into_iq("4")), expected.parse().unwrap());
        let answer = "<iq id='4' from='s.whatsapp.net' type='result'><usync><list>\
            <user jid='14155551001@s.whatsapp.net'><devices><device-list>\
            <device id='0'/><device id='3' key-index='1'/></device-list></devices></user>\
            <user jid='1@lid'><devices><error code='404'/></devices></user></list></usync></iq>";
        let lists = DeviceLists::try_from(&Iq::try_from(&answer.parse::<Node>().unwrap()).unwrap());
        let user =
            |jid: &str, devices: &[u16]| UserDevices { jid: jid.parse().unwrap(), devices: devices.to_vec() };
        let users = vec![user("14155551001@s.whatsapp.net", &[0, 3]), user("1@lid", &[])];
        assert_eq!(lists, Ok(DeviceLists { users }));
    }

    #[test]
    fn errors() {
        let error = |xml: &str| {
            DeviceLists::try_from(&Iq::try_from(&xml.parse::<Node>().unwrap()).unwrap()).unwrap_err()
        };
        assert_eq!(
            error("<iq id='4' type='error'><error code='503'/></iq>"),
            StanzaError::WrongIq { element: "usync" }
        );
        assert_eq!(
            error("<iq id='4' type='result'><usync/></iq>"),
            StanzaError::MissingChild { element: "usync", child: "list" }
        );
        let odd = "<iq type='result'><usync><list><user jid='1@lid'><devices><device-list>\
                   <device id='-1'/></device-list></devices></user></list></usync></iq>";
        assert_eq!(error(odd), StanzaError::InvalidAttr { element: "device", attr: "id" });
    }
}
