//! The program is killed while it takes an upload: what it leaves is gone once it has started again.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a credential is of now; a test fails by panicking"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use wa_integrator::{SharedSecret, UserIdentifier};

use crate::fixture::program::{Program, command};

const LENGTH: usize = 8 << 20;

#[test]
fn an_upload_that_was_killed_leaves_nothing_after_the_sweep() {
    let directory = tempfile::tempdir().unwrap();
    let blob = vec![0x5a; LENGTH];
    let mut killed = start(directory.path());
    let kept = upload(&killed, directory.path(), &blob, LENGTH);
    for _ in 0..3 {
        let mut stream = begin(&killed, directory.path(), &blob);
        stream.write_all(&blob[..LENGTH / 2]).unwrap();
        stream.flush().unwrap();
        wait_for_half(directory.path());
        killed.child.kill().unwrap();
        killed.child.wait().unwrap();
        assert_eq!(files(directory.path()).len(), 2, "the file, and what the upload left");
        let found = fsck(directory.path());
        assert_eq!((found["sound"].as_u64(), found["uploading"].as_u64()), (Some(1), Some(1)));

        killed = start(directory.path());
        // Swept beside the first requests.
        wait_for_one(directory.path());
        let found = fsck(directory.path());
        assert_eq!((found["sound"].as_u64(), found["uploading"].as_u64()), (Some(1), Some(0)));
        assert_eq!(found["orphans"], 0);
    }
    let got =
        exchange(&killed, &format!("GET /{kept} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"), b"");
    assert!(got.ends_with(&blob) && got.starts_with(b"HTTP/1.1 200"), "{} bytes", got.len());
    killed.stop();
}

/// A bucket that keeps one object, a disk that keeps one file: keys, tokens and pushes are served all the same (A6).
#[test]
fn a_file_that_cannot_be_removed_keeps_nobody_from_starting() {
    let directory = tempfile::tempdir().unwrap();
    let first = start(directory.path());
    upload(&first, directory.path(), &vec![0x5a; LENGTH], LENGTH);
    first.stop();
    let index = rusqlite::Connection::open(directory.path().join("media.sqlite")).unwrap();
    assert_eq!(index.execute("UPDATE media SET expires_at = 1", []).unwrap(), 1);
    drop(index);
    let stubborn = files(directory.path()).remove(0);
    fs::remove_file(&stubborn).unwrap();
    fs::create_dir(&stubborn).unwrap();
    fs::write(stubborn.join("x"), "x").unwrap();
    let second = start(directory.path());
    let jwks = "GET /.well-known/oauth/openid/jwks HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = exchange(&second, jwks, b"");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    second.stop();
    assert!(stubborn.exists());
}

fn start(directory: &Path) -> Program {
    let mut quiet = command(directory);
    Program::of(quiet.env("WA_INTEGRATOR_LOG", "off").args(["--listen", "127.0.0.1:0"]))
}

fn connect(program: &Program) -> TcpStream {
    let address = program.ready["address"].as_str().unwrap();
    TcpStream::connect(address.strip_prefix("http://").unwrap()).unwrap()
}

fn head(directory: &Path, blob: &[u8]) -> String {
    let secret = fs::read_to_string(directory.join("shared-secret")).unwrap();
    let secret: [u8; 32] = hex::decode(secret.trim()).unwrap().try_into().unwrap();
    let user = UserIdentifier::new("alice", 40).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let credential = SharedSecret::new(secret, 40).credential(&user, now + 60);
    let digest = STANDARD.encode(Sha256::digest(blob));
    format!(
        "POST /media HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {credential}\r\n\
         content-length: {LENGTH}\r\ncontent-digest: sha-256=:{digest}:\r\n\r\n"
    )
}

fn begin(program: &Program, directory: &Path, blob: &[u8]) -> TcpStream {
    let mut stream = connect(program);
    stream.write_all(head(directory, blob).as_bytes()).unwrap();
    stream
}

fn exchange(program: &Program, head: &str, body: &[u8]) -> Vec<u8> {
    let mut stream = connect(program);
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

/// The reference of what was uploaded.
fn upload(program: &Program, directory: &Path, blob: &[u8], length: usize) -> String {
    assert_eq!(blob.len(), length);
    let answer = String::from_utf8(exchange(program, &head(directory, blob), blob)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let location = answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap();
    location.to_owned()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    fn below(directory: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
    }
    below(&directory.join("media"))
}

/// Until some mebibytes of the upload are on the disk.
fn wait_for_half(directory: &Path) {
    let long = |path: &PathBuf| fs::metadata(path).is_ok_and(|it| it.len() >= 1 << 20);
    while files(directory).iter().filter(|path| long(path)).count() < 2 {
        std::thread::yield_now();
    }
}

fn fsck(directory: &Path) -> serde_json::Value {
    let output = command(directory).args(["media", "fsck", "--verify", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn wait_for_one(directory: &Path) {
    let started = std::time::Instant::now();
    while files(directory).len() != 1 {
        assert!(started.elapsed().as_secs() < 20, "it is never swept");
        std::thread::yield_now();
    }
}
