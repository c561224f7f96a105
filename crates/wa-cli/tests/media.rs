//! `wa media`: what it encrypts it decrypts, and a changed byte is refused by name.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(feature = "media")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn wa(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wa"));
    command.current_dir(directory).arg("media").args(arguments).output().unwrap()
}

#[test]
fn what_is_encrypted_is_decrypted_and_a_changed_byte_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    fs::write(directory.join("plain"), "a picture").unwrap();
    let encrypted = wa(directory, &["encrypt", "--kind", "image", "plain", "blob"]);
    assert!(encrypted.status.success(), "{encrypted:?}");
    let mut said: serde_json::Value = serde_json::from_slice(&encrypted.stdout).unwrap();
    assert_eq!((said["kind"].as_str(), said["length"].as_u64()), (Some("image"), Some(9)));
    fs::write(directory.join("facts"), said.to_string()).unwrap();
    // A file of the user's beside the output, under a name that a copy might have.
    fs::write(directory.join("opened.encrypted"), "of the user").unwrap();
    let opened = wa(directory, &["decrypt", "--facts", "facts", "blob", "opened"]);
    assert!(opened.status.success() && opened.stdout.is_empty(), "{opened:?}");
    assert_eq!(fs::read(directory.join("opened")).unwrap(), b"a picture");
    assert_eq!(fs::read(directory.join("opened.encrypted")).unwrap(), b"of the user");
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|it| it.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["blob", "facts", "opened", "opened.encrypted", "plain"]);
    fs::remove_file(directory.join("opened.encrypted")).unwrap();

    said["kind"] = "video".into();
    fs::write(directory.join("facts"), said.to_string()).unwrap();
    refused(directory, "the mac of the encrypted file differs");
    let mut blob = fs::read(directory.join("blob")).unwrap();
    blob[0] ^= 1;
    fs::write(directory.join("blob"), blob).unwrap();
    refused(directory, "the hash of the encrypted file differs");
    fs::write(directory.join("facts"), "{}").unwrap();
    refused(directory, "facts does not say kind, key, sha256, enc_sha256 and length");
}

fn refused(directory: &Path, sentence: &str) {
    let _ = fs::remove_file(directory.join("opened"));
    let output = wa(directory, &["decrypt", "--facts", "facts", "blob", "opened"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("error: {sentence}\n"));
    assert!(!directory.join("opened").exists() && !directory.join("opened.encrypted").exists());
}

#[test]
fn the_output_has_a_name_or_a_place_and_one_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    fs::write(directory.join("plain"), "a picture").unwrap();
    assert!(wa(directory, &["encrypt", "--kind", "image", "plain", "--out", "blob"]).status.success());
    assert!(directory.join("blob").exists());
    for arguments in [
        &["encrypt", "--kind", "image", "plain"][..],
        &["encrypt", "--kind", "image", "plain", "a", "-o", "b"],
    ] {
        assert_eq!(wa(directory, arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_brought_to_the_service_and_lies_there_encrypted() {
    let playground =
        wa_conformance::Playground::start(wa_conformance::Document::ReferenceOffer).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    fs::write(directory.join("plain"), "a picture").unwrap();
    fs::write(directory.join("credential"), playground.credential("alice").unwrap()).unwrap();
    let upload = |command: &str| {
        let base = playground.base();
        wa(
            directory,
            &["upload", "--kind", "image", "--url", &base, "--credential-command", command, "plain"],
        )
    };
    let sent = upload("cat credential");
    assert!(sent.status.success(), "{sent:?}");
    let said: serde_json::Value = serde_json::from_slice(&sent.stdout).unwrap();
    let path = said["direct_path"].as_str().unwrap();
    assert!(path.starts_with("/interop/") && said["length"] == 9, "{said}");
    for (command, why) in
        [("echo nonsense", "the host answered 401"), ("false", "no credential for the upload")]
    {
        let refused = upload(command);
        let error = String::from_utf8_lossy(&refused.stderr);
        assert!(error.contains(why) && refused.status.code() == Some(3), "{error}");
    }
}
