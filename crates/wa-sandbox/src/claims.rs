//! The third party's tokens, checked with keys from its JWKS (overview §1.1, §1.3; claims assumed).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};
use wa_profile::TokenRules;

use crate::rules::Clause;
use crate::rules::book::{
    TOKEN_ALGORITHM, TOKEN_AUDIENCE, TOKEN_CLAIMS, TOKEN_EARLY, TOKEN_EXPIRED, TOKEN_FORM, TOKEN_ISSUER,
    TOKEN_KEY, TOKEN_KID, TOKEN_LIFE, TOKEN_SIGNATURE, TOKEN_SIZE,
};

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
#[derive(Clone, Debug)]
pub(crate) enum TokenFault {
    /// No key of that name: the keys may be older than the token.
    UnknownKey(String),
    /// Everything else: the rule, and how it was broken.
    Breach(&'static Clause, String),
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
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

impl TokenFault {
    /// The rule, and how it was broken.
    pub(crate) fn breach(self) -> (&'static Clause, String) {
        match self {
            Self::UnknownKey(kid) => (&TOKEN_KEY, format!("kid {kid:?} names no usable key of the JWKS")),
            Self::Breach(clause, what) => (clause, what),
        }
    }
}

impl KeySet {
    /// Reads a JWKS. A key that cannot be used is passed over; a set without any is an empty one.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let set: JwkSet = serde_json::from_slice(body).ok()?;
        let usable = set.keys.into_iter().filter_map(|key| usable(serde_json::from_value(key).ok()?));
        Some(Self(usable.collect()))
    }

    /// The names of the keys.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Checks signature, issuer, audience and dates of a token at `now` (Unix seconds).
    pub(crate) fn verify(
        &self,
        token: &str,
        issuer: &str,
        rules: &TokenRules,
        now: u64,
    ) -> Result<Claims, TokenFault> {
        let breach = |clause: &'static Clause, what: String| Err(TokenFault::Breach(clause, what));
        if token.len() > rules.bytes_max {
            return breach(&TOKEN_SIZE, format!("the token has {} bytes", token.len()));
        }
        let kid = kid_of(token)?;
        let Some(key) = self.0.get(&kid) else { return Err(TokenFault::UnknownKey(kid)) };
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[&rules.audience]);
        validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
        // Dates are compared below, with the sandbox's own clock.
        validation.validate_exp = false;
        let claims = match jsonwebtoken::decode::<Claims>(token, key, &validation) {
            Ok(token) => token.claims,
            Err(error) => return Err(fault(&error, token, issuer, rules)),
        };
        dated(&claims, rules, now)?;
        Ok(claims)
    }
}

/// Judges the dates.
fn dated(claims: &Claims, rules: &TokenRules, now: u64) -> Result<(), TokenFault> {
    let Claims { iat, exp, .. } = claims;
    let (clause, what): (&Clause, _) = match exp.checked_sub(*iat) {
        None => (&TOKEN_LIFE, format!("exp is {} s before iat", iat.saturating_sub(*exp))),
        Some(lifetime) if lifetime > rules.lifetime_max.as_secs() => {
            (&TOKEN_LIFE, format!("the token lives {lifetime} s"))
        }
        Some(_) if now > exp.saturating_add(SKEW) => {
            (&TOKEN_EXPIRED, format!("exp was {} s ago", now.saturating_sub(*exp)))
        }
        Some(_) if *iat > now.saturating_add(SKEW) => {
            (&TOKEN_EARLY, format!("iat is {} s ahead", iat.saturating_sub(now)))
        }
        Some(_) => return Ok(()),
    };
    Err(TokenFault::Breach(clause, what))
}

/// The name of the key, if the token has the form of one that RS256 signed.
fn kid_of(token: &str) -> Result<String, TokenFault> {
    let malformed = |what: &str| TokenFault::Breach(&TOKEN_FORM, what.to_owned());
    let parts: Vec<&str> = token.split('.').collect();
    let [header, _, _] = parts.as_slice() else {
        return Err(malformed(&format!("the token has {} of the three parts", parts.len())));
    };
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| malformed("the header is not base64url"))?;
    let header: Map<String, Value> =
        serde_json::from_slice(&header).map_err(|_| malformed("the header is no JSON object"))?;
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    if text("alg") != Some("RS256") {
        let what = format!("alg is {}", header.get("alg").map_or("missing".to_owned(), ToString::to_string));
        return Err(TokenFault::Breach(&TOKEN_ALGORITHM, what));
    }
    let kid = text("kid").map(str::to_owned);
    kid.ok_or_else(|| TokenFault::Breach(&TOKEN_KID, "the header has no kid".to_owned()))
}

/// What the library says, as a rule that was broken.
fn fault(error: &jsonwebtoken::errors::Error, token: &str, issuer: &str, rules: &TokenRules) -> TokenFault {
    let said = |name: &str| {
        let value = unverified(token).and_then(|claims| claims.get(name).cloned());
        value.map_or("missing".to_owned(), |value| value.to_string())
    };
    let (clause, what): (&Clause, _) = match error.kind() {
        ErrorKind::InvalidSignature => (&TOKEN_SIGNATURE, "the signature does not verify".to_owned()),
        ErrorKind::InvalidIssuer => (&TOKEN_ISSUER, format!("iss is {}, not {issuer:?}", said("iss"))),
        ErrorKind::InvalidAudience => {
            (&TOKEN_AUDIENCE, format!("aud is {}, not {:?}", said("aud"), rules.audience))
        }
        ErrorKind::MissingRequiredClaim(claim) => (&TOKEN_CLAIMS, format!("{claim} is missing")),
        ErrorKind::Json(error) => (&TOKEN_CLAIMS, error.to_string()),
        ErrorKind::InvalidClaimFormat(claim) => (&TOKEN_CLAIMS, format!("{claim} has another form")),
        _ => (&TOKEN_FORM, error.to_string()),
    };
    TokenFault::Breach(clause, what)
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
    Some(unverified(token)?.get("iss")?.as_str()?.to_owned())
}

/// The user that a token claims, unverified: for a record of what was refused.
pub(crate) fn claimed_user(token: &str) -> Option<String> {
    Some(unverified(token)?.get("sub")?.as_str()?.to_owned())
}

/// The claims of a token, unverified.
fn unverified(token: &str) -> Option<Map<String, Value>> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}
