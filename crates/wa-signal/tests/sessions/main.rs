//! Sessions between two devices of ours: the rules that recordings cannot show, each with its exact error.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wa_keys::{PrivateKey, PublicKey, ZeroSecret};
use wa_signal::{
    Bundle, Ciphertext, DecryptError, EncryptError, EstablishError, Kind, MAX_FORWARD_JUMP, MAX_RECORD_BYTES,
    MAX_UNACKNOWLEDGED_AGE, PreKeyMessage, RecordError, SessionRecord, SignalMessage, SignedPrekey, Trust,
};

use crate::side::{NOW, Side, acquainted, pair, rng};

mod identities;
mod side;
mod skipped;

#[test]
fn a_bundle_with_a_bad_signature_is_refused_before_anything_happens() {
    let mut rng = rng();
    let (mut alice, bob) = (Side::new(&mut rng), Side::new(&mut rng));
    let mut bundle = bob.bundle(&mut rng);
    bundle.signed_prekey.key = PrivateKey::generate(&mut rng).public_key();
    assert_eq!(alice.establish(&bundle, &mut rng), Err(EstablishError::Signature));
    assert_eq!(alice.record.encode(), SessionRecord::default().encode());
    assert_eq!(alice.record.encrypt(&alice.local, b"", NOW, &mut rng), Err(EncryptError::NoSession));
}

#[test]
fn limits_are_what_is_said_of_them() {
    assert_eq!((MAX_UNACKNOWLEDGED_AGE, MAX_RECORD_BYTES), (2_592_000, 548_224));
    let too_long = vec![0; MAX_RECORD_BYTES + 1];
    assert_eq!(SessionRecord::decode(&too_long).unwrap_err(), RecordError::TooLong(548_225));
    assert_ne!(SessionRecord::decode(&too_long[1..]).unwrap_err(), RecordError::TooLong(548_224));
}

#[test]
fn a_session_knows_which_installation_it_is_with() {
    let mut rng = rng();
    let (mut alice, bob) = (Side::new(&mut rng), Side::new(&mut rng));
    assert_eq!((alice.record.registration_id(), alice.record.identity()), (None, None));
    for number in [0, 1, 7, u32::MAX] {
        let bundle = Bundle { registration_id: number, ..bob.bundle(&mut rng) };
        alice.establish(&bundle, &mut rng).unwrap();
        assert_eq!(alice.record.registration_id(), Some(number));
    }
    alice.record.archive_current();
    assert_eq!((alice.record.registration_id(), alice.record.current_identity()), (None, None));
    assert_eq!(alice.record.identity(), Some(bob.local.key.public_key()), "of the newest that there is");
}

#[test]
fn keys_of_small_order_are_refused_in_every_place() {
    let mut rng = rng();
    let zero = PublicKey::from_bytes([0; 32]);
    let (mut alice, mut bob) = (Side::new(&mut rng), Side::new(&mut rng));
    let good = bob.bundle(&mut rng);
    let signed = SignedPrekey {
        key: zero,
        signature: bob.local.key.sign(&zero.to_prefixed(), &mut rng),
        ..good.signed_prekey.clone()
    };
    for bundle in [
        Bundle { one_time_prekey: Some((9, zero)), ..good.clone() },
        Bundle { signed_prekey: signed, ..good.clone() },
    ] {
        assert_eq!(alice.establish(&bundle, &mut rng), Err(ZeroSecret.into()));
    }
    let identity = Bundle { identity: zero, ..good };
    assert_eq!(alice.establish(&identity, &mut rng), Err(EstablishError::Signature));

    // A first message whose identity is zero, and a message whose ratchet key is.
    let (mut alice, mut other) = pair(&mut rng);
    let first = alice.send(b"");
    let key = alice.local.key.public_key().to_prefixed();
    let bent = replace(&first.bytes, &key, &zero.to_prefixed());
    let bent = Ciphertext { kind: Kind::PreKey, bytes: bent };
    assert_eq!(other.receive(&bent), Err(ZeroSecret.into()));
    (alice, bob) = acquainted(&mut rng);
    let sent = alice.send(b"");
    let mut bytes = sent.bytes.to_vec();
    bytes[4..36].fill(0);
    let bent = Ciphertext { kind: Kind::Signal, bytes: bytes.into() };
    assert_eq!(bob.receive(&bent), Err(ZeroSecret.into()));
}

fn replace(bytes: &Bytes, from: &[u8], to: &[u8]) -> Bytes {
    let position = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..position], to, &bytes[position + from.len()..]].concat().into()
}

#[test]
fn a_one_time_prekey_serves_one_session() {
    let mut rng = rng();
    let (mut alice, mut bob) = pair(&mut rng);
    let bundle = bob.bundle(&mut rng);
    let first = alice.send(b"one");
    let again = alice.send(b"two");
    assert_eq!(bob.receive(&first).unwrap().used_one_time_prekey, Some(9));
    // The same session again needs no prekey.
    assert!(bob.record.knows(&PreKeyMessage::decode(again.bytes.clone()).unwrap()));
    let received = bob.receive(&again).unwrap();
    assert_eq!((received.plaintext.as_slice(), received.used_one_time_prekey), (b"two".as_slice(), None));
    // Another session with the prekey that is gone.
    let mut mallory = Side::new(&mut rng);
    mallory.establish(&bundle, &mut rng).unwrap();
    let sent = mallory.send(b"three");
    assert_eq!(bob.receive(&sent), Err(DecryptError::NoOneTimePrekey(9)));
    // Without one a session begins all the same.
    mallory.establish(&Bundle { one_time_prekey: None, ..bundle }, &mut rng).unwrap();
    let received = bob.receive(&mallory.send(b"four")).unwrap();
    assert_eq!((received.plaintext.as_slice(), received.used_one_time_prekey), (b"four".as_slice(), None));
}

#[test]
fn an_envelope_cannot_name_another_identity() {
    let mut rng = rng();
    let (mut alice, mut bob) = pair(&mut rng);
    bob.receive(&alice.send(b"one")).unwrap();
    let second = alice.send(b"two");
    let (ours, stranger) = (alice.local.key.public_key(), PrivateKey::generate(&mut rng).public_key());
    let bent = replace(&second.bytes, &ours.to_prefixed(), &stranger.to_prefixed());
    let bent = Ciphertext { kind: Kind::PreKey, bytes: bent };
    assert_eq!(bob.receive(&bent), Err(DecryptError::Invalid));
    assert_eq!(bob.receive(&second).unwrap().identity, ours);
}

#[test]
fn a_message_comes_back_to_nobody() {
    let mut rng = rng();
    let (mut alice, mut bob) = acquainted(&mut rng);
    let sent = alice.send(b"mine");
    assert_eq!(alice.receive(&sent), Err(DecryptError::Invalid), "reflected");
    let (_, mut stranger) = acquainted(&mut rng);
    assert_eq!(stranger.receive(&sent), Err(DecryptError::Invalid), "misdelivered");
    assert!(bob.receive(&sent).is_ok());
}

#[test]
fn a_repeated_message_is_a_duplicate_also_in_an_archived_session() {
    let mut rng = rng();
    let (mut alice, mut bob) = acquainted(&mut rng);
    let sent = alice.send(b"once");
    bob.receive(&sent).unwrap();
    assert_eq!(bob.receive(&sent), Err(DecryptError::Duplicate { counter: 0 }));
    let bundle = bob.bundle(&mut rng);
    alice.establish(&bundle, &mut rng).unwrap();
    bob.receive(&alice.send(b"a new session")).unwrap();
    assert_eq!(bob.receive(&sent), Err(DecryptError::Duplicate { counter: 0 }));
}

#[test]
fn messages_far_ahead_are_refused_at_once() {
    let mut rng = rng();
    let (mut alice, mut bob) = acquainted(&mut rng);
    for _ in 0..MAX_FORWARD_JUMP {
        alice.send(b"lost");
    }
    let mut reader = bob.record.clone();
    let last = alice.send(b"just near enough");
    let beyond = alice.send(b"too far");
    let jump = MAX_FORWARD_JUMP + 1;
    assert_eq!(bob.receive(&beyond), Err(DecryptError::TooFarAhead { jump }));
    assert_eq!(bob.receive(&last).unwrap().plaintext, b"just near enough");
    assert!(bob.receive(&beyond).is_ok());

    // The largest counter costs nothing: it is refused before a single step.
    let key = &last.bytes[1..36];
    let counter = [0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x22, 0x10];
    let far = [&[0x33], key, &counter, &[0; 16], &[0; 8]].concat();
    let far = SignalMessage::decode(far.into()).unwrap();
    let refused = reader.decrypt(&far, &Trust::Any);
    assert!(matches!(refused, Err(DecryptError::TooFarAhead { .. })), "{refused:?}");
}

#[test]
fn a_session_remembers_five_ratchet_keys_of_the_peer() {
    let mut rng = rng();
    let (mut alice, mut bob) = acquainted(&mut rng);
    let mut late = Vec::new();
    for _ in 0..6 {
        bob.receive(&alice.send(b"on time")).unwrap();
        late.push(alice.send(b"late"));
        alice.receive(&bob.send(b"turn")).unwrap();
    }
    // Six of the peer's ratchet keys later the first is forgotten, the second is not.
    assert_eq!(bob.receive(&late[0]), Err(DecryptError::Invalid));
    assert_eq!(bob.receive(&late[1]).unwrap().plaintext, b"late");
}

#[test]
fn a_record_keeps_forty_sessions() {
    let mut rng = rng();
    let (mut alice, mut bob) = acquainted(&mut rng);
    let oldest = alice.send(b"from the oldest session");
    let second = {
        let bundle = bob.bundle(&mut rng);
        alice.establish(&bundle, &mut rng).unwrap();
        bob.receive(&alice.send(b"")).unwrap();
        alice.send(b"from the second session")
    };
    for _ in 0..40 {
        let bundle = bob.bundle(&mut rng);
        alice.establish(&bundle, &mut rng).unwrap();
        bob.receive(&alice.send(b"")).unwrap();
    }
    assert_eq!(bob.receive(&oldest), Err(DecryptError::Invalid));
    assert_eq!(bob.receive(&second).unwrap().plaintext, b"from the second session");
}

#[test]
fn an_unanswered_session_grows_stale() {
    let mut rng = rng();
    let (mut alice, mut bob) = pair(&mut rng);
    let late = NOW + MAX_UNACKNOWLEDGED_AGE;
    assert!(alice.record.can_encrypt(late) && !alice.record.can_encrypt(late + 1));
    assert!(alice.record.encrypt(&alice.local, b"", late, &mut rng).is_ok());
    assert_eq!(alice.record.encrypt(&alice.local, b"", late + 1, &mut rng), Err(EncryptError::Stale));
    bob.receive(&alice.send(b"hello")).unwrap();
    alice.receive(&bob.send(b"hello")).unwrap();
    assert!(alice.record.encrypt(&alice.local, b"", late + 1, &mut rng).is_ok(), "answered, so it lasts");
}

#[test]
fn nothing_secret_is_shown() {
    let mut rng = rng();
    let (alice, _) = acquainted(&mut rng);
    let shown = format!("{:?} {:?}", alice.record, alice.local);
    for secret in ["PrivateKey(..)", "RootKey(..)", "ChainKey { index: "] {
        assert!(shown.contains(secret), "{shown}");
    }
    let identity = alice.local.key.as_bytes();
    assert!(!shown.contains(&hex::encode(identity)) && !shown.contains(&format!("{identity:?}")));
}

#[test]
fn stored_records_that_are_not_whole_are_refused() {
    let mut rng = rng();
    let (alice, _) = acquainted(&mut rng);
    let good = alice.record.encode();
    for length in 0..good.len() {
        let cut = SessionRecord::decode(&good[..length]).err();
        assert_eq!(cut, Some(wa_signal::RecordError::Checksum), "cut to {length}");
    }
    for bit in 0..good.len() * 8 {
        let mut bent = good.to_vec();
        bent[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(SessionRecord::decode(&bent).err(), Some(wa_signal::RecordError::Checksum), "bit {bit}");
    }
    let long = vec![0; wa_signal::MAX_RECORD_BYTES + 1];
    let too_long = wa_signal::RecordError::TooLong(long.len());
    assert_eq!(SessionRecord::decode(&long).err(), Some(too_long));
}

/// Any schedule of loss, reordering, duplication, corruption and simultaneous beginnings: what arrives whole is read
/// once, and in the end both sides talk.
#[test]
fn any_schedule_converges() {
    for seed in 0..200 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut sides = [Side::new(&mut rng), Side::new(&mut rng)];
        let mut wire: Vec<(usize, Vec<u8>, Ciphertext)> = Vec::new();
        let mut read = std::collections::HashSet::new();
        let mut keys = std::collections::HashSet::new();
        for step in 0..120u32 {
            let from = rng.random_range(0..2usize);
            if !sides[from].record.can_encrypt(NOW) || rng.random_bool(0.03) {
                let bundle = sides[1 - from].bundle(&mut rng);
                sides[from].establish(&bundle, &mut rng).unwrap();
            }
            let text = step.to_be_bytes().to_vec();
            let sent = sides[from].send(&text);
            assert!(keys.insert(message_key(&sent)), "seed {seed}: a message key was used twice");
            wire.push((1 - from, text, sent));
            while !wire.is_empty() && rng.random_bool(0.5) {
                let (to, text, sent) = wire.swap_remove(rng.random_range(0..wire.len()));
                match rng.random_range(0..10) {
                    0 => continue,
                    1 => wire.push((to, text.clone(), sent.clone())),
                    2 => {
                        let mut bytes = sent.bytes.to_vec();
                        let position = rng.random_range(0..bytes.len());
                        bytes[position] ^= 1 << rng.random_range(0..8);
                        let bent = Ciphertext { kind: sent.kind, bytes: bytes.into() };
                        if let Ok(decrypted) = sides[to].receive(&bent) {
                            // Around the inner message a bit may carry no meaning; the text is whole all the same.
                            assert_eq!(decrypted.plaintext, text, "seed {seed}");
                            read.insert(text);
                            continue;
                        }
                    }
                    _ => {}
                }
                match sides[to].receive(&sent) {
                    Ok(decrypted) => {
                        assert_eq!(decrypted.plaintext, text, "seed {seed}");
                        assert!(read.insert(text), "seed {seed}: read twice");
                    }
                    Err(DecryptError::Duplicate { .. }) => assert!(read.contains(&text), "seed {seed}"),
                    Err(
                        DecryptError::NoOneTimePrekey(_) | DecryptError::Invalid | DecryptError::NoSession,
                    ) => {}
                    Err(error) => panic!("seed {seed}: {error}"),
                }
            }
        }
        assert!(read.len() > 20, "seed {seed}: {}", read.len());
        converge(&mut sides, seed, &mut rng);
    }
}

/// With no more faults, two round trips suffice.
fn converge(sides: &mut [Side; 2], seed: u64, rng: &mut StdRng) {
    for side in 0..2 {
        if sides[side].record.can_encrypt(NOW) {
            continue;
        }
        let bundle = sides[1 - side].bundle(rng);
        sides[side].establish(&bundle, rng).unwrap();
    }
    let mut heard = false;
    for turn in 0..4 {
        let (from, to) = (turn % 2, 1 - turn % 2);
        let sent = sides[from].send(b"at rest");
        heard = sides[to].receive(&sent).is_ok();
        if !heard {
            // A session that the other side cannot read: a new bundle, as after a retry receipt.
            let bundle = sides[to].bundle(rng);
            sides[from].establish(&bundle, rng).unwrap();
            let sent = sides[from].send(b"at rest");
            heard = sides[to].receive(&sent).is_ok();
        }
    }
    assert!(heard, "seed {seed}: no convergence");
}

/// Ratchet key and counter name a message key.
fn message_key(sent: &Ciphertext) -> Vec<u8> {
    let inner = match sent.kind {
        Kind::Signal => sent.bytes.clone(),
        Kind::PreKey => {
            // The inner message begins with its version byte and ratchet key field.
            let start = sent.bytes.windows(4).rposition(|window| window == [0x33, 0x0A, 0x21, 0x05]).unwrap();
            sent.bytes.slice(start..)
        }
    };
    inner[4..42].to_vec()
}
