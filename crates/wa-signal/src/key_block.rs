//! Keys of skipped messages, in blocks that a store keeps apart from the record: a message costs the one block that it
//! is about, however many keys wait (observed: what is skipped; ours: how it is kept).

use std::collections::BTreeMap;
use std::fmt;

use prost::Message as _;
use sha2::{Digest, Sha256};
use wa_keys::PublicKey;
use wa_proto::record;
use zeroize::{Zeroize, Zeroizing};

use crate::record::{form, writer};
use crate::{DecryptError, RecordError};

/// Messages whose keys share a block: as many as a number has bits.
pub(crate) const BLOCK: u32 = 64;

const VERSION: u32 = 1;
const SEED: usize = 32;
const MAX_BLOCK_BYTES: usize = 64 + BLOCK as usize * SEED;

/// The name of a block: its chain, and which 64 messages of that. A store keeps the block under the record's name and this.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyBlockId {
    chain: [u8; 16],
    number: u32,
}

/// Up to 64 seeds of messages that have not arrived yet. They stay where they are until they are used, and are wiped there.
#[derive(Clone)]
pub(crate) struct KeyBlock {
    id: KeyBlockId,
    /// Bit n: the seed of message 64 × number + n is here.
    present: u64,
    seeds: Box<Zeroizing<[[u8; SEED]; BLOCK as usize]>>,
}

/// The blocks that are loaded, and what became of them.
#[derive(Clone, Default)]
pub(crate) struct KeyBlocks(BTreeMap<KeyBlockId, Slot>);

#[derive(Clone)]
enum Slot {
    /// As the store has it.
    Loaded(KeyBlock),
    /// To be written.
    Changed(KeyBlock),
    /// To be deleted.
    Deleted,
    /// The record names it, and the store has it not or not whole.
    Lost,
}

impl KeyBlockId {
    /// Bytes of a name.
    pub const LENGTH: usize = 20;

    /// A chain of a session: the session by its base key, the chain by the peer's ratchet key. Both, because a peer may use
    /// one ratchet key in two sessions.
    pub(crate) fn of_chain(session: &PublicKey, ratchet: &PublicKey) -> Self {
        let hash = Sha256::new().chain_update(session.as_bytes()).chain_update(ratchet.as_bytes()).finalize();
        Self { chain: hash.first_chunk().copied().unwrap_or_default(), number: 0 }
    }

    /// The block of the same chain with this number.
    pub(crate) fn with_number(self, number: u32) -> Self {
        Self { number, ..self }
    }

    /// The name as bytes, in whose order the blocks of a chain stand one after the other.
    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (chain, number) = bytes.split_at_mut(16);
        chain.copy_from_slice(&self.chain);
        number.copy_from_slice(&self.number.to_be_bytes());
        bytes
    }
}

impl fmt::Debug for KeyBlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBlockId({self})")
    }
}

impl fmt::Display for KeyBlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chain.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "/{}", self.number)
    }
}

impl KeyBlock {
    pub(crate) fn new(id: KeyBlockId) -> Self {
        Self { id, present: 0, seeds: Box::new(Zeroizing::new([[0; SEED]; BLOCK as usize])) }
    }

    pub(crate) fn number(&self) -> u32 {
        self.id.number
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.present == 0
    }

    /// The seed of a message; the caller asks the block of that message.
    pub(crate) fn seed(&self, counter: u32) -> Option<&[u8; SEED]> {
        let is_here = self.present & bit(counter) != 0;
        self.seeds.get((counter % BLOCK) as usize).filter(|_| is_here)
    }

    pub(crate) fn insert(&mut self, counter: u32, seed: &[u8; SEED]) {
        if let Some(place) = self.seeds.get_mut((counter % BLOCK) as usize) {
            place.copy_from_slice(seed);
            self.present |= bit(counter);
        }
    }

    pub(crate) fn remove(&mut self, counter: u32) {
        if let Some(place) = self.seeds.get_mut((counter % BLOCK) as usize) {
            place.zeroize();
            self.present &= !bit(counter);
        }
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let seeds = self.present.count_ones() as usize * SEED;
        let length = writer::number_length(VERSION.into())
            + writer::nested(self.id.chain.len())
            + writer::number_length(self.id.number.into())
            + 9
            + writer::nested(seeds);
        let mut bytes = Zeroizing::default();
        writer::write_with_checksum(&mut bytes, length, |out| {
            writer::number(out, 1, VERSION.into());
            writer::bytes(out, 2, &self.id.chain);
            writer::number(out, 3, self.id.number.into());
            writer::fixed(out, 4, self.present);
            writer::message(out, 5, seeds);
            for (_, seed) in self.keys() {
                out.extend_from_slice(seed);
            }
        });
        bytes
    }

    fn decode(id: KeyBlockId, bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_BLOCK_BYTES {
            return Err(RecordError::TooLong(bytes.len()));
        }
        let bytes = form::wiped(form::checked(bytes)?);
        let stored = record::KeyBlock::decode(bytes).map_err(|_| RecordError::Decode)?;
        if stored.version != VERSION {
            return Err(RecordError::Version(stored.version));
        }
        if stored.chain[..] != id.chain || stored.number != id.number {
            return Err(RecordError::Field("name of a block of keys"));
        }
        let (seeds, rest) = stored.seeds.as_chunks::<SEED>();
        if !rest.is_empty() || seeds.len() != stored.present.count_ones() as usize || seeds.is_empty() {
            return Err(RecordError::Field("number of keys in a block"));
        }
        let mut block = Self::new(id);
        let counters = (0..BLOCK).filter(|counter| stored.present & bit(*counter) != 0);
        counters.zip(seeds).for_each(|(counter, seed)| block.insert(counter, seed));
        Ok(block)
    }

    /// The seeds with their numbers, rising.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (u32, &[u8; SEED])> {
        let first = self.id.number.saturating_mul(BLOCK);
        (0..BLOCK).filter_map(move |place| Some((first.saturating_add(place), self.seed(place)?)))
    }
}

/// The bit of a message in its block.
fn bit(counter: u32) -> u64 {
    1 << (counter % BLOCK)
}

impl KeyBlocks {
    /// Takes in what the store has under a name. A block that is not whole is as good as lost.
    pub(crate) fn load(&mut self, id: KeyBlockId, stored: Option<&[u8]>) -> Result<(), RecordError> {
        let (slot, read) = match stored.map(|bytes| KeyBlock::decode(id, bytes)) {
            Some(Ok(block)) => (Slot::Loaded(block), Ok(())),
            Some(Err(error)) => (Slot::Lost, Err(error)),
            None => (Slot::Lost, Ok(())),
        };
        self.0.entry(id).or_insert(slot);
        read
    }

    /// Whether nothing need be loaded to know what is under this name.
    pub(crate) fn knows(&self, id: KeyBlockId) -> bool {
        self.0.contains_key(&id)
    }

    /// A block that the record names.
    pub(crate) fn get(&self, id: KeyBlockId) -> Result<&KeyBlock, DecryptError> {
        match self.0.get(&id) {
            Some(Slot::Loaded(block) | Slot::Changed(block)) => Ok(block),
            Some(Slot::Lost) => Err(DecryptError::KeysLost(id)),
            Some(Slot::Deleted) | None => Err(DecryptError::KeysNotLoaded(id)),
        }
    }

    pub(crate) fn put(&mut self, block: KeyBlock) {
        self.0.insert(block.id, Slot::Changed(block));
    }

    pub(crate) fn delete(&mut self, id: KeyBlockId) {
        self.0.insert(id, Slot::Deleted);
    }

    /// Uses a key up; says whether it was the block's last one, which is then to be deleted.
    pub(crate) fn remove(&mut self, id: KeyBlockId, counter: u32) -> bool {
        let Some(Slot::Loaded(block) | Slot::Changed(block)) = self.0.remove(&id) else { return false };
        let mut block = block;
        block.remove(counter);
        let is_empty = block.is_empty();
        if is_empty {
            self.delete(id)
        } else {
            self.put(block)
        }
        is_empty
    }

    /// What is to be written, or deleted where there is no block.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (KeyBlockId, Option<Zeroizing<Vec<u8>>>)> {
        self.0.iter().filter_map(|(id, slot)| match slot {
            Slot::Changed(block) => Some((*id, Some(block.encode()))),
            Slot::Deleted => Some((*id, None)),
            Slot::Loaded(_) | Slot::Lost => None,
        })
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl fmt::Debug for KeyBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBlocks({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> KeyBlockId {
        let key = |byte| wa_keys::PrivateKey::from_bytes([byte; 32]).public_key();
        KeyBlockId::of_chain(&key(1), &key(2)).with_number(number)
    }

    fn block(counters: &[u32]) -> KeyBlock {
        let mut block = KeyBlock::new(id(counters[0] / BLOCK));
        counters.iter().for_each(|counter| block.insert(*counter, &[counter.to_le_bytes()[0]; 32]));
        block
    }

    #[test]
    fn a_block_is_read_as_it_was_written_and_as_protobuf_has_it() {
        for counters in [&[64][..], &[127], &[64, 70, 127], &(128..192).collect::<Vec<_>>()] {
            let block = block(counters);
            let stored = block.encode();
            let form = form::checked(&stored).unwrap();
            let protobuf = record::KeyBlock::decode(form).unwrap();
            assert_eq!(protobuf.encode_to_vec(), form);
            let read = KeyBlock::decode(block.id, &stored).unwrap();
            let keys: Vec<_> = read.keys().map(|(counter, seed)| (counter, seed[0])).collect();
            let expected: Vec<_> =
                counters.iter().map(|counter| (*counter, counter.to_le_bytes()[0])).collect();
            assert_eq!(keys, expected);
        }
        assert!(block(&(0..64).collect::<Vec<_>>()).encode().len() <= MAX_BLOCK_BYTES);
    }

    #[test]
    fn what_is_no_block_is_refused_by_name() {
        let (block, number) = (block(&[64, 65]), RecordError::Field("number of keys in a block"));
        let stored = block.encode();
        assert_eq!(
            KeyBlock::decode(id(2), &stored).err(),
            Some(RecordError::Field("name of a block of keys"))
        );
        let good = record::KeyBlock::decode(form::checked(&stored).unwrap()).unwrap();
        let few = record::KeyBlock { seeds: good.seeds.slice(..32), ..good.clone() };
        let cut = record::KeyBlock { seeds: good.seeds.slice(..63), ..good.clone() };
        let none = record::KeyBlock { seeds: bytes::Bytes::new(), present: 0, ..good.clone() };
        let newer = record::KeyBlock { version: 2, ..good };
        for (form, error) in [(few, number), (cut, number), (none, number), (newer, RecordError::Version(2))]
        {
            let bytes = form.encode_to_vec();
            let bytes = [&bytes[..], &form::checksum(&bytes)].concat();
            assert_eq!(KeyBlock::decode(block.id, &bytes).err(), Some(error));
        }
        for bit in 0..stored.len() * 8 {
            let mut bent = stored.to_vec();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(KeyBlock::decode(block.id, &bent).err(), Some(RecordError::Checksum), "bit {bit}");
        }
        assert_eq!(MAX_BLOCK_BYTES, 2_112);
        let long = vec![0; MAX_BLOCK_BYTES + 1];
        assert_eq!(KeyBlock::decode(block.id, &long).err(), Some(RecordError::TooLong(long.len())));
        assert_eq!(KeyBlock::decode(block.id, &long[1..]).err(), Some(RecordError::Checksum));
    }

    #[test]
    fn names_are_in_order_and_of_one_chain() {
        let names = [id(0), id(1), id(256), id(u32::MAX)].map(KeyBlockId::to_bytes);
        assert!(names.is_sorted_by(|earlier, later| earlier < later));
        assert_eq!((&names[2][..16], &names[2][16..]), (&id(0).chain[..], &[0, 0, 1, 0][..]));
        assert_eq!(id(256).to_string(), format!("{}/256", hex::encode(id(0).chain)));
        let key = |byte| wa_keys::PrivateKey::from_bytes([byte; 32]).public_key();
        assert_ne!(KeyBlockId::of_chain(&key(1), &key(2)), KeyBlockId::of_chain(&key(2), &key(1)));
    }
}
