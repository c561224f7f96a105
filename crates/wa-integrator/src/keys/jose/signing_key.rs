//! The RSA signing key (RFC 7518 §3.3, §6.3).

use std::fmt;

use josekit::jwk::KeyPair as _;
use josekit::jwk::alg::rsa::RsaKeyPair;
use josekit::jws::alg::rsassa::RsassaJwsSigner;
use josekit::jws::{JwsSigner as _, RS256};
use pkcs8::PrivateKeyInfoRef;
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use zeroize::Zeroizing;

use crate::keys::{KeyError, PublicKey};

/// The integrator's RSA key: signs RS256, knows its public half, never shows the private one.
///
/// Signing takes about a millisecond of CPU; do it off the async threads.
pub struct SigningKey {
    signer: RsassaJwsSigner,
    pem: Zeroizing<Vec<u8>>,
    public_key: PublicKey,
}

impl SigningKey {
    /// A new key of 2048 bits.
    ///
    /// # Errors
    /// [`KeyError::Generation`] when OpenSSL cannot make one.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = RsaKeyPair::generate(BITS).map_err(|_| KeyError::Generation)?;
        Self::from_pair(&pair)
    }

    /// The key in this PEM, whose one section is in PKCS#8: of 2048 to 8192 bits, checked to sign.
    ///
    /// # Errors
    /// [`KeyError`]: not such a key, a size out of range, or halves that do not belong together.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let der = only_key(pem).ok_or(KeyError::NotPkcs8)?;
        // josekit takes as much memory as a length announces: what it reads was measured before.
        PrivateKeyInfoRef::try_from(der.as_slice()).map_err(|_| KeyError::NotPkcs8)?;
        let pair = RsaKeyPair::from_der(der.as_slice()).map_err(|_| KeyError::NotPkcs8)?;
        Self::from_pair(&pair)
    }

    /// The key as PKCS#8 in PEM, wiped when dropped.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<Vec<u8>> {
        self.pem.clone()
    }

    /// The public half, named by its thumbprint.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The RS256 signature of these bytes, as long as the modulus: 256 bytes for a key of 2048 bits.
    ///
    /// # Errors
    /// [`KeyError::Signing`] when OpenSSL fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.signer.sign(message).map_err(|_| KeyError::Signing)
    }

    fn from_pair(pair: &RsaKeyPair) -> Result<Self, KeyError> {
        let bits = pair.key_len().saturating_mul(8);
        if !BITS_ALLOWED.contains(&bits) {
            return Err(KeyError::Size { bits });
        }
        let pem = Zeroizing::new(pair.to_pem_private_key());
        let signer = RS256.signer_from_pem(pem.as_slice()).map_err(|_| KeyError::NotPkcs8)?;
        let public_key = public_half(pair)?;
        let key = Self { signer, pem, public_key };
        key.check_halves(pair)?;
        Ok(key)
    }

    /// Refuses a file whose private numbers do not belong to its modulus.
    fn check_halves(&self, pair: &RsaKeyPair) -> Result<(), KeyError> {
        use josekit::jws::JwsVerifier as _;
        let verifier = RS256.verifier_from_der(pair.to_der_public_key()).map_err(|_| KeyError::NotPkcs8)?;
        let signature = self.sign(CHECK_MESSAGE)?;
        verifier.verify(CHECK_MESSAGE, &signature).map_err(|_| KeyError::Signing)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.public_key.kid()).finish_non_exhaustive()
    }
}

const BITS: u32 = 2048;
const BITS_ALLOWED: std::ops::RangeInclusive<u32> = 2048..=8192;
const CHECK_MESSAGE: &[u8] = b"wa-integrator signing key check";

/// The content of the one section of a PEM, where that is a private key in PKCS#8.
fn only_key(pem: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem);
    let (kind, content) = sections.next()?.ok()?;
    let content = Zeroizing::new(content);
    (kind == SectionKind::PrivateKey && sections.next().is_none()).then_some(content)
}

fn public_half(pair: &RsaKeyPair) -> Result<PublicKey, KeyError> {
    let jwk = pair.to_jwk_public_key();
    let number = |name| jwk.parameter(name).and_then(|value| value.as_str()).ok_or(KeyError::NotPkcs8);
    Ok(PublicKey::new(number("n")?, number("e")?))
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;

    /// Found by the fuzzer: its second element announces 488 GB, for which memory was taken.
    const ANNOUNCED: &[u8] = b"-----BEGIN PRIVATE KEY-----\n\
        RIVxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxATE K\n-----END PRIVATE KEY-----\n";

    fn key() -> &'static SigningKey {
        static KEY: OnceLock<SigningKey> = OnceLock::new();
        KEY.get_or_init(|| SigningKey::generate().unwrap())
    }

    #[test]
    fn the_pem_is_the_key() {
        let again = SigningKey::from_pem(&key().to_pem()).unwrap();
        assert_eq!(again.public_key(), key().public_key());
        // RSASSA-PKCS1-v1_5 has one signature for a message.
        assert_eq!(again.sign(b"message").unwrap(), key().sign(b"message").unwrap());
        assert_eq!(key().sign(b"message").unwrap().len(), 256);
    }

    #[test]
    fn lines_may_be_of_any_length_and_end_as_windows_ends_them() {
        let pem = String::from_utf8(key().to_pem().to_vec()).unwrap();
        let content: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let one_line = format!("-----BEGIN PRIVATE KEY-----\n{content}\n-----END PRIVATE KEY-----\n");
        for written in [one_line, pem.replace('\n', "\r\n"), pem.trim().to_owned(), format!("{pem}\n\n")] {
            let read = SigningKey::from_pem(written.as_bytes()).expect(&written);
            assert_eq!(read.public_key(), key().public_key());
        }
    }

    #[test]
    fn debug_shows_the_name_and_nothing_else() {
        let shown = format!("{:?}", key());
        assert_eq!(shown, format!("SigningKey {{ kid: {:?}, .. }}", key().public_key().kid()));
    }

    #[test]
    fn other_keys_are_refused() {
        let small = RsaKeyPair::generate(1024).unwrap().to_pem_private_key();
        let elliptic = josekit::jws::ES256.generate_key_pair().unwrap().to_pem_private_key();
        let traditional = RsaKeyPair::generate(2048).unwrap().to_traditional_pem_private_key();
        let public = RsaKeyPair::generate(2048).unwrap().to_pem_public_key();
        let other_name = String::from_utf8_lossy(&key().to_pem()).replace("PRIVATE KEY", "PUBLIC KEY");
        for (pem, error) in [
            (small, KeyError::Size { bits: 1024 }),
            (elliptic, KeyError::NotPkcs8),
            (traditional, KeyError::NotPkcs8),
            (public, KeyError::NotPkcs8),
            (b"-----BEGIN PRIVATE KEY-----".to_vec(), KeyError::NotPkcs8),
            (Vec::new(), KeyError::NotPkcs8),
            (key().to_pem().repeat(2), KeyError::NotPkcs8),
            (other_name.into_bytes(), KeyError::NotPkcs8),
            (ANNOUNCED.to_vec(), KeyError::NotPkcs8),
        ] {
            assert_eq!(SigningKey::from_pem(&pem).unwrap_err(), error);
        }
    }

    #[test]
    fn a_truncated_or_damaged_pem_is_refused_or_whole() {
        let pem = key().to_pem();
        for length in 0..pem.len() - 30 {
            assert_eq!(SigningKey::from_pem(&pem[..length]).unwrap_err(), KeyError::NotPkcs8, "{length}");
        }
        for index in (28..pem.len() - 30).step_by(13) {
            let mut damaged = pem.to_vec();
            damaged[index] = if damaged[index] == b'A' { b'B' } else { b'A' };
            if let Ok(read) = SigningKey::from_pem(&damaged) {
                assert_eq!(read.public_key(), key().public_key(), "another key came out of byte {index}");
            }
        }
    }
}
