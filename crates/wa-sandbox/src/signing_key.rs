//! WhatsApp's own RSA key, whose public half is served at `/.well-known/jwks` (overview §3.2.2).

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A key made at start and gone at the end.
#[derive(Debug)]
pub(crate) struct SigningKey(RsaKeyPair);

/// The machine could not make a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not generate an RSA key")]
pub(crate) struct KeyGeneration;

impl SigningKey {
    pub(crate) fn generate() -> Result<Self, KeyGeneration> {
        RsaKeyPair::generate(KeySize::Rsa2048).map(Self).map_err(|_| KeyGeneration)
    }

    /// The key in DER (PKCS #8), to be kept.
    pub(crate) fn to_pkcs8(&self) -> Option<Vec<u8>> {
        Some(AsDer::<Pkcs8V1Der<'_>>::as_der(&self.0).ok()?.as_ref().to_vec())
    }

    /// A key that was kept.
    pub(crate) fn of_pkcs8(bytes: &[u8]) -> Option<Self> {
        RsaKeyPair::from_pkcs8(bytes).ok().map(Self)
    }

    /// The public half as a member of a JWKS.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let public = PublicKeyComponents::<Vec<u8>>::from(self.0.public_key());
        let [n, e] = [&public.n, &public.e].map(|number| URL_SAFE_NO_PAD.encode(number));
        json!({ "kid": kid, "kty": "RSA", "alg": "RS256", "use": "sig", "n": n, "e": e })
    }

    /// The private half for another library, as RSAPrivateKey in DER (PKCS #1).
    pub(crate) fn to_pkcs1(&self) -> Option<Vec<u8>> {
        let pkcs8 = self.to_pkcs8()?;
        // PrivateKeyInfo: a sequence of version, algorithm, and an octet string with the key.
        let (whole, _) = element(&pkcs8)?;
        let (_, rest) = element(whole)?;
        let (_, rest) = element(rest)?;
        Some(element(rest)?.0.to_vec())
    }

    pub(crate) fn pair(&self) -> &RsaKeyPair {
        &self.0
    }
}

/// The content of the first element in DER, and what follows it.
fn element(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.get(1..)?.split_first()?;
    let (length, rest) = match first {
        0..0x80 => (usize::from(*first), rest),
        _ => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    rest.split_at_checked(length)
}
