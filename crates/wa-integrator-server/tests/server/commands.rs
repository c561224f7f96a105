//! What the program does beside serving, and how it starts and ends where something is odd.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use wa_integrator::{SharedSecret, UserIdentifier};

use crate::fixture::program::{Program, command};

fn run(data_dir: &Path, arguments: &[&str]) -> Output {
    command(data_dir).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn asked(program: &Program, announced: &str, request: &str) -> String {
    let address = program.ready[announced].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut read = String::new();
    let _ = stream.read_to_string(&mut read);
    read
}

#[expect(clippy::disallowed_methods, reason = "the program under test reads the system's clock")]
fn credential(data_dir: &Path, user: &str) -> String {
    let secret = fs::read_to_string(data_dir.join("shared-secret")).unwrap();
    let secret: [u8; 32] = hex::decode(secret.trim()).unwrap().try_into().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let user = UserIdentifier::new(user, 40).unwrap();
    format!("Bearer {}", SharedSecret::new(secret, 40).credential(&user, now + 60))
}

/// In another directory than the service's, with other settings, by mistake (A9).
#[test]
fn a_command_makes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    for arguments in [
        &["keys", "list"][..],
        &["keys", "rotate"],
        &["media", "fsck", "--remove"],
        &["outbox", "list"],
        &["outbox", "drop", "--all"],
        &["users", "forget", "alice"],
    ] {
        let output = run(&data, arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(said(&output).contains("there is no store at "), "{arguments:?}: {}", said(&output));
        assert!(!data.exists(), "{arguments:?} made something");
    }
    assert!(run(&data, &["store", "upgrade"]).status.success());
    // An index that was lost: nothing makes another one, and nobody calls it good.
    fs::remove_file(data.join("media.sqlite")).unwrap();
    fs::create_dir_all(data.join("media")).unwrap();
    assert!(!run(&data, &["media", "fsck", "--remove"]).status.success());
    let doctor = run(&data, &["doctor"]);
    let found = String::from_utf8(doctor.stdout).unwrap();
    assert!(!found.contains("files and their index answer"), "{found}");
    assert!(!data.join("media.sqlite").exists());
}

#[test]
fn a_path_that_is_taken_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for path in ["/token", "/media", "/user", "/.well-known/oauth/openid/jwks"] {
        let mut checking = command(directory.path());
        checking.env("WA_INTEGRATOR_WEBHOOK", "http://127.0.0.1:9/").env("WA_INTEGRATOR_PUSH_PATH", path);
        let output = checking.args(["config", "check"]).output().unwrap();
        assert!(!output.status.success(), "{path}");
        assert_eq!(said(&output), format!("wa-integrator: the path of pushes, {path}, is taken\n"));
    }
}

#[test]
fn a_key_of_tls_that_others_may_read_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (directory.path().join("c.pem"), directory.path().join("k.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    for (mode, is_said) in [(0o644, true), (0o600, false)] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let arguments =
            ["--tls-certificate", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
        let program = Program::start(&directory.path().join("data"), &arguments);
        assert_eq!(program.stop().contains("has mode 644"), is_said, "{mode:o}");
    }
}

/// Health checks of balancers that speak HTTP/1.0 and name no host.
#[test]
fn old_balancers_may_ask() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(directory.path(), &["--admin-listen", "0"]);
    for path in ["/health", "/ready"] {
        let read = asked(&program, "admin", &format!("GET {path} HTTP/1.0\r\n\r\n"));
        assert!(read.starts_with("HTTP/1.0 200 "), "{read}");
    }
    program.stop();
}

/// For machines, every request if asked for, and nothing that a stranger causes (A24).
#[test]
fn logs_are_json_where_that_is_asked_for_and_strangers_write_none() {
    let directory = tempfile::tempdir().unwrap();
    let push = "POST /push HTTP/1.1\r\nhost: a\r\nauthorization: Bearer a.b.c\r\nconnection: close\r\n\r\n";
    for (access_log, lines) in [(false, 0), (true, 1)] {
        let access = format!("telemetry.access_log={access_log}");
        let arguments = ["--log-format", "json", "--set", &access, "--webhook", "http://127.0.0.1:9/"];
        let program = Program::start(directory.path(), &arguments);
        assert!(asked(&program, "address", push).starts_with("HTTP/1.1 401 "));
        let logged = program.stop();
        let read: Vec<serde_json::Value> =
            logged.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let about: Vec<_> = read.iter().filter(|line| line["target"] == "wa_http_server::access").collect();
        assert_eq!(about.len(), lines, "{logged}");
        for line in about {
            assert_eq!((&line["status"], &line["route"]), (&401.into(), &"push".into()), "{line}");
        }
        assert!(!logged.contains("not WhatsApp's"), "{logged}");
    }
    let mut loud = command(directory.path());
    let output = loud.env("WA_INTEGRATOR_LOG", "wa_integrator=loud").args(["keys", "list"]).output().unwrap();
    assert!(
        said(&output).starts_with("wa-integrator: WA_INTEGRATOR_LOG is no filter: "),
        "{}",
        said(&output)
    );
}

/// Below a path of another server's.
#[test]
fn a_base_url_with_a_path_works_to_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let base = ["--base-url", "https://example.org/messenger/v1", "--webhook", "http://127.0.0.1:9/"];
    let program = Program::start(directory.path(), &base);
    assert_eq!(program.ready["token"], "https://example.org/messenger/v1/token");
    assert_eq!(program.ready["push"], "https://example.org/messenger/v1/push");
    let alice = credential(directory.path(), "alice");
    let ask = |method: &str, path: &str, more: &str| {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: example.org\r\nconnection: close\r\n");
        asked(&program, "address", &format!("{head}authorization: {alice}\r\n{more}"))
    };
    let below = |path: &str| format!("/messenger/v1{path}");
    assert!(ask("GET", &below("/.well-known/oauth/openid/jwks"), "\r\n").starts_with("HTTP/1.1 200 "));
    assert!(ask("POST", &below("/token"), "\r\n").starts_with("HTTP/1.1 200 "));
    let upload = format!("content-length: 1\r\ncontent-digest: {DIGEST}\r\n\r\nx");
    let uploaded = ask("POST", &below("/media"), &upload);
    let reference = uploaded.lines().find_map(|line| line.strip_prefix("location: ")).unwrap();
    assert!(
        ask("GET", &below(&format!("/{reference}")), "\r\n").starts_with("HTTP/1.1 401 "),
        "not WhatsApp's"
    );
    assert!(ask("DELETE", &below(&format!("/{reference}")), "\r\n").starts_with("HTTP/1.1 204 "));
    assert!(ask("POST", &below("/push"), "\r\n").starts_with("HTTP/1.1 401 "), "a push, but not WhatsApp's");
    for elsewhere in ["/token", "/push", "/messenger/token", "/messenger/v1x/token"] {
        assert!(ask("POST", elsewhere, "\r\n").starts_with("HTTP/1.1 404 "), "{elsewhere}");
    }
    assert!(ask("DELETE", &below("/user"), "\r\n").starts_with("HTTP/1.1 204 "));
    program.stop();
}

/// Of one `x`.
const DIGEST: &str = "sha-256=:LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=:";

/// Containers whose root cannot be written to: all that is written lies in the data directory. Where the system lets a test
/// do so, everything else is made read-only; anyhow, nothing appears elsewhere.
#[test]
fn a_read_only_root_is_enough() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    let mut started = command(&data);
    let can = Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success());
    if can {
        let script = "mount --make-rprivate / && mount --bind \"$DATA\" \"$DATA\" && mount -o remount,bind,ro / && \
                      ! touch \"$HOME/x\" 2>/dev/null && exec \"$0\" \"$@\"";
        let program = started;
        started = Command::new("unshare");
        started.args(["-rm", "sh", "-c", script]).arg(program.get_program()).args(program.get_args());
        started.env("DATA", &data).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    for name in ["HOME", "TMPDIR", "XDG_RUNTIME_DIR"] {
        started.env(name, elsewhere.path());
    }
    let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "0"];
    let program = Program::of(started.current_dir(elsewhere.path()).args(listen));
    let alice = credential(&data, "alice");
    let ask = |request: &str| asked(&program, "address", request);
    let head = |method: &str, path: &str| {
        format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: {alice}\r\n")
    };
    assert!(ask(&format!("{}\r\n", head("POST", "/token"))).starts_with("HTTP/1.1 200 "));
    let upload = format!("content-length: 1\r\ncontent-digest: {DIGEST}\r\n\r\nx");
    assert!(ask(&format!("{}{upload}", head("POST", "/media"))).starts_with("HTTP/1.1 201 "));
    program.stop();
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

/// What is wrong with an address is said in the system's words, in the log and by `doctor`.
#[test]
fn a_host_that_nobody_has_is_said_to_be_one() {
    let directory = tempfile::tempdir().unwrap();
    assert!(run(directory.path(), &["store", "upgrade"]).status.success());
    let mut doctor = command(directory.path());
    doctor.env("WA_INTEGRATOR_WEBHOOK", "https://backend.example/");
    doctor.env("WA_INTEGRATOR_WHATSAPP_JWKS_URL", "https://no-such-host.invalid/keys");
    let found = String::from_utf8(doctor.args(["doctor"]).output().unwrap().stdout).unwrap();
    let sentence = "https://no-such-host.invalid/keys: could not resolve the host's name: no ";
    assert!(found.contains(sentence), "{found}");
    #[cfg(feature = "postgres")]
    {
        let mut served = command(directory.path());
        served.env("WA_INTEGRATOR_POSTGRES", "postgresql://wa@no-such-host.invalid/wa?sslmode=require");
        served.env("WA_INTEGRATOR_SHARED_SECRET_FILE", directory.path().join("absent"));
        served.env("WA_INTEGRATOR_MEDIA_DIRECTORY", directory.path().join("media"));
        let said = said(&served.args(["keys", "list"]).output().unwrap());
        assert!(said.contains("failed to lookup address information"), "{said}");
    }
}

/// As OPERATIONS says it: SQLite's own copy of both files while the server runs, then the files; put back, and served.
#[test]
fn a_backup_is_made_while_it_runs_and_restored() {
    let (directory, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = Program::start(directory.path(), &[]);
    let alice = credential(directory.path(), "alice");
    let upload = format!(
        "POST /media HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: {alice}\r\ncontent-length: 1\r\n\
         content-digest: {DIGEST}\r\n\r\nx"
    );
    let uploaded = asked(&program, "address", &upload);
    let reference = uploaded.lines().find_map(|line| line.strip_prefix("location: ")).unwrap().to_owned();
    let jwks = "GET /.well-known/oauth/openid/jwks HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let body = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    let before = body(&asked(&program, "address", jwks));
    for name in ["store.sqlite", "media.sqlite"] {
        let source = rusqlite::Connection::open(directory.path().join(name)).unwrap();
        source.execute("VACUUM INTO ?1", [backup.path().join(name).to_str().unwrap()]).unwrap();
        fs::set_permissions(backup.path().join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    copy(&directory.path().join("media"), &backup.path().join("media"));
    fs::copy(directory.path().join("shared-secret"), backup.path().join("shared-secret")).unwrap();
    program.stop();
    drop(directory);

    let checked = run(backup.path(), &["media", "fsck", "--verify"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let restored = Program::start(backup.path(), &[]);
    assert_eq!(body(&asked(&restored, "address", jwks)), before);
    let fetch = format!("GET /{reference} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert_eq!(body(&asked(&restored, "address", &fetch)), "x");
    restored.stop();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
