//! Reading the stored form: versioned protobuf, every field checked (`/proto/record.proto`).

use std::collections::VecDeque;

use bytes::Bytes;
use prost::Message as _;
use wa_keys::{PrivateKey, PublicKey};
use wa_proto::record;
use zeroize::Zeroizing;

use crate::RecordError;
use crate::chain_key::ChainKey;
use crate::key_block::{BLOCK, KeyBlock, KeyBlockId, KeyBlocks};
use crate::message_chain::{MAX_SKIPPED_IN_CHAIN, MessageChain, SkippedKey};
use crate::receiver_chain::ReceiverChain;
use crate::record::{MAX_ARCHIVED_SESSIONS, SessionRecord};
use crate::root_key::RootKey;
use crate::session::{MAX_RECEIVER_CHAINS, SenderChain, Session, Unacknowledged};
use crate::skip_limits::{MAX_BLOCKS, SkipLimits};

/// Bytes that no record exceeds: 41 sessions of 5 chains, and in version 1 the 10,000 skipped keys that it held.
pub const MAX_RECORD_BYTES: usize = 41 * 1024 + 41 * 5 * 128 + MAX_INLINE_KEYS * 48;

pub(crate) const VERSION: u32 = 2;

/// The version that held its skipped keys itself.
const INLINE: u32 = 1;
const MAX_INLINE_KEYS: usize = 10_000;

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
    if ![INLINE, VERSION].contains(&form.version) {
        return Err(RecordError::Version(form.version));
    }
    if form.archived.len() > MAX_ARCHIVED_SESSIONS {
        return Err(RecordError::Field("number of archived sessions"));
    }
    let mut blocks = KeyBlocks::default();
    let mut read = |form| read_session(form, &mut blocks);
    let mut record = SessionRecord {
        current: form.current.as_ref().map(&mut read).transpose()?,
        archived: form.archived.iter().map(read).collect::<Result<_, _>>()?,
        blocks,
        limits: SkipLimits::default(),
    };
    if record.sessions().map(Session::blocks).sum::<usize>() > MAX_BLOCKS.max(MAX_INLINE_KEYS) {
        return Err(RecordError::Field("number of blocks of keys"));
    }
    if form.version == INLINE {
        let sessions = form.current.iter().chain(&form.archived);
        let keys = sessions.flat_map(|session| &session.receivers).map(|receiver| receiver.skipped.len());
        if keys.sum::<usize>() > MAX_INLINE_KEYS {
            return Err(RecordError::Field("number of skipped keys"));
        }
        record.drop_excess_blocks();
    }
    Ok(record)
}

fn read_session(form: &record::Session, blocks: &mut KeyBlocks) -> Result<Session, RecordError> {
    if form.receivers.len() > MAX_RECEIVER_CHAINS {
        return Err(RecordError::Field("number of receiving chains"));
    }
    if let Some(other) = form.protocol.filter(|protocol| *protocol != PROTOCOL) {
        return Err(RecordError::Protocol(other));
    }
    let base_key = public("base key", &form.base_key)?;
    let receivers = form.receivers.iter().map(|it| read_receiver(it, &base_key, blocks));
    let session = Session {
        local_identity: public("local identity", &form.local_identity)?,
        remote_identity: public("remote identity", &form.remote_identity)?,
        remote_registration_id: form.remote_registration_id,
        root: RootKey::new(&*secret("root key", &form.root_key)?),
        base_key,
        previous_counter: form.previous_counter,
        sender: form.sender.as_ref().map(read_sender).transpose()?,
        receivers: receivers.collect::<Result<VecDeque<_>, _>>()?,
        unacknowledged: form.unacknowledged.as_ref().map(|it| Unacknowledged {
            one_time_prekey_id: it.one_time_prekey_id,
            signed_prekey_id: it.signed_prekey_id,
            since: it.since,
        }),
        receive_only: form.receive_only.unwrap_or_default(),
    };
    if session.sender.is_none() && session.receivers.is_empty() {
        return Err(RecordError::Field("sending chain"));
    }
    Ok(session)
}

fn read_sender(form: &record::SenderChain) -> Result<SenderChain, RecordError> {
    Ok(SenderChain {
        ratchet: PrivateKey::from_bytes(*secret("sending ratchet key", &form.ratchet_private)?),
        // Not derived: it is sent, and nothing is computed with it.
        public: public("sending ratchet key", &form.ratchet_public)?,
        chain: read_chain(&form.chain)?,
    })
}

pub(crate) fn read_chain(form: &record::ChainKey) -> Result<ChainKey, RecordError> {
    Ok(ChainKey::new(&*secret("chain key", &form.key)?, form.index))
}

/// A receiving chain, of either version: what version 1 held inline becomes blocks that are still to be written.
fn read_receiver(
    form: &record::ReceiverChain,
    base_key: &PublicKey,
    blocks: &mut KeyBlocks,
) -> Result<ReceiverChain, RecordError> {
    let ratchet = public("receiving ratchet key", &form.ratchet_public)?;
    let id = KeyBlockId::of_chain(base_key, &ratchet);
    let MessageChain { chain, skipped } = read_messages(&form.chain, &form.skipped)?;
    let mut receiver = ReceiverChain { ratchet, blocks: read_numbers(&form.blocks, &chain)?, chain };
    let mut inline: Vec<KeyBlock> = Vec::new();
    for key in skipped.iter() {
        let number = key.index / BLOCK;
        if inline.last().is_none_or(|block| block.number() != number) {
            inline.push(KeyBlock::new(id.with_number(number)));
            receiver.blocks.push(number);
        }
        if let Some(block) = inline.last_mut() {
            block.insert(key.index, &key.seed);
        }
    }
    inline.into_iter().for_each(|block| blocks.put(block));
    if receiver.blocks.is_sorted_by(|one, two| one < two) {
        Ok(receiver)
    } else {
        Err(RecordError::Field("list of blocks of keys"))
    }
}

/// The numbers of a chain's blocks, each stored less the one before it; none beyond the chain. That they rise is seen later.
fn read_numbers(deltas: &[u32], chain: &ChainKey) -> Result<Vec<u32>, RecordError> {
    let mut last = 0_u32;
    let number = |delta: &u32| {
        last = last.checked_add(*delta)?;
        (u64::from(last) * u64::from(BLOCK) < u64::from(chain.index())).then_some(last)
    };
    let numbers: Option<Vec<u32>> = deltas.iter().map(number).collect();
    numbers.filter(|it| it.len() <= MAX_BLOCKS).ok_or(RecordError::Field("list of blocks of keys"))
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

    /// The record with receiving chains, each at `index` and with so many blocks, skipped keys, or both.
    fn receiving(version: u32, chains: &[(u32, usize, usize)]) -> record::SessionRecord {
        let mut form = record::SessionRecord { version, ..form() };
        let session = form.current.take().unwrap();
        let ratchet = |number: usize| {
            let byte = u8::try_from(number + 1).unwrap();
            PrivateKey::from_bytes([byte; 32]).public_key().as_bytes().to_vec().into()
        };
        let receivers: Vec<_> = chains
            .iter()
            .enumerate()
            .map(|(number, (index, blocks, skipped))| record::ReceiverChain {
                ratchet_public: ratchet(number),
                chain: record::ChainKey { key: vec![7; 32].into(), index: *index },
                blocks: (0..*blocks).map(|block| u32::from(block > 0)).collect(),
                skipped: (0..*skipped)
                    .map(|key| record::SkippedKey {
                        index: u32::try_from(key).unwrap(),
                        seed: vec![7; 32].into(),
                    })
                    .collect(),
            })
            .collect();
        form.archived = receivers
            .chunks(MAX_RECEIVER_CHAINS)
            .map(|receivers| record::Session { receivers: receivers.to_vec(), ..session.clone() })
            .collect();
        form
    }

    #[test]
    fn a_record_has_so_many_blocks_and_skipped_keys() {
        let blocks = Some(RecordError::Field("number of blocks of keys"));
        let skipped = Some(RecordError::Field("number of skipped keys"));
        let list = Some(RecordError::Field("list of blocks of keys"));
        let keys = Some(RecordError::Field("list of skipped keys"));
        let (far, full) = (300_000, 4_096);
        for (version, chains, error) in [
            (2, &[(far, full, 0), (far, full, 0), (far, 10_000 - 2 * full, 0)][..], None),
            (2, &[(far, full, 0), (far, full, 0), (far, 10_001 - 2 * full, 0)], blocks),
            (2, &[(far, full, 0), (far, full, 0), (far, full, 0)], blocks),
            (2, &[(far, full + 1, 0)], list),
            (2, &[(65, 2, 0)], None),
            (2, &[(64, 2, 0)], list),
            (1, &[(2_000, 0, 2_000)], None),
            (1, &[(1_999, 0, 2_000)], keys),
            (1, &[(far, 0, 2_001)], keys),
            (1, &[(far, 0, 2_000); 5], None),
            (
                1,
                &[
                    (far, 0, 2_000),
                    (far, 0, 2_000),
                    (far, 0, 2_000),
                    (far, 0, 2_000),
                    (far, 0, 2_000),
                    (far, 0, 1),
                ],
                skipped,
            ),
            (1, &[(far, 0, 2_000); 6], skipped),
        ] {
            assert_eq!(decode(&receiving(version, chains)).err(), error, "{version} {chains:?}");
        }
        let mut twice = receiving(2, &[(far, 3, 0)]);
        twice.archived[0].receivers[0].blocks[1] = 0;
        assert_eq!(decode(&twice).err(), list, "numbers rise");
        let mut twice = receiving(1, &[(far, 0, 3)]);
        twice.archived[0].receivers[0].skipped[1].index = 0;
        assert_eq!(decode(&twice).err(), keys, "numbers rise");
    }
}
