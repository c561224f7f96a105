//! One account, two stores on one file, as two processes have them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use wa_chat::{Read, Store, StoreError};
use wa_store::{AccountId, Lease, LeaseError, SqliteStore, StoreKey};

use crate::suite::{key, put, reads, texts, writes};

const TERM: Duration = Duration::from_secs(2);

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn pair() -> (tempfile::TempDir, SqliteStore, SqliteStore) {
    let (directory, key) = (tempfile::tempdir().unwrap(), StoreKey::generate());
    let path = directory.path().join("store.db");
    let first = SqliteStore::create(&path, &key).unwrap();
    (directory, first, SqliteStore::open(&path, &key).unwrap())
}

fn alice() -> AccountId {
    AccountId::new("alice").unwrap()
}

fn take(store: &SqliteStore, holder: &str) -> Result<Lease, LeaseError> {
    store.try_lease(&alice(), holder, TERM)
}

#[tokio::test]
async fn one_holds_and_the_other_waits_until_it_lets_go() {
    let (_directory, app, extension) = pair();
    let held = take(&app, "app").unwrap();
    held.account().run(&writes(vec![put(&key(1, b"a"), "of the app")])).await.unwrap();
    let LeaseError::Held { holder, left } = take(&extension, "extension").unwrap_err() else { panic!() };
    assert!(holder == "app" && left <= TERM, "{holder}, {left:?}");
    // The waiting lasts longer than the term, because the holder renews.
    let begun = Instant::now();
    let account = alice();
    let waiting = extension.lease(&account, "extension", TERM);
    assert!(timeout(TERM * 2, waiting).await.is_err(), "it was renewed");
    assert!(begun.elapsed() >= TERM * 2);
    timeout(PATIENCE, held.wanted()).await.unwrap();
    held.release().await;
    let taken = take(&extension, "extension").unwrap();
    let rows = taken.account().run(&reads(vec![Read::One(key(1, b"a"))])).await.unwrap();
    assert_eq!(texts(&rows), ["of the app"]);
}

#[tokio::test]
async fn a_term_may_be_of_any_length() {
    let (_directory, app, extension) = pair();
    for term in [Duration::ZERO, Duration::MAX] {
        let held = app.try_lease(&alice(), "app", term).unwrap();
        assert!(matches!(take(&extension, "extension"), Err(LeaseError::Held { .. })), "{term:?}");
        held.release().await;
    }
}

#[tokio::test]
async fn nobody_asks_and_the_holder_goes_on() {
    let (_directory, app, _extension) = pair();
    let held = take(&app, "app").unwrap();
    assert!(timeout(TERM * 2, held.wanted()).await.is_err());
    held.account().run(&writes(vec![put(&key(1, b"a"), "still its own")])).await.unwrap();
}

#[tokio::test]
async fn who_is_overtaken_hears_of_it_and_writes_no_more() {
    let (_directory, app, other) = pair();
    let held = take(&app, "app").unwrap();
    // One that asks no lease, or the same holder after its death.
    let taken = take(&other, "app").unwrap();
    timeout(PATIENCE, held.lost()).await.unwrap();
    let late = held.account().run(&writes(vec![put(&key(1, b"a"), "late")])).await;
    assert_eq!(late.unwrap_err(), StoreError::Fenced);
    // What it lets go is not its own any more.
    held.release().await;
    assert!(matches!(take(&app, "extension"), Err(LeaseError::Held { .. })));
    drop(other.account(&alice()).unwrap());
    timeout(PATIENCE, taken.lost()).await.unwrap();
}

#[tokio::test]
async fn a_lease_that_is_dropped_is_free_before_its_term_is_over() {
    let (_directory, app, extension) = pair();
    let account = alice();
    let held = app.try_lease(&account, "app", Duration::from_secs(3600)).unwrap();
    drop(held);
    timeout(PATIENCE, extension.lease(&account, "extension", TERM)).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_waits_at_a_lease_goes_on_when_it_is_released() {
    let (_directory, app, extension) = pair();
    let held = Arc::new(take(&app, "app").unwrap());
    let waiting = {
        let held = Arc::clone(&held);
        tokio::spawn(async move { held.lost().await })
    };
    // One that only tries asks nobody to leave.
    assert!(matches!(take(&extension, "extension"), Err(LeaseError::Held { .. })));
    assert!(timeout(Duration::from_millis(600), held.wanted()).await.is_err());
    held.release().await;
    timeout(PATIENCE, waiting).await.unwrap().unwrap();
    take(&extension, "extension").unwrap();
}

#[test]
fn two_open_one_store_at_the_same_time_again_and_again() {
    let (directory, key) = (tempfile::tempdir().unwrap(), StoreKey::generate());
    let path = directory.path().join("store.db");
    drop(SqliteStore::create(&path, &key).unwrap());
    let open = || {
        for _ in 0..100 {
            SqliteStore::open(&path, &key).unwrap();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(open);
        scope.spawn(open);
    });
}

#[tokio::test]
async fn accounts_are_held_apart() {
    let (_directory, app, extension) = pair();
    let _alice = take(&app, "app").unwrap();
    extension.try_lease(&AccountId::new("bob").unwrap(), "extension", TERM).unwrap();
}
