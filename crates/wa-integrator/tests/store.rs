//! One suite for every store: what the contract says, asked of each of them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's helpers fail the test")]

#[cfg(all(unix, feature = "postgres"))]
mod fixture {
    pub(crate) mod postgres;
}

use std::sync::Arc;

use wa_integrator::{
    Counts, KeyEntry, KeyState, KeyStore as _, KeyTable, MemoryStore, NewWakeUp, OutboxStore as _, Outcome,
    Put, Selection, SigningKey, SqliteStore, Store, StoreError, StoredKey, UserIdentifier, UserStore as _,
    WakeUp,
};
use zeroize::Zeroizing;

const T: u64 = 1_700_000_000;

/// The suite over a store that is made empty for each test, and what keeps it alive.
macro_rules! suite {
    ($($test:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&super::MemoryStore::new()).await;
            })*
        }
        #[cfg(all(unix, feature = "postgres"))]
        mod postgres {
            /// One server for all of them, and a database for each.
            #[tokio::test]
            async fn what_the_contract_says() {
                let server = super::fixture::postgres::Postgres::start();
                $(
                    eprintln!(stringify!($test));
                    super::$test(&server.store().await).await;
                )*
            }
        }
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                let directory = tempfile::tempdir().unwrap();
                let store = super::SqliteStore::open(&directory.path().join("store")).unwrap();
                super::$test(&store).await;
            })*
        }
    };
}

suite!(
    keys_are_replaced_whole_and_in_order,
    of_two_who_replace_the_keys_one_is_told,
    a_wake_up_waits_until_it_is_settled,
    a_second_push_is_folded_into_the_first,
    a_push_during_a_delivery_stays_due,
    a_late_settling_takes_nothing_away,
    a_push_pulls_a_waiting_wake_up_forward,
    dead_letters_are_shown_tried_again_and_dropped,
    due_is_a_matter_of_time_and_sink,
    users_are_remembered_and_forgotten,
    strangers_are_told_apart,
    what_is_over_is_swept,
    many_at_once_are_all_there,
    a_shared_store_is_a_store,
);

async fn keys_are_replaced_whole_and_in_order(store: &dyn Store) {
    assert_eq!(store.keys().await, Ok(KeyTable::default()));
    let key = SigningKey::generate().unwrap();
    let entry = |state, since| KeyEntry {
        public_key: key.public_key().clone(),
        state,
        published_at: T,
        ripe_at: u64::MAX >> 1,
        since,
    };
    let mut keys: Vec<StoredKey> = Vec::new();
    for (number, state) in KeyState::ALL.into_iter().enumerate() {
        let private = (number % 2 == 0).then(|| Zeroizing::new(vec![0, 255, u8::try_from(number).unwrap()]));
        keys.push(StoredKey { entry: entry(state, T + u64::try_from(number).unwrap()), private });
    }
    let table = KeyTable { generation: 1, seen_at: T, keys };
    assert_eq!(store.replace_keys(table.clone()).await, Ok(()));
    assert_eq!(store.keys().await, Ok(table.clone()));
    let fewer = KeyTable { generation: 2, seen_at: T + 1, keys: table.keys[3..].to_vec() };
    assert_eq!(store.replace_keys(fewer.clone()).await, Ok(()));
    assert_eq!(store.keys().await, Ok(fewer));
}

async fn of_two_who_replace_the_keys_one_is_told(store: &dyn Store) {
    let table = |generation, seen_at| KeyTable { generation, seen_at, keys: Vec::new() };
    assert_eq!(store.replace_keys(table(1, T)).await, Ok(()));
    for generation in [0, 1, 3, u64::MAX] {
        assert_eq!(store.replace_keys(table(generation, T + 1)).await, Err(StoreError::Conflict));
    }
    assert_eq!(store.keys().await.unwrap().seen_at, T);
    assert_eq!(store.replace_keys(table(2, T + 2)).await, Ok(()));
}

async fn a_wake_up_waits_until_it_is_settled(store: &dyn Store) {
    store.put_wake_up(push("alice", &["one", "other"], T)).await.unwrap();
    let waiting = due(store, "one", T).await;
    let expected = WakeUp {
        sink: "one".to_owned(),
        user: user("alice"),
        count: 1,
        received_at: T,
        attempts: 0,
        expires_at: T + 1000,
        id: waiting[0].id,
    };
    assert_eq!(waiting, std::slice::from_ref(&expected));
    assert_eq!(due(store, "one", T).await, std::slice::from_ref(&expected), "asking changes nothing");
    store.settle(expected.clone(), Outcome::Retry { at: T + 10 }).await.unwrap();
    assert_eq!(due(store, "one", T + 9).await, []);
    let again = due(store, "one", T + 10).await;
    assert_eq!((again.len(), again[0].attempts), (1, 1));
    store.settle(again[0].clone(), Outcome::Delivered).await.unwrap();
    assert_eq!(due(store, "one", u64::MAX >> 1).await, []);
    assert_eq!(due(store, "other", T).await.len(), 1, "each sink has its own");
    store.settle(again[0].clone(), Outcome::Delivered).await.unwrap();
    let other = due(store, "other", T).await.remove(0);
    store.settle(other, Outcome::Dead { at: T }).await.unwrap();
    let counts = store.counts().await.unwrap();
    assert_eq!(counts, Counts { waiting: 0, next_due: None, dead: 1, users: 0 });
}

async fn a_second_push_is_folded_into_the_first(store: &dyn Store) {
    for second in 0..3 {
        store.put_wake_up(push("alice", &["one"], T + second)).await.unwrap();
    }
    store.put_wake_up(push("bob", &["one"], T)).await.unwrap();
    let waiting = due(store, "one", T + 9).await;
    let alice = waiting.iter().find(|it| it.user == user("alice")).unwrap();
    assert_eq!((waiting.len(), alice.count, alice.received_at, alice.expires_at), (2, 3, T + 2, T + 1002));
}

async fn a_push_during_a_delivery_stays_due(store: &dyn Store) {
    let outcomes = [Outcome::Delivered, Outcome::Retry { at: T + 500 }, Outcome::Dead { at: T }];
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let name = format!("user {number}");
        store.put_wake_up(push(&name, &["one"], T)).await.unwrap();
        let delivering = due(store, "one", T).await.remove(0);
        store.put_wake_up(push(&name, &["one"], T + 1)).await.unwrap();
        store.settle(delivering, outcome).await.unwrap();
        let waiting = due(store, "one", T + 1).await;
        let attempts = u32::from(outcome != Outcome::Delivered);
        assert_eq!((waiting.len(), waiting[0].count, waiting[0].attempts), (1, 2, attempts), "{outcome:?}");
        store.settle(waiting[0].clone(), Outcome::Delivered).await.unwrap();
    }
    assert_eq!(store.counts().await.unwrap().dead, 0);
}

/// Somebody settles what was settled, and put again, since they took it (A10).
async fn a_late_settling_takes_nothing_away(store: &dyn Store) {
    for outcome in [Outcome::Delivered, Outcome::Retry { at: T + 500 }, Outcome::Dead { at: T }] {
        store.put_wake_up(push("alice", &["one"], T)).await.unwrap();
        let taken = due(store, "one", T).await.remove(0);
        store.settle(taken.clone(), Outcome::Delivered).await.unwrap();
        store.put_wake_up(push("alice", &["one"], T)).await.unwrap();
        store.settle(taken.clone(), outcome).await.unwrap();
        let waiting = due(store, "one", T).await;
        assert_eq!((waiting.len(), waiting[0].count, waiting[0].attempts), (1, 1, 0), "{outcome:?}");
        assert_ne!(waiting[0].id, taken.id);
        store.settle(waiting[0].clone(), Outcome::Delivered).await.unwrap();
    }
    assert_eq!(store.counts().await.unwrap().dead, 0);
}

/// What failed waits for long; a new push does not wait with it (A12).
async fn a_push_pulls_a_waiting_wake_up_forward(store: &dyn Store) {
    store.put_wake_up(push("alice", &["one"], T)).await.unwrap();
    let taken = due(store, "one", T).await.remove(0);
    store.settle(taken, Outcome::Retry { at: T + 900 }).await.unwrap();
    assert_eq!(due(store, "one", T + 5).await, []);
    store.put_wake_up(push("alice", &["one"], T + 5)).await.unwrap();
    let waiting = due(store, "one", T + 5).await;
    assert_eq!((waiting.len(), waiting[0].count), (1, 2));
    // One that is due already does not wait for a later one.
    let later = NewWakeUp { due_at: T + 60, ..push("alice", &["one"], T + 6) };
    store.put_wake_up(later).await.unwrap();
    assert_eq!(due(store, "one", T + 6).await.len(), 1);
}

async fn dead_letters_are_shown_tried_again_and_dropped(store: &dyn Store) {
    for (number, name) in ["alice", "bob", "carol"].into_iter().enumerate() {
        let number = u64::try_from(number).unwrap();
        for sink in ["one", "other"] {
            store.put_wake_up(push(name, &[sink], T)).await.unwrap();
            let taken = due(store, sink, T).await.remove(0);
            store.settle(taken, Outcome::Dead { at: T + number }).await.unwrap();
        }
    }
    let all = Selection::default();
    let letters = store.dead_letters(all.clone(), 9).await.unwrap();
    assert_eq!(letters.len(), 6);
    assert_eq!((letters[0].user.as_str(), letters[0].died_at, letters[0].attempts), ("carol", T + 2, 1));
    assert_eq!(store.dead_letters(all.clone(), 2).await.unwrap().len(), 2);
    let alices = Selection { user: Some(user("alice")), sink: None };
    assert_eq!(store.dead_letters(alices.clone(), 9).await.unwrap().len(), 2);
    assert_eq!(store.revive(alices.clone(), T + 50, T + 500).await, Ok(2));
    for sink in ["one", "other"] {
        let waiting = due(store, sink, T + 50).await;
        assert_eq!((waiting.len(), waiting[0].user.as_str(), waiting[0].attempts), (1, "alice", 0));
        assert_eq!(waiting[0].expires_at, T + 500);
    }
    let one = Selection { user: None, sink: Some("one".to_owned()) };
    assert_eq!(store.drop_wake_ups(one.clone(), false).await, Ok(2));
    assert_eq!(store.drop_wake_ups(one, true).await, Ok(1));
    assert_eq!(store.drop_wake_ups(all.clone(), false).await, Ok(2));
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.waiting, counts.dead), (1, 0));
    // Forgetting somebody takes their dead letters too (A17).
    let taken = due(store, "other", T + 50).await.remove(0);
    store.settle(taken, Outcome::Dead { at: T }).await.unwrap();
    assert_eq!(store.forget_user(user("alice")).await, Ok(true));
    assert_eq!(store.counts().await.unwrap().dead, 0);
}

async fn due_is_a_matter_of_time_and_sink(store: &dyn Store) {
    for (name, at) in [("late", T + 30), ("first", T + 10), ("second", T + 20)] {
        store.put_wake_up(push(name, &["one"], at)).await.unwrap();
    }
    let names = |due: Vec<WakeUp>| due.iter().map(|it| it.user.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(due(store, "one", T + 9).await), [""; 0]);
    assert_eq!(names(due(store, "one", T + 20).await), ["first", "second"]);
    assert_eq!(names(store.due_wake_ups("one", T + 99, 2).await.unwrap()), ["first", "second"]);
    assert_eq!(names(due(store, "other", T + 99).await), [""; 0]);
    assert_eq!(store.counts().await.unwrap().next_due, Some(T + 10));
}

async fn users_are_remembered_and_forgotten(store: &dyn Store) {
    for _ in 0..2 {
        store.remember_user(user("zoë 🦊"), T).await.unwrap();
    }
    assert_eq!(store.counts().await.unwrap().users, 1);
    store.put_wake_up(push("zoë 🦊", &["one", "other"], T)).await.unwrap();
    store.put_wake_up(push("alice", &["one"], T)).await.unwrap();
    assert_eq!(store.forget_user(user("zoë 🦊")).await, Ok(true));
    assert_eq!(store.forget_user(user("zoë 🦊")).await, Ok(false));
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.users, counts.waiting), (0, 1), "what waited for them is gone too");
}

async fn strangers_are_told_apart(store: &dyn Store) {
    store.remember_user(user("alice"), T).await.unwrap();
    let ours_only = |name| NewWakeUp { for_strangers: false, ..push(name, &["one"], T) };
    assert_eq!(store.put_wake_up(ours_only("alice")).await, Ok(Put { known: true }));
    assert_eq!(store.put_wake_up(ours_only("mallory")).await, Ok(Put { known: false }));
    assert_eq!(store.counts().await.unwrap().waiting, 1);
    assert_eq!(store.put_wake_up(push("mallory", &["one"], T)).await, Ok(Put { known: false }));
    assert_eq!(store.counts().await.unwrap().waiting, 2);
}

async fn what_is_over_is_swept(store: &dyn Store) {
    store.put_wake_up(push("alice", &["one"], T)).await.unwrap();
    store.put_wake_up(push("bob", &["one"], T + 1)).await.unwrap();
    store.put_wake_up(push("dead", &["other"], T)).await.unwrap();
    let dead = due(store, "other", T).await.remove(0);
    store.settle(dead, Outcome::Dead { at: T }).await.unwrap();
    assert_eq!(store.sweep(T + 999, T).await, Ok(0));
    assert_eq!(store.sweep(T + 1000, T + 1).await, Ok(2));
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.waiting, counts.dead), (1, 0));
}

async fn many_at_once_are_all_there(store: &dyn Store) {
    let puts = (0..500).map(|number| {
        let wake_up = push(&format!("user {number}"), &["one"], T);
        async { store.put_wake_up(wake_up).await }
    });
    for put in join_all(puts).await {
        assert_eq!(put, Ok(Put { known: false }));
    }
    assert_eq!(store.due_wake_ups("one", T, 1000).await.unwrap().len(), 500);
}

async fn a_shared_store_is_a_store(store: &dyn Store) {
    async fn counts(store: &dyn Store) -> Counts {
        store.counts().await.unwrap()
    }
    let shared: Arc<dyn Store> = Arc::new(MemoryStore::new());
    shared.put_wake_up(push("alice", &["one"], T)).await.unwrap();
    assert_eq!((counts(&*shared).await.waiting, counts(store).await.waiting), (1, 0));
}

#[tokio::test]
async fn the_file_is_the_owners_alone_durable_and_never_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.durability().await, Ok(("wal".to_owned(), 2)), "write-ahead log, synchronous=FULL");
    store.put_wake_up(push("alice", &["one"], T)).await.unwrap();
    #[cfg(unix)]
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        use std::os::unix::fs::PermissionsExt as _;
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
    let second = SqliteStore::open(&path).unwrap();
    assert_eq!(due(&second, "one", T).await.len(), 1, "another process sees it");
    drop((store, second));

    let foreign = directory.path().join("foreign");
    std::fs::write(&foreign, "not a database, and longer than a header of one hundred bytes".repeat(9))
        .unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let refused = SqliteStore::open(&foreign).unwrap_err();
        assert!(matches!(refused, StoreError::File(_)), "{refused}");
        std::fs::set_permissions(&foreign, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let before = std::fs::read(&foreign).unwrap();
    assert_eq!(SqliteStore::open(&foreign).unwrap_err(), StoreError::Corrupt);
    assert_eq!(std::fs::read(&foreign).unwrap(), before);
}

/// Private keys and users among it (A23).
#[tokio::test]
async fn what_is_dropped_is_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = SqliteStore::open(&path).unwrap();
    let secret = b"a private half that was dropped";
    let entry = KeyEntry {
        public_key: SigningKey::generate().unwrap().public_key().clone(),
        state: KeyState::Current,
        published_at: T,
        ripe_at: T,
        since: T,
    };
    let key = StoredKey { entry, private: Some(Zeroizing::new(secret.to_vec())) };
    store.replace_keys(KeyTable { generation: 1, seen_at: T, keys: vec![key] }).await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    let flush = || other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let is_there = || std::fs::read(&path).unwrap().windows(secret.len()).any(|part| part == secret);
    flush();
    assert!(is_there());
    store.replace_keys(KeyTable { generation: 2, seen_at: T, keys: Vec::new() }).await.unwrap();
    flush();
    assert!(!is_there(), "it lies in a free page");
}

/// What is measured every few seconds costs no more from a million rows on (A18).
#[tokio::test]
async fn counting_reads_no_more_than_it_says() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = SqliteStore::open(&path).unwrap();
    let fill = rusqlite::Connection::open(&path).unwrap();
    let rows = |from: u32, to: u32| {
        let statement = format!(
            "WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to})
             INSERT INTO user SELECT 'user ' || i, 1 FROM n"
        );
        fill.execute_batch(&statement).unwrap();
    };
    rows(1, 9_000);
    assert_eq!(store.counts().await.unwrap().users, 9_000);
    rows(9_001, 1_000_100);
    assert_eq!(store.counts().await.unwrap().users, 1_000_000, "more are more");
}

#[tokio::test]
async fn a_newer_programs_file_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    drop(SqliteStore::open(&path).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    assert!(SqliteStore::open(&path).is_ok(), "it says that this program may use it");
    connection.execute("UPDATE compatible SET since = 99", []).unwrap();
    assert_eq!(SqliteStore::open(&path).unwrap_err(), StoreError::Version { found: 99 });
}

#[tokio::test]
async fn a_database_that_cannot_commit_says_so_to_everybody() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = SqliteStore::open(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("DROP TABLE outbox").unwrap();
    let puts = (0..20).map(|number| store.put_wake_up(push(&format!("user {number}"), &["one"], T)));
    for put in join_all(puts).await {
        assert_eq!(put, Err(StoreError::Unavailable));
    }
    let (good, bad) = tokio::join!(store.remember_user(user("alice"), T), store.counts());
    assert!(bad.is_err());
    let noted: i64 = other.query_row("SELECT count(*) FROM user", [], |row| row.get(0)).unwrap();
    assert_eq!(good.is_ok(), noted == 1, "an answer of success is one that was committed");
}

fn user(name: &str) -> UserIdentifier {
    UserIdentifier::new(name, 40).unwrap()
}

fn push(name: &str, sinks: &[&str], at: u64) -> NewWakeUp {
    NewWakeUp {
        user: user(name),
        sinks: sinks.iter().map(|sink| (*sink).to_owned()).collect(),
        received_at: at,
        due_at: at,
        expires_at: at + 1000,
        for_strangers: true,
    }
}

async fn due(store: &dyn Store, sink: &str, now: u64) -> Vec<WakeUp> {
    store.due_wake_ups(sink, now, 100).await.unwrap()
}

/// All of these, at the same time.
async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut pending: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut ready = true;
        for (future, done) in &mut pending {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *done = Some(value),
                    std::task::Poll::Pending => ready = false,
                }
            }
        }
        if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    pending.into_iter().filter_map(|(_, done)| done).collect()
}
