//! Traces: a collector is sent the program's spans, which name nobody and hold no secret (OTLP 1.5 over HTTP).

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test's helpers fail the test"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use wa_http::{HttpClient as _, HttpLimits, HyperClient, PlainHttp};

use crate::fixture::callers::{publish, push, token, url};
use crate::fixture::program::{Program, command};

const USER: &str = "zaphod.beeblebrox";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_is_sent_spans_without_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let (collector, whatsapp) = (Collector::start().await, publish().await);
    let backend = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhook = format!("http://{}/wake", backend.local_addr().unwrap());
    let mut settings = command(directory.path());
    // Logs and traces are chosen for themselves.
    settings.env("WA_INTEGRATOR_LOG", "off").env("WA_INTEGRATOR_OTLP_ENDPOINT", &collector.url);
    settings.args(["--listen", "127.0.0.1:0", "--webhook", &webhook]);
    settings.env("WA_INTEGRATOR_WHATSAPP_JWKS_URL", &whatsapp).env("WA_INTEGRATOR_ALLOW_PRIVATE", "true");
    let program = Program::of(&mut settings);
    let client = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
    let whatsapps = token(&url(&program, "address"));
    let pushed = client.send(push(&url(&program, "push"), &whatsapps, USER)).await.unwrap();
    assert_eq!(pushed.status(), StatusCode::OK);
    let refused = Request::post(url(&program, "token")).header("x-request-id", "a-token");
    let refused = refused.header("authorization", "Bearer no.such.credential");
    let refused = client.send(refused.body(Bytes::new()).unwrap()).await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    // The wake-up is being delivered. What has not been sent yet is sent at the end.
    drop(tokio::time::timeout(Duration::from_secs(30), backend.accept()).await.unwrap().unwrap());
    program.stop();

    let bodies = collector.bodies.lock().unwrap().clone();
    let spans: Vec<_> = bodies.iter().flat_map(|body| spans(body)).collect();
    let of = |name: &str, route: &str| {
        let found = spans.iter().find(|span| {
            span.name == name && span.attributes.get("route").is_none_or(|found| found == route)
        });
        found.unwrap_or_else(|| panic!("no {name} of {route}: {spans:?}"))
    };
    let requests = [("push", "200"), ("token", "401")].map(|(route, status)| {
        let span = of("request", route);
        assert_eq!((&*span.service, &*span.attributes["status"]), ("wa-integrator", status), "{span:?}");
        assert!(span.trace.len() == 16 && span.trace != [0; 16], "{span:?}");
        span
    });
    assert_ne!(requests[0].trace, requests[1].trace);
    assert_eq!(requests[1].attributes["id"], "a-token");
    assert_eq!(of("deliver", "").attributes["sink"], "webhook");

    let secret = std::fs::read_to_string(directory.path().join("shared-secret")).unwrap();
    for secret in [USER, secret.trim(), "no.such.credential", whatsapps.rsplit('.').next().unwrap()] {
        let there = bodies.iter().any(|body| body.windows(secret.len()).any(|it| it == secret.as_bytes()));
        assert!(!there, "{secret} is in a trace");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_hinders_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(directory.path(), &["--set", "telemetry.otlp_endpoint=http://127.0.0.1:9"]);
    let client = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
    let request = Request::get(url(&program, "jwks")).body(Bytes::new()).unwrap();
    assert_eq!(client.send(request).await.unwrap().status(), StatusCode::OK);
    let logged = tokio::task::spawn_blocking(|| program.stop()).await.unwrap();
    assert!(logged.contains("traces are not taken error="), "{logged}");
}

/// Takes traces and keeps them.
struct Collector {
    url: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bodies = Arc::default();
        let kept = Arc::clone(&bodies);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, Arc::clone(&kept)));
            }
        });
        Self { url, bodies }
    }
}

async fn take(stream: TcpStream, bodies: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap();
        let mut body = vec![0; length.trim().parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        bodies.lock().unwrap().push(body);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    }
}

#[derive(Debug)]
struct Span {
    service: String,
    trace: Vec<u8>,
    name: String,
    attributes: BTreeMap<String, String>,
}

/// The spans of an `ExportTraceServiceRequest`, by the numbers that `trace.proto` gives to fields.
fn spans(request: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for of_resource in all(request, 1) {
        let resource = attributes(&all(&of_resource, 1)[0], 1);
        for of_scope in all(&of_resource, 2) {
            spans.extend(all(&of_scope, 2).into_iter().map(|span| Span {
                service: resource["service.name"].clone(),
                trace: all(&span, 1).remove(0),
                name: String::from_utf8(all(&span, 5).remove(0)).unwrap(),
                attributes: attributes(&span, 9),
            }));
        }
    }
    spans
}

fn attributes(message: &[u8], number: u64) -> BTreeMap<String, String> {
    let pairs = all(message, number).into_iter().map(|pair| {
        let value = &all(&pair, 2)[0];
        // A text or a whole number.
        let value = match (all(value, 1).pop(), all(value, 3).pop()) {
            (Some(text), _) => String::from_utf8(text).unwrap(),
            (_, Some(number)) => u64::from_le_bytes(number.try_into().unwrap()).to_string(),
            (None, None) => String::new(),
        };
        (String::from_utf8(all(&pair, 1).remove(0)).unwrap(), value)
    });
    pairs.collect()
}

/// The values of the fields of this number: bytes, or a number as eight bytes, the smallest first.
fn all(mut message: &[u8], wanted: u64) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let value = match key & 7 {
            0 => varint(&mut message).to_le_bytes().to_vec(),
            1 => message.split_off(..8).unwrap().to_vec(),
            2 => {
                let length = usize::try_from(varint(&mut message)).unwrap();
                message.split_off(..length).unwrap().to_vec()
            }
            5 => message.split_off(..4).unwrap().to_vec(),
            other => panic!("wire type {other}"),
        };
        if key >> 3 == wanted {
            found.push(value);
        }
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = *message.split_off_first().unwrap();
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}
