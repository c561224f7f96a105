//! The running program before `curl`, as the overview asks (part 1: HTTP/1.1 and HTTP/2, TLS 1.3), and before load while
//! one process follows another: no request fails.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers fail the test")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio::time::Instant;
use wa_http::{HttpClient as _, HttpLimits, HyperClient, PlainHttp};

use crate::fixture::callers::credential;
use crate::fixture::program::{Program, command};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn curl_is_served_without_tls() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(directory.path(), &[]);
    for (version, spoken) in
        [(&["--http1.1"][..], "1.1"), (&["--http2-prior-knowledge"], "2"), (&["--http2"], "1.1")]
    {
        asked_by_curl(&program, directory.path(), version, spoken);
    }
    program.stop();
}

#[test]
fn curl_is_served_by_tls_1_3() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (directory.path().join("c.pem"), directory.path().join("k.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let data_dir = directory.path().join("data");
    let program = Program::start(&data_dir, &["--tls-certificate", certificate, "--tls-key", key]);
    for (version, spoken) in [("--http1.1", "1.1"), ("--http2", "2")] {
        asked_by_curl(&program, &data_dir, &["--tlsv1.3", "--cacert", certificate, version], spoken);
    }
    program.stop();
}

/// Fetches the keys and a token, and no token without a credential.
fn asked_by_curl(program: &Program, data_dir: &Path, arguments: &[&str], spoken: &str) {
    let url = |name: &str| program.ready.get(name).unwrap().as_str().unwrap().to_owned();
    let (keys, token) = (url("jwks"), url("token"));
    let read = curl(arguments, &[&keys]);
    assert!(read.ends_with(&format!("]}}|{spoken} 200 application/json\n")), "{read}");
    let credential = format!("authorization: Bearer {}", credential(data_dir));
    let read = curl(arguments, &["--request", "POST", "--header", &credential, &token]);
    assert!(read.contains(r#""token":"ey"#) && read.contains(&format!("|{spoken} 200 ")), "{read}");
    let read = curl(arguments, &["--request", "POST", &token]);
    assert!(read.contains(&format!("|{spoken} 401 application/problem+json")), "{read}");
}

/// What `curl` prints: each body, and how it was answered.
fn curl(arguments: &[&str], more: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "15"]);
    curl.args(["--write-out", "|%{http_version} %{http_code} %{content_type}\n"]).args(arguments).args(more);
    let ended = curl.output().expect("curl, which `cargo xtask test` installs or asks for");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    String::from_utf8(ended.stdout).unwrap()
}

/// Processes that follow one another on a socket that is passed on to them, under load of both versions: connections
/// that stay, connections for one request, and many requests at a time on one. No request is lost.
#[test]
fn processes_that_follow_one_another_on_one_socket_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = socket.local_addr().unwrap().to_string();
    let mut current = inheriting(&directory.path().join("0"), &socket);
    let stop = Arc::new(AtomicBool::new(false));
    let answered: [Arc<AtomicUsize>; 3] = std::array::from_fn(|_| Arc::new(AtomicUsize::new(0)));
    let load: Vec<_> = (0..4)
        .flat_map(|_| answered.iter().enumerate())
        .map(|(kind, answered)| {
            let (stop, answered, target) = (Arc::clone(&stop), Arc::clone(answered), target.clone());
            std::thread::spawn(move || match kind {
                0 => ask_for_ever(&target, true, &stop, &answered),
                1 => ask_for_ever(&target, false, &stop, &answered),
                _ => ask_by_http2(&target, &stop, &answered),
            })
        })
        .collect();
    let counts = || answered.each_ref().map(|answered| answered.load(Ordering::Relaxed));
    for number in 1..=2 {
        let before = counts();
        wait_for("answers of each kind", || {
            counts().iter().zip(before).all(|(now, before)| *now > before + 50)
        });
        let next = inheriting(&directory.path().join(number.to_string()), &socket);
        std::mem::replace(&mut current, next).stop();
    }
    stop.store(true, Ordering::Relaxed);
    for thread in load {
        thread.join().unwrap();
    }
    current.stop();
}

/// Keeps a connection until it is told that an answer is the last, or opens one for each request.
fn ask_for_ever(target: &str, each: bool, stop: &AtomicBool, answered: &AtomicUsize) {
    let close = if each { "connection: close\r\n" } else { "" };
    let ask = format!("GET {JWKS} HTTP/1.1\r\nhost: a\r\n{close}\r\n");
    while !stop.load(Ordering::Relaxed) {
        let mut stream = TcpStream::connect(target).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        loop {
            stream.write_all(ask.as_bytes()).unwrap();
            let mut read = String::new();
            let mut piece = [0; 4096];
            while !read.ends_with("]}") {
                let count = stream.read(&mut piece).unwrap();
                assert_ne!(count, 0, "lost after {read:?}");
                read.push_str(std::str::from_utf8(piece.get(..count).unwrap()).unwrap());
            }
            assert!(read.starts_with("HTTP/1.1 200 "), "{read}");
            answered.fetch_add(1, Ordering::Relaxed);
            if read.contains("connection: close\r\n") || stop.load(Ordering::Relaxed) {
                break;
            }
        }
    }
}

/// Four requests at a time on one connection, and on another one when the server says that it is the last.
fn ask_by_http2(target: &str, stop: &AtomicBool, answered: &AtomicUsize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = HyperClient::new(HttpLimits::default().with_total(PATIENCE))
        .with_plain_http(PlainHttp::Http2PriorKnowledge);
    let url = format!("http://{target}{JWKS}");
    let asking = async || {
        while !stop.load(Ordering::Relaxed) {
            let answer = client.send(Request::get(&url).body(Bytes::new()).unwrap()).await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
            assert!(answer.body().ends_with(b"]}"));
            answered.fetch_add(1, Ordering::Relaxed);
        }
    };
    runtime.block_on(async { tokio::join!(asking(), asking(), asking(), asking()) });
}

/// The program with this socket, as a service manager passes it on.
fn inheriting(data_dir: &Path, socket: &TcpListener) -> Program {
    let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"";
    let program = command(data_dir);
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.args(["--set", "listen.drain_delay=1"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    Program::of(shell.stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap()))))
}

fn wait_for(what: &str, mut until: impl FnMut() -> bool) {
    let start = Instant::now();
    while !until() {
        assert!(start.elapsed() < PATIENCE, "still waiting for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

const JWKS: &str = "/.well-known/oauth/openid/jwks";
