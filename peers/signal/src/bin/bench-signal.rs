//! `bench-signal [--json]`: sessions, signatures, sender keys and records beside wacore-libsignal 0.7.0.

use std::cell::RefCell;

use bytes::Bytes;
use measure::{Prepared, Report, Row, Unit, interleaved, interleaved_prepared};
use peers_signal::pairs::{Ours, TEXT, Theirs};
use peers_signal::reference::{SenderKeys, at_once};
use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_keys::PrivateKey;
use wa_signal::{SenderKey, SenderKeyMessage, SenderKeyRecord, SessionRecord};
use wacore_libsignal::protocol as reference;
use wacore_libsignal::protocol::{KeyPair, SenderKeyName};
use zeroize::Zeroizing;

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let mut peer = Report::new("wacore-libsignal 0.7.0");
    let rows = [
        encrypt_chain,
        decrypt_chain,
        first_message,
        ping_pong,
        skip,
        sign,
        verify,
        sender_key_encrypt,
        sender_key_decrypt,
        record_save,
        record_load,
        set_up,
    ];
    rows.iter().for_each(|row| peer.push(row()));
    let mut ladder = Report::new("x25519-dalek 3.0.0");
    ladder.push(agree());
    let mut curve = Report::new("own X25519 + XEdDSA");
    curve.push(set_up_beside_curve());
    for report in [peer, ladder, curve] {
        report.print(json);
    }
}

fn row(name: &str, (ours, reference): (f64, f64)) -> Row {
    Row::new(name, Unit::Nanoseconds, ours, reference)
}

fn encrypt_chain() -> Row {
    let ([mut ours, _], [mut theirs, _]) = (Ours::pair(), Theirs::pair());
    assert!(!ours.is_unanswered());
    row("encrypt/chain", interleaved(|| last(&ours.encrypt()), || last(&theirs.encrypt())))
}

fn decrypt_chain() -> Row {
    let ([mut alice, mut bob], [mut carol, mut dave]) = (Ours::pair(), Theirs::pair());
    let ours =
        Prepared { make: || alice.encrypt(), work: |message: &mut Bytes| bob.decrypt(message.clone()) };
    let theirs =
        Prepared { make: || carol.encrypt(), work: |message: &mut Bytes| dave.decrypt(message.clone()) };
    row("decrypt/chain", interleaved_prepared(ours, theirs))
}

/// The receiver's part: agreement, one turn of the ratchet, the message.
fn first_message() -> Row {
    let (mut alice, mut bob, mut carol, mut dave) =
        (Ours::new(1), Ours::new(2), Theirs::new(1), Theirs::new(2));
    let (to_bob, to_dave) = (bob.bundle.clone(), Theirs::new(2).bundle);
    let ours = Prepared {
        make: || {
            alice.establish(&to_bob);
            alice.encrypt()
        },
        work: |message: &mut Bytes| bob.decrypt_first(message.clone()),
    };
    let theirs = Prepared {
        make: || {
            carol.establish(&to_dave);
            carol.encrypt()
        },
        work: |message: &mut Bytes| dave.decrypt_first(message.clone()),
    };
    row("first message", interleaved_prepared(ours, theirs))
}

/// A message and its answer: two messages, two turns of the ratchet.
fn ping_pong() -> Row {
    let ([mut alice, mut bob], [mut carol, mut dave]) = (Ours::pair(), Theirs::pair());
    let ours = || {
        let ping = alice.encrypt();
        let read = bob.decrypt(ping);
        let pong = bob.encrypt();
        read + alice.decrypt(pong)
    };
    let theirs = || {
        let ping = carol.encrypt();
        let read = dave.decrypt(ping);
        let pong = dave.encrypt();
        read + carol.decrypt(pong)
    };
    row("ping-pong", interleaved(ours, theirs))
}

/// A message before which two thousand are missing.
fn skip() -> Row {
    let ([mut alice, bob], [mut carol, dave]) = (Ours::pair(), Theirs::pair());
    let (record, their_record) = (bob.record.clone(), dave.record());
    let far = (0..=SKIPPED).map(|_| alice.encrypt()).last().expect("messages");
    let their_far = (0..=SKIPPED).map(|_| carol.encrypt()).last().expect("messages");
    let (bob, dave) = (RefCell::new(bob), RefCell::new(dave));
    let ours = Prepared {
        make: || record.clone(),
        work: |record: &mut SessionRecord| {
            let mut bob = bob.borrow_mut();
            std::mem::swap(&mut bob.record, record);
            bob.decrypt(far.clone())
        },
    };
    let theirs = Prepared {
        make: || Some(their_record.clone()),
        work: |record: &mut Option<reference::SessionRecord>| {
            let mut dave = dave.borrow_mut();
            let fresh = record.take().expect("made for this");
            *record = Some(dave.replace_record(fresh));
            dave.decrypt(their_far.clone())
        },
    };
    row("skip 2000", interleaved_prepared(ours, theirs))
}

const SKIPPED: usize = 2_000;

fn sign() -> Row {
    let (ours, theirs, mut rng, mut their_rng) = keys();
    row(
        "sign",
        interleaved(
            || ours.sign(&SIGNED, &mut rng).as_bytes()[0].into(),
            || theirs.private_key.calculate_signature(&SIGNED, &mut their_rng).expect("signs")[0].into(),
        ),
    )
}

fn verify() -> Row {
    let (ours, theirs, mut rng, mut their_rng) = keys();
    let (public, signature) = (ours.public_key(), ours.sign(&SIGNED, &mut rng));
    let their_signature = theirs.private_key.calculate_signature(&SIGNED, &mut their_rng).expect("signs");
    let times = interleaved(
        || public.verify(&SIGNED, &signature).is_ok().into(),
        || theirs.public_key.verify_signature(&SIGNED, &their_signature).into(),
    );
    row("verify", times)
}

/// As long as a public key with its type.
const SIGNED: [u8; 33] = [5; 33];

fn keys() -> (PrivateKey, KeyPair, StdRng, StdRng) {
    let (mut rng, mut their_rng) = (StdRng::seed_from_u64(3), StdRng::seed_from_u64(3));
    (PrivateKey::generate(&mut rng), KeyPair::generate(&mut their_rng), rng, their_rng)
}

fn sender_key_encrypt() -> Row {
    let (mut ours, _, mut rng) = our_group();
    let mut theirs = TheirGroup::new();
    row(
        "sender-key encrypt",
        interleaved(|| last(&ours.encrypt(&TEXT, &mut rng).expect("encrypts")), || last(&theirs.encrypt())),
    )
}

fn sender_key_decrypt() -> Row {
    let (mut key, mut record, mut rng) = our_group();
    let theirs = RefCell::new(TheirGroup::new());
    let ours = Prepared {
        make: || key.encrypt(&TEXT, &mut rng).expect("encrypts"),
        work: |message: &mut Bytes| {
            let message = SenderKeyMessage::decode(message.clone()).expect("a message");
            record.decrypt(&message).expect("decrypts").len() as u64
        },
    };
    let theirs = Prepared {
        make: || theirs.borrow_mut().encrypt(),
        work: |message: &mut Bytes| theirs.borrow_mut().decrypt(message),
    };
    row("sender-key decrypt", interleaved_prepared(ours, theirs))
}

fn our_group() -> (SenderKey, SenderKeyRecord, StdRng) {
    let mut rng = StdRng::seed_from_u64(5);
    let key = SenderKey::generate(&mut rng);
    let mut record = SenderKeyRecord::default();
    record.process(&key.distribution());
    (key, record, rng)
}

struct TheirGroup {
    name: SenderKeyName,
    sending: SenderKeys,
    receiving: SenderKeys,
    rng: StdRng,
}

impl TheirGroup {
    fn new() -> Self {
        let name = SenderKeyName::from_parts("group", "sender");
        let (mut sending, mut receiving) = (SenderKeys::default(), SenderKeys::default());
        let mut rng = StdRng::seed_from_u64(5);
        let made = reference::create_sender_key_distribution_message(&name, &mut sending, &mut rng);
        let made = at_once(made).expect("distributes");
        let taken = reference::process_sender_key_distribution_message(&name, &made, &mut receiving);
        at_once(taken).expect("takes in");
        Self { name, sending, receiving, rng }
    }

    fn encrypt(&mut self) -> Bytes {
        let sealed = reference::group_encrypt(&mut self.sending, &self.name, &TEXT, &mut self.rng);
        at_once(sealed).expect("encrypts").into_serialized().into_vec().into()
    }

    fn decrypt(&mut self, message: &[u8]) -> u64 {
        let opened = reference::group_decrypt(message, &mut self.receiving, &self.name);
        at_once(opened).expect("decrypts").len() as u64
    }
}

fn record_save() -> Row {
    let (ours, theirs) = used_records();
    let (mut our_buffer, mut buffer) = (Zeroizing::default(), Vec::new());
    let times = interleaved(
        || {
            ours.encode_into(&mut our_buffer);
            last(&our_buffer)
        },
        || {
            buffer.clear();
            theirs.serialize_into(&mut buffer);
            last(&buffer)
        },
    );
    row("record save", times)
}

fn record_load() -> Row {
    let (ours, theirs) = used_records();
    let (ours, theirs) = (ours.encode(), theirs.serialize().expect("serializes"));
    let times = interleaved(
        || SessionRecord::decode(&ours).expect("a record").can_encrypt(0).into(),
        || {
            let record = reference::SessionRecord::deserialize(&theirs).expect("a record");
            u64::from(record.session_state().is_some())
        },
    );
    row("record load", times)
}

/// Records after ten messages each way, of which every other was lost on the way to this end.
fn used_records() -> (SessionRecord, reference::SessionRecord) {
    let ([mut alice, mut bob], [mut carol, mut dave]) = (Ours::pair(), Theirs::pair());
    for _ in 0..10 {
        alice.encrypt();
        let (ping, their_ping) = (alice.encrypt(), {
            carol.encrypt();
            carol.encrypt()
        });
        bob.decrypt(ping);
        dave.decrypt(their_ping);
        let (pong, their_pong) = (bob.encrypt(), dave.encrypt());
        alice.decrypt(pong);
        carol.decrypt(their_pong);
    }
    (bob.record, dave.record())
}

/// One agreement, with another peer each time: half of the keys that a stranger might send have no Edwards form, those of
/// peers all have.
fn agree() -> Row {
    let key = PrivateKey::from_bytes([9; 32]);
    let secret = x25519_dalek::StaticSecret::from([9; 32]);
    let peers: Vec<_> = (0..64u8).map(|n| PrivateKey::from_bytes([n; 32]).public_key()).collect();
    let (mut ours, mut theirs) = (peers.iter().cycle(), peers.iter().cycle());
    let times = interleaved(
        || key.agree(ours.next().expect("peers")).expect("agrees").as_bytes()[0].into(),
        || {
            let theirs = *theirs.next().expect("peers").as_bytes();
            secret.diffie_hellman(&theirs.into()).as_bytes()[0].into()
        },
    );
    row("agree", times)
}

/// The initiator's part, from a fetched bundle to a session.
fn set_up() -> Row {
    let (mut alice, bob) = (Ours::new(1), Ours::new(2).bundle);
    let (mut carol, dave) = (Theirs::new(1), Theirs::new(2).bundle);
    let ours = || {
        alice.establish(&bob);
        1
    };
    let theirs = || {
        carol.establish(&dave);
        1
    };
    row("set-up", interleaved(ours, theirs))
}

/// The same beside what it cannot do without: two key pairs, five agreements, one signature to verify.
fn set_up_beside_curve() -> Row {
    let (mut alice, bob) = (Ours::new(1), Ours::new(2).bundle);
    let key = PrivateKey::from_bytes([9; 32]);
    let signed = &bob.signed_prekey;
    let prefixed = signed.key.to_prefixed();
    let curve = || {
        let verified = u64::from(bob.identity.verify(&prefixed, &signed.signature).is_ok());
        // A new key each time: a key keeps its public half.
        let generated = (0..2u8).map(|n| PrivateKey::from_bytes([n; 32]).public_key().as_bytes()[0]);
        let agreed = (0..5).map(|_| u64::from(key.agree(&signed.key).expect("agrees").as_bytes()[0]));
        verified + generated.map(u64::from).sum::<u64>() + agreed.sum::<u64>()
    };
    let ours = || {
        alice.establish(&bob);
        1
    };
    row("set-up", interleaved(ours, curve)).with_info()
}

fn last(message: &[u8]) -> u64 {
    message.last().copied().unwrap_or_default().into()
}
