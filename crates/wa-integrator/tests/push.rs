//! The push route without a socket: who is believed, what is stored before the answer, who is refused how.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's helpers fail the test")]

mod fixture {
    pub(crate) mod server;
    pub(crate) mod whatsapp;
}

use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use fixture::server::{NOW, SECRET, bearer, integrator};
use fixture::whatsapp::{KID, Published, claims, key_set, push, signed, whatsapps_key};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tower::Service as _;
use wa_integrator::{
    Clock, Counts, DeadLetter, DeliveryRules, Integrator, KeyStore, KeyTable, Keys, MemoryStore, NewWakeUp,
    Outbox, OutboxStore, Outcome, Push, PushRules, Put, Selection, SharedSecret, SigningKey, StoreError,
    Strangers, TokenIssuer, UserIdentifier, UserStore, WakeUp, rs256,
};
use wa_jwt::{KeyCache, KeyCacheRules};
use wa_profile::Profile;

const BASE: &str = "https://integrator.example";
const ALICE: &str = r#"{"to":"alice421"}"#;

#[tokio::test]
async fn a_push_is_stored_and_answered_with_nothing() {
    let world = World::new(|_| ());
    let response = world.ask(push("/push", &world.token(), ALICE)).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.body().is_empty() && !response.headers().contains_key(header::CONTENT_TYPE));
    let waiting = world.store.inner.due_wake_ups("sink", NOW, 10).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].user.as_str(), waiting[0].received_at), (1, "alice421", NOW));
    assert_eq!(waiting[0].expires_at, NOW + 30 * 24 * 3600);
    assert_eq!(world.published.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn the_answer_waits_for_the_store() {
    let world = World::new(|_| ());
    world.store.hold.store(1, Ordering::Relaxed);
    let mut server = world.server.clone();
    let asking = tokio::spawn(server.call(push("/push", &world.token(), ALICE)));
    world.store.reached.notified().await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!asking.is_finished(), "answered before it was stored");
    world.store.go_on.notify_one();
    let Ok(response) = asking.await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_answered_200() {
    let world = World::new(|_| ());
    for error in [StoreError::Busy, StoreError::Full, StoreError::Unavailable, StoreError::Corrupt] {
        *world.store.error.lock().unwrap() = Some(error.clone());
        let response = world.ask(push("/push", &world.token(), ALICE)).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{error}");
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}

/// A row of the refusals: what it is, and the token.
fn bad_tokens(world: &World) -> Vec<(&'static str, String)> {
    let with = |name: &str, value: Value| {
        let mut claims = claims(BASE);
        claims[name] = value;
        signed(whatsapps_key(), KID, &claims)
    };
    let stranger = SigningKey::generate().unwrap();
    let good = world.token();
    let parts: Vec<&str> = good.split('.').collect();
    let none = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"none","kid":"{KID}"}}"#));
    vec![
        ("expired", with("exp", json!(NOW - 60))),
        ("of tomorrow", with("iat", json!(NOW + 61))),
        ("for somebody else", with("aud", json!("https://other.example"))),
        ("for our base with a slash", with("aud", json!(format!("{BASE}/")))),
        ("of somebody else", with("iss", json!("https://other.example"))),
        ("too long-lived", with("iat", json!(NOW - 61))),
        ("a stranger's", signed(&stranger, KID, &claims(BASE))),
        ("of an unknown key", signed(whatsapps_key(), "other", &claims(BASE))),
        ("unsigned", format!("{}.{}.", parts[0], parts[1])),
        ("none", format!("{none}.{}.", parts[1])),
        ("none, signed", format!("{none}.{}.{}", parts[1], parts[2])),
        ("no token", "x".to_owned()),
        ("a JWE", "a.b.c.d.e".to_owned()),
    ]
}

#[tokio::test]
async fn every_bad_token_gets_the_same_answer() {
    let world = World::new(|_| ());
    let mut answers = Vec::new();
    for (name, token) in bad_tokens(&world) {
        let response = world.ask(push("/push", &token, ALICE)).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{name}");
        answers.push(format!("{:?} {:?}", response.headers(), response.body()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(answers[0].contains("error=\\\"invalid_token\\\""));
    assert_eq!(OutboxStore::counts(&*world.store.inner).await.unwrap().waiting, 0);
    assert_eq!(world.published.asked.load(Ordering::Relaxed), 1, "unknown keys are asked for once");
}

#[tokio::test]
async fn the_header_says_what_is_wrong_with_it_and_no_more() {
    let world = World::new(|_| ());
    let with = |values: &[&str]| {
        let mut request = push("/push", "x", ALICE);
        request.headers_mut().remove(header::AUTHORIZATION);
        for value in values {
            request.headers_mut().append(header::AUTHORIZATION, value.parse().unwrap());
        }
        request
    };
    let good = format!("Bearer {}", world.token());
    let response = world.ask(with(&[])).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer realm=\"wa-integrator\"");
    for values in
        [&["Basic YTo="][..], &["Bearer"], &[&*format!("Bearer  {}", world.token())], &[&*good, &*good]]
    {
        let response = world.ask(with(values)).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{values:?}");
        let challenge = &response.headers()[header::WWW_AUTHENTICATE];
        assert_eq!(challenge, "Bearer realm=\"wa-integrator\", error=\"invalid_request\"");
    }
    assert_eq!(world.ask(with(&[&good.replace("Bearer", "bEARER")])).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_body_is_read_only_for_whatsapp_and_only_so_far() {
    let world = World::new(|_| ());
    let large = format!(r#"{{"to":"alice421","x":"{}"}}"#, "x".repeat(4096));
    for (body, status) in [
        ("", StatusCode::BAD_REQUEST),
        ("{}", StatusCode::BAD_REQUEST),
        (r#"{"to":421}"#, StatusCode::BAD_REQUEST),
        (r#"{"to":"alice421","to":"bob"}"#, StatusCode::BAD_REQUEST),
        (&large, StatusCode::PAYLOAD_TOO_LARGE),
        (r#"{"to":"alice421","future":{"x":[1]}}"#, StatusCode::OK),
    ] {
        assert_eq!(world.ask(push("/push", &world.token(), body)).await.status(), status, "{body:.40}");
        assert_eq!(world.ask(push("/push", "bad", body)).await.status(), StatusCode::UNAUTHORIZED);
    }
    let mut form = push("/push", &world.token(), ALICE);
    form.headers_mut().insert(header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
    assert_eq!(world.ask(form).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn an_endless_body_is_not_read_to_its_end() {
    let world = World::new(|_| ());
    let read = Arc::new(AtomicUsize::new(0));
    let request = push("/push", &world.token(), "").map(|_| Endless(Arc::clone(&read)));
    let Ok(response) = world.server.clone().call(request).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(read.load(Ordering::Relaxed) <= 5, "{read:?} KiB were read");
}

/// A body of as many kilobytes as are asked for, a megabyte at most; counts them.
struct Endless(Arc<AtomicUsize>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        let read = self.0.fetch_add(1, Ordering::Relaxed);
        Poll::Ready((read < 1024).then(|| Ok(http_body::Frame::data(Bytes::from_static(&[b' '; 1024])))))
    }
}

#[tokio::test]
async fn one_token_wakes_many_and_repeats_are_folded() {
    let world = World::new(|_| ());
    let token = world.token();
    for body in [ALICE, ALICE, ALICE, r#"{"to":"bob"}"#] {
        assert_eq!(world.ask(push("/push", &token, body)).await.status(), StatusCode::OK);
    }
    let waiting = world.store.inner.due_wake_ups("sink", NOW, 10).await.unwrap();
    let counts: Vec<_> = waiting.iter().map(|it| (it.user.as_str(), it.count)).collect();
    assert_eq!(counts, [("alice421", 3), ("bob", 1)]);
}

#[tokio::test]
async fn strangers_are_treated_as_configured() {
    for (strangers, status, waiting) in [
        (Strangers::Deliver, StatusCode::OK, 2),
        (Strangers::Drop, StatusCode::OK, 1),
        (Strangers::NotFound, StatusCode::NOT_FOUND, 1),
    ] {
        let world = World::new(|rules| rules.strangers = strangers);
        let granted = world.ask(token_request("alice421")).await;
        assert_eq!(granted.status(), StatusCode::OK, "who got a token is one of ours");
        assert_eq!(world.ask(push("/push", &world.token(), ALICE)).await.status(), StatusCode::OK);
        let stranger = world.ask(push("/push", &world.token(), r#"{"to":"mallory"}"#)).await;
        assert_eq!(stranger.status(), status, "{strangers:?}");
        for impossible in [r#"{"to":""}"#.to_owned(), format!(r#"{{"to":"{}"}}"#, "x".repeat(41))] {
            let nobody = world.ask(push("/push", &world.token(), &impossible)).await;
            assert_eq!(nobody.status(), status, "{strangers:?} {impossible}");
        }
        assert_eq!(OutboxStore::counts(&*world.store.inner).await.unwrap().waiting, waiting, "{strangers:?}");
        assert_eq!(world.store.puts.load(Ordering::Relaxed), 2, "a stranger takes the store's time too");
    }
}

#[tokio::test]
async fn whatsapp_is_asked_to_come_back_only_if_everybody_is_pushed_too_often() {
    let (two, five) = (NonZeroU32::new(2).unwrap(), NonZeroU32::new(5).unwrap());
    let world = World::new(|rules| (rules.per_user_a_minute, rules.a_second) = (two, five));
    let status = async |to: &str| {
        let response = world.ask(push("/push", &world.token(), &json!({ "to": to }).to_string())).await;
        let retry = response.headers().get(header::RETRY_AFTER).map(|it| it.to_str().unwrap().to_owned());
        (response.status().as_u16(), retry)
    };
    for _ in 0..2 {
        assert_eq!(status("alice").await, (200, None));
    }
    let first = world.store.inner.due_wake_ups("sink", NOW, 9).await.unwrap().remove(0);
    world.store.inner.settle(first, Outcome::Delivered).await.unwrap();
    // Woken often enough: taken all the same, and brought later (A19).
    assert_eq!(status("alice").await, (200, None));
    assert_eq!(world.store.inner.due_wake_ups("sink", NOW + 29, 9).await.unwrap(), []);
    assert_eq!(world.store.inner.due_wake_ups("sink", NOW + 30, 9).await.unwrap().len(), 1);
    assert_eq!(status("bob").await, (200, None));
    assert_eq!(status("carol").await, (200, None));
    assert_eq!(status("dave").await, (429, Some("1".to_owned())), "five a second for all");
    // And no clock that is set makes it otherwise (A15).
    world.hand.fetch_add(1800, Ordering::Relaxed);
    assert_eq!(status("dave").await.0, 429);
}

#[tokio::test]
async fn without_room_it_is_refused_and_who_is_not_whatsapp_takes_none() {
    let world = World::new(|rules| rules.at_a_time = 1);
    world.store.hold.store(1, Ordering::Relaxed);
    let mut server = world.server.clone();
    let first = tokio::spawn(server.call(push("/push", &world.token(), ALICE)));
    world.store.reached.notified().await;
    let response = world.ask(push("/push", &world.token(), ALICE)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    // Room is for those who showed a token (A20).
    assert_eq!(world.ask(push("/push", "bad", ALICE)).await.status(), StatusCode::UNAUTHORIZED);
    world.store.go_on.notify_one();
    let Ok(response) = first.await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(world.ask(push("/push", &world.token(), ALICE)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn without_whatsapps_keys_it_is_later_and_not_no() {
    let world = World::new(|_| ());
    world.published.publish(None);
    assert_eq!(
        world.ask(push("/push", &world.token(), ALICE)).await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    world.published.publish(Some(key_set(&[(KID, whatsapps_key())])));
    world.hand.fetch_add(15, Ordering::Relaxed);
    assert_eq!(world.ask(push("/push", &world.token(), ALICE)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn whatsapps_keys_may_change() {
    let world = World::new(|_| ());
    assert_eq!(world.ask(push("/push", &world.token(), ALICE)).await.status(), StatusCode::OK);
    let new = SigningKey::generate().unwrap();
    world.published.publish(Some(key_set(&[("new", &new)])));
    world.hand.fetch_add(15, Ordering::Relaxed);
    let token = signed(&new, "new", &claims(BASE));
    assert_eq!(world.ask(push("/push", &token, ALICE)).await.status(), StatusCode::OK);
    assert_eq!(world.ask(push("/push", &world.token(), ALICE)).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn names_and_headers_of_a_token_lead_nowhere() {
    let world = World::new(|_| ());
    assert_eq!(world.ask(push("/push", &world.token(), ALICE)).await.status(), StatusCode::OK);
    for kid in ["../../dev/null", "' OR 1=1 --", "a\u{0}b", "a\r\nb: c", "http://attacker.example/", "ключ"]
    {
        let token = signed(whatsapps_key(), kid, &claims(BASE));
        assert_eq!(
            world.ask(push("/push", &token, ALICE)).await.status(),
            StatusCode::UNAUTHORIZED,
            "{kid:?}"
        );
    }
    let header = json!({"alg": "RS256", "kid": KID, "jku": "http://attacker.example/", "x5u": "http://attacker.example/"});
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims(BASE).to_string())
    );
    let signature = URL_SAFE_NO_PAD.encode(whatsapps_key().sign(message.as_bytes()).unwrap());
    let response = world.ask(push("/push", &format!("{message}.{signature}"), ALICE)).await;
    assert_eq!(response.status(), StatusCode::OK, "they are ignored");
    assert_eq!(world.published.asked.load(Ordering::Relaxed), 1, "and nothing is fetched for them");
}

#[tokio::test]
async fn the_path_is_configured_and_the_method_is_post() {
    let mut rules = None;
    let world = World::new(|it| {
        it.path = "/whatsapp/push".to_owned();
        rules = Some(it.clone());
    });
    assert_eq!(rules.unwrap().audience, BASE);
    assert_eq!(world.server.push_url().unwrap(), format!("{BASE}/whatsapp/push"));
    assert_eq!(world.ask(push("/whatsapp/push", &world.token(), ALICE)).await.status(), StatusCode::OK);
    assert_eq!(world.ask(push("/push", &world.token(), ALICE)).await.status(), StatusCode::NOT_FOUND);
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::OPTIONS] {
        let mut request = push("/whatsapp/push", &world.token(), ALICE);
        *request.method_mut() = method;
        let response = world.ask(request).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "POST");
    }
}

#[tokio::test]
async fn a_server_without_pushes_has_no_such_path() {
    let (mut server, _) = integrator(BASE);
    assert_eq!(server.push_url(), None);
    let token = signed(whatsapps_key(), KID, &claims(BASE));
    let Ok(response) = server.call(push("/push", &token, ALICE)).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

fn token_request(user: &str) -> Request<Full<Bytes>> {
    Request::post("/token")
        .header(header::HOST, "integrator.example")
        .header(header::AUTHORIZATION, bearer(user))
        .body(Full::default())
        .unwrap()
}

/// An integrator that takes pushes, and everything around it.
struct World {
    server: Integrator,
    store: Gate,
    published: Published,
    hand: Arc<AtomicU64>,
}

impl World {
    fn new(change: impl FnOnce(&mut PushRules)) -> Self {
        let (profile, base) = (Profile::default(), BASE.parse().unwrap());
        let hand = Arc::new(AtomicU64::new(NOW));
        let shown = Arc::clone(&hand);
        let clock = Clock::from_fn(move || shown.load(Ordering::Relaxed));
        let (store, published) = (Gate::default(), Published::new());
        let url = http::Uri::from_static("https://whatsapp.com/.well-known/jwks");
        let keys = KeyCache::new(published.clone(), url, KeyCacheRules::default(), rs256);
        let (sink, _) = wa_integrator::ChannelSink::new("sink", 1);
        let outbox = Outbox::new(Arc::new(store.clone()), vec![Arc::new(sink)], DeliveryRules::default());
        let mut rules = PushRules::new(&profile.push, &base, 40);
        change(&mut rules);
        let push = Push::new(Arc::new(store.clone()), outbox, keys, rules, clock.clone());
        let issuer = TokenIssuer::new(base, &profile.token, profile.token.lifetime_max).unwrap();
        let server = Integrator::new(
            issuer,
            Keys::fixed(SigningKey::generate().unwrap()),
            SharedSecret::new(SECRET, 40),
            clock,
        );
        let server = server.with_push(push).with_users(Arc::new(store.clone()));
        Self { server, store, published, hand }
    }

    fn token(&self) -> String {
        signed(whatsapps_key(), KID, &claims(BASE))
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        let Ok(response) = self.server.clone().call(request).await;
        let (head, body) = response.into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }
}

/// A store in memory that can be held up, can refuse, and counts.
#[derive(Clone, Default)]
struct Gate {
    inner: Arc<MemoryStore>,
    /// How many puts wait for `go_on`.
    hold: Arc<AtomicUsize>,
    reached: Arc<Notify>,
    go_on: Arc<Notify>,
    error: Arc<std::sync::Mutex<Option<StoreError>>>,
    puts: Arc<AtomicUsize>,
}

#[async_trait]
impl KeyStore for Gate {
    async fn keys(&self) -> Result<KeyTable, StoreError> {
        self.inner.keys().await
    }

    async fn replace_keys(&self, table: KeyTable) -> Result<(), StoreError> {
        self.inner.replace_keys(table).await
    }
}

#[async_trait]
impl UserStore for Gate {
    async fn remember_user(&self, user: UserIdentifier, now: u64) -> Result<(), StoreError> {
        self.inner.remember_user(user, now).await
    }

    async fn forget_user(&self, user: UserIdentifier) -> Result<bool, StoreError> {
        self.inner.forget_user(user).await
    }
}

#[async_trait]
impl OutboxStore for Gate {
    async fn put_wake_up(&self, wake_up: NewWakeUp) -> Result<Put, StoreError> {
        self.puts.fetch_add(1, Ordering::Relaxed);
        if let Some(error) = self.error.lock().unwrap().take() {
            return Err(error);
        }
        if self.hold.load(Ordering::Relaxed) > 0 {
            self.hold.fetch_sub(1, Ordering::Relaxed);
            self.reached.notify_one();
            self.go_on.notified().await;
        }
        self.inner.put_wake_up(wake_up).await
    }

    async fn due_wake_ups(&self, sink: &str, now: u64, limit: usize) -> Result<Vec<WakeUp>, StoreError> {
        self.inner.due_wake_ups(sink, now, limit).await
    }

    async fn settle(&self, wake_up: WakeUp, outcome: Outcome) -> Result<(), StoreError> {
        self.inner.settle(wake_up, outcome).await
    }

    async fn sweep(&self, now: u64, dead_before: u64) -> Result<u64, StoreError> {
        self.inner.sweep(now, dead_before).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.inner.counts().await
    }

    async fn next_due(&self, sink: &str) -> Result<Option<u64>, StoreError> {
        self.inner.next_due(sink).await
    }

    async fn dead_letters(&self, of: Selection, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.inner.dead_letters(of, limit).await
    }

    async fn revive(&self, of: Selection, now: u64, expires_at: u64) -> Result<u64, StoreError> {
        self.inner.revive(of, now, expires_at).await
    }

    async fn drop_wake_ups(&self, of: Selection, waiting: bool) -> Result<u64, StoreError> {
        self.inner.drop_wake_ups(of, waiting).await
    }
}
