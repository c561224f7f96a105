//! Writing the stored form: the protobuf of `/proto/record.proto`, straight into one buffer.

use zeroize::Zeroizing;

use crate::chain_key::ChainKey;
use crate::message_chain::MessageChain;
use crate::receiver_chain::ReceiverChain;
use crate::record::SessionRecord;
use crate::record::form::{CHECKSUM, PROTOCOL, VERSION, checksum};
use crate::session::{SenderChain, Session, Unacknowledged};
use crate::varint;

impl SessionRecord {
    /// The bytes to store.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::default();
        self.encode_into(&mut bytes);
        bytes
    }

    /// The bytes to store, in place of what `bytes` held: a buffer that serves many records costs no allocation and is
    /// wiped once, when it is dropped.
    pub fn encode_into(&self, bytes: &mut Zeroizing<Vec<u8>>) {
        let sessions =
            || self.current.iter().map(|session| (2, session)).chain(self.archived.iter().map(|it| (3, it)));
        let length: usize = sessions().map(|(_, session)| nested(session_length(session))).sum();
        write_with_checksum(bytes, length + 2, |out| {
            number(out, 1, u64::from(VERSION));
            for (tag, session) in sessions() {
                message(out, tag, session_length(session));
                write_session(out, session);
            }
        });
    }
}

/// Writes a form of so many bytes and its checksum behind it: a record that was cut or bent must not pass for another.
/// No byte of it is left where it is not wiped.
pub(crate) fn write_with_checksum(
    bytes: &mut Zeroizing<Vec<u8>>,
    length: usize,
    write: impl FnOnce(&mut Vec<u8>),
) {
    bytes.clear();
    if bytes.capacity() < length + CHECKSUM {
        *bytes = Zeroizing::new(Vec::with_capacity(length + CHECKSUM));
    }
    write(bytes);
    debug_assert_eq!(bytes.len(), length, "the form is as long as was reckoned");
    let checksum = checksum(bytes);
    bytes.extend_from_slice(&checksum);
}

fn write_session(out: &mut Vec<u8>, session: &Session) {
    let keys = [&session.local_identity, &session.remote_identity].map(|key| key.as_bytes());
    key(out, 1, keys[0]);
    key(out, 2, keys[1]);
    key(out, 3, session.root.as_bytes());
    key(out, 4, session.base_key.as_bytes());
    number(out, 5, session.previous_counter.into());
    if let Some(sender) = &session.sender {
        message(out, 6, sender_length(sender));
        key(out, 1, sender.ratchet.as_bytes());
        chain(out, 2, &sender.chain);
        key(out, 3, sender.public.as_bytes());
    }
    for receiver in &session.receivers {
        message(out, 7, receiver_length(receiver));
        key(out, 1, receiver.ratchet.as_bytes());
        chain(out, 2, &receiver.chain);
        if !receiver.blocks.is_empty() {
            message(out, 4, deltas(&receiver.blocks).map(|delta| varint::length(delta.into())).sum());
            deltas(&receiver.blocks).for_each(|delta| varint::push(delta.into(), out));
        }
    }
    if let Some(unacknowledged) = &session.unacknowledged {
        message(out, 8, unacknowledged_length(unacknowledged));
        if let Some(id) = unacknowledged.one_time_prekey_id {
            number(out, 1, id.into());
        }
        number(out, 2, unacknowledged.signed_prekey_id.into());
        number(out, 3, unacknowledged.since);
    }
    number(out, 9, session.remote_registration_id.into());
    number(out, 10, PROTOCOL.into());
    if session.receive_only {
        number(out, 11, 1);
    }
}

fn session_length(session: &Session) -> usize {
    let receivers = session.receivers.iter().map(|receiver| nested(receiver_length(receiver)));
    let numbers = [session.previous_counter, session.remote_registration_id, PROTOCOL];
    4 * KEY
        + numbers.iter().map(|number| number_length((*number).into())).sum::<usize>()
        + session.sender.as_ref().map_or(0, |sender| nested(sender_length(sender)))
        + if session.receive_only { number_length(1) } else { 0 }
        + receivers.sum::<usize>()
        + session.unacknowledged.as_ref().map_or(0, |it| nested(unacknowledged_length(it)))
}

fn sender_length(sender: &SenderChain) -> usize {
    2 * KEY + chain_length(&sender.chain)
}

fn receiver_length(receiver: &ReceiverChain) -> usize {
    let blocks: usize = deltas(&receiver.blocks).map(|delta| varint::length(delta.into())).sum();
    KEY + chain_length(&receiver.chain) + if blocks > 0 { nested(blocks) } else { 0 }
}

/// Rising numbers, each less the one before it.
fn deltas(numbers: &[u32]) -> impl Iterator<Item = u32> {
    let before = std::iter::once(0).chain(numbers.iter().copied());
    numbers.iter().zip(before).map(|(number, before)| number - before)
}

fn unacknowledged_length(unacknowledged: &Unacknowledged) -> usize {
    unacknowledged.one_time_prekey_id.map_or(0, |id| number_length(id.into()))
        + number_length(unacknowledged.signed_prekey_id.into())
        + number_length(unacknowledged.since)
}

/// A chain as field `tag`, and its skipped keys as the field after it.
pub(crate) fn messages(out: &mut Vec<u8>, tag: u8, it: &MessageChain) {
    chain(out, tag, &it.chain);
    for skipped in it.skipped.iter() {
        message(out, tag + 1, indexed_length(skipped.index));
        number(out, 1, skipped.index.into());
        key(out, 2, &skipped.seed);
    }
}

pub(crate) fn messages_length(it: &MessageChain) -> usize {
    let skipped = it.skipped.iter().map(|key| nested(indexed_length(key.index)));
    chain_length(&it.chain) + skipped.sum::<usize>()
}

pub(crate) fn chain(out: &mut Vec<u8>, tag: u8, chain: &ChainKey) {
    message(out, tag, indexed_length(chain.index()));
    number(out, 1, chain.index().into());
    key(out, 2, chain.as_bytes());
}

pub(crate) fn chain_length(chain: &ChainKey) -> usize {
    nested(indexed_length(chain.index()))
}

/// An index and a key.
fn indexed_length(index: u32) -> usize {
    number_length(index.into()) + KEY
}

/// The head of a nested message of so many bytes.
pub(crate) fn message(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag << 3 | LENGTH_DELIMITED);
    varint::push(length as u64, out);
}

/// The length of a nested message of so many bytes with its head.
pub(crate) fn nested(length: usize) -> usize {
    number_length(length as u64) + length
}

pub(crate) fn number(out: &mut Vec<u8>, tag: u8, number: u64) {
    out.push(tag << 3);
    varint::push(number, out);
}

/// A number that always takes eight bytes.
pub(crate) fn fixed(out: &mut Vec<u8>, tag: u8, number: u64) {
    out.push(tag << 3 | FIXED);
    out.extend_from_slice(&number.to_le_bytes());
}

/// The length of a number with its tag.
pub(crate) fn number_length(number: u64) -> usize {
    1 + varint::length(number)
}

pub(crate) fn key(out: &mut Vec<u8>, tag: u8, key: &[u8; 32]) {
    bytes(out, tag, key);
}

pub(crate) fn bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    message(out, tag, bytes.len());
    out.extend_from_slice(bytes);
}

/// The length of a key with its tag and its length.
pub(crate) const KEY: usize = 2 + 32;

/// Protobuf's type of eight bytes.
const FIXED: u8 = 1;

/// Protobuf's type of what begins with its length.
const LENGTH_DELIMITED: u8 = 2;

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use wa_proto::record;

    use super::*;
    use crate::hmac::Hmac;

    #[test]
    fn a_buffer_is_exchanged_where_it_is_too_small_and_only_there() {
        let needed = 100 + CHECKSUM;
        for (had, has) in [(0, needed), (needed - 1, needed), (needed, needed), (2 * needed, 2 * needed)] {
            let mut buffer = Zeroizing::new(Vec::with_capacity(had));
            let place = buffer.as_ptr();
            write_with_checksum(&mut buffer, 100, |out| out.resize(100, 7));
            assert_eq!((buffer.len(), buffer.capacity()), (needed, has), "{had}");
            assert_eq!(buffer.as_ptr() == place, had >= needed, "{had}");
        }
    }

    #[test]
    fn what_is_written_is_what_protobuf_writes() {
        let mut messages = MessageChain::new(ChainKey::new(&[7; 32], 120));
        for counter in [126, 129, 300] {
            let (_, step) = messages.find(counter, &mut Hmac::unkeyed()).unwrap();
            messages.apply(step);
        }
        let mut ours = Vec::new();
        super::number(&mut ours, 1, 9);
        super::key(&mut ours, 2, &[8; 32]);
        super::messages(&mut ours, 3, &messages);
        let skipped = |key: &crate::message_chain::SkippedKey| record::SkippedKey {
            index: key.index,
            seed: key.seed.to_vec().into(),
        };
        let theirs = record::SenderKeyState {
            id: 9,
            signing_public: vec![8; 32].into(),
            chain: record::ChainKey { index: 301, key: messages.chain.as_bytes().to_vec().into() },
            skipped: messages.skipped.iter().map(skipped).collect(),
        };
        assert_eq!(theirs.skipped.len(), 301 - 120 - 3);
        assert_eq!(ours, theirs.encode_to_vec());
        assert_eq!(ours.len(), number_length(9) + KEY + messages_length(&messages));
    }
}
