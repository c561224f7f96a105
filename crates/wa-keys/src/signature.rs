//! Signatures: 64 bytes, commitment then response, the key's sign in the last bit (observed, overview §1.2.2 `e_key_sig`).

use std::fmt;

use crate::BadKey;

/// An XEdDSA signature. Not a unique name of anything: do not deduplicate by it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// The signature of these 64 bytes, unverified.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The signature of exactly 64 bytes, unverified.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, BadKey> {
        let error = BadKey::Length { expected: 64, actual: bytes.len() };
        Ok(Self(bytes.try_into().map_err(|_| error)?))
    }

    /// The 64 bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    pub(crate) fn assemble(commitment: &[u8; 32], response: &[u8; 32], sign: u8) -> Self {
        let mut bytes = [0; 64];
        let (left, right) = bytes.split_at_mut(32);
        left.copy_from_slice(commitment);
        right.copy_from_slice(response);
        bytes[63] = (bytes[63] & 0x7F) | sign;
        Self(bytes)
    }

    /// Commitment, response without the sign bit, and the sign bit as 0 or 1.
    pub(crate) fn split(&self) -> ([u8; 32], [u8; 32], u8) {
        let (mut commitment, mut response) = ([0; 32], [0; 32]);
        let (left, right) = self.0.split_at(32);
        commitment.copy_from_slice(left);
        response.copy_from_slice(right);
        let sign = response[31] >> 7;
        response[31] &= 0x7F;
        (commitment, response, sign)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}
