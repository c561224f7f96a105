//! What a member keeps of the others' sender keys (observed).

use std::collections::VecDeque;
use std::sync::OnceLock;

use prost::Message as _;
use wa_keys::{PublicKey, Verifier};
use wa_proto::record;
use zeroize::Zeroizing;

use super::group_keys::GroupKeys;
use super::{Distribution, SenderKeyMessage, VERSION};
use crate::hmac::Hmac;
use crate::message_chain::MessageChain;
use crate::record::{form, writer};
use crate::{DecryptError, RecordError};

/// Sender keys of one device that a record keeps, newest first.
pub const MAX_SENDER_KEY_STATES: usize = 5;

/// The sender keys of one device of a peer in one group. Starts empty; name it by group and authenticated sender.
#[derive(Clone, Debug, Default)]
pub struct SenderKeyRecord {
    /// The sender's keys, the newest first.
    states: VecDeque<State>,
}

#[derive(Clone, Debug)]
struct State {
    id: u32,
    signing: Signing,
    messages: MessageChain,
}

/// The key that a sender's messages verify under, made ready when the first one arrives.
#[derive(Clone, Debug)]
struct Signing {
    key: PublicKey,
    ready: OnceLock<Verifier>,
}

impl SenderKeyRecord {
    /// Takes in a distribution. One that is known already does not turn the chain back; one with a known id and
    /// another signing key takes its place.
    pub fn process(&mut self, distribution: &Distribution) {
        let is_known =
            |state: &State| state.id == distribution.id && state.signing.key == distribution.signing;
        if self.states.iter().any(is_known) {
            return;
        }
        self.states.retain(|state| state.id != distribution.id);
        self.states.truncate(MAX_SENDER_KEY_STATES - 1);
        self.states.push_front(State {
            id: distribution.id,
            signing: Signing::new(distribution.signing),
            messages: MessageChain::new(distribution.chain.clone()),
        });
    }

    /// Verifies the signature, then decrypts. On failure the record has not changed.
    pub fn decrypt(&mut self, message: &SenderKeyMessage) -> Result<Vec<u8>, DecryptError> {
        let state = self.states.iter_mut().find(|state| state.id == message.id);
        let state = state.ok_or(DecryptError::NoSession)?;
        state
            .signing
            .verifier()
            .verify(&message.body, &message.signature)
            .map_err(|_| DecryptError::Invalid)?;
        let mut hmac = Hmac::unkeyed();
        let (seed, step) = state.messages.find(message.iteration, &mut hmac)?;
        let plaintext = GroupKeys::derive(&mut hmac, &seed).decrypt(&message.ciphertext)?;
        state.messages.apply(step);
        Ok(plaintext)
    }

    /// The bytes to store.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let lengths = self.states.iter().map(|state| writer::nested(state.length()));
        let length = writer::number_length(VERSION.into()) + lengths.sum::<usize>();
        let mut bytes = Zeroizing::default();
        writer::write_with_checksum(&mut bytes, length, |out| {
            writer::number(out, 1, VERSION.into());
            for state in &self.states {
                writer::message(out, 2, state.length());
                state.write(out);
            }
        });
        bytes
    }

    /// Reads stored bytes. What is not a whole, valid record is an error, never an empty one.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > form::MAX_RECORD_BYTES {
            return Err(RecordError::TooLong(bytes.len()));
        }
        let bytes = form::wiped(form::checked(bytes)?);
        let stored = record::SenderKeyRecord::decode(bytes).map_err(|_| RecordError::Decode)?;
        read_record(&stored)
    }
}

impl State {
    fn length(&self) -> usize {
        writer::number_length(self.id.into()) + writer::KEY + writer::messages_length(&self.messages)
    }

    fn write(&self, out: &mut Vec<u8>) {
        writer::number(out, 1, self.id.into());
        writer::key(out, 2, self.signing.key.as_bytes());
        writer::messages(out, 3, &self.messages);
    }
}

impl Signing {
    fn new(key: PublicKey) -> Self {
        Self { key, ready: OnceLock::new() }
    }

    fn verifier(&self) -> &Verifier {
        self.ready.get_or_init(|| Verifier::new(&self.key))
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
            signing: Signing::new(form::public("signing key", &state.signing_public)?),
            messages: form::read_messages(&state.chain, &state.skipped)?,
        })
    };
    Ok(SenderKeyRecord { states: stored.states.iter().map(read).collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;
    use rand_core::UnwrapErr;
    use serde::Deserialize;

    use super::*;
    use crate::{MessageError, SenderKey};
    use bytes::Bytes;

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
        let text = include_str!("../../tests/vectors/whatsapp_sender_keys.json");
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
    fn a_key_has_a_number_of_31_bits_and_a_message_more_than_a_signature() {
        let mut rng = UnwrapErr(SysRng);
        let numbers: Vec<u32> = (0..64).map(|_| SenderKey::generate(&mut rng).id).collect();
        assert!(numbers.iter().all(|number| number >> 31 == 0), "{numbers:?}");
        assert!(numbers.iter().any(|number| number >> 30 == 1), "{numbers:?}");
        for length in [0, 63, 64] {
            let short = SenderKeyMessage::decode(vec![0x33; length].into());
            assert_eq!(short.err(), Some(MessageError::TooShort(length)));
        }
        assert_ne!(SenderKeyMessage::decode(vec![0x33; 65].into()).err(), Some(MessageError::TooShort(65)));
    }

    #[test]
    fn stored_bytes_may_be_as_long_as_the_limit() {
        let decoded = |length: usize| SenderKeyRecord::decode(&vec![0; length]).err();
        assert_eq!(decoded(form::MAX_RECORD_BYTES), Some(RecordError::Checksum));
        for length in [form::MAX_RECORD_BYTES + 1, form::MAX_RECORD_BYTES + 2] {
            assert_eq!(decoded(length), Some(RecordError::TooLong(length)));
        }
    }

    #[test]
    fn a_record_keeps_five_keys_and_replaces_by_id() {
        let mut rng = UnwrapErr(SysRng);
        let mut keys: Vec<SenderKey> = (0..6).map(|_| SenderKey::generate(&mut rng)).collect();
        let mut record = SenderKeyRecord::default();
        keys.iter().for_each(|key| record.process(&key.distribution()));
        assert_eq!(record.states.len(), MAX_SENDER_KEY_STATES);
        let full = record.encode();
        assert_eq!(SenderKeyRecord::decode(&full).unwrap().encode(), full);
        let mut more = record.clone();
        more.states.push_back(record.states[0].clone());
        let refused = SenderKeyRecord::decode(&more.encode()).err();
        assert_eq!(refused, Some(RecordError::Field("number of sender keys")));
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
