//! The third party's tokens, checked with keys from its JWKS (seed §1.1, §1.3; claims assumed).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use wa_profile::TokenRules;

/// Seconds by which clocks may differ.
const SKEW: u64 = 60;

/// The bits of the shortest and longest RSA modulus that is used.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// An integrator's public keys, by their `kid`.
#[derive(Clone, Default)]
pub(crate) struct KeySet(BTreeMap<String, DecodingKey>);

/// What a valid token says.
#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    /// The user identifier.
    pub(crate) sub: String,
    iat: u64,
    exp: u64,
}

/// Why a token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenFault {
    /// No key of that name: the keys may be older than the token.
    UnknownKey,
    /// Everything else.
    Invalid,
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kid: String,
    kty: String,
    n: String,
    e: String,
    alg: Option<String>,
    r#use: Option<String>,
}

impl KeySet {
    /// Reads a JWKS. A key that cannot be used is passed over; a set without any is an empty one.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let set: JwkSet = serde_json::from_slice(body).ok()?;
        let usable = set.keys.into_iter().filter_map(|key| usable(serde_json::from_value(key).ok()?));
        Some(Self(usable.collect()))
    }

    /// Checks signature, issuer, audience and dates of a token at `now` (Unix seconds).
    pub(crate) fn verify(
        &self,
        token: &str,
        issuer: &str,
        rules: &TokenRules,
        now: u64,
    ) -> Result<Claims, TokenFault> {
        if token.len() > rules.bytes_max {
            return Err(TokenFault::Invalid);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenFault::Invalid)?;
        let kid = header.kid.ok_or(TokenFault::Invalid)?;
        let key = self.0.get(&kid).ok_or(TokenFault::UnknownKey)?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[&rules.audience]);
        validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
        // Dates are compared below, with the sandbox's own clock.
        validation.validate_exp = false;
        let token = jsonwebtoken::decode::<Claims>(token, key, &validation);
        let claims = token.map_err(|_| TokenFault::Invalid)?.claims;
        let lifetime = claims.exp.checked_sub(claims.iat).ok_or(TokenFault::Invalid)?;
        let expired = now > claims.exp.saturating_add(SKEW);
        let premature = claims.iat > now.saturating_add(SKEW);
        if expired || premature || lifetime > rules.lifetime_max.as_secs() {
            return Err(TokenFault::Invalid);
        }
        Ok(claims)
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn usable(key: Jwk) -> Option<(String, DecodingKey)> {
    let for_signing = key.kty == "RSA"
        && key.alg.as_deref().is_none_or(|alg| alg == "RS256")
        && key.r#use.as_deref().is_none_or(|purpose| purpose == "sig");
    let modulus = URL_SAFE_NO_PAD.decode(&key.n).ok()?;
    if !for_signing || !MODULUS_BYTES.contains(&modulus.len()) || modulus.first() == Some(&0) {
        return None;
    }
    Some((key.kid, DecodingKey::from_rsa_components(&key.n, &key.e).ok()?))
}

/// The issuer that a token claims, unverified: tells whose keys to try.
pub(crate) fn claimed_issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    Some(serde_json::from_slice::<Issuer>(&payload).ok()?.iss)
}
