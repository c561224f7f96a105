//! A row of the inbox: what the application has not confirmed, and the event that tells of it.

use bytes::Bytes;
use wa_binary::{Jid, Limits};
use wa_keys::PublicKey;
use wa_proto::record;
use wa_stanza::{Notification, NotificationContent};

use super::VERSION;
use crate::key::Table;
use crate::{Content, Event, EventId, MessageId, Status};

/// What the application has not confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InboxEntry {
    pub(crate) peer: Jid,
    pub(crate) ids: Vec<String>,
    pub(crate) what: InboxItem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InboxItem {
    Message {
        content: Bytes,
        timestamp: u64,
    },
    Receipt {
        status: Status,
        timestamp: Option<u64>,
    },
    Rejected {
        code: u16,
    },
    Identity {
        key: Option<PublicKey>,
    },
    /// As it came, encoded.
    Notification {
        node: Bytes,
    },
    /// A row of this table could not be read.
    Unreadable {
        table: Table,
    },
}

impl InboxEntry {
    /// What tells of a row that could not be read.
    pub(crate) fn unreadable(table: Table) -> Self {
        Self { peer: Jid::whatsapp(), ids: Vec::new(), what: InboxItem::Unreadable { table } }
    }

    pub(super) fn form(&self) -> record::InboxEntry {
        let mut form = record::InboxEntry {
            version: VERSION,
            peer: self.peer.to_string(),
            ids: self.ids.clone(),
            ..Default::default()
        };
        match &self.what {
            InboxItem::Message { content, timestamp } => {
                form.content = Some(content.to_vec());
                form.timestamp = Some(*timestamp);
            }
            InboxItem::Receipt { status, timestamp } => {
                form.status = Some(u32::from(*status as u8));
                form.timestamp = *timestamp;
            }
            InboxItem::Rejected { code } => form.rejection = Some(u32::from(*code)),
            InboxItem::Identity { key } => {
                form.identity = Some(key.map_or_else(Vec::new, |key| key.as_bytes().to_vec()));
            }
            InboxItem::Notification { node } => form.notification = Some(node.to_vec()),
            InboxItem::Unreadable { table } => form.unreadable = Some(u32::from(*table as u8)),
        }
        form
    }

    pub(super) fn of(form: record::InboxEntry) -> Option<Self> {
        let parts =
            (form.content, form.rejection, form.status, form.identity, form.notification, form.unreadable);
        let what = match parts {
            (Some(content), None, None, None, None, None) => {
                InboxItem::Message { content: content.into(), timestamp: form.timestamp? }
            }
            (None, Some(code), None, None, None, None) => {
                InboxItem::Rejected { code: u16::try_from(code).ok()? }
            }
            (None, None, Some(status), None, None, None) => {
                InboxItem::Receipt { status: Status::of(status)?, timestamp: form.timestamp }
            }
            (None, None, None, Some(key), None, None) if key.is_empty() => InboxItem::Identity { key: None },
            (None, None, None, Some(key), None, None) => {
                InboxItem::Identity { key: Some(PublicKey::from_slice(&key).ok()?) }
            }
            (None, None, None, None, Some(node), None) => InboxItem::Notification { node: node.into() },
            (None, None, None, None, None, Some(table)) => {
                InboxItem::Unreadable { table: Table::of(u8::try_from(table).ok()?)? }
            }
            _ => return None,
        };
        Some(Self { peer: form.peer.parse().ok()?, ids: form.ids, what })
    }

    /// The event that delivers this entry under its number.
    pub(crate) fn event(&self, number: u64) -> Event {
        let (event, peer) = (EventId(number), self.peer.clone());
        let ids = || self.ids.iter().cloned().map(MessageId);
        let id = || ids().next().unwrap_or(MessageId(String::new()));
        match &self.what {
            InboxItem::Message { content, timestamp } => Event::Message {
                event,
                from: peer,
                id: id(),
                timestamp: *timestamp,
                content: Content::decode(content.clone()),
            },
            InboxItem::Receipt { status, timestamp } => Event::Receipt {
                event,
                by: peer,
                ids: ids().collect(),
                status: *status,
                timestamp: *timestamp,
            },
            InboxItem::Rejected { code } => Event::Rejected { event, to: peer, id: id(), code: *code },
            InboxItem::Identity { key } => Event::IdentityChanged { event, peer, identity: *key },
            InboxItem::Notification { node } => notification(event, peer, node),
            InboxItem::Unreadable { table } => Event::Unreadable { event, table: *table },
        }
    }

    /// Bytes that it has allocated.
    pub(crate) fn bytes(&self) -> usize {
        let ids: usize = self.ids.iter().map(|id| id.len() + size_of::<String>()).sum();
        let what = match &self.what {
            InboxItem::Message { content, .. } => content.len(),
            InboxItem::Notification { node } => node.len(),
            _ => 0,
        };
        ids + what
    }
}

fn notification(event: EventId, from: Jid, node: &Bytes) -> Event {
    let Ok(node) = wa_binary::decode(node, &Limits::new()) else {
        return Event::Unreadable { event, table: Table::Inbox };
    };
    match Notification::try_from(&node).map(|it| it.content) {
        Ok(NotificationContent::Reachability(ping)) => {
            let display_name = ping.display_name.map(|name| name.to_string());
            Event::Reached { event, from, display_name }
        }
        _ => Event::Notification { event, from, node },
    }
}
