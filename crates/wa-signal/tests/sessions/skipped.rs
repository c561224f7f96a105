//! Keys of skipped messages: where they are kept, how many, and what becomes of them.

use std::collections::BTreeMap;
use std::convert::Infallible;

use rand::rngs::StdRng;
use rand_core::{TryCryptoRng, TryRng};
use wa_signal::{
    Ciphertext, DecryptError, EncryptError, MAX_TURNS_TRIED, PreKeyMessage, SessionRecord, SignalMessage,
    SkipLimits, Trust,
};

use crate::side::{NOW, Side, acquainted, rng};

/// So many messages that do not arrive, and one that does.
fn lose(alice: &mut Side, bob: &mut Side, lost: usize) -> Vec<Ciphertext> {
    let late = (0..lost).map(|_| alice.send(b"late")).collect();
    bob.receive(&alice.send(b"on time")).unwrap();
    late
}

/// Another session of Alice's, which Bob has heard of.
fn begin_anew(alice: &mut Side, bob: &mut Side, rng: &mut StdRng) {
    let bundle = bob.bundle(rng);
    alice.establish(&bundle, rng).unwrap();
    bob.receive(&alice.send(b"begin")).unwrap();
}

fn message(sent: &Ciphertext) -> SignalMessage {
    SignalMessage::decode(sent.bytes.clone()).unwrap()
}

#[test]
fn late_messages_need_their_block_and_leave_none_behind() {
    let (mut alice, mut bob) = acquainted(&mut rng());
    bob.receive(&alice.send(b"in order")).unwrap();
    assert!(bob.blocks.is_empty());
    let late = lose(&mut alice, &mut bob, 200);
    // Messages 1 to 200 lie in the blocks of 0, 64, 128 and 192.
    assert_eq!(bob.blocks.len(), 4);
    assert_eq!(bob.record.blocks_for(&message(&late[70])).count(), 1);
    assert_eq!(bob.record.blocks_for(&message(&alice.send(b"next"))).count(), 0, "in order: nothing to load");
    let ahead = message(&{
        alice.send(b"lost");
        alice.send(b"ahead")
    });
    assert_eq!(bob.record.blocks_for(&ahead).count(), 1, "the block that the keys are added to");
    for sent in late.iter().rev() {
        assert_eq!(bob.receive(sent).unwrap().plaintext, b"late");
        assert!(matches!(bob.receive(sent), Err(DecryptError::Duplicate { .. })));
    }
    assert!(bob.blocks.is_empty(), "a block goes with its last key");
}

#[test]
fn a_record_is_as_short_with_ten_thousand_keys_as_with_none() {
    let (mut alice, mut bob) = acquainted(&mut rng());
    bob.receive(&alice.send(b"")).unwrap();
    let without = bob.record.encode().len();
    for _ in 0..5 {
        lose(&mut alice, &mut bob, 2_000);
    }
    let keys: usize = bob.blocks.values().map(|block| block.len() / 32).sum();
    assert!(keys >= 10_000, "{keys}");
    let with = bob.record.encode().len();
    assert!(with - without < 200, "{without} {with}");
}

#[test]
fn a_block_that_was_not_loaded_is_asked_for_and_nothing_has_changed() {
    let (mut alice, mut bob) = acquainted(&mut rng());
    let late = lose(&mut alice, &mut bob, 10);
    let (message, before) = (message(&late[3]), bob.record.encode());
    let id = bob.record.blocks_for(&message).next().unwrap();
    let refused = bob.record.decrypt(&message, &Trust::Any);
    assert_eq!(refused, Err(DecryptError::KeysNotLoaded(id)));
    assert_eq!(bob.record.encode(), before);
    assert_eq!(bob.record.take_block_changes(), []);
    // The same for the block that a message further ahead adds to.
    alice.send(b"lost");
    let ahead = SignalMessage::decode(alice.send(b"ahead").bytes).unwrap();
    assert_eq!(bob.record.decrypt(&ahead, &Trust::Any), Err(DecryptError::KeysNotLoaded(id)));
    assert_eq!(bob.record.encode(), before);
    assert_eq!(bob.receive(&late[3]).unwrap().plaintext, b"late");
}

#[test]
fn a_block_that_the_store_lost_loses_its_messages_and_no_others() {
    for bend in [None, Some(20)] {
        let (mut alice, mut bob) = acquainted(&mut rng());
        let late = lose(&mut alice, &mut bob, 100);
        let lost = bob.record.blocks_for(&message(&late[3])).next().unwrap();
        match bend {
            None => drop(bob.blocks.remove(&lost)),
            Some(position) => bob.blocks.get_mut(&lost).unwrap()[position] ^= 1,
        }
        let message = message(&late[3]);
        let loaded = bob.record.load_block(lost, bob.blocks.get(&lost).map(Vec::as_slice));
        assert_eq!(loaded.is_err(), bend.is_some());
        assert_eq!(bob.record.decrypt(&message, &Trust::Any), Err(DecryptError::KeysLost(lost)));
        bob.store();
        // Those of the other block, and what comes next.
        assert_eq!(bob.receive(&late[90]).unwrap().plaintext, b"late");
        assert_eq!(bob.receive(&alice.send(b"next")).unwrap().plaintext, b"next");
    }
}

#[test]
fn keys_after_a_lost_block_are_kept_all_the_same() {
    let (mut alice, mut bob) = acquainted(&mut rng());
    lose(&mut alice, &mut bob, 10);
    bob.blocks.clear();
    // The block of 0 to 63 is gone; more of its messages are skipped.
    let late = lose(&mut alice, &mut bob, 10);
    assert_eq!(bob.receive(&late[0]).unwrap().plaintext, b"late");
}

#[test]
fn a_chain_keeps_the_newest_blocks() {
    let (mut alice, mut bob) = acquainted(&mut rng());
    (bob.limits.forward_jump, bob.limits.keys_in_record) = (1_500, 60 * 64);
    bob.store();
    let late = [lose(&mut alice, &mut bob, 1_500), lose(&mut alice, &mut bob, 1_500)];
    assert_eq!(bob.blocks.len(), 30);
    let oldest = bob.receive(&late[0][0]);
    assert_eq!(oldest, Err(DecryptError::Duplicate { counter: 0 }), "dropped as oldest");
    // 47 blocks were made, of which the last 30 are left: messages from 17 × 64 on.
    assert!(bob.receive(&late[0][17 * 64 - 1]).is_err());
    assert_eq!(bob.receive(&late[0][17 * 64]).unwrap().plaintext, b"late");
    assert_eq!(bob.receive(&late[1][0]).unwrap().plaintext, b"late");
}

#[test]
fn a_record_keeps_the_newest_sessions_blocks() {
    let mut rng = rng();
    let (mut alice, mut bob) = acquainted(&mut rng);
    bob.limits.keys_in_record = 10_000;
    bob.store();
    let mut late = Vec::new();
    for _ in 0..6 {
        begin_anew(&mut alice, &mut bob, &mut rng);
        late.push(lose(&mut alice, &mut bob, 1_998));
    }
    // Six times 32 blocks, of which 156 are kept: of the oldest session none, of the next some.
    assert_eq!(bob.blocks.len(), 156);
    for (session, number, is_kept) in
        [(0, 0, false), (0, 1_997, false), (1, 0, false), (1, 1_997, true), (2, 0, true), (5, 0, true)]
    {
        let received = bob.receive(&late[session][number]);
        assert_eq!(received.is_ok(), is_kept, "session {session}, message {number}: {received:?}");
    }
}

#[test]
fn blocks_go_with_their_chain_and_their_session() {
    let mut rng = rng();
    let (mut alice, mut bob) = acquainted(&mut rng);
    lose(&mut alice, &mut bob, 100);
    assert_eq!(bob.blocks.len(), 2);
    for _ in 0..5 {
        alice.receive(&bob.send(b"turn")).unwrap();
        bob.receive(&alice.send(b"turn")).unwrap();
    }
    assert!(bob.blocks.is_empty(), "five ratchet keys later the first is forgotten");
    lose(&mut alice, &mut bob, 100);
    for _ in 0..41 {
        assert_eq!(bob.blocks.len(), 2);
        begin_anew(&mut alice, &mut bob, &mut rng);
    }
    assert!(bob.blocks.is_empty(), "forty-one sessions later this one is");
}

/// Gives keys that were chosen.
struct Chosen(Vec<[u8; 32]>);

impl TryRng for Chosen {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("keys are filled")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("keys are filled")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.copy_from_slice(&self.0.remove(0));
        Ok(())
    }
}

impl TryCryptoRng for Chosen {}

#[test]
fn a_peer_may_use_a_ratchet_key_in_two_sessions() {
    let mut rng = rng();
    let (mut alice, mut bob) = (Side::new(&mut rng), Side::new(&mut rng));
    bob.one_time = None;
    let bundle = bob.bundle(&mut rng);
    let mut late = Vec::new();
    for base in [1, 2] {
        let mut chosen = Chosen(vec![[base; 32], [9; 32]]);
        alice.record.establish(&alice.local.key, &bundle, &Trust::Any, NOW, &mut chosen).unwrap();
        late.extend(lose(&mut alice, &mut bob, 70));
    }
    assert_eq!(bob.blocks.len(), 4);
    // One that comes again is a duplicate, whatever the newer session makes of it, which knows the key as well.
    let (once, newer) = (late.remove(0), late.remove(70));
    for sent in [&once, &newer] {
        assert_eq!(bob.receive(sent).unwrap().plaintext, b"late");
    }
    let again = PreKeyMessage::decode(once.bytes).unwrap();
    bob.load(again.message());
    assert_eq!(bob.record.decrypt(again.message(), &Trust::Any), Err(DecryptError::Duplicate { counter: 0 }));
    for sent in &late {
        assert_eq!(bob.receive(sent).unwrap().plaintext, b"late");
    }
    assert!(bob.blocks.is_empty());
}

/// Bob's sessions with Alice, one after the other; of each, a message in which Alice has turned and many are missing.
fn ahead_in_each(sessions: usize, jump: usize) -> (Side, Vec<Ciphertext>) {
    let mut rng = rng();
    let (mut alice, mut bob) = acquainted(&mut rng);
    let mut ahead = Vec::new();
    for _ in 0..sessions {
        begin_anew(&mut alice, &mut bob, &mut rng);
        alice.receive(&bob.send(b"turn")).unwrap();
        (0..jump).for_each(|_| drop(alice.send(b"lost")));
        ahead.push(alice.send(b"ahead"));
    }
    (bob, ahead)
}

#[test]
fn all_sessions_together_have_one_budget_of_steps() {
    let (bob, ahead) = ahead_in_each(4, 99);
    for (session, attempts) in [(3, 1), (2, 2), (0, 4)] {
        for (steps, is_enough) in [(attempts * 100, true), (attempts * 100 - 1, false)] {
            let mut limits = SkipLimits::default();
            limits.steps = steps;
            let mut record = bob.record.clone().with_limits(limits);
            let received = record.decrypt(&message(&ahead[session]), &Trust::Any);
            assert_eq!(received.is_ok(), is_enough, "session {session}, {steps} steps: {received:?}");
            let first = if attempts == 1 { DecryptError::TooManySteps } else { DecryptError::Invalid };
            assert!(is_enough || received == Err(first));
        }
    }
}

#[test]
fn a_ratchet_key_that_nobody_knows_is_tried_in_the_newest_sessions() {
    let (bob, ahead) = ahead_in_each(MAX_TURNS_TRIED + 1, 0);
    for (session, is_tried) in [(MAX_TURNS_TRIED, true), (1, true), (0, false)] {
        let mut record = bob.record.clone();
        let received = record.decrypt(&message(&ahead[session]), &Trust::Any);
        assert_eq!(received.is_ok(), is_tried, "{session}: {received:?}");
    }
}

#[test]
fn a_known_ratchet_key_is_found_however_old_its_session_is() {
    let mut rng = rng();
    let (mut alice, mut bob) = acquainted(&mut rng);
    let late = alice.send(b"late");
    bob.receive(&alice.send(b"on time")).unwrap();
    for _ in 0..39 {
        begin_anew(&mut alice, &mut bob, &mut rng);
    }
    assert_eq!(bob.receive(&late).unwrap().plaintext, b"late");
}

/// A record of the version before blocks, as that version wrote it (recorded from commit 7c586d0).
#[test]
fn a_record_with_keys_inside_is_read_and_gives_its_blocks() {
    let recorded = include_str!("../vectors/record_v1.json");
    let recorded: BTreeMap<String, Vec<String>> = serde_json::from_str(recorded).unwrap();
    let bytes = |name: &str| recorded[name].iter().map(|text| hex::decode(text).unwrap()).collect::<Vec<_>>();
    let [old] = &bytes("record")[..] else { panic!("one record") };
    let mut record = SessionRecord::decode(old).unwrap();
    let mut blocks: BTreeMap<_, _> = record.clone().take_block_changes().into_iter().collect();
    assert!(blocks.len() > 5 && record.encode().len() * 5 < old.len(), "{} {}", blocks.len(), old.len());
    // Read again before anything is written: the same.
    let again: BTreeMap<_, _> =
        SessionRecord::decode(old).unwrap().take_block_changes().into_iter().collect();
    assert_eq!(again, blocks);
    // With its blocks at hand at once, and from a store afterwards.
    let (first, rest) =
        bytes("late").split_first().map(|(first, rest)| (first.clone(), rest.to_vec())).unwrap();
    let first = SignalMessage::decode(first.into()).unwrap();
    assert_eq!(record.blocks_for(&first).count(), 0);
    assert_eq!(record.decrypt(&first, &Trust::Any).unwrap().plaintext, b"late");
    blocks.extend(record.take_block_changes());
    record = SessionRecord::decode(&record.encode()).unwrap();
    for late in rest {
        let late = SignalMessage::decode(late.into()).unwrap();
        for id in record.blocks_for(&late).collect::<Vec<_>>() {
            record.load_block(id, blocks[&id].as_ref().map(|block| block.as_slice())).unwrap();
        }
        assert_eq!(record.decrypt(&late, &Trust::Any).unwrap().plaintext, b"late");
        blocks.extend(record.take_block_changes());
    }
    assert!(blocks.values().all(Option::is_none), "every key was used");
}

#[test]
fn a_record_out_of_a_backup_sends_nothing_before_the_next_turn() {
    let mut rng = rng();
    let (mut alice, mut bob) = acquainted(&mut rng);
    bob.receive(&alice.send(b"hello")).unwrap();
    bob.send(b"before the backup");
    begin_anew(&mut alice, &mut bob, &mut rng);
    bob.send(b"before the backup");
    bob.record.receive_only();
    bob.store();
    assert!(!bob.record.can_encrypt(NOW));
    // What comes in the old chain is read, and does not let the session send.
    bob.receive(&alice.send(b"unaware")).unwrap();
    assert!(!bob.record.can_encrypt(NOW));
    let refused = bob.record.encrypt(&bob.local, b"", NOW, &mut rng);
    assert_eq!(refused, Err(EncryptError::NoSession));
    // A new session is begun from a bundle, and works at once.
    let bundle = alice.bundle(&mut rng);
    bob.establish(&bundle, &mut rng).unwrap();
    alice.receive(&bob.send(b"anew")).unwrap();
    // So does an old one in which the peer turns.
    bob.receive(&alice.send(b"turn")).unwrap();
    assert!(bob.record.can_encrypt(NOW));
}
