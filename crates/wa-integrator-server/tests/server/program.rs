//! The program itself: its line, its files, its end and its refusals.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response, header};
use wa_http::{HttpClient as _, HttpLimits, HyperClient, PlainHttp};
use wa_integrator::{SharedSecret, SigningKey, UserIdentifier};

use crate::fixture::program::{Program, keys, refused};
use crate::fixture::verdict::verified;

#[tokio::test]
async fn it_announces_itself_issues_and_keeps_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let first = Program::start(directory.path(), &[]);
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

    let second = Program::start(directory.path(), &[]);
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
        (
            0o644,
            "has mode 644; only its owner may have access (chmod 600), or a group that root, or its owner, chose for this process",
        ),
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
    let running = Program::start(directory.path(), &[]);
    let (status, error) = refused(directory.path(), &["--listen", "127.0.0.1:0"]);
    assert_eq!(status.code(), Some(1));
    let expected = format!("wa-integrator: {} is in use by another process\n", directory.path().display());
    assert_eq!(error, expected);
    running.stop();
}

#[tokio::test]
async fn keys_are_changed_while_it_runs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let running = Program::start(path, &["--set", "keys.refresh=1"]);
    let listed = |arguments: &[&str]| -> Vec<(String, String)> {
        let output = keys(path, arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let line = |line: &str| {
            let key: serde_json::Value = serde_json::from_str(line).unwrap();
            (key["kid"].as_str().unwrap().to_owned(), key["state"].as_str().unwrap().to_owned())
        };
        text.lines().map(line).collect()
    };
    let states = || listed(&["list", "--json"]).into_iter().map(|(_, state)| state).collect::<Vec<_>>();
    assert_eq!(states(), ["current", "next", "next"]);
    assert!(keys(path, &["rotate"]).status.success());
    assert_eq!(states(), ["previous", "current", "next", "next"]);
    let (kid, _) = listed(&["list", "--json"]).remove(1);
    // A name may begin with a hyphen.
    assert!(keys(path, &["revoke", &kid]).status.success());
    assert_eq!(states(), ["previous", "revoked", "current", "next", "next"]);
    assert!(published_without(&running.ready["jwks"], &kid).await);

    let exported = keys(path, &["export-public"]).stdout;
    let served = fetch(&running.ready["jwks"], None).await;
    assert_eq!(String::from_utf8(exported).unwrap().trim_end().as_bytes(), served.body());

    let file = path.join("elsewhere.pem");
    fs::write(&file, SigningKey::generate().unwrap().to_pem()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let file = file.to_str().unwrap();
    assert!(keys(path, &["import", file]).status.success());
    assert_eq!(states().last().unwrap(), "next");
    for (arguments, sentence) in [
        (&["import", file][..], "the key is known already"),
        (&["revoke", &kid], "the key is not published any more"),
        (&["revoke", "nothing"], "there is no such key"),
        (&["rotate"], "no key has been published for long enough to sign; the next may from "),
    ] {
        let output = keys(path, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with(&format!("wa-integrator: {sentence}")), "{error}");
        assert_eq!(error.contains(" GMT on"), arguments == ["rotate"], "a date for people: {error}");
    }
    running.stop();
}

/// Whether the keys are served without this one within ten seconds.
async fn published_without(url: &serde_json::Value, kid: &str) -> bool {
    for _ in 0..200 {
        let served = fetch(url, None).await;
        if !String::from_utf8_lossy(served.body()).contains(kid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[test]
fn the_master_key_is_needed_again() {
    let directory = tempfile::tempdir().unwrap();
    let master = directory.path().join("master");
    fs::write(&master, "5a".repeat(32)).unwrap();
    fs::set_permissions(&master, fs::Permissions::from_mode(0o600)).unwrap();
    let data = directory.path().join("data");
    let master = format!("keys.master_key_file={}", master.display());
    let with = ["--set", &master];
    Program::start(&data, &with).stop();
    let stored = fs::read(data.join("store.sqlite")).unwrap();
    assert!(!stored.windows(11).any(|window| window == b"PRIVATE KEY"), "in the clear");
    Program::start(&data, &with).stop();
    let (status, error) = refused(&data, &["--listen", "127.0.0.1:0"]);
    assert_eq!(status.code(), Some(1));
    assert_eq!(error, "wa-integrator: the signing key is sealed, and there is no master key\n");
}

#[test]
fn a_key_from_elsewhere_moves_into_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let (file, key) = (directory.path().join("signing-key.pem"), SigningKey::generate().unwrap());
    fs::write(&file, key.to_pem()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    Program::start(directory.path(), &[]).stop();
    assert!(!file.exists());
    let listed = String::from_utf8(keys(directory.path(), &["list"]).stdout).unwrap();
    assert!(listed.starts_with(&format!("{}  current ", key.public_key().kid())), "{listed}");
}

#[test]
fn arguments_that_cannot_be_are_refused_in_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    drop(Program::start(directory.path(), &[]));
    for (arguments, code, sentence) in [
        (&["--set", "tokens.lifetime=3601"][..], 1, "the token must live between 1 and 3600 seconds"),
        (&["--set", "tokens.lifetime=0"], 1, "the token must live between 1 and 3600 seconds"),
        (&["--listen", "0.0.0.0:0"], 1, "a base url is needed (--base-url), because 0.0.0.0:"),
        (&["--base-url", "http://integrator.example"], 2, "must be https, or http on a loopback host"),
        (&["--listen", "localhost"], 2, "invalid socket address"),
        (&["--set", "limits.connections=0"], 2, "0 is not in 1..=100000"),
        (&["--set", "tokens.authenticator=proxy"], 1, "tokens.proxy is needed with this authenticator"),
        (&["--set", "tokens.authenticator=oidc"], 1, "tokens.oidc_issuer is needed with this authenticator"),
        (
            &["--webhook", "http://backend.example/"],
            1,
            "push.webhook is neither https, nor http to a loopback host or one of trust.plain_http",
        ),
        (
            &["--webhook", "http://127.0.0.1:1/", "--set", "push.whatsapp_jwks_url=http://127.0.0.1:1/"],
            1,
            "http://127.0.0.1:1/ is not a url that keys may be fetched from: https, or push.allow_private",
        ),
        (&["--set", "push.path=push"], 2, "a path begins with a slash and has plain segments"),
        (&["--set", "push.pth=/push"], 2, "unknown field `pth`"),
        (&["--set", "token lifetime=3"], 2, "token lifetime is no setting"),
        (&["--token-lifetime", "60"], 2, "unexpected argument '--token-lifetime'"),
        (
            &["--token-lifetime", "60"],
            2,
            "--token-lifetime is a setting: give it by --set tokens.lifetime=VALUE, by ",
        ),
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

async fn fetch(url: &serde_json::Value, credential: Option<&str>) -> Response<Bytes> {
    let mut request = Request::builder().uri(url.as_str().unwrap());
    if let Some(credential) = credential {
        request = request.method("POST").header(header::AUTHORIZATION, format!("Bearer {credential}"));
    }
    let client = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
    client.send(request.body(Bytes::new()).unwrap()).await.unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the program under test reads the system's clock")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
