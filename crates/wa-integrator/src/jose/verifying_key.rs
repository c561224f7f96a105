//! A public RSA key of somebody else, fit for RS256 (RFC 7518 §3.3, §6.3.1).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use josekit::{
    jwk::Jwk,
    jws::{JwsVerifier as _, RS256, alg::rsassa::RsassaJwsVerifier},
};
use serde_json::Value;

use crate::KeyUnusable;

/// Verifies RS256 signatures of one key, and nothing else.
#[derive(Clone)]
pub(crate) struct VerifyingKey {
    verifier: RsassaJwsVerifier,
    modulus_bytes: usize,
}

impl VerifyingKey {
    /// The key with this modulus and exponent, each big-endian in base64url without padding.
    pub(crate) fn new(n: &str, e: &str) -> Result<Self, KeyUnusable> {
        let modulus = number(n)?;
        let exponent = number(e)?;
        let bits = bits(&modulus);
        if !MODULUS_BITS.contains(&bits) || modulus.last().is_none_or(|last| last % 2 == 0) {
            return Err(KeyUnusable::Modulus);
        }
        if !is_exponent(&exponent) {
            return Err(KeyUnusable::Exponent);
        }
        // A fresh key of the two numbers only: nothing else that the set said comes near OpenSSL.
        let mut jwk = Jwk::new("RSA");
        for (name, value) in [("n", n), ("e", e)] {
            let value = Some(Value::String(value.to_owned()));
            jwk.set_parameter(name, value).map_err(|_| KeyUnusable::Modulus)?;
        }
        let verifier = RS256.verifier_from_jwk(&jwk).map_err(|_| KeyUnusable::Modulus)?;
        Ok(Self { verifier, modulus_bytes: modulus.len() })
    }

    /// Whether this is the RS256 signature of these bytes. Takes about 50 microseconds.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.len() == self.modulus_bytes && self.verifier.verify(message, signature).is_ok()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("modulus_bytes", &self.modulus_bytes).finish_non_exhaustive()
    }
}

/// Below is too weak (RFC 7518 §3.3), above costs too much to verify.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The bytes of a number that is written minimally, as RFC 7518 §2 (Base64urlUInt) asks.
fn number(text: &str) -> Result<Vec<u8>, KeyUnusable> {
    if text.len() > MODULUS_BITS.end() / 6 + 2 {
        return Err(KeyUnusable::Number);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyUnusable::Number)?;
    match bytes.first() {
        None | Some(0) => Err(KeyUnusable::Number),
        Some(_) => Ok(bytes),
    }
}

fn bits(number: &[u8]) -> usize {
    let leading = number.first().map_or(0, |first| first.leading_zeros());
    (number.len() * 8).saturating_sub(usize::try_from(leading).unwrap_or_default())
}

/// Odd, at least 3 and of at most 32 bits.
fn is_exponent(bytes: &[u8]) -> bool {
    match bytes {
        [3..=u8::MAX] | [_, _] | [_, _, _] | [_, _, _, _] => bytes.last().is_some_and(|last| last % 2 == 1),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    #[test]
    fn it_takes_the_signature_and_no_other() {
        let signer = SigningKey::generate().unwrap();
        let key = VerifyingKey::new(signer.public_key().n(), signer.public_key().e()).unwrap();
        let signature = signer.sign(b"message").unwrap();
        assert!(key.verifies(b"message", &signature));
        assert!(!key.verifies(b"messagE", &signature));
        for index in 0..signature.len() {
            let mut changed = signature.clone();
            changed[index] ^= 1;
            assert!(!key.verifies(b"message", &changed), "byte {index}");
        }
        for changed in [&signature[1..], &signature[..255], &[], &[&[0], &signature[..]].concat()] {
            assert!(!key.verifies(b"message", changed), "{} bytes", changed.len());
        }
        assert_eq!(format!("{key:?}"), "VerifyingKey { modulus_bytes: 256, .. }");
    }

    #[test]
    fn numbers_that_are_no_good_key_are_refused() {
        let good = URL_SAFE_NO_PAD.encode([0xFF; 256]);
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut even = [0xFF; 256];
        even[255] = 0xFE;
        let mut bits_2047 = [0xFF; 256];
        bits_2047[0] = 0x7F;
        for (n, e, error) in [
            (encode(&[0xFF; 255]), "AQAB", KeyUnusable::Modulus),
            (encode(&bits_2047), "AQAB", KeyUnusable::Modulus),
            (encode(&[0xFF; 1025]), "AQAB", KeyUnusable::Modulus),
            (encode(&even), "AQAB", KeyUnusable::Modulus),
            (encode(&[0xFF; 1200]), "AQAB", KeyUnusable::Number),
            (format!("{good}="), "AQAB", KeyUnusable::Number),
            (format!("+{}", &good[1..]), "AQAB", KeyUnusable::Number),
            (encode(&[&[0], &[0xFF; 256][..]].concat()), "AQAB", KeyUnusable::Number),
            (String::new(), "AQAB", KeyUnusable::Number),
            (good.clone(), "", KeyUnusable::Number),
            (good.clone(), "AAAB", KeyUnusable::Number),
            (good.clone(), "AQ", KeyUnusable::Exponent),
            (good.clone(), "Ag", KeyUnusable::Exponent),
            (good.clone(), "AQAA", KeyUnusable::Exponent),
            (good.clone(), "AQAAAAE", KeyUnusable::Exponent),
        ] {
            assert_eq!(VerifyingKey::new(&n, e).unwrap_err(), error, "{} {e}", n.len());
        }
        for e in ["Aw", "AQE", "AQAB", "_____w"] {
            assert!(VerifyingKey::new(&good, e).is_ok(), "{e}");
        }
        assert!(VerifyingKey::new(&encode(&[0xFF; 1024]), "AQAB").is_ok());
    }
}
