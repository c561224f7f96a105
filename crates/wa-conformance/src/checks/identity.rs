//! Milestone 1: the third party's keys and tokens (seed §1.1, §1.3).

use hyper::StatusCode;
use jsonwebtoken::jwk::{AlgorithmParameters, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use crate::checks::{Check, check};
use crate::environment::Environment;
use crate::exchange::{Http, get};
use crate::failure::{Failure, ensure, expect};

pub(super) const CHECKS: &[Check] = &[
    check!("jwks-http1", 1, "1.3", "JWKS is served on HTTP/1.1", jwks_http1),
    check!("jwks-http2", 1, "2", "JWKS is served on HTTP/2 with prior knowledge", jwks_http2),
    check!("jwks-public", 1, "1.3", "JWKS holds RSA signing keys and no private member", jwks_public),
    check!("token-verifies", 1, "1.1", "a token verifies with the fetched key", token_verifies),
    check!("token-authenticated", 1, "1.1", "no token without authentication", token_authenticated),
];

async fn jwks_http1(environment: &Environment) -> Result<(), Failure> {
    jwks(environment, Http::One).await.map(drop)
}

async fn jwks_http2(environment: &Environment) -> Result<(), Failure> {
    jwks(environment, Http::Two).await.map(drop)
}

async fn jwks(environment: &Environment, http: Http) -> Result<Value, Failure> {
    let response = get(http, &environment.jwks).await?;
    expect("status", response.status(), StatusCode::OK)?;
    let jwks: Value = serde_json::from_slice(response.body())?;
    let keys = jwks.get("keys").and_then(Value::as_array).map_or(0, Vec::len);
    ensure("there is no key", keys > 0)?;
    Ok(jwks)
}

async fn jwks_public(environment: &Environment) -> Result<(), Failure> {
    let jwks = jwks(environment, Http::One).await?;
    for key in jwks.get("keys").and_then(Value::as_array).into_iter().flatten() {
        let members = key.as_object().ok_or_else(|| Failure::new("a key is no object"))?;
        for name in members.keys() {
            let is_public = ["kid", "kty", "alg", "use", "n", "e"].contains(&name.as_str());
            ensure(&format!("a key has the member {name}"), is_public)?;
        }
        for (name, expected) in [("kty", "RSA"), ("alg", "RS256"), ("use", "sig"), ("e", "AQAB")] {
            expect(name, members.get(name).and_then(Value::as_str), Some(expected))?;
        }
    }
    Ok(())
}

async fn token_verifies(environment: &Environment) -> Result<(), Failure> {
    let token = environment.issue("token-verifies").await?;
    let set: JwkSet = serde_json::from_value(jwks(environment, Http::One).await?)?;
    let kid = jsonwebtoken::decode_header(&token)?.kid.ok_or_else(|| Failure::new("no kid"))?;
    let key = set.find(&kid).ok_or_else(|| Failure::new("the key is not in the JWKS"))?;
    let AlgorithmParameters::RSA(key) = &key.algorithm else { return Err(Failure::new("no RSA key")) };
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[environment.profile().token.audience]);
    validation.set_issuer(&[&environment.base]);
    let key = DecodingKey::from_rsa_components(&key.n, &key.e)?;
    let claims = jsonwebtoken::decode::<Value>(&token, &key, &validation)?.claims;
    expect("sub", claims.get("sub").and_then(Value::as_str), Some("token-verifies"))?;
    ensure("dates are not integers", claims.get("iat").and_then(Value::as_u64).is_some())
}

async fn token_authenticated(environment: &Environment) -> Result<(), Failure> {
    let (status, _) = environment.ask_token(None).await?;
    expect("without a credential", status, StatusCode::UNAUTHORIZED)?;
    // A genuine credential's seal under another user's name.
    let (alice, mallory) = (environment.credential("alice")?, environment.credential("mallory")?);
    let seal = alice.rsplit('.').next().unwrap_or_default();
    let (named, _) = mallory.rsplit_once('.').ok_or_else(|| Failure::new("no seal"))?;
    let (status, _) = environment.ask_token(Some(&format!("{named}.{seal}"))).await?;
    expect("with another user's seal", status, StatusCode::UNAUTHORIZED)
}
