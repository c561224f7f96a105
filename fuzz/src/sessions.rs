//! A session and a group whose secrets are known here, so that any bytes can be made a message that authenticates.
//!
//! Nothing in the crates is switched off for this: the keys are read from the stored records and derived anew.

use std::sync::LazyLock;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sha2::Sha256;
use wa_keys::{PrivateKey, PublicKey};
use wa_proto::{record, signal};
use wa_signal::{
    Bundle, LocalIdentity, PreKeyMessage, Prekeys, SenderKey, SenderKeyRecord, SessionRecord, SignalMessage,
    SignedPrekey, Trust,
};
use zeroize::Zeroizing;

use crate::first::Receiver;

/// Bob's side of a session with Alice: she has written, he has answered, one message of hers is missing.
pub static SESSION: LazyLock<SessionRecord> = LazyLock::new(|| session().0);

/// Bodies of messages that Alice could send next: in a chain that Bob knows, skipped there, and in a new one.
pub static BODIES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| session().1);

/// Somebody's sender key, and what another member keeps of it.
pub static GROUP: LazyLock<(SenderKey, SenderKeyRecord)> = LazyLock::new(|| {
    let key = SenderKey::generate(&mut StdRng::seed_from_u64(5));
    let mut record = SenderKeyRecord::default();
    record.process(&key.distribution());
    (key, record)
});

/// The message of this body with the MAC that its receiver will compute, or with zeros if there is no such MAC.
pub fn seal(receiver: &SessionRecord, body: &[u8]) -> Vec<u8> {
    let mac = mac(receiver, body).unwrap_or_default();
    [body, &mac].concat()
}

/// The group message of this body, signed.
pub fn sign(body: &[u8]) -> Vec<u8> {
    let stored = GROUP.0.encode();
    let (form, _) = stored.split_last_chunk::<CHECKSUM>().expect("a record");
    let key = record::SenderKey::decode(form).expect("a record");
    let key = PrivateKey::from_slice(&key.signing_private).expect("a key");
    [body, key.sign(body, &mut StdRng::seed_from_u64(6)).as_bytes()].concat()
}

fn mac(receiver: &SessionRecord, body: &[u8]) -> Option<[u8; 8]> {
    let stored = receiver.encode();
    let (form, _) = stored.split_last_chunk::<CHECKSUM>()?;
    let session = record::SessionRecord::decode(form).ok()?.current?;
    let blocks = receiver.clone().take_block_changes().into_iter().filter_map(|(_, block)| block);
    let message = signal::SignalMessage::decode(body.get(1..)?).ok()?;
    let ratchet = PublicKey::from_prefixed(&message.ratchet_key?).ok()?;
    let seed = seed(&session, blocks, &ratchet, message.counter?)?;
    let key = |identity: &[u8]| PublicKey::from_slice(identity).ok();
    let (sender, receiver) = (key(&session.remote_identity)?, key(&session.local_identity)?);
    mac_of(&seed, [&sender, &receiver], body)
}

/// The MAC of a body whose keys come from that seed, between sender and receiver.
pub(crate) fn mac_of(seed: &[u8; 32], parties: [&PublicKey; 2], body: &[u8]) -> Option<[u8; 8]> {
    let key: [u8; 32] = derive::<80>(&[0; 32], seed, b"WhisperMessageKeys")[32..64].try_into().ok()?;
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).ok()?;
    for identity in parties {
        mac.update(&identity.to_prefixed());
    }
    mac.update(body);
    mac.finalize().into_bytes()[..8].try_into().ok()
}

/// The seed of a message of that number under that ratchet key.
fn seed(
    session: &record::Session,
    mut blocks: impl Iterator<Item = Zeroizing<Vec<u8>>>,
    ratchet: &PublicKey,
    counter: u32,
) -> Option<[u8; 32]> {
    let known = session.receivers.iter().find(|it| it.ratchet_public[..] == ratchet.as_bytes()[..]);
    let (index, mut key) = match known {
        Some(chain) => (chain.chain.index, chain.chain.key[..].try_into().ok()?),
        None => {
            let ours = PrivateKey::from_slice(&session.sender.as_ref()?.ratchet_private).ok()?;
            let shared = ours.agree(ratchet).ok()?;
            let both =
                derive::<64>(session.root_key[..].try_into().ok()?, shared.as_bytes(), b"WhisperRatchet");
            (0, both[32..].try_into().ok()?)
        }
    };
    if counter < index {
        // One chain has keys in blocks.
        return blocks.find_map(|block| {
            let (form, _) = block.split_last_chunk::<CHECKSUM>()?;
            let block = record::KeyBlock::decode(form).ok()?;
            let (bit, before) = (1 << (counter % 64), block.present & ((1 << (counter % 64)) - 1));
            let seeds =
                Some(block.seeds).filter(|_| block.number == counter / 64 && block.present & bit != 0)?;
            seeds.as_chunks().0.get(before.count_ones() as usize).copied()
        });
    }
    for _ in index..counter.min(index + FARTHEST) {
        key = step(&key, 2);
    }
    Some(step(&key, 1))
}

pub(crate) fn derive<const N: usize>(salt: &[u8; 32], secret: &[u8], info: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    Hkdf::<Sha256>::new(Some(salt), secret).expand(info, &mut out).expect("short");
    out
}

pub(crate) fn step(key: &[u8; 32], byte: u8) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("any length");
    mac.update(&[byte]);
    mac.finalize().into_bytes().into()
}

/// Bytes behind a stored form.
const CHECKSUM: usize = 4;
/// A little more than is accepted.
const FARTHEST: u32 = 2_010;

fn session() -> (SessionRecord, Vec<Vec<u8>>) {
    let rng = &mut StdRng::seed_from_u64(4);
    let [alice, bob] =
        [1, 2].map(|id| LocalIdentity { key: PrivateKey::from_bytes([id; 32]), registration_id: id.into() });
    let signed = PrivateKey::from_bytes([3; 32]);
    let bundle = Bundle {
        registration_id: 2,
        identity: bob.key.public_key(),
        signed_prekey: SignedPrekey::sign(1, &signed, &bob.key, rng),
        one_time_prekey: None,
    };
    let (mut hers, mut his) = (SessionRecord::default(), SessionRecord::default());
    hers.establish(&alice.key, &bundle, &Trust::Any, 0, rng).expect("establishes");
    let sent = [(); 4].map(|()| hers.encrypt(&alice, b"sixteen bytes of", 0, rng).expect("encrypts").bytes);
    let mut bodies = Vec::new();
    for (index, bytes) in sent.into_iter().enumerate() {
        let message = PreKeyMessage::decode(bytes.clone()).expect("a first message");
        if [0, 2].contains(&index) {
            let prekeys = Prekeys { signed: &signed, one_time: None };
            his.decrypt_prekey(&bob.key, prekeys, &message, &Trust::Any).expect("decrypts");
        }
        let envelope = signal::PreKeySignalMessage::decode(&bytes[1..]).expect("protobuf");
        bodies.push(without_mac(&envelope.message.expect("a message")));
    }
    let answer = his.encrypt(&bob, b"answer", 0, rng).expect("encrypts").bytes;
    let answer = SignalMessage::decode(answer).expect("a message");
    hers.decrypt(&answer, &Trust::Any).expect("decrypts");
    for _ in 0..2 {
        bodies.push(without_mac(&hers.encrypt(&alice, b"next", 0, rng).expect("encrypts").bytes));
    }
    (his, bodies)
}

/// First messages to that receiver without their MACs: the first and the third with a one-time prekey, two without, and one
/// of another peer.
pub fn envelopes(identity: &PrivateKey, prekeys: &Receiver, rng: &mut StdRng) -> Vec<Vec<u8>> {
    let mut envelopes = Vec::new();
    for (peer, one_time) in [(31, true), (31, false), (32, true)] {
        let local = LocalIdentity { key: PrivateKey::from_bytes([peer; 32]), registration_id: 31 };
        let bundle = Bundle {
            registration_id: 2,
            identity: identity.public_key(),
            signed_prekey: SignedPrekey::sign(1, &prekeys.signed, identity, rng),
            one_time_prekey: one_time.then(|| (7, prekeys.one_time.public_key())),
        };
        let mut record = SessionRecord::default();
        record.establish(&local.key, &bundle, &Trust::Any, 0, rng).expect("establishes");
        for text in [&b"hello"[..], b"a text of more than one block"] {
            let sent = record.encrypt(&local, text, 0, rng).expect("encrypts").bytes;
            let mut form = signal::PreKeySignalMessage::decode(&sent[1..]).expect("protobuf");
            form.message = form.message.map(|message| without_mac(&message).into());
            envelopes.push([&sent[..1], &form.encode_to_vec()].concat());
        }
    }
    envelopes
}

fn without_mac(message: &[u8]) -> Vec<u8> {
    message[..message.len() - 8].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_here_decrypts() {
        for (index, body) in BODIES.iter().enumerate() {
            let mut record = SESSION.clone();
            let message = SignalMessage::decode(seal(&record, body).into()).expect("a message");
            let decrypted = record.decrypt(&message, &Trust::Any);
            // The first and the third have been decrypted.
            assert_eq!(decrypted.is_ok(), ![0, 2].contains(&index), "{index}");
        }
        let (mut key, mut record) = GROUP.clone();
        let sent = key.encrypt(b"hello", &mut StdRng::seed_from_u64(7)).expect("encrypts");
        let message =
            wa_signal::SenderKeyMessage::decode(sign(&sent[..sent.len() - 64]).into()).expect("a message");
        assert_eq!(record.decrypt(&message).as_deref(), Ok(&b"hello"[..]));
    }
}
