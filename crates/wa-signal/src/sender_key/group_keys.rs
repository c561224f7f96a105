//! The keys of one group message (observed).

use zeroize::Zeroizing;

use crate::DecryptError;
use crate::hmac::Hmac;
use crate::kdf::{Purpose, derive};
use crate::message_keys::{decrypt, encrypt, padded};

/// IV and cipher key of one group message. There is no MAC: the signature authenticates.
pub(crate) struct GroupKeys(Zeroizing<[[u8; 32]; 2]>);

impl GroupKeys {
    pub(crate) fn derive(hmac: &mut Hmac, seed: &[u8; 32]) -> Self {
        Self(derive(hmac, None, seed, &GROUP))
    }

    /// The first 48 derived bytes: the IV's 16, the cipher key's 32.
    fn parts(&self) -> (&[u8; 16], &[u8; 32]) {
        let bytes = self.0.as_flattened();
        let (iv, key) = bytes.split_first_chunk().unwrap_or((&[0; 16], &[]));
        (iv, key.first_chunk().unwrap_or(&[0; 32]))
    }

    pub(crate) fn encrypt(&self, plaintext: &[u8]) -> Vec<u8> {
        let (iv, key) = self.parts();
        let mut bytes = Vec::with_capacity(padded(plaintext.len()));
        bytes.extend_from_slice(plaintext);
        encrypt(key, iv, &mut bytes, 0);
        bytes
    }

    pub(crate) fn decrypt(&self, ciphertext: &[u8]) -> Result<Vec<u8>, DecryptError> {
        let (iv, key) = self.parts();
        decrypt(key, iv, ciphertext).map_err(|_| DecryptError::Invalid)
    }
}

const GROUP: Purpose = Purpose::new(b"WhisperGroup");
