//! The end in stages: what is on its way is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wa_http_server::{ConnectionLimits, Drain, Server};

use crate::echo::Echo;
use crate::frames;
use crate::frames::{END_HEADERS, END_STREAM, HEADERS, NO_ERROR, PREFACE, SETTINGS, frame, goaways};
use crate::running::{JWKS, PATIENCE, Running, answer, loopback, to_end};

#[tokio::test]
async fn it_ends_with_idle_and_silent_connections_open() {
    let server = Running::integrator(ConnectionLimits::default()).await;
    let silent = server.connect().await;
    let mut idle = server.connect().await;
    idle.write_all(format!("GET {JWKS} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
    idle.read_exact(&mut [0; 9]).await.unwrap();
    let address = server.address;
    server.stop().await;
    assert!(TcpStream::connect(address).await.is_err(), "still listening");
    drop((silent, idle));
}

#[tokio::test]
async fn what_has_begun_is_answered_and_said_to_be_the_last() {
    let (server, echo) = Running::echo(ConnectionLimits::default(), |server| server).await;
    let mut http1 = server.connect().await;
    http1.write_all(b"GET /held HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut http2 = server.connect().await;
    let ask = frame(HEADERS, END_HEADERS | END_STREAM, 1, &frames::get("/held"));
    http2.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, b""), &ask].concat()).await.unwrap();
    while echo.seen.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    server.drain.leave();
    // A client that comes while it leaves is served.
    let late = server.raw("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(late.starts_with("HTTP/1.1 200 "), "{late}");
    server.drain.end();
    echo.bell.notify_waiters();
    let ended = tokio::time::timeout(PATIENCE, to_end(&mut http1)).await.unwrap();
    let ended = String::from_utf8(ended).unwrap();
    assert!(ended.starts_with("HTTP/1.1 200 ") && ended.contains("connection: close\r\n"), "{ended}");
    let ended = tokio::time::timeout(PATIENCE, to_end(&mut http2)).await.unwrap();
    assert_eq!((goaways(&ended).last(), frames::statuses(&ended)), (Some(&NO_ERROR), vec![200]));
    tokio::time::timeout(PATIENCE, server.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_does_not_end_is_cut_off_after_its_time_or_at_once() {
    for cut in [false, true] {
        let mut limits = ConnectionLimits::default();
        limits.drain = if cut { Duration::from_secs(3600) } else { Duration::from_millis(50) };
        let (server, echo) = Running::echo(limits, |server| server).await;
        let mut stream = server.connect().await;
        stream.write_all(b"GET /held HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        while echo.seen.load(Ordering::SeqCst) < 1 {
            tokio::task::yield_now().await;
        }
        server.drain.end();
        if cut {
            server.drain.cut();
        }
        tokio::time::timeout(PATIENCE, server.ended).await.unwrap().unwrap();
        assert_eq!(to_end(&mut stream).await, b"");
    }
}

/// Servers that follow one another on one socket, under load: new connections and kept ones, and not one request is
/// lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restarts_under_load_lose_nothing() {
    let socket = std::net::TcpListener::bind(loopback()).unwrap();
    let address = socket.local_addr().unwrap();
    let serve = || {
        let listener = socket.try_clone().unwrap();
        let server = Server::from_listener(listener, ConnectionLimits::default()).unwrap();
        let drain = Drain::new();
        let stages = drain.clone();
        (drain, tokio::spawn(async move { server.run_until(Echo::default(), &stages).await }))
    };
    let mut current = serve();
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut load = JoinSet::new();
    for number in 0..12 {
        let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
        load.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let mut stream = TcpStream::connect(address).await.unwrap();
                // Every third opens a connection for each request.
                loop {
                    let last = number % 3 == 0 || stop.load(Ordering::Relaxed);
                    let close = if last { "connection: close\r\n" } else { "" };
                    let path = if number % 2 == 0 { "/" } else { "/slow" };
                    let ask = format!("GET {path} HTTP/1.1\r\nhost: a\r\n{close}\r\n");
                    stream.write_all(ask.as_bytes()).await.unwrap();
                    let read = answer(&mut stream, "}").await;
                    assert!(read.starts_with("HTTP/1.1 200 "), "{read}");
                    answered.fetch_add(1, Ordering::Relaxed);
                    if read.contains("connection: close\r\n") {
                        break;
                    }
                }
            }
        });
    }
    for _ in 0..5 {
        let before = answered.load(Ordering::Relaxed);
        while answered.load(Ordering::Relaxed) < before + 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let next = serve();
        let (old, ended) = std::mem::replace(&mut current, next);
        old.leave();
        tokio::time::sleep(Duration::from_millis(100)).await;
        old.end();
        tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }
    current.0.cut();
}
