//! The ring at times that the tests choose.

use super::*;

const T: u64 = 1_700_000_000;
const HOUR: u64 = 3600;

fn rules() -> KeyRules {
    KeyRules::new(Duration::from_secs(24 * HOUR), Duration::from_secs(HOUR))
}

fn key(number: u32) -> PublicKey {
    PublicKey::new(&format!("n{number}"), "AQAB")
}

/// A ring at its beginning: one Current, two Next.
fn begun() -> Keyring {
    let mut ring = Keyring::new(rules());
    assert_eq!(ring.wanted(), 3);
    for number in 0..3 {
        ring.publish(key(number), T).unwrap();
    }
    assert_eq!(ring.wanted(), 0);
    ring
}

fn states(ring: &Keyring) -> Vec<KeyState> {
    ring.entries().iter().map(|entry| entry.state).collect()
}

#[test]
fn the_first_key_signs_at_once_and_two_more_are_published() {
    use KeyState::{Current, Next};
    let ring = begun();
    assert_eq!(states(&ring), [Current, Next, Next]);
    assert_eq!(ring.signer(T), Ok(&key(0)));
    assert_eq!(ring.published().count(), 3);
}

#[test]
fn a_later_key_waits_for_the_longest_refresh() {
    let mut ring = begun();
    ring.rotate(T).unwrap();
    ring.rotate(T).unwrap();
    assert_eq!(ring.signer(T), Ok(&key(2)));
    ring.publish(key(3), T + 1).unwrap();
    let ripe_at = T + 1 + 24 * HOUR + 600 + 60;
    assert_eq!(ring.rotate(ripe_at - 1), Err(KeyringError::NotRipe { ripe_at: Some(ripe_at) }));
    assert_eq!(ring.rotate(ripe_at), Ok(()));
    assert_eq!(ring.signer(ripe_at), Ok(&key(3)));
}

#[test]
fn a_previous_key_outlives_its_tokens() {
    use KeyState::{Current, Next, Previous, Retired};
    let mut ring = begun();
    ring.rotate(T + 5).unwrap();
    assert_eq!(states(&ring), [Previous, Current, Next]);
    let last = T + 5 + HOUR + 600 + 60;
    assert_eq!(ring.advance(last), Ok(false));
    assert_eq!(ring.advance(last + 1), Ok(true));
    assert_eq!(states(&ring), [Retired, Current, Next]);
    assert!(!ring.published().any(|published| *published == key(0)));
}

#[test]
fn rotation_comes_on_schedule_and_waits_for_a_ripe_key() {
    let mut ring = begun();
    let due = T + 30 * 24 * HOUR;
    assert_eq!(ring.advance(due - 1), Ok(false));
    assert_eq!(ring.advance(due), Ok(true));
    assert_eq!(ring.signer(due), Ok(&key(1)));
    ring.revoke(key(2).kid(), due).unwrap();
    ring.publish(key(3), due + 29 * 24 * HOUR + 23 * HOUR).unwrap();
    assert_eq!(ring.advance(due + 30 * 24 * HOUR), Ok(true), "the previous key is retired");
    assert_eq!(ring.signer(due + 30 * 24 * HOUR), Ok(&key(1)), "and nothing is ripe");
    assert_eq!(ring.advance(due + 31 * 24 * HOUR), Ok(true));
    assert_eq!(ring.signer(due + 31 * 24 * HOUR), Ok(&key(3)));
}

#[test]
fn an_emergency_promotes_at_once_also_right_after_a_rotation() {
    let mut ring = begun();
    ring.rotate(T + 1).unwrap();
    ring.publish(key(3), T + 1).unwrap();
    ring.revoke(key(1).kid(), T + 2).unwrap();
    assert_eq!(ring.signer(T + 2), Ok(&key(2)));
    assert!(!ring.published().any(|published| *published == key(1)));
    ring.revoke(key(2).kid(), T + 3).unwrap();
    let ripe_at = Some(T + 1 + 24 * HOUR + 660);
    assert_eq!(ring.signer(T + 3), Err(KeyringError::NotRipe { ripe_at }), "nobody may know it yet");
    assert_eq!(ring.advance(T + 1 + 24 * HOUR + 660), Ok(true));
    assert_eq!(ring.signer(T + 1 + 24 * HOUR + 660), Ok(&key(3)));
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut ring = begun();
    ring.rotate(T + HOUR).unwrap();
    ring.revoke(key(0).kid(), T + HOUR).unwrap();
    let before = ring.clone();
    assert_eq!(ring.revoke(key(0).kid(), T + HOUR), Err(KeyringError::Ended));
    assert_eq!(ring.revoke("other", T + HOUR), Err(KeyringError::Unknown));
    assert_eq!(ring.publish(key(0), T + HOUR), Err(KeyringError::Known));
    let back = Err(KeyringError::ClockBack { seconds: 61 });
    assert_eq!(ring.rotate(T + HOUR - 61), back);
    assert_eq!(ring.revoke(key(1).kid(), T + HOUR - 61), back);
    assert_eq!(ring.publish(key(9), T + HOUR - 61), back);
    assert_eq!(ring.advance(T + HOUR - 61), Err(KeyringError::ClockBack { seconds: 61 }));
    assert_eq!(ring.signer(T + HOUR - 61).cloned(), Err(KeyringError::ClockBack { seconds: 61 }));
    assert_eq!(ring.signer(T + HOUR - 60), Ok(&key(1)), "clocks differ a little");
    assert_eq!(ring, before);
}

#[test]
fn the_set_is_never_empty_and_never_large() {
    let mut ring = begun();
    for number in 3..16 {
        ring.publish(key(number), T + 1).unwrap();
    }
    assert_eq!(ring.publish(key(16), T + 1), Err(KeyringError::Full));
    for number in 0..100 {
        ring.advance(T + 100 * 24 * HOUR * number).unwrap();
        assert!((1..=PUBLISHED_MAX).contains(&ring.published().count()));
    }
    let ended = ring.entries().iter().filter(|entry| !entry.is_published()).count();
    assert!(ended <= 32);
}

#[test]
fn of_those_that_ended_the_newest_are_kept() {
    let mut ring = begun();
    for number in 3..43 {
        ring.publish(key(number), T).unwrap();
        ring.revoke(key(number).kid(), T).unwrap();
        ring.advance(T).unwrap();
        let ended = ring.entries().iter().filter(|entry| !entry.is_published());
        let ended: Vec<PublicKey> = ended.map(|entry| entry.public_key.clone()).collect();
        let newest: Vec<PublicKey> = (3.max(number.saturating_sub(31))..=number).map(key).collect();
        assert_eq!((ended, ring.published().count()), (newest, 3));
    }
}

#[test]
fn states_are_called_what_the_documents_call_them() {
    let names = KeyState::ALL.map(KeyState::name);
    assert_eq!(names, ["next", "current", "previous", "retired", "revoked"]);
}
