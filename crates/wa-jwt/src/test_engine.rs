//! Keys that sign and verify in the tests, on aws-lc: another library than the server's.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{self, KeyPair as _, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::rsa::VerifyRs256;

/// A key of 2048 bits.
pub(crate) struct SigningKey {
    pair: KeyPair,
    public: PublicHalf,
}

/// Its public half, in base64url.
pub(crate) struct PublicHalf {
    n: String,
    e: String,
}

struct Components(Vec<u8>, Vec<u8>);

/// The engine that the tests hand in.
#[expect(clippy::unnecessary_wraps, reason = "other engines refuse keys")]
pub(crate) fn aws_lc(modulus: &[u8], exponent: &[u8]) -> Option<Arc<dyn VerifyRs256>> {
    Some(Arc::new(Components(modulus.to_vec(), exponent.to_vec())))
}

impl VerifyRs256 for Components {
    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = RsaPublicKeyComponents { n: &self.0, e: &self.1 };
        key.verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
    }
}

impl SigningKey {
    pub(crate) fn generate() -> Result<Self, Unspecified> {
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        let public = pair.public_key();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let n = encode(public.modulus().big_endian_without_leading_zero());
        let e = encode(public.exponent().big_endian_without_leading_zero());
        Ok(Self { pair, public: PublicHalf { n, e } })
    }

    pub(crate) fn public_key(&self) -> &PublicHalf {
        &self.public
    }

    /// The public key as PKCS#1 in DER.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        self.pair.public_key().as_ref().to_vec()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let mut signed = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signed)?;
        Ok(signed)
    }

    /// The private key as PKCS#8 in PEM.
    pub(crate) fn to_pem(&self) -> Vec<u8> {
        let der: Pkcs8V1Der<'static> = self.pair.as_der().expect("a key that was just made");
        let base64 = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> =
            base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64")).collect();
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n")).into_bytes()
    }
}

impl PublicHalf {
    pub(crate) fn n(&self) -> &str {
        &self.n
    }

    pub(crate) fn e(&self) -> &str {
        &self.e
    }
}
