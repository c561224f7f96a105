//! A file of a gibibyte sent and fetched, each by a process of its own: what they and the integrator hold in memory.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use measure::{Row, Unit};
use wa_http::{HttpLimits, HyperClient, PlainHttp};
use wa_interop::chat::{FileFacts, MediaFile, MediaKind};
use wa_interop::{MediaServer, MediaTransfer, Outgoing};
use wa_media::{Encryptor, MediaKey, MediaKeys, encrypt_stream};
use wa_profile::Profile;

use crate::hosting::{SECRET, copier, credential, integrator};

const LENGTH: u64 = 1 << 30;
const KIND: MediaKind = MediaKind::Video;
const KEY: [u8; 32] = [9; 32];

/// What a process does that [`measured`] has started.
///
/// # Panics
/// Whatever goes wrong.
pub async fn run(arguments: &[String]) {
    match arguments {
        [what, directory] if what == "--host" => host(Path::new(directory)).await,
        [what, base, source] if what == "--send" => send(base, Path::new(source)).await,
        [what, origin, facts, target] if what == "--fetch" => fetch(origin, facts, Path::new(target)).await,
        other => panic!("{other:?} is unknown"),
    }
}

/// The greatest resident memory of each process, beside that of one that has just started.
///
/// # Panics
/// Whatever goes wrong.
pub async fn measured() -> Vec<Row> {
    let directory = tempfile::tempdir().expect("a directory");
    let [source, blob, target] = ["source", "blob", "target"].map(|name| directory.path().join(name));
    File::create(&source).and_then(|file| file.set_len(LENGTH)).expect("a file");
    let keys = MediaKeys::derive(&MediaKey::from_bytes(KEY), KIND.class());
    let (plain, sealed) = (File::open(&source).expect("it"), File::create(&blob).expect("a file"));
    let facts = encrypt_stream(Encryptor::new(&keys), plain, sealed, |_| {}).expect("encryption").facts;
    let origin = copier(directory.path().to_owned()).await;

    let mut host = start(&["--host", &shown(directory.path())]);
    let mut line = String::new();
    BufReader::new(host.stdout.as_mut().expect("output")).read_line(&mut line).expect("an address");
    let idle = peak(&host);
    let (sent, hosted) = tokio::task::spawn_blocking({
        let (base, source) = (line.trim().to_owned(), shown(&source));
        move || (measured_by(start(&["--send", &base, &source])), host)
    })
    .await
    .expect("the sender");
    let hosting = peak(&hosted);
    end(hosted);
    let said = [hex(&facts.sha256), hex(&facts.enc_sha256)].concat();
    let fetched = tokio::task::spawn_blocking({
        let target = shown(&target);
        move || measured_by(start(&["--fetch", &origin, &said, &target]))
    })
    .await
    .expect("the fetcher");
    assert_eq!(target.metadata().expect("the file").len(), LENGTH);
    let row = |name, bytes| Row::new(name, Unit::Bytes, bytes, idle).with_info();
    vec![row("send 1 GiB", sent), row("fetch 1 GiB", fetched), row("host 1 GiB", hosting)]
}

async fn host(directory: &Path) {
    println!("{}", integrator(directory, SECRET).await);
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
        .await
        .expect("input")
        .expect("its end");
}

async fn send(base: &str, source: &Path) {
    let server = MediaServer::new(base, "1", || async { Ok(credential()) });
    let transfer = MediaTransfer::new(client(), &Profile::default());
    let file = Outgoing::path(KIND, "video/mp4", source);
    transfer.send(file, &server, |_| {}).await.expect("the file sent");
    println!("{}", peak_of("self"));
}

async fn fetch(origin: &str, facts: &str, target: &Path) {
    let mut profile = Profile::default();
    profile.media.whatsapp_origin = origin.to_owned();
    let (sha256, enc_sha256) = facts.split_at(64);
    let facts = FileFacts { sha256: bytes(sha256), enc_sha256: bytes(enc_sha256), length: LENGTH };
    let file = MediaFile::new("/v/t62.7161-24/1_2_n.enc", MediaKey::from_bytes(KEY), facts, "video/mp4");
    let transfer = MediaTransfer::new(client(), &profile);
    transfer.fetch(KIND, &file, target, |_| {}).await.expect("the file");
    println!("{}", peak_of("self"));
}

fn client() -> HyperClient {
    HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1)
}

fn start(arguments: &[&str]) -> Child {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process")
}

/// Waits for its end; the peak that it said last.
fn measured_by(child: Child) -> f64 {
    let said = end(child);
    said.lines().last().and_then(|line| line.parse().ok()).expect("its peak")
}

/// Waits for its end; what it said.
fn end(mut child: Child) -> String {
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("its end");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

fn peak(child: &Child) -> f64 {
    peak_of(&child.id().to_string())
}

/// The most that a process has held in memory, in bytes.
fn peak_of(process: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes * 1024.0
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> [u8; 32] {
    std::array::from_fn(|index| u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).expect("digits"))
}
