//! The hyper client against peers on the loopback interface: honest, slow, lying and broken.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod loopback {
    pub(crate) mod peer;
}

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version, header};
use loopback::peer;
use wa_http::{Fault, HttpClient, HttpError, HttpLimits, HyperClient, PlainHttp};

#[tokio::test]
async fn a_request_arrives_whole_over_http1() {
    let url = peer::echo().await;
    let response = client(PlainHttp::Http1).send(post(&url, "a=b")).await.unwrap();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(response.body(), "HTTP/1.1 POST /path?q=1 x-test=yes accept-encoding=identity a=b");
}

#[tokio::test]
async fn a_request_arrives_whole_over_http2_with_prior_knowledge() {
    let url = peer::echo().await;
    let response = client(PlainHttp::Http2PriorKnowledge).send(post(&url, "a=b")).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    assert_eq!(response.body(), "HTTP/2.0 POST /path?q=1 x-test=yes accept-encoding=identity a=b");
}

#[tokio::test]
async fn https_verifies_against_the_given_roots_and_negotiates_http2() {
    let (url, root) = peer::tls_echo(&[b"h2", b"http/1.1"]).await;
    let trusting = HyperClient::new(HttpLimits::default()).with_roots(&[root]).unwrap();
    let response = trusting.send(post(&url, "a=b")).await.unwrap();
    assert_eq!(response.body(), "HTTP/2.0 POST /path?q=1 x-test=yes accept-encoding=identity a=b");

    let (url, root) = peer::tls_echo(&[b"http/1.1"]).await;
    let trusting = HyperClient::new(HttpLimits::default()).with_roots(&[root]).unwrap();
    let response = trusting.send(post(&url, "")).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_11);
}

#[tokio::test]
async fn an_unknown_certificate_is_refused() {
    let (url, _) = peer::tls_echo(&[b"h2"]).await;
    let error = HyperClient::new(HttpLimits::default()).send(post(&url, "")).await.unwrap_err();
    assert_eq!(error, HttpError::Certificate);
    assert_eq!(error.fault(), Fault::Peer);
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let (url, root) = peer::tls_echo(&[b"h2"]).await;
    let url = url.replace("localhost", "127.0.0.1");
    let trusting = HyperClient::new(HttpLimits::default()).with_roots(&[root]).unwrap();
    assert_eq!(trusting.send(post(&url, "")).await.unwrap_err(), HttpError::Certificate);
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_fails_the_handshake() {
    let url = peer::raw(b"HTTP/1.1 200 OK\r\n\r\n").await.replace("http:", "https:");
    let error = HyperClient::new(HttpLimits::default()).send(post(&url, "")).await.unwrap_err();
    assert_eq!(error, HttpError::Tls);
}

#[test]
fn a_root_that_is_no_certificate_is_named() {
    let refused =
        HyperClient::new(HttpLimits::default()).with_roots(&[Bytes::from_static(b"no certificate")]);
    assert_eq!(refused.unwrap_err(), HttpError::Root { index: 0 });
}

#[tokio::test]
async fn redirects_are_answers() {
    let url =
        peer::raw(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
    let response = client(PlainHttp::Http1).send(post(&url, "")).await.unwrap();
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(response.headers()[header::LOCATION], "http://127.0.0.1:1/");
}

#[tokio::test]
async fn plain_http_is_refused_unless_allowed() {
    let url = peer::echo().await;
    let error = HyperClient::new(HttpLimits::default()).send(post(&url, "")).await.unwrap_err();
    assert_eq!((error, error.fault()), (HttpError::PlainHttp, Fault::Caller));
}

#[tokio::test]
async fn other_uris_are_refused() {
    for uri in ["/path", "ftp://localhost/", "localhost:80"] {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = uri.parse().unwrap();
        assert_eq!(client(PlainHttp::Http1).send(request).await.unwrap_err(), HttpError::Uri, "{uri}");
    }
}

#[tokio::test]
async fn a_body_at_the_limit_is_whole_and_one_byte_more_is_refused() {
    let too_large = HttpError::BodyTooLarge { limit: 8 };
    for (answer, expected) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n12345678"[..], Ok("12345678")),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n123456789", Err(too_large)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999\r\n\r\n", Err(too_large)),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n1234\r\n4\r\n5678\r\n0\r\n\r\n",
            Ok("12345678"),
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n",
            Err(too_large),
        ),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n123456789", Err(too_large)),
    ] {
        let url = peer::raw(answer).await;
        let client =
            HyperClient::new(HttpLimits::default().with_body_bytes(8)).with_plain_http(PlainHttp::Http1);
        let body = client.send(post(&url, "")).await.map(Response::into_body);
        assert_eq!(body, expected.map(Bytes::from), "{}", String::from_utf8_lossy(answer));
    }
}

#[tokio::test]
async fn an_endless_body_ends_at_the_limit() {
    let url = peer::endless().await;
    let client = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
    let error = client.send(post(&url, "")).await.unwrap_err();
    assert_eq!(error, HttpError::BodyTooLarge { limit: HttpLimits::default().body_bytes });
    assert_eq!(error.fault(), Fault::Peer);
}

#[tokio::test]
async fn broken_answers_are_the_peers_fault() {
    for answer in [
        &b"SIP/2.0 200 OK\r\n\r\n"[..],
        b"HTTP/1.1 20x OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n12",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let url = peer::raw(answer).await;
        let error = client(PlainHttp::Http1).send(post(&url, "")).await.unwrap_err();
        assert_eq!(error, HttpError::Malformed, "{}", String::from_utf8_lossy(answer));
    }
    let mut large = b"HTTP/1.1 200 OK\r\nx: ".to_vec();
    large.resize(64 * 1024, b'x');
    let url = peer::raw(&large).await;
    let error = client(PlainHttp::Http1).send(post(&url, "")).await.unwrap_err();
    assert_eq!(error, HttpError::Malformed, "a head past the limit");
}

#[tokio::test]
async fn a_connection_that_ends_early_is_interrupted() {
    for answer in [&b""[..], b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n123"] {
        let url = peer::raw(answer).await;
        let error = client(PlainHttp::Http1).send(post(&url, "")).await.unwrap_err();
        assert_eq!(error, HttpError::Interrupted, "{}", String::from_utf8_lossy(answer));
        assert!(!error.is_connect(), "the request may have arrived");
    }
}

#[tokio::test]
async fn nobody_listening_is_a_failure_to_connect() {
    let url = peer::nobody().await;
    let error = client(PlainHttp::Http1).send(post(&url, "")).await.unwrap_err();
    assert_eq!(error, HttpError::Connect { kind: io::ErrorKind::ConnectionRefused });
    assert_eq!((error.fault(), error.is_connect()), (Fault::World, true));
}

/// `.invalid` is nobody's (RFC 6761 §6.4), whether there is a name server to say so or not.
#[tokio::test]
async fn a_name_that_nobody_has_is_said_to_be_one() {
    let error = client(PlainHttp::Http1).send(post("http://no-such-host.invalid/", "")).await.unwrap_err();
    let said = error.to_string();
    assert!(said.starts_with("could not resolve the host's name: no "), "{said}");
    assert!(error.is_connect() && error.fault() == Fault::World);
}

#[tokio::test]
async fn a_silent_tls_peer_is_a_connect_timeout() {
    let url = peer::silent().await.replace("http:", "https:");
    let limits = HttpLimits::default().with_connect(Duration::from_millis(50));
    let error = HyperClient::new(limits).send(post(&url, "")).await.unwrap_err();
    assert_eq!((error, error.is_connect()), (HttpError::ConnectTimeout, true));
}

#[tokio::test]
async fn a_silent_peer_is_a_timeout() {
    let url = peer::silent().await;
    let limits = HttpLimits::default().with_total(Duration::from_millis(50));
    let client = HyperClient::new(limits).with_plain_http(PlainHttp::Http1);
    let error = client.send(post(&url, "")).await.unwrap_err();
    assert_eq!((error, error.fault(), error.is_connect()), (HttpError::Timeout, Fault::World, false));
}

#[tokio::test]
async fn a_body_that_stops_is_a_timeout() {
    let url = peer::stalling(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n123").await;
    let limits = HttpLimits::default().with_total(Duration::from_millis(50));
    let client = HyperClient::new(limits).with_plain_http(PlainHttp::Http1);
    assert_eq!(client.send(post(&url, "")).await.unwrap_err(), HttpError::Timeout);
}

fn client(plain_http: PlainHttp) -> HyperClient {
    HyperClient::new(HttpLimits::default()).with_plain_http(plain_http)
}

fn post(url: &str, body: &'static str) -> Request<Bytes> {
    Request::builder()
        .method(Method::POST)
        .uri(format!("{url}/path?q=1"))
        .header("x-test", "yes")
        .body(Bytes::from_static(body.as_bytes()))
        .unwrap()
}

#[tokio::test]
async fn only_public_addresses_when_that_is_asked_for() {
    let client = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
    let client = client.with_addresses(wa_http::Addresses::Public);
    for url in [
        "http://127.0.0.1:9/",
        "http://[::1]:9/",
        "https://127.0.0.1:9/",
        "http://localhost:9/",
        "https://localhost:9/",
    ] {
        let mut request = http::Request::new(bytes::Bytes::new());
        *request.uri_mut() = url.parse().unwrap();
        assert_eq!(client.send(request).await.unwrap_err(), HttpError::Address, "{url}");
    }
}
