//! A server that runs, and clients of it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use wa_http::{HttpLimits, HyperClient, PlainHttp};
use wa_http_server::{ConnectionLimits, Drain, Server};

use crate::echo::Echo;
use crate::server::integrator;

pub(crate) const JWKS: &str = "/.well-known/oauth/openid/jwks";
/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a free loopback port.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) drain: Drain,
    pub(crate) ended: JoinHandle<()>,
}

impl Running {
    /// The third party's server.
    pub(crate) async fn integrator(limits: ConnectionLimits) -> Self {
        let server = Server::bind(loopback(), limits).await.unwrap();
        let (service, _) = integrator(&format!("http://{}", server.address()));
        let (address, drain) = (server.address(), Drain::new());
        let stages = drain.clone();
        let ended = tokio::spawn(async move { server.run_until(service, &stages).await });
        Self { address, drain, ended }
    }

    /// A server that echoes, changed before it runs.
    pub(crate) async fn echo(
        limits: ConnectionLimits,
        change: impl FnOnce(Server) -> Server,
    ) -> (Self, Echo) {
        let server = change(Server::bind(loopback(), limits).await.unwrap());
        let (service, address, drain) = (Echo::default(), server.address(), Drain::new());
        let (stages, echo) = (drain.clone(), service.clone());
        let ended = tokio::spawn(async move { server.run_until(service, &stages).await });
        (Self { address, drain, ended }, echo)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes and reads until the server closes.
    pub(crate) async fn raw(&self, sent: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // A server that has had enough closes while it is still being written to.
        let _ = stream.write_all(sent.as_ref()).await;
        let read = tokio::time::timeout(PATIENCE, to_end(&mut stream)).await;
        String::from_utf8_lossy(&read.unwrap_or_else(|_| panic!("still open"))).into_owned()
    }

    /// Asks it to end and waits for that, which must come well within the drain time.
    pub(crate) async fn stop(self) {
        self.drain.end();
        tokio::time::timeout(Duration::from_secs(5), self.ended).await.unwrap().unwrap();
    }
}

pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Everything until the other end closes; a reset is an end too.
pub(crate) async fn to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read).await;
    read
}

/// Reads one answer whose body ends with this.
pub(crate) async fn answer(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    let reading = async {
        while !read.ends_with(end.as_bytes()) {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "it closed");
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("no answer"));
    String::from_utf8(read).unwrap()
}

/// The status lines among what was read.
pub(crate) fn statuses(read: &str) -> Vec<&str> {
    read.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect()
}

pub(crate) fn client(plain_http: PlainHttp) -> HyperClient {
    HyperClient::new(HttpLimits::default()).with_plain_http(plain_http)
}

pub(crate) fn request(server: &Running, method: Method, path: &str) -> Request<Bytes> {
    Request::builder().method(method).uri(format!("{}{path}", server.url())).body(Bytes::new()).unwrap()
}
