//! Verification of XEdDSA signatures, in one step or with a key that is made ready once (observed).

use std::fmt;
use std::sync::LazyLock;

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::{EdwardsPoint, MontgomeryPoint, Scalar};

use crate::private_key::hash_to_scalar;
use crate::{BadSignature, PublicKey, Signature};

/// A public key made ready to verify: worth its 200 bytes where one key signs many messages, as in a group.
#[derive(Clone)]
pub struct Verifier {
    key: PublicKey,
    /// None if nothing verifies under the key: it is no point of the curve, or one of small order.
    point: Option<Point>,
}

/// The key's point whose sign is 0.
#[derive(Clone, Copy)]
struct Point {
    point: EdwardsPoint,
    encoded: [u8; 32],
}

impl Verifier {
    /// Makes `key` ready.
    pub fn new(key: &PublicKey) -> Self {
        // y = (u − 1) / (u + 1), with the sign 0 (RFC 7748 §4.1). For a key of small order anybody can make signatures that
        // verify, so under such a key none does.
        let point = MontgomeryPoint(*key.as_bytes())
            .to_edwards(0)
            .map(|point| Point { encoded: point.compress().to_bytes(), point });
        Self { key: *key, point: point.filter(|point| !SMALL_ORDER.contains(&unsigned(point.encoded))) }
    }

    /// The key that signatures are verified with.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// Verifies as [`PublicKey::verify`] does.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        let (commitment, response, sign) = signature.split();
        // s below q. XEdDSA §3 asks only for fewer than 253 bits, under which s + q is a second signature of the same
        // message (RFC 8032 §5.1.7).
        let response = Option::<Scalar>::from(Scalar::from_canonical_bytes(response)).ok_or(BadSignature)?;
        let Point { point, mut encoded } = self.point.ok_or(BadSignature)?;
        // A with the sign that travelled with the signature (observed).
        encoded[31] |= sign << 7;
        let negative = if sign == 0 { -point } else { point };
        // R = sB − hA, compared as bytes, so that only the canonical encoding of R passes. All of it is public: time may
        // vary (XEdDSA §3).
        let challenge = hash_to_scalar(&[&commitment, &encoded, message]);
        let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&challenge, &negative, &response);
        if expected.compress().as_bytes() == &commitment { Ok(()) } else { Err(BadSignature) }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verifier").field(&self.key).finish()
    }
}

/// The eight points of small order, without their signs.
static SMALL_ORDER: LazyLock<[[u8; 32]; 8]> =
    LazyLock::new(|| EIGHT_TORSION.map(|point| unsigned(point.compress().to_bytes())));

const fn unsigned(mut encoded: [u8; 32]) -> [u8; 32] {
    encoded[31] &= 0x7F;
    encoded
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;
    use rand_core::UnwrapErr;

    use super::*;
    use crate::PrivateKey;

    #[test]
    fn keys_of_either_sign_verify_what_they_signed() {
        let mut rng = UnwrapErr(SysRng);
        let mut signs = [0; 2];
        for byte in 0..32 {
            let key = PrivateKey::from_bytes([byte; 32]);
            let (verifier, signature) = (Verifier::new(&key.public_key()), key.sign(b"m", &mut rng));
            signs[usize::from(signature.as_bytes()[63] >> 7)] += 1;
            assert_eq!(verifier.verify(b"m", &signature), Ok(()));
            assert_eq!(verifier.verify(b"n", &signature), Err(BadSignature));
            let mut other_sign = *signature.as_bytes();
            other_sign[63] ^= 0x80;
            assert_eq!(verifier.verify(b"m", &Signature::from_bytes(other_sign)), Err(BadSignature));
        }
        assert!(signs.iter().all(|count| *count > 4), "{signs:?}");
    }

    #[test]
    fn small_order_keys_verify_nothing() {
        // R = identity, s = 0 verifies under a small-order key for about one message in two.
        let mut signature = [0; 64];
        signature[0] = 1;
        for byte in 0..=255u8 {
            let verdict = PublicKey::from_bytes([0; 32]).verify(&[byte], &Signature::from_bytes(signature));
            assert_eq!(verdict, Err(BadSignature));
        }
    }

    #[test]
    fn a_point_without_its_sign_keeps_everything_else() {
        assert_eq!(unsigned([0; 32]), [0; 32]);
        let mut expected = [0xFF; 32];
        expected[31] = 0x7F;
        assert_eq!(unsigned([0xFF; 32]), expected);
    }

    #[test]
    fn no_key_of_small_order_is_made_ready() {
        for torsion in EIGHT_TORSION {
            assert!(
                Verifier::new(&PublicKey::from_bytes(torsion.to_montgomery().to_bytes())).point.is_none()
            );
        }
        assert!(Verifier::new(&PrivateKey::from_bytes([1; 32]).public_key()).point.is_some());
    }
}
