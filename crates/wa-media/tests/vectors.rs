//! Files encrypted by a public client and by PyCA cryptography decrypt here, and the same key gives here the same
//! bytes, so that they decrypt there. How the vectors were made stands in `peers/media/oracle`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use wa_media::{Encryptor, FileFacts, MediaClass, MediaKey, MediaKeys, decrypt, encrypt};
use wa_profile::SidecarCoverage;

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    media_class: String,
    length: usize,
    key: String,
    sha256: String,
    enc_sha256: String,
    blob_length: u64,
    blob_sha256: String,
    blob: Option<String>,
    reference_key: Option<String>,
    sidecar_without_iv: Option<String>,
    sidecar_with_iv: Option<String>,
}

impl Vector {
    fn keys(&self) -> MediaKeys {
        let class = match self.media_class.as_str() {
            "image" => MediaClass::Image,
            "video" => MediaClass::Video,
            "audio" => MediaClass::Audio,
            "document" => MediaClass::Document,
            other => panic!("{other}"),
        };
        MediaKeys::derive(&MediaKey::from_bytes(bytes32(&self.key)), class)
    }

    fn facts(&self) -> FileFacts {
        let length = u64::try_from(self.length).unwrap();
        FileFacts { sha256: bytes32(&self.sha256), enc_sha256: bytes32(&self.enc_sha256), length }
    }

    fn plain(&self) -> Vec<u8> {
        (0..self.length).map(|i| u8::try_from((7 * i + i / 256) % 256).unwrap()).collect()
    }
}

fn bytes32(text: &str) -> [u8; 32] {
    hex::decode(text).unwrap().try_into().unwrap()
}

fn vectors(text: &str, count: usize) -> Vec<Vector> {
    let vectors = serde_json::from_str::<Vectors>(text).unwrap().vectors;
    assert_eq!(vectors.len(), count);
    vectors
}

fn client() -> Vec<Vector> {
    vectors(include_str!("vectors/client.json"), 56)
}

fn reference() -> Vec<Vector> {
    vectors(include_str!("vectors/reference.json"), 44)
}

#[test]
fn what_others_encrypted_decrypts_here() {
    let mut opened = 0;
    for vector in client().iter().chain(&reference()) {
        let Some(blob) = &vector.blob else { continue };
        let blob = hex::decode(blob).unwrap();
        assert_eq!(decrypt(&vector.keys(), &vector.facts(), &blob).unwrap(), vector.plain());
        opened += 1;
    }
    assert_eq!(opened, 40 + 28);
}

#[test]
fn the_same_key_gives_the_same_bytes() {
    for vector in client().iter().chain(&reference()) {
        let (blob, encrypted) = encrypt(&vector.keys(), &vector.plain());
        assert_eq!(hex::encode(Sha256::digest(&blob)), vector.blob_sha256, "{}", vector.length);
        assert_eq!(encrypted.facts, vector.facts());
        assert_eq!(encrypted.facts.blob_length(), vector.blob_length);
        assert_eq!(decrypt(&vector.keys(), &encrypted.facts, &blob).unwrap(), vector.plain());
    }
}

#[test]
fn the_reference_key_and_both_sidecars_agree() {
    for vector in reference() {
        let keys = vector.keys();
        assert_eq!(Some(hex::encode(keys.reference())), vector.reference_key);
        for (coverage, expected) in [
            (SidecarCoverage::WithoutIv, &vector.sidecar_without_iv),
            (SidecarCoverage::WithIv, &vector.sidecar_with_iv),
        ] {
            let mut encryptor = Encryptor::new(&keys).with_sidecar(&keys, coverage);
            let mut blob = Vec::new();
            encryptor.update(&vector.plain(), &mut blob);
            let sidecar = encryptor.finish(&mut blob).sidecar.unwrap();
            assert_eq!(&Some(hex::encode(sidecar.as_bytes())), expected, "{} {coverage:?}", vector.length);
        }
    }
}
