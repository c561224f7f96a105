//! Conversations recorded from the official library, replayed: the same bytes, the same state after each message.

use bytes::Bytes;
use rand_core::{TryCryptoRng, TryRng};
use serde::Deserialize;
use wa_keys::{PrivateKey, PublicKey};

use super::*;
use crate::chain_key::ChainKey;
use crate::hmac::Hmac;
use crate::message_keys::MessageKeys;
use crate::receiver_chain::ReceiverChain;
use crate::root_key::RootKey;
use crate::session::{SenderChain, Unacknowledged};

#[derive(Deserialize)]
struct Transcripts {
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    name: String,
    parties: std::collections::HashMap<String, Device>,
    messages: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Device {
    registration_id: u32,
    identity_private: String,
    signed_prekey_private: Option<String>,
    one_time_prekey_private: Option<String>,
}

#[derive(Deserialize)]
struct Recorded {
    from: String,
    to: String,
    r#type: u8,
    plaintext: String,
    message: String,
    sender_record_after: String,
    receiver_record_before: Option<String>,
    receiver_record_after: String,
}

impl Device {
    fn local(&self) -> LocalIdentity {
        LocalIdentity { key: private(&self.identity_private), registration_id: self.registration_id }
    }
}

/// The library's record, as far as its field numbers are known facts.
mod library {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Record {
        #[prost(message, optional, tag = "1")]
        pub(super) current: Option<Session>,
        #[prost(message, repeated, tag = "2")]
        pub(super) previous: Vec<Session>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Session {
        #[prost(bytes = "vec", tag = "2")]
        pub(super) local_identity: Vec<u8>,
        #[prost(bytes = "vec", tag = "3")]
        pub(super) remote_identity: Vec<u8>,
        #[prost(bytes = "vec", tag = "4")]
        pub(super) root_key: Vec<u8>,
        #[prost(uint32, tag = "5")]
        pub(super) previous_counter: u32,
        #[prost(message, required, tag = "6")]
        pub(super) sender: Chain,
        #[prost(message, repeated, tag = "7")]
        pub(super) receivers: Vec<Chain>,
        #[prost(message, optional, tag = "9")]
        pub(super) pending: Option<Pending>,
        #[prost(bytes = "vec", tag = "13")]
        pub(super) base_key: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Pending {
        #[prost(uint32, optional, tag = "1")]
        pub(super) one_time_prekey_id: Option<u32>,
        #[prost(uint32, tag = "3")]
        pub(super) signed_prekey_id: u32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Chain {
        #[prost(bytes = "vec", tag = "1")]
        pub(super) ratchet_public: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub(super) ratchet_private: Vec<u8>,
        #[prost(message, required, tag = "3")]
        pub(super) chain: ChainKey,
        #[prost(message, repeated, tag = "4")]
        pub(super) skipped: Vec<Skipped>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ChainKey {
        #[prost(uint32, tag = "1")]
        pub(super) index: u32,
        #[prost(bytes = "vec", tag = "2")]
        pub(super) key: Vec<u8>,
    }

    /// Either the three keys (older releases) or the seed.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Skipped {
        #[prost(uint32, tag = "1")]
        pub(super) index: u32,
        #[prost(bytes = "vec", tag = "2")]
        pub(super) cipher_key: Vec<u8>,
        #[prost(bytes = "vec", tag = "3")]
        pub(super) mac_key: Vec<u8>,
        #[prost(bytes = "vec", tag = "4")]
        pub(super) iv: Vec<u8>,
        #[prost(bytes = "vec", tag = "5")]
        pub(super) seed: Vec<u8>,
    }
}

fn parse(record: &str) -> library::Record {
    prost::Message::decode(bytes(record).as_slice()).unwrap()
}

/// A record of ours from one of the library's; for states without skipped keys.
fn import(record: &str) -> SessionRecord {
    let record = parse(record);
    SessionRecord {
        current: record.current.as_ref().map(import_session),
        archived: record.previous.iter().map(import_session).collect(),
        ..SessionRecord::default()
    }
}

fn import_session(session: &library::Session) -> Session {
    let chain = |chain: &library::ChainKey| ChainKey::new(chain.key[..].try_into().unwrap(), chain.index);
    let receiver = |it: &library::Chain| ReceiverChain::new(public(&it.ratchet_public), chain(&it.chain));
    let ratchet = PrivateKey::from_slice(&session.sender.ratchet_private).unwrap();
    Session {
        local_identity: public(&session.local_identity),
        remote_identity: public(&session.remote_identity),
        remote_registration_id: 0,
        root: RootKey::new(session.root_key[..].try_into().unwrap()),
        base_key: public(&session.base_key),
        previous_counter: session.previous_counter,
        sender: Some(SenderChain::new(ratchet, chain(&session.sender.chain))),
        receive_only: false,
        receivers: session.receivers.iter().map(receiver).collect(),
        unacknowledged: session.pending.as_ref().map(|pending| Unacknowledged {
            one_time_prekey_id: pending.one_time_prekey_id,
            signed_prekey_id: pending.signed_prekey_id,
            since: 0,
        }),
    }
}

/// What both forms say of a session, comparable: skipped keys as the keys that they give.
#[derive(Debug, PartialEq)]
struct State {
    identities: [Vec<u8>; 2],
    root: Vec<u8>,
    base_key: Vec<u8>,
    previous_counter: u32,
    sender: ChainState,
    receivers: Vec<ChainState>,
    unacknowledged: Option<(Option<u32>, u32)>,
}

/// Ratchet key, index, chain key, skipped keys.
#[derive(Debug, PartialEq)]
struct ChainState(Vec<u8>, u32, Vec<u8>, Vec<(u32, Vec<u8>)>);

fn states_of_library(record: &str) -> Vec<State> {
    let skipped = |key: &library::Skipped| match key.seed[..].try_into() {
        Ok(seed) => (key.index, MessageKeys::derive(&mut Hmac::unkeyed(), seed).to_bytes()),
        Err(_) => (key.index, [&key.cipher_key[..], &key.mac_key, &key.iv].concat()),
    };
    let chain = |it: &library::Chain| {
        let mut skipped: Vec<_> = it.skipped.iter().map(skipped).collect();
        skipped.sort();
        ChainState(it.ratchet_public.clone(), it.chain.index, it.chain.key.clone(), skipped)
    };
    let mut record = parse(record);
    // What an archived session would still owe its peer is never used again; we drop it at once.
    record.previous.iter_mut().for_each(|session| session.pending = None);
    let sessions = record.current.iter().chain(&record.previous);
    let state = |it: &library::Session| State {
        identities: [it.local_identity.clone(), it.remote_identity.clone()],
        root: it.root_key.clone(),
        base_key: it.base_key.clone(),
        previous_counter: it.previous_counter,
        sender: chain(&it.sender),
        receivers: it.receivers.iter().map(chain).collect(),
        unacknowledged: it.pending.as_ref().map(|it| (it.one_time_prekey_id, it.signed_prekey_id)),
    };
    sessions.map(state).collect()
}

fn states_of(record: &SessionRecord) -> Vec<State> {
    let key = |key: &PublicKey| key.to_prefixed().to_vec();
    let receiver = |base_key: &PublicKey, it: &ReceiverChain| {
        let id = KeyBlockId::of_chain(base_key, &it.ratchet);
        let blocks = it.blocks.iter().map(|number| record.blocks.get(id.with_number(*number)).unwrap());
        let keys = blocks
            .flat_map(|block| block.keys())
            .map(|(index, seed)| (index, MessageKeys::derive(&mut Hmac::unkeyed(), seed).to_bytes()));
        ChainState(key(&it.ratchet), it.chain.index(), it.chain.as_bytes().to_vec(), keys.collect())
    };
    let state = |it: &Session| State {
        identities: [key(&it.local_identity), key(&it.remote_identity)],
        root: it.root.as_bytes().to_vec(),
        base_key: key(&it.base_key),
        previous_counter: it.previous_counter,
        sender: {
            let sender = it.sender.as_ref().unwrap();
            let chain = &sender.chain;
            ChainState(key(&sender.public), chain.index(), chain.as_bytes().to_vec(), Vec::new())
        },
        receivers: it.receivers.iter().map(|chain| receiver(&it.base_key, chain)).collect(),
        unacknowledged: it.unacknowledged.as_ref().map(|it| (it.one_time_prekey_id, it.signed_prekey_id)),
    };
    record.sessions().map(state).collect()
}

/// Gives the ratchet key that the library drew, so that our state must become equal to its own.
struct Drawn(Vec<u8>);

impl TryRng for Drawn {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        unreachable!("keys are filled")
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        unreachable!("keys are filled")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Drawn {}

const RECORDINGS: [(&str, u8); 2] = [
    (include_str!("../../tests/vectors/v3_transcripts_byte33.json"), 0x33),
    (include_str!("../../tests/vectors/v3_transcripts_byte34.json"), 0x34),
];

/// Every delivered message decrypts, and after each our record says what the library's says.
#[test]
fn recorded_conversations_decrypt_and_leave_the_same_state() {
    let mut messages = 0;
    for (recording, _) in RECORDINGS {
        let recording: Transcripts = serde_json::from_str(recording).unwrap();
        for scenario in &recording.scenarios {
            let mut records = std::collections::HashMap::new();
            for (index, message) in scenario.messages.iter().enumerate() {
                let record = records.entry(&message.to).or_insert_with(|| {
                    message.receiver_record_before.as_deref().map(import).unwrap_or_default()
                });
                replay(scenario, message, record, &format!("{} {index}", scenario.name));
                messages += 1;
            }
        }
    }
    assert_eq!(messages, 112);
}

fn replay(scenario: &Scenario, message: &Recorded, record: &mut SessionRecord, name: &str) {
    let device = &scenario.parties[&message.to];
    if let Some(before) = &message.receiver_record_before {
        send_until_equal(record, &device.local(), before);
        assert_eq!(states_of(record), states_of_library(before), "{name}: before");
    }
    let after = parse(&message.receiver_record_after).current.unwrap();
    let mut drawn = Drawn(after.sender.ratchet_private);
    let wire = Bytes::from(bytes(&message.message));
    let corrupted = corrupt(&wire);
    let before = record.encode();
    assert!(decrypt(device, message, corrupted, record).is_err(), "{name}: corrupted");
    assert_eq!(record.encode(), before, "{name}: a failure changed the record");
    let decrypted = decrypt(device, message, wire, record).unwrap();
    assert_eq!(decrypted.plaintext, bytes(&message.plaintext), "{name}");
    // The library makes its next ratchet key when the peer turns, we when there is something to send.
    record.current.as_mut().unwrap().turn(&mut drawn).unwrap();
    assert_eq!(states_of(record), states_of_library(&message.receiver_record_after), "{name}: after");
    let stored = record.encode();
    let form = form::checked(&stored).unwrap();
    let protobuf: wa_proto::record::SessionRecord = prost::Message::decode(form).unwrap();
    assert_eq!(prost::Message::encode_to_vec(&protobuf), form, "{name}: as protobuf writes it");
    let mut stored = SessionRecord::decode(&stored).unwrap();
    for (id, block) in record.clone().take_block_changes() {
        stored.load_block(id, block.as_ref().map(|block| block.as_slice())).unwrap();
    }
    assert_eq!(states_of(&stored), states_of(record), "{name}: stored");
}

/// Messages sent meanwhile move the sending chain, whatever they say.
fn send_until_equal(record: &mut SessionRecord, local: &LocalIdentity, before: &str) {
    let index = parse(before).current.unwrap().sender.chain.index;
    while record.current.as_ref().unwrap().sender.as_ref().unwrap().chain.index() < index {
        record.encrypt(local, b"", 0, &mut Drawn(Vec::new())).unwrap();
    }
}

fn decrypt(
    device: &Device,
    message: &Recorded,
    wire: Bytes,
    record: &mut SessionRecord,
) -> Result<Decrypted, DecryptError> {
    if message.r#type == 2 {
        let message = SignalMessage::decode(wire).map_err(|_| DecryptError::Invalid)?;
        return record.decrypt(&message, &Trust::Any);
    }
    let message = PreKeyMessage::decode(wire).map_err(|_| DecryptError::Invalid)?;
    let signed = device.signed_prekey_private.as_deref().map(private).unwrap();
    let one_time = device.one_time_prekey_private.as_deref().map(private);
    let prekeys = Prekeys { signed: &signed, one_time: one_time.as_ref() };
    record.decrypt_prekey(&device.local().key, prekeys, &message, &Trust::Any)
}

/// Flips a bit shortly before the end: in the MAC, or in the ciphertext before it.
fn corrupt(wire: &Bytes) -> Bytes {
    let mut wire = wire.to_vec();
    let position = wire.len() - 12;
    wire[position] ^= 1;
    wire.into()
}

/// From the state after one message the next of the same chain comes out byte for byte as recorded.
#[test]
fn recorded_messages_are_encrypted_byte_for_byte() {
    let mut compared = 0;
    for (recording, first_byte) in RECORDINGS {
        let recording: Transcripts = serde_json::from_str(recording).unwrap();
        for scenario in &recording.scenarios {
            for (message, next) in consecutive(&scenario.messages) {
                let mut record = import(&message.sender_record_after);
                let local = scenario.parties[&message.from].local();
                let sent =
                    record.encrypt(&local, &bytes(&next.plaintext), 0, &mut Drawn(Vec::new())).unwrap();
                let recorded = bytes(&next.message);
                if first_byte == 0x33 {
                    assert_eq!(sent.bytes, recorded, "{}", scenario.name);
                } else {
                    assert_eq!(without_version(&sent.bytes), without_version(&recorded), "{}", scenario.name);
                }
                compared += 1;
            }
        }
    }
    assert!(compared > 20, "{compared}");
}

/// Pairs of recorded messages of one sender that follow each other in one chain.
fn consecutive(messages: &[Recorded]) -> Vec<(&Recorded, &Recorded)> {
    let sent = |message: &Recorded| {
        let sender = parse(&message.sender_record_after).current.unwrap().sender;
        (message.from.clone(), sender.ratchet_public, sender.chain.index)
    };
    let follows = |one: &Recorded, two: &Recorded| {
        let (one, two) = (sent(one), sent(two));
        one.0 == two.0 && one.1 == two.1 && one.2 + 1 == two.2
    };
    let with_next = |one| Some((one, messages.iter().find(|two| follows(one, two))?));
    messages.iter().filter_map(with_next).collect()
}

/// The parts that do not depend on the low half of the version byte.
fn without_version(message: &[u8]) -> (PublicKey, u32, Bytes) {
    let wire = Bytes::copy_from_slice(message);
    let message = match PreKeyMessage::decode(wire.clone()) {
        Ok(message) => message.message,
        Err(_) => SignalMessage::decode(wire).unwrap(),
    };
    (message.ratchet_key, message.counter, message.ciphertext)
}

fn private(text: &str) -> PrivateKey {
    PrivateKey::from_slice(&bytes(text)).unwrap()
}

fn public(bytes: &[u8]) -> PublicKey {
    PublicKey::from_prefixed(bytes).unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}
