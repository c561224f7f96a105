//! Public keys: Montgomery u-coordinates, raw or with their type byte (overview §1.2.2: `e_keytype` 0x05).

use std::fmt;

use curve25519_dalek::traits::IsIdentity;
use curve25519_dalek::{EdwardsPoint, MontgomeryPoint, Scalar};
use subtle::ConstantTimeEq;

use crate::{BadKey, BadSignature, Signature, Verifier};

/// The type byte of a Curve25519 key.
pub const KEY_TYPE: u8 = 0x05;

/// An X25519 public key: 32 bytes, any value, as the peer sent it. Equality takes constant time.
#[derive(Clone, Copy)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key of these 32 raw bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key of exactly 32 raw bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, BadKey> {
        let error = BadKey::Length { expected: 32, actual: bytes.len() };
        Ok(Self(bytes.try_into().map_err(|_| error)?))
    }

    /// The key of exactly 33 bytes, [`KEY_TYPE`] first.
    pub fn from_prefixed(bytes: &[u8]) -> Result<Self, BadKey> {
        match bytes.split_first() {
            Some((&KEY_TYPE, key)) if key.len() == 32 => Self::from_slice(key),
            Some((&other, key)) if key.len() == 32 => Err(BadKey::Type(other)),
            _ => Err(BadKey::Length { expected: 33, actual: bytes.len() }),
        }
    }

    /// The 32 raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 33 bytes with [`KEY_TYPE`] in front.
    pub fn to_prefixed(&self) -> [u8; 33] {
        let mut prefixed = [KEY_TYPE; 33];
        if let Some((_, key)) = prefixed.split_first_mut() {
            key.copy_from_slice(&self.0);
        }
        prefixed
    }

    /// Verifies an XEdDSA signature of `message`.
    ///
    /// Stricter than libsignal, never than an honest signer: the scalar must be reduced and the key not of
    /// small order. For several signatures of one key make a [`Verifier`] once.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        Verifier::new(self).verify(message, signature)
    }

    /// Whether the bytes are the canonical encoding of a point of prime order.
    ///
    /// Every key that [`PrivateKey`](crate::PrivateKey) makes is; keys that name a session must be, or one
    /// session has many names.
    pub fn is_prime_order(&self) -> bool {
        let Some(point) = self.is_canonical().then(|| MontgomeryPoint(self.0).to_edwards(0)).flatten() else {
            return false;
        };
        // ℓ − 1 times a point of order ℓ, and of no other point, is its negative. The key is public: time may vary.
        let minus_one = -Scalar::ONE;
        EdwardsPoint::vartime_double_scalar_mul_basepoint(&minus_one, &point, &Scalar::ZERO) == -point
            && !point.is_identity()
    }

    /// Whether the number is below 2^255 − 19.
    fn is_canonical(&self) -> bool {
        let [low, middle @ .., high] = self.0;
        high < 0x7F || high == 0x7F && (low < 0xED || middle.iter().any(|byte| *byte != 0xFF))
    }
}

impl ConstantTimeEq for PublicKey {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PrivateKey;

    #[test]
    fn keys_are_equal_in_every_bit_or_not_at_all() {
        let key = PublicKey::from_bytes([7; 32]);
        assert_eq!(key, PublicKey::from_bytes([7; 32]));
        for bit in 0..256 {
            let mut other = [7; 32];
            other[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(key, PublicKey::from_bytes(other), "bit {bit}");
        }
    }

    #[test]
    fn prefixed_form_is_strict() {
        let key = PrivateKey::from_bytes([5; 32]).public_key();
        let prefixed = key.to_prefixed();
        assert_eq!(PublicKey::from_prefixed(&prefixed), Ok(key));
        assert_eq!(
            PublicKey::from_prefixed(&prefixed[..32]),
            Err(BadKey::Length { expected: 33, actual: 32 })
        );
        assert_eq!(
            PublicKey::from_prefixed(&[prefixed.as_slice(), &[0]].concat()),
            Err(BadKey::Length { expected: 33, actual: 34 })
        );
        let mut other = prefixed;
        other[0] = 6;
        assert_eq!(PublicKey::from_prefixed(&other), Err(BadKey::Type(6)));
        assert_eq!(PublicKey::from_slice(&[]), Err(BadKey::Length { expected: 32, actual: 0 }));
    }

    #[test]
    fn aliases_of_a_key_are_not_prime_order() {
        let key = PrivateKey::from_bytes([5; 32]).public_key();
        assert!(key.is_prime_order());
        let mut high_bit = *key.as_bytes();
        high_bit[31] |= 0x80;
        assert!(!PublicKey::from_bytes(high_bit).is_prime_order());
        let torsion = curve25519_dalek::constants::EIGHT_TORSION[1];
        let point = MontgomeryPoint(*key.as_bytes()).to_edwards(0).unwrap() + torsion;
        assert!(!PublicKey::from_bytes(point.to_montgomery().to_bytes()).is_prime_order());
        assert!(!PublicKey::from_bytes([0; 32]).is_prime_order());
        // u = 2^255 - 18, the second encoding of u = 1.
        let mut unreduced = [0xFF; 32];
        (unreduced[0], unreduced[31]) = (0xEE, 0x7F);
        assert!(!PublicKey::from_bytes(unreduced).is_prime_order());
    }

    #[test]
    fn canonical_is_below_the_prime() {
        let number = |low: u8, middle: u8, high: u8| {
            let mut bytes = [middle; 32];
            (bytes[0], bytes[31]) = (low, high);
            PublicKey::from_bytes(bytes).is_canonical()
        };
        assert!(number(0, 0, 0));
        assert!(number(0xEC, 0xFF, 0x7F));
        assert!(number(0xFF, 0xFE, 0x7F));
        assert!(!number(0xED, 0xFF, 0x7F));
        assert!(!number(0, 0, 0x80));
    }

    #[test]
    fn prime_order_is_freedom_from_torsion() {
        let key = MontgomeryPoint(*PrivateKey::from_bytes([5; 32]).public_key().as_bytes());
        for (index, torsion) in curve25519_dalek::constants::EIGHT_TORSION.into_iter().enumerate() {
            let point = key.to_edwards(0).unwrap() + torsion;
            assert_eq!(point.is_torsion_free(), index == 0);
            let key = PublicKey::from_bytes(point.to_montgomery().to_bytes());
            assert_eq!(key.is_prime_order(), index == 0, "{index}");
            assert!(!PublicKey::from_bytes(torsion.to_montgomery().to_bytes()).is_prime_order());
        }
    }
}
