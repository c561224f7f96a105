//! Overview §2.1.1, `<iq>`: pings, which keep a connection alive (forms: public clients).

use wa_binary::Str;

use crate::iq::{Iq, IqKind};

/// The ping a client sends; the answer is an empty result.
#[must_use]
pub fn ping(id: impl Into<Str>) -> Iq {
    Iq::get(id, CLIENT)
}

impl Iq {
    /// Whether this is a ping, to be answered with [`Iq::result`]: a get in a ping namespace, with or without
    /// `<ping/>` inside, or that element alone.
    #[must_use]
    pub fn is_ping(&self) -> bool {
        let named = match self.xmlns.as_deref() {
            Some(xmlns) => xmlns == CLIENT || xmlns == SERVER,
            None => self.child("ping").is_some(),
        };
        self.kind == IqKind::Get && named
    }
}

/// Namespace of a client's ping.
const CLIENT: &str = "w:p";
/// Namespace of a server's ping.
const SERVER: &str = "urn:xmpp:ping";

#[cfg(test)]
mod tests {
    use wa_binary::Node;

    use super::*;

    #[test]
    fn every_form_is_recognised() {
        for (xml, expected) in [
            ("<iq id='1' type='get' xmlns='w:p' to='s.whatsapp.net'/>", true),
            ("<iq id='1' type='get' xmlns='w:p' to='s.whatsapp.net'><ping/></iq>", true),
            ("<iq from='s.whatsapp.net' type='get' xmlns='urn:xmpp:ping'/>", true),
            ("<iq from='s.whatsapp.net' type='get' id='1'><ping/></iq>", true),
            ("<iq from='s.whatsapp.net' type='set' xmlns='urn:xmpp:ping'/>", false),
            ("<iq from='s.whatsapp.net' type='get' xmlns='encrypt'><ping/></iq>", false),
            ("<iq from='s.whatsapp.net' type='get' id='1'/>", false),
            ("<iq from='s.whatsapp.net' type='result' id='1'/>", false),
        ] {
            let node: Node = xml.parse().unwrap();
            assert_eq!(Iq::try_from(&node).unwrap().is_ping(), expected, "{xml}");
        }
    }
}
