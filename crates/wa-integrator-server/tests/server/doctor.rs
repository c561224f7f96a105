//! `wa-integrator doctor`: well where everything is, and what it says where something is not.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's helpers fail the test")]

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::fixture::callers::publish;
use crate::fixture::program::{Program, command};

/// WhatsApp's keys where nobody is.
const NOBODY: [&str; 4] =
    ["--set", "push.whatsapp_jwks_url=http://127.0.0.1:9/", "--set", "push.allow_private"];

/// What it finds, by name, and its exit code.
async fn examined(directory: &Path, arguments: &[&str]) -> (BTreeMap<String, String>, Option<i32>) {
    let mut command = command(directory);
    command.env("WA_INTEGRATOR_LOG", "off").args(arguments).args(["doctor", "--json"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    let found = found.lines().map(|line| {
        let finding: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| finding[name].as_str().unwrap().to_owned();
        (text("name"), format!("{}: {}", text("verdict"), text("sentence")))
    });
    (found.collect(), output.status.code())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_well_and_what_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let whatsapp = publish().await;
    let keys = format!("push.whatsapp_jwks_url={whatsapp}");
    let known = ["--set", &keys, "--set", "push.allow_private"];
    let (before, code) = examined(directory.path(), &known).await;
    assert_eq!(before["store"], "doubtful: there is none yet: the first start makes it");
    assert_eq!((code, fs::read_dir(directory.path()).unwrap().count()), (Some(0), 0), "nothing is made");

    let program = Program::start(directory.path(), &[]);
    let address = program.ready["address"].as_str().unwrap().to_owned();
    let mut with = known.to_vec();
    with.extend(["--base-url", &address]);
    let (found, code) = examined(directory.path(), &with).await;
    for (name, expected) in [
        ("settings", "good: they are sound"),
        ("store", "good: it answers"),
        ("keys", "good: one signs, 3 are published"),
        ("outbox", "good: 0 wait, 0 were given up"),
        ("media", "good: files and their index answer"),
        ("whatsapp", "good: 1 of its keys can be used"),
        ("clock", "doubtful: nobody said what time it is"),
    ] {
        assert_eq!(found[name], expected, "{found:?}");
    }
    assert_eq!(found["published"], format!("good: 3 keys are served at {address}"));
    assert!(found["data"].ends_with(" MiB are free"), "{found:?}");
    assert_eq!(code, Some(0));

    // Another server's keys at the base url, and none of WhatsApp's.
    let elsewhere = tempfile::tempdir().unwrap();
    let running = Program::start(elsewhere.path(), &[]);
    let other = running.ready["address"].as_str().unwrap().to_owned();
    let mut with = NOBODY.to_vec();
    with.extend(["--base-url", &other]);
    let (found, code) = examined(directory.path(), &with).await;
    let others =
        format!("bad: other keys are served at {other} than the store has: another server, or a cache");
    assert_eq!(found["published"], others);
    assert!(found["whatsapp"].starts_with("bad: http://127.0.0.1:9/: "), "{found:?}");
    assert_eq!(code, Some(1));
    running.stop();
    let (found, _) = examined(directory.path(), &with).await;
    assert!(found["published"].starts_with(&format!("bad: {other}/.well-known/")), "{found:?}");
    program.stop();
}

#[tokio::test]
async fn a_sealed_key_and_a_wrong_setting_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let master = directory.path().join("master");
    fs::write(&master, "5a".repeat(32)).unwrap();
    fs::set_permissions(&master, fs::Permissions::from_mode(0o600)).unwrap();
    Program::start(&data, &["--set", &format!("keys.master_key_file={}", master.display())]).stop();
    let mut with = NOBODY.to_vec();
    with.extend(["--set", "tokens.lifetime=0"]);
    let (found, code) = examined(&data, &with).await;
    assert_eq!(found["keys"], "bad: the signing key is sealed, and there is no master key");
    assert_eq!(found["settings"], "bad: the token must live between 1 and 3600 seconds");
    assert_eq!(found["published"], "doubtful: there is no base url, so nobody else can fetch the keys");
    assert_eq!(code, Some(1));
}

#[tokio::test]
async fn the_certificate_is_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (certificate, key) = (directory.path().join("certificate"), directory.path().join("key"));
    let mut with = NOBODY.to_vec();
    let (found, _) = examined(&data, &with).await;
    assert!(!found.contains_key("certificate"), "there is none: {found:?}");
    let (certificate_path, key_path) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    with.extend(["--tls-certificate", certificate_path]);
    let (found, code) = examined(&data, &with).await;
    assert_eq!((&*found["settings"], code), ("bad: tls.key is needed as well", Some(1)));

    with.extend(["--tls-key", key_path]);
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (days, expected) in [
        (-1..60, "good: it is good for 60 days"),
        (-1..14, "good: it is good for 14 days"),
        (-1..13, "doubtful: it expires in 13 days"),
        (-9..-4, "bad: it expired 3 days ago"),
        (2..60, "bad: it is not good yet, but in 2 days"),
    ] {
        let (public, private) = pair(days);
        fs::write(&certificate, &public).unwrap();
        fs::write(&key, private).unwrap();
        assert_eq!(examined(&data, &with).await.0["certificate"], expected);
        fs::write(&key, &other).unwrap();
        let (found, code) = examined(&data, &with).await;
        assert_eq!(found["certificate"], "bad: the private key is not that of the certificate");
        assert_eq!(code, Some(1));
    }
    fs::write(&key, "no key").unwrap();
    let (found, _) = examined(&data, &with).await;
    let no_key = format!("bad: {key_path} does not hold a certificate, or a private key, in pem");
    assert_eq!(found["certificate"], no_key);
    fs::remove_file(&certificate).unwrap();
    let (found, _) = examined(&data, &with).await;
    assert_eq!(
        found["certificate"],
        format!("bad: {certificate_path} cannot be read: no such file or directory")
    );
}

/// A certificate and its key in PEM, good from so many days and a half until so many days and a half from now.
#[expect(clippy::disallowed_methods, reason = "the program under test reads the system's clock")]
fn pair(days: Range<i64>) -> (String, String) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let date = |days: i64| {
        let seconds = now.checked_add_signed(days * 86_400 + 43_200).unwrap();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (parameters.not_before, parameters.not_after) = (date(days.start), date(days.end));
    (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
}
