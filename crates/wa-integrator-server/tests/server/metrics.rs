//! What a program counts: from 0 on, everything that is documented, and what has happened.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wa_http::HttpClient as _;

use crate::fixture::callers::{client, credential, metrics, publish, push, token, url};
use crate::fixture::program::{Program, command};

/// Only there where something else is: TLS, a database, keys that were fetched, answers that were given.
const NOT_ALWAYS: [&str; 5] = [
    "wa_integrator_fetched_keys_age_seconds",
    "wa_integrator_certificate_expires_at_seconds",
    "wa_integrator_database_connections",
    "wa_integrator_requests_total",
    "wa_integrator_request_seconds",
];

/// Waits until this is rendered, ten seconds at most.
async fn rendered(program: &Program, line: &str) {
    for _ in 0..400 {
        if metrics(program).await.contains(&format!("\n{line}\n")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{line} is not in {}", metrics(program).await);
}

fn with_pushes(data_dir: &Path, webhook: &str, whatsapp: &str) -> Command {
    let mut settings = command(data_dir);
    settings.env("WA_INTEGRATOR_LOG", "off").args(["--listen", "127.0.0.1:0", "--admin-listen", "0"]);
    settings.env("WA_INTEGRATOR_WHATSAPP_JWKS_URL", whatsapp).env("WA_INTEGRATOR_ALLOW_PRIVATE", "true");
    settings.args(["--webhook", webhook]);
    settings
}

/// A counter that appears with its first event hides it from `increase()`; a gauge that is missing is no 0 (A25).
#[tokio::test]
async fn everything_that_is_documented_is_there_from_the_start_and_counters_begin_at_0() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::of(&mut with_pushes(directory.path(), "http://127.0.0.1:9/", &publish().await));
    rendered(&program, "wa_integrator_keys{state=\"current\"} 1").await;
    let text = metrics(&program).await;
    let documented = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/METRICS.md");
    let documented = fs::read_to_string(documented).unwrap();
    let mut counters = 0;
    for row in documented.lines().filter_map(|line| line.strip_prefix("| `wa_integrator_")) {
        let (name, rest) = row.split_once("` | ").unwrap();
        let name = format!("wa_integrator_{name}");
        if NOT_ALWAYS.contains(&&*name) || rest.starts_with("histogram") {
            continue;
        }
        let of_it =
            |line: &&str| line.starts_with(&format!("{name} ")) || line.starts_with(&format!("{name}{{"));
        let series: Vec<_> = text.lines().filter(of_it).collect();
        assert!(!series.is_empty(), "{name} is not there: {text}");
        if rest.starts_with("counter")
            && !["connections_total", "key_fetches_total"].iter().any(|it| name.ends_with(it))
        {
            counters += 1;
            assert!(series.iter().all(|line| line.ends_with(" 0")), "{series:?}");
        }
    }
    assert!(counters > 10, "{counters}");
    for line in [
        "wa_integrator_dependency_up{name=\"store\"} 1",
        "wa_integrator_dependency_up{name=\"media\"} 1",
        "wa_integrator_ready 1",
        "wa_integrator_deliveries_total{sink=\"webhook\",outcome=\"dead\"} 0",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}: {text}");
    }
    #[cfg(target_os = "linux")]
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"] {
        assert!(text.contains(&format!("\n{name} ")), "{name}: {text}");
    }
    program.stop();
}

#[tokio::test]
async fn what_has_happened_is_counted_by_what_became_of_it() {
    let (directory, webhook) = (tempfile::tempdir().unwrap(), backend().await);
    let program = Program::of(&mut with_pushes(directory.path(), &webhook, &publish().await));
    let good = token(&url(&program, "address"));
    let (at, push_url) = (client(), url(&program, "push"));
    assert_eq!(at.send(push(&push_url, &good, "alice")).await.unwrap().status(), StatusCode::OK);
    let signature = good.rsplit_once('.').unwrap().1;
    let forged = good.replace(signature, &format!("AAAA{}", signature.get(4..).unwrap()));
    assert_eq!(at.send(push(&push_url, &forged, "alice")).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let credential = credential(directory.path());
    let ours = |name, token: &str| {
        Request::post(url(&program, name)).header(header::AUTHORIZATION, format!("Bearer {token}"))
    };
    let issued = at.send(ours("token", &credential).body(Bytes::new()).unwrap()).await.unwrap();
    assert_eq!(issued.status(), StatusCode::OK);
    let refused = at.send(ours("token", "x").body(Bytes::new()).unwrap()).await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(b"x")));
    let upload = ours("media", &credential).header("content-digest", digest);
    let stored = at.send(upload.body(Bytes::from_static(b"x")).unwrap()).await.unwrap();
    assert_eq!(stored.status(), StatusCode::CREATED);
    for line in [
        "wa_integrator_pushes_total{outcome=\"taken\"} 1",
        "wa_integrator_pushes_total{outcome=\"refused_token\"} 1",
        "wa_integrator_tokens_refused_total{reason=\"signature\"} 1",
        "wa_integrator_deliveries_total{sink=\"webhook\",outcome=\"delivered\"} 1",
        "wa_integrator_delivery_seconds_count{sink=\"webhook\"} 1",
        "wa_integrator_tokens_issued_total 1",
        "wa_integrator_tokens_in_work 0",
        "wa_integrator_credentials_refused_total{reason=\"malformed\"} 1",
        "wa_integrator_media_uploads_total{outcome=\"stored\"} 1",
        "wa_integrator_media_bytes_total{direction=\"in\"} 1",
        "wa_integrator_media_uploads 0",
    ] {
        rendered(&program, line).await;
    }
    program.stop();
}

/// The answer that the server gives in place of a handler that hangs is one of the answers (A3, A25).
#[tokio::test]
async fn a_handler_that_hangs_is_among_the_answers() {
    let directory = tempfile::tempdir().unwrap();
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let whatsapp = format!("http://{}/keys", silent.local_addr().unwrap());
    let mut settings = with_pushes(directory.path(), "http://127.0.0.1:9/", &whatsapp);
    let program = Program::of(settings.env("WA_INTEGRATOR_HANDLER_SECONDS", "1"));
    let unknown = token(&url(&program, "address"));
    let answer = client().send(push(&url(&program, "push"), &unknown, "alice")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    rendered(&program, "wa_integrator_handler_timeouts_total 1").await;
    rendered(&program, "wa_integrator_requests_total{route=\"push\",status=\"503\"} 1").await;
    program.stop();
}

/// The service's backend, which takes everything.
async fn backend() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/wake", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // A small request comes whole.
            let _ = stream.read(&mut [0; 4096]).await;
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    });
    url
}
