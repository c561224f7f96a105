//! Two servers on one database: either is killed while they take pushes and the keys rotate. Nothing that was answered is
//! lost, and no token is served that the other's key set does not verify.
//!
//! `WA_INTEGRATOR_TEST_PUSHES` takes another number of pushes than the few of every day.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's helpers fail the test")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use tokio::task::JoinSet;
use wa_http::{HttpClient as _, HttpLimits, HyperClient, PlainHttp};
use wa_integrator::{OutboxStore as _, PostgresAddress, PostgresStore, SharedSecret, UserIdentifier};

use crate::fixture::callers::{publish, push, pushes, token};
use crate::fixture::postgres::Postgres;
use crate::fixture::program::{Program, command};
use crate::fixture::verdict::verified;

const BASE: &str = "https://integrator.example";
const SECRET: [u8; 32] = [0x5a; 32];
const SENDERS: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_servers_either_is_killed_and_nothing_answered_is_lost() {
    let number = std::env::var("WA_INTEGRATOR_TEST_PUSHES").map_or(3000, |number| number.parse().unwrap());
    let world = Arc::new(World::new(number).await);
    let mut servers = [world.start(0), world.start(1)];
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let world = Arc::clone(&world);
        senders.spawn(async move { world.send().await });
    }
    let watched = Arc::clone(&world);
    let watching = tokio::spawn(async move { watched.watch_tokens().await });

    // Killed by turns; the third time while the keys rotate.
    for (turn, share) in [15, 30, 45, 60, 75].into_iter().enumerate() {
        world.until_sent(share).await;
        let rotating = (turn % 2 == 0).then(|| world.rotate_in_background());
        let slot = turn % 2;
        servers[slot].child.kill().unwrap();
        servers[slot].child.wait().unwrap();
        if let Some(rotating) = rotating {
            let output = rotating.await.unwrap();
            let refused = String::from_utf8(output.stderr).unwrap();
            // Of the keys published in the beginning the third signs by then; the next are not ripe for a day.
            assert_eq!(output.status.success(), turn < 4, "{refused}");
        }
        servers[slot] = world.start(slot);
    }
    let answered: BTreeSet<String> = senders.join_all().await.into_iter().flatten().collect();
    world.ended.store(true, Ordering::Relaxed);
    let (tokens, signers) = watching.await.unwrap();
    assert!(tokens > 20 && signers == 3, "{tokens} tokens of {signers} keys");
    // What they are looking at now would be passed over.
    for server in servers {
        server.stop();
    }
    world.compare(&answered).await;
}

/// The database, what WhatsApp publishes, and where the servers are.
struct World {
    _server: Postgres,
    database: String,
    directory: tempfile::TempDir,
    whatsapp: String,
    addresses: [RwLock<String>; 2],
    client: HyperClient,
    number: usize,
    sent: AtomicUsize,
    ended: AtomicBool,
}

impl World {
    async fn new(number: usize) -> Self {
        let server = Postgres::start();
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("secret");
        fs::write(&secret, hex::encode(SECRET)).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        Self {
            database: server.database().await,
            _server: server,
            directory,
            whatsapp: publish().await,
            addresses: Default::default(),
            client: HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1),
            number,
            sent: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn start(&self, slot: usize) -> Program {
        let mut quiet = command(&self.path(&format!("data-{slot}")));
        quiet.env("WA_INTEGRATOR_LOG", "off").env("WA_INTEGRATOR_POSTGRES", &self.database);
        quiet.args(["--listen", "127.0.0.1:0", "--base-url", BASE, "--set", "keys.refresh=60"]);
        quiet.env("WA_INTEGRATOR_SHARED_SECRET_FILE", self.path("secret"));
        quiet.env("WA_INTEGRATOR_MEDIA_DIRECTORY", self.path("media")).args(pushes(&self.whatsapp));
        let program = Program::of(&mut quiet);
        program.ready["address"].as_str().unwrap().clone_into(&mut self.addresses[slot].write().unwrap());
        program
    }

    fn address(&self, slot: usize) -> String {
        self.addresses[slot].read().unwrap().clone()
    }

    /// Sends pushes to both, until all have been sent once; gives who was answered 200.
    async fn send(&self) -> Vec<String> {
        let token = token(BASE);
        let mut answered = Vec::new();
        loop {
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            if number >= self.number {
                return answered;
            }
            let user = format!("user {number}");
            let url = format!("{}/push", self.address(number % 2));
            match self.client.send(push(&url, &token, &user)).await {
                Ok(response) => {
                    assert_eq!(response.status(), StatusCode::OK, "push {number}");
                    answered.push(user);
                }
                // It was killed, and will be back.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn until_sent(&self, percent: usize) {
        while self.sent.load(Ordering::Relaxed) * 100 < self.number * percent {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn rotate_in_background(&self) -> tokio::task::JoinHandle<Output> {
        let mut command = command(&self.path("data-command"));
        command.env("WA_INTEGRATOR_POSTGRES", &self.database).env("WA_INTEGRATOR_LOG", "off");
        command.args(["keys", "rotate"]);
        tokio::task::spawn_blocking(move || command.output().unwrap())
    }

    /// Asks both for tokens, and verifies each against what both publish at that time; how many, and of how many keys.
    async fn watch_tokens(&self) -> (usize, usize) {
        let (mut tokens, mut signers) = (0, BTreeSet::new());
        while !self.ended.load(Ordering::Relaxed) {
            for slot in 0..2 {
                let Some(granted) = self.ask(slot, "/token", Some(tokens)).await else { continue };
                for publishing in 0..2 {
                    let path = "/.well-known/oauth/openid/jwks";
                    let Some(jwks) = self.ask(publishing, path, None).await else { continue };
                    let (granted, _) = verified(&granted, &jwks, BASE);
                    let header = jsonwebtoken::decode_header(&granted.token).unwrap();
                    signers.insert(header.kid.unwrap());
                    tokens += 1;
                }
            }
        }
        (tokens, signers.len())
    }

    /// The body of an answer of 200; none where it was killed meanwhile.
    async fn ask(&self, slot: usize, path: &str, token: Option<usize>) -> Option<Bytes> {
        let mut request = Request::builder().uri(format!("{}{path}", self.address(slot)));
        if let Some(number) = token {
            let user = UserIdentifier::new(&format!("asks {number}"), 40).unwrap();
            let credential = SharedSecret::new(SECRET, 40).credential(&user, now() + 60);
            request = request.method("POST").header(header::AUTHORIZATION, format!("Bearer {credential}"));
        }
        let response = self.client.send(request.body(Bytes::new()).unwrap()).await.ok()?;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        Some(response.into_body())
    }

    /// Whether everything that was answered is in the database.
    async fn compare(&self, answered: &BTreeSet<String>) {
        let store = PostgresStore::connect(&PostgresAddress::new(&self.database).unwrap()).await.unwrap();
        // After every lease.
        let due = store.due_wake_ups("webhook", u64::MAX >> 1, self.number).await.unwrap();
        let kept: BTreeSet<String> = due.iter().map(|it| it.user.as_str().to_owned()).collect();
        let lost: Vec<_> = answered.difference(&kept).collect();
        assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), answered.len());
        assert!(answered.len() > self.number / 2, "{} answered", answered.len());
    }
}

#[expect(clippy::disallowed_methods, reason = "the program under test reads the system's clock")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
