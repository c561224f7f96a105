//! The sandbox's sockets, all of them: chatd over TCP, HTTP, the demonstration integrator, and what is fetched.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

use crate::api::BASE;
use crate::clock::Clock;
use crate::demo::Demo;
use crate::demo::users::Users;
use crate::keeping::Keeper;
use crate::outgoing::Outgoing;
use crate::phone::Manners;
use crate::push::Pushes;
use crate::sabotage::Sabotage;
use crate::service::{self, ENLIST, JWKS};
use crate::shared::{Line, Shared};
use crate::tls::Tls;
use crate::world::{Integrator, World, WorldConfig};

/// How often the world is told that time passes.
const TICK: Duration = Duration::from_secs(1);

/// How long nothing is accepted after a connection could not be.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a TLS handshake may take.
const TLS_PATIENCE: Duration = Duration::from_secs(10);

/// Events that may wait for a slow listener.
const MAX_EVENTS: usize = 1024;

/// Frames that go out in one write.
const MAX_AT_ONCE: usize = 64;

/// A running WhatsApp.
#[derive(Debug)]
pub struct Sandbox {
    http: TcpListener,
    chat: TcpListener,
    demo: Option<(TcpListener, Arc<Demo>)>,
    https: TcpListener,
    tls: Tls,
    shared: Arc<Shared>,
    keeper: Option<Keeper>,
}

/// Where a sandbox is to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The address; off loopback a token is needed.
    pub address: IpAddr,
    /// The port of HTTP; chatd has the next one, the demonstration integrator the one after that, HTTPS the
    /// fourth. 0: any.
    pub port: u16,
    /// What the control interface demands as bearer token, if anything.
    pub token: Option<String>,
    /// Whether there is a demonstration integrator, with the id 1.
    pub demo: bool,
    /// The file in which accounts, mail and phones are kept, with the transcript and media beside it, and from which they
    /// go on.
    pub state: Option<PathBuf>,
    /// The authorities, in PEM, whose certificates third parties' servers may have; without any they speak no TLS.
    pub authorities: Option<String>,
}

impl Default for Binding {
    /// Any ports on loopback.
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            token: None,
            demo: false,
            state: None,
            authorities: None,
        }
    }
}

/// Where the sandbox is reached; what the program prints when it is ready.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Addresses {
    /// URL of the enlistment API.
    pub enlist: String,
    /// Host and port of chatd.
    pub chat: String,
    /// URL of WhatsApp's own JWKS.
    pub jwks: String,
    /// Origin of the media host.
    #[serde(default)]
    pub media: String,
    /// Base URL of the control interface.
    pub control: String,
    /// The root key of chatd's certificates, in hex.
    pub noise_root: String,
    /// Origin of everything over TLS, too.
    #[serde(default)]
    pub https: String,
    /// The certificate of the authority for it, in PEM.
    #[serde(default)]
    pub ca: String,
    /// Base URL of the demonstration integrator, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrator: Option<String>,
}

impl Sandbox {
    /// Binds to ports of the loopback address that the system chooses.
    ///
    /// # Errors
    /// The system gives no port.
    pub async fn bind(config: WorldConfig, clock: Clock) -> io::Result<Self> {
        Self::bind_at(config, clock, Binding::default()).await
    }

    /// Binds where it is told.
    ///
    /// # Errors
    /// A port is taken, the address is not this machine's, or there is a state that cannot be used.
    pub async fn bind_at(mut config: WorldConfig, clock: Clock, binding: Binding) -> io::Result<Self> {
        let Sockets { http, chat, demo, https } = Sockets::bind(&binding).await?;
        let tls = Tls::generate().map_err(io::Error::other)?;
        let outgoing = Outgoing::new(binding.authorities.as_deref()).map_err(io::Error::other)?;
        let base = format!("http://{}", reachable(http.local_addr()?));
        config.profile.media.whatsapp_origin.clone_from(&base);
        let demo_url = match &demo {
            Some(listener) => Some(format!("http://{}", reachable(listener.local_addr()?))),
            None => None,
        };
        config.integrators.extend(demo_url.clone().map(|base_url| Integrator { id: DEMO, base_url }));
        let rules = config.profile.clone();
        let mut world = World::new(config, Box::new(UnwrapErr(SysRng)));
        let mut pushes = Pushes::new().map_err(io::Error::other)?;
        let open = |path: PathBuf| Keeper::open(&path, &mut world, &mut pushes, &clock);
        let keeper = binding.state.map(open).transpose().map_err(io::Error::other)?;
        let addresses = Addresses {
            enlist: format!("{base}{ENLIST}"),
            chat: reachable(chat.local_addr()?).to_string(),
            jwks: format!("{base}{JWKS}"),
            media: base.clone(),
            control: format!("{base}{BASE}"),
            noise_root: hex::encode(world.noise_root()),
            https: format!("https://{}", reachable(https.local_addr()?)),
            ca: tls.authority.clone(),
            integrator: demo_url.clone(),
        };
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            opening: RwLock::default(),
            clients: Mutex::new(HashMap::new()),
            clock,
            pushes: Mutex::new(pushes),
            outgoing,
            events: broadcast::channel(MAX_EVENTS).0,
            exchanges: Mutex::default(),
            users: Users::default(),
            token: binding.token,
            addresses,
        });
        let demo = demo.zip(demo_url).map(|(listener, base_url)| {
            let demo = Demo::new(DEMO, base_url, rules, Arc::clone(&shared)).map_err(io::Error::other)?;
            Ok::<_, io::Error>((listener, Arc::new(demo)))
        });
        Ok(Self { http, chat, demo: demo.transpose()?, https, tls, shared, keeper })
    }

    /// Adds three WhatsApp users with different manners: one answers with an echo, one shows that it reads and types and
    /// takes two seconds, one says nothing but that messages have arrived.
    #[must_use]
    pub fn with_three_phones(self) -> Self {
        let phones = [
            ("14155551001", Manners::default()),
            ("14155551002", Manners { lively: true, answers_after: 2, ..Manners::default() }),
            ("14155551003", Manners { answers: false, ..Manners::default() }),
        ];
        let phones = phones.map(|(number, manners)| (number.to_owned(), manners));
        self.shared.with_world(|world, _| world.begin_with(phones.to_vec()));
        self
    }

    /// The same with this wrong on purpose, from now on.
    #[must_use]
    pub fn sabotaged(self, sabotage: Sabotage) -> Self {
        self.shared.with_world(|world, _| world.sabotage = sabotage);
        self
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.shared.addresses
    }

    /// Serves until `shutdown` is done.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        if let Some((listener, demo)) = self.demo.take() {
            tokio::spawn(serve_demo(listener, demo));
        }
        loop {
            tokio::select! {
                () = &mut shutdown => {
                    self.keep();
                    return;
                }
                _ = ticks.tick() => {
                    self.shared.tick();
                    self.keep();
                }
                stream = accepted(&self.chat) => {
                    tokio::spawn(serve_chat(Arc::clone(&self.shared), stream));
                }
                stream = accepted(&self.https) => {
                    tokio::spawn(serve_tls(self.tls.clone(), Arc::clone(&self.shared), stream));
                }
                stream = accepted(&self.http) => {
                    let shared = Arc::clone(&self.shared);
                    tokio::spawn(serve_http(stream, move |request| service::handle(Arc::clone(&shared), request)));
                }
            }
        }
    }
}

impl Sandbox {
    fn keep(&mut self) {
        if let Some(keeper) = &mut self.keeper
            && let Err(error) = keeper.save(&self.shared)
        {
            tracing::error!(%error, "the state is not kept");
        }
    }
}

/// The demonstration integrator's id.
pub(crate) const DEMO: u16 = 1;

/// The bound listeners.
struct Sockets {
    http: TcpListener,
    chat: TcpListener,
    demo: Option<TcpListener>,
    https: TcpListener,
}

impl Sockets {
    async fn bind(binding: &Binding) -> io::Result<Self> {
        let at = |offset: u16| match binding.port {
            0 => SocketAddr::new(binding.address, 0),
            port => SocketAddr::new(binding.address, port.saturating_add(offset)),
        };
        let (http, chat) = (listener(at(0)).await?, listener(at(1)).await?);
        let demo = if binding.demo { Some(listener(at(2)).await?) } else { None };
        let https = listener(at(3)).await?;
        Ok(Self { http, chat, demo, https })
    }
}

/// A connection to chatd, for the demonstration users.
pub(crate) async fn dial(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
    TcpListener::bind(address).await.map_err(named)
}

/// What is bound to every address is reached on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

/// The next connection. After an error there is a pause: one client is gone, or there are no file descriptors left for a
/// while.
async fn accepted(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve_demo(listener: TcpListener, demo: Arc<Demo>) {
    loop {
        let stream = accepted(&listener).await;
        let demo = Arc::clone(&demo);
        tokio::spawn(serve_http(stream, move |request| crate::demo::handle(Arc::clone(&demo), request)));
    }
}

/// Carries bytes between a client and the world. What the world wants sent at one time goes out in one write, and a client
/// that says nothing has no buffer.
async fn serve_chat(shared: Arc<Shared>, mut stream: TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "nodelay");
    }
    let mut line = shared.connect();
    loop {
        tokio::select! {
            ready = stream.readable() => if ready.is_err() || read_ready(&shared, &stream, &mut line).is_err() {
                break;
            },
            count = line.outputs.recv_many(&mut line.next, MAX_AT_ONCE) => if count == 0 {
                break;
            },
        }
        let (bytes, is_end) = line.take_next();
        if stream.write_all(&bytes).await.is_err() || is_end {
            break;
        }
    }
    shared.disconnect(line.id);
}

/// Gives the world what has arrived; an error at the end of the stream.
fn read_ready(shared: &Arc<Shared>, stream: &TcpStream, line: &mut Line) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    match stream.try_read(&mut buffer) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(length) => {
            shared.handle_bytes(line, buffer.get(..length).unwrap_or_default());
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}

async fn serve_tls(tls: Tls, shared: Arc<Shared>, stream: TcpStream) {
    match tokio::time::timeout(TLS_PATIENCE, tls.acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            serve_http(stream, move |request| service::handle(Arc::clone(&shared), request)).await;
        }
        Ok(Err(error)) => tracing::warn!(%error, "a client did not complete the TLS handshake"),
        Err(_) => tracing::warn!("a client did not complete the TLS handshake in time"),
    }
}

async fn serve_http<S, F, B>(stream: S, handle: impl Fn(Request<Incoming>) -> F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let service = service_fn(|request| {
        let answer = handle(request);
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let connection = auto::Builder::new(TokioExecutor::new());
    if let Err(error) = connection.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "http connection");
    }
}

/// Asks a running sandbox over HTTP: the status and the body of its answer.
///
/// # Errors
/// The URL is none, or nobody answers there.
pub async fn ask(
    method: &str,
    url: &str,
    token: Option<&str>,
    body: Option<String>,
) -> Result<(u16, String), Box<dyn std::error::Error + Send + Sync>> {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::builder().method(method).uri(url);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Full::from(body.unwrap_or_default()))?;
    let (head, body) = client.request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok((head.status.as_u16(), String::from_utf8_lossy(&body).into_owned()))
}
