//! What a message says about a file, so that the receiver knows it got that one (observed: `fileSHA256`,
//! `fileEncSHA256`, `fileLength`).

/// Hashes and length of a file and of its encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileFacts {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// SHA-256 of the encrypted file, its MAC included.
    pub enc_sha256: [u8; 32],
    /// Bytes of the file.
    pub length: u64,
}

impl FileFacts {
    /// How long the encrypted file is: whole blocks, always padded, and ten bytes of MAC.
    ///
    /// Saturates near `u64::MAX`, which no file reaches.
    #[must_use]
    pub const fn blob_length(&self) -> u64 {
        (self.length / BLOCK + 1).saturating_mul(BLOCK).saturating_add(MAC_LENGTH)
    }
}

/// Bytes of an AES block.
pub(crate) const BLOCK: u64 = 16;
/// Bytes of the truncated MAC after the ciphertext.
pub(crate) const MAC_LENGTH: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encrypted_length_follows_from_the_files() {
        for (length, blob) in
            [(0, 26), (1, 26), (15, 26), (16, 42), (17, 42), (1 << 30, (1 << 30) + 26), (u64::MAX, u64::MAX)]
        {
            let facts = FileFacts { sha256: [0; 32], enc_sha256: [0; 32], length };
            assert_eq!(facts.blob_length(), blob, "{length}");
        }
    }
}
