//! What only a database can do that several servers share: leases, hints, outages, and keys that all publish.

#![cfg(all(unix, feature = "postgres"))]
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod fixture {
    pub(crate) mod postgres;
}

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fixture::postgres::Postgres;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use wa_integrator::{
    Clock, KeyKeeper, KeyRules, KeyStore as _, NewWakeUp, OutboxStore as _, Outcome, PostgresAddress,
    PostgresStore, Store as _, StoreError, UserIdentifier, WakeUp,
};

const T: u64 = 1_700_000_000;
const DAY: u64 = 24 * 3600;

fn push(name: &str, at: u64) -> NewWakeUp {
    NewWakeUp {
        user: UserIdentifier::new(name, 40).unwrap(),
        sinks: ["one".to_owned()].into(),
        received_at: at,
        due_at: at,
        expires_at: at + 1000,
        for_strangers: true,
    }
}

async fn connect(url: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::connect(&PostgresAddress::new(url)?).await
}

async fn due(store: &PostgresStore, now: u64) -> Vec<String> {
    let due = store.due_wake_ups("one", now, 100).await.unwrap();
    due.iter().map(|it: &WakeUp| it.user.as_str().to_owned()).collect()
}

async fn execute(url: &str, statement: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(statement).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}

/// `true` once this has happened, within ten seconds.
async fn happens(mut it: impl AsyncFnMut() -> bool) -> bool {
    for _ in 0..400 {
        if it().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    false
}

#[tokio::test]
async fn the_tables_are_made_once_and_a_newer_programs_are_left_alone() {
    let server = Postgres::start();
    let url = server.database().await;
    let address = PostgresAddress::new(&url).unwrap();
    let (a, b, c) = tokio::join!(
        PostgresStore::connect(&address),
        PostgresStore::connect(&address),
        PostgresStore::connect(&address)
    );
    let store = a.unwrap();
    drop((b.unwrap(), c.unwrap()));
    assert_eq!(store.durability().await, Ok(("on".to_owned(), "on".to_owned())));
    assert_eq!(store.keys().await.unwrap().generation, 0);

    execute(&url, "CREATE ROLE plain LOGIN").await;
    let plain = url.replace("user=postgres", "user=plain");
    assert_eq!(connect(&plain).await.unwrap_err(), StoreError::Refused, "no right to the schema");
    let nowhere = url.replace("dbname=test", "dbname=none");
    assert_eq!(connect(&nowhere).await.unwrap_err(), StoreError::Refused);
    execute(&url, "UPDATE wa_integrator.version SET number = 99").await;
    assert!(connect(&url).await.is_ok(), "it says that this program may use it");
    execute(&url, "UPDATE wa_integrator.version SET min_compatible = 99").await;
    assert_eq!(connect(&url).await.unwrap_err(), StoreError::Version { found: 99 });
    // Nothing is made before it is known what is there: a role that may only read is told the same.
    execute(&url, "GRANT USAGE ON SCHEMA wa_integrator TO plain").await;
    execute(&url, "GRANT SELECT ON wa_integrator.version TO plain").await;
    assert_eq!(connect(&plain).await.unwrap_err(), StoreError::Version { found: 99 });

    execute(&url, "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0").await;
    assert_eq!(connect(&server.url("latin")).await.unwrap_err(), StoreError::Encoding);
    execute(&url, "ALTER DATABASE latin SET synchronous_commit = off").await;
    let unsynced = server.database().await;
    let name = unsynced.rsplit_once("dbname=").unwrap().1;
    execute(&unsynced, &format!("ALTER DATABASE {name} SET synchronous_commit = off")).await;
    let store = connect(&unsynced).await.unwrap();
    assert_eq!(store.durability().await, Ok(("on".to_owned(), "on".to_owned())), "whatever the default");
}

#[tokio::test]
async fn what_one_server_delivers_the_other_is_not_given() {
    let server = Postgres::start();
    let url = server.database().await;
    let (one, other) = (connect(&url).await.unwrap(), connect(&url).await.unwrap());
    for number in 0..200 {
        one.put_wake_up(push(&format!("user {number}"), T)).await.unwrap();
    }
    // At the same time, and none twice.
    let (first, second) = tokio::join!(due(&one, T), due(&other, T));
    let both: BTreeSet<_> = first.iter().chain(&second).collect();
    assert_eq!(both.len(), first.len() + second.len());
    assert_eq!(due(&one, T).await.len(), 100, "asking changes nothing for who asks");

    let rest = server.database().await;
    let (one, other) = (connect(&rest).await.unwrap(), connect(&rest).await.unwrap());
    one.put_wake_up(push("alice", T)).await.unwrap();
    assert_eq!(due(&one, T).await, ["alice"]);
    assert_eq!(due(&other, T + 59).await, [""; 0]);
    assert_eq!(due(&other, T + 60).await, ["alice"], "the first has died");
    assert_eq!(due(&one, T + 61).await, [""; 0]);
    // A push meanwhile, and a delivery that ends: given back to everybody.
    let taken = other.due_wake_ups("one", T + 61, 9).await.unwrap().remove(0);
    one.put_wake_up(push("alice", T + 62)).await.unwrap();
    let stale = WakeUp {
        sink: "one".to_owned(),
        user: UserIdentifier::new("alice", 40).unwrap(),
        count: 1,
        received_at: T,
        attempts: 0,
        expires_at: T + 1000,
        id: taken.id,
    };
    other.settle(stale, Outcome::Delivered).await.unwrap();
    let again = one.due_wake_ups("one", T + 62, 9).await.unwrap().remove(0);
    assert_eq!((again.count, again.attempts), (2, 0));
    one.settle(again, Outcome::Retry { at: T + 70 }).await.unwrap();
    assert_eq!(other.next_due("one").await, Ok(Some(T + 70)));
    assert_eq!(due(&other, T + 70).await, ["alice"]);
}

#[tokio::test]
async fn one_statement_takes_many_pushes_for_one_user() {
    let server = Postgres::start();
    let store = Arc::new(server.store().await);
    let mut puts = tokio::task::JoinSet::new();
    for number in 0..600 {
        let store = Arc::clone(&store);
        puts.spawn(async move { store.put_wake_up(push(&format!("user {}", number % 3), T)).await });
    }
    while let Some(put) = puts.join_next().await {
        put.unwrap().unwrap();
    }
    let due = store.due_wake_ups("one", T, 10).await.unwrap();
    assert_eq!(due.iter().map(|it| it.count).collect::<Vec<_>>(), [200, 200, 200]);
}

#[tokio::test]
async fn the_others_are_told_of_keys_and_wake_ups() {
    let server = Postgres::start();
    let url = server.database().await;
    let (one, other) = (connect(&url).await.unwrap(), connect(&url).await.unwrap());
    let rules = KeyRules::new(Duration::from_secs(DAY), Duration::from_secs(3600));
    let (command, running) =
        (KeyKeeper::new(Arc::new(one.clone()), rules), KeyKeeper::new(Arc::new(other.clone()), rules));
    running.refresh(T).await.unwrap();
    let keys = running.keys();
    let before = keys.signer(T).unwrap().public_key().clone();
    let hour = Duration::from_secs(3600);
    let keeping = tokio::spawn(async move { running.run(Clock::from_fn(|| T), hour).await });
    command.rotate(T).await.unwrap();
    assert!(happens(async || keys.signer(T).is_ok_and(|now| *now.public_key() != before)).await);
    keeping.abort();

    // What was told while it began to listen.
    tokio::time::timeout(hour, other.woken()).await.unwrap();
    one.put_wake_up(push("alice", T)).await.unwrap();
    tokio::time::timeout(hour, other.woken()).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_away_is_said_to_be_and_comes_back_with_everything() {
    let mut server = Postgres::start();
    let url = server.database().await;
    let store = connect(&url).await.unwrap();
    for number in 0..50 {
        store.put_wake_up(push(&format!("user {number}"), T)).await.unwrap();
    }
    server.stop();
    assert_eq!(store.put_wake_up(push("lost", T)).await, Err(StoreError::Unavailable));
    assert_eq!(store.check().await, Err(StoreError::Unavailable));
    assert_eq!(store.keys().await, Err(StoreError::Unavailable));
    assert_eq!(connect(&url).await.unwrap_err(), StoreError::Unavailable);
    server.restart();
    assert!(happens(async || store.check().await.is_ok()).await);
    store.put_wake_up(push("later", T + 1)).await.unwrap();
    let names = due(&store, T + 1).await;
    assert_eq!(names.len(), 51);
    assert!(!names.contains(&"lost".to_owned()) && names.last().unwrap() == "later");
}

#[tokio::test]
async fn a_connection_over_the_network_is_encrypted_and_the_server_checked() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    // Free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings =
        ["listen_addresses=localhost", "ssl=on", "ssl_cert_file=HERE/cert", "ssl_key_file=HERE/key"];
    let mut settings: Vec<String> = settings.into_iter().map(str::to_owned).collect();
    settings.push(format!("port={free}"));
    let files = [("cert", made.cert.pem()), ("key", made.signing_key.serialize_pem())];
    let server = Postgres::start_with(&settings, &files);
    let directory = tempfile::tempdir().unwrap();
    let authority = directory.path().join("authority");
    std::fs::write(&authority, made.cert.pem()).unwrap();

    let at = |host: &str| format!("host={host} port={free} user=postgres dbname=postgres sslmode=require");
    let known = |host: &str| PostgresAddress::new(&at(host)).unwrap().with_authorities(&authority).unwrap();
    let store = PostgresStore::connect(&known("localhost")).await.unwrap();
    let local = format!("{} port={free}", server.url("postgres"));
    let (client, connection) = tokio_postgres::connect(&local, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let ours = "SELECT count(*) > 0 AND bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                WHERE application_name = 'wa-integrator'";
    assert!(client.query_one(ours, &[]).await.unwrap().get::<_, bool>(0), "every one of them");
    drop((client, store));
    connection.await.unwrap().unwrap();

    let unknown = PostgresStore::connect(&PostgresAddress::new(&at("localhost")).unwrap()).await;
    assert_eq!(unknown.unwrap_err(), StoreError::Unavailable, "nobody vouches for it");
    let other = PostgresStore::connect(&known("127.0.0.1")).await;
    assert_eq!(other.unwrap_err(), StoreError::Unavailable, "it has another name");
}

/// Two servers, each reading the keys when it happens to: whatever one signs with, the other publishes, or it answers
/// nothing at all.
#[tokio::test]
async fn no_server_signs_with_a_key_that_another_does_not_publish() {
    let server = Postgres::start();
    let seed = 1;
    let mut rng = StdRng::seed_from_u64(seed);
    let url = server.database().await;
    let rules = KeyRules::new(Duration::from_secs(DAY), Duration::from_secs(3600))
        .with_period(Duration::from_secs(3 * DAY));
    let mut servers = Vec::new();
    for _ in 0..2 {
        servers.push(KeyKeeper::new(Arc::new(connect(&url).await.unwrap()), rules));
    }
    let (mut now, mut signed, mut compared) = (T, BTreeSet::new(), 0);
    for step in 0..90 {
        now += [1, 60, 500, 700, DAY / 4, DAY][rng.random_range(0..6)];
        // Either may be cut off from the database for as long as it likes.
        for server in &servers {
            if rng.random_bool(0.6) {
                server.refresh(now).await.unwrap();
            }
            if rng.random_bool(0.1) {
                let _ = server.rotate(now).await;
            }
        }
        for signing in &servers {
            let Ok(signer) = signing.keys().signer(now) else { continue };
            let kid = signer.public_key().kid().to_owned();
            for publishing in &servers {
                let Ok(published) = publishing.keys().key_set(now) else { continue };
                let published = String::from_utf8(published.body().to_vec()).unwrap();
                assert!(published.contains(&kid), "seed {seed}, step {step}: {kid} is not in {published}");
                compared += 1;
            }
            signed.insert(kid);
        }
    }
    assert!(signed.len() > 3 && compared > 80, "{} keys, {compared} times", signed.len());
}
