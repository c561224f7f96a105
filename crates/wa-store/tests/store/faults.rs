//! SQLite under faults: damaged, exchanged, old and full files, other owners, many at once.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use wa_chat::{Client, Read, StateError, Store, StoreError, Transaction, Value, Write};
use wa_store::{AccountId, AccountStore, OpenError, SqliteStore, StoreKey};

use crate::suite::{key, page, plain, put, reads, texts, writes};

struct Place {
    directory: TempDir,
    key: StoreKey,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), key: StoreKey::generate() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("store.db")
    }

    fn create(&self) -> SqliteStore {
        SqliteStore::create(&self.path(), &self.key).unwrap()
    }

    fn open(&self) -> Result<SqliteStore, OpenError> {
        SqliteStore::open(&self.path(), &self.key)
    }

    /// Everything that belongs to the store, as it is on disk.
    fn copy_to(&self, other: &Self) {
        for entry in fs::read_dir(self.directory.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), other.directory.path().join(entry.file_name())).unwrap();
        }
    }
}

fn alice(store: &SqliteStore) -> AccountStore {
    store.account(&AccountId::new("alice").unwrap()).unwrap()
}

#[tokio::test]
async fn rows_outlive_the_process() {
    let place = Place::new();
    let store = place.create();
    alice(&store).run(&writes(vec![put(&key(1, b"a"), "kept")])).await.unwrap();
    drop(store);
    let store = place.open().unwrap();
    let rows = alice(&store).run(&reads(vec![Read::One(key(1, b"a"))])).await.unwrap();
    assert_eq!(texts(&rows), ["kept"]);
    assert_eq!(store.accounts().unwrap(), [AccountId::new("alice").unwrap()]);
}

#[tokio::test]
async fn what_is_no_store_never_looks_like_an_empty_one() {
    let place = Place::new();
    assert_eq!(place.open().unwrap_err(), OpenError::Missing);
    for content in [&b""[..], b"SQLite format 3\0", &[0; 4096], &[0xFF; 8192]] {
        fs::write(place.path(), content).unwrap();
        assert_eq!(place.open().unwrap_err(), OpenError::Corrupt, "{} bytes", content.len());
        assert_eq!(SqliteStore::create(&place.path(), &place.key).unwrap_err(), OpenError::Exists);
        assert_eq!(fs::read(place.path()).unwrap(), content, "it is as it was");
    }
    // Somebody else's database.
    fs::remove_file(place.path()).unwrap();
    let foreign = rusqlite::Connection::open(place.path()).unwrap();
    foreign.execute_batch("CREATE TABLE rows (account, key, value, expires)").unwrap();
    drop(foreign);
    assert_eq!(place.open().unwrap_err(), OpenError::Corrupt);
}

#[tokio::test]
async fn a_client_over_an_empty_account_is_an_error() {
    let place = Place::new();
    let store = alice(&place.create());
    assert_eq!(plain(store.run(&Client::find()).await), Ok(vec![]));
    let profile = wa_profile::Profile::overview();
    let mut client = Client::open(profile, wa_noise::WHATSAPP_ROOT);
    let transaction = client.poll_transaction().unwrap();
    let rows = store.run(&transaction).await.unwrap();
    let now = wa_chat::Now { unix: 1, tick: std::time::Duration::ZERO };
    let mut rng = rand_core::UnwrapErr(rand::rngs::SysRng);
    assert_eq!(client.handle_committed(now, rows, &mut rng), Err(StateError::NoAccount));
}

#[tokio::test]
async fn the_wrong_key_and_a_later_version_are_told_apart() {
    let place = Place::new();
    drop(place.create());
    let wrong = SqliteStore::open(&place.path(), &StoreKey::generate());
    assert_eq!(wrong.unwrap_err(), OpenError::WrongKey);
    let connection = rusqlite::Connection::open(place.path()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert_eq!(place.open().unwrap_err(), OpenError::Newer(99));
}

#[tokio::test]
async fn the_wrong_key_changes_nothing_of_an_earlier_versions_file() {
    let place = Place::new();
    drop(place.create());
    let connection = rusqlite::Connection::open(place.path()).unwrap();
    connection.execute_batch("DROP TABLE leases; PRAGMA user_version = 3").unwrap();
    let version = || connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap();
    let wrong = SqliteStore::open(&place.path(), &StoreKey::generate());
    assert_eq!((wrong.unwrap_err(), version()), (OpenError::WrongKey, 3));
    drop(place.open().unwrap());
    assert_eq!(version(), 4);
}

#[tokio::test]
async fn changed_and_exchanged_values_are_corrupt() {
    let place = Place::new();
    let store = place.create();
    let account = alice(&store);
    let (a, b) = (key(1, b"a"), key(1, b"b"));
    account.run(&writes(vec![put(&a, "first"), put(&b, "other")])).await.unwrap();
    let connection = rusqlite::Connection::open(place.path()).unwrap();
    let value = |name: &[u8]| -> Vec<u8> {
        let name = [&[1], name].concat();
        connection.query_row("SELECT value FROM rows WHERE key = ?1", [name], |row| row.get(0)).unwrap()
    };
    let write = |value: &[u8]| {
        let update = "UPDATE rows SET value = ?1 WHERE key = ?2";
        connection.execute(update, (value, [1, b'a'])).unwrap();
    };
    let (first, other) = (value(b"a"), value(b"b"));
    assert!(!first.windows(5).any(|window| window == b"first"), "values are encrypted");
    let mut flipped = first.clone();
    flipped[30] ^= 1;
    for (bad, what) in [(&flipped, "flipped"), (&other, "exchanged"), (&vec![], "emptied")] {
        write(bad);
        let read = account.run(&reads(vec![Read::One(a.clone())])).await;
        assert_eq!(plain(read), Err(StoreError::Corrupt), "{what}");
        // The others are still there.
        assert_eq!(texts(&account.run(&reads(vec![Read::One(b.clone())])).await.unwrap()), ["other"]);
    }
    write(&first);
    assert_eq!(texts(&account.run(&reads(vec![Read::One(a.clone())])).await.unwrap()), ["first"]);
    // Another account's value under the same name.
    let bob = store.account(&AccountId::new("bob").unwrap()).unwrap();
    bob.run(&writes(vec![put(&a, "bob's")])).await.unwrap();
    let update = "UPDATE rows SET value = ?1 WHERE account = ?2";
    connection.execute(update, (&first, b"bob")).unwrap();
    assert_eq!(plain(bob.run(&reads(vec![Read::One(a)])).await), Err(StoreError::Corrupt));
}

#[tokio::test]
async fn a_damaged_file_is_corrupt_wherever_it_is_damaged() {
    let place = Place::new();
    let store = place.create();
    let rows = (0..200_u8).map(|number| put(&key(1, &[number]), &"x".repeat(200)));
    alice(&store).run(&writes(rows.collect())).await.unwrap();
    // The last one to close brings the log into the file.
    store.close().await;
    let whole = fs::read(place.path()).unwrap();
    let mut found = 0;
    for number in 1..whole.len() / 4096 {
        let mut damaged = whole.clone();
        damaged[number * 4096..(number + 1) * 4096].fill(0xA5);
        // Each in a place of its own: a store's threads end a little after its last handle.
        let place = Place { key: place.key.clone(), ..Place::new() };
        fs::write(place.path(), &damaged).unwrap();
        let outcome = match place.open() {
            Err(OpenError::Corrupt) => Err(StoreError::Corrupt),
            Err(other) => panic!("page {number}: {other:?}"),
            Ok(store) => match store.account(&AccountId::new("alice").unwrap()) {
                Ok(account) => account.run(&reads(vec![page(&key(0, b""), &key(9, b""), 300)])).await,
                Err(OpenError::Corrupt) => Err(StoreError::Corrupt),
                Err(other) => panic!("page {number}: {other:?}"),
            },
        };
        match outcome {
            Err(StoreError::Corrupt) => found += 1,
            // A page without rows, such as one of an index.
            Ok(rows) => assert_eq!(rows.0.len(), 200, "page {number}: rows are lost without a word"),
            Err(other) => panic!("page {number}: {other:?}"),
        }
    }
    assert!(found >= 10, "{found} damaged pages were noticed");
}

#[tokio::test]
async fn a_full_disk_leaves_everything_as_it_was() {
    let place = Place::new();
    let store = place.create();
    let account = alice(&store);
    let a = key(1, b"a");
    account.run(&writes(vec![put(&a, "before")])).await.unwrap();
    store.limit_size(200_000).await.unwrap();
    let big = |number: u8| {
        let value = Some(Value::new(vec![number; 30_000]));
        Write { key: key(2, &[number]), value, expires: None }
    };
    let mut stored = 0;
    let full = loop {
        match account.run(&writes(vec![big(stored), put(&a, &format!("with {stored}"))])).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(full, StoreError::Full);
    assert!(full.is_retryable() && stored > 0);
    let everything = reads(vec![Read::One(a.clone()), page(&key(2, b""), &key(3, b""), 100)]);
    let rows = account.run(&everything).await.unwrap();
    assert_eq!(rows.0.len(), 1 + usize::from(stored));
    assert_eq!(texts(&wa_chat::Rows(rows.0[..1].to_vec())), [format!("with {}", stored - 1)]);
    // There is room again: the same transaction goes through.
    store.limit_size(10_000_000).await.unwrap();
    account.run(&writes(vec![big(stored)])).await.unwrap();
}

#[tokio::test]
async fn the_last_who_opens_an_account_owns_it() {
    let place = Place::new();
    let store = place.create();
    let (first, bob) = (alice(&store), store.account(&AccountId::new("bob").unwrap()).unwrap());
    let a = key(1, b"a");
    first.run(&writes(vec![put(&a, "first")])).await.unwrap();
    // Another process.
    let second = alice(&place.open().unwrap());
    assert_eq!(plain(first.run(&writes(vec![put(&a, "late")])).await), Err(StoreError::Fenced));
    assert_eq!(plain(first.run(&reads(vec![Read::One(a.clone())])).await), Err(StoreError::Fenced));
    assert!(!StoreError::Fenced.is_retryable());
    assert_eq!(texts(&second.run(&reads(vec![Read::One(a.clone())])).await.unwrap()), ["first"]);
    bob.run(&writes(vec![put(&a, "bob's")])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_accounts_share_commits_and_keep_apart() {
    let place = Place::new();
    let store = place.create();
    let mut tasks = Vec::new();
    for number in 0..40 {
        let id = AccountId::new(format!("user {number}")).unwrap();
        let account = store.account(&id).unwrap();
        tasks.push(tokio::spawn(async move {
            for round in 0..25_u8 {
                let value = format!("{number} {round}");
                account.run(&writes(vec![put(&key(1, &[round]), &value)])).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    drop(store);
    let store = place.open().unwrap();
    assert_eq!(store.accounts().unwrap().len(), 40);
    for number in 0..40 {
        let account = store.account(&AccountId::new(format!("user {number}")).unwrap()).unwrap();
        let rows = account.run(&reads(vec![page(&key(0, b""), &key(9, b""), 100)])).await.unwrap();
        let expected: Vec<String> = (0..25).map(|round| format!("{number} {round}")).collect();
        assert_eq!(texts(&rows), expected);
    }
}

#[tokio::test]
async fn one_bad_transaction_spoils_no_other_of_its_batch() {
    let place = Place::new();
    let store = place.create();
    let (fenced, account) = (alice(&store), alice(&store));
    let runs = (0..20_u8).map(|number| {
        let owner = if number % 2 == 0 { fenced.clone() } else { account.clone() };
        tokio::spawn(async move { owner.run(&writes(vec![put(&key(1, &[number]), "value")])).await })
    });
    let runs: Vec<_> = runs.collect();
    for (number, run) in runs.into_iter().enumerate() {
        let expected = if number % 2 == 0 { Err(StoreError::Fenced) } else { Ok(vec![]) };
        assert_eq!(plain(run.await.unwrap()), expected);
    }
}

#[tokio::test]
async fn a_transaction_without_room_takes_none_from_the_others_of_its_batch() {
    let place = Place::new();
    let store = place.create();
    let account = alice(&store);
    account.run(&writes(vec![put(&key(1, b"a"), "before")])).await.unwrap();
    store.limit_size(300_000).await.unwrap();
    let runs = (0..20_u8).map(|number| {
        let length = if number % 5 == 4 { 400_000 } else { 100 };
        let write =
            Write { key: key(1, &[number]), value: Some(Value::new(vec![number; length])), expires: None };
        let account = account.clone();
        tokio::spawn(async move { account.run(&writes(vec![write])).await })
    });
    let runs: Vec<_> = runs.collect();
    for (number, run) in runs.into_iter().enumerate() {
        let expected = if number % 5 == 4 { Err(StoreError::Full) } else { Ok(vec![]) };
        assert_eq!(plain(run.await.unwrap()), expected, "{number}");
    }
}

#[tokio::test]
async fn an_older_copy_is_recognised() {
    let (place, backup) = (Place::new(), Place::new());
    let store = place.create();
    alice(&store).run(&writes(vec![put(&key(1, b"a"), "old")])).await.unwrap();
    store.close().await;
    place.copy_to(&backup);
    for text in ["newer", "newest"] {
        let store = place.open().unwrap();
        alice(&store).run(&writes(vec![put(&key(1, b"a"), text)])).await.unwrap();
        store.close().await;
    }
    // Without the small file beside it nobody can tell; with it, it is told.
    fs::copy(backup.path(), place.path()).unwrap();
    assert_eq!(place.open().unwrap_err(), OpenError::Restored);
    let restored = SqliteStore::open_restored(&place.path(), &place.key).unwrap();
    let rows = alice(&restored).run(&reads(vec![Read::One(key(1, b"a"))])).await.unwrap();
    assert_eq!(texts(&rows), ["old"]);
    restored.close().await;
    // A restoration that was interrupted is found as it was left.
    assert_eq!(place.open().unwrap_err(), OpenError::Restored);
    let restored = SqliteStore::open_restored(&place.path(), &place.key).unwrap();
    restored.finish_restoration().unwrap();
    restored.close().await;
    // From then on it is the one that counts.
    place.open().unwrap().close().await;
}

/// What is copied while the store is open, as `VACUUM INTO` does it, is put back when the store has gone on.
#[tokio::test]
async fn a_copy_made_while_the_store_was_open_is_recognised() {
    let (place, backup) = (Place::new(), Place::new());
    let store = place.create();
    let account = alice(&store);
    account.run(&writes(vec![put(&key(1, b"a"), "old")])).await.unwrap();
    let source = rusqlite::Connection::open(place.path()).unwrap();
    source.execute("VACUUM INTO ?1", [backup.path().to_str().unwrap()]).unwrap();
    drop(source);
    let then = store.number();
    account.run(&writes(vec![put(&key(1, b"a"), "new")])).await.unwrap();
    let now = store.number();
    assert!(now > then);
    store.close().await;
    fs::copy(backup.path(), place.path()).unwrap();
    assert_eq!(place.open().unwrap_err(), OpenError::Restored, "by the small file");
    // Where there is no small file, the number that was kept elsewhere tells.
    let open_from = |number| SqliteStore::open_from(&backup.path(), &place.key, number);
    assert_eq!(open_from(now).unwrap_err(), OpenError::Restored);
    assert!(open_from(then).is_ok(), "the copy has come as far as when it was made");
}

/// A loss of power takes what was not synced: the small file may be behind, not ahead.
#[tokio::test]
async fn a_small_file_that_is_behind_does_no_harm() {
    let place = Place::new();
    let store = place.create();
    let small = place.directory.path().join("store.db.opened");
    let behind = fs::read(&small).unwrap();
    alice(&store).run(&writes(vec![put(&key(1, b"a"), "kept")])).await.unwrap();
    store.close().await;
    assert_ne!(fs::read(&small).unwrap(), behind);
    fs::write(&small, behind).unwrap();
    place.open().unwrap().close().await;
    fs::remove_file(&small).unwrap();
    place.open().unwrap().close().await;
}

/// More rows than go at once, of one of two accounts, by the date that a transaction names and no other.
#[tokio::test]
async fn expired_rows_vanish_all_of_them_and_others_stay() {
    let place = Place::new();
    let store = place.create();
    let two = |store: &SqliteStore| (alice(store), store.account(&AccountId::new("bob").unwrap()).unwrap());
    let (alice, bob) = two(&store);
    let dated = |n: u32, expires| Write { expires: Some(expires), ..put(&key(1, &n.to_be_bytes()), "dated") };
    let rows = || (0..2500).map(|n| dated(n, 100)).chain([dated(9000, 200), put(&key(1, b"plain"), "")]);
    for account in [&alice, &bob] {
        account.run(&writes(rows().collect())).await.unwrap();
    }
    let everything = || reads(vec![page(&key(0, b""), &key(9, b""), u16::MAX)]);
    let sweep = |date| Transaction { sweep: Some(date), ..Transaction::default() };
    // All of them expired long ago, by any clock; 100 is not before 100.
    alice.run(&sweep(100)).await.unwrap();
    bob.run(&writes(vec![put(&key(1, b"plain"), "again")])).await.unwrap();
    assert_eq!(alice.run(&everything()).await.unwrap().0.len(), 2502);
    alice.run(&sweep(101)).await.unwrap();
    while alice.run(&everything()).await.unwrap().0.len() > 2 {
        tokio::task::yield_now().await;
    }
    store.close().await;
    let (alice, bob) = two(&place.open().unwrap());
    assert_eq!(texts(&alice.run(&everything()).await.unwrap()), ["dated", ""]);
    assert_eq!(bob.run(&everything()).await.unwrap().0.len(), 2502, "another account's date is its own");
}

#[test]
fn the_file_is_its_owners_alone() {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let place = Place::new();
        drop(place.create());
        assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn names_have_a_length() {
    assert!(AccountId::new("").is_err() && AccountId::new("x".repeat(129)).is_err());
    assert_eq!(AccountId::new("alice").unwrap().as_str(), "alice");
    let _ = Transaction::default();
}
