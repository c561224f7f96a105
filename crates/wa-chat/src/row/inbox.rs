//! A row of the inbox: what the application has not confirmed, and the event that tells of it.

use bytes::Bytes;
use wa_binary::{Jid, Limits};
use wa_keys::PublicKey;
use wa_proto::record::{self, InboxEntry as Form};
use wa_stanza::{Notification, NotificationContent};

use super::VERSION;
use crate::key::Table;
use crate::{Content, Event, EventId, MessageId, Status, Undecryptable};

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
        device: u16,
        is_accepted: bool,
        push_name: Option<String>,
        waited: bool,
    },
    Receipt {
        status: Status,
        timestamp: Option<u64>,
    },
    Rejected {
        code: u16,
    },
    /// A message was not sent in time.
    Expired,
    Identity {
        device: u16,
        key: Option<PublicKey>,
    },
    Devices {
        added: Vec<(u16, PublicKey)>,
        removed: Vec<u16>,
        is_first: bool,
    },
    Undecryptable {
        why: Undecryptable,
        device: u16,
        asked: Option<u32>,
        is_hidden: bool,
    },
    /// As it came, encoded.
    Notification {
        node: Bytes,
    },
    /// The peer has this address, too.
    Named {
        other: Jid,
    },
    /// A stanza with this tag was refused.
    Refused {
        stanza: String,
        why: String,
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

    #[expect(clippy::too_many_lines, reason = "one arm a kind")]
    pub(super) fn form(&self) -> Form {
        let mut form = Form {
            version: VERSION,
            peer: self.peer.to_string(),
            ids: self.ids.clone(),
            ..Default::default()
        };
        match &self.what {
            InboxItem::Message { content, timestamp, device, is_accepted, push_name, waited } => {
                form.push_name.clone_from(push_name);
                form.waited = waited.then_some(true);
                form.content = Some(content.to_vec());
                form.timestamp = Some(*timestamp);
                form.device = stored_device(*device);
                form.unaccepted = (!is_accepted).then_some(true);
            }
            InboxItem::Receipt { status, timestamp } => {
                form.status = Some(u32::from(*status as u8));
                form.timestamp = *timestamp;
            }
            InboxItem::Expired => form.expired = Some(true),
            InboxItem::Rejected { code } => form.rejection = Some(u32::from(*code)),
            InboxItem::Identity { device, key } => {
                form.identity = Some(key.map_or_else(Vec::new, |key| key.as_bytes().to_vec()));
                form.device = stored_device(*device);
            }
            InboxItem::Devices { added, removed, is_first } => {
                let added = added.iter().map(|(device, key)| record::DeviceIdentity {
                    device: u32::from(*device),
                    key: key.as_bytes().to_vec(),
                });
                form.devices = Some(record::DevicesChanged {
                    added: added.collect(),
                    removed: removed.iter().copied().map(u32::from).collect(),
                    is_first: *is_first,
                });
            }
            InboxItem::Undecryptable { why, device, asked, is_hidden } => {
                form.undecryptable = Some(*why as u32);
                form.device = stored_device(*device);
                form.asked = *asked;
                form.hidden = is_hidden.then_some(true);
            }
            InboxItem::Notification { node } => form.notification = Some(node.to_vec()),
            InboxItem::Named { other } => form.named = Some(other.to_string()),
            InboxItem::Refused { stanza, why } => {
                (form.refused, form.why) = (Some(stanza.clone()), Some(why.clone()));
            }
            InboxItem::Unreadable { table } => form.unreadable = Some(u32::from(*table as u8)),
        }
        form
    }

    pub(super) fn from_form(form: Form) -> Option<Self> {
        let Form { peer, ids, .. } = &form;
        let (peer, ids) = (peer.parse().ok()?, ids.clone());
        let mut parts = items(form)?.into_iter().flatten();
        let what = parts.next()?;
        // Exactly one of the parts is there.
        parts.next().is_none().then_some(Self { peer, ids, what })
    }

    /// The event that delivers this entry under its number.
    #[expect(clippy::too_many_lines, reason = "one arm a kind")]
    pub(crate) fn event(&self, number: u64) -> Event {
        let (event, peer) = (EventId(number), self.peer.clone());
        let ids = || self.ids.iter().cloned().map(MessageId);
        let id = || ids().next().unwrap_or(MessageId(String::new()));
        match &self.what {
            InboxItem::Message { content, timestamp, device, is_accepted, push_name, waited } => {
                Event::Message {
                    event,
                    from: peer,
                    id: id(),
                    timestamp: *timestamp,
                    content: Content::decode(content.clone()),
                    device: *device,
                    is_accepted: *is_accepted,
                    push_name: push_name.clone(),
                    waited: *waited,
                }
            }
            InboxItem::Receipt { status, timestamp } => Event::Receipt {
                event,
                by: peer,
                ids: ids().collect(),
                status: *status,
                timestamp: *timestamp,
            },
            InboxItem::Expired => Event::Expired { event, to: peer, id: id() },
            InboxItem::Rejected { code } => Event::Rejected { event, to: peer, id: id(), code: *code },
            InboxItem::Identity { device, key } => {
                Event::IdentityChanged { event, peer, device: *device, identity: *key }
            }
            InboxItem::Devices { added, removed, is_first } => Event::DevicesChanged {
                event,
                peer,
                added: added.clone(),
                removed: removed.clone(),
                is_first: *is_first,
            },
            InboxItem::Undecryptable { why, device, asked, is_hidden } => Event::Undecryptable {
                event,
                from: peer,
                device: *device,
                id: id(),
                why: *why,
                asked: *asked,
                is_hidden: *is_hidden,
            },
            InboxItem::Notification { node } => notification(event, peer, node),
            InboxItem::Named { other } => Event::SameUser { event, peer, other: other.clone() },
            InboxItem::Refused { stanza, why } => {
                let (stanza, why) = (stanza.clone(), why.clone());
                Event::Refused { event, from: peer, stanza, id: id(), why }
            }
            InboxItem::Unreadable { table } => Event::Unreadable { event, table: *table },
        }
    }

    /// Bytes that it has allocated.
    pub(crate) fn bytes(&self) -> usize {
        let ids: usize = self.ids.iter().map(|id| id.len() + size_of::<String>()).sum();
        let what = match &self.what {
            InboxItem::Message { content, push_name, .. } => {
                content.len() + push_name.as_ref().map_or(0, String::len)
            }
            InboxItem::Notification { node } => node.len(),
            InboxItem::Refused { stanza, why } => stanza.len() + why.len(),
            InboxItem::Devices { added, removed, .. } => {
                size_of_val(added.as_slice()) + size_of_val(removed.as_slice())
            }
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

/// The parts that a form has, or none if one of them cannot be read.
#[expect(clippy::too_many_lines, reason = "one statement a part")]
fn items(form: Form) -> Option<[Option<InboxItem>; 11]> {
    let device = u16::try_from(form.device.unwrap_or_default()).ok()?;
    let message = form.content.map(|content| {
        let is_accepted = !form.unaccepted.unwrap_or_default();
        let (content, timestamp) = (content.into(), form.timestamp?);
        let (push_name, waited) = (form.push_name, form.waited.unwrap_or_default());
        Some(InboxItem::Message { content, timestamp, device, is_accepted, push_name, waited })
    });
    let receipt = form.status.map(|status| {
        Some(InboxItem::Receipt { status: Status::from_number(status)?, timestamp: form.timestamp })
    });
    let rejected = form.rejection.map(|code| Some(InboxItem::Rejected { code: u16::try_from(code).ok()? }));
    let identity = form.identity.map(|key| match key.as_slice() {
        [] => Some(InboxItem::Identity { device, key: None }),
        key => Some(InboxItem::Identity { device, key: Some(PublicKey::from_slice(key).ok()?) }),
    });
    let undecryptable = form.undecryptable.map(|why| {
        let is_hidden = form.hidden.unwrap_or_default();
        Some(InboxItem::Undecryptable {
            why: Undecryptable::from_number(why)?,
            device,
            asked: form.asked,
            is_hidden,
        })
    });
    let notification = form.notification.map(|node| Some(InboxItem::Notification { node: node.into() }));
    let expired = form.expired.map(|_| Some(InboxItem::Expired));
    let unreadable = form
        .unreadable
        .map(|table| Some(InboxItem::Unreadable { table: Table::from_number(u8::try_from(table).ok()?)? }));
    let refused = form.refused.map(|stanza| Some(InboxItem::Refused { stanza, why: form.why? }));
    let named = form.named.map(|other| Some(InboxItem::Named { other: other.parse().ok()? }));
    let items = [
        message,
        receipt,
        rejected,
        identity,
        form.devices.map(devices),
        undecryptable,
        notification,
        unreadable,
        expired,
        refused,
        named,
    ];
    // What is there and cannot be read spoils the whole.
    let is_read = items.iter().all(|item| !matches!(item, Some(None)));
    is_read.then(|| items.map(Option::flatten))
}

fn devices(form: record::DevicesChanged) -> Option<InboxItem> {
    let added = form
        .added
        .into_iter()
        .map(|added| Some((u16::try_from(added.device).ok()?, PublicKey::from_slice(&added.key).ok()?)));
    let removed = form.removed.into_iter().map(|device| u16::try_from(device).ok());
    Some(InboxItem::Devices {
        added: added.collect::<Option<_>>()?,
        removed: removed.collect::<Option<_>>()?,
        is_first: form.is_first,
    })
}

/// The first device is what is meant where none is named.
fn stored_device(device: u16) -> Option<u32> {
    (device > 0).then(|| u32::from(device))
}
