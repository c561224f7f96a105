//! How much a connection, and all of them, may take.

use std::time::Duration;

use crate::server::bearer;
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wa_http::{HttpClient as _, HttpError, HttpLimits, HyperClient, PlainHttp};
use wa_http_server::ConnectionLimits;

use crate::frames;
use crate::frames::{
    CONTINUATION, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, answered, fields, frame,
};
use crate::running::{JWKS, PATIENCE, Running, answer, client, request, statuses, to_end};

const SHORT: Duration = Duration::from_millis(60);

#[tokio::test]
async fn heads_that_are_too_large_are_refused_by_name() {
    let (server, _) = Running::echo(ConnectionLimits::default(), |server| server).await;
    let head = |target: usize, fields: usize, value: usize| {
        let fields = format!("x: {}\r\n", "y".repeat(value)).repeat(fields);
        format!("GET /{} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n", "t".repeat(target - 1))
    };
    for (sent, status) in [
        (head(4096, 0, 0), "200"),
        (head(4097, 0, 0), "414"),
        (head(15_000, 0, 0), "414"),
        (head(1, 98, 1), "200"),
        (head(1, 99, 1), "431"),
        (head(1, 1, 16_000), "200"),
        (head(1, 1, 16_384), "431"),
        (head(1, 1, 20 * 1024), "431"),
        (head(1, 1, 2 << 20), "431"),
        // A little less on the wire than HTTP/2 would count for it.
        (head(1, 90, 150), "431"),
    ] {
        let read = server.raw(&sent).await;
        assert_eq!(statuses(&read), [status], "{} bytes", sent.len());
    }
}

#[tokio::test]
async fn heads_of_http2_have_the_same_limits() {
    let (server, _) = Running::echo(ConnectionLimits::default(), |server| server).await;
    let base = [(":method", "GET"), (":scheme", "http"), (":authority", "a")];
    let long = "y".repeat(200);
    let path = |length: usize| format!("/{}", "t".repeat(length));
    let (short_path, long_path) = (path(100), path(180));
    let many = |count: usize| {
        let mut head = base.to_vec();
        head.push((":path", &short_path));
        head.extend(std::iter::repeat_n(("x", "y"), count));
        fields(&head)
    };
    for (block, status) in [
        (many(100), 200),
        (many(101), 431),
        (fields(&[&base[..], &[(":path", &long_path)], &[("x", &long[..]); 60]].concat()), 200),
        (fields(&[&base[..], &[(":path", "/")], &[("x", &long[..]); 90]].concat()), 431),
    ] {
        let (first, rest) = block.split_at(block.len().min(16_000));
        let mut sent = frame(HEADERS, END_STREAM | if rest.is_empty() { END_HEADERS } else { 0 }, 1, first);
        if !rest.is_empty() {
            sent.extend(frame(CONTINUATION, END_HEADERS, 1, rest));
        }
        let read = answered(&server, &sent, 1).await;
        assert_eq!(frames::statuses(&read), [status], "{} bytes", block.len());
    }
    let target = format!("/{}", "t".repeat(5000));
    let request = request(&server, Method::GET, &target);
    let answered = client(PlainHttp::Http2PriorKnowledge).send(request).await.unwrap();
    assert_eq!(answered.status(), StatusCode::URI_TOO_LONG);
}

#[tokio::test]
async fn no_more_than_a_hundred_streams_at_a_time() {
    let (server, echo) = Running::echo(ConnectionLimits::default(), |server| server).await;
    let mut stream = server.connect().await;
    let heads: Vec<u8> = (0..110_u32)
        .flat_map(|number| frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, &frames::get("/held")))
        .collect();
    let opening = [PREFACE, &frame(SETTINGS, 0, 0, b""), &heads].concat();
    stream.write_all(&opening).await.unwrap();
    let mut read = Vec::new();
    let refused = async {
        while frames::resets(&read).len() < 10 {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "it closed");
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    // REFUSED_STREAM: nothing was done about them, and they may be sent again.
    assert_eq!(frames::resets(&read), [7; 10]);
    assert!(echo.seen.load(std::sync::atomic::Ordering::SeqCst) <= 100);
    let settings = frames::frames(&read).into_iter().find(|frame| frame.kind == SETTINGS).unwrap();
    assert!(settings.payload.chunks(6).any(|entry| entry == [0, 3, 0, 0, 0, 100]), "it says so beforehand");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let server = Running::integrator(ConnectionLimits::default().with_connections(1)).await;
    let mut held = server.connect().await;
    held.write_all(format!("GET {JWKS} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
    held.read_exact(&mut [0; 9]).await.unwrap();

    let limits = HttpLimits::default().with_total(Duration::from_millis(200));
    let second = HyperClient::new(limits).with_plain_http(PlainHttp::Http1);
    let waiting = second.send(request(&server, Method::GET, JWKS)).await;
    assert_eq!(waiting.unwrap_err(), HttpError::Timeout);
    drop(held);
    let served = client(PlainHttp::Http1).send(request(&server, Method::GET, JWKS)).await.unwrap();
    assert_eq!(served.status(), StatusCode::OK);
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_others_have_theirs() {
    let mut limits = ConnectionLimits::default();
    limits.connections_per_address = 2;
    let (server, _) = Running::echo(limits, |server| server).await;
    let ask = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let (mut one, mut two) = (server.connect().await, server.connect().await);
    for stream in [&mut one, &mut two] {
        stream.write_all(ask.as_bytes()).await.unwrap();
        answer(stream, "}").await;
    }
    assert_eq!(server.raw(ask).await, "", "the third is closed without a word");
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(server.address).await.unwrap();
    other.write_all(ask.as_bytes()).await.unwrap();
    answer(&mut other, "}").await;
    drop(one);
    // Its place is free once the server has seen the end.
    let again = async {
        loop {
            let mut stream = server.connect().await;
            let _ =
                stream.write_all(ask.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n").as_bytes()).await;
            if !to_end(&mut stream).await.is_empty() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn bodies_have_a_limit_for_each_route() {
    let server = Running::integrator(ConnectionLimits::default()).await;
    let token = format!(
        "POST /token HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: {}\r\n",
        bearer("alice")
    );
    for (body, status) in [
        (format!("content-length: 4096\r\n\r\n{}", "x".repeat(4096)), "200"),
        (format!("content-length: 4097\r\n\r\n{}", "x".repeat(4097)), "413"),
        ("content-length: 9999999999\r\n\r\nx".to_owned(), "413"),
    ] {
        let read = server.raw(format!("{token}{body}")).await;
        assert_eq!(statuses(&read), [status]);
    }
}

#[tokio::test]
async fn every_stall_ends() {
    let mut limits = ConnectionLimits::default();
    for limit in [&mut limits.first_bytes, &mut limits.head, &mut limits.body_idle, &mut limits.idle] {
        *limit = SHORT;
    }
    limits.write_stall = Duration::from_millis(300);
    let (server, _) = Running::echo(limits, |server| server).await;
    for sent in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n",
        "GET / HT",
        "GET / HTTP/1.1\r\nhost: a\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nbegun",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbe",
    ] {
        let _ = server.raw(sent).await;
    }
    // An answer that nobody takes: more than the sockets hold.
    let mut stream = server.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let read = tokio::time::timeout(PATIENCE, to_end(&mut stream)).await.unwrap();
    assert!(read.len() < 8 << 20, "{} bytes", read.len());
}
