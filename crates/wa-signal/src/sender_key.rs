//! Sender keys: one chain for a whole group, signed, in WhatsApp's own form (observed; not modern libsignal's).

mod group_keys;
mod record;

use std::fmt;

use bytes::Bytes;
use prost::Message as _;
use rand_core::CryptoRng;
use wa_keys::{PrivateKey, PublicKey, Signature};
use wa_proto::signal;
use zeroize::Zeroizing;

use self::group_keys::GroupKeys;
pub use self::record::{MAX_SENDER_KEY_STATES, SenderKeyRecord};
use crate::chain_key::ChainKey;
use crate::hmac::Hmac;
use crate::message::{VERSION_BYTE, encode_versioned, key, versioned};
use crate::record::{form, writer};
use crate::{EncryptError, MessageError, RecordError};

const VERSION: u32 = 1;
const SIGNATURE: usize = 64;

/// Bytes that no distribution message exceeds: version, two numbers of up to five bytes, two keys, four tags, two lengths.
const DISTRIBUTION: usize = 1 + 2 * 5 + 32 + 33 + 4 + 2;

/// Our own sender key in one group. Make a new one when a member leaves.
#[derive(Clone)]
pub struct SenderKey {
    id: u32,
    chain: ChainKey,
    signing: PrivateKey,
}

/// What a member gives to the others, each in a message of their own session: never take one from anybody else than
/// the session's authenticated peer.
#[derive(Clone)]
pub struct Distribution {
    id: u32,
    chain: ChainKey,
    signing: PublicKey,
}

/// A group message (`<enc type="skmsg">`), parsed and not yet authenticated.
#[derive(Clone, Debug)]
pub struct SenderKeyMessage {
    id: u32,
    iteration: u32,
    ciphertext: Bytes,
    /// Version byte and protobuf: what the signature covers, as it was received.
    body: Bytes,
    signature: Signature,
}

impl SenderKey {
    /// A new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut chain = Zeroizing::new([0; 32]);
        rng.fill_bytes(chain.as_mut_slice());
        let id = rng.next_u32() >> 1;
        Self { id, chain: ChainKey::new(&chain, 0), signing: PrivateKey::generate(rng) }
    }

    /// What the other members need to read from now on; not what was written before.
    pub fn distribution(&self) -> Distribution {
        Distribution { id: self.id, chain: self.chain.clone(), signing: self.signing.public_key() }
    }

    /// Encrypts and signs the next message.
    pub fn encrypt(&mut self, plaintext: &[u8], rng: &mut impl CryptoRng) -> Result<Bytes, EncryptError> {
        let iteration = self.chain.index();
        let mut hmac = Hmac::unkeyed();
        let seed = self.chain.advance(&mut hmac).ok_or(EncryptError::Exhausted)?;
        let message = signal::SenderKeyMessage {
            id: Some(self.id),
            iteration: Some(iteration),
            ciphertext: Some(GroupKeys::derive(&mut hmac, &seed).encrypt(plaintext).into()),
        };
        let mut bytes = encode_versioned(&message, SIGNATURE);
        let signature = self.signing.sign(&bytes, rng);
        bytes.extend_from_slice(signature.as_bytes());
        Ok(bytes.into())
    }

    /// The bytes to store, before the message that they belong to leaves.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let numbers = [VERSION, self.id].map(u64::from);
        let length = numbers.map(writer::number_length).iter().sum::<usize>()
            + writer::chain_length(&self.chain)
            + writer::KEY;
        let mut bytes = Zeroizing::default();
        writer::write_with_checksum(&mut bytes, length, |out| {
            writer::number(out, 1, VERSION.into());
            writer::number(out, 2, self.id.into());
            writer::chain(out, 3, &self.chain);
            writer::key(out, 4, self.signing.as_bytes());
        });
        bytes
    }

    /// Reads stored bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let bytes = form::wiped(form::checked(bytes)?);
        let stored = wa_proto::record::SenderKey::decode(bytes).map_err(|_| RecordError::Decode)?;
        if stored.version != VERSION {
            return Err(RecordError::Version(stored.version));
        }
        let signing = form::secret("signing key", &stored.signing_private)?;
        let chain = form::read_chain(&stored.chain)?;
        Ok(Self { id: stored.id, chain, signing: PrivateKey::from_bytes(*signing) })
    }
}

impl fmt::Debug for SenderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SenderKey").field("chain", &self.chain).finish_non_exhaustive()
    }
}

impl Distribution {
    /// The bytes of the distribution message.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Written by hand: prost's form would hold a copy of the chain key that nobody wipes.
        let mut bytes = Zeroizing::new(Vec::with_capacity(DISTRIBUTION));
        bytes.push(VERSION_BYTE);
        writer::number(&mut bytes, 1, self.id.into());
        writer::number(&mut bytes, 2, self.chain.index().into());
        writer::key(&mut bytes, 3, self.chain.as_bytes());
        writer::bytes(&mut bytes, 4, &self.signing.to_prefixed());
        bytes
    }

    /// Parses a distribution message.
    pub fn decode(bytes: Bytes) -> Result<Self, MessageError> {
        let message = signal::SenderKeyDistributionMessage::decode(versioned(&bytes)?)
            .map_err(|_| MessageError::Decode)?;
        let chain_key = message.chain_key.ok_or(MessageError::Missing("chain key"))?;
        let length = MessageError::Length("chain key", chain_key.len());
        let chain_key: &[u8; 32] = chain_key.as_ref().try_into().map_err(|_| length)?;
        let iteration = message.iteration.ok_or(MessageError::Missing("iteration"))?;
        let signing = message.signing_key.ok_or(MessageError::Missing("signing key"))?;
        Ok(Self {
            id: message.id.ok_or(MessageError::Missing("id"))?,
            chain: ChainKey::new(chain_key, iteration),
            signing: key("signing key", &signing)?,
        })
    }
}

impl fmt::Debug for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Distribution").field("chain", &self.chain).finish_non_exhaustive()
    }
}

impl SenderKeyMessage {
    /// Parses the content of an `<enc type="skmsg">`.
    pub fn decode(bytes: Bytes) -> Result<Self, MessageError> {
        let length = bytes.len().checked_sub(SIGNATURE).filter(|&length| length > 0);
        let length = length.ok_or(MessageError::TooShort(bytes.len()))?;
        let signature = Signature::from_bytes(bytes.last_chunk().copied().unwrap_or([0; SIGNATURE]));
        let body = bytes.slice(..length);
        let message =
            signal::SenderKeyMessage::decode(versioned(&body)?).map_err(|_| MessageError::Decode)?;
        Ok(Self {
            id: message.id.ok_or(MessageError::Missing("id"))?,
            iteration: message.iteration.ok_or(MessageError::Missing("iteration"))?,
            ciphertext: message.ciphertext.ok_or(MessageError::Missing("ciphertext"))?,
            body,
            signature,
        })
    }
}
