//! The driver on virtual time: every call ends, whatever server, store and application do.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use wa_interop::binary::Jid;
use wa_interop::chat::{
    AccountKeys, Content, DisconnectReason, Event, EventId, Mark, MemoryStore, MessageId, NoAnswer, Rows,
    Store, StoreError, Transaction, Typing,
};
use wa_interop::noise::TrustRoot;
use wa_interop::profile::Profile;
use wa_interop::{Client, ClientError, Connector, Drained, Ended, Events, NoToken};
use wa_sandbox::{Integrator, Output, World, WorldConfig};

use crate::chaos::pair::enlisting::{BASE, enlist, token_and_jwks};
use crate::target::environment::{INTEGRATOR, PHONE};

mod cancelling;

/// Longer than anything that a client waits for.
const BOUND: Duration = Duration::from_secs(120);

/// What spoils the certificates of the handshakes to come.
const FAULTS: &str = "faults";

/// How a server and a store behave.
#[derive(Default)]
struct Manners {
    /// The server reads and does nothing.
    is_mute: AtomicBool,
    /// The store is full, except for reading.
    is_full: AtomicBool,
    /// The store does not answer at all.
    is_hung: AtomicBool,
    /// Another process has taken the account over.
    is_fenced: AtomicBool,
    /// Somebody else is at the server's address.
    is_impostor: AtomicBool,
    /// How long a connection takes to be made.
    dial: Duration,
    dials: AtomicUsize,
    /// How often the phone was shown that somebody types, over connections that have ended.
    typings: AtomicUsize,
}

/// A client, its manners, and what it needs to log in.
struct Driven {
    client: Client,
    events: Events,
    manners: Arc<Manners>,
    store: Weak<Held>,
    token: String,
}

/// A store that may be full.
struct Held(MemoryStore, Arc<Manners>);

impl Store for Held {
    async fn run(&self, transaction: &Transaction) -> Result<Rows, StoreError> {
        if self.1.is_fenced.load(Ordering::Relaxed) {
            return Err(StoreError::Fenced);
        }
        if self.1.is_hung.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        let writes = !transaction.writes.is_empty() || transaction.erase;
        if writes && self.1.is_full.load(Ordering::Relaxed) {
            return Err(StoreError::Full);
        }
        Ok(self.0.apply(transaction))
    }
}

/// A stream in memory to a local WhatsApp.
struct Pipe(mpsc::UnboundedSender<DuplexStream>, Arc<Manners>);

impl Connector for Pipe {
    type Stream = DuplexStream;

    async fn connect(&self) -> io::Result<DuplexStream> {
        self.1.dials.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(self.1.dial).await;
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        self.0.send(theirs).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(ours)
    }
}

impl Driven {
    async fn new(manners: Manners) -> Self {
        let mut rng = StdRng::seed_from_u64(7);
        let profile = Profile::reference_offer_1_0_3();
        let integrators = vec![Integrator { id: INTEGRATOR, base_url: BASE.to_owned() }];
        let config = WorldConfig {
            profile: profile.clone(),
            integrators,
            phones: vec![PHONE.to_owned()],
            strict: true,
        };
        let mut world = World::new(config, Box::new(StdRng::seed_from_u64(8)));
        let now = wa_sandbox::Clock::default().now();
        let (token, jwks) = token_and_jwks(now, &mut rng).unwrap();
        world.handle_keys(INTEGRATOR, Ok(&jwks), now);
        let keys = AccountKeys::generate(&mut rng);
        let login = enlist(&mut world, &keys, &token, &profile, now).unwrap();
        let root = TrustRoot::new(wa_interop::keys::PublicKey::from_bytes(world.noise_root()));
        let manners = Arc::new(manners);
        let (streams, accepted) = mpsc::unbounded_channel();
        tokio::spawn(serve(world, accepted, Arc::clone(&manners)));
        let store = Arc::new(Held(MemoryStore::default(), Arc::clone(&manners)));
        Client::create(&store, &keys).await.unwrap();
        let weak = Arc::downgrade(&store);
        let pipe = Pipe(streams, Arc::clone(&manners));
        let (client, events) = Client::open(store, pipe, profile, root).await.unwrap();
        client.enlisted(login).await.unwrap();
        Self { client, events, manners, store: weak, token }
    }

    async fn connected() -> Self {
        let driven = Self::new(Manners::default()).await;
        driven.client.connect(driven.token.clone()).await.unwrap();
        driven
    }
}

/// Serves one connection after the other.
async fn serve(mut world: World, mut accepted: mpsc::UnboundedReceiver<DuplexStream>, manners: Arc<Manners>) {
    while let Some(mut stream) = accepted.recv().await {
        let now = wa_sandbox::Clock::default().now();
        let fault = if manners.is_impostor.load(Ordering::Relaxed) { "\"leaf_signature\"" } else { "null" };
        let fault = format!("{{\"certificate\":{fault}}}");
        world.control(&wa_sandbox::Clock::default(), "POST", FAULTS, fault.as_bytes()).unwrap();
        let id = world.connect(now);
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            if manners.is_mute.load(Ordering::Relaxed) {
                continue;
            }
            world.handle_bytes(id, now, &buffer[..length]);
            while let Some((_, output)) = world.poll_output() {
                let Output::Bytes(bytes) = output else { continue };
                stream.write_all(&bytes).await.ok();
            }
        }
        world.disconnect(id);
        let phone =
            world.control(&wa_sandbox::Clock::default(), "GET", &format!("phones/{PHONE}"), b"").unwrap();
        manners.typings.store(phone["typing"].as_array().unwrap().len(), Ordering::Relaxed);
    }
}

async fn in_time<T>(what: &str, call: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, call).await.unwrap_or_else(|_| panic!("`{what}` did not return"))
}

fn phone() -> Jid {
    Jid::phone(PHONE).unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_call_ends_though_the_server_answers_nothing() {
    let Driven { client, manners, .. } = Driven::connected().await;
    manners.is_mute.store(true, Ordering::Relaxed);
    for number in 0..300 {
        let id = MessageId(number.to_string());
        in_time("send", client.send(phone(), id, Content::text("text"))).await.unwrap();
    }
    in_time("confirm", client.confirm(EventId(0))).await.unwrap();
    in_time("mark", client.mark(phone(), vec![MessageId("1".into())], Mark::Read)).await.unwrap();
    in_time("typing", client.typing(phone(), Typing::Composing)).await.unwrap();
    let answer = in_time("blocklist", client.blocklist()).await;
    // The line is found dead before the question is a minute old.
    assert_eq!(answer, Err(ClientError::Answer(NoAnswer::Lost)));
    in_time("disconnect", client.disconnect()).await.unwrap();
    in_time("close", client.close()).await;
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_disconnect_finds_no_connection() {
    let Driven { client, manners, token, .. } = Driven::new(Manners::default()).await;
    for _ in 0..32 {
        in_time("connect", client.connect(token.clone())).await.unwrap();
        in_time("disconnect", client.disconnect()).await.unwrap();
        in_time("typing", client.typing(phone(), Typing::Composing)).await.unwrap();
    }
    in_time("connect", client.connect(token)).await.unwrap();
    assert_eq!(manners.typings.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_with_the_last_confirmation_and_not_with_the_next_timer() {
    for taker_is_slow in [false, true] {
        let Driven { client, mut events, token, .. } = Driven::new(Manners::default()).await;
        client.connect(token).await.unwrap();
        let begun = tokio::time::Instant::now();
        let taking = async {
            while let Ok(event) = events.next().await {
                if taker_is_slow {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                client.confirm_through(&event).await.unwrap();
            }
        };
        tokio::select! {
            () = taking => panic!("the client ended"),
            drained = client.drain(begun + BOUND) => assert_eq!(drained, Ok(Drained::Empty)),
        }
        // Connected, what waits, and that nothing does.
        assert!(begun.elapsed() <= Duration::from_secs(4), "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_without_a_connection_ends_in_time() {
    let Driven { client, .. } = Driven::new(Manners::default()).await;
    let until = tokio::time::Instant::now() + Duration::from_secs(9);
    assert_eq!(client.drain(until).await, Ok(Drained::TimeUp));
    assert_eq!(tokio::time::Instant::now(), until);
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_is_dropped_ends_its_attempt() {
    let manners = Manners { dial: Duration::from_secs(10), ..Manners::default() };
    let Driven { client, manners, token, .. } = Driven::new(manners).await;
    for seconds in [1, 9] {
        let connecting = client.connect(token.clone());
        assert!(tokio::time::timeout(Duration::from_secs(seconds), connecting).await.is_err());
    }
    // Nothing of it is left that this one would meet.
    in_time("connect", client.connect(token)).await.unwrap();
    assert_eq!(manners.dials.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_client_nobody_holds_ends_though_it_stays_connected() {
    let Driven { client, events, store, token, .. } = Driven::new(Manners::default()).await;
    let mut staying = tokio::spawn(client.stay_connected(move || std::future::ready(Ok(token.clone()))));
    assert!(tokio::time::timeout(Duration::from_secs(60), &mut staying).await.is_err());
    drop((client, events));
    let ended = in_time("stay_connected", staying).await.unwrap();
    assert_eq!(ended, ClientError::Ended(Ended::Closed));
    assert!(store.upgrade().is_none(), "the task still holds its store");
}

#[tokio::test(start_paused = true)]
async fn a_user_who_has_left_is_asked_for_no_more_tokens() {
    let Driven { client, .. } = Driven::new(Manners::default()).await;
    let mut asked = 0;
    let ended = client.stay_connected(move || {
        asked += 1;
        std::future::ready(Err(if asked < 3 { NoToken::Later } else { NoToken::Never }))
    });
    assert_eq!(in_time("stay_connected", ended).await, ClientError::NoToken);
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_events_nobody_takes_goes_on() {
    let Driven { client, events, token, .. } = Driven::new(Manners::default()).await;
    drop(events);
    in_time("connect", client.connect(token)).await.unwrap();
    for number in 0..400 {
        let id = MessageId(number.to_string());
        in_time("send", client.send(phone(), id, Content::text("text"))).await.unwrap();
    }
    in_time("blocklist", client.blocklist()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_ends_a_dial() {
    let manners = Manners { dial: Duration::from_secs(10), ..Manners::default() };
    let Driven { client, manners, token, .. } = Driven::new(manners).await;
    let connecting = client.connect(token.clone());
    let disconnecting = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        client.disconnect().await.unwrap();
    };
    let (connected, ()) = tokio::join!(connecting, disconnecting);
    assert_eq!(connected, Err(ClientError::Disconnected(DisconnectReason::Closed)));
    assert_eq!(manners.dials.load(Ordering::Relaxed), 1);
    in_time("connect", client.connect(token)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_ends_staying_connected_wherever_it_is() {
    // While a token is fetched, while it pauses, while it dials, while the login stands.
    for seconds in [1, 20, 40, 100] {
        let manners = Manners { dial: Duration::from_secs(30), ..Manners::default() };
        let Driven { client, token, .. } = Driven::new(manners).await;
        let mut asked = 0;
        let staying = client.stay_connected(move || {
            asked += 1;
            let token = token.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(10)).await;
                if asked == 1 { Err(NoToken::Later) } else { Ok(token) }
            }
        });
        let disconnecting = async {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            client.disconnect().await.unwrap();
        };
        let (ended, ()) = in_time("stay_connected", async { tokio::join!(staying, disconnecting) }).await;
        assert_eq!(ended, ClientError::Disconnected(DisconnectReason::Closed), "after {seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_server_is_given_up_only_when_it_stays() {
    for (minutes, stays) in [(9, false), (30, true)] {
        let Driven { client, mut events, manners, token, .. } = Driven::new(Manners::default()).await;
        manners.is_impostor.store(true, Ordering::Relaxed);
        let staying = client.stay_connected(move || std::future::ready(Ok(token.clone())));
        tokio::pin!(staying);
        let begun = tokio::time::Instant::now();
        let ended = tokio::time::timeout(Duration::from_secs(60 * minutes), &mut staying).await;
        assert!(manners.dials.load(Ordering::Relaxed) >= 5, "it was tried");
        if stays {
            let Ok(ClientError::Disconnected(reason)) = ended else { panic!("{ended:?}") };
            assert!(reason.is_impostor(), "{reason}");
            assert!(begun.elapsed() >= Duration::from_secs(600), "{:?}", begun.elapsed());
            continue;
        }
        assert!(ended.is_err(), "{ended:?}");
        manners.is_impostor.store(false, Ordering::Relaxed);
        let connected = async { while events.next().await != Ok(Event::Connected) {} };
        tokio::select! {
            _ = &mut staying => panic!("it gave up"),
            () = in_time("login", connected) => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_store_is_told_and_holds_up_no_end() {
    let Driven { client, mut events, manners, .. } = Driven::new(Manners::default()).await;
    manners.is_full.store(true, Ordering::Relaxed);
    let waiting = tokio::time::timeout(BOUND, client.confirm(EventId(0))).await;
    assert!(waiting.is_err(), "it is not durable");
    assert_eq!(events.next().await, Ok(Event::StoreStalled(StoreError::Full)));
    // It goes on when there is room.
    manners.is_full.store(false, Ordering::Relaxed);
    in_time("confirm", client.confirm(EventId(0))).await.unwrap();
    manners.is_full.store(true, Ordering::Relaxed);
    assert!(tokio::time::timeout(BOUND, client.confirm(EventId(0))).await.is_err());
    in_time("close", client.close()).await;
}

/// More calls than a client takes in while its store is full.
async fn crowded(client: &Client, manners: &Manners) -> tokio::task::JoinSet<Result<(), ClientError>> {
    manners.is_full.store(true, Ordering::Relaxed);
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..400 {
        let client = client.clone();
        calls.spawn(async move { client.confirm(EventId(number)).await });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    calls
}

#[tokio::test(start_paused = true)]
async fn a_full_store_with_a_crowd_before_it_holds_up_no_connection_and_no_end() {
    let Driven { client, manners, token, .. } = Driven::new(Manners::default()).await;
    let mut calls = crowded(&client, &manners).await;
    in_time("public_keys", client.public_keys()).await.unwrap();
    in_time("connect", client.connect(token.clone())).await.unwrap();
    let asked = in_time("blocklist", client.blocklist()).await;
    assert_eq!(asked, Err(ClientError::Answer(NoAnswer::Late)), "it waits behind the others");
    in_time("typing", client.typing(phone(), Typing::Composing)).await.unwrap();
    in_time("disconnect", client.disconnect()).await.unwrap();
    in_time("connect again", client.connect(token)).await.unwrap();
    assert!(calls.try_join_next().is_none(), "nothing of it is durable");
    calls.shutdown().await;
    in_time("close", client.close()).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_holds_up_no_end() {
    let Driven { client, manners, store, .. } = Driven::connected().await;
    manners.is_hung.store(true, Ordering::Relaxed);
    let waiting = tokio::time::timeout(BOUND, client.confirm(EventId(0))).await;
    assert!(waiting.is_err(), "it is not durable");
    in_time("close", client.close()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(store.upgrade().is_none(), "the task still holds its store");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_comes_and_goes_is_told_of_once_where_nobody_listens() {
    let Driven { client, mut events, manners, .. } = Driven::new(Manners::default()).await;
    for number in 0..20 {
        manners.is_full.store(true, Ordering::Relaxed);
        assert!(tokio::time::timeout(BOUND, client.confirm(EventId(number))).await.is_err());
        manners.is_full.store(false, Ordering::Relaxed);
        in_time("confirm", client.confirm(EventId(number))).await.unwrap();
    }
    let mut told = 0;
    while let Ok(Ok(event)) = tokio::time::timeout(BOUND, events.next()).await {
        assert_eq!(event, Event::StoreStalled(StoreError::Full));
        told += 1;
    }
    // One was on its way already.
    assert!((1..=2).contains(&told), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_dropped_ends_though_its_store_is_full() {
    let Driven { client, manners, store, .. } = Driven::new(Manners::default()).await;
    crowded(&client, &manners).await.shutdown().await;
    drop(client);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(store.upgrade().is_none(), "the task still holds its store");
}

#[tokio::test(start_paused = true)]
async fn a_fenced_client_ends_and_so_do_its_calls() {
    let Driven { client, mut events, manners, store, .. } = Driven::connected().await;
    manners.is_fenced.store(true, Ordering::Relaxed);
    assert_eq!(in_time("confirm", client.confirm(EventId(0))).await, Err(ClientError::Ended(Ended::Fenced)));
    let ended = in_time("next", async {
        loop {
            if let Err(ended) = events.next().await {
                return ended;
            }
        }
    });
    assert_eq!(ended.await, Ended::Fenced);
    assert!(store.upgrade().is_none(), "the task still holds its store");
}

#[tokio::test(start_paused = true)]
async fn calls_after_a_deletion_end() {
    let Driven { client, .. } = Driven::connected().await;
    in_time("delete_account", client.delete_account()).await.unwrap();
    assert_eq!(in_time("confirm", client.confirm(EventId(0))).await, Err(ClientError::Ended(Ended::Deleted)));
}

#[tokio::test(start_paused = true)]
async fn a_busy_application_does_not_keep_the_line_waiting() {
    let Driven { client, .. } = Driven::connected().await;
    let calls = Arc::new(Mutex::new(0_u32));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (client, calls) = (client.clone(), Arc::clone(&calls));
        callers.spawn(async move {
            loop {
                client.typing(phone(), Typing::Composing).await.unwrap();
                *calls.lock().unwrap() += 1;
                if *calls.lock().unwrap() > 100_000 {
                    return;
                }
            }
        });
    }
    let before = *calls.lock().unwrap();
    in_time("blocklist", client.blocklist()).await.unwrap();
    let during = *calls.lock().unwrap() - before;
    assert!(during < 5_000, "{during} calls were done before one answer was read");
}
