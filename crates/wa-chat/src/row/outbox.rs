//! A row of the outbox: a stanza that the server has not acked, and what it is.

use wa_binary::{Jid, Limits, Node};
use wa_proto::record;

use crate::EncodedStanza;

/// The version that says what the stanza is.
const VERSION: u32 = 2;

/// What the server has not acked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutboxEntry {
    pub(crate) stanza: EncodedStanza,
    /// To whom it goes, without a device.
    pub(crate) peer: Jid,
    pub(crate) id: String,
    pub(crate) kind: OutboxKind,
    /// When a message was accepted for sending.
    pub(crate) since: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutboxKind {
    /// A message for all devices.
    Message,
    /// A message that this device alone asked for again.
    Resent(u16),
    /// A read receipt; of earlier programs, a played one too.
    Receipt,
    /// A played receipt.
    Played,
}

impl OutboxKind {
    /// Whether it is a read or played receipt.
    pub(crate) fn is_mark(self) -> bool {
        matches!(self, Self::Receipt | Self::Played)
    }
}

impl OutboxEntry {
    pub(super) fn form(&self) -> record::OutboxEntry {
        let (kind, device) = match self.kind {
            OutboxKind::Message => (1, None),
            OutboxKind::Resent(device) => (1, Some(u32::from(device))),
            OutboxKind::Receipt => (2, None),
            OutboxKind::Played => (3, None),
        };
        record::OutboxEntry {
            version: VERSION,
            stanza: self.stanza.as_bytes().to_vec(),
            peer: Some(self.peer.to_string()),
            id: Some(self.id.clone()),
            kind: Some(kind),
            device,
            since: self.since,
        }
    }

    pub(super) fn read(form: record::OutboxEntry) -> Option<Self> {
        let stanza = EncodedStanza::stored(form.stanza.into());
        if form.version == 1 {
            return Self::from_stanza(stanza);
        }
        let kind = match (form.version, form.kind?, form.device) {
            (VERSION, 1, None) => OutboxKind::Message,
            (VERSION, 1, Some(device)) => OutboxKind::Resent(u16::try_from(device).ok()?),
            (VERSION, 2, None) => OutboxKind::Receipt,
            (VERSION, 3, None) => OutboxKind::Played,
            _ => return None,
        };
        Some(Self { stanza, peer: form.peer?.parse().ok()?, id: form.id?, kind, since: form.since })
    }

    /// Version 1: what it is stands in the stanza itself.
    fn from_stanza(stanza: EncodedStanza) -> Option<Self> {
        let node: Node = wa_binary::decode(stanza.as_bytes(), &Limits::new()).ok()?;
        let to = node.attr("to")?.to_jid()?;
        let kind = match node.tag() {
            "message" if to.device() > 0 => OutboxKind::Resent(to.device()),
            "message" => OutboxKind::Message,
            "receipt" => OutboxKind::Receipt,
            _ => return None,
        };
        let id = node.attr("id")?.to_text().into_owned();
        Some(Self { stanza, peer: to.without_device(), id, kind, since: None })
    }
}

#[cfg(test)]
mod tests {
    use wa_binary::EncodeOptions;

    use super::*;

    #[test]
    fn the_first_versions_rows_say_what_they_are_by_their_stanza() {
        for (xml, peer, kind) in [
            (
                "<message id='3EB0' to='1415@s.whatsapp.net' type='text'><enc v='2' type='msg'/></message>",
                "1415@s.whatsapp.net",
                OutboxKind::Message,
            ),
            (
                "<message id='3EB0' to='1415:7@s.whatsapp.net' type='text'><enc v='2' type='msg'/></message>",
                "1415@s.whatsapp.net",
                OutboxKind::Resent(7),
            ),
            (
                "<receipt id='3EB0' to='1415@s.whatsapp.net' type='read'/>",
                "1415@s.whatsapp.net",
                OutboxKind::Receipt,
            ),
        ] {
            let stanza = wa_binary::encode(&xml.parse().unwrap(), &EncodeOptions::new()).unwrap();
            let form = record::OutboxEntry { version: 1, stanza, ..Default::default() };
            let entry = OutboxEntry::read(form).unwrap();
            assert_eq!((&*entry.peer.to_string(), &*entry.id, entry.kind), (peer, "3EB0", kind));
            assert_eq!(OutboxEntry::read(entry.form()), Some(entry));
        }
    }
}
