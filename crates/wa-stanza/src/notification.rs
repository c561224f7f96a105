//! `<notification>`: something changed (overview §2.1; public clients).

use wa_binary::{Jid, Node, NodeContent, Str};

use crate::error::StanzaError;
use crate::fields::Fields;

/// Something changed, of which the server tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// For the ack.
    pub id: Str,
    /// Whose change it is; the server for what it knows itself.
    pub from: Jid,
    /// Who changed it, if `from` is a group.
    pub participant: Option<Jid>,
    /// The type, such as `encrypt` or `account_sync`.
    pub kind: Str,
    /// When, seconds since 1970.
    pub t: Option<u64>,
    /// Present if it waited in the mailbox.
    pub offline: Option<u32>,
    /// The change that is told.
    pub content: NotificationContent,
}

/// What a [`Notification`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotificationContent {
    /// Type `encrypt`: so many one-time prekeys are left at the server.
    PrekeysLeft {
        /// The number of prekeys that are left.
        value: u32,
    },
    /// Type `encrypt`: so many one-time prekeys that quantum computers do not break are left, and nothing is said of the
    /// others. Nothing need be done by who uploads none (observed).
    PostQuantumPrekeysLeft {
        /// The number of prekeys that are left.
        value: u32,
    },
    /// Type `encrypt`: the sender's identity key changed.
    IdentityChanged,
    /// Type `w:interop`: a user says that they can be reached through an integrator.
    Reachability(ReachabilityPing),
    /// Content that is not modelled.
    Other(NodeContent),
}

/// A user of an integrator makes themselves known (observed at WhatsApp's own clients; that a third party's client gets the
/// same form is assumed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachabilityPing {
    /// What the user is called.
    pub display_name: Option<Str>,
    /// The integrator's number at WhatsApp.
    pub integrator: u32,
    /// What the integrator is called.
    pub integrator_name: Option<Str>,
}

impl NotificationContent {
    fn from_fields(fields: Fields<'_>, kind: &str, content: &NodeContent) -> Result<Self, StanzaError> {
        if kind == ENCRYPT {
            if let Some(count) = fields.child_opt("count") {
                return Ok(Self::PrekeysLeft { value: count.number("value")? });
            }
            if let Some(count) = fields.child_opt("pq_count") {
                return Ok(Self::PostQuantumPrekeysLeft { value: count.number("value")? });
            }
            if fields.child_opt("identity").is_some() {
                return Ok(Self::IdentityChanged);
            }
        }
        let ping = (kind == INTEROP).then(|| ReachabilityPing::from_fields(fields)).flatten();
        Ok(ping.map_or_else(|| Self::Other(content.clone()), Self::Reachability))
    }
}

impl ReachabilityPing {
    /// The form is not published, so that another one is not a fault: it is not modelled.
    fn from_fields(notification: Fields<'_>) -> Option<Self> {
        let ping = notification.child_opt("ping")?;
        let integrator = ping.first("integrator")?;
        Some(Self {
            display_name: ping.text_opt("display_name"),
            integrator: integrator.number("id").ok()?,
            integrator_name: integrator.text_opt("name"),
        })
    }
}

impl From<ReachabilityPing> for Node {
    fn from(ping: ReachabilityPing) -> Self {
        let integrator = Self::new("integrator").with_attr("id", ping.integrator);
        let integrator = integrator.with_attr_opt("name", ping.integrator_name);
        Self::new("ping").with_attr_opt("display_name", ping.display_name).with_child(integrator)
    }
}

impl TryFrom<&Node> for Notification {
    type Error = StanzaError;

    fn try_from(node: &Node) -> Result<Self, StanzaError> {
        let fields = Fields::of(node, "notification")?;
        let kind = fields.text("type")?;
        Ok(Self {
            id: fields.id()?,
            from: fields.jid("from")?,
            participant: fields.jid_opt("participant")?,
            t: fields.number_opt("t")?,
            offline: fields.number_opt("offline")?,
            content: NotificationContent::from_fields(fields, &kind, node.content())?,
            kind,
        })
    }
}

impl From<Notification> for Node {
    fn from(notification: Notification) -> Self {
        let node = Self::new("notification")
            .with_attr("from", notification.from)
            .with_attr_opt("participant", notification.participant)
            .with_attr("id", notification.id)
            .with_attr("type", notification.kind)
            .with_attr_opt("t", notification.t)
            .with_attr_opt("offline", notification.offline);
        match notification.content {
            NotificationContent::PrekeysLeft { value } => {
                node.with_child(Self::new("count").with_attr("value", value))
            }
            NotificationContent::PostQuantumPrekeysLeft { value } => {
                node.with_child(Self::new("pq_count").with_attr("value", value))
            }
            NotificationContent::IdentityChanged => node.with_child(Self::new("identity")),
            NotificationContent::Reachability(ping) => node.with_child(ping.into()),
            NotificationContent::Other(content) => node.with_content(content),
        }
    }
}

/// The type of notifications about keys.
const ENCRYPT: &str = "encrypt";
/// The type of notifications about users of other services.
const INTEROP: &str = "w:interop";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_forms_of_a_reachability_ping_are_shown_whole() {
        for child in ["<pong/>", "<ping/>", "<ping><integrator/></ping>", "<ping><integrator id='x'/></ping>"]
        {
            let xml = format!("<notification type='w:interop' id='1' from='a@lid'>{child}</notification>");
            let read = Notification::try_from(&xml.parse::<Node>().unwrap()).unwrap();
            assert!(matches!(read.content, NotificationContent::Other(_)), "{child}");
        }
    }

    #[test]
    fn errors() {
        let error = |xml: &str| Notification::try_from(&xml.parse::<Node>().unwrap()).unwrap_err();
        let missing = |element, attr| StanzaError::MissingAttr { element, attr };
        for (xml, expected) in [
            ("<iq/>", StanzaError::WrongTag { expected: "notification" }),
            ("<notification id='1' from='a@lid'/>", missing("notification", "type")),
            ("<notification type='x' from='a@lid'/>", missing("notification", "id")),
            ("<notification type='x' id='1'/>", missing("notification", "from")),
            (
                "<notification type='x' id='1' from='@'/>",
                StanzaError::InvalidAttr { element: "notification", attr: "from" },
            ),
            (
                "<notification type='encrypt' id='1' from='a@lid'><count/></notification>",
                missing("count", "value"),
            ),
        ] {
            assert_eq!(error(xml), expected, "{xml}");
        }
    }
}
