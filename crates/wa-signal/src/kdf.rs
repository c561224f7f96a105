//! HKDF-SHA256 and HMAC-SHA256, the only two derivations (observed).

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// HKDF without salt uses one of zeros.
pub(crate) const NO_SALT: [u8; 32] = [0; 32];

/// `N` bytes of HKDF-SHA256.
pub(crate) fn derive<const N: usize>(salt: &[u8; 32], secret: &[u8], info: &[u8]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32) }
    let mut out = Zeroizing::new([0; N]);
    let expanded = Hkdf::<Sha256>::new(Some(salt), secret).expand(info, out.as_mut_slice());
    debug_assert!(expanded.is_ok(), "HKDF fails only above 255 blocks, which the assertion above excludes");
    out
}

/// An HMAC-SHA256 under a 32-byte key, to be fed and finished.
pub(crate) fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    // The key is padded to a block as HMAC itself would do; this form cannot fail.
    let mut block = Zeroizing::new([0; 64]);
    if let Some(start) = block.first_chunk_mut() {
        *start = *key;
    }
    Hmac::new((&*block).into())
}

/// HMAC-SHA256 of one byte.
pub(crate) fn hmac_byte(key: &[u8; 32], byte: u8) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(hmac(key).chain_update([byte]).finalize().into_bytes().into())
}
