//! Overview §5 (reporting is optional) and the public clients: a report to WhatsApp's integrity teams.

use bytes::Bytes;
use wa_binary::{Jid, Node, Str};

use crate::iq::Iq;

/// Messages of a user that are reported. Their content goes to WhatsApp in clear: it is the reporter's to give.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    /// From where in the application it was made, such as `MessageMenu` or `ContactInfo`.
    pub flow: Str,
    /// Who is reported.
    pub jid: Jid,
    /// Their last messages, oldest first; none to report the user alone.
    pub messages: Vec<ReportedMessage>,
}

/// One message of a [`Report`].
#[derive(Clone, PartialEq, Eq)]
pub struct ReportedMessage {
    /// The id of the reported message.
    pub id: Str,
    /// When it was sent, seconds since 1970.
    pub t: u64,
    /// What it said: the protobuf bytes, without padding.
    pub content: Bytes,
}

impl Report {
    /// The request in a namespace (`spam`, as observed).
    #[must_use]
    pub fn into_iq(self, id: impl Into<Str>, xmlns: impl Into<Str>) -> Iq {
        let from = self.jid.clone();
        let messages = self.messages.into_iter().map(|message| {
            let raw = Node::new("raw").with_attr("v", "3").with_bytes(message.content);
            Node::new("message")
                .with_attr("id", message.id)
                .with_attr("t", message.t)
                .with_attr("from", &from)
                .with_child(raw)
        });
        let messages: Vec<_> = messages.collect();
        let list = Node::new("spam_list").with_attr("spam_flow", self.flow).with_attr("jid", self.jid);
        let list = if messages.is_empty() { list } else { list.with_children(messages) };
        Iq::set(id, xmlns).with_children([list])
    }
}

/// A report holds private content: `Debug` says how much.
impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Report").field("messages", &self.messages.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ReportedMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReportedMessage").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let report = Report {
            flow: "MessageMenu".into(),
            jid: "14155551001@s.whatsapp.net".parse().unwrap(),
            messages: vec![ReportedMessage {
                id: "3EB0".into(),
                t: 1_700_000_000,
                content: Bytes::from_static(b"\x0A\x02hi"),
            }],
        };
        assert!(!format!("{report:?} {:?}", report.messages).contains("1415"));
        let expected = "<iq id='9' to='s.whatsapp.net' type='set' xmlns='spam'>\
            <spam_list spam_flow='MessageMenu' jid='14155551001@s.whatsapp.net'>\
            <message id='3EB0' t='1700000000' from='14155551001@s.whatsapp.net'>\
            <raw v='3' wa:bytes='0a026869'/></message></spam_list></iq>";
        assert_eq!(Node::from(report.into_iq("9", "spam")), expected.parse().unwrap());
        let bare = Report { flow: "ContactInfo".into(), jid: "1@lid".parse().unwrap(), messages: vec![] };
        let expected = "<iq id='9' to='s.whatsapp.net' type='set' xmlns='spam'>\
            <spam_list spam_flow='ContactInfo' jid='1@lid'/></iq>";
        assert_eq!(Node::from(bare.into_iq("9", "spam")), expected.parse().unwrap());
    }
}
