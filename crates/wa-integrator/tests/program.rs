//! The program itself: its line, its files, its end and its refusals.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod fixture {
    pub(crate) mod verdict;
}

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use fixture::verdict::verified;
use http::{Request, Response, header};
use wa_http::{HttpClient as _, HyperClient, Limits, PlainHttp};
use wa_integrator::{SharedSecret, UserIdentifier};

#[tokio::test]
async fn it_announces_itself_issues_and_keeps_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let first = Program::start(directory.path());
    let jwks = fetch(&first.ready["jwks"], None).await;
    let address = first.ready["address"].as_str().unwrap();
    assert_eq!(first.ready["ready"], true);

    let secret = fs::read_to_string(directory.path().join("shared-secret")).unwrap();
    let secret: [u8; 32] = hex::decode(secret.trim_end()).unwrap().try_into().unwrap();
    let now = now();
    let user = UserIdentifier::new("alice", 40).unwrap();
    let credential = SharedSecret::new(secret, 40).credential(&user, now + 60);
    let granted = fetch(&first.ready["token"], Some(&credential)).await;
    let (_, claims) = verified(granted.body(), jwks.body(), address);
    assert_eq!(claims.sub, "alice");
    assert!(claims.iat >= now && claims.exp == claims.iat + 3600);

    let logged = first.stop();
    assert!(!logged.contains(&credential) && !logged.contains(&hex::encode(secret)), "{logged}");
    for name in ["store.sqlite", "shared-secret"] {
        let mode = fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }

    let second = Program::start(directory.path());
    let again = fetch(&second.ready["jwks"], None).await;
    assert_eq!(again.body(), jwks.body());
    second.stop();
}

#[test]
fn files_that_cannot_be_used_are_named_and_stay() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("signing-key.pem");
    fs::write(&key, "not a key").unwrap();
    for (mode, sentence) in [
        (0o600, "does not hold what it should; restore it, or move it away to start anew"),
        (0o644, "has mode 644; only its owner may have access (chmod 600)"),
    ] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let (status, error) = refused(directory.path(), &["--listen", "127.0.0.1:0"]);
        assert_eq!(status.code(), Some(1));
        assert_eq!(error, format!("wa-integrator: {} {sentence}\n", key.display()));
        assert_eq!(fs::read_to_string(&key).unwrap(), "not a key");
    }
}

#[test]
fn one_program_uses_a_data_directory() {
    let directory = tempfile::tempdir().unwrap();
    let running = Program::start(directory.path());
    let (status, error) = refused(directory.path(), &["--listen", "127.0.0.1:0"]);
    assert_eq!(status.code(), Some(1));
    let expected = format!("wa-integrator: {} is in use by another process\n", directory.path().display());
    assert_eq!(error, expected);
    running.stop();
}

#[test]
fn arguments_that_cannot_be_are_refused_in_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    drop(Program::start(directory.path()));
    for (arguments, code, sentence) in [
        (&["--token-lifetime", "3601"][..], 1, "the token must live between 1 and 3600 seconds"),
        (&["--token-lifetime", "0"], 1, "the token must live between 1 and 3600 seconds"),
        (&["--listen", "0.0.0.0:0"], 1, "--base-url is needed, because 0.0.0.0:"),
        (&["--base-url", "http://integrator.example"], 2, "must be https, or http on a loopback host"),
        (&["--listen", "localhost"], 2, "invalid socket address"),
        (&["--connections", "0"], 2, "0 is not in 1..=100000"),
    ] {
        let mut arguments = arguments.to_vec();
        if !arguments.contains(&"--listen") {
            arguments.extend(["--listen", "127.0.0.1:0"]);
        }
        let (status, error) = refused(directory.path(), &arguments);
        assert_eq!(status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(sentence), "{arguments:?}: {error}");
        assert!(code == 2 || error.lines().count() == 1, "{error}");
    }
}

/// The running program and its first line.
struct Program {
    child: Child,
    ready: serde_json::Value,
}

impl Program {
    fn start(data_dir: &Path) -> Self {
        let mut child = command(data_dir).args(["--listen", "127.0.0.1:0"]).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { child, ready: serde_json::from_str(&line).unwrap() }
    }

    /// Ends it as a service manager does and returns what it logged.
    fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut logged = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut logged).unwrap();
        assert!(self.child.wait().unwrap().success(), "{logged}");
        logged
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wa-integrator"));
    for name in
        ["LISTEN", "BASE_URL", "DATA_DIR", "SHARED_SECRET_FILE", "TOKEN_LIFETIME", "CONNECTIONS", "LOG"]
    {
        command.env_remove(format!("WA_INTEGRATOR_{name}"));
    }
    command.arg("--data-dir").arg(data_dir).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// How it ended and what it said; a program that starts after all is ended and fails the test.
fn refused(data_dir: &Path, arguments: &[&str]) -> (ExitStatus, String) {
    let mut child = command(data_dir).args(arguments).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    if !line.is_empty() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(line, "", "it started with {arguments:?}");
    (output.status, String::from_utf8(output.stderr).unwrap())
}

async fn fetch(url: &serde_json::Value, credential: Option<&str>) -> Response<Bytes> {
    let mut request = Request::builder().uri(url.as_str().unwrap());
    if let Some(credential) = credential {
        request = request.method("POST").header(header::AUTHORIZATION, format!("Bearer {credential}"));
    }
    let client = HyperClient::new(Limits::default()).with_plain_http(PlainHttp::Http1);
    client.send(request.body(Bytes::new()).unwrap()).await.unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the program under test reads the system's clock")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
