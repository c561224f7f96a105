//! Private keys at rest: an envelope that only the master key opens (AES-256-GCM, NIST SP 800-38D).

use std::fmt;

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::keys::KeyError;

/// Encrypts the private halves of signing keys in the store.
///
/// Each private key is sealed with a key of its own, which is sealed with the master key; both seals are bound
/// to the key's name, so that one cannot take another's place. The envelope is
/// `"wae1" ‖ nonce ‖ sealed data key ‖ nonce ‖ sealed private key`, 4 + 12 + 48 + 12 + length + 16 bytes.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// The master key with these 32 bytes.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }

    /// Seals a private key of this name.
    ///
    /// # Errors
    /// [`KeyError::Sealing`] when the cipher fails.
    pub fn seal(&self, kid: &str, private: &[u8], rng: &mut impl CryptoRng) -> Result<Vec<u8>, KeyError> {
        let mut data_key = Zeroizing::new([0; 32]);
        let mut nonces = [0; 2 * NONCE];
        rng.fill_bytes(data_key.as_mut_slice());
        rng.fill_bytes(&mut nonces);
        let (first, second) = nonces.split_at(NONCE);
        let wrapped = seal(&self.0, first, kid, data_key.as_slice())?;
        let sealed = seal(&data_key, second, kid, private)?;
        Ok([MAGIC, first, &wrapped, second, &sealed].concat())
    }

    /// Opens what [`seal`](Self::seal) made.
    ///
    /// # Errors
    /// [`KeyError::Sealed`] for another form, another master key, or another name.
    pub fn open(&self, kid: &str, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let rest = envelope.strip_prefix(MAGIC).ok_or(KeyError::Sealed)?;
        let (first, rest) = rest.split_at_checked(NONCE).ok_or(KeyError::Sealed)?;
        let (wrapped, rest) = rest.split_at_checked(32 + TAG).ok_or(KeyError::Sealed)?;
        let (second, sealed) = rest.split_at_checked(NONCE).ok_or(KeyError::Sealed)?;
        let opened = open(&self.0, first, kid, wrapped)?;
        let data_key: [u8; 32] = opened.as_slice().try_into().map_err(|_| KeyError::Sealed)?;
        open(&Zeroizing::new(data_key), second, kid, sealed)
    }

    /// Whether these bytes are an envelope rather than a private key in the clear.
    #[must_use]
    pub fn is_envelope(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

const MAGIC: &[u8] = b"wae1";
const NONCE: usize = 12;
const TAG: usize = 16;

fn seal(key: &[u8; 32], nonce: &[u8], kid: &str, plaintext: &[u8]) -> Result<Vec<u8>, KeyError> {
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| KeyError::Sealing)?;
    let payload = Payload { msg: plaintext, aad: kid.as_bytes() };
    Aes256Gcm::new(key.into()).encrypt(&nonce.into(), payload).map_err(|_| KeyError::Sealing)
}

fn open(key: &[u8; 32], nonce: &[u8], kid: &str, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| KeyError::Sealed)?;
    let payload = Payload { msg: ciphertext, aad: kid.as_bytes() };
    let opened = Aes256Gcm::new(key.into()).decrypt(&nonce.into(), payload);
    opened.map(Zeroizing::new).map_err(|_| KeyError::Sealed)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    fn sealed() -> (MasterKey, Vec<u8>) {
        let master = MasterKey::new([1; 32]);
        let envelope = master.seal("kid", b"private", &mut StdRng::seed_from_u64(1)).unwrap();
        (master, envelope)
    }

    #[test]
    fn it_opens_what_it_sealed() {
        let (master, envelope) = sealed();
        assert_eq!(envelope.len(), 4 + 12 + 48 + 12 + 7 + 16);
        assert_eq!(master.open("kid", &envelope).unwrap().as_slice(), b"private");
        assert!(MasterKey::is_envelope(&envelope) && !MasterKey::is_envelope(b"-----BEGIN"));
        assert!(!envelope.windows(7).any(|window| window == b"private"));
    }

    #[test]
    fn nothing_else_opens() {
        let (master, envelope) = sealed();
        assert_eq!(master.open("other", &envelope).unwrap_err(), KeyError::Sealed);
        assert_eq!(MasterKey::new([2; 32]).open("kid", &envelope).unwrap_err(), KeyError::Sealed);
        for index in 0..envelope.len() {
            let mut changed = envelope.clone();
            changed[index] ^= 1;
            assert_eq!(master.open("kid", &changed).unwrap_err(), KeyError::Sealed, "byte {index}");
            assert_eq!(
                master.open("kid", &envelope[..index]).unwrap_err(),
                KeyError::Sealed,
                "{index} bytes"
            );
        }
    }

    #[test]
    fn two_seals_differ_and_debug_shows_nothing() {
        let master = MasterKey::new([1; 32]);
        let mut rng = StdRng::seed_from_u64(1);
        let one = master.seal("kid", b"private", &mut rng).unwrap();
        assert_ne!(one, master.seal("kid", b"private", &mut rng).unwrap());
        assert_eq!(format!("{master:?}"), "MasterKey(…)");
    }
}
