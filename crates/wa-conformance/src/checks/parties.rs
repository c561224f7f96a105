//! Milestone 1: tokens that no third party should sign, keys that come and go, two third parties at once (overview §1.1,
//! §1.3).

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use serde_json::{Value, json};
use wa_interop::chat::{AccountKeys, DisconnectReason, Refusal};
use wa_interop::enlist::EnlistError;
use wa_interop::http::{HttpError, HttpLimits, HyperClient};
use wa_interop::{ClientError, EnlistmentError, enlist};

use crate::checks::Drives::{Own, WhatsApp};
use crate::checks::channel::eventually;
use crate::checks::{Check, check};
use crate::prove::{ClientFault, Side};
use crate::report::failure::{Failure, ensure, expect};
use crate::target::environment::{Environment, INTEGRATOR, OTHER_INTEGRATOR};
use crate::target::form::Form;
use crate::target::server::Issuer;

pub(super) const CHECKS: &[Check] = &[
    check!("enlist-token-dates", 1, WhatsApp, "a token with other dates than it may have is refused", dates),
    check!(
        "enlist-foreign-token",
        1,
        WhatsApp,
        "a token for another audience or of another issuer is refused",
        foreign
    ),
    check!(
        "enlist-unknown-kid",
        1,
        WhatsApp,
        "a token whose kid names no published key is refused",
        unknown_kid
    ),
    check!("enlist-weak-key", 1, WhatsApp, "a published key of 1,024 bits verifies nothing", weak_key),
    check!(
        "keys-refetched",
        1,
        WhatsApp,
        "keys are fetched again within a day, and a new one counts",
        refetched
    ),
    check!("withdrawn-key", 1, WhatsApp, "a day after a key was withdrawn its tokens are refused", withdrawn),
    check!("key-ripens", 1, Own, "a new key signs nothing before everybody can have fetched it", ripens),
    check!("two-integrators", 1, Own, "two third parties at once: each has its own users", two),
    check!("two-integrators-apart", 1, Own, "one third party's token opens nothing of another's", apart),
    check!("enlist-tls", 1, Own, "a client enlists over TLS with a certificate that it trusts", tls),
    check!(
        "enlist-untrusted",
        1,
        Own,
        "a client enlists nowhere whose certificate it does not trust",
        untrusted
    ),
];

const DAY: u64 = 86_400;

fn keys() -> AccountKeys {
    AccountKeys::generate(&mut UnwrapErr(SysRng))
}

/// A form of the other third party's user.
fn form(environment: &Environment, user: &str, token: &str) -> Form {
    let form = Form::of(environment, user, &keys(), token);
    match environment.profile().enlistment.identity_arguments {
        true => form.with("integrator_id", &OTHER_INTEGRATOR.to_string()),
        false => form,
    }
}

/// Posts a form with changed claims and expects a refusal.
async fn refused(environment: &Environment, issuer: &Issuer, change: Value) -> Result<(), Failure> {
    let token = issuer.sign("claims", &change, None)?;
    let refused = form(environment, "claims", &token).refused(environment, "sandbox_bad_token").await;
    refused.map_err(|it| it.of(&change.to_string()))
}

async fn dates(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["token-early", "token-life", "token-claims", "token-expired"]);
    let issuer = environment.other_party().await?;
    let (now, life) = (crate::target::tokens::unix_now(), environment.profile().token.lifetime_max.as_secs());
    for change in [
        json!({ "iat": now + 300, "exp": now + 301 }),
        json!({ "exp": now + life + 300 }),
        json!({ "exp": now - 10 }),
        json!({ "iat": now - 300, "exp": now - 200 }),
        json!({ "exp": null }),
        json!({ "iat": null }),
        json!({ "iat": now.to_string() }),
    ] {
        refused(environment, &issuer, change).await?;
    }
    form(environment, "claims", &issuer.sign("claims", &json!({}), None)?)
        .accepted(environment)
        .await
        .map(drop)
}

async fn foreign(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["token-audience", "token-claims"]);
    let issuer = environment.other_party().await?;
    refused(environment, &issuer, json!({ "aud": "https://other.example" })).await?;
    refused(environment, &issuer, json!({ "aud": null })).await?;
    refused(environment, &issuer, json!({ "sub": null })).await?;
    // One of several audiences is legal (RFC 7519 §4.1.3).
    let both = json!({ "aud": ["https://other.example", environment.profile().token.audience] });
    let token = issuer.sign("claims", &both, None)?;
    form(environment, "claims", &token).accepted(environment).await.map(drop)
}

async fn unknown_kid(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["token-key"]);
    let issuer = environment.other_party().await?;
    let token = issuer.sign("claims", &json!({}), Some("unknown"))?;
    form(environment, "claims", &token).refused(environment, "sandbox_bad_token").await
}

async fn weak_key(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["token-key"]);
    let issuer = environment.other_party().await?;
    // The key that signs, under its name, with a modulus of half the length.
    let modulus = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, [0xC1; 128]);
    let weak =
        json!({ "kid": "first", "kty": "RSA", "alg": "RS256", "use": "sig", "n": modulus, "e": "AQAB" });
    issuer.publish("first", weak);
    let token = issuer.sign("claims", &json!({}), None)?;
    form(environment, "claims", &token).refused(environment, "sandbox_bad_token").await
}

async fn refetched(environment: &Environment) -> Result<(), Failure> {
    let (apart, issuer) = environment.apart().await?;
    apart.user("refetched").await?;
    let fetches = issuer.fetches();
    ensure("the keys were never fetched", fetches > 0)?;
    let most = apart.profile().token.peer_refresh_max.as_secs();
    apart.advance(&issuer, most + 1).await?;
    eventually(async || Ok(issuer.fetches() > fetches)).await?;
    issuer.rotate("second")?;
    apart.user("refetched-second").await.map(drop)
}

async fn withdrawn(environment: &Environment) -> Result<(), Failure> {
    let (apart, issuer) = environment.apart().await?;
    apart.begin().await?;
    apart.user("withdrawn").await?;
    let fetches = issuer.fetches();
    issuer.withdraw("first");
    apart.advance(&issuer, apart.profile().token.peer_refresh_max.as_secs().max(DAY) + 1).await?;
    eventually(async || Ok(issuer.fetches() > fetches)).await?;
    // Signed now, with the withdrawn key.
    let token = issuer.sign("withdrawn", &json!({}), None)?;
    Form::of(&apart, "withdrawn", &keys(), &token).refused(&apart, "sandbox_bad_token").await?;
    apart.provokes(&["token-key"]);
    apart.judge(&apart.recorded().await?)
}

async fn ripens(environment: &Environment) -> Result<(), Failure> {
    use wa_interop::integrator::{KeyRules, Keyring, KeyringError, SigningKey};
    const BEGAN: u64 = 1_800_000_000;
    let (rules, of_server) = (environment.profile().token, environment.profile_of(Side::Server)?.token);
    let mut ring = Keyring::new(KeyRules::new(of_server.peer_refresh_max, of_server.lifetime_max));
    ring.publish(SigningKey::generate()?.public_key().clone(), BEGAN)?;
    let added = BEGAN + 10;
    ring.publish(SigningKey::generate()?.public_key().clone(), added)?;
    let fetched = added + rules.peer_refresh_max.as_secs();
    let early = ring.rotate(fetched - 1);
    ensure(&format!("{early:?}"), matches!(early, Err(KeyringError::NotRipe { .. })))?;
    Ok(ring.rotate(fetched + DAY)?)
}

async fn two(environment: &Environment) -> Result<(), Failure> {
    let issuer = environment.other_party().await?;
    let mut ours = environment.connected("two-parties").await?;
    let keys = keys();
    let token = issuer.sign("two-parties", &json!({}), None)?;
    let login = environment.enlist(OTHER_INTEGRATOR, "two-parties", &keys, &token).await??;
    expect("integrator", login.as_interop().map(|(integrator, _)| integrator), Some(OTHER_INTEGRATOR))?;
    expect("integrator", ours.login.as_interop().map(|(integrator, _)| integrator), Some(INTEGRATOR))?;
    let mut theirs = environment.user_of(login, keys, "two-parties").await?;
    theirs.client.connect(issuer.sign("two-parties", &json!({}), None)?).await?;
    for (user, text) in [(&mut ours, "ours"), (&mut theirs, "theirs")] {
        user.write(text, text).await?;
        expect("answer", user.read().await?, format!("echo: {text}"))?;
    }
    Ok(())
}

async fn apart(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["token-key"]);
    let (issuer, user) = (environment.other_party().await?, environment.user("parties-apart").await?);
    let token = issuer.sign("parties-apart", &json!({ "iss": environment.base() }), None)?;
    let form = Form::of(environment, "parties-apart", &keys(), &token);
    form.refused(environment, "sandbox_bad_token").await?;
    let reason = DisconnectReason::Refused(Refusal::Token);
    expect("login", user.client.connect(token).await, Err(ClientError::Disconnected(reason)))
}

/// The enlistment API over TLS, and the certificate of its authority.
fn over_tls(environment: &Environment) -> Result<(wa_interop::profile::Profile, bytes::Bytes), Failure> {
    let mut profile = environment.profile();
    profile.enlistment.url = format!("{}/3p/interop_reg", environment.sandbox.https);
    let pem = &environment.sandbox.ca;
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body)?;
    Ok((profile, der.into()))
}

/// A client that trusts this authority, or does not; with this fault it is the other way round.
fn trusting(
    environment: &Environment,
    root: &bytes::Bytes,
    fault: ClientFault,
    trusts: bool,
) -> Result<HyperClient, Failure> {
    let http = HyperClient::new(HttpLimits::default());
    let trusts = trusts != (environment.client_fault() == Some(fault));
    Ok(if trusts { http.with_roots(std::slice::from_ref(root))? } else { http })
}

async fn tls(environment: &Environment) -> Result<(), Failure> {
    let (profile, root) = over_tls(environment)?;
    let http = trusting(environment, &root, ClientFault::TrustsNobody, true)?;
    let token = environment.issue("enlist-tls").await?;
    let login = enlist(&http, &profile, &keys().public(), INTEGRATOR, "enlist-tls", &token).await?;
    ensure("no interop login", login.as_interop().is_some())
}

async fn untrusted(environment: &Environment) -> Result<(), Failure> {
    let (profile, root) = over_tls(environment)?;
    let http = trusting(environment, &root, ClientFault::TrustsAnybody, false)?;
    let token = environment.issue("enlist-untrusted").await?;
    let refused = enlist(&http, &profile, &keys().public(), INTEGRATOR, "enlist-untrusted", &token).await;
    expect("enlistment", refused, Err(EnlistmentError::Exchange(EnlistError::Http(HttpError::Certificate))))
}
