//! Private keys: agreement and signing (RFC 7748; XEdDSA as libsignal's wire has it).

use std::fmt;
use std::sync::OnceLock;

use curve25519_dalek::{EdwardsPoint, MontgomeryPoint, Scalar, scalar::clamp_integer};
use rand_core::CryptoRng;
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{PublicKey, Signature, ZeroSecret};

/// An X25519 private key: 32 bytes, clamped, on the heap, wiped when dropped.
///
/// Its public half is derived when it is first needed, and kept.
#[derive(Clone)]
pub struct PrivateKey {
    secret: Box<Zeroizing<[u8; 32]>>,
    public: OnceLock<PublicKey>,
    /// The public half as signatures hash it; few keys sign.
    edwards: OnceLock<[u8; 32]>,
}

/// The 32 bytes that two parties agree on; wiped when dropped. Feed them to a KDF, never use them as a key.
pub struct SharedSecret(Box<Zeroizing<[u8; 32]>>);

impl PrivateKey {
    /// A new key from the caller's randomness.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut secret = Box::<Zeroizing<[u8; 32]>>::default();
        rng.fill_bytes(secret.as_mut_slice());
        Self::clamped(secret)
    }

    /// The key of these 32 bytes, clamped as RFC 7748 says.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let mut secret = Box::<Zeroizing<[u8; 32]>>::default();
        secret.copy_from_slice(bytes.as_slice());
        Self::clamped(secret)
    }

    /// The key of exactly 32 bytes, for instance from a record.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, crate::BadKey> {
        let error = crate::BadKey::Length { expected: 32, actual: bytes.len() };
        Ok(Self::from_bytes(bytes.try_into().map_err(|_| error)?))
    }

    /// The 32 secret bytes, for a record that is itself kept secret.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.secret
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        *self.public.get_or_init(|| PublicKey::from_bytes(self.point().to_montgomery().to_bytes()))
    }

    /// Agrees on a secret with the holder of `theirs`; refuses an all-zero result.
    pub fn agree(&self, theirs: &PublicKey) -> Result<SharedSecret, ZeroSecret> {
        let mut shared = self.multiply(theirs);
        let mut agreed = SharedSecret(Box::default());
        agreed.0.copy_from_slice(shared.as_bytes());
        shared.zeroize();
        if agreed.0.ct_eq(&[0; 32]).into() {
            return Err(ZeroSecret);
        }
        Ok(agreed)
    }

    /// Signs `message` (XEdDSA with the public key's natural sign in the top bit of byte 63).
    ///
    /// The public key is derived here and never taken from the caller, so a wrong pairing cannot leak the key.
    pub fn sign(&self, message: &[u8], rng: &mut impl CryptoRng) -> Signature {
        let mut nonce = Zeroizing::new([0; 64]);
        rng.fill_bytes(nonce.as_mut_slice());
        let scalar = Zeroizing::new(self.scalar());
        let public = *self.edwards.get_or_init(|| self.point().compress().to_bytes());
        let r = secret_to_scalar(&[&HASH_PREFIX, self.as_bytes(), message, nonce.as_slice()]);
        let commitment = EdwardsPoint::mul_base(&r).compress();
        let challenge = hash_to_scalar(&[commitment.as_bytes(), &public, message]);
        let response = (*r + challenge * *scalar).to_bytes();
        Signature::assemble(commitment.as_bytes(), &response, public[31] & 0x80)
    }

    fn clamped(mut secret: Box<Zeroizing<[u8; 32]>>) -> Self {
        **secret = clamp_integer(**secret);
        Self { secret, public: OnceLock::new(), edwards: OnceLock::new() }
    }

    /// X25519. Where the processor computes on the Edwards form of the curve several numbers at a time, the way through
    /// that form is shorter than the ladder; points of the twist have no such form. Both ways take constant time in the
    /// secret, and which one is taken depends on the peer's key alone.
    fn multiply(&self, theirs: &PublicKey) -> MontgomeryPoint {
        let theirs = MontgomeryPoint(*theirs.as_bytes());
        match theirs.to_edwards(0).filter(|_| cfg!(target_arch = "x86_64")) {
            Some(point) => Zeroizing::new(point.mul_clamped(**self.secret)).to_montgomery(),
            None => theirs.mul_clamped(**self.secret),
        }
    }

    fn point(&self) -> EdwardsPoint {
        EdwardsPoint::mul_base(&Zeroizing::new(self.scalar()))
    }

    fn scalar(&self) -> Scalar {
        Scalar::from_bytes_mod_order(**self.secret)
    }
}

impl ZeroizeOnDrop for PrivateKey {}

impl ConstantTimeEq for PrivateKey {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.secret.ct_eq(other.secret.as_slice())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

impl SharedSecret {
    /// The agreed bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl ZeroizeOnDrop for SharedSecret {}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

/// `0xFE` and thirty-one `0xFF`: no encoded point, so the nonce hash never meets the challenge hash.
const HASH_PREFIX: [u8; 32] = {
    let mut prefix = [0xFF; 32];
    prefix[0] = 0xFE;
    prefix
};

/// The number that a hash of secrets gives.
fn secret_to_scalar(parts: &[&[u8]]) -> Zeroizing<Scalar> {
    let hash = Zeroizing::new(hash(parts));
    Zeroizing::new(Scalar::from_bytes_mod_order_wide(&hash))
}

/// The number that a hash of what everybody sees gives.
pub(crate) fn hash_to_scalar(parts: &[&[u8]]) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&hash(parts))
}

fn hash(parts: &[&[u8]]) -> [u8; 64] {
    let mut hash = Sha512::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;
    use rand_core::UnwrapErr;

    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let key = PrivateKey::from_bytes([7; 32]);
        assert_eq!(format!("{key:?}"), "PrivateKey(..)");
        let shared = key.agree(&PrivateKey::from_bytes([9; 32]).public_key()).unwrap();
        assert_eq!(format!("{shared:?}"), "SharedSecret(..)");
    }

    #[test]
    fn secrets_are_wiped() {
        fn wiped<T: ZeroizeOnDrop>() {}
        wiped::<PrivateKey>();
        wiped::<SharedSecret>();
    }

    #[test]
    fn two_signatures_of_one_message_differ_and_verify() {
        let mut rng = UnwrapErr(SysRng);
        let key = PrivateKey::generate(&mut rng);
        let (one, two) = (key.sign(b"m", &mut rng), key.sign(b"m", &mut rng));
        assert_ne!(one, two);
        for signature in [one, two] {
            assert_eq!(key.public_key().verify(b"m", &signature), Ok(()));
            assert_eq!(key.public_key().verify(b"n", &signature), Err(crate::BadSignature));
        }
    }

    #[test]
    fn both_ways_to_multiply_agree() {
        let mut on_the_curve = 0;
        for byte in 0..=255 {
            let (key, u) = (PrivateKey::from_bytes([byte; 32]), MontgomeryPoint([byte ^ 0x5a; 32]));
            on_the_curve += u32::from(u.to_edwards(0).is_some());
            let ladder = u.mul_clamped([byte; 32]);
            assert_eq!(key.multiply(&PublicKey::from_bytes(u.0)), ladder, "{byte}");
        }
        assert!((64..192).contains(&on_the_curve), "{on_the_curve}");
        // A point with torsion, which the clamped scalar clears in either form.
        let torsion = curve25519_dalek::constants::EIGHT_TORSION[1];
        let point = PrivateKey::from_bytes([5; 32]).point() + torsion;
        let u = point.to_montgomery();
        let key = PrivateKey::from_bytes([6; 32]);
        assert_eq!(key.multiply(&PublicKey::from_bytes(u.0)), u.mul_clamped([6; 32]));
    }

    #[test]
    fn small_order_points_are_refused() {
        let key = PrivateKey::from_bytes([3; 32]);
        let mut one = [0; 32];
        one[0] = 1;
        let mut minus_one = [0xFF; 32];
        (minus_one[0], minus_one[31]) = (0xEC, 0x7F);
        for point in [[0; 32], one, minus_one] {
            assert_eq!(key.agree(&PublicKey::from_bytes(point)).err(), Some(ZeroSecret));
        }
    }
}
