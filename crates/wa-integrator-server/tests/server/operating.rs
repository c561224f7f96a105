//! The program as its operators see it: readiness, metrics, its end, its certificate.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use tokio::time::Instant;

use crate::fixture::program::Program;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn operators_ask_on_a_listener_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(directory.path(), &["--admin-listen", "0"]);
    let (public, admin) = (address(&program, "address"), address(&program, "admin"));
    assert!(admin.starts_with("127.0.0.1:"), "a port alone is loopback");
    for (path, status, part) in [
        ("/health", "200", "ok"),
        ("/ready", "200", r#""failing":[]"#),
        ("/build", "200", env!("CARGO_PKG_VERSION")),
        ("/metrics", "200", "# HELP wa_integrator_requests_total"),
        ("/keys", "404", ""),
        ("/token", "404", ""),
    ] {
        let asked_before = get(&public, "/nothing");
        assert!(asked_before.starts_with("HTTP/1.1 404 "));
        let read = get(&admin, path);
        assert!(read.starts_with(&format!("HTTP/1.1 {status} ")) && read.contains(part), "{path}: {read}");
        // None of them is public.
        assert!(get(&public, path).starts_with("HTTP/1.1 4"), "{path}");
    }
    program.stop();

    let without = Program::start(directory.path(), &[]);
    assert!(without.ready.get("admin").unwrap().is_null());
    without.stop();
}

#[test]
fn whoever_asks_for_whatever_the_metrics_stay_few() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(directory.path(), &["--admin-listen", "0"]);
    let (public, admin) = (address(&program, "address"), address(&program, "admin"));
    let ask = |number: usize| {
        get(&public, &format!("/nothing/{number}"));
        get(&public, "/.well-known/oauth/openid/jwks");
        raw(&public, &format!("M{number} /token HTTP/1.1\r\nhost: h{number}\r\nconnection: close\r\n\r\n"));
        raw(
            &public,
            &format!(
                "POST /token HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {number}\r\nconnection: close\r\nx-request-id: {number}\r\n\r\n"
            ),
        );
    };
    ask(0);
    let series = || metrics(&admin).lines().filter(|line| !line.starts_with('#')).count();
    wait_for("the store to be measured", || {
        metrics(&admin).contains("wa_integrator_keys{state=\"current\"} 1")
    });
    let before = series();
    (1..60).for_each(ask);
    assert_eq!(series(), before);
    let rendered = metrics(&admin);
    for (name, value) in [
        ("wa_integrator_requests_total{route=\"jwks\",status=\"200\"}", "60"),
        ("wa_integrator_requests_total{route=\"none\",status=\"404\"}", "60"),
        ("wa_integrator_requests_total{route=\"token\",status=\"401\"}", "60"),
        ("wa_integrator_requests_total{route=\"token\",status=\"405\"}", "60"),
        ("wa_integrator_outbox_waiting", "0"),
        ("wa_integrator_keys{state=\"current\"}", "1"),
    ] {
        assert!(rendered.contains(&format!("\n{name} {value}\n")), "{name}: {rendered}");
    }
    let documented = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/METRICS.md"));
    let documented = documented.unwrap();
    for line in rendered.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        // Those of the process are everybody's.
        let ours = name.starts_with("wa_integrator_");
        assert!(!ours || documented.contains(&format!("`{name}`")), "{name} is not in docs/METRICS.md");
    }
    assert!(rendered.contains("wa_integrator_connections_ended_total{reason=\"closed\"}"), "{rendered}");
    program.stop();
}

#[test]
fn it_says_that_it_leaves_goes_on_and_ends_at_the_second_signal() {
    let directory = tempfile::tempdir().unwrap();
    let mut program =
        Program::start(directory.path(), &["--admin-listen", "0", "--set", "listen.drain_delay=600"]);
    let (public, admin) = (address(&program, "address"), address(&program, "admin"));
    signal(&program, "-TERM");
    wait_for("it to leave", || get(&admin, "/ready").starts_with("HTTP/1.1 503 "));
    assert!(get(&admin, "/ready").contains(r#""failing":["draining"]"#));
    assert!(get(&admin, "/health").starts_with("HTTP/1.1 200 "));
    assert!(get(&public, "/.well-known/oauth/openid/jwks").starts_with("HTTP/1.1 200 "));
    // Something that never ends by itself.
    let mut held = TcpStream::connect(&public).unwrap();
    held.write_all(b"POST /token HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n").unwrap();
    let asked_at = Instant::now();
    signal(&program, "-TERM");
    wait_for("its end", || program.child.try_wait().unwrap().is_some());
    assert!(program.child.wait().unwrap().success());
    assert!(asked_at.elapsed() < Duration::from_secs(5), "{:?}", asked_at.elapsed());
}

#[test]
fn its_certificate_is_read_again_when_it_is_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("c.pem"), directory.path().join("k.pem"));
    let write = |pair: &(String, String)| {
        std::fs::write(&certificate, &pair.0).unwrap();
        std::fs::write(&key, &pair.1).unwrap();
    };
    let (first, second) = (pair(), pair());
    write(&first);
    let arguments = [
        "--admin-listen",
        "0",
        "--set",
        "tls.refresh=3600",
        "--tls-certificate",
        certificate.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let program = Program::start(&directory.path().join("data"), &arguments);
    let admin = address(&program, "admin");
    assert!(program.ready.get("jwks").unwrap().as_str().unwrap().starts_with("https://127.0.0.1:"));
    write(&(second.0.clone(), first.1.clone()));
    signal(&program, "-HUP");
    let counted = |result: &str| {
        metrics(&admin)
            .contains(&format!("wa_integrator_certificate_reloads_total{{result=\"{result}\"}} 1\n"))
    };
    wait_for("the bad pair to be refused", || counted("failed"));
    write(&second);
    signal(&program, "-HUP");
    wait_for("the good pair to be used", || counted("changed"));
    assert!(metrics(&admin).contains("wa_integrator_certificate_expires_at_seconds "));
    let logged = program.stop();
    assert!(logged.contains("the certificate in use is kept"), "{logged}");
}

fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn address(program: &Program, name: &str) -> String {
    let url = program.ready.get(name).unwrap().as_str().unwrap();
    url.split_once("://").unwrap().1.to_owned()
}

fn signal(program: &Program, signal: &str) {
    let pid = program.child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

fn metrics(admin: &str) -> String {
    get(admin, "/metrics")
}

fn get(address: &str, path: &str) -> String {
    raw(address, &format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"))
}

fn raw(address: &str, sent: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(sent.as_bytes()).unwrap();
    let mut read = String::new();
    stream.read_to_string(&mut read).unwrap();
    read
}

fn wait_for(what: &str, mut until: impl FnMut() -> bool) {
    let start = Instant::now();
    while !until() {
        assert!(start.elapsed() < PATIENCE, "still waiting for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
