//! The storage reference: what names a hosted file (RO 1.0.3), and the only thing needed to fetch it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};

/// 32 random bytes, 43 characters of base64url. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct StorageReference(String);

impl StorageReference {
    /// A fresh one.
    pub(crate) fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; BYTES];
        rng.fill_bytes(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The reference with this text; `None` if it is not one. Nothing but its letters is looked at.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let character = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (text.len() == CHARACTERS && text.bytes().all(character)).then(|| Self(text.to_owned()))
    }

    /// The reference as it stands in a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What rows and blobs are named by: who reads them learns no reference.
    pub(crate) fn id(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for StorageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorageReference(..)")
    }
}

const BYTES: usize = 32;
const CHARACTERS: usize = 43;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_long_random_and_read_back() {
        let references: Vec<_> = (0..100).map(|_| StorageReference::generate(&mut rand::rng())).collect();
        for (index, reference) in references.iter().enumerate() {
            assert_eq!(StorageReference::parse(reference.as_str()).as_ref(), Some(reference));
            assert!(references.iter().skip(index + 1).all(|other| other != reference));
            assert!(!format!("{reference:?}").contains(reference.as_str()));
        }
    }

    #[test]
    fn nothing_else_is_a_reference() {
        let good = "A".repeat(43);
        assert!(StorageReference::parse(&good).is_some());
        let near = |last: &str| format!("{}{last}", "A".repeat(43 - last.len()));
        for text in [
            "",
            "..",
            &good[1..],
            &near("AA/"),
            &near("%2e"),
            &near("é"),
            &near("\0"),
            &near("="),
            &near(" "),
            &near("\\"),
            &near("~"),
            &near("."),
        ] {
            assert_eq!(StorageReference::parse(text), None, "{text:?}");
        }
        assert_eq!(StorageReference::parse(&"A".repeat(44)), None);
    }
}
