//! The sandbox's sockets, all of them: chatd over TCP, HTTP, and fetching integrators' keys.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::media::{MediaFiles, Opening};
use crate::push::{PushDue, Pushed, Pushes};
use crate::service::{self, CONTROL, ENLIST, JWKS};
use crate::world::{ConnectionId, Output, World, WorldConfig};

/// Outputs that may wait for a slow client before its connection is dropped.
const MAX_QUEUED: usize = 4096;

/// Longest JWKS that is read, in bytes, and how long its server may take.
const MAX_JWKS: usize = 64 * 1024;
/// Longest file of a third party that a phone opens, in bytes.
const MAX_MEDIA: usize = 64 * 1024 * 1024;
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// A running WhatsApp on loopback.
#[derive(Debug)]
pub struct Sandbox {
    http: TcpListener,
    chat: TcpListener,
    addresses: Addresses,
    shared: Arc<Shared>,
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
}

impl Sandbox {
    /// Binds both listeners to ports of the loopback address that the system chooses.
    pub async fn bind(config: WorldConfig, clock: Clock) -> io::Result<Self> {
        let world = World::new(config, Box::new(UnwrapErr(SysRng)));
        let pushes = Pushes::new().map_err(io::Error::other)?;
        let (http, chat) = (TcpListener::bind(LOOPBACK).await?, TcpListener::bind(LOOPBACK).await?);
        let base = format!("http://{}", http.local_addr()?);
        let addresses = Addresses {
            enlist: format!("{base}{ENLIST}"),
            chat: chat.local_addr()?.to_string(),
            jwks: format!("{base}{JWKS}"),
            media: base.clone(),
            control: format!("{base}{CONTROL}"),
            noise_root: hex::encode(world.noise_root()),
        };
        let shared = Shared {
            world: Mutex::new(world),
            clients: Mutex::default(),
            clock,
            pushes: Mutex::new(pushes),
            media: Mutex::default(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            push_clients: [false, true]
                .map(|http2| Client::builder(TokioExecutor::new()).http2_only(http2).build_http()),
        };
        Ok(Self { http, chat, addresses, shared: Arc::new(shared) })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Serves until `shutdown` is done.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                accepted = self.chat.accept() => if let Ok((stream, _)) = accepted {
                    tokio::spawn(serve_chat(Arc::clone(&self.shared), stream));
                },
                accepted = self.http.accept() => if let Ok((stream, _)) = accepted {
                    tokio::spawn(serve_http(Arc::clone(&self.shared), stream));
                },
            }
        }
    }
}

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// The world and what connects it to its sockets.
#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    clients: Mutex<HashMap<ConnectionId, mpsc::Sender<Output>>>,
    clock: Clock,
    pushes: Mutex<Pushes>,
    media: Mutex<MediaFiles>,
    client: Client<HttpConnector, Empty<Bytes>>,
    /// HTTP/1.1 and HTTP/2.
    push_clients: [Client<HttpConnector, Full<Bytes>>; 2],
}

impl Shared {
    /// Does something to what is known of pushes.
    pub(crate) fn with_pushes<T>(&self, act: impl FnOnce(&mut Pushes) -> T) -> T {
        act(&mut self.pushes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does something to the files at the media host.
    pub(crate) fn with_media<T>(&self, act: impl FnOnce(&mut MediaFiles) -> T) -> T {
        act(&mut self.media.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A phone opens a third party's file, which the proxy fetches from its integrator (RO 1.0.3).
    pub(crate) async fn open_media(self: &Arc<Self>, opening: &Opening) -> Option<serde_json::Value> {
        let hosted = self.with_world(|world, _| {
            let (integrator, reference) = opening.hosted(&world.profile.media.interop_direct_path)?;
            Some((world.integrators.get(&integrator)?.base_url.clone(), reference.to_owned()))
        });
        let (base, reference) = hosted?;
        let url = format!("{base}/{reference}").parse().ok()?;
        let fetch = async {
            let (head, body) = self.client.get(url).await.ok()?.into_parts();
            let body = Limited::new(body, MAX_MEDIA).collect().await.ok()?.to_bytes();
            Some((head.status, body))
        };
        match tokio::time::timeout(FETCH_TIMEOUT, fetch).await.ok().flatten() {
            Some((StatusCode::OK, blob)) => opening.open(&blob),
            Some((status, _)) => Some(serde_json::json!({ "status": status.as_u16() })),
            None => Some(serde_json::json!({ "status": 0 })),
        }
    }

    /// Does something to the world, then hands out what came of it: in order, before anybody else may act.
    pub(crate) fn with_world<T>(self: &Arc<Self>, act: impl FnOnce(&mut World, &Clock) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let done = act(&mut world, &self.clock);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((id, output)) = world.poll_output() {
            let sent = clients.get(&id).is_some_and(|client| client.try_send(output).is_ok());
            if !sent {
                // A client that does not read loses its connection.
                clients.remove(&id);
            }
        }
        while let Some(integrator) = world.poll_fetch() {
            let shared = Arc::clone(self);
            tokio::spawn(async move { shared.fetch_keys(integrator.id).await });
        }
        while let Some(due) = world.poll_push() {
            let token = self.with_pushes(|pushes| pushes.token(&world, &due.base_url, self.clock.now()));
            let (shared, path) = (Arc::clone(self), world.profile.push.path.clone());
            tokio::spawn(async move { shared.push(due, &path, token).await });
        }
        done
    }

    /// Sends a push and remembers the answer.
    async fn push(&self, due: PushDue, path: &str, token: Option<String>) {
        let http = self.with_pushes(|pushes| pushes.http);
        let [one, two] = &self.push_clients;
        let client = if http == 2 { two } else { one };
        let send = async {
            let request = hyper::Request::post(format!("{}{path}", due.base_url))
                .header(header::AUTHORIZATION, format!("Bearer {}", token?))
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::from(serde_json::json!({ "to": due.to }).to_string()));
            let (head, body) = client.request(request.ok()?).await.ok()?.into_parts();
            let body = Limited::new(body, MAX_JWKS).collect().await.ok()?.to_bytes();
            Some((head.status.as_u16(), !body.is_empty()))
        };
        let answer = tokio::time::timeout(FETCH_TIMEOUT, send).await.ok().flatten();
        let (status, body) = (answer.map(|(status, _)| status), answer.is_some_and(|(_, body)| body));
        self.with_pushes(|pushes| pushes.remember(Pushed { to: due.to, http, status, body }));
    }

    /// Fetches an integrator's JWKS and gives it to the world, or the news that it could not be had.
    pub(crate) async fn fetch_keys(self: &Arc<Self>, integrator: u16) {
        let url = self.with_world(|world, _| {
            let base = &world.integrators.get(&integrator)?.base_url;
            Some(format!("{base}{}", world.profile.token.jwks_path))
        });
        let Some(url) = url.and_then(|url| url.parse().ok()) else { return };
        let fetch = async {
            let response = self.client.get(url).await.ok()?;
            if response.status() != StatusCode::OK {
                return None;
            }
            let body = Limited::new(response.into_body(), MAX_JWKS).collect().await.ok()?;
            Some(body.to_bytes())
        };
        let body = tokio::time::timeout(FETCH_TIMEOUT, fetch).await.ok().flatten();
        self.with_world(|world, clock| world.handle_keys(integrator, body.as_deref(), clock.now()));
    }

    fn connect(self: &Arc<Self>) -> (ConnectionId, mpsc::Receiver<Output>) {
        let (sender, receiver) = mpsc::channel(MAX_QUEUED);
        let id = self.with_world(|world, clock| world.connect(clock.now()));
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        (id, receiver)
    }

    fn disconnect(self: &Arc<Self>, id: ConnectionId) {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        self.with_world(|world, _| world.disconnect(id));
    }
}

async fn serve_chat(shared: Arc<Shared>, mut stream: TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "nodelay");
    }
    let (id, mut outputs) = shared.connect();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        tokio::select! {
            read = stream.read(&mut buffer) => match read {
                Ok(length) if length > 0 => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    shared.with_world(|world, clock| world.handle_bytes(id, clock.now(), bytes));
                }
                _ => break,
            },
            output = outputs.recv() => match output {
                Some(Output::Bytes(bytes)) if stream.write_all(&bytes).await.is_ok() => {}
                _ => break,
            },
        }
    }
    shared.disconnect(id);
}

async fn serve_http(shared: Arc<Shared>, stream: TcpStream) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, std::convert::Infallible>(service::handle(shared, request).await) }
    });
    let connection = auto::Builder::new(TokioExecutor::new());
    if let Err(error) = connection.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "http connection");
    }
}
