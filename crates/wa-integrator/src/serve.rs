//! Listening: the one place that opens sockets, and every limit on a connection (seed part 1: HTTP/1.1 and
//! HTTP/2).

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tower::Service;

use crate::{AnswerBody, PeerAddress, ServeError, preface::Prefaced};

/// A bound listener, ready to serve HTTP/1.1 and HTTP/2 with prior knowledge on one port, without TLS.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: ConnectionLimits,
}

/// What one connection, and all of them, may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// How many connections are served at a time; further ones wait in the operating system's queue.
    pub connections: usize,
    /// How long a new connection may take to show its first bytes.
    pub first_bytes: Duration,
    /// How long a request's head may take, and how long an HTTP/1.1 connection may wait for the next one.
    pub head: Duration,
    /// How long a connection lives before it is asked to end.
    pub age: Duration,
    /// How long a connection that was asked to end may take to answer what it has begun.
    pub drain: Duration,
}

impl Server {
    /// Listens on `address`; port 0 takes a free one, see [`Server::address`].
    ///
    /// # Errors
    /// [`ServeError::Bind`].
    pub async fn bind(address: SocketAddr, limits: ConnectionLimits) -> Result<Self, ServeError> {
        let refused = |error: io::Error| ServeError::Bind { address, kind: error.kind() };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, limits })
    }

    /// The address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready; then takes no more connections, lets those there are finish what they
    /// began, and ends the rest after [`ConnectionLimits::drain`].
    pub async fn run<S>(self, service: S, shutdown: impl Future<Output = ()> + Send)
    where
        S: Service<Request<Incoming>, Response = Response<AnswerBody>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send,
    {
        let Self { listener, limits, .. } = self;
        let (stop, stopping) = watch::channel(());
        let mut connections = JoinSet::new();
        tokio::select! {
            () = shutdown => {}
            () = accept(&listener, limits, &mut connections, |stream, peer| {
                let service = FromPeer { service: service.clone(), peer };
                connection(stream, service, limits, stopping.clone())
            }) => {}
        }
        drop((listener, stop));
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(limits.drain, drained).await.is_err() {
            connections.shutdown().await;
        }
    }
}

impl ConnectionLimits {
    /// These limits with another number of connections.
    #[must_use]
    pub const fn with_connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// These limits with other times: for the first bytes, for a head, for a life and for an end.
    #[must_use]
    pub const fn with_times(
        mut self,
        first_bytes: Duration,
        head: Duration,
        age: Duration,
        drain: Duration,
    ) -> Self {
        self.first_bytes = first_bytes;
        self.head = head;
        self.age = age;
        self.drain = drain;
        self
    }
}

impl Default for ConnectionLimits {
    /// 1024 connections; 10 s for the first bytes and for a head, ten minutes of life, 10 s to end.
    fn default() -> Self {
        Self {
            connections: 1024,
            first_bytes: Duration::from_secs(10),
            head: Duration::from_secs(10),
            age: Duration::from_secs(600),
            drain: Duration::from_secs(10),
        }
    }
}

/// Tells the service who is at the other end.
#[derive(Debug, Clone)]
struct FromPeer<S> {
    service: S,
    peer: SocketAddr,
}

impl<S: Service<Request<Incoming>>> Service<Request<Incoming>> for FromPeer<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(PeerAddress(self.peer));
        self.service.call(request)
    }
}

/// How many bytes and fields a request's head may have.
const HEAD_BYTES_MAX: u32 = 16 * 1024;
const HEAD_FIELDS_MAX: usize = 64;
/// HTTP/2: how many requests at a time, and how much reset or unanswered before the connection is closed.
const STREAMS_MAX: u32 = 100;
const RESETS_MAX: usize = 20;
/// HTTP/2: how much a peer may send unasked, in one request and in all; uploads of media are the only long bodies.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 512 * 1024;
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after the operating system had no room for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts for ever, starting one task for each connection, never more than the limit.
async fn accept<F>(
    listener: &TcpListener,
    limits: ConnectionLimits,
    connections: &mut JoinSet<()>,
    serve: impl Fn(TcpStream, SocketAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(limits.connections));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                let serving = serve(stream, peer);
                connections.spawn(async move {
                    let _permit = permit;
                    serving.await;
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(kind = %error.kind(), "no connection accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether only the connection being accepted is affected.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Serves one connection to its end, its age, or the server's stop.
async fn connection<S>(
    stream: TcpStream,
    service: S,
    limits: ConnectionLimits,
    mut stopping: watch::Receiver<()>,
) where
    S: Service<Request<Incoming>, Response = Response<AnswerBody>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    // Answers are small and complete; waiting to fill a segment only delays them.
    let _ = stream.set_nodelay(true);
    let prefaced = tokio::select! {
        prefaced = Prefaced::read(stream, limits.first_bytes) => prefaced,
        _ = stopping.changed() => return,
    };
    let Ok(stream) = prefaced else { return };
    let builder = http_builder(limits);
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        ended = serving.as_mut() => {
            if ended.is_err() {
                tracing::debug!("connection ended with an error");
            }
            return;
        }
        _ = stopping.changed() => {}
        () = tokio::time::sleep(limits.age) => {}
    }
    serving.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(limits.drain, serving).await;
}

/// Every limit that hyper knows, named: its defaults are not a promise.
fn http_builder(limits: ConnectionLimits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(HEAD_FIELDS_MAX)
        .max_buf_size(16 * 1024)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX)
        .max_frame_size(16 * 1024)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(RESETS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(64 * 1024)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
