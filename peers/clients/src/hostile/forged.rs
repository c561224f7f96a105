//! What one forged message costs, in the time of steps of a chain.

use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_keys::PrivateKey;
use wa_signal::{
    Bundle, LocalIdentity, PreKeyMessage, Prekeys, SessionRecord, SignalMessage, SignedPrekey, Trust,
};

const NOW: u64 = 1_800_000_000;

/// Sessions of a record at most.
const SESSIONS: usize = 41;

/// Messages that are skipped to measure a step.
const SKIPPED: u32 = 19_000;

/// The cost of one forged message by its kind.
pub fn steps() -> Vec<(&'static str, f64)> {
    let mut rng = StdRng::seed_from_u64(5);
    let (record, ratchets) = record_of_many(&mut rng);
    let step = step(&mut rng);
    let fresh = PrivateKey::generate(&mut rng).public_key().to_prefixed();
    let mut costs = Vec::new();
    for (name, ratchet, counter) in [
        ("forged, an unknown ratchet key, far ahead", fresh, 20_000),
        ("forged, an unknown ratchet key, near", fresh, 500),
        ("forged, the current ratchet key, far ahead", ratchets[SESSIONS - 1], 20_000),
        ("forged, an archived ratchet key, far ahead", ratchets[0], 20_000),
    ] {
        let forged = forged(&ratchet, counter);
        let times = (0..9).map(|_| {
            let mut record = record.clone();
            timed(|| assert!(record.decrypt(&forged, &Trust::Any).is_err()))
        });
        costs.push((name, least(times).as_secs_f64() / step));
    }
    costs
}

/// A record with as many sessions as it keeps, and the peer's ratchet keys in them, oldest first.
fn record_of_many(rng: &mut StdRng) -> (SessionRecord, Vec<[u8; 33]>) {
    let (alice, bob) = (identity(1, rng), identity(2, rng));
    let prekey = PrivateKey::generate(rng);
    let signed = SignedPrekey::sign(1, &prekey, &bob.key, rng);
    let (registration_id, identity) = (2, bob.key.public_key());
    let bundle = Bundle { registration_id, identity, signed_prekey: signed, one_time_prekey: None };
    let (mut record, mut ratchets) = (SessionRecord::default(), Vec::new());
    for _ in 0..SESSIONS {
        let mut peer = SessionRecord::default();
        peer.establish(&alice.key, &bundle, &Trust::Any, NOW, rng).expect("begins");
        let first = peer.encrypt(&alice, b"hi", NOW, rng).expect("encrypts");
        // The message inside begins with its version, and the ratchet key as field 1 of 33 bytes.
        let inside = first.bytes.windows(3).position(|it| it == [0x33, 0x0A, 33]).expect("a message inside");
        ratchets.push(*first.bytes[inside + 3..].first_chunk().expect("a key"));
        let first = PreKeyMessage::decode(first.bytes).expect("a message");
        let prekeys = Prekeys { signed: &prekey, one_time: None };
        record.decrypt_prekey(&bob.key, prekeys, &first, &Trust::Any).expect("decrypts");
        // Once answered, a session may meet a ratchet key that it does not know.
        record.encrypt(&bob, b"hi", NOW, rng).expect("encrypts");
    }
    (record, ratchets)
}

/// Seconds that one step takes, in a message that is far ahead and good.
fn step(rng: &mut StdRng) -> f64 {
    let (alice, bob) = (identity(1, rng), identity(2, rng));
    let prekey = PrivateKey::generate(rng);
    let signed = SignedPrekey::sign(1, &prekey, &bob.key, rng);
    let (registration_id, identity) = (2, bob.key.public_key());
    let bundle = Bundle { registration_id, identity, signed_prekey: signed, one_time_prekey: None };
    let (mut peer, mut record) = (SessionRecord::default(), SessionRecord::default());
    peer.establish(&alice.key, &bundle, &Trust::Any, NOW, rng).expect("begins");
    let mut next = |rng: &mut StdRng| {
        let message = peer.encrypt(&alice, b"hi", NOW, rng).expect("encrypts");
        PreKeyMessage::decode(message.bytes).expect("a message")
    };
    let prekeys = Prekeys { signed: &prekey, one_time: None };
    record.decrypt_prekey(&bob.key, prekeys, &next(rng), &Trust::Any).expect("decrypts");
    let ahead = (0..=SKIPPED).map(|_| next(rng)).last().expect("one");
    let times = (0..9).map(|_| {
        let mut record = record.clone();
        timed(|| {
            record.decrypt(ahead.message(), &Trust::Any).expect("decrypts");
        })
    });
    least(times).as_secs_f64() / f64::from(SKIPPED)
}

fn identity(registration_id: u32, rng: &mut StdRng) -> LocalIdentity {
    LocalIdentity { key: PrivateKey::generate(rng), registration_id }
}

/// A message of version 3 with this ratchet key and counter, whose MAC is wrong.
fn forged(ratchet: &[u8; 33], counter: u16) -> SignalMessage {
    let [low, high] = [(counter & 0x7f) as u8 | 0x80, (counter >> 7 & 0x7f) as u8 | 0x80];
    let mut body = vec![0x33, 0x0A, 33];
    body.extend_from_slice(ratchet);
    body.extend_from_slice(&[0x10, low, high, (counter >> 14) as u8, 0x18, 0, 0x22, 16]);
    body.extend_from_slice(&[0; 24]);
    SignalMessage::decode(body.into()).expect("a message")
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// What it takes when nothing else is in the way.
fn least(times: impl Iterator<Item = Duration>) -> Duration {
    times.min().unwrap_or_default()
}
