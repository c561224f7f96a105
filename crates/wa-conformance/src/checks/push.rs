//! Wake-ups of WhatsApp and the rotation of both sides' keys (overview §1.3, §3.2.1, §3.2.2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::Full;
use hyper::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::checks::Drives::{Own, Server, WhatsApp};
use crate::checks::channel::eventually;
use crate::checks::{Check, check};
use crate::report::failure::{Failure, ensure, expect};
use crate::target::environment::Environment;
use crate::target::exchange::{Http, get, send};
use crate::target::server::Facility::Woken;
use crate::target::tokens::unix_now;
use crate::target::user::User;

/// Whom pushes of the suite are for.
const USER: &str = "push-refused";

pub(super) const CHECKS: &[Check] = &[
    check!(
        "push-http1",
        3,
        Server(&[Woken]),
        "a text to an offline user wakes them over HTTP/1.1",
        push_http1
    ),
    check!("push-http2", 3, Server(&[Woken]), "a text to an offline user wakes them over HTTP/2", push_http2),
    check!("push-refused", 3, Server(&[]), "pushes that are not WhatsApp's are refused alike", refused),
    check!("push-sample", 3, Server(&[]), "the published sample's HS256 header is refused", sample),
    check!(
        "push-malformed",
        3,
        Server(&[]),
        "a wake-up that is no POST of an object with `to` is refused",
        malformed
    ),
    check!("push-connected", 3, WhatsApp, "a user who is connected is not woken", connected),
    check!("rotation", 1, Own, "both sides' keys change in the middle of a run", rotation),
    check!("revocation", 1, Own, "a revoked key is gone at once, and tokens are issued on", revocation),
];

async fn push_http1(environment: &Environment) -> Result<(), Failure> {
    woken(environment, "push-http1", 1).await
}

async fn push_http2(environment: &Environment) -> Result<(), Failure> {
    woken(environment, "push-http2", 2).await
}

/// Offline, written to, woken, connected, and the text is there.
async fn woken(environment: &Environment, name: &str, http: u8) -> Result<(), Failure> {
    let user = environment.connected(name).await?;
    let mut user = asleep(environment, user).await?;
    environment.control(&format!("push-http/{http}"), json!({})).await?;
    environment.phone_writes(&user.login, "wake up").await?;
    eventually(async || Ok(environment.server.woken(name).await? > 0)).await?;
    eventually(async || Ok(answered(environment, name).await?.is_some())).await?;
    let expected = json!({ "to": name, "http": http, "status": 200, "body": false });
    expect("the push", answered(environment, name).await?, Some(expected))?;
    environment.control("push-http/1", json!({})).await?;
    user.connect(environment).await?;
    expect("text", user.read().await?, "wake up".to_owned())
}

/// The newest push to a user, once it was answered.
async fn answered(environment: &Environment, name: &str) -> Result<Option<Value>, Failure> {
    let pushes = environment.observe("pushes").await?;
    let pushes = pushes.get("pushes").and_then(Value::as_array).cloned().unwrap_or_default();
    let newest = pushes.into_iter().rev().find(|push| push.get("to") == Some(&json!(name)));
    let told = |push: Value| {
        let member = |name: &str| push.get(name).cloned().unwrap_or_default();
        json!({ "to": member("to"), "http": member("http"), "status": member("status"), "body": member("body") })
    };
    Ok(newest.map(told))
}

/// Ends the user's client and waits until WhatsApp has noticed.
async fn asleep(environment: &Environment, user: User) -> Result<User, Failure> {
    let user = user.restart(environment).await?;
    environment.is_connected(&user.login, false).await?;
    Ok(user)
}

/// Tokens that no server takes, and what each of them is.
async fn bad_tokens(environment: &Environment, good: &Value) -> Result<Vec<(&'static str, String)>, Failure> {
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        if let Some(claims) = claims.as_object_mut() {
            claims.insert(name.to_owned(), value);
        }
        json!({ "claims": claims })
    };
    let now = unix_now();
    let mut tokens = Vec::new();
    for (what, wish) in [
        ("expired", with("exp", json!(now.saturating_sub(61)))),
        ("of another audience", with("aud", json!("https://other.example"))),
        ("of another issuer", with("iss", json!(environment.base()))),
        ("of tomorrow", with("iat", json!(now + 86_400))),
        ("too long-lived", with("exp", json!(now + 86_400))),
        ("of an unknown key", json!({ "header": { "kid": "unknown" }, "claims": good })),
        ("critical", json!({ "header": { "crit": ["exp"] }, "claims": good })),
        ("said to be RS512", json!({ "header": { "alg": "RS512" }, "claims": good })),
    ] {
        tokens.push((what, environment.wish(&wish).await?));
    }
    tokens.push(("unsigned", unsigned(environment).await?));
    for secret in environment.public_secrets().await? {
        tokens.push(("signed with the public key", hs256(environment, &secret).await?));
    }
    Ok(tokens)
}

async fn refused(environment: &Environment) -> Result<(), Failure> {
    // From then on the server knows the user.
    environment.issue(USER).await?;
    let good = claims(environment);
    let tokens = bad_tokens(environment, &good).await?;
    for http in environment.versions().iter().copied() {
        let mut answers = Vec::new();
        for (what, token) in &tokens {
            let (status, challenge) = environment.push(http, Some(token)).await?;
            expect(&format!("a token {what}, {http:?}"), status, StatusCode::UNAUTHORIZED)?;
            answers.push(challenge);
        }
        answers.dedup();
        // What an attacker learns of nothing is more than the documents ask.
        ensure("the answers differ", answers.len() == 1 || environment.own().is_err())?;
        expect("no token", environment.push(http, None).await?.0, StatusCode::UNAUTHORIZED)?;
        let good = environment.wish(&json!({ "claims": good })).await?;
        expect("a good token", environment.push(http, Some(&good)).await?.0, StatusCode::OK)?;
    }
    Ok(())
}

async fn malformed(environment: &Environment) -> Result<(), Failure> {
    environment.issue(USER).await?;
    let token = environment.wish(&json!({ "claims": claims(environment) })).await?;
    let url = environment.push_url();
    for (what, method, body) in [
        ("no JSON", Method::POST, "to=push-refused"),
        ("no object", Method::POST, "[\"push-refused\"]"),
        ("no user", Method::POST, "{}"),
        ("a number", Method::POST, "{\"to\": 1}"),
        ("a GET", Method::GET, ""),
    ] {
        let request = Request::builder().method(method).uri(&url);
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let status = send(Http::One, request.body(Full::from(body))?).await?.status();
        ensure(&format!("{what} was answered with {status}, not 4xx"), status.is_client_error())?;
    }
    expect("a good one", environment.push(Http::One, Some(&token)).await?.0, StatusCode::OK)
}

/// The push of the second user, who is not connected, comes behind the one that must not be.
async fn connected(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("push-connected").await?;
    environment.phone_writes(&user.login, "you are here").await?;
    expect("text", user.read().await?, "you are here".to_owned())?;
    let away = environment.user("push-away").await?;
    environment.phone_writes(&away.login, "you are not").await?;
    eventually(async || Ok(answered(environment, "push-away").await?.is_some())).await?;
    ensure("a connected user was woken", answered(environment, "push-connected").await?.is_none())
}

async fn sample(environment: &Environment) -> Result<(), Failure> {
    // What the overview prints: HS256 in the header, and a signature as long as RSA's.
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let token = environment.wish(&json!({ "header": header, "claims": claims(environment) })).await?;
    for http in environment.versions().iter().copied() {
        expect("status", environment.push(http, Some(&token)).await?.0, StatusCode::UNAUTHORIZED)?;
    }
    Ok(())
}

async fn rotation(environment: &Environment) -> Result<(), Failure> {
    // The first key retires, with which other checks sign.
    environment.spend();
    let user = environment.connected("rotation").await?;
    let before = environment.issue(&user.name).await?;
    environment.own()?.keeper()?.rotate(unix_now()).await?;
    let old = kid(&before)?;
    eventually(async || Ok(kid(&environment.issue("rotation").await?)? != old)).await?;
    ensure("the old key is published no more", environment.published().await?.contains(&old))?;
    let mut user = asleep(environment, user).await?;
    user.client.connect(before).await?;
    user = asleep(environment, user).await?;
    user.connect(environment).await?;
    user = asleep(environment, user).await?;

    environment.control("push-key", json!({})).await?;
    let wish = json!({ "claims": claims(environment) });
    let token = environment.wish(&wish).await?;
    eventually(async || Ok(environment.push(Http::One, Some(&token)).await?.0 == StatusCode::OK)).await?;
    environment.phone_writes(&user.login, "with new keys").await?;
    eventually(async || Ok(environment.server.woken("rotation").await? > 0)).await?;
    user.connect(environment).await?;
    expect("text", user.read().await?, "with new keys".to_owned())
}

async fn revocation(environment: &Environment) -> Result<(), Failure> {
    environment.spend();
    let mut user = environment.connected("revocation").await?;
    let compromised = kid(&environment.issue(&user.name).await?)?;
    environment.own()?.keeper()?.revoke(&compromised, unix_now()).await?;
    eventually(async || Ok(!environment.published().await?.contains(&compromised))).await?;
    let token = environment.issue(&user.name).await?;
    ensure("the revoked key signs", kid(&token)? != compromised)?;
    ensure("the signing key is not published", environment.published().await?.contains(&kid(&token)?))?;
    user = asleep(environment, user).await?;
    user.client.connect(token).await?;

    // WhatsApp's side: a key that it withdraws opens nothing once the keys are fetched again.
    let wish = json!({ "claims": claims(environment) });
    let withdrawn = environment.wish(&wish).await?;
    expect("before", environment.push(Http::One, Some(&withdrawn)).await?.0, StatusCode::OK)?;
    environment.control("push-key", json!({})).await?;
    environment.control("push-key/revoke-older", json!({})).await?;
    let token = environment.wish(&wish).await?;
    eventually(async || Ok(environment.push(Http::One, Some(&token)).await?.0 == StatusCode::OK)).await?;
    expect("after", environment.push(Http::One, Some(&withdrawn)).await?.0, StatusCode::UNAUTHORIZED)
}

/// What a push that WhatsApp sends now would claim.
fn claims(environment: &Environment) -> Value {
    let (now, rules) = (unix_now(), environment.profile().push);
    let (iat, lifetime) = (now - 60, rules.lifetime_max.as_secs());
    json!({ "iss": rules.issuer, "aud": rules.audience(&environment.base()), "iat": iat, "exp": iat + lifetime })
}

/// The name of a token's key.
fn kid(token: &str) -> Result<String, Failure> {
    jsonwebtoken::decode_header(token)?.kid.ok_or_else(|| Failure::new("no kid"))
}

async fn unsigned(environment: &Environment) -> Result<String, Failure> {
    let good = environment.wish(&json!({ "claims": claims(environment) })).await?;
    let payload = good.split('.').nth(1).unwrap_or_default();
    let header = json!({ "alg": "none", "kid": kid(&good)?, "typ": "JWT" });
    Ok(format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(header.to_string())))
}

async fn hs256(environment: &Environment, secret: &[u8]) -> Result<String, Failure> {
    let good = environment.wish(&json!({ "claims": claims(environment) })).await?;
    let payload = good.split('.').nth(1).unwrap_or_default();
    let header = json!({ "alg": "HS256", "kid": kid(&good)?, "typ": "JWT" });
    let signed = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header.to_string()));
    let mac = Hmac::<Sha256>::new_from_slice(secret)?.chain_update(&signed).finalize().into_bytes();
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac)))
}

impl Environment {
    /// Has WhatsApp's key sign what a check wishes.
    async fn wish(&self, wish: &Value) -> Result<String, Failure> {
        let answer = self.control("push-token", wish.clone()).await?;
        let token = answer.get("token").and_then(Value::as_str);
        token.map(str::to_owned).ok_or_else(|| Failure::new("no token"))
    }

    /// Pushes with a token; the status and what the answer says besides.
    async fn push(&self, http: Http, token: Option<&str>) -> Result<(StatusCode, String), Failure> {
        let mut request = Request::post(self.push_url()).header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = Full::from(json!({ "to": USER }).to_string());
        let response = send(http, request.body(body)?).await?;
        ensure("the answer has a body", response.body().is_empty())?;
        let challenge = response.headers().get(header::WWW_AUTHENTICATE);
        let challenge = challenge.and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok((response.status(), challenge.to_owned()))
    }

    /// What somebody could take WhatsApp's public key for, as a shared secret.
    async fn public_secrets(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let document = get(Http::One, &self.sandbox.jwks).await?.into_body();
        let set: Value = serde_json::from_slice(&document)?;
        let key = set.pointer("/keys/0").ok_or_else(|| Failure::new("WhatsApp has no key"))?;
        let n = key.get("n").and_then(Value::as_str).unwrap_or_default();
        Ok(vec![document.to_vec(), key.to_string().into_bytes(), URL_SAFE_NO_PAD.decode(n)?, n.into()])
    }

    /// The names of the integrator's published keys.
    async fn published(&self) -> Result<Vec<String>, Failure> {
        let set: Value = serde_json::from_slice(get(Http::One, &self.jwks_url()).await?.body())?;
        let keys = set.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
        let name = |key: &Value| key.get("kid").and_then(Value::as_str).map(str::to_owned);
        Ok(keys.iter().filter_map(name).collect())
    }
}
