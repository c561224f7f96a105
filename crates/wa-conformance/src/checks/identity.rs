//! Milestone 1: the third party's keys and tokens (overview §1.1, §1.3).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::{StatusCode, header};
use jsonwebtoken::jwk::{AlgorithmParameters, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use crate::checks::Drives::{Own, Server};
use crate::checks::{Check, check};
use crate::report::failure::{Failure, ensure, expect};
use crate::target::environment::Environment;
use crate::target::exchange::{Http, get};
use crate::target::server::Facility::Anonymous;
use crate::target::tokens::unix_now;

/// Members of a private RSA key, and of a symmetric one (RFC 7518 §6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Bits of the shortest modulus that is sound (RFC 7518 §3.3).
const MODULUS: usize = 2048;

pub(super) const CHECKS: &[Check] = &[
    check!("jwks-http1", 1, Server(&[]), "JWKS is served on HTTP/1.1", jwks_http1),
    check!("jwks-http2", 1, Server(&[]), "JWKS is served on HTTP/2 with prior knowledge", jwks_http2),
    check!("jwks-type", 1, Server(&[]), "JWKS says that it is JSON", jwks_type),
    check!("jwks-public", 1, Server(&[]), "JWKS holds RSA signing keys and no private member", jwks_public),
    check!("jwks-key-size", 1, Server(&[]), "every modulus has 2,048 bits or more", key_size),
    check!("token-verifies", 1, Server(&[]), "a token verifies with the fetched key", token_verifies),
    check!("token-life", 1, Server(&[]), "a token lives an hour at most and has at most 4 KB", token_life),
    check!(
        "token-own-users",
        1,
        Server(&[]),
        "a token is for the user who asked, and each has their own",
        own_users
    ),
    check!("token-anonymous", 1, Server(&[Anonymous]), "no token without authentication", anonymous),
    check!("token-authenticated", 1, Own, "no token with another user's credential", token_authenticated),
    check!(
        "base-path",
        1,
        Own,
        "everything is below the path of the base URL, and nothing beside it",
        base_path
    ),
];

async fn jwks_http1(environment: &Environment) -> Result<(), Failure> {
    jwks(environment, Http::One).await.map(drop)
}

async fn jwks_http2(environment: &Environment) -> Result<(), Failure> {
    jwks(environment, Http::Two).await.map(drop)
}

async fn jwks(environment: &Environment, http: Http) -> Result<Value, Failure> {
    let response = get(http, &environment.jwks_url()).await?;
    expect("status", response.status(), StatusCode::OK)?;
    let jwks: Value = serde_json::from_slice(response.body())?;
    let keys = jwks.get("keys").and_then(Value::as_array).map_or(0, Vec::len);
    ensure("there is no key", keys > 0)?;
    Ok(jwks)
}

async fn jwks_type(environment: &Environment) -> Result<(), Failure> {
    let response = get(Http::One, &environment.jwks_url()).await?;
    let stated = response.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let kind = stated.unwrap_or("none").split(';').next().unwrap_or_default().trim();
    let is_json = kind == "application/json" || kind.starts_with("application/") && kind.ends_with("+json");
    ensure(&format!("the content type is {kind}, not JSON's"), is_json)
}

async fn jwks_public(environment: &Environment) -> Result<(), Failure> {
    for key in keys(environment).await? {
        let members = key.as_object().ok_or_else(|| Failure::new("a key is no object"))?;
        // Others, such as x5c and key_ops, are legal (RFC 7517 §4).
        for name in PRIVATE {
            ensure(&format!("a key has the private member {name}"), !members.contains_key(name))?;
        }
        for (name, expected) in [("kty", "RSA"), ("alg", "RS256"), ("use", "sig")] {
            expect(name, members.get(name).and_then(Value::as_str), Some(expected))?;
        }
        for name in ["kid", "n", "e"] {
            let is_there = members.get(name).and_then(Value::as_str).is_some_and(|it| !it.is_empty());
            ensure(&format!("a key has no {name}"), is_there)?;
        }
    }
    Ok(())
}

async fn key_size(environment: &Environment) -> Result<(), Failure> {
    for key in keys(environment).await? {
        let modulus = URL_SAFE_NO_PAD.decode(key.get("n").and_then(Value::as_str).unwrap_or_default())?;
        let bits = bits(&modulus);
        ensure(&format!("a modulus has {bits} bits, fewer than {MODULUS}"), bits >= MODULUS)?;
    }
    Ok(())
}

/// The length of a number, without the zeros before it.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let first = number.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    8 * (number.len() - zeros) - first
}

async fn keys(environment: &Environment) -> Result<Vec<Value>, Failure> {
    let jwks = jwks(environment, Http::One).await?;
    Ok(jwks.get("keys").and_then(Value::as_array).cloned().unwrap_or_default())
}

/// What a token claims, without looking at its signature.
fn claims(token: &str) -> Result<Value, Failure> {
    let payload = token.split('.').nth(1).ok_or_else(|| Failure::new("the token has no payload"))?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
}

async fn token_life(environment: &Environment) -> Result<(), Failure> {
    let (rules, token) = (environment.profile().token, environment.issue("token-life").await?);
    ensure(&format!("a token has {} bytes", token.len()), token.len() <= rules.bytes_max)?;
    let claims = claims(&token)?;
    let date = |name: &str| {
        let date = claims.get(name).and_then(Value::as_u64);
        date.ok_or_else(|| Failure(format!("{name} is not a whole number of seconds")))
    };
    let (iat, exp, now) = (date("iat")?, date("exp")?, unix_now());
    ensure("iat is in the future", iat <= now + 60)?;
    ensure("the token has expired", exp > now)?;
    let life = exp.saturating_sub(iat);
    ensure(&format!("the token lives {life} seconds"), life <= rules.lifetime_max.as_secs())
}

async fn own_users(environment: &Environment) -> Result<(), Failure> {
    for user in ["own-users-a", "own-users-b"] {
        let claims = claims(&environment.issue(user).await?)?;
        expect("sub", claims.get("sub").and_then(Value::as_str), Some(user))?;
    }
    Ok(())
}

async fn anonymous(environment: &Environment) -> Result<(), Failure> {
    ensure("nobody got a token", environment.server.refuses_anonymous("anonymous").await?)
}

async fn base_path(environment: &Environment) -> Result<(), Failure> {
    let base = environment.base();
    let origin = base.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    ensure("the base URL has no path", origin != base)?;
    let inside = environment.jwks_url();
    expect("below the path", get(Http::One, &inside).await?.status(), StatusCode::OK)?;
    let beside = inside.replacen(&base, &origin, 1);
    expect("beside the path", get(Http::One, &beside).await?.status(), StatusCode::NOT_FOUND)
}

async fn token_verifies(environment: &Environment) -> Result<(), Failure> {
    let token = environment.issue("token-verifies").await?;
    let keys = serde_json::from_value(jwks(environment, Http::One).await?)?;
    let claims = verified(&token, &keys, &environment.base(), &environment.profile().token.audience)?;
    expect("sub", claims.get("sub").and_then(Value::as_str), Some("token-verifies"))?;
    ensure("dates are not integers", claims.get("iat").and_then(Value::as_u64).is_some())
}

/// What a token claims, if one of these keys has signed it for this issuer and audience.
fn verified(token: &str, set: &JwkSet, issuer: &str, audience: &str) -> Result<Value, Failure> {
    let kid = jsonwebtoken::decode_header(token)?.kid.ok_or_else(|| Failure::new("no kid"))?;
    let key = set.find(&kid).ok_or_else(|| Failure::new("the key is not in the JWKS"))?;
    let AlgorithmParameters::RSA(key) = &key.algorithm else { return Err(Failure::new("no RSA key")) };
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[audience]);
    validation.set_issuer(&[issuer]);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    let key = DecodingKey::from_rsa_components(&key.n, &key.e)?;
    Ok(jsonwebtoken::decode(token, &key, &validation)?.claims)
}

async fn token_authenticated(environment: &Environment) -> Result<(), Failure> {
    // A genuine credential's seal under another user's name.
    let (alice, mallory) = (environment.credential("alice")?, environment.credential("mallory")?);
    let seal = alice.rsplit('.').next().unwrap_or_default();
    let (named, _) = mallory.rsplit_once('.').ok_or_else(|| Failure::new("no seal"))?;
    let (status, _) = environment.ask_token(Some(&format!("{named}.{seal}"))).await?;
    expect("with another user's seal", status, StatusCode::UNAUTHORIZED)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wa_interop::profile::Profile;

    use super::*;
    use crate::target::exchange::get_json;
    use crate::target::server::{Issuer, Server};

    #[tokio::test]
    async fn a_token_without_a_claim_does_not_verify() {
        let profile = Profile::reference_offer_1_0_3();
        let issuer = Issuer::start(&profile).await.unwrap();
        let keys = get_json(&format!("{}{}", issuer.base_url(), profile.token.jwks_path)).await.unwrap();
        let keys = serde_json::from_value(keys).unwrap();
        let judge = |change: Value| {
            let token = issuer.sign("ann", &change, None).unwrap();
            verified(&token, &keys, issuer.base_url(), &profile.token.audience).is_ok()
        };
        assert!(judge(json!({})));
        for claim in ["iss", "sub", "aud", "exp"] {
            assert!(!judge(json!({ claim: null })), "without {claim}");
        }
    }

    #[test]
    fn zeros_before_a_number_do_not_count() {
        assert_eq!([bits(&[]), bits(&[0, 0]), bits(&[0, 1, 0xFF]), bits(&[0x80])], [0, 0, 9, 8]);
        assert_eq!(bits(&[&[0x7F][..], &[0xFF; 255]].concat()), MODULUS - 1);
    }
}
