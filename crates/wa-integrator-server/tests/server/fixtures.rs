//! What the program wrote as it was, opened by the program as it is: stores, hosted files, settings.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use wa_integrator::{
    Blobs, Clock, KeyKeeper, KeyRules, MasterKey, MediaHost, MediaRules, MediaStore, NewWakeUp, Opening,
    OutboxStore as _, PostgresAddress, PostgresStore, Removal, Selection, SqliteMedia, SqliteStore, Store,
    StoreError, UserIdentifier,
};
use wa_profile::Profile;

use crate::fixture::postgres::Postgres;
use crate::fixture::program::command;

/// A copy of what was written, with the modes that it was written with.
fn copied(name: &str) -> (tempfile::TempDir, Value) {
    let directory = tempfile::tempdir().unwrap();
    let from = written(name);
    copy(&from, directory.path());
    let facts = serde_json::from_slice(&fs::read(from.join("facts.json")).unwrap()).unwrap();
    (directory, facts)
}

fn written(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/v1").join(name)
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
            fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

/// Keys, wake-ups, dead letters and users are what they were.
async fn is_as_it_was(store: &dyn Store, facts: &Value, given_up: &[&str]) {
    let keys = store.keys().await.unwrap().keys;
    let shown: Vec<_> = keys
        .iter()
        .map(|key| {
            let entry = &key.entry;
            serde_json::json!({
                "kid": entry.public_key.kid(), "state": entry.state.name(), "published_at": entry.published_at,
                "ripe_at": entry.ripe_at, "since": entry.since,
            })
        })
        .collect();
    assert_eq!(Value::from(shown), facts["keys"]);
    let now = facts["made_at"].as_u64().unwrap();
    let due = store.due_wake_ups("webhook", now + 1_000_000, 100).await.unwrap();
    let waiting: BTreeMap<_, _> = due.iter().map(|it| (it.user.as_str(), it.count)).collect();
    assert_eq!(waiting, BTreeMap::from([("alice", 2), ("zoë 🦊", 1), ("a stranger", 1)]));
    let numbers: std::collections::BTreeSet<_> = due.iter().map(|it| it.id).collect();
    assert_eq!(numbers.len(), 3, "each got a number of its own");
    let dead = store.dead_letters(Selection::default(), 9).await.unwrap();
    assert_eq!(dead.iter().map(|it| it.user.as_str()).collect::<Vec<_>>(), given_up);
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.waiting, counts.dead, counts.users), (3, given_up.len() as u64, 3));
    // And it goes on from there.
    let user = UserIdentifier::new("alice", 40).unwrap();
    let again = NewWakeUp {
        user,
        sinks: ["webhook".to_owned()].into(),
        received_at: now,
        due_at: now,
        expires_at: now + 1000,
        for_strangers: false,
    };
    assert!(store.put_wake_up(again).await.unwrap().known);
}

async fn files_are_there(index: Arc<dyn MediaStore>, directory: &Path, facts: &Value) {
    let now = facts["made_at"].as_u64().unwrap() + 60;
    for reference in facts["references"].as_array().unwrap() {
        let id = Sha256::digest(reference.as_str().unwrap());
        assert!(index.hosted(id.into(), now).await.unwrap().is_some());
    }
    let blobs = Blobs::existing(&directory.join("media")).unwrap();
    let rules = MediaRules::new(&Profile::default().media);
    let host = MediaHost::new(blobs, index, rules, Clock::from_fn(move || now));
    let found = host.check(true, Removal::Nothing).await.unwrap();
    assert!(found.is_sound() && found.sound == 2, "{found:?}");
}

#[tokio::test]
async fn a_store_in_files_becomes_this_programs() {
    let (directory, facts) = copied("sqlite");
    let path = directory.path().join("store.sqlite");
    // Who only looks changes nothing (A14).
    let before = fs::read(&path).unwrap();
    let refused = SqliteStore::open_as(&path, Opening::Existing).unwrap_err();
    assert_eq!(refused, StoreError::Behind { found: 1, needed: 2 });
    assert_eq!(fs::read(&path).unwrap(), before);
    let store = SqliteStore::open(&path).unwrap();
    is_as_it_was(&store, &facts, &["carol"]).await;
    drop(store);
    let store = SqliteStore::open_as(&path, Opening::Existing).unwrap();
    assert_eq!(store.counts().await.unwrap().users, 3);
    let media = SqliteMedia::open(&directory.path().join("media.sqlite")).unwrap();
    files_are_there(Arc::new(media), directory.path(), &facts).await;
}

#[tokio::test]
async fn a_sealed_store_signs_with_its_keys() {
    let (directory, facts) = copied("sealed");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&directory.path().join("store.sqlite")).unwrap());
    is_as_it_was(&*store, &facts, &[]).await;
    let (rules, now) = (Profile::default().token, facts["made_at"].as_u64().unwrap() + 60);
    let rules = KeyRules::new(rules.peer_refresh_max, rules.lifetime_max);
    let keeper = KeyKeeper::new(Arc::clone(&store) as _, rules).with_master_key(MasterKey::new([0x6b; 32]));
    keeper.refresh(now).await.unwrap();
    let current = facts["keys"].as_array().unwrap().iter().find(|key| key["state"] == "current").unwrap();
    assert_eq!(keeper.keys().signer(now).unwrap().public_key().kid(), current["kid"]);
}

/// The command that a deployment runs before its servers: nobody else changes the tables (A14).
#[tokio::test]
async fn a_database_is_upgraded_by_a_command_and_by_nothing_else() {
    let server = Postgres::start();
    let url = server.database().await;
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let dump = fs::read_to_string(written("postgres").join("dump.sql")).unwrap();
    client.batch_execute(&dump).await.unwrap();
    let address = PostgresAddress::new(&url).unwrap();
    for opening in [Opening::Existing, Opening::Serve] {
        let refused = PostgresStore::connect_as(&address, opening).await.unwrap_err();
        assert_eq!(refused, StoreError::Behind { found: 1, needed: 2 }, "{opening:?}");
    }
    let (directory, facts) = copied("postgres");
    let run = |arguments: &[&str]| -> Output {
        let mut command = command(directory.path());
        command.env("WA_INTEGRATOR_POSTGRES", &url).args(arguments);
        command.env("WA_INTEGRATOR_MEDIA_DIRECTORY", directory.path().join("media"));
        command
            .env("WA_INTEGRATOR_SHARED_SECRET_FILE", directory.path().join("shared-secret"))
            .output()
            .unwrap()
    };
    for looking in [&["doctor"][..], &["keys", "list"], &["media", "fsck"], &["outbox", "list"]] {
        assert!(!run(looking).status.success(), "{looking:?}");
        let row = client.query_one("SELECT number FROM wa_integrator.version", &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 1, "{looking:?} has upgraded it");
    }
    let upgraded = run(&["store", "upgrade"]);
    assert!(upgraded.status.success(), "{}", String::from_utf8_lossy(&upgraded.stderr));
    let store = PostgresStore::connect(&address).await.unwrap();
    is_as_it_was(&store, &facts, &["carol"]).await;
    // The program as it was goes on with these tables: its statements know nothing of the number.
    let old = "INSERT INTO wa_integrator.outbox
      (sink, identifier, count, received_at, attempts, due_at, expires_at)
      VALUES ('webhook', 'from the old one', 1, 1, 0, 1, 4000000000)";
    client.execute(old, &[]).await.unwrap();
    let due = store.due_wake_ups("webhook", 2, 9).await.unwrap();
    assert_eq!((due.len(), due[0].user.as_str()), (1, "from the old one"));
    assert!(due[0].id > 0);
    files_are_there(Arc::new(store), directory.path(), &facts).await;
    drop(client);
    connection.await.unwrap().unwrap();
}

#[test]
fn commands_work_on_what_was_written_once_it_is_upgraded() {
    let (directory, facts) = copied("sqlite");
    let run = |arguments: &[&str]| {
        let output = command(directory.path()).args(arguments).output().unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (done, _, said) = run(&["keys", "list"]);
    assert!(!done && said.contains("store upgrade"), "{said}");
    assert!(run(&["store", "upgrade"]).0);
    let (done, listed, _) = run(&["keys", "list", "--json"]);
    let listed: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(done);
    assert_eq!(Value::from(listed), facts["keys"]);
    let (_, listed, _) = run(&["keys", "list"]);
    assert!(listed.contains(" GMT"), "dates for people: {listed}");
    let (done, letters, _) = run(&["outbox", "list", "--json"]);
    assert!(done && letters.lines().count() == 1 && letters.contains("\"user\":\"carol\""), "{letters}");
    assert!(!run(&["outbox", "drop"]).0, "all of them only if somebody says so");
    assert_eq!(run(&["outbox", "retry", "--user", "carol"]).1, "{\"retried\":1}\n");
    assert_eq!(run(&["outbox", "list", "--json"]).1, "");
    assert_eq!(run(&["outbox", "drop", "--user", "carol", "--waiting"]).1, "{\"dropped\":1}\n");
    let (done, forgotten, said) = run(&["users", "forget", "alice"]);
    assert!(done, "{said}");
    let forgotten: Value = serde_json::from_str(&forgotten).unwrap();
    assert_eq!(forgotten["known"], true);
    assert!(!run(&["users", "forget", ""]).0);
}

/// Files of settings that were sound.
#[test]
fn settings_are_still_taken() {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("shared-secret", "5a".repeat(32)),
        ("master-key", "6b".repeat(32)),
        ("secret", "x".to_owned()),
        ("nats.creds", "x".to_owned()),
    ] {
        fs::write(directory.path().join(name), content).unwrap();
        fs::set_permissions(directory.path().join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    for entry in fs::read_dir(written("settings")).unwrap() {
        let path = entry.unwrap().path();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wa-integrator"));
        command.current_dir(directory.path()).env_clear();
        let output = command.arg("--config").arg(&path).args(["config", "check"]).output().unwrap();
        assert!(output.status.success(), "{path:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
