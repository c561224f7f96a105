//! Rows as values, and their stored form (`/proto/record.proto`): versioned, every field checked when it is read.

use bytes::Bytes;
use prost::Message as _;
use wa_binary::Jid;
use wa_keys::{PrivateKey, PublicKey, Signature};
use wa_proto::record;
use wa_signal::{LocalIdentity, SessionRecord, SignedPrekey};
use zeroize::Zeroize;

use crate::account::Account;
use crate::key::{Key, Table};
use crate::store::{StateError, Value};
use crate::{Content, Event, EventId, MessageId};

/// The content of a row, by its table.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    Account(Box<Account>),
    Counters(Counters),
    Peer(Box<SessionRecord>),
    /// One-time and signed prekeys alike.
    Prekey(PrivateKey),
    Inbox(InboxEntry),
    Outbox(Bytes),
    Seen,
    Sent(u64),
    Waiting(Waiting),
}

/// Numbers that only rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) next_inbox: u64,
    pub(crate) next_outbox: u64,
    pub(crate) next_prekey: u32,
    /// The first one-time prekey that the server has not confirmed.
    pub(crate) next_upload: u32,
}

/// What the application has not confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InboxEntry {
    pub(crate) peer: Jid,
    pub(crate) ids: Vec<String>,
    pub(crate) what: InboxItem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InboxItem {
    Message { content: Bytes, timestamp: u64 },
    Delivered,
    Rejected { code: u16 },
}

/// Content that waits for its peer's bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) id: String,
    pub(crate) content: Bytes,
}

const VERSION: u32 = 1;

impl Row {
    pub(crate) fn encode(&self) -> Value {
        match self {
            Self::Account(account) => write_account(account),
            Self::Counters(counters) => stored(&record::Counters {
                version: VERSION,
                next_inbox: counters.next_inbox,
                next_outbox: counters.next_outbox,
                next_prekey: counters.next_prekey,
                next_upload: counters.next_upload,
            }),
            Self::Peer(session) => Value::new(session.encode().to_vec()),
            Self::Prekey(key) => {
                let mut form = record::Prekey { version: VERSION, private: key.as_bytes().to_vec() };
                let value = stored(&form);
                form.private.zeroize();
                value
            }
            Self::Inbox(entry) => stored(&entry.form()),
            Self::Outbox(stanza) => {
                stored(&record::OutboxEntry { version: VERSION, stanza: stanza.to_vec() })
            }
            Self::Seen => Value::new(Vec::new()),
            Self::Sent(number) => stored(&record::Sent { version: VERSION, number: *number }),
            Self::Waiting(waiting) => stored(&record::Waiting {
                version: VERSION,
                id: waiting.id.clone(),
                content: waiting.content.to_vec(),
            }),
        }
    }

    /// Reads a stored row. What cannot be read is corrupt, never absent.
    pub(crate) fn decode(key: &Key, value: &Value) -> Result<Self, StateError> {
        let corrupt = StateError::Corrupt(key.table());
        let table = key.table().ok_or(corrupt)?;
        read(table, value.as_bytes()).ok_or(corrupt)
    }
}

impl InboxEntry {
    fn form(&self) -> record::InboxEntry {
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
            InboxItem::Delivered => {}
            InboxItem::Rejected { code } => form.rejection = Some(u32::from(*code)),
        }
        form
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let form = record::InboxEntry::decode(bytes).ok().filter(|form| form.version == VERSION)?;
        let what = match (form.content, form.rejection) {
            (Some(content), None) => {
                InboxItem::Message { content: content.into(), timestamp: form.timestamp? }
            }
            (None, Some(code)) => InboxItem::Rejected { code: u16::try_from(code).ok()? },
            (None, None) => InboxItem::Delivered,
            (Some(_), Some(_)) => return None,
        };
        Some(Self { peer: form.peer.parse().ok()?, ids: form.ids, what })
    }

    /// The event that delivers this entry under its number.
    pub(crate) fn event(&self, number: u64) -> Event {
        let event = EventId(number);
        let ids = || self.ids.iter().cloned().map(MessageId);
        let id = || ids().next().unwrap_or(MessageId(String::new()));
        match &self.what {
            InboxItem::Message { content, timestamp } => Event::Message {
                event,
                from: self.peer.clone(),
                id: id(),
                timestamp: *timestamp,
                content: Content::decode(content.clone()),
            },
            InboxItem::Delivered => Event::Delivered { event, by: self.peer.clone(), ids: ids().collect() },
            InboxItem::Rejected { code } => {
                Event::Rejected { event, to: self.peer.clone(), id: id(), code: *code }
            }
        }
    }
}

fn stored(form: &impl prost::Message) -> Value {
    Value::new(form.encode_to_vec())
}

fn read(table: Table, bytes: &[u8]) -> Option<Row> {
    Some(match table {
        Table::Account => Row::Account(Box::new(read_account(bytes)?)),
        Table::Counters => {
            let form = record::Counters::decode(bytes).ok().filter(|form| form.version == VERSION)?;
            Row::Counters(Counters {
                next_inbox: form.next_inbox,
                next_outbox: form.next_outbox,
                next_prekey: form.next_prekey,
                next_upload: form.next_upload,
            })
        }
        Table::Peer => Row::Peer(Box::new(SessionRecord::decode(bytes).ok()?)),
        Table::Prekey | Table::SignedPrekey => {
            let mut form = record::Prekey::decode(bytes).ok().filter(|form| form.version == VERSION)?;
            let key = PrivateKey::from_slice(&form.private).ok();
            form.private.zeroize();
            Row::Prekey(key?)
        }
        Table::Inbox => Row::Inbox(InboxEntry::read(bytes)?),
        Table::Outbox => {
            let form = record::OutboxEntry::decode(bytes).ok().filter(|form| form.version == VERSION)?;
            Row::Outbox(form.stanza.into())
        }
        Table::Seen => Row::Seen,
        Table::Sent => {
            let form = record::Sent::decode(bytes).ok().filter(|form| form.version == VERSION)?;
            Row::Sent(form.number)
        }
        Table::Waiting => {
            let form = record::Waiting::decode(bytes).ok().filter(|form| form.version == VERSION)?;
            Row::Waiting(Waiting { id: form.id, content: form.content.into() })
        }
    })
}

fn write_account(account: &Account) -> Value {
    let mut form = record::Account {
        version: VERSION,
        noise_private: account.noise.as_bytes().to_vec(),
        identity_private: account.identity.key.as_bytes().to_vec(),
        registration_id: account.identity.registration_id,
        signed_prekey_id: account.signed.id,
        signed_prekey_public: account.signed.key.as_bytes().to_vec(),
        signed_prekey_signature: account.signed.signature.as_bytes().to_vec(),
        login: account.login.as_ref().map(Jid::to_string),
    };
    let value = stored(&form);
    form.noise_private.zeroize();
    form.identity_private.zeroize();
    value
}

fn read_account(bytes: &[u8]) -> Option<Account> {
    let mut form = record::Account::decode(bytes).ok().filter(|form| form.version == VERSION)?;
    let noise = PrivateKey::from_slice(&form.noise_private).ok();
    let identity = PrivateKey::from_slice(&form.identity_private).ok();
    form.noise_private.zeroize();
    form.identity_private.zeroize();
    Some(Account {
        noise: noise?,
        identity: LocalIdentity { key: identity?, registration_id: form.registration_id },
        signed: SignedPrekey {
            id: form.signed_prekey_id,
            key: PublicKey::from_slice(&form.signed_prekey_public).ok()?,
            signature: Signature::from_slice(&form.signed_prekey_signature).ok()?,
        },
        login: match form.login {
            Some(login) => Some(login.parse().ok()?),
            None => None,
        },
    })
}
