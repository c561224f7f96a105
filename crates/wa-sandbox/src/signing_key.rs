//! WhatsApp's own RSA key, whose public half is served at `/.well-known/jwks` (seed §3.2.2).

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

    /// The public half as a member of a JWKS.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let public = PublicKeyComponents::<Vec<u8>>::from(self.0.public_key());
        let [n, e] = [&public.n, &public.e].map(|number| URL_SAFE_NO_PAD.encode(number));
        json!({ "kid": kid, "kty": "RSA", "alg": "RS256", "use": "sig", "n": n, "e": e })
    }

    pub(crate) fn pair(&self) -> &RsaKeyPair {
        &self.0
    }
}
