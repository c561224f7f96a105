//! Encryption in one pass and constant memory (observed: AES-256-CBC with PKCS#7, then HMAC-SHA256 cut to ten
//! bytes over IV and ciphertext).

use std::fmt;

use aes::Aes256;
use cbc::cipher::{Array, BlockModeEncrypt as _};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use wa_profile::SidecarCoverage;
use zeroize::Zeroize as _;

use crate::sidecar::Windows;
use crate::{FileFacts, MediaKeys, Sidecar};

/// Encrypts one file as it comes.
pub struct Encryptor {
    cipher: cbc::Encryptor<Aes256>,
    mac: Hmac<Sha256>,
    plain_hash: Sha256,
    blob_hash: Sha256,
    windows: Option<Windows>,
    length: u64,
    /// What does not fill a block yet.
    rest: [u8; 16],
    rest_length: usize,
}

/// What encrypting a file gave besides its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encrypted {
    /// What the message says of the file.
    pub facts: FileFacts,
    /// What a player verifies its pieces with, if that was asked for.
    pub sidecar: Option<Sidecar>,
}

impl Encryptor {
    /// Encrypts with these keys, which must be a fresh file's own.
    #[must_use]
    pub fn new(keys: &MediaKeys) -> Self {
        let mut mac = keys.hmac();
        mac.update(&keys.iv);
        Self {
            cipher: keys.encryptor(),
            mac,
            plain_hash: Sha256::new(),
            blob_hash: Sha256::new(),
            windows: None,
            length: 0,
            rest: [0; 16],
            rest_length: 0,
        }
    }

    /// This encryptor, making a sidecar as well. To be called before anything is put in.
    #[must_use]
    pub fn with_sidecar(mut self, keys: &MediaKeys, coverage: SidecarCoverage) -> Self {
        self.windows = Some(Windows::new(keys, coverage));
        self
    }

    /// Takes the next bytes of the file and appends what they give to `out`.
    pub fn update(&mut self, plaintext: &[u8], out: &mut Vec<u8>) {
        out.reserve(plaintext.len() + 16);
        for piece in plaintext.chunks(PIECE) {
            self.update_piece(piece, out);
        }
    }

    /// Ends the file: appends the last block and the MAC to `out`.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Encrypted {
        let padding = 16 - self.rest_length;
        let filled = u8::try_from(padding).unwrap_or(16);
        if let Some(end) = self.rest.get_mut(self.rest_length..) {
            end.fill(filled);
        }
        let start = out.len();
        out.extend_from_slice(&self.rest);
        self.encrypt(out, start);
        let tag = self.mac.clone().finalize().into_bytes();
        let tag = tag.get(..10).unwrap_or_default();
        out.extend_from_slice(tag);
        self.blob_hash.update(tag);
        let windows = self.windows.take();
        Encrypted {
            sidecar: windows.map(|mut windows| {
                windows.update(tag);
                windows.finish()
            }),
            facts: FileFacts {
                sha256: self.plain_hash.clone().finalize().into(),
                enc_sha256: self.blob_hash.clone().finalize().into(),
                length: self.length,
            },
        }
    }

    /// Small enough to stay in the fastest cache from the first hash to the last.
    fn update_piece(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.plain_hash.update(piece);
        self.length = self.length.saturating_add(piece.len() as u64);
        let whole = (self.rest_length + piece.len()) / 16 * 16;
        let start = out.len();
        let (now, later) = piece.split_at(whole.saturating_sub(self.rest_length).min(piece.len()));
        if whole > 0 {
            out.extend_from_slice(self.rest.get(..self.rest_length).unwrap_or_default());
            out.extend_from_slice(now);
            self.rest_length = 0;
            self.encrypt(out, start);
        }
        if let Some(room) = self.rest.get_mut(self.rest_length..self.rest_length + later.len()) {
            room.copy_from_slice(later);
            self.rest_length += later.len();
        }
    }

    /// Encrypts whole blocks from `start` where they are, and takes them into the MAC and the hash.
    fn encrypt(&mut self, out: &mut [u8], start: usize) {
        let blocks = out.get_mut(start..).unwrap_or_default();
        let (whole, _) = Array::slice_as_chunks_mut(blocks);
        self.cipher.encrypt_blocks(whole);
        self.mac.update(blocks);
        self.blob_hash.update(&*blocks);
        if let Some(windows) = &mut self.windows {
            windows.update(blocks);
        }
    }
}

impl Drop for Encryptor {
    fn drop(&mut self) {
        self.rest.zeroize();
    }
}

impl fmt::Debug for Encryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryptor").field("length", &self.length).finish_non_exhaustive()
    }
}

/// Encrypts a file that is in memory.
#[must_use]
pub fn encrypt(keys: &MediaKeys, plaintext: &[u8]) -> (Vec<u8>, Encrypted) {
    let mut blob = Vec::with_capacity(plaintext.len() + 26);
    let mut encryptor = Encryptor::new(keys);
    encryptor.update(plaintext, &mut blob);
    let encrypted = encryptor.finish(&mut blob);
    (blob, encrypted)
}

/// How much is hashed, encrypted and authenticated at a time.
pub(crate) const PIECE: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{MediaClass, MediaKey, decrypt};

    proptest! {
        #[test]
        fn how_it_is_cut_makes_no_difference(
            plain in proptest::collection::vec(any::<u8>(), 0..40_000),
            cuts in proptest::collection::vec(0_usize..40_000, 0..6),
        ) {
            let keys = MediaKeys::derive(&MediaKey::from_bytes([9; 32]), MediaClass::Video);
            let (whole, expected) = encrypt(&keys, &plain);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(plain.len())).collect();
            cuts.extend([0, plain.len()]);
            cuts.sort_unstable();
            let mut encryptor = Encryptor::new(&keys);
            let mut blob = Vec::new();
            for pair in cuts.windows(2) {
                encryptor.update(&plain[pair[0]..pair[1]], &mut blob);
            }
            let encrypted = encryptor.finish(&mut blob);
            prop_assert_eq!(blob.len() as u64, encrypted.facts.blob_length());
            prop_assert_eq!(&encrypted, &expected);
            prop_assert_eq!(&blob, &whole);
            prop_assert_eq!(decrypt(&keys, &encrypted.facts, &blob).unwrap(), plain);
        }
    }
}
