//! The first pass over what was received: its hash and its MAC, before anything is decrypted (observed).

use std::fmt;

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::encryptor::PIECE;
use crate::facts::MAC_LENGTH;
use crate::{FileFacts, MediaError, MediaKeys};

/// Verifies an encrypted file as it comes.
pub struct FileVerifier {
    keys: MediaKeys,
    facts: FileFacts,
    mac: Hmac<Sha256>,
    hash: Sha256,
    tag: [u8; 10],
    position: u64,
}

/// Proof that an encrypted file is the one a message names, made with that message's key.
pub struct Verified {
    pub(crate) keys: MediaKeys,
    pub(crate) facts: FileFacts,
}

impl FileVerifier {
    /// Expects the file that a message says these facts of, encrypted with these keys.
    #[must_use]
    pub fn new(keys: &MediaKeys, facts: &FileFacts) -> Self {
        let mut mac = keys.hmac();
        mac.update(&keys.iv);
        Self { keys: keys.clone(), facts: *facts, mac, hash: Sha256::new(), tag: [0; 10], position: 0 }
    }

    /// Takes the next bytes of the encrypted file.
    ///
    /// # Errors
    /// [`MediaError::BlobLength`] as soon as there are too many.
    pub fn update(&mut self, bytes: &[u8]) -> Result<(), MediaError> {
        let (expected, found) = (self.facts.blob_length(), self.position.saturating_add(bytes.len() as u64));
        if found > expected {
            return Err(MediaError::BlobLength { expected, found });
        }
        for piece in bytes.chunks(PIECE) {
            self.hash.update(piece);
            self.authenticate(piece, expected - MAC_LENGTH);
            self.position = self.position.saturating_add(piece.len() as u64);
        }
        Ok(())
    }

    /// Whether that was the file: length, hash and MAC, in this order.
    ///
    /// # Errors
    /// [`MediaError::BlobLength`], [`MediaError::EncryptedHash`], [`MediaError::Mac`].
    pub fn finish(self) -> Result<Verified, MediaError> {
        let (expected, found) = (self.facts.blob_length(), self.position);
        if found != expected {
            return Err(MediaError::BlobLength { expected, found });
        }
        let hash: [u8; 32] = self.hash.finalize().into();
        if !bool::from(hash.ct_eq(&self.facts.enc_sha256)) {
            return Err(MediaError::EncryptedHash);
        }
        self.mac.verify_truncated_left(&self.tag).map_err(|_| MediaError::Mac)?;
        Ok(Verified { keys: self.keys, facts: self.facts })
    }

    /// Takes the ciphertext into the MAC and keeps the tag after it.
    fn authenticate(&mut self, piece: &[u8], tag_start: u64) {
        let left = usize::try_from(tag_start.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let (ciphertext, tag) = piece.split_at(left.min(piece.len()));
        self.mac.update(ciphertext);
        let from = usize::try_from(self.position.saturating_sub(tag_start)).unwrap_or(usize::MAX);
        for (to, byte) in self.tag.iter_mut().skip(from).zip(tag) {
            *to = *byte;
        }
    }
}

impl fmt::Debug for FileVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileVerifier").field("position", &self.position).finish_non_exhaustive()
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verified(..)")
    }
}
