//! A public RSA key of somebody else, fit for RS256 (RFC 7518 §3.3, §6.3.1), whatever engine does the arithmetic.

use std::ops::RangeInclusive;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::KeyUnusable;

/// Verifies RS256 signatures (RSASSA-PKCS1-v1_5 with SHA-256) of one key, and nothing else.
pub trait VerifyRs256: Send + Sync {
    /// Whether this is the signature of these bytes; its length is that of the modulus.
    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool;
}

/// Makes an engine's key of a modulus and an exponent, each big-endian without leading zeros; `None` if it cannot.
///
/// Both were checked: an odd modulus of 2,048 to 8,192 bits, an odd exponent from 3 up to 32 bits.
pub type MakeKey = fn(modulus: &[u8], exponent: &[u8]) -> Option<Arc<dyn VerifyRs256>>;

/// A key whose numbers were checked.
#[derive(Clone)]
pub(crate) struct VerifyingKey {
    engine: Arc<dyn VerifyRs256>,
    modulus_bytes: usize,
}

/// Below is too weak (RFC 7518 §3.3), above costs too much to verify.
const MODULUS_BITS: RangeInclusive<usize> = 2048..=8192;

impl VerifyingKey {
    /// The key with this modulus and exponent, each big-endian in base64url without padding.
    pub(crate) fn new(n: &str, e: &str, make: MakeKey) -> Result<Self, KeyUnusable> {
        let modulus = number(n)?;
        let exponent = number(e)?;
        let bits = bits(&modulus);
        if !MODULUS_BITS.contains(&bits) || modulus.last().is_none_or(|last| last % 2 == 0) {
            return Err(KeyUnusable::Modulus);
        }
        if !is_exponent(&exponent) {
            return Err(KeyUnusable::Exponent);
        }
        let engine = make(&modulus, &exponent).ok_or(KeyUnusable::Modulus)?;
        Ok(Self { engine, modulus_bytes: modulus.len() })
    }

    /// Whether this is the RS256 signature of these bytes. Takes about 30 microseconds.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.len() == self.modulus_bytes && self.engine.verifies(message, signature)
    }
}

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
    use crate::test_engine::{SigningKey, aws_lc};

    #[test]
    fn it_takes_the_signature_and_no_other() {
        let signer = SigningKey::generate().unwrap();
        let key = VerifyingKey::new(signer.public_key().n(), signer.public_key().e(), aws_lc).unwrap();
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
            let refused = VerifyingKey::new(&n, e, aws_lc).map(drop);
            assert_eq!(refused, Err(error), "{} {e}", n.len());
        }
        for e in ["Aw", "AQE", "AQAB", "_____w"] {
            assert!(VerifyingKey::new(&good, e, aws_lc).is_ok(), "{e}");
        }
        assert!(VerifyingKey::new(&encode(&[0xFF; 1024]), "AQAB", aws_lc).is_ok());
    }
}
