//! Listening: the one place that opens sockets (RFC 9110 §4, RFC 9113 §3.3).

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tower::{BoxError, Service};

use crate::client::{ForwardedFor, PerAddress, ProxyProtocol};
use crate::connection::{Agreed, Serving};
use crate::drain::{Drain, Draining, Phase};
use crate::limits::ConnectionLimits;
use crate::observe::{Event, Observe, Observer};
use crate::stack::RequestBody;
use crate::system_error::SystemError;
use crate::tls::Tls;

/// A bound listener, ready to serve HTTP/1.1 and HTTP/2 on one port: over TLS, or with prior knowledge behind a proxy.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    /// Whether another process listens on the same socket, and takes what is left in its queue.
    shared: bool,
    limits: ConnectionLimits,
    tls: Option<Tls>,
    proxy_protocol: Option<ProxyProtocol>,
    forwarded_for: ForwardedFor,
    observer: Observer,
}

/// Why the server cannot listen; the world's fault, or the configuration's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {reason}")]
    Bind {
        /// The address that could not be had.
        address: SocketAddr,
        /// What the operating system said.
        reason: SystemError,
    },
}

impl Server {
    /// Listens on `address`; port 0 takes a free one, see [`Server::address`].
    ///
    /// # Errors
    /// [`ServeError::Bind`].
    pub async fn bind(address: SocketAddr, limits: ConnectionLimits) -> Result<Self, ServeError> {
        let listener = TcpListener::bind(address).await.map_err(|error| refused(address, &error))?;
        Self::from_bound(listener, address, limits, false)
    }

    /// Listens on `address` beside other processes that do so in the same way; the operating system shares
    /// connections out among them.
    ///
    /// # Errors
    /// [`ServeError::Bind`].
    #[cfg(unix)]
    pub fn bind_beside(address: SocketAddr, limits: ConnectionLimits) -> Result<Self, ServeError> {
        let listen = || {
            use tokio::net::TcpSocket;
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.set_reuseaddr(true)?;
            socket.set_reuseport(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        };
        Self::from_bound(listen().map_err(|error| refused(address, &error))?, address, limits, false)
    }

    /// Serves a socket that listens already, such as a service manager holds.
    ///
    /// # Errors
    /// [`ServeError::Bind`].
    pub fn from_listener(
        listener: std::net::TcpListener,
        limits: ConnectionLimits,
    ) -> Result<Self, ServeError> {
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let address = listener.local_addr().map_err(|error| refused(unknown, &error))?;
        let taken = listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener));
        Self::from_bound(taken.map_err(|error| refused(address, &error))?, address, limits, true)
    }

    /// This server, over TLS only.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// This server behind proxies that say for whom they connect, and for nobody else.
    #[must_use]
    pub fn with_proxy_protocol(mut self, proxy_protocol: ProxyProtocol) -> Self {
        self.proxy_protocol = Some(proxy_protocol);
        self
    }

    /// This server behind HTTP proxies that say for whom they ask.
    #[must_use]
    pub fn with_forwarded_for(mut self, forwarded_for: ForwardedFor) -> Self {
        self.forwarded_for = forwarded_for;
        self
    }

    /// This server, telling `observe` what happens to it.
    #[must_use]
    pub fn with_observer(mut self, observe: impl Observe) -> Self {
        self.observer = Observer::new(observe);
        self
    }

    /// The address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready; then takes no more connections, lets those there are finish what they
    /// began, and ends the rest after [`ConnectionLimits::drain`].
    pub async fn run<S, B>(self, service: S, shutdown: impl Future<Output = ()> + Send)
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let drain = Drain::new();
        let end = async {
            shutdown.await;
            drain.end();
        };
        tokio::join!(self.run_until(service, &drain), end);
    }

    /// Serves until `drain` has come to its end, stage by stage.
    pub async fn run_until<S, B>(self, service: S, drain: &Drain)
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Self { listener, limits, tls, proxy_protocol, forwarded_for, shared, observer, .. } = self;
        let draining = drain.draining();
        let door = Arc::new(Door {
            tls,
            proxy_protocol,
            limits,
            room: Arc::new(Semaphore::new(limits.connections)),
            per_address: PerAddress::new(limits.connections_per_address),
        });
        let draining_connections = draining.clone();
        let serving = Serving { service, limits, forwarded_for, draining: draining_connections, observer };
        let mut connections = JoinSet::new();
        accept(listener, &door, &serving, &mut connections, draining.clone(), shared).await;
        let drained = async { while connections.join_next().await.is_some() {} };
        let mut over = draining;
        tokio::select! {
            () = drained => {}
            () = tokio::time::sleep(limits.drain) => {}
            () = over.reached(Phase::Over) => {}
        }
        connections.shutdown().await;
    }

    fn from_bound(
        listener: TcpListener,
        asked: SocketAddr,
        limits: ConnectionLimits,
        shared: bool,
    ) -> Result<Self, ServeError> {
        let address = listener.local_addr().map_err(|error| refused(asked, &error))?;
        let (forwarded_for, observer) = (ForwardedFor::default(), Observer::default());
        Ok(Self {
            listener,
            address,
            shared,
            limits,
            tls: None,
            proxy_protocol: None,
            forwarded_for,
            observer,
        })
    }
}

/// What a connection passes before its first request.
#[derive(Debug)]
struct Door {
    tls: Option<Tls>,
    proxy_protocol: Option<ProxyProtocol>,
    limits: ConnectionLimits,
    room: Arc<Semaphore>,
    per_address: PerAddress,
}

/// How many connections wait in the operating system's queue.
const BACKLOG: u32 = 1024;
/// The pause after the operating system had no room for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

fn refused(address: SocketAddr, error: &io::Error) -> ServeError {
    ServeError::Bind { address, reason: error.into() }
}

/// Accepts until the end, starting one task for each connection, never more than the limit. What is in the queue by
/// then is served too, unless somebody else takes it.
async fn accept<S, B>(
    listener: TcpListener,
    door: &Arc<Door>,
    serving: &Serving<S>,
    connections: &mut JoinSet<()>,
    mut draining: Draining,
    shared: bool,
) where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let mut queued = if shared { 0 } else { BACKLOG };
    loop {
        // The semaphore is never closed.
        let permit = tokio::select! {
            biased;
            Ok(permit) = Arc::clone(&door.room).acquire_owned() => permit,
            () = draining.reached(Phase::Ending) => return,
        };
        while connections.try_join_next().is_some() {}
        if draining.has_reached(Phase::Ending) {
            queued = match queued.checked_sub(1) {
                Some(queued) => queued,
                None => return,
            };
        }
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            () = draining.reached(Phase::Ending) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(Arc::clone(door).admit(stream, peer, serving.clone(), permit));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection accepted");
                serving.observer.note(Event::Refused("operating_system"));
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

impl Door {
    /// Lets one connection in, or not, and serves it to its end.
    async fn admit<S, B>(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        serving: Serving<S>,
        permit: OwnedSemaphorePermit,
    ) where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let open = Open::new(&serving.observer);
        let event = self.pass(stream, peer, serving).await;
        open.0.note(event);
        drop(permit);
    }

    /// How it ended: refused at the door, or served, and why.
    async fn pass<S, B>(&self, mut stream: TcpStream, mut peer: SocketAddr, serving: Serving<S>) -> Event
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        // Answers are small and complete; waiting to fill a segment only delays them.
        let _ = stream.set_nodelay(true);
        if let Some(proxy_protocol) = &self.proxy_protocol {
            let said = proxy_protocol.read(&mut stream, peer);
            match tokio::time::timeout(self.limits.first_bytes, said).await {
                Ok(Ok(client)) => peer = client,
                Ok(Err(_)) => return Event::Refused("proxy_protocol"),
                Err(_) => return Event::Refused("proxy_protocol_timeout"),
            }
        }
        let Some(_place) = self.per_address.enter(peer.ip()) else { return Event::Refused("per_address") };
        let Some(tls) = &self.tls else {
            return Event::Ended(serving.connection(stream, peer, Agreed::Nothing).await);
        };
        match tokio::time::timeout(self.limits.handshake, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                let agreed = match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => Agreed::Http2,
                    _ => Agreed::Http1,
                };
                Event::Ended(serving.connection(stream, peer, agreed).await)
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "no handshake");
                Event::Refused("handshake")
            }
            Err(_) => Event::Refused("handshake_timeout"),
        }
    }
}

/// A connection that counts as open until this is dropped, also if its task is ended from outside.
struct Open(Observer);

impl Open {
    fn new(observer: &Observer) -> Self {
        observer.note(Event::Opened);
        Self(observer.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.note(Event::Closed);
    }
}
