//! Requests with two readings, or none, on the wire (RFC 9112 §11.2, RFC 9113 §8.2 and §8.3).
//!
//! Each is followed by a second request, which a proxy in front may have taken for a part of the first one, or the
//! other way round. What hyper answers by itself stands beside each: where that is not `400`, the refusal is ours.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use wa_http_server::ConnectionLimits;

use crate::frames;
use crate::frames::{END_HEADERS, END_STREAM, HEADERS, answered, fields, frame};
use crate::running::{Running, statuses, to_end};

/// What is sent, and what hyper says of it and what comes after it.
const CORPUS: &[(&str, &str, &[&str])] = &[
    (
        "length, then coding",
        "POST / HTTP/1.1|host: a|content-length: 5|transfer-encoding: chunked||0||",
        &["200"],
    ),
    (
        "coding, then length",
        "POST / HTTP/1.1|host: a|transfer-encoding: chunked|content-length: 5||0||",
        &["200"],
    ),
    ("two lengths", "POST / HTTP/1.1|host: a|content-length: 1|content-length: 2||xx", &["400"]),
    ("one length twice", "POST / HTTP/1.1|host: a|content-length: 2|content-length: 2||xx", &["200", "200"]),
    ("a list of lengths", "POST / HTTP/1.1|host: a|content-length: 2, 2||xx", &["400"]),
    ("a signed length", "POST / HTTP/1.1|host: a|content-length: +3||xxx", &["400"]),
    ("a negative length", "POST / HTTP/1.1|host: a|content-length: -1||", &["400"]),
    ("a length in hexadecimal", "POST / HTTP/1.1|host: a|content-length: 0x3||xxx", &["400"]),
    ("a length with a space", "POST / HTTP/1.1|host: a|content-length: 3 3||xxx", &["400"]),
    ("no length's digits", "POST / HTTP/1.1|host: a|content-length: ||", &["400"]),
    ("a length that overflows", "POST / HTTP/1.1|host: a|content-length: 18446744073709551617||x", &["400"]),
    ("another coding", "POST / HTTP/1.1|host: a|transfer-encoding: xchunked||0||", &["400"]),
    ("identity last", "POST / HTTP/1.1|host: a|transfer-encoding: chunked, identity||0||", &["400"]),
    ("two codings", "POST / HTTP/1.1|host: a|transfer-encoding: gzip, chunked||0||", &["200", "200"]),
    (
        "a coding twice",
        "POST / HTTP/1.1|host: a|transfer-encoding: x|transfer-encoding: chunked||0||",
        &["200", "200"],
    ),
    ("a quoted coding", "POST / HTTP/1.1|host: a|transfer-encoding: \"chunked\"||0||", &["400"]),
    ("a coding in HTTP/1.0", "POST / HTTP/1.0|host: a|transfer-encoding: chunked||0||", &["400"]),
    ("a vertical tab", "POST / HTTP/1.1|host: a|transfer-encoding: \x0bchunked||0||", &["400"]),
    ("a folded line", "GET / HTTP/1.1|host: a|x: y| z||", &["400"]),
    ("a folded coding", "POST / HTTP/1.1|host: a|transfer-encoding:| chunked||0||", &["400"]),
    ("a space before the colon", "POST / HTTP/1.1|host: a|content-length : 2||xx", &["400"]),
    ("a tab before the colon", "POST / HTTP/1.1|host: a|transfer-encoding\t: chunked||0||", &["400"]),
    ("a space before the first name", "GET / HTTP/1.1| host: a||", &["400"]),
    ("no colon", "GET / HTTP/1.1|host: a|x||", &["400"]),
    ("no name", "GET / HTTP/1.1|host: a|: x||", &["400"]),
    ("line feeds alone", "GET / HTTP/1.1\nhost: a\n\n", &["200", "200"]),
    ("one line feed alone", "GET / HTTP/1.1|host: a\nx: y||", &["200", "200"]),
    ("the last line feed alone", "GET / HTTP/1.1|host: a|\n", &["200", "200"]),
    ("a carriage return alone", "GET / HTTP/1.1|host: a\rx: y||", &["400"]),
    ("a carriage return in a value", "GET / HTTP/1.1|host: a|x: y\rz||", &["400"]),
    ("a NUL in a value", "GET / HTTP/1.1|host: a|x: \0||", &["400"]),
    ("a NUL in a name", "GET / HTTP/1.1|host: a|x\0: y||", &["400"]),
    ("a NUL in the target", "GET /\0 HTTP/1.1|host: a||", &["400"]),
    ("two spaces", "GET  / HTTP/1.1|host: a||", &["400"]),
    ("three words and one more", "GET / x HTTP/1.1|host: a||", &["400"]),
    ("HTTP/1.2", "GET / HTTP/1.2|host: a||", &["400"]),
    ("HTTP/0.9", "GET /|", &["400"]),
    ("no host", "GET / HTTP/1.1||", &["200", "200"]),
    ("no host in HTTP/1.0", "GET / HTTP/1.0|connection: keep-alive||", &["200"]),
    ("two equal hosts", "GET / HTTP/1.1|host: a|host: a||", &["200", "200"]),
    ("two hosts", "GET / HTTP/1.1|host: a|host: b||", &["200", "200"]),
    ("an empty host", "GET / HTTP/1.1|host:||", &["200", "200"]),
    (
        "a chunk that overflows",
        "POST / HTTP/1.1|host: a|transfer-encoding: chunked||fffffffffffffffff|x|0||",
        &["400"],
    ),
    (
        "a chunk of 2^64 - 1",
        "POST / HTTP/1.1|host: a|transfer-encoding: chunked||ffffffffffffffff|x|0||",
        &["400"],
    ),
    ("a signed chunk", "POST / HTTP/1.1|host: a|transfer-encoding: chunked||+1|x|0||", &["400"]),
    ("a chunk in 0x", "POST / HTTP/1.1|host: a|transfer-encoding: chunked||0x1|x|0||", &["400"]),
    ("a chunk and a space", "POST / HTTP/1.1|host: a|transfer-encoding: chunked||1 |x|0||", &["200", "200"]),
    ("a chunk's line feed alone", "POST / HTTP/1.1|host: a|transfer-encoding: chunked||1\nx|0||", &["400"]),
    (
        "a chunk longer than its size",
        "POST / HTTP/1.1|host: a|transfer-encoding: chunked||1|xy|0||",
        &["400"],
    ),
    (
        "a line feed in an extension",
        "POST / HTTP/1.1|host: a|transfer-encoding: chunked||1;x\ny|x|0||",
        &["400"],
    ),
    (
        "a NUL in an extension",
        "POST / HTTP/1.1|host: a|transfer-encoding: chunked||1;x\0|x|0||",
        &["200", "200"],
    ),
    ("a folded trailer", "POST / HTTP/1.1|host: a|transfer-encoding: chunked||0|x: y| z||", &["400"]),
];

/// What hyper takes and we leave to it: each has one reading for every parser that takes it at all, or ends the connection
/// (RFC 9112 §2.2, §6.3, §7.1). SECURITY-MODEL says what is given up with that.
const TAKEN: &[&str] = &[
    "length, then coding",
    "coding, then length",
    "one length twice",
    "line feeds alone",
    "one line feed alone",
    "the last line feed alone",
    "a chunk and a space",
    "a NUL in an extension",
];

const SECOND: &str = "GET /second HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn every_request_with_two_readings_is_refused_and_nothing_after_it_is_read() {
    let mut limits = ConnectionLimits::default();
    // A chunk that never comes whole.
    limits.body_idle = Duration::from_millis(200);
    let (server, _) = Running::echo(limits, |server| server).await;
    for (name, sent, hypers) in CORPUS {
        for pieces in [1, 2, 1000] {
            let read = in_pieces(&server, &format!("{}{SECOND}", sent.replace('|', "\r\n")), pieces).await;
            let expected = if TAKEN.contains(name) { *hypers } else { &["400"] };
            // Who speaks HTTP/1.0 is answered so.
            let read = read.replace("HTTP/1.0 400", "HTTP/1.1 400");
            assert_eq!(statuses(&read), expected, "{name} in {pieces}: {read}");
            // What follows is a request of its own, or it is not read.
            assert_eq!(read.contains("/second"), expected.len() == 2, "{name}");
        }
    }
}

/// What stands in the corpus about hyper is what this hyper does: if it changes, the list is read again.
#[tokio::test]
async fn what_hyper_refuses_by_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request: Request<Incoming>| async move {
                let body = request.into_body().collect().await;
                let status = if body.is_ok() { 200 } else { 400 };
                let response = Response::builder().status(status).body(Full::<Bytes>::default());
                Ok::<_, Infallible>(response.unwrap())
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let mut odd = Vec::new();
    for (name, sent, expected) in CORPUS {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{}{SECOND}", sent.replace('|', "\r\n")).as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let read = to_end(&mut stream).await;
        let read = String::from_utf8_lossy(&read);
        if statuses(&read) != *expected {
            odd.push(format!("{name}: {:?}", statuses(&read)));
        }
    }
    serving.abort();
    assert!(odd.is_empty(), "{odd:#?}");
}

#[tokio::test]
async fn what_has_one_reading_is_answered_and_so_is_what_follows() {
    let (server, _) = Running::echo(ConnectionLimits::default(), |server| server).await;
    for (sent, bodies) in [
        ("GET / HTTP/1.1|host: a||", "\"body\":0"),
        ("|GET / HTTP/1.1|host: a||", "\"body\":0"),
        ("POST / HTTP/1.1|host: a|content-length: 4||\r\n\r\n", "\"body\":4"),
        ("POST / HTTP/1.1|Host:\ta |Transfer-Encoding: Chunked||2;x=\"y\"|xy|0|t: u||", "\"body\":2"),
        ("GET http://a/ HTTP/1.1|host: a||", "\"body\":0"),
        ("GET / HTTP/1.0|host: a|connection: keep-alive||", "\"body\":0"),
    ] {
        for pieces in [1, 2, 1000] {
            let read = in_pieces(&server, &format!("{}{SECOND}", sent.replace('|', "\r\n")), pieces).await;
            let count = read.matches(" 200 OK").count();
            assert_eq!(count, 2, "{sent} in {pieces}: {read}");
            assert!(read.contains(bodies) && read.contains("/second"), "{read}");
        }
    }
}

#[tokio::test]
async fn after_the_last_answer_nothing_is_read() {
    let (server, echo) = Running::echo(ConnectionLimits::default(), |server| server).await;
    for first in
        ["GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "GET / HTTP/1.0\r\nhost: a\r\n\r\n"]
    {
        let before = echo.seen.load(std::sync::atomic::Ordering::SeqCst);
        let read = server.raw(format!("{first}{SECOND}")).await;
        assert_eq!(read.matches(" 200 OK").count(), 1, "{read}");
        assert_eq!(echo.seen.load(std::sync::atomic::Ordering::SeqCst), before + 1);
    }
}

#[tokio::test]
async fn the_target_names_no_other_host_than_the_header() {
    let server = Running::integrator(ConnectionLimits::default()).await;
    for (target, host, status) in [
        ("http://a.example/x", "a.example", "404"),
        ("http://b.example/x", "a.example", "400"),
        ("http://a.example:81/x", "a.example", "400"),
        ("http://a.example@b.example/x", "a.example", "400"),
        ("/x", "a b", "400"),
        ("/x", "a.example/x", "400"),
        ("/x", "me@a.example", "400"),
    ] {
        let read =
            server.raw(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
        assert_eq!(statuses(&read), [status], "{target} {host}");
    }
}

#[tokio::test]
async fn http2_requests_with_two_readings_are_refused() {
    let (server, echo) = Running::echo(ConnectionLimits::default(), |server| server).await;
    let head = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a.example")];
    let with = |more: &[(&str, &str)]| fields(&[&head[..], more].concat());
    let alone = END_HEADERS | END_STREAM;
    for (name, sent) in [
        ("an upper-case name", frame(HEADERS, alone, 1, &with(&[("X-Name", "y")]))),
        ("connection", frame(HEADERS, alone, 1, &with(&[("connection", "close")]))),
        ("keep-alive", frame(HEADERS, alone, 1, &with(&[("keep-alive", "1")]))),
        ("transfer-encoding", frame(HEADERS, alone, 1, &with(&[("transfer-encoding", "chunked")]))),
        ("upgrade", frame(HEADERS, alone, 1, &with(&[("upgrade", "x")]))),
        ("te", frame(HEADERS, alone, 1, &with(&[("te", "gzip")]))),
        ("a pseudo-header twice", frame(HEADERS, alone, 1, &with(&[(":path", "/x")]))),
        ("a pseudo-header late", frame(HEADERS, alone, 1, &with(&[("x", "y"), (":authority", "b")]))),
        ("a line end in a value", frame(HEADERS, alone, 1, &with(&[("x", "y\r\nz: a")]))),
        ("a colon in a name", frame(HEADERS, alone, 1, &with(&[("x:y", "z")]))),
        ("no path", frame(HEADERS, alone, 1, &fields(&[head[0], head[1], head[3]]))),
        ("no method", frame(HEADERS, alone, 1, &fields(&head[1..]))),
        (
            "more than the length",
            [
                frame(HEADERS, END_HEADERS, 1, &with(&[("content-length", "1")])),
                frame(0, END_STREAM, 1, b"xx"),
            ]
            .concat(),
        ),
        (
            "less than the length",
            [
                frame(HEADERS, END_HEADERS, 1, &with(&[("content-length", "3")])),
                frame(0, END_STREAM, 1, b"xx"),
            ]
            .concat(),
        ),
    ] {
        let read = answered(&server, &sent, 1).await;
        let refused = !frames::resets(&read).is_empty() || !frames::goaways(&read).is_empty();
        let statuses = frames::statuses(&read);
        assert!(refused || statuses == [400], "{name}: {statuses:?}");
        assert!(!statuses.contains(&200), "{name}");
    }
    let lengths = 2;
    assert!(echo.seen.load(std::sync::atomic::Ordering::SeqCst) <= lengths, "all others never came so far");
}

#[tokio::test]
async fn http2_requests_name_one_host() {
    let server = Running::integrator(ConnectionLimits::default()).await;
    let head = [(":method", "GET"), (":scheme", "http"), (":path", "/x")];
    for (more, status) in [
        (&[(":authority", "a.example")][..], 404),
        (&[(":authority", "a.example"), ("host", "a.example")], 404),
        (&[("host", "a.example")], 404),
        (&[], 400),
        (&[(":authority", "a.example"), ("host", "b.example")], 400),
        (&[(":authority", "a.example"), ("host", "a.example"), ("host", "a.example")], 400),
    ] {
        let sent = frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&[&head[..], more].concat()));
        let read = answered(&server, &sent, 1).await;
        assert_eq!(frames::statuses(&read), [status], "{more:?}");
    }
}

/// Sends in so many pieces, each on its way before the next.
async fn in_pieces(server: &Running, sent: &str, pieces: usize) -> String {
    let mut stream = server.connect().await;
    stream.set_nodelay(true).unwrap();
    for piece in sent.as_bytes().chunks(sent.len().div_ceil(pieces)) {
        if stream.write_all(piece).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let read = tokio::time::timeout(crate::running::PATIENCE, to_end(&mut stream)).await;
    String::from_utf8_lossy(&read.unwrap_or_else(|_| panic!("still open: {sent:?}"))).into_owned()
}
