//! Reading the stored form: versioned protobuf, every field checked (`/proto/record.proto`).

use std::collections::VecDeque;

use bytes::Bytes;
use prost::Message as _;
use wa_keys::{PrivateKey, PublicKey};
use wa_proto::record;
use zeroize::Zeroizing;

use crate::RecordError;
use crate::chain_key::ChainKey;
use crate::message_chain::{MAX_SKIPPED_IN_CHAIN, MessageChain, SkippedKey};
use crate::record::{MAX_ARCHIVED_SESSIONS, MAX_SKIPPED_IN_RECORD, SessionRecord};
use crate::root_key::RootKey;
use crate::session::{MAX_RECEIVER_CHAINS, ReceiverChain, SenderChain, Session, Unacknowledged};

/// Bytes that no record exceeds: 41 sessions of 5 chains, 10,000 skipped keys.
pub const MAX_RECORD_BYTES: usize = 41 * 1024 + 41 * 5 * 128 + MAX_SKIPPED_IN_RECORD * 48;

pub(crate) const VERSION: u32 = 1;

/// The protocol of a session: X3DH and Double Ratchet, version 3 of the messages.
pub(crate) const PROTOCOL: u32 = 3;

impl SessionRecord {
    /// Reads stored bytes. What is not a whole, valid record is an error, never an empty one.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLong(bytes.len()));
        }
        let form = record::SessionRecord::decode(wiped(checked(bytes)?)).map_err(|_| RecordError::Decode)?;
        read_record(&form)
    }
}

/// A copy that is wiped with its last slice. Decoding slices it, so that no other copy of a key is made, and none is left
/// if it fails half way.
pub(crate) fn wiped(bytes: &[u8]) -> Bytes {
    Bytes::from_owner(Zeroizing::new(bytes.to_vec()))
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
    if let Some(other) = form.protocol.filter(|protocol| *protocol != PROTOCOL) {
        return Err(RecordError::Protocol(other));
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
        Ok(SkippedKey::new(key.index, &*secret("seed of a skipped key", &key.seed)?))
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

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::{Bundle, SignedPrekey, Trust};

    fn form() -> record::SessionRecord {
        let mut rng = StdRng::seed_from_u64(1);
        let [ours, theirs, signed] = [(); 3].map(|()| PrivateKey::generate(&mut rng));
        let bundle = Bundle {
            registration_id: 1,
            identity: theirs.public_key(),
            signed_prekey: SignedPrekey::sign(1, &signed, &theirs, &mut rng),
            one_time_prekey: None,
        };
        let mut record = SessionRecord::default();
        record.establish(&ours, &bundle, &Trust::Any, 1, &mut rng).unwrap();
        record::SessionRecord::decode(checked(&record.encode()).unwrap()).unwrap()
    }

    fn decode(form: &record::SessionRecord) -> Result<SessionRecord, RecordError> {
        let bytes = form.encode_to_vec();
        SessionRecord::decode(&[&bytes[..], &checksum(&bytes)].concat())
    }

    #[test]
    fn a_session_of_another_protocol_is_refused_and_one_without_is_of_this() {
        let mut form = form();
        assert_eq!(form.current.as_ref().unwrap().protocol, Some(PROTOCOL));
        for (protocol, error) in [
            (Some(3), None),
            (None, None),
            (Some(2), Some(RecordError::Protocol(2))),
            (Some(4), Some(RecordError::Protocol(4))),
        ] {
            form.current.as_mut().unwrap().protocol = protocol;
            assert_eq!(decode(&form).err(), error, "{protocol:?}");
        }
    }
}
