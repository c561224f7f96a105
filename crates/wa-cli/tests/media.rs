//! `wa media`: what it encrypts it decrypts, and a changed byte is refused by name.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(feature = "media")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

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
    let opened = wa(directory, &["decrypt", "--facts", "facts", "blob", "opened"]);
    assert!(opened.status.success() && opened.stdout.is_empty(), "{opened:?}");
    assert_eq!(fs::read(directory.join("opened")).unwrap(), b"a picture");
    assert!(directory.join("blob").exists());

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
