//! The keeper over a store in memory, at times that the tests choose.

use std::sync::Arc;

use super::*;
use crate::keys::KeyState;
use crate::store::MemoryStore;

const T: u64 = 1_700_000_000;
const DAY: u64 = 24 * 3600;

fn rules() -> KeyRules {
    KeyRules::new(Duration::from_secs(DAY), Duration::from_secs(3600))
}

fn keeper(store: &Arc<MemoryStore>) -> KeyKeeper {
    KeyKeeper::new(Arc::<MemoryStore>::clone(store), rules())
}

async fn states(keeper: &KeyKeeper) -> Vec<KeyState> {
    keeper.list().await.unwrap().iter().map(|entry| entry.state).collect()
}

fn signer(keys: &Keys, now: u64) -> String {
    keys.signer(now).unwrap().public_key().kid().to_owned()
}

#[tokio::test]
async fn the_first_keys_are_made_stored_and_read_again() {
    use KeyState::{Current, Next};
    let store = Arc::new(MemoryStore::new());
    let first = keeper(&store);
    assert_eq!(first.keys().signer(T).unwrap_err(), KeyringError::Stale);
    assert_eq!(first.keys().key_set(T), Err(KeyringError::Stale));
    assert_eq!(first.check(T).await.unwrap(), 0, "there are none yet");
    first.refresh(T).await.unwrap();
    assert_eq!(states(&first).await, [Current, Next, Next]);
    assert_eq!(first.check(T).await.unwrap(), 3);
    let second = keeper(&store);
    second.refresh(T + 5).await.unwrap();
    assert_eq!(signer(&second.keys(), T + 5), signer(&first.keys(), T + 5));
    assert_eq!(second.keys().key_set(T + 5), first.keys().key_set(T + 5));
    assert_eq!(store.keys().await.unwrap().generation, 1, "nothing was due");
}

#[tokio::test]
async fn a_rotation_is_seen_by_the_others_and_private_halves_go() {
    let store = Arc::new(MemoryStore::new());
    let (server, command) = (keeper(&store), keeper(&store));
    server.refresh(T).await.unwrap();
    let before = signer(&server.keys(), T);
    command.rotate(T + 1).await.unwrap();
    assert_eq!(signer(&server.keys(), T + 1), before, "not read yet");
    server.refresh(T + 2).await.unwrap();
    assert_ne!(signer(&server.keys(), T + 2), before);
    let table = store.keys().await.unwrap();
    for key in &table.keys {
        assert_eq!(key.private.is_some(), key.entry.signs(), "{:?}", key.entry.state);
    }
    let held = server.read.lock().unwrap();
    assert!(held.contains_key(&signer(&server.keys(), T + 2)));
    assert!(!held.contains_key(&before), "what signs no more leaves the memory, too");
    assert_eq!(table.keys.len(), 4, "a new one was published at once");
    assert!(server.keys().key_set(T + 2).unwrap().body().windows(43).any(|w| w == before.as_bytes()));
}

#[tokio::test]
async fn a_server_that_cannot_read_stops_before_others_know_better() {
    let store = Arc::new(MemoryStore::new());
    let server = keeper(&store);
    server.refresh(T).await.unwrap();
    assert!(server.keys().signer(T + 600).is_ok());
    assert_eq!(server.keys().signer(T + 601).unwrap_err(), KeyringError::Stale);
    // The key set is the last to go (A22).
    assert!(server.keys().key_set(T + DAY).is_ok());
    assert_eq!(server.keys().key_set(T + DAY + 1), Err(KeyringError::Stale));
}

#[tokio::test]
async fn an_emergency_takes_effect_at_once_and_may_silence_the_signer() {
    let store = Arc::new(MemoryStore::new());
    let server = keeper(&store);
    server.refresh(T).await.unwrap();
    for _ in 0..2 {
        let compromised = signer(&server.keys(), T + 1);
        server.revoke(&compromised, T + 1).await.unwrap();
        assert_ne!(signer(&server.keys(), T + 1), compromised);
        let body = server.keys().key_set(T + 1).unwrap().body();
        assert!(!body.windows(43).any(|window| window == compromised.as_bytes()));
    }
    let last = signer(&server.keys(), T + 1);
    server.revoke(&last, T + 1).await.unwrap();
    let ripe_at = Some(T + 1 + DAY + 660);
    assert_eq!(server.keys().signer(T + 1).unwrap_err(), KeyringError::NotRipe { ripe_at });
    assert!(server.keys().key_set(T + 1).is_ok(), "the set is still published");
    server.refresh(T + 1 + DAY + 660).await.unwrap();
    assert!(server.keys().signer(T + 1 + DAY + 660).is_ok());
    let refused = server.revoke("nothing", T + 2 + DAY + 660).await.unwrap_err();
    assert_eq!(refused, KeyringError::Unknown.into());
}

#[tokio::test]
async fn a_clock_that_went_back_signs_nothing() {
    let store = Arc::new(MemoryStore::new());
    keeper(&store).refresh(T).await.unwrap();
    let server = keeper(&store);
    let back = KeyringError::ClockBack { seconds: 100 };
    assert_eq!(server.refresh(T - 100).await.unwrap_err(), back.into());
    assert_eq!(server.keys().signer(T - 100).unwrap_err(), back);
    server.refresh(T).await.unwrap();
    assert!(server.keys().signer(T).is_ok());
}

#[tokio::test]
async fn two_who_begin_at_once_agree() {
    let store = Arc::new(MemoryStore::new());
    let (one, other) = (keeper(&store), keeper(&store));
    let (first, second) = tokio::join!(one.refresh(T), other.refresh(T));
    first.unwrap();
    second.unwrap();
    one.refresh(T).await.unwrap();
    assert_eq!(signer(&one.keys(), T), signer(&other.keys(), T));
    assert_eq!(store.keys().await.unwrap().keys.len(), 3);
}

#[tokio::test]
async fn an_imported_key_is_the_first_or_waits() {
    let store = Arc::new(MemoryStore::new());
    let server = keeper(&store);
    let key = SigningKey::generate().unwrap();
    let (pem, kid) = (key.to_pem(), key.public_key().kid().to_owned());
    server.import(key, T).await.unwrap();
    assert_eq!(signer(&server.keys(), T), kid);
    assert_eq!(states(&server).await.len(), 3);
    let again = SigningKey::from_pem(&pem).unwrap();
    assert_eq!(server.import(again, T).await.unwrap_err(), KeyringError::Known.into());
    let late = SigningKey::generate().unwrap();
    let late_kid = late.public_key().kid().to_owned();
    server.import(late, T + 1).await.unwrap();
    let entry = server.list().await.unwrap().pop().unwrap();
    assert_eq!((entry.public_key.kid(), entry.state), (late_kid.as_str(), KeyState::Next));
    assert_eq!(entry.ripe_at, T + 1 + DAY + 660);
}

#[tokio::test]
async fn the_master_key_seals_what_is_stored() {
    let store = Arc::new(MemoryStore::new());
    let clear = keeper(&store);
    clear.refresh(T).await.unwrap();
    let in_clear = |table: &KeyTable| {
        let private = |key: &StoredKey| key.private.as_ref().is_some_and(|it| it.starts_with(b"-----BEGIN"));
        table.keys.iter().filter(|key| private(key)).count()
    };
    assert_eq!(in_clear(&store.keys().await.unwrap()), 3);
    let sealed = || keeper(&store).with_master_key(MasterKey::new([5; 32]));
    sealed().refresh(T).await.unwrap();
    let table = store.keys().await.unwrap();
    assert_eq!((in_clear(&table), table.generation), (0, 2), "sealed as soon as there is a master key");
    let server = sealed();
    server.refresh(T).await.unwrap();
    assert_eq!(signer(&server.keys(), T), signer(&clear.keys(), T));
    let none = keeper(&store).refresh(T).await.unwrap_err();
    assert_eq!(none, KeyError::MasterKeyMissing.into());
    let other = keeper(&store).with_master_key(MasterKey::new([6; 32]));
    assert_eq!(other.refresh(T).await.unwrap_err(), KeyError::Sealed.into());
}

#[tokio::test]
async fn nothing_private_is_shown() {
    let store = Arc::new(MemoryStore::new());
    let server = keeper(&store).with_master_key(MasterKey::new([5; 32]));
    server.refresh(T).await.unwrap();
    let clear = Arc::new(MemoryStore::new());
    keeper(&clear).refresh(T).await.unwrap();
    let shown = format!("{:?} {:?} {:?}", server, server.keys(), clear.keys().await.unwrap());
    for secret in ["PRIVATE", "BEGIN", "[5, 5", "45, 45, 45"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

/// The master key is exchanged while servers run, one after the other: first all open with both, then all seal with the new
/// one.
#[tokio::test]
async fn the_master_key_is_exchanged_without_an_interruption() {
    let store = Arc::new(MemoryStore::new());
    let (old, new) = (|| MasterKey::new([5; 32]), || MasterKey::new([6; 32]));
    keeper(&store).with_master_key(old()).refresh(T).await.unwrap();
    let prepared = || keeper(&store).with_master_key(old()).with_other_master_key(new());
    let exchanged = || keeper(&store).with_master_key(new()).with_other_master_key(old());
    let before = store.keys().await.unwrap();
    let first = prepared();
    first.refresh(T + 1).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), before, "nothing is sealed anew by whoever only may open it");
    exchanged().refresh(T + 2).await.unwrap();
    let after = store.keys().await.unwrap();
    assert_eq!(after.generation, before.generation + 1, "sealed with the new one, at once");
    exchanged().refresh(T + 3).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), after, "and once");
    for server in [first, prepared()] {
        server.refresh(T + 4).await.unwrap();
        assert!(server.keys().signer(T + 4).is_ok(), "who was only prepared reads it");
    }
    let last = exchanged();
    last.refresh(T + 4).await.unwrap();
    let sealed = store.keys().await.unwrap();
    prepared().refresh(T + 4).await.unwrap();
    last.refresh(T + 4).await.unwrap();
    assert_eq!(
        store.keys().await.unwrap().generation,
        sealed.generation + 1,
        "they do not seal against each other"
    );
    last.refresh(T + 400).await.unwrap();
    let only_new = keeper(&store).with_master_key(new());
    only_new.refresh(T + 401).await.unwrap();
    assert!(only_new.keys().signer(T + 401).is_ok());
    let only_old = keeper(&store).with_master_key(old());
    assert_eq!(only_old.refresh(T + 401).await.unwrap_err(), KeyError::Sealed.into());
}

#[tokio::test]
async fn a_key_that_is_found_at_each_start_is_adopted_once() {
    let store = Arc::new(MemoryStore::new());
    let key = SigningKey::generate().unwrap();
    let (pem, kid) = (key.to_pem(), key.public_key().kid().to_owned());
    let server = keeper(&store);
    server.adopt(key, T).await.unwrap();
    assert_eq!(signer(&server.keys(), T), kid);
    let adopted = store.keys().await.unwrap();
    for _ in 0..2 {
        let again = SigningKey::from_pem(&pem).unwrap();
        keeper(&store).adopt(again, T + 1).await.unwrap();
    }
    assert_eq!(store.keys().await.unwrap(), adopted);
    let back = keeper(&store).adopt(SigningKey::generate().unwrap(), T - 100).await.unwrap_err();
    assert_eq!(back, KeyringError::ClockBack { seconds: 100 }.into(), "any other refusal is one");
}

#[tokio::test(start_paused = true)]
async fn a_running_keeper_sees_what_others_changed_and_stops_for_no_failure() {
    let store = Arc::new(MemoryStore::new());
    let server = keeper(&store);
    server.refresh(T).await.unwrap();
    let before = signer(&server.keys(), T);
    keeper(&store).rotate(T + 1).await.unwrap();
    // The clock is wrong at the first two rounds.
    let round = AtomicU64::new(0);
    let clock = Clock::from_fn(move || match round.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => T - 100,
        _ => T + 2,
    });
    let interval = Duration::from_secs(60);
    let rounds =
        |some| tokio::time::timeout(interval * some + interval / 2, server.run(clock.clone(), interval));
    rounds(2).await.unwrap_err();
    assert_eq!(server.keys().signer(T).unwrap_err(), KeyringError::ClockBack { seconds: 101 });
    rounds(1).await.unwrap_err();
    assert_ne!(signer(&server.keys(), T + 2), before);
}

/// A store in which somebody else is first so many times, and what was offered to it.
struct Contended {
    store: MemoryStore,
    conflicts: usize,
    offered: Mutex<Vec<Vec<String>>>,
}

#[async_trait::async_trait]
impl KeyStore for Contended {
    async fn keys(&self) -> Result<KeyTable, StoreError> {
        self.store.keys().await
    }

    async fn replace_keys(&self, table: KeyTable) -> Result<(), StoreError> {
        let mut kids: Vec<_> = table.keys.iter().map(|key| key.entry.public_key.kid().to_owned()).collect();
        kids.sort();
        let tries = {
            let mut offered = self.offered.lock().unwrap();
            offered.push(kids);
            offered.len()
        };
        match tries > self.conflicts {
            true => self.store.replace_keys(table).await,
            false => Err(StoreError::Conflict),
        }
    }
}

#[tokio::test]
async fn a_key_that_came_too_late_is_offered_again() {
    let contended =
        |conflicts| Arc::new(Contended { store: MemoryStore::new(), conflicts, offered: Mutex::default() });
    let store = contended(2);
    KeyKeeper::new(Arc::<Contended>::clone(&store), rules()).refresh(T).await.unwrap();
    let offered = store.offered.lock().unwrap().clone();
    assert_eq!(offered, vec![offered[0].clone(); 3], "nobody makes keys to throw them away");
    let store = contended(CONFLICTS_MAX);
    let refused = KeyKeeper::new(Arc::<Contended>::clone(&store), rules()).refresh(T).await;
    assert_eq!(refused.unwrap_err(), StoreError::Conflict.into());
    assert_eq!(store.offered.lock().unwrap().len(), CONFLICTS_MAX);
}

#[test]
fn a_refusal_says_when_the_next_key_may_sign() {
    let told = |ripe_at| KeyringError::NotRipe { ripe_at }.to_string();
    assert_eq!(told(None), "no key has been published for long enough to sign");
    assert_eq!(
        told(Some(T)),
        "no key has been published for long enough to sign; the next may from Tue, 14 Nov 2023 22:13:20 GMT on"
    );
}
