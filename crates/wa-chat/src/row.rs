//! Rows as values, and their stored form (`/proto/record.proto`): versioned, every field checked when it is read.

use bytes::Bytes;
use prost::Message as _;
use wa_binary::Jid;
use wa_keys::{PrivateKey, PublicKey, Signature};
use wa_noise::KnownServer;
use wa_proto::record;
use wa_signal::{LocalIdentity, SessionRecord, SignedPrekey};
use zeroize::Zeroize;

use crate::Known;
use crate::account::Account;
use crate::key::{Key, Table};
use crate::prekey_ids::PrekeyIds;
use crate::store::{StateError, Value};

mod identity;
mod inbox;
mod outbox;
mod sent;

pub(crate) use self::identity::{Identity, Standing};
pub(crate) use self::inbox::{InboxEntry, InboxItem};
pub(crate) use self::outbox::{OutboxEntry, OutboxKind};
pub(crate) use self::sent::{Dispatch, NOT_NUMBERED, Sent};

/// The content of a row, by its table.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    Account(Box<Account>),
    Counters(Counters),
    Peer(Box<SessionRecord>),
    /// One-time and signed prekeys alike.
    Prekey(PrivateKey),
    Inbox(InboxEntry),
    Outbox(OutboxEntry),
    Seen,
    Sent(Sent),
    Waiting(Waiting),
    Content(Bytes),
    /// A number or a time, by the table.
    Number(u64),
    Devices(Devices),
    /// As `wa-signal` has it, which reads it when a message needs it: a block that is not whole is its messages' loss alone.
    KeyBlock(Value),
    Identity(Identity),
    Server(Known),
    Names(Names),
}

/// Numbers that only rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) next_inbox: u64,
    pub(crate) next_outbox: u64,
    pub(crate) next_content: u64,
    pub(crate) prekeys: PrekeyIds,
    /// The date by which rows were last swept, in Unix seconds.
    pub(crate) swept: Option<u64>,
    /// Whether a user with two addresses is known.
    pub(crate) has_names: bool,
}

/// The two addresses of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// Under which everything is kept.
    pub(crate) peer: Jid,
    pub(crate) other: Jid,
}

/// Content that waits for its peer's bundles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) id: String,
    pub(crate) content: Bytes,
    /// The only device that it is for, if it is sent again.
    pub(crate) device: Option<u16>,
    pub(crate) resent: u32,
    /// Where the content is kept.
    pub(crate) kept: u64,
    /// When it was accepted for sending. The first programs did not say.
    pub(crate) since: Option<u64>,
}

/// The devices of a user to which messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Devices {
    pub(crate) devices: Vec<u16>,
    /// When the server told so, in Unix seconds.
    pub(crate) since: u64,
    /// When it refused to tell, if it has not told since.
    pub(crate) refused: Option<u64>,
    /// The application was told of somebody among them: the first contact is behind.
    pub(crate) is_known: bool,
}

impl Devices {
    /// A list that the server told then.
    pub(crate) fn new(devices: Vec<u16>, since: u64) -> Self {
        Self { devices, since, refused: None, is_known: false }
    }
}

const VERSION: u32 = 1;

/// Bytes that a record with a session or two takes; of those with many, each beyond is rare.
const SESSION: usize = 2048;

impl Row {
    #[expect(clippy::too_many_lines, reason = "one arm a kind")]
    pub(crate) fn encode(&self) -> Value {
        match self {
            Self::Account(account) => write_account(account),
            Self::Counters(counters) => stored(&record::Counters {
                version: VERSION,
                next_inbox: counters.next_inbox,
                next_outbox: counters.next_outbox,
                next_prekey: counters.prekeys.next,
                next_upload: counters.prekeys.next_upload,
                next_content: Some(counters.next_content),
                swept: counters.swept,
                has_names: counters.has_names.then_some(true),
            }),
            Self::Peer(session) => Value::new(session.encode().to_vec()),
            Self::Prekey(key) => {
                let mut form = record::Prekey { version: VERSION, private: key.as_bytes().to_vec() };
                let value = stored(&form);
                form.private.zeroize();
                value
            }
            Self::Inbox(entry) => stored(&entry.form()),
            Self::Outbox(entry) => stored(&entry.form()),
            Self::KeyBlock(block) => block.clone(),
            Self::Seen => Value::new(Vec::new()),
            Self::Sent(sent) => stored(&sent.form()),
            Self::Waiting(waiting) => stored(&waiting.form()),
            Self::Content(content) => {
                stored(&record::Content { version: VERSION, content: content.to_vec() })
            }
            Self::Number(value) => stored(&record::Number { version: VERSION, value: *value }),
            Self::Devices(Devices { devices, since, refused, is_known }) => stored(&record::Devices {
                version: VERSION,
                devices: devices.iter().copied().map(u32::from).collect(),
                since: *since,
                refused: *refused,
                is_known: is_known.then_some(true),
            }),
            Self::Identity(identity) => stored(&identity.form()),
            Self::Names(Names { peer, other }) => {
                stored(&record::Names { version: VERSION, peer: peer.to_string(), other: other.to_string() })
            }
            Self::Server(Known { server, routing_info }) => stored(&record::KnownServer {
                version: VERSION,
                key: server.key.as_bytes().to_vec(),
                not_after: server.not_after,
                routing_info: routing_info.as_ref().map(|info| info.to_vec()),
            }),
        }
    }

    /// Bytes that it has allocated, about.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Account(_) => size_of::<Account>(),
                Self::Peer(_) => SESSION,
                Self::Inbox(entry) => entry.bytes(),
                Self::Outbox(entry) => entry.stanza.as_bytes().len() + entry.id.len(),
                Self::KeyBlock(block) => block.as_bytes().len(),
                Self::Sent(sent) => sent.devices.len() * size_of::<(u16, Dispatch)>() * 2,
                Self::Waiting(waiting) => waiting.id.len() + waiting.content.len(),
                Self::Content(content) => content.len(),
                Self::Devices(devices) => devices.devices.len() * size_of::<u16>(),
                Self::Counters(_) | Self::Prekey(_) | Self::Seen | Self::Number(_) => 0,
                Self::Identity(_) | Self::Server(_) | Self::Names(_) => 0,
            }
    }

    /// Reads a stored row. What cannot be read is corrupt, never absent.
    pub(crate) fn decode(key: &Key, value: &Value) -> Result<Self, StateError> {
        let corrupt = StateError::Corrupt(key.table());
        let table = key.table().ok_or(corrupt)?;
        read(table, value.as_bytes()).ok_or(corrupt)
    }
}

impl Waiting {
    fn form(&self) -> record::Waiting {
        record::Waiting {
            version: VERSION,
            id: self.id.clone(),
            content: self.content.to_vec(),
            device: self.device.map(u32::from),
            resent: self.resent,
            kept: self.kept,
            since: self.since,
        }
    }

    fn from_form(form: record::Waiting) -> Option<Self> {
        Some(Self {
            id: form.id,
            content: form.content.into(),
            device: form.device.map(u16::try_from).transpose().ok()?,
            resent: form.resent,
            kept: form.kept,
            since: form.since,
        })
    }
}

fn stored(form: &impl prost::Message) -> Value {
    Value::new(form.encode_to_vec())
}

/// A stored form of this version.
trait Form: prost::Message + Default {
    fn version(&self) -> u32;

    fn read(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok().filter(|form| form.version() == VERSION)
    }
}

macro_rules! forms {
    ($($form:ident),*) => {$(
        impl Form for record::$form {
            fn version(&self) -> u32 {
                self.version
            }
        }
    )*};
}

forms!(
    Account,
    Counters,
    Prekey,
    InboxEntry,
    Waiting,
    Content,
    Number,
    Devices,
    Identity,
    KnownServer,
    Names
);

#[expect(clippy::too_many_lines, reason = "one arm a kind")]
fn read(table: Table, bytes: &[u8]) -> Option<Row> {
    Some(match table {
        Table::Account => Row::Account(Box::new(read_account(bytes)?)),
        Table::Counters => {
            let form = record::Counters::read(bytes)?;
            Row::Counters(Counters {
                next_inbox: form.next_inbox,
                next_outbox: form.next_outbox,
                next_content: form.next_content.unwrap_or(form.next_outbox),
                prekeys: PrekeyIds { next: form.next_prekey, next_upload: form.next_upload },
                swept: form.swept,
                has_names: form.has_names.unwrap_or_default(),
            })
        }
        Table::Peer => Row::Peer(Box::new(SessionRecord::decode(bytes).ok()?)),
        Table::Prekey | Table::SignedPrekey => {
            let mut form = record::Prekey::read(bytes)?;
            let key = PrivateKey::from_slice(&form.private).ok();
            form.private.zeroize();
            Row::Prekey(key?)
        }
        Table::Inbox => Row::Inbox(InboxEntry::from_form(record::InboxEntry::read(bytes)?)?),
        Table::Outbox => Row::Outbox(OutboxEntry::read(record::OutboxEntry::decode(bytes).ok()?)?),
        Table::KeyBlock => Row::KeyBlock(Value::new(bytes.to_vec())),
        Table::Seen => Row::Seen,
        Table::Sent => Row::Sent(Sent::read(record::Sent::decode(bytes).ok()?)?),
        Table::Waiting => Row::Waiting(Waiting::from_form(record::Waiting::read(bytes)?)?),
        Table::Content => Row::Content(record::Content::read(bytes)?.content.into()),
        Table::Asked | Table::Marked | Table::Rebuilt => Row::Number(record::Number::read(bytes)?.value),
        Table::Devices => {
            let form = record::Devices::read(bytes)?;
            let devices = form.devices.into_iter().map(u16::try_from).collect::<Result<_, _>>().ok()?;
            let is_known = form.is_known.unwrap_or_default();
            Row::Devices(Devices { devices, since: form.since, refused: form.refused, is_known })
        }
        Table::Identity => Row::Identity(Identity::from_form(&record::Identity::read(bytes)?)?),
        Table::Names => {
            let form = record::Names::read(bytes)?;
            Row::Names(Names { peer: form.peer.parse().ok()?, other: form.other.parse().ok()? })
        }
        Table::Server => {
            let form = record::KnownServer::read(bytes)?;
            let key = PublicKey::from_slice(&form.key).ok()?;
            let server = KnownServer { key, not_after: form.not_after };
            Row::Server(Known { server, routing_info: form.routing_info.map(Bytes::from) })
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
        signed_prekey_since: Some(account.signed_since),
        signed_prekey_pending: Some(account.signed_pending),
    };
    let value = stored(&form);
    form.noise_private.zeroize();
    form.identity_private.zeroize();
    value
}

fn read_account(bytes: &[u8]) -> Option<Account> {
    let mut form = record::Account::read(bytes)?;
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
        signed_since: form.signed_prekey_since.unwrap_or_default(),
        signed_pending: form.signed_prekey_pending.unwrap_or_default(),
        login: match form.login {
            Some(login) => Some(login.parse().ok()?),
            None => None,
        },
    })
}
