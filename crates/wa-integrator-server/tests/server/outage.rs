//! The program while what it stands on is away: it says so, and nothing that it answered is lost once that is back.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test's helpers fail the test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use wa_http::{HttpClient as _, HttpLimits, HyperClient, PlainHttp};
use wa_integrator::{SharedSecret, UserIdentifier};

use crate::fixture::bucket::Bucket;
use crate::fixture::callers::{publish, push, token, url};
use crate::fixture::postgres::Postgres;
use crate::fixture::program::{Program, command};

const SECRET: [u8; 32] = [0x5a; 32];
const SENDERS: usize = 8;
const BLOB: &[u8] = b"what a user uploads";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_pushes_are_refused_and_nothing_answered_is_lost() {
    let mut database = Postgres::start();
    let (backend, directory) = (Backend::start().await, tempfile::tempdir().unwrap());
    let mut settings = quiet(directory.path(), &backend.url, &publish().await);
    settings.env("WA_INTEGRATOR_POSTGRES", database.database().await);
    settings.env("WA_INTEGRATOR_MEDIA_DIRECTORY", directory.path().join("media"));
    let caller = Arc::new(Caller::of(Program::of(&mut settings)));
    until("it is ready", async || caller.ready().await.is_none()).await;

    // Eight at a time, until each is refused.
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let caller = Arc::clone(&caller);
        senders.spawn(async move { caller.push_until_refused().await });
    }
    until("some are answered", async || caller.pushed.load(Ordering::Relaxed) > 200).await;
    database.stop();
    let mut answered: BTreeSet<String> = senders.join_all().await.into_iter().flatten().collect();
    assert!(answered.len() >= 200 - SENDERS, "{} answered", answered.len());
    until("the store is said to be away", async || caller.degraded().await.contains("\"store\"")).await;
    for _ in 0..3 {
        refused(&caller.push("refused").await);
        refused(&caller.token().await);
        refused(&caller.upload().await);
    }
    assert_eq!(caller.get("/.well-known/oauth/openid/jwks").await.status(), StatusCode::OK, "for a while");
    assert_eq!(backend.taken(), BTreeSet::new(), "it took nothing yet");

    backend.accepts.store(true, Ordering::Relaxed);
    database.restart();
    until("everything is there again", async || caller.degraded().await == "[]").await;
    assert_eq!(caller.push("later").await.status(), StatusCode::OK);
    assert_eq!(caller.token().await.status(), StatusCode::OK);
    assert_eq!(caller.upload().await.status(), StatusCode::CREATED);
    answered.insert("later".to_owned());
    until("everything is delivered", async || answered.is_subset(&backend.taken())).await;
    assert!(!backend.taken().contains("refused"));
    Arc::into_inner(caller).unwrap().program.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_bucket_is_away_media_is_refused_and_the_rest_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut bucket = Bucket::start(directory.path().join("s3")).await;
    let mut settings = quiet(directory.path(), "http://127.0.0.1:9/", &publish().await);
    settings.env("WA_INTEGRATOR_S3_BUCKET", "media").env("WA_INTEGRATOR_S3_ACCESS_KEY_ID", "id");
    settings.env("WA_INTEGRATOR_S3_ENDPOINT", bucket.endpoint());
    let secret = private(directory.path(), "s3-secret", "secret");
    let caller = Caller::of(Program::of(settings.env("WA_INTEGRATOR_S3_SECRET_ACCESS_KEY_FILE", secret)));
    until("it is ready", async || caller.ready().await.is_none()).await;
    let hosted = caller.upload().await;
    assert_eq!(hosted.status(), StatusCode::CREATED);
    let path = format!("/{}", hosted.headers()[header::LOCATION].to_str().unwrap());
    let got = caller.get(&path).await;
    assert_eq!((got.status(), &got.body()[..]), (StatusCode::OK, BLOB));

    bucket.stop().await;
    refused(&caller.upload().await);
    refused(&caller.get(&path).await);
    until("the bucket is said to be away", async || caller.degraded().await.contains("\"media\"")).await;
    assert_eq!(caller.push("alice").await.status(), StatusCode::OK, "the rest goes on");
    assert_eq!(caller.token().await.status(), StatusCode::OK, "the rest goes on");

    bucket.restart().await;
    until("everything is there again", async || caller.degraded().await == "[]").await;
    assert_eq!(caller.get(&path).await.body(), BLOB, "nothing is lost");
    assert_eq!(caller.upload().await.status(), StatusCode::CREATED);
    caller.program.stop();
    let found = fs::read_dir(&bucket.directory).unwrap().count();
    assert!(found > 0, "it lies in the bucket");
}

/// The program with a listener for operators, this webhook and these keys of WhatsApp's.
fn quiet(directory: &Path, webhook: &str, whatsapp: &str) -> Command {
    let mut quiet = command(&directory.join("data"));
    // Nobody reads its log.
    quiet.env("WA_INTEGRATOR_LOG", "off").args(["--listen", "127.0.0.1:0", "--admin-listen", "0"]);
    quiet.args(["--webhook", webhook, "--set", "push.allow_private"]);
    quiet.env("WA_INTEGRATOR_WHATSAPP_JWKS_URL", whatsapp);
    let secret = private(directory, "shared-secret", &hex::encode(SECRET));
    quiet.env("WA_INTEGRATOR_SHARED_SECRET_FILE", secret);
    quiet
}

fn private(directory: &Path, name: &str, content: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// A client of the running program.
struct Caller {
    program: Program,
    client: HyperClient,
    whatsapps: String,
    pushed: AtomicUsize,
}

impl Caller {
    fn of(program: Program) -> Self {
        let client = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
        let whatsapps = token(&url(&program, "address"));
        Self { program, client, whatsapps, pushed: AtomicUsize::new(0) }
    }

    /// What is away for all servers: this one stays ready, since no other could do better (A7).
    async fn degraded(&self) -> String {
        let url = format!("{}/ready", url(&self.program, "admin"));
        let answer = self.client.send(Request::get(url).body(Bytes::new()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{:?}", answer.body());
        let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        body["degraded"].to_string()
    }

    /// Why it is not ready, if it is not.
    async fn ready(&self) -> Option<String> {
        let url = format!("{}/ready", url(&self.program, "admin"));
        let answer = self.client.send(Request::get(url).body(Bytes::new()).unwrap()).await.unwrap();
        let why = String::from_utf8(answer.body().to_vec()).unwrap();
        (answer.status() != StatusCode::OK).then_some(why)
    }

    async fn push(&self, user: &str) -> Response<Bytes> {
        let request = push(&url(&self.program, "push"), &self.whatsapps, user);
        self.client.send(request).await.unwrap()
    }

    /// Pushes for new users one after the other; gives those that were answered 200 before the first 503.
    async fn push_until_refused(&self) -> Vec<String> {
        let mut answered = Vec::new();
        for _ in 0..20_000 {
            let user = format!("user {}", self.pushed.fetch_add(1, Ordering::Relaxed));
            let answer = self.push(&user).await;
            if answer.status() != StatusCode::OK {
                refused(&answer);
                return answered;
            }
            answered.push(user);
        }
        panic!("nothing is refused while the database is away");
    }

    async fn token(&self) -> Response<Bytes> {
        self.post("token", &[], b"").await
    }

    async fn upload(&self) -> Response<Bytes> {
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(BLOB)));
        self.post("media", &[("content-digest", &digest)], BLOB).await
    }

    /// A request of a user whom the service's backend vouches for.
    async fn post(&self, name: &str, headers: &[(&str, &str)], body: &'static [u8]) -> Response<Bytes> {
        let user = UserIdentifier::new("alice", 40).unwrap();
        let credential = SharedSecret::new(SECRET, 40).credential(&user, now() + 60);
        let mut request = Request::post(url(&self.program, name));
        request = request.header(header::AUTHORIZATION, format!("Bearer {credential}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.client.send(request.body(Bytes::from_static(body)).unwrap()).await.unwrap()
    }

    async fn get(&self, path: &str) -> Response<Bytes> {
        let url = format!("{}{path}", url(&self.program, "address"));
        self.client.send(Request::get(url).body(Bytes::new()).unwrap()).await.unwrap()
    }
}

fn refused(answer: &Response<Bytes>) {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key(header::RETRY_AFTER), "{answer:?}");
}

/// The service's backend, which refuses wake-ups until it accepts them.
struct Backend {
    url: String,
    accepts: Arc<AtomicBool>,
    users: Arc<Mutex<BTreeSet<String>>>,
}

impl Backend {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/wake", listener.local_addr().unwrap());
        let (accepts, users) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let backend = Self { url, accepts: Arc::clone(&accepts), users: Arc::clone(&users) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&accepts), Arc::clone(&users)));
            }
        });
        backend
    }

    /// Who was woken.
    fn taken(&self) -> BTreeSet<String> {
        self.users.lock().unwrap().clone()
    }
}

/// Answers the calls of one connection.
async fn answer(stream: TcpStream, accepts: Arc<AtomicBool>, users: Arc<Mutex<BTreeSet<String>>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let call: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let status = if accepts.load(Ordering::Relaxed) {
            users.lock().unwrap().insert(call["to"].as_str().unwrap().to_owned());
            "200 OK"
        } else {
            "503 Service Unavailable"
        };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Waits until this has happened, thirty seconds at most.
async fn until(what: &str, mut it: impl AsyncFnMut() -> bool) {
    for _ in 0..1200 {
        if it().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("not within thirty seconds: {what}");
}

#[expect(clippy::disallowed_methods, reason = "the program under test reads the system's clock")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
