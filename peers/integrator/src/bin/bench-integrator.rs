//! `cargo xtask bench integrator [--json]`: published keys, pushes and tokens a second, against what they are made of.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use measure::{Report, Row, Unit, median};
use peers_integrator::{AUDIENCE, KEYS_PATH, Load, Pushes, credential, issuing};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tower::Service as _;
use wa_http_server::{ConnectionLimits, Server};
use wa_integrator::{
    ChannelSink, Clock, DeliveryRules, Integrator, Outbox, Push, PushRules, SigningKey, SqliteStore, rs256,
};
use wa_jwt::{KeyCache, KeyCacheRules};
use wa_profile::Profile;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// How often each side is measured; a figure is the median.
const ROUNDS: usize = 7;
const CONNECTIONS: usize = 32;
const ROUND_TIME: Duration = Duration::from_millis(700);
/// Pushes of one round.
const PUSHES: usize = 6000;
const AT_A_TIME: usize = 256;
/// Tokens of one round.
const TOKENS: usize = 1500;

fn main() -> Result<(), Fault> {
    let (mut json, mut only) = (false, None);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => json = true,
            "jwks" | "push" | "token" => only = Some(argument),
            other => return Err(format!("bench-integrator does not know `{other}`").into()),
        }
    }
    let wanted = |row: &str| only.as_deref().is_none_or(|only| only == row);
    let threads = std::thread::available_parallelism()?.get();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let mut report = Report::new("what it is made of");
    if wanted("jwks") {
        report.push(runtime.block_on(key_set())?);
    }
    if wanted("push") {
        report.push(pushes(&runtime, threads, "push", Pushes::request)?);
        report.push(pushes(&runtime, threads, "push/repeated token", Pushes::repeated)?);
    }
    if wanted("token") {
        report.push(tokens(&runtime, threads)?);
    }
    report.print(json);
    Ok(())
}

/// The published keys over sockets, against a handler that does nothing but answer with the same bytes.
async fn key_set() -> Result<Row, Fault> {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), ConnectionLimits::default()).await?;
    let address = server.address();
    let service = issuing(&format!("http://{address}"), SigningKey::generate()?);
    let mut asked = Request::get(KEYS_PATH).body(Full::<Bytes>::default())?;
    asked.headers_mut().insert(header::HOST, "localhost".parse()?);
    let Ok(answer) = service.clone().call(asked).await;
    let body = answer.into_body().collect().await?.to_bytes();
    tokio::spawn(server.run(service, std::future::pending()));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let bare = listener.local_addr()?;
    tokio::spawn(serve_bare(listener, body));
    let mut ours = Load::open(address, KEYS_PATH, CONNECTIONS).await?;
    let mut reference = Load::open(bare, KEYS_PATH, CONNECTIONS).await?;
    let (mut our_rates, mut reference_rates) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        our_rates.push(ours.rate(ROUND_TIME).await?);
        reference_rates.push(reference.rate(ROUND_TIME).await?);
    }
    Ok(Row::new("jwks", Unit::PerSecond, median(our_rates), median(reference_rates)))
}

async fn serve_bare(listener: TcpListener, body: Bytes) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let body = body.clone();
        tokio::spawn(async move {
            let service = service_fn(move |_| {
                let response = Response::new(Full::new(body.clone()));
                async move { Ok::<_, Infallible>(response) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Pushes through the service into SQLite, against the bare verification of as many signatures on as many threads: each with
/// a token of its own, or all with one, as WhatsApp may send them for an hour.
fn pushes(
    runtime: &Runtime,
    threads: usize,
    name: &str,
    made: impl Fn(&Pushes, usize) -> Request<Full<Bytes>>,
) -> Result<Row, Fault> {
    let pushes = Arc::new(Pushes::sign(PUSHES));
    let (mut ours, mut reference) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let directory = tempfile::tempdir()?;
        let store = Arc::new(SqliteStore::open(&directory.path().join("store"))?);
        let server = runtime.block_on(async { pushing(&pushes, store) })?;
        // The first push fetches the keys.
        let (first, request) = (server.clone(), made(&pushes, 0));
        let waiting = Mutex::new(Some(request));
        runtime.block_on(each(1, 1, move |_| push(first.clone(), taken(&waiting))))?;
        // What the sender does is not measured.
        let requests: Vec<_> = (0..PUSHES).map(|number| Mutex::new(Some(made(&pushes, number)))).collect();
        let time = runtime.block_on(each(PUSHES, AT_A_TIME, move |number| {
            push(server.clone(), taken(&requests[number]))
        }))?;
        ours.push(per_second(PUSHES, time));
        reference.push(per_second(PUSHES, on_threads(threads, PUSHES, |number| pushes.verify(number))));
    }
    Ok(Row::new(name, Unit::PerSecond, median(ours), median(reference)))
}

fn pushing(pushes: &Pushes, store: Arc<SqliteStore>) -> Result<Integrator, Fault> {
    let (clock, profile) = (Clock::system(), Profile::default());
    let url = profile.push.whatsapp_jwks_url.parse()?;
    let keys = KeyCache::new(pushes.published(), url, KeyCacheRules::default(), rs256);
    // Nobody runs the outbox: what is measured ends with the answer.
    let (sink, _) = ChannelSink::new("channel", 1);
    let outbox = Outbox::new(Arc::clone(&store) as _, vec![Arc::new(sink)], DeliveryRules::default());
    let mut rules = PushRules::new(&profile.push, &AUDIENCE.parse()?, 40);
    (rules.per_user_a_minute, rules.a_second) = (NonZeroU32::MAX, NonZeroU32::MAX);
    let push = Push::new(store, outbox, keys, rules, clock);
    Ok(issuing(AUDIENCE, SigningKey::generate()?).with_push(push))
}

/// A request that was made beforehand, for the one who asks first.
fn taken(request: &Mutex<Option<Request<Full<Bytes>>>>) -> Request<Full<Bytes>> {
    request.lock().ok().and_then(|mut request| request.take()).expect("each is sent once")
}

async fn push(mut server: Integrator, request: Request<Full<Bytes>>) -> StatusCode {
    let Ok(response) = server.call(request).await;
    response.status()
}

/// Tokens through the service, against the bare signing of as many on as many threads.
fn tokens(runtime: &Runtime, threads: usize) -> Result<Row, Fault> {
    let pem = SigningKey::generate()?.to_pem();
    let (bare, server) = (SigningKey::from_pem(&pem)?, issuing(AUDIENCE, SigningKey::from_pem(&pem)?));
    let message = [b'x'; 300];
    let (mut ours, mut reference) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (server, credential) = (server.clone(), credential());
        let time = runtime.block_on(each(TOKENS, 64, move |_| {
            let request = Request::post("/token")
                .header(header::HOST, "integrator.example")
                .header(header::AUTHORIZATION, &credential)
                .body(Full::default())
                .expect("a request");
            push(server.clone(), request)
        }))?;
        ours.push(per_second(TOKENS, time));
        let signing = |_| drop(bare.sign(&message).expect("a signature"));
        reference.push(per_second(TOKENS, on_threads(threads, TOKENS, signing)));
    }
    Ok(Row::new("token", Unit::PerSecond, median(ours), median(reference)))
}

/// Does so many, so many at a time, each answered 200; how long that took.
async fn each<F>(
    count: usize,
    at_a_time: usize,
    work: impl Fn(usize) -> F + Send + Sync + 'static,
) -> Result<Duration, Fault>
where
    F: Future<Output = StatusCode> + Send,
{
    let (work, next) = (Arc::new(work), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    for _ in 0..at_a_time {
        let (work, next) = (Arc::clone(&work), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(());
                }
                match work(number).await {
                    StatusCode::OK => {}
                    status => return Err(format!("request {number} was answered {status}")),
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(start.elapsed())
}

/// Does so many on so many threads; how long that took.
fn on_threads(threads: usize, count: usize, work: impl Fn(usize) + Sync) -> Duration {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    work(number);
                }
            });
        }
    });
    start.elapsed()
}

fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
