//! The media key and what is derived from it (observed: HKDF-SHA256, 112 bytes).

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _};
use rand_core::CryptoRng;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::MediaClass;

/// The 32 bytes that a message carries for one file; never shown.
#[derive(Clone)]
pub struct MediaKey(Zeroizing<[u8; 32]>);

impl MediaKey {
    /// A fresh key. Each file has its own.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *bytes);
        Self(bytes)
    }

    /// The key with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key as bytes, for a message.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl ConstantTimeEq for MediaKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(other.0.as_slice())
    }
}

impl fmt::Debug for MediaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaKey(..)")
    }
}

/// What a file is encrypted and authenticated with; wiped when dropped.
#[derive(Clone, ZeroizeOnDrop)]
pub struct MediaKeys {
    pub(crate) iv: [u8; 16],
    pub(crate) cipher: [u8; 32],
    pub(crate) mac: [u8; 32],
    reference: [u8; 32],
}

impl MediaKeys {
    /// The keys of a file of this class: 16 bytes IV, 32 cipher key, 32 MAC key, 32 reference key.
    #[must_use]
    pub fn derive(key: &MediaKey, class: MediaClass) -> Self {
        let mut derived = Zeroizing::new([0; 112]);
        // 112 bytes are far below the 8160 that HKDF can give.
        let expanded =
            Hkdf::<Sha256>::new(None, key.as_bytes()).expand(class.info().as_bytes(), &mut *derived);
        debug_assert!(expanded.is_ok());
        let mut keys = Self { iv: [0; 16], cipher: [0; 32], mac: [0; 32], reference: [0; 32] };
        let (iv, rest) = derived.split_at(16);
        let (cipher, rest) = rest.split_at(32);
        let (mac, reference) = rest.split_at(32);
        keys.iv.copy_from_slice(iv);
        keys.cipher.copy_from_slice(cipher);
        keys.mac.copy_from_slice(mac);
        keys.reference.copy_from_slice(reference);
        keys
    }

    /// The reference key, which neither encryption nor download needs (observed).
    #[must_use]
    pub const fn reference(&self) -> &[u8; 32] {
        &self.reference
    }

    pub(crate) fn encryptor(&self) -> cbc::Encryptor<aes::Aes256> {
        cbc::cipher::KeyIvInit::new((&self.cipher).into(), (&self.iv).into())
    }

    pub(crate) fn decryptor(&self) -> cbc::Decryptor<aes::Aes256> {
        cbc::cipher::KeyIvInit::new((&self.cipher).into(), (&self.iv).into())
    }

    /// HMAC-SHA256 with the MAC key, nothing in it yet.
    pub(crate) fn hmac(&self) -> Hmac<Sha256> {
        let mut block = Zeroizing::new([0; 64]);
        let (start, _) = block.split_at_mut(32);
        start.copy_from_slice(&self.mac);
        Hmac::<Sha256>::new((&*block).into())
    }
}

impl fmt::Debug for MediaKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaKeys(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_a_key() {
        let key = MediaKey::from_bytes([0xab; 32]);
        let keys = MediaKeys::derive(&key, MediaClass::Image);
        assert_eq!(
            (format!("{key:?}"), format!("{keys:?}")),
            ("MediaKey(..)".into(), "MediaKeys(..)".into())
        );
    }

    #[test]
    fn every_class_has_its_own_keys() {
        let key = MediaKey::generate(&mut rand::rng());
        let all = MediaClass::ALL.map(|class| MediaKeys::derive(&key, class));
        for (index, keys) in all.iter().enumerate() {
            assert!(all.iter().skip(index + 1).all(|other| other.cipher != keys.cipher));
        }
    }
}
