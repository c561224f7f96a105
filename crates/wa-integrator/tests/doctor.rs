//! `wa-integrator doctor`: well where everything is, and what it says where something is not.

#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's helpers fail the test")]

mod fixture {
    #[expect(dead_code, reason = "what other tests ask of the program")]
    pub(crate) mod callers;
    #[expect(dead_code, reason = "what other tests ask of the program")]
    pub(crate) mod program;
    #[expect(dead_code, reason = "the times of other tests")]
    pub(crate) mod server;
    #[expect(dead_code, reason = "the tokens of other tests")]
    pub(crate) mod whatsapp;
}

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path};

use fixture::{
    callers::publish,
    program::{Program, command},
};

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
    let known = ["--whatsapp-jwks-url", &whatsapp, "--allow-private"];
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
    let with = ["--whatsapp-jwks-url", "http://127.0.0.1:9/", "--allow-private", "--base-url", &other];
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
    Program::start(&data, &["--master-key-file", master.to_str().unwrap()]).stop();
    let with = ["--token-lifetime", "0", "--whatsapp-jwks-url", "http://127.0.0.1:9/", "--allow-private"];
    let (found, code) = examined(&data, &with).await;
    assert_eq!(found["keys"], "bad: the signing key is sealed, and there is no master key");
    assert_eq!(found["settings"], "bad: the token must live between 1 and 3600 seconds");
    assert_eq!(found["published"], "doubtful: there is no base url, so nobody else can fetch the keys");
    assert_eq!(code, Some(1));
}
