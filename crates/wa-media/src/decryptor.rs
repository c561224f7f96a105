//! The second pass over what was received: decryption, and the file's own length and hash (observed).

use std::fmt;

use aes::Aes256;
use cbc::cipher::{Array, BlockModeDecrypt as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::encryptor::PIECE;
use crate::facts::{BLOCK, MAC_LENGTH};
use crate::{FileFacts, FileVerifier, MediaError, MediaKeys, Verified};

/// Decrypts a file that was verified, as it comes once more.
///
/// What it has given is not the file until [`finish`](Self::finish) says so: the encrypted file may have changed
/// since it was verified.
pub struct Decryptor {
    cipher: cbc::Decryptor<Aes256>,
    hash: Sha256,
    facts: FileFacts,
    /// Bytes of the encrypted file taken so far.
    position: u64,
    length: u64,
    rest: [u8; 16],
    rest_length: usize,
}

impl Decryptor {
    /// Decrypts the file that was verified.
    #[must_use]
    pub fn new(verified: &Verified) -> Self {
        Self {
            cipher: verified.keys.decryptor(),
            hash: Sha256::new(),
            facts: verified.facts,
            position: 0,
            length: 0,
            rest: [0; 16],
            rest_length: 0,
        }
    }

    /// Takes the next bytes of the encrypted file and appends what they give to `out`.
    ///
    /// # Errors
    /// [`MediaError::BlobLength`] as soon as there are too many, [`MediaError::Padding`] and
    /// [`MediaError::Length`] at the end of the ciphertext.
    pub fn update(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), MediaError> {
        let (expected, found) = (self.facts.blob_length(), self.position.saturating_add(bytes.len() as u64));
        if found > expected {
            return Err(MediaError::BlobLength { expected, found });
        }
        let left = (expected - MAC_LENGTH).saturating_sub(self.position);
        let left = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let (ciphertext, _) = bytes.split_at(left);
        out.reserve(ciphertext.len() + 16);
        for piece in ciphertext.chunks(PIECE) {
            self.update_piece(piece, out)?;
        }
        self.position = found;
        Ok(())
    }

    /// Whether what was decrypted is the file that the message names.
    ///
    /// # Errors
    /// [`MediaError::BlobLength`], [`MediaError::Hash`].
    pub fn finish(self) -> Result<(), MediaError> {
        let (expected, found) = (self.facts.blob_length(), self.position);
        if found != expected {
            return Err(MediaError::BlobLength { expected, found });
        }
        let hash: [u8; 32] = self.hash.finalize().into();
        if bool::from(hash.ct_eq(&self.facts.sha256)) { Ok(()) } else { Err(MediaError::Hash) }
    }

    fn update_piece(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), MediaError> {
        let whole = (self.rest_length + piece.len()) / 16 * 16;
        let start = out.len();
        let (now, later) = piece.split_at(whole.saturating_sub(self.rest_length).min(piece.len()));
        if whole > 0 {
            out.extend_from_slice(self.rest.get(..self.rest_length).unwrap_or_default());
            out.extend_from_slice(now);
            self.rest_length = 0;
            self.decrypt(out, start)?;
        }
        if let Some(room) = self.rest.get_mut(self.rest_length..self.rest_length + later.len()) {
            room.copy_from_slice(later);
            self.rest_length += later.len();
        }
        Ok(())
    }

    /// Decrypts whole blocks from `start` where they are; the last one of the file loses its padding.
    fn decrypt(&mut self, out: &mut Vec<u8>, start: usize) -> Result<(), MediaError> {
        let blocks = out.get_mut(start..).unwrap_or_default();
        let (whole, _) = Array::slice_as_chunks_mut(blocks);
        self.cipher.decrypt_blocks(whole);
        let found = self.length.saturating_add(blocks.len() as u64);
        let padded = self.facts.blob_length() - MAC_LENGTH;
        if found == padded {
            let padding = padding(blocks).ok_or(MediaError::Padding)?;
            let (expected, found) = (self.facts.length, padded - u64::from(padding));
            if found != expected {
                return Err(MediaError::Length { expected, found });
            }
            out.truncate(out.len() - usize::from(padding));
        }
        let plain = out.get(start..).unwrap_or_default();
        self.hash.update(plain);
        self.length = found;
        Ok(())
    }
}

impl fmt::Debug for Decryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decryptor").field("position", &self.position).finish_non_exhaustive()
    }
}

/// Verifies and decrypts a file that is in memory.
///
/// # Errors
/// [`MediaError`] says which check failed.
pub fn decrypt(keys: &MediaKeys, facts: &FileFacts, blob: &[u8]) -> Result<Vec<u8>, MediaError> {
    let mut verifier = FileVerifier::new(keys, facts);
    verifier.update(blob)?;
    let mut decryptor = Decryptor::new(&verifier.finish()?);
    let mut plain = Vec::with_capacity(blob.len());
    decryptor.update(blob, &mut plain)?;
    decryptor.finish()?;
    Ok(plain)
}

/// The padding that these blocks end in. Its form is no secret: the MAC was verified.
fn padding(blocks: &[u8]) -> Option<u8> {
    let padding = *blocks.last()?;
    let range = 1..=u8::try_from(BLOCK).unwrap_or(16);
    let end = blocks.len().checked_sub(usize::from(padding)).and_then(|start| blocks.get(start..))?;
    (range.contains(&padding) && end.iter().all(|byte| *byte == padding)).then_some(padding)
}

#[cfg(test)]
mod tests;
