//! Reading the stored form: versioned protobuf, every field checked (`/proto/record.proto`).

use std::collections::VecDeque;

use prost::Message as _;
use wa_keys::{PrivateKey, PublicKey};
use wa_proto::record;
use zeroize::{Zeroize, Zeroizing};

use crate::RecordError;
use crate::chain_key::ChainKey;
use crate::message_chain::{MAX_SKIPPED_IN_CHAIN, MessageChain, SkippedKey};
use crate::record::{MAX_ARCHIVED_SESSIONS, MAX_SKIPPED_IN_RECORD, SessionRecord};
use crate::root_key::RootKey;
use crate::session::{MAX_RECEIVER_CHAINS, ReceiverChain, SenderChain, Session, Unacknowledged};

/// Bytes that no record exceeds: 41 sessions of 5 chains, 10,000 skipped keys.
pub const MAX_RECORD_BYTES: usize = 41 * 1024 + 41 * 5 * 128 + MAX_SKIPPED_IN_RECORD * 48;

pub(crate) const VERSION: u32 = 1;

impl SessionRecord {
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

/// The protobuf in front of a checksum that holds.
pub(crate) fn checked(bytes: &[u8]) -> Result<&[u8], RecordError> {
    let (form, sum) = bytes.split_last_chunk().ok_or(RecordError::Checksum)?;
    if *sum == checksum(form) { Ok(form) } else { Err(RecordError::Checksum) }
}

pub(crate) const CHECKSUM: usize = 4;

/// CRC-32. It finds accidents; against attackers the store encrypts.
pub(crate) fn checksum(form: &[u8]) -> [u8; CHECKSUM] {
    crc32fast::hash(form).to_be_bytes()
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
        sender: SenderChain {
            ratchet,
            // Not derived: it is sent, and nothing is computed with it.
            public: public("sending ratchet key", &form.sender.ratchet_public)?,
            chain: read_chain(&form.sender.chain)?,
        },
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
