//! Keys, sessions, sender keys and handshakes leave no secret in memory that they gave back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use freed_memory::{SECRET, Watched, leaks};
use prost::Message as _;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_keys::PrivateKey;
use wa_proto::record;
use wa_signal::{
    Bundle, Ciphertext, Distribution, KeyBlockId, Kind, LocalIdentity, PreKeyMessage, Prekeys, SenderKey,
    SenderKeyMessage, SenderKeyRecord, SessionRecord, SignalMessage, SignedPrekey, Trust,
};
use zeroize::{Zeroize as _, Zeroizing};

#[global_allocator]
static WATCHED: Watched = Watched;

const NOW: u64 = 1_800_000_000;

type Secrets = BTreeSet<[u8; SECRET]>;

/// The tests can fail: what is not wiped is found, and so is what only looks as if it were.
#[test]
fn what_is_not_wiped_is_found() {
    let secret: [u8; SECRET] = std::array::from_fn(|index| index as u8);
    assert_eq!(leaks([secret], || drop(vec![1, 2, 3])), 0);
    assert_eq!(leaks([secret], || drop(secret.to_vec())), 1, "a plain copy");
    assert_eq!(leaks([secret], || drop(Zeroizing::new(secret.to_vec()))), 0, "a wiped one");
    let inline = || {
        let mut keys = VecDeque::from([Zeroizing::new([7; SECRET]), Zeroizing::new(secret)]);
        // What was moved out is wiped where it went; where it was, it still is.
        drop(keys.pop_back());
        keys.pop_front();
    };
    assert_eq!(leaks([secret], inline), 1, "a key that was moved out of a list");
    let grown = || {
        let mut bytes = Zeroizing::new(secret.to_vec());
        bytes.reserve(100);
    };
    assert_eq!(leaks([secret], grown), 1, "a buffer that was exchanged for a larger one");
}

#[test]
fn private_keys_and_what_they_agree_on_are_wiped() {
    let seed: [u8; SECRET] = std::array::from_fn(|index| index as u8 * 7);
    let theirs = PrivateKey::from_bytes([9; SECRET]).public_key();
    let (clamped, agreed) = {
        let key = PrivateKey::from_bytes(seed);
        (*key.as_bytes(), *key.agree(&theirs).unwrap().as_bytes())
    };
    let work = || {
        let mut rng = StdRng::seed_from_u64(1);
        let keys: Vec<_> = (0..10).map(|_| PrivateKey::from_bytes(seed)).collect();
        let mut more = keys.clone();
        more.extend(keys);
        more.swap_remove(0);
        for key in &more {
            key.agree(&theirs).unwrap();
            assert!(key.public_key().verify(b"", &key.sign(b"", &mut rng)).is_ok());
        }
    };
    assert_eq!(leaks([seed, clamped, agreed], work), 0);
}

/// A conversation with loss, reordering, turns, a second session and records that are stored and read again. It is run
/// once to learn its secrets, then once more, the same to the byte, to look for them.
#[test]
fn sessions_leave_no_key_behind() {
    let mut secrets = Secrets::new();
    converse(|stored| secrets.extend(secrets_of_record(stored)));
    assert!(secrets.len() > 300, "{}", secrets.len());
    let mut records = 0;
    assert_eq!(leaks(secrets, || converse(|_| records += 1)), 0);
    assert!(records > 100, "{records}");
}

/// The same for a group: our own key, what is given to members, and what a member keeps.
#[test]
fn sender_keys_leave_no_key_behind() {
    let mut secrets = Secrets::new();
    write_to_group(|stored, member| {
        if member {
            secrets.extend(secrets_of_member(stored));
        } else {
            let form = record::SenderKey::decode(protobuf(stored)).unwrap();
            secrets.extend([form.chain.key, form.signing_private].map(secret));
        }
    });
    assert!(secrets.len() > 30, "{}", secrets.len());
    assert_eq!(leaks(secrets, || write_to_group(|_, _| {})), 0);
}

struct Side {
    local: LocalIdentity,
    signed: PrivateKey,
    one_time: PrivateKey,
    record: SessionRecord,
    blocks: BTreeMap<KeyBlockId, Zeroizing<Vec<u8>>>,
    rng: StdRng,
}

impl Side {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let [key, signed, one_time] = [(); 3].map(|()| PrivateKey::generate(&mut rng));
        let local = LocalIdentity { key, registration_id: 7 };
        let (record, blocks) = (SessionRecord::default(), BTreeMap::new());
        Self { local, signed, one_time, record, blocks, rng }
    }

    fn bundle(&mut self) -> Bundle {
        Bundle {
            registration_id: 7,
            identity: self.local.key.public_key(),
            signed_prekey: SignedPrekey::sign(1, &self.signed, &self.local.key, &mut self.rng),
            one_time_prekey: Some((1, self.one_time.public_key())),
        }
    }

    fn send(&mut self, stored: &mut impl FnMut(&[u8])) -> Ciphertext {
        let sent = self.record.encrypt(&self.local, b"text", NOW, &mut self.rng).unwrap();
        self.store(stored);
        sent
    }

    fn receive(&mut self, message: &Ciphertext, stored: &mut impl FnMut(&[u8])) {
        let bytes = message.bytes.clone();
        let prekeys = Prekeys { signed: &self.signed, one_time: Some(&self.one_time) };
        let received = match message.kind {
            Kind::Signal => {
                let message = SignalMessage::decode(bytes).unwrap();
                load(&mut self.record, &message, &self.blocks);
                self.record.decrypt(&message, &Trust::Any)
            }
            Kind::PreKey => {
                let message = PreKeyMessage::decode(bytes).unwrap();
                load(&mut self.record, message.message(), &self.blocks);
                self.record.decrypt_prekey(&self.local.key, prekeys, &message, &Trust::Any)
            }
        };
        assert_eq!(received.unwrap().plaintext, b"text");
        self.store(stored);
    }

    /// Through the stored form and back, as a store does.
    fn store(&mut self, stored: &mut impl FnMut(&[u8])) {
        for (id, block) in self.record.take_block_changes() {
            match block {
                Some(block) => {
                    stored(&block);
                    self.blocks.insert(id, block);
                }
                None => drop(self.blocks.remove(&id)),
            }
        }
        let bytes = self.record.encode();
        stored(&bytes);
        self.record = SessionRecord::decode(&bytes).unwrap();
    }
}

fn load(
    session: &mut SessionRecord,
    message: &SignalMessage,
    blocks: &BTreeMap<KeyBlockId, Zeroizing<Vec<u8>>>,
) {
    for id in session.blocks_for(message).collect::<Vec<_>>() {
        session.load_block(id, blocks.get(&id).map(|block| block.as_slice())).unwrap();
    }
}

fn converse(mut stored: impl FnMut(&[u8])) {
    let [mut alice, mut bob] = [1, 2].map(Side::new);
    for _ in 0..2 {
        let bundle = bob.bundle();
        alice.record.establish(&alice.local.key, &bundle, &Trust::Any, NOW, &mut alice.rng).unwrap();
        for turn in 0..8 {
            let mut sent: Vec<_> = (0..20).map(|_| alice.send(&mut stored)).collect();
            // The last first, then every other one of those before: keys are skipped, used and left.
            bob.receive(&sent.pop().unwrap(), &mut stored);
            sent.iter().step_by(2).for_each(|late| bob.receive(late, &mut stored));
            let mut forged = sent[1].clone();
            forged.bytes = forged.bytes.iter().rev().copied().collect::<Vec<_>>().into();
            assert!(SignalMessage::decode(forged.bytes).is_err());
            if turn % 2 == 0 {
                let answer = bob.send(&mut stored);
                alice.receive(&answer, &mut stored);
            }
        }
    }
}

fn secrets_of_record(stored: &[u8]) -> Secrets {
    if let Ok(block) = record::KeyBlock::decode(protobuf(stored)) {
        return block.seeds.as_chunks().0.iter().copied().collect();
    }
    let form = record::SessionRecord::decode(protobuf(stored)).unwrap();
    let sessions = form.current.into_iter().chain(form.archived);
    let secrets = sessions.flat_map(|session| {
        let receivers = session.receivers.into_iter().map(|receiver| receiver.chain.key);
        let sender = session.sender.into_iter().flat_map(|it| [it.ratchet_private, it.chain.key]);
        receivers.chain(sender).chain([session.root_key]).collect::<Vec<_>>()
    });
    secrets.map(secret).collect()
}

fn write_to_group(mut stored: impl FnMut(&[u8], bool)) {
    let mut rng = StdRng::seed_from_u64(3);
    let mut ours = SenderKey::generate(&mut rng);
    let mut member = SenderKeyRecord::default();
    let distribution: Bytes = ours.distribution().encode().to_vec().into();
    member.process(&Distribution::decode(distribution.clone()).unwrap());
    // What the member was told lies in the message that told it, which is the caller's.
    distribution.try_into_mut().unwrap().zeroize();
    let sent: Vec<Bytes> = (0..30).map(|_| ours.encrypt(b"text", &mut rng).unwrap()).collect();
    for wire in sent.into_iter().rev() {
        let message = SenderKeyMessage::decode(wire).unwrap();
        assert_eq!(member.decrypt(&message).unwrap(), b"text");
        let bytes = member.encode();
        stored(&bytes, true);
        member = SenderKeyRecord::decode(&bytes).unwrap();
        let bytes = ours.encode();
        stored(&bytes, false);
        ours = SenderKey::decode(&bytes).unwrap();
    }
}

fn secrets_of_member(stored: &[u8]) -> Secrets {
    let form = record::SenderKeyRecord::decode(protobuf(stored)).unwrap();
    let keys = form.states.into_iter().flat_map(|state| {
        state.skipped.into_iter().map(|key| key.seed).chain([state.chain.key]).collect::<Vec<_>>()
    });
    keys.map(secret).collect()
}

fn secret(stored: Bytes) -> [u8; SECRET] {
    stored[..].try_into().unwrap()
}

/// What is stored, without the checksum behind it.
fn protobuf(stored: &[u8]) -> &[u8] {
    &stored[..stored.len() - 4]
}
