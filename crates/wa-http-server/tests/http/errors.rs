//! What goes wrong, as it is told: a problem to our own clients, nothing to WhatsApp, and no more than that to either.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use wa_http_server::{ConnectionLimits, Event, Observe};

use crate::server::bearer;

use crate::running::{JWKS, PATIENCE, Running, statuses};

#[tokio::test]
async fn our_own_clients_get_a_problem_and_whatsapp_an_empty_body() {
    let server = Running::integrator(ConnectionLimits::default()).await;
    let good = bearer("alice");
    for (sent, status, title) in [
        ("POST /token HTTP/1.1\r\n".to_owned(), "401", Some("Unauthorized")),
        ("POST /token HTTP/1.1\r\nauthorization: Bearer x\r\n".to_owned(), "401", Some("Unauthorized")),
        ("GET /token HTTP/1.1\r\n".to_owned(), "405", Some("Method Not Allowed")),
        ("HEAD /token HTTP/1.1\r\n".to_owned(), "405", None),
        (
            format!("POST /token HTTP/1.1\r\nauthorization: {good}\r\ncontent-length: 5000\r\n"),
            "413",
            Some("Payload Too Large"),
        ),
        (format!("POST {JWKS} HTTP/1.1\r\n"), "405", None),
        ("POST /push HTTP/1.1\r\n".to_owned(), "404", None),
        ("GET /nothing HTTP/1.1\r\n".to_owned(), "404", None),
    ] {
        let read = server.raw(format!("{sent}host: a\r\nconnection: close\r\n\r\n")).await;
        assert_eq!(statuses(&read), [status], "{sent}");
        let (head, body) = read.split_once("\r\n\r\n").unwrap();
        match title {
            Some(title) => {
                assert!(head.contains("content-type: application/problem+json\r\n"), "{head}");
                let problem: serde_json::Value = serde_json::from_str(body).unwrap();
                let status: u16 = status.parse().unwrap();
                assert_eq!(
                    problem,
                    serde_json::json!({"type": "about:blank", "title": title, "status": status})
                );
            }
            None => assert!(body.is_empty() && !head.contains("content-type"), "{read}"),
        }
    }
}

#[tokio::test]
async fn a_handler_that_panics_says_nothing_and_harms_nobody() {
    let (server, _) = Running::echo(ConnectionLimits::default(), |server| server).await;
    for _ in 0..3 {
        let read = server.raw("GET /panic HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        assert!(read.starts_with("HTTP/1.1 500 ") && read.ends_with("\r\n\r\n"), "{read}");
        assert!(!read.contains("panic") && !read.contains(".rs"), "{read}");
    }
    let sent = [
        crate::frames::frame(1, 5, 1, &crate::frames::get("/panic")),
        crate::frames::frame(1, 5, 3, &crate::frames::get("/")),
    ];
    let read = crate::frames::answered(&server, &sent.concat(), 2).await;
    let mut statuses = crate::frames::statuses(&read);
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 500], "the other request of the connection too");
}

/// How many connections are open, as the server tells it.
#[derive(Default)]
struct Open(AtomicI64);

impl Observe for Open {
    fn note(&self, event: Event) {
        match event {
            Event::Opened => self.0.fetch_add(1, Ordering::SeqCst),
            Event::Closed => self.0.fetch_sub(1, Ordering::SeqCst),
            _ => 0,
        };
    }
}

/// Whatever becomes of a connection, it is not counted as open any more: handlers that panic, peers that go away, and an
/// end that cuts off what is left.
#[tokio::test]
async fn every_connection_that_opened_is_closed_once() {
    let open = Arc::new(Open::default());
    let counted = Arc::clone(&open);
    let (server, _) =
        Running::echo(ConnectionLimits::default(), |server| server.with_observer(counted)).await;
    for path in ["/", "/panic"] {
        server.raw(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
    }
    let (_held, gone) = (server.connect().await, server.connect().await);
    while open.0.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    drop(gone);
    server.drain.cut();
    tokio::time::timeout(PATIENCE, server.ended).await.unwrap().unwrap();
    assert_eq!(open.0.load(Ordering::SeqCst), 0);
}
