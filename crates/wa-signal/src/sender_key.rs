//! Sender keys: one chain for a whole group, signed, in WhatsApp's own form (observed; not modern libsignal's).

use std::collections::VecDeque;
use std::fmt;

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use bytes::Bytes;
use prost::Message as _;
use rand_core::CryptoRng;
use wa_keys::{PrivateKey, PublicKey, Signature};
use wa_proto::{record, signal};
use zeroize::{Zeroize, Zeroizing};

use crate::chain_key::ChainKey;
use crate::kdf::{NO_SALT, derive};
use crate::message::{encode_versioned, key, versioned};
use crate::message_chain::MessageChain;
use crate::record::form;
use crate::{DecryptError, EncryptError, MessageError, RecordError};

/// Sender keys of one device that a record keeps, newest first.
pub const MAX_SENDER_KEY_STATES: usize = 5;

const VERSION: u32 = 1;
const SIGNATURE: usize = 64;

/// Our own sender key in one group. Make a new one when a member leaves.
#[derive(Clone)]
pub struct SenderKey {
    id: u32,
    chain: ChainKey,
    signing: PrivateKey,
}

/// The sender keys of one device of a peer in one group. Starts empty; name it by group and authenticated sender.
#[derive(Clone, Debug, Default)]
pub struct SenderKeyRecord {
    /// Newest first.
    states: VecDeque<State>,
}

#[derive(Clone, Debug)]
struct State {
    id: u32,
    signing: PublicKey,
    messages: MessageChain,
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
        let next = self.chain.next().ok_or(EncryptError::Exhausted)?;
        let keys = GroupKeys::derive(&self.chain.seed());
        let message = signal::SenderKeyMessage {
            id: Some(self.id),
            iteration: Some(self.chain.index()),
            ciphertext: Some(keys.encrypt(plaintext).into()),
        };
        let mut bytes = encode_versioned(&message, SIGNATURE);
        let signature = self.signing.sign(&bytes, rng);
        bytes.extend_from_slice(signature.as_bytes());
        self.chain = next;
        Ok(bytes.into())
    }

    /// The bytes to store, before the message that they belong to leaves.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut stored = record::SenderKey {
            version: VERSION,
            id: self.id,
            chain: form::write_chain(&self.chain),
            signing_private: self.signing.as_bytes().to_vec(),
        };
        let bytes = form::with_checksum(&stored);
        stored.chain.key.zeroize();
        stored.signing_private.zeroize();
        bytes
    }

    /// Reads stored bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut stored = record::SenderKey::decode(form::checked(bytes)?).map_err(|_| RecordError::Decode)?;
        if stored.version != VERSION {
            return Err(RecordError::Version(stored.version));
        }
        let signing = form::secret("signing key", &stored.signing_private);
        let chain = form::read_chain(&stored.chain);
        stored.signing_private.zeroize();
        stored.chain.key.zeroize();
        Ok(Self { id: stored.id, chain: chain?, signing: PrivateKey::from_bytes(*signing?) })
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
        let message = signal::SenderKeyDistributionMessage {
            id: Some(self.id),
            iteration: Some(self.chain.index()),
            chain_key: Some(Bytes::copy_from_slice(self.chain.as_bytes())),
            signing_key: Some(Bytes::copy_from_slice(&self.signing.to_prefixed())),
        };
        Zeroizing::new(encode_versioned(&message, 0))
    }

    /// Parses a distribution message.
    pub fn decode(bytes: Bytes) -> Result<Self, MessageError> {
        let message = signal::SenderKeyDistributionMessage::decode(versioned(&bytes)?)
            .map_err(|_| MessageError::Decode)?;
        let chain_key = message.chain_key.ok_or(MessageError::Missing("chain key"))?;
        let chain_key: [u8; 32] =
            chain_key.as_ref().try_into().map_err(|_| MessageError::Length("chain key", chain_key.len()))?;
        let iteration = message.iteration.ok_or(MessageError::Missing("iteration"))?;
        let signing = message.signing_key.ok_or(MessageError::Missing("signing key"))?;
        Ok(Self {
            id: message.id.ok_or(MessageError::Missing("id"))?,
            chain: ChainKey::new(&Zeroizing::new(chain_key), iteration),
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

impl SenderKeyRecord {
    /// Takes in a distribution. One that is known already does not turn the chain back; one with a known id and
    /// another signing key takes its place.
    pub fn process(&mut self, distribution: &Distribution) {
        let is_known = |state: &State| state.id == distribution.id && state.signing == distribution.signing;
        if self.states.iter().any(is_known) {
            return;
        }
        self.states.retain(|state| state.id != distribution.id);
        self.states.truncate(MAX_SENDER_KEY_STATES - 1);
        self.states.push_front(State {
            id: distribution.id,
            signing: distribution.signing,
            messages: MessageChain::new(distribution.chain.clone()),
        });
    }

    /// Verifies the signature, then decrypts. On failure the record has not changed.
    pub fn decrypt(&mut self, message: &SenderKeyMessage) -> Result<Vec<u8>, DecryptError> {
        let state = self.states.iter_mut().find(|state| state.id == message.id);
        let state = state.ok_or(DecryptError::NoSession)?;
        state.signing.verify(&message.body, &message.signature).map_err(|_| DecryptError::Invalid)?;
        let (seed, step) = state.messages.find(message.iteration)?;
        let plaintext = GroupKeys::derive(&seed).decrypt(&message.ciphertext)?;
        state.messages.apply(step);
        Ok(plaintext)
    }

    /// The bytes to store.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let write = |state: &State| record::SenderKeyState {
            id: state.id,
            signing_public: state.signing.as_bytes().to_vec(),
            chain: form::write_chain(&state.messages.chain),
            skipped: form::write_skipped(&state.messages.skipped),
        };
        let mut stored =
            record::SenderKeyRecord { version: VERSION, states: self.states.iter().map(write).collect() };
        let bytes = form::with_checksum(&stored);
        stored.states.iter_mut().for_each(wipe);
        bytes
    }

    /// Reads stored bytes. What is not a whole, valid record is an error, never an empty one.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > form::MAX_RECORD_BYTES {
            return Err(RecordError::TooLong(bytes.len()));
        }
        let mut stored =
            record::SenderKeyRecord::decode(form::checked(bytes)?).map_err(|_| RecordError::Decode)?;
        let read = read_record(&stored);
        stored.states.iter_mut().for_each(wipe);
        read
    }
}

fn read_record(stored: &record::SenderKeyRecord) -> Result<SenderKeyRecord, RecordError> {
    if stored.version != VERSION {
        return Err(RecordError::Version(stored.version));
    }
    if stored.states.len() > MAX_SENDER_KEY_STATES {
        return Err(RecordError::Field("number of sender keys"));
    }
    let read = |state: &record::SenderKeyState| {
        Ok(State {
            id: state.id,
            signing: form::public("signing key", &state.signing_public)?,
            messages: form::read_messages(&state.chain, &state.skipped)?,
        })
    };
    Ok(SenderKeyRecord { states: stored.states.iter().map(read).collect::<Result<_, _>>()? })
}

fn wipe(state: &mut record::SenderKeyState) {
    state.chain.key.zeroize();
    state.skipped.iter_mut().for_each(|key| key.seed.zeroize());
}

/// IV and cipher key of one group message. There is no MAC: the signature authenticates.
struct GroupKeys(Zeroizing<[u8; 48]>);

impl GroupKeys {
    fn derive(seed: &[u8; 32]) -> Self {
        Self(derive(&NO_SALT, seed, b"WhisperGroup"))
    }

    fn parts(&self) -> ([u8; 16], Zeroizing<[u8; 32]>) {
        let (mut iv, mut cipher) = ([0; 16], Zeroizing::new([0; 32]));
        for (part, byte) in iv.iter_mut().chain(cipher.iter_mut()).zip(self.0.iter()) {
            *part = *byte;
        }
        (iv, cipher)
    }

    fn encrypt(&self, plaintext: &[u8]) -> Vec<u8> {
        let (iv, key) = self.parts();
        cbc::Encryptor::<Aes256>::new((&*key).into(), &iv.into()).encrypt_padded_vec::<Pkcs7>(plaintext)
    }

    fn decrypt(&self, ciphertext: &[u8]) -> Result<Vec<u8>, DecryptError> {
        let (iv, key) = self.parts();
        let cipher = cbc::Decryptor::<Aes256>::new((&*key).into(), &iv.into());
        cipher.decrypt_padded_vec::<Pkcs7>(ciphertext).map_err(|_| DecryptError::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;
    use rand_core::UnwrapErr;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Recording {
        scenarios: Vec<Scenario>,
    }

    #[derive(Deserialize)]
    struct Scenario {
        name: String,
        skdm: String,
        messages_in_delivery_order: Vec<Recorded>,
    }

    #[derive(Deserialize)]
    struct Recorded {
        plaintext: String,
        skmsg: String,
    }

    fn bytes(text: &str) -> Bytes {
        hex::decode(text).unwrap().into()
    }

    #[test]
    fn recorded_group_messages_decrypt_once() {
        let text = include_str!("../tests/vectors/whatsapp_sender_keys.json");
        let recording: Recording = serde_json::from_str(text).unwrap();
        let mut messages = 0;
        for scenario in recording.scenarios {
            let distribution = Distribution::decode(bytes(&scenario.skdm)).unwrap();
            assert_eq!(distribution.encode().as_slice(), bytes(&scenario.skdm), "{}", scenario.name);
            let mut record = SenderKeyRecord::default();
            record.process(&distribution);
            for recorded in scenario.messages_in_delivery_order {
                let wire = bytes(&recorded.skmsg);
                for position in [1, wire.len() / 2, wire.len() - 1] {
                    let mut bent = wire.to_vec();
                    bent[position] ^= 1;
                    let before = record.encode();
                    let decrypted = SenderKeyMessage::decode(bent.into()).map(|bent| record.decrypt(&bent));
                    assert!(!matches!(decrypted, Ok(Ok(_))));
                    assert_eq!(record.encode(), before, "a failure changed the record");
                }
                let message = SenderKeyMessage::decode(wire).unwrap();
                assert_eq!(
                    record.decrypt(&message).unwrap(),
                    bytes(&recorded.plaintext),
                    "{}",
                    scenario.name
                );
                record.process(&distribution);
                record = SenderKeyRecord::decode(&record.encode()).unwrap();
                let again = record.decrypt(&message);
                assert_eq!(again, Err(DecryptError::Duplicate { counter: message.iteration }));
                messages += 1;
            }
        }
        assert_eq!(messages, 16);
    }

    #[test]
    fn our_group_messages_are_read_out_of_order_by_who_was_told() {
        let mut rng = UnwrapErr(SysRng);
        let mut ours = SenderKey::generate(&mut rng);
        let before = ours.encrypt(b"before", &mut rng).unwrap();
        let mut member = SenderKeyRecord::default();
        member.process(&Distribution::decode(ours.distribution().encode().to_vec().into()).unwrap());
        let sent: Vec<Bytes> = (0..5u8).map(|n| ours.encrypt(&[n], &mut rng).unwrap()).collect();
        ours = SenderKey::decode(&ours.encode()).unwrap();
        let last = ours.encrypt(b"last", &mut rng).unwrap();
        for (n, wire) in sent.iter().enumerate().rev() {
            let message = SenderKeyMessage::decode(wire.clone()).unwrap();
            assert_eq!(member.decrypt(&message), Ok(vec![u8::try_from(n).unwrap()]));
        }
        assert_eq!(member.decrypt(&SenderKeyMessage::decode(last).unwrap()), Ok(b"last".to_vec()));
        let early = member.decrypt(&SenderKeyMessage::decode(before).unwrap());
        assert_eq!(early, Err(DecryptError::Duplicate { counter: 0 }), "written before the member was told");
    }

    #[test]
    fn a_record_keeps_five_keys_and_replaces_by_id() {
        let mut rng = UnwrapErr(SysRng);
        let mut keys: Vec<SenderKey> = (0..6).map(|_| SenderKey::generate(&mut rng)).collect();
        let mut record = SenderKeyRecord::default();
        keys.iter().for_each(|key| record.process(&key.distribution()));
        assert_eq!(record.states.len(), MAX_SENDER_KEY_STATES);
        let message = SenderKeyMessage::decode(keys[0].encrypt(b"", &mut rng).unwrap()).unwrap();
        assert_eq!(record.decrypt(&message), Err(DecryptError::NoSession));

        let mut other = SenderKey { id: keys[5].id, ..SenderKey::generate(&mut rng) };
        record.process(&other.distribution());
        assert_eq!(record.states.len(), MAX_SENDER_KEY_STATES);
        let message = SenderKeyMessage::decode(keys[5].encrypt(b"", &mut rng).unwrap()).unwrap();
        assert_eq!(
            record.decrypt(&message),
            Err(DecryptError::Invalid),
            "signed by the key that was replaced"
        );
        let message = SenderKeyMessage::decode(other.encrypt(b"new", &mut rng).unwrap()).unwrap();
        assert_eq!(record.decrypt(&message), Ok(b"new".to_vec()));
    }
}
