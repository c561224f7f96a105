//! `wa-integrator store migrate`: the same keys, users, wake-ups and media afterwards, or nothing at all.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use sha2::{Digest as _, Sha256};
use wa_http::{HttpClient as _, HttpLimits, HyperClient, PlainHttp};
use wa_integrator::{
    KeyStore as _, NewWakeUp, OutboxStore, Outcome, PostgresAddress, PostgresStore, SharedSecret,
    SqliteStore, UserIdentifier, WakeUp,
};

use crate::fixture::postgres::Postgres;
use crate::fixture::program::{Program, command};

const SECRET: [u8; 32] = [0x5a; 32];
const WAKE_UPS: usize = 2500;

fn migrate(data: &Path, database: &str) -> Output {
    let mut command = command(data);
    command.env("WA_INTEGRATOR_LOG", "off").env("WA_INTEGRATOR_POSTGRES", database);
    command.args(["store", "migrate"]).output().unwrap()
}

fn refusal(data: &Path, database: &str) -> String {
    let output = migrate(data, database);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_the_same_in_the_database() {
    let (server, directory) = (Postgres::start(), tempfile::tempdir().unwrap());
    let database = server.database().await;
    let data = directory.path().join("data");
    assert!(refusal(&data, &database).contains("there is no store at "));
    let secret = directory.path().join("secret");
    fs::write(&secret, hex::encode(SECRET)).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let secret = secret.to_str().unwrap();

    let running = Program::start(&data, &["--set", &format!("tokens.shared_secret_file={secret}")]);
    let address = running.ready["address"].as_str().unwrap().to_owned();
    let before = get(&running.ready["jwks"]).await;
    let uploaded = ask(&format!("{address}/media"), b"what nobody here can read").await;
    assert_eq!(uploaded.status(), StatusCode::CREATED);
    let reference = uploaded.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(ask(&format!("{address}/token"), b"").await.status(), StatusCode::OK);
    assert!(refusal(&data, &database).ends_with(" is in use by another process\n"));
    running.stop();
    let store = SqliteStore::open(&data.join("store.sqlite")).unwrap();
    fill(&store).await;
    let (keys, waiting) = (store.keys().await.unwrap(), waiting(&store).await);
    drop(store);

    let output = migrate(&data, &database);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = serde_json::json!({
        "keys": 3, "users": 1, "wake_ups": WAKE_UPS - 1, "dead_letters": 1, "media": 1
    });
    assert_eq!(said, expected);
    let target = PostgresStore::connect(&PostgresAddress::new(&database).unwrap()).await.unwrap();
    assert_eq!(target.keys().await.unwrap(), keys);
    assert_eq!(self::waiting(&target).await, waiting);
    assert_eq!(refusal(&data, &database), "wa-integrator: there is something in the database already\n");

    let mut replica = command(&directory.path().join("replica"));
    replica.env("WA_INTEGRATOR_POSTGRES", &database).args(["--listen", "127.0.0.1:0"]);
    replica.env("WA_INTEGRATOR_SHARED_SECRET_FILE", secret);
    replica.env("WA_INTEGRATOR_MEDIA_DIRECTORY", data.join("media"));
    let replica = Program::of(&mut replica);
    assert_eq!(get(&replica.ready["jwks"]).await.body(), before.body());
    let address = replica.ready["address"].as_str().unwrap();
    let hosted = get(&serde_json::json!(format!("{address}/{reference}"))).await;
    assert_eq!(&hosted.body()[..], b"what nobody here can read");
    replica.stop();
}

/// Wake-ups, one of them tried, and one given up.
async fn fill(store: &SqliteStore) {
    for number in 0..WAKE_UPS {
        let new = NewWakeUp {
            user: UserIdentifier::new(&format!("zoë 🦊 {number}"), 40).unwrap(),
            sinks: ["webhook".to_owned()].into(),
            received_at: 1_700_000_000 + number as u64,
            due_at: 1_700_000_000 + number as u64,
            expires_at: 4_000_000_000,
            for_strangers: true,
        };
        store.put_wake_up(new).await.unwrap();
    }
    let mut due = store.due_wake_ups("webhook", 1_700_000_001, 2).await.unwrap();
    store.settle(due.remove(0), Outcome::Retry { at: 1_700_000_500 }).await.unwrap();
    store.settle(due.remove(0), Outcome::Dead { at: 1_700_000_500 }).await.unwrap();
}

/// All wake-ups by user, with everything that is known of them.
async fn waiting(store: &dyn OutboxStore) -> Vec<String> {
    let due = store.due_wake_ups("webhook", 3_000_000_000, 10 * WAKE_UPS).await.unwrap();
    let mut waiting: Vec<String> =
        due.iter().map(|it| format!("{:?}", WakeUp { id: 0, ..it.clone() })).collect();
    waiting.sort();
    waiting
}

async fn get(url: &serde_json::Value) -> Response<Bytes> {
    let request = Request::builder().uri(url.as_str().unwrap()).body(Bytes::new()).unwrap();
    client().send(request).await.unwrap()
}

/// Posts as a user of ours.
#[expect(clippy::disallowed_methods, reason = "the program under test reads the system's clock")]
async fn ask(url: &str, body: &'static [u8]) -> Response<Bytes> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let user = UserIdentifier::new("alice", 40).unwrap();
    let credential = SharedSecret::new(SECRET, 40).credential(&user, now + 60);
    let request = Request::post(url)
        .header(header::AUTHORIZATION, format!("Bearer {credential}"))
        .header("content-digest", format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body))));
    client().send(request.body(Bytes::from_static(body)).unwrap()).await.unwrap()
}

fn client() -> HyperClient {
    HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1)
}
