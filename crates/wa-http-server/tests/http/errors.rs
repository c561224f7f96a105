//! What goes wrong, as it is told: a problem to our own clients, nothing to WhatsApp, and no more than that to either.

use crate::server::bearer;
use wa_http_server::ConnectionLimits;

use crate::running::{JWKS, Running, statuses};

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
