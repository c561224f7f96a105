//! The stored form of a record: versioned protobuf, every field checked when it is read (`/proto/record.proto`).

use std::collections::VecDeque;

use prost::Message as _;
use sha2::{Digest, Sha256};
use wa_keys::{PrivateKey, PublicKey};
use wa_proto::record;
use zeroize::{Zeroize, Zeroizing};

use crate::RecordError;
use crate::chain_key::ChainKey;
use crate::message_chain::{MAX_SKIPPED_IN_CHAIN, MessageChain, SkippedKey, SkippedKeys};
use crate::record::{MAX_ARCHIVED_SESSIONS, MAX_SKIPPED_IN_RECORD, SessionRecord};
use crate::root_key::RootKey;
use crate::session::{MAX_RECEIVER_CHAINS, ReceiverChain, SenderChain, Session, Unacknowledged};

/// Bytes that no record exceeds: 41 sessions of 5 chains, 10,000 skipped keys.
pub const MAX_RECORD_BYTES: usize = 41 * 1024 + 41 * 5 * 128 + MAX_SKIPPED_IN_RECORD * 48;

const VERSION: u32 = 1;

impl SessionRecord {
    /// The bytes to store.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut form = record::SessionRecord {
            version: VERSION,
            current: self.current.as_ref().map(write_session),
            archived: self.archived.iter().map(write_session).collect(),
        };
        let bytes = with_checksum(&form);
        form.current.iter_mut().chain(&mut form.archived).for_each(wipe);
        bytes
    }

    /// Reads stored bytes. What is not a whole, valid record is an error, never an empty one.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLong(bytes.len()));
        }
        let bytes = checked(bytes)?;
        let mut form = record::SessionRecord::decode(bytes).map_err(|_| RecordError::Decode)?;
        let read = read_record(&form);
        form.current.iter_mut().chain(&mut form.archived).for_each(wipe);
        read
    }
}

/// A record's protobuf with its checksum behind it: a record that was cut or bent must not pass for another.
pub(crate) fn with_checksum(form: &impl prost::Message) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(form.encoded_len() + CHECKSUM));
    form.encode_raw(&mut *bytes);
    let checksum = checksum(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes
}

/// The protobuf in front of a checksum that holds.
pub(crate) fn checked(bytes: &[u8]) -> Result<&[u8], RecordError> {
    let (form, sum) = bytes.split_last_chunk().ok_or(RecordError::Checksum)?;
    if *sum == checksum(form) { Ok(form) } else { Err(RecordError::Checksum) }
}

const CHECKSUM: usize = 8;

/// The first bytes of SHA-256. It finds accidents; against attackers the store encrypts.
fn checksum(form: &[u8]) -> [u8; CHECKSUM] {
    let digest: [u8; 32] = Sha256::digest(form).into();
    digest.first_chunk().copied().unwrap_or_default()
}

fn read_record(form: &record::SessionRecord) -> Result<SessionRecord, RecordError> {
    if form.version != VERSION {
        return Err(RecordError::Version(form.version));
    }
    if form.archived.len() > MAX_ARCHIVED_SESSIONS {
        return Err(RecordError::Field("number of archived sessions"));
    }
    let record = SessionRecord {
        current: form.current.as_ref().map(read_session).transpose()?,
        archived: form.archived.iter().map(read_session).collect::<Result<_, _>>()?,
    };
    let skipped: usize = record.current.iter().chain(&record.archived).map(Session::skipped).sum();
    if skipped > MAX_SKIPPED_IN_RECORD {
        return Err(RecordError::Field("number of skipped keys"));
    }
    Ok(record)
}

fn write_session(session: &Session) -> record::Session {
    record::Session {
        local_identity: session.local_identity.as_bytes().to_vec(),
        remote_identity: session.remote_identity.as_bytes().to_vec(),
        remote_registration_id: session.remote_registration_id,
        root_key: session.root.as_bytes().to_vec(),
        base_key: session.base_key.as_bytes().to_vec(),
        previous_counter: session.previous_counter,
        sender: record::SenderChain {
            ratchet_private: session.sender.ratchet.as_bytes().to_vec(),
            chain: write_chain(&session.sender.chain),
        },
        receivers: session.receivers.iter().map(write_receiver).collect(),
        unacknowledged: session.unacknowledged.as_ref().map(|it| record::Unacknowledged {
            one_time_prekey_id: it.one_time_prekey_id,
            signed_prekey_id: it.signed_prekey_id,
            since: it.since,
        }),
    }
}

pub(crate) fn write_chain(chain: &ChainKey) -> record::ChainKey {
    record::ChainKey { index: chain.index(), key: chain.as_bytes().to_vec() }
}

fn write_receiver(receiver: &ReceiverChain) -> record::ReceiverChain {
    record::ReceiverChain {
        ratchet_public: receiver.ratchet.as_bytes().to_vec(),
        chain: write_chain(&receiver.messages.chain),
        skipped: write_skipped(&receiver.messages.skipped),
    }
}

pub(crate) fn write_skipped(skipped: &SkippedKeys) -> Vec<record::SkippedKey> {
    let write = |key: &SkippedKey| record::SkippedKey { index: key.index, seed: key.seed.to_vec() };
    skipped.iter().map(write).collect()
}

fn read_session(form: &record::Session) -> Result<Session, RecordError> {
    if form.receivers.len() > MAX_RECEIVER_CHAINS {
        return Err(RecordError::Field("number of receiving chains"));
    }
    let ratchet = PrivateKey::from_bytes(*secret("sending ratchet key", &form.sender.ratchet_private)?);
    Ok(Session {
        local_identity: public("local identity", &form.local_identity)?,
        remote_identity: public("remote identity", &form.remote_identity)?,
        remote_registration_id: form.remote_registration_id,
        root: RootKey::new(&*secret("root key", &form.root_key)?),
        base_key: public("base key", &form.base_key)?,
        previous_counter: form.previous_counter,
        sender: SenderChain::new(ratchet, read_chain(&form.sender.chain)?),
        receivers: form.receivers.iter().map(read_receiver).collect::<Result<VecDeque<_>, _>>()?,
        unacknowledged: form.unacknowledged.as_ref().map(|it| Unacknowledged {
            one_time_prekey_id: it.one_time_prekey_id,
            signed_prekey_id: it.signed_prekey_id,
            since: it.since,
        }),
    })
}

pub(crate) fn read_chain(form: &record::ChainKey) -> Result<ChainKey, RecordError> {
    Ok(ChainKey::new(&*secret("chain key", &form.key)?, form.index))
}

fn read_receiver(form: &record::ReceiverChain) -> Result<ReceiverChain, RecordError> {
    let ratchet = public("receiving ratchet key", &form.ratchet_public)?;
    Ok(ReceiverChain { ratchet, messages: read_messages(&form.chain, &form.skipped)? })
}

/// A chain and its skipped keys, which stand in rising order and behind the chain.
pub(crate) fn read_messages(
    chain: &record::ChainKey,
    skipped: &[record::SkippedKey],
) -> Result<MessageChain, RecordError> {
    let chain = read_chain(chain)?;
    let indices = || skipped.iter().map(|key| key.index);
    let rising = indices().zip(indices().skip(1)).all(|(one, next)| one < next);
    let behind = indices().all(|index| index < chain.index());
    if !rising || !behind || skipped.len() > MAX_SKIPPED_IN_CHAIN {
        return Err(RecordError::Field("list of skipped keys"));
    }
    let read = |key: &record::SkippedKey| {
        Ok(SkippedKey { index: key.index, seed: secret("seed of a skipped key", &key.seed)? })
    };
    let mut messages = MessageChain::new(chain);
    messages.skipped.extend(skipped.iter().map(read).collect::<Result<_, _>>()?);
    Ok(messages)
}

pub(crate) fn public(name: &'static str, bytes: &[u8]) -> Result<PublicKey, RecordError> {
    PublicKey::from_slice(bytes).map_err(|_| RecordError::Field(name))
}

pub(crate) fn secret(name: &'static str, bytes: &[u8]) -> Result<Zeroizing<[u8; 32]>, RecordError> {
    bytes.try_into().map(Zeroizing::new).map_err(|_| RecordError::Field(name))
}

fn wipe(form: &mut record::Session) {
    form.root_key.zeroize();
    form.sender.ratchet_private.zeroize();
    form.sender.chain.key.zeroize();
    for receiver in &mut form.receivers {
        receiver.chain.key.zeroize();
        receiver.skipped.iter_mut().for_each(|key| key.seed.zeroize());
    }
}
