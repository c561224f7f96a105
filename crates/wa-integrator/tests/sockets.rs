//! The server over loopback sockets: both protocols, stalls, limits and its end.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod fixture {
    pub(crate) mod server;
    pub(crate) mod verdict;
}

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use fixture::{
    server::{bearer, integrator},
    verdict::verified,
};
use http::{Method, Request, StatusCode, Version, header};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};
use wa_http::{HttpClient as _, HttpError, HyperClient, Limits, PlainHttp};
use wa_integrator::{ConnectionLimits, ServeError, Server};

const JWKS: &str = "/.well-known/oauth/openid/jwks";
const SHORT: Duration = Duration::from_millis(60);
const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn keys_and_tokens_over_http1_and_http2_on_one_port() {
    let server = Running::start(ConnectionLimits::default()).await;
    for (plain_http, version) in
        [(PlainHttp::Http1, Version::HTTP_11), (PlainHttp::Http2PriorKnowledge, Version::HTTP_2)]
    {
        let client = client(plain_http);
        let jwks = client.send(request(&server, Method::GET, JWKS)).await.unwrap();
        assert_eq!((jwks.status(), jwks.version()), (StatusCode::OK, version));
        let mut ask = request(&server, Method::POST, "/token");
        ask.headers_mut().insert(header::AUTHORIZATION, bearer("alice").parse().unwrap());
        *ask.body_mut() = Bytes::from_static(b"{\"sub\":\"mallory\"}");
        let granted = client.send(ask).await.unwrap();
        assert_eq!(granted.headers()[header::CONTENT_TYPE], "application/json");
        let (_, claims) = verified(granted.body(), jwks.body(), &server.url());
        assert_eq!(claims.sub, "alice");

        let head = client.send(request(&server, Method::HEAD, JWKS)).await.unwrap();
        assert_eq!(head.headers()[header::CONTENT_LENGTH], jwks.body().len().to_string());
        assert!(head.body().is_empty());
        let refused = client.send(request(&server, Method::POST, "/token")).await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    }
    server.stop().await;
}

#[tokio::test]
async fn one_host_is_required_on_the_wire() {
    let server = Running::start(ConnectionLimits::default()).await;
    for (hosts, status) in [
        ("host: a.example\r\n", "HTTP/1.1 200 "),
        ("", "HTTP/1.1 400 "),
        ("host: a.example\r\nhost: a.example\r\n", "HTTP/1.1 400 "),
        ("host: a.example\r\nhost: b.example\r\n", "HTTP/1.1 400 "),
        ("host:\r\n", "HTTP/1.1 400 "),
    ] {
        let answer = server.raw(&format!("GET {JWKS} HTTP/1.1\r\nconnection: close\r\n{hosts}\r\n")).await;
        assert!(answer.starts_with(status), "{hosts:?}: {answer}");
    }
}

#[tokio::test]
async fn heads_that_are_not_http_or_too_large_are_refused() {
    let server = Running::start(ConnectionLimits::default()).await;
    let large = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(20 * 1024));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(100));
    for (sent, status) in [
        ("nonsense\r\n\r\n", "HTTP/1.1 400 "),
        ("GET / HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n", "HTTP/1.1 400 "),
        ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", "HTTP/1.1 400 "),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", "HTTP/1.1 400 "),
        (&large, "HTTP/1.1 431 "),
        (&many, "HTTP/1.1 431 "),
    ] {
        let answer = server.raw(sent).await;
        assert!(answer.starts_with(status), "{sent:.60}: {answer}");
    }
}

#[tokio::test]
async fn every_stall_ends() {
    let server = Running::start(ConnectionLimits::default().with_times(SHORT, SHORT, LONG, LONG)).await;
    let token = format!("POST /token HTTP/1.1\r\nhost: a\r\nauthorization: {}\r\n", bearer("alice"));
    for sent in [
        String::new(),
        "P".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n".to_owned(),
        "GET / HT".to_owned(),
        "GET / HTTP/1.1\r\nhost: a\r\n".to_owned(),
        format!("GET {JWKS} HTTP/1.1\r\nhost: a\r\n\r\n"),
        format!("{token}content-length: 100\r\n\r\nbegun"),
        format!("{token}transfer-encoding: chunked\r\n\r\n5\r\nbe"),
    ] {
        let ended = tokio::time::timeout(LONG / 3, server.raw(&sent)).await;
        assert!(ended.is_ok(), "still open after {sent:?}");
    }
}

#[tokio::test]
async fn an_old_connection_is_asked_to_end() {
    let server = Running::start(ConnectionLimits::default().with_times(LONG, LONG, SHORT, SHORT)).await;
    let mut http1 = TcpStream::connect(server.address).await.unwrap();
    http1.write_all(format!("GET {JWKS} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
    let answered = tokio::time::timeout(LONG / 3, to_end(&mut http1)).await.unwrap();
    assert!(answered.starts_with(b"HTTP/1.1 200 "));

    let ended = tokio::time::timeout(LONG / 3, http2_raw(&server, &[])).await.unwrap();
    assert_eq!(goaways(&ended).last(), Some(&NO_ERROR));
}

#[tokio::test]
async fn http2_floods_are_cut_off() {
    let server = Running::start(ConnectionLimits::default().with_times(LONG, LONG, LONG, LONG)).await;
    let resets: Vec<u8> = (0..2000_u32)
        .map(|index| 2 * index + 1)
        .flat_map(|stream| [frame(1, 5, stream, REQUEST_HEAD), frame(3, 0, stream, &[0, 0, 0, 8])].concat())
        .collect();
    let mut endless_head = frame(1, 1, 1, REQUEST_HEAD);
    for _ in 0..2000 {
        endless_head.extend(frame(9, 0, 1, b"\x00\x01x\x01y"));
    }
    let empty_data: Vec<u8> = [frame(1, 4, 1, REQUEST_HEAD), frame(0, 0, 1, b"").repeat(20_000)].concat();
    for (name, flood) in [("resets", resets), ("head", endless_head), ("empty data", empty_data)] {
        let answered = tokio::time::timeout(LONG / 3, http2_raw(&server, &flood)).await;
        let farewells = goaways(&answered.unwrap_or_else(|_| panic!("{name}: still open")));
        assert_eq!(farewells, [ENHANCE_YOUR_CALM], "{name}");
    }
    let served = client(PlainHttp::Http2PriorKnowledge).send(request(&server, Method::GET, JWKS)).await;
    assert_eq!(served.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let server = Running::start(ConnectionLimits::default().with_connections(1)).await;
    let mut held = TcpStream::connect(server.address).await.unwrap();
    held.write_all(format!("GET {JWKS} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
    held.read_exact(&mut [0; 9]).await.unwrap();

    let limits = Limits::default().with_total(Duration::from_millis(200));
    let second = HyperClient::new(limits).with_plain_http(PlainHttp::Http1);
    let waiting = second.send(request(&server, Method::GET, JWKS)).await;
    assert_eq!(waiting.unwrap_err(), HttpError::Timeout);
    drop(held);
    let served = client(PlainHttp::Http1).send(request(&server, Method::GET, JWKS)).await.unwrap();
    assert_eq!(served.status(), StatusCode::OK);
}

#[tokio::test]
async fn it_stops_with_idle_and_silent_connections_open() {
    let server = Running::start(ConnectionLimits::default()).await;
    let silent = TcpStream::connect(server.address).await.unwrap();
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(format!("GET {JWKS} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
    idle.read_exact(&mut [0; 9]).await.unwrap();
    let address = server.address;
    server.stop().await;
    assert!(TcpStream::connect(address).await.is_err(), "still listening");
    drop((silent, idle));
}

#[tokio::test]
async fn a_taken_address_is_refused() {
    let server = Running::start(ConnectionLimits::default()).await;
    let address = server.address;
    let refused = Server::bind(address, ConnectionLimits::default()).await.unwrap_err();
    assert_eq!(refused, ServeError::Bind { address, kind: std::io::ErrorKind::AddrInUse });
}

/// A server on a free loopback port.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Running {
    async fn start(limits: ConnectionLimits) -> Self {
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
        let address = server.address();
        let (integrator, _) = integrator(&format!("http://{address}"));
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(server.run(integrator, async {
            let _ = stopped.await;
        }));
        Self { address, stop, ended }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends these bytes and reads until the server closes.
    async fn raw(&self, sent: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&to_end(&mut stream).await).into_owned()
    }

    /// Asks it to stop and waits for the end, which must come well within the drain time.
    async fn stop(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(5), self.ended).await.unwrap().unwrap();
    }
}

/// `GET /`, with an authority, from HPACK's static table.
const REQUEST_HEAD: &[u8] = b"\x82\x86\x84\x41\x01a";
const NO_ERROR: u8 = 0;
const ENHANCE_YOUR_CALM: u8 = 11;

/// Opens HTTP/2, sends these frames and reads until the server closes.
async fn http2_raw(server: &Running, frames: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(4, 0, 0, b"")).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let mut read = Vec::new();
    // A server that has had enough closes while it is still being written to.
    let (_, _) = tokio::join!(writing.write_all(frames), reading.read_to_end(&mut read));
    read
}

/// One HTTP/2 frame (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The error codes of the GOAWAY frames among these, each below 256.
fn goaways(mut frames: &[u8]) -> Vec<u8> {
    let mut codes = Vec::new();
    while let [high, middle, low, kind, _flags, _, _, _, _, rest @ ..] = frames {
        let length = usize::try_from(u32::from_be_bytes([0, *high, *middle, *low])).unwrap();
        let (payload, after) = rest.split_at(length.min(rest.len()));
        if let (7, [_, _, _, _, 0, 0, 0, code, ..]) = (*kind, payload) {
            codes.push(*code);
        }
        frames = after;
    }
    codes
}

/// Everything until the other end closes; a reset is an end too.
async fn to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read).await;
    read
}

fn client(plain_http: PlainHttp) -> HyperClient {
    HyperClient::new(Limits::default()).with_plain_http(plain_http)
}

fn request(server: &Running, method: Method, path: &str) -> Request<Bytes> {
    Request::builder().method(method).uri(format!("{}{path}", server.url())).body(Bytes::new()).unwrap()
}
