//! Milestone 2: handshake, login, ping, keys (overview §2).

use std::time::Duration;

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use serde_json::{Value, json};
use wa_interop::ClientError;
use wa_interop::binary::Jid;
use wa_interop::chat::{AccountKeys, DisconnectReason, Refusal};
use wa_interop::keys::{PrivateKey, PublicKey, Signature};
use wa_interop::noise::Link::{Intermediate, Leaf};
use wa_interop::noise::{CertificateError, HandshakeError};
use wa_stanza::{Iq, IqKind, PrekeyBundles, PrekeyCount, PrekeyFetch, WantedUser};

use crate::checks::Drives::{Client, Own};
use crate::checks::patience::patience;
use crate::checks::{Check, check};
use crate::report::failure::{Failure, ensure, expect};
use crate::target::device::Verb::Keep;
use crate::target::device::{Command, Why};
use crate::target::environment::{Environment, PHONE};
use crate::target::setting::ClientSetting;
use crate::target::wire::Wire;

pub(super) const CHECKS: &[Check] = &[
    check!("handshake", 2, Client(&[]), "the handshake completes and the login stands", handshake),
    check!("certificates", 2, Own, "every tampered certificate chain is refused by the client", certificates),
    check!(
        "server-proof",
        2,
        Client(&[]),
        "no client logs in where the server does not prove itself",
        server_proof
    ),
    check!("login-expired-token", 2, Client(&[]), "a login with an expired token is refused", expired_token),
    check!("login-other-user", 2, Client(&[]), "a login with another user's token is refused", other_user),
    check!("login-other-key", 2, Own, "a static key that was not enlisted is refused", other_key),
    check!("ping", 2, Own, "a ping is answered by the server", ping),
    check!("server-ping", 2, Client(&[]), "a ping of the server is answered by the client", server_ping),
    check!("prekeys-uploaded", 2, Client(&[]), "the client uploads one-time prekeys", prekeys_uploaded),
    check!("keys-fetched", 2, Own, "a user's keys are fetched and their signature holds", keys_fetched),
    check!(
        "keys-stored",
        2,
        Client(&[Keep]),
        "fetched keys are stored: a restarted client writes on without fetching",
        keys_stored
    ),
];

/// How long something may take to become so, and how often it is asked.
const PATIENCE: Duration = Duration::from_secs(10);
const TURN: Duration = Duration::from_millis(10);

/// How the local WhatsApp spoils its certificates, and what this project's client says of it.
const CERTIFICATES: [(&str, CertificateError); 7] = [
    ("intermediate_signature", CertificateError::Signature(Intermediate)),
    ("leaf_signature", CertificateError::Signature(Leaf)),
    ("intermediate_issuer", CertificateError::Issuer(Intermediate)),
    ("leaf_issuer", CertificateError::Issuer(Leaf)),
    ("leaf_key", CertificateError::Key),
    ("not_yet_valid", CertificateError::NotYetValid(Intermediate)),
    ("expired", CertificateError::Expired(Intermediate)),
];

async fn handshake(environment: &Environment) -> Result<(), Failure> {
    let user = environment.online("handshake").await?;
    environment.is_connected(&user.login, true).await?;
    environment.account_says(&user.login, "handshake", &json!("full")).await
}

async fn certificates(environment: &Environment) -> Result<(), Failure> {
    let user = environment.user("certificates").await?;
    for (fault, error) in CERTIFICATES {
        environment.control("faults", json!({ "certificate": fault })).await?;
        let refused = user.client.connect(environment.issue(&user.name).await?).await;
        environment.control("faults", json!({ "certificate": null })).await?;
        let reason = DisconnectReason::Handshake(HandshakeError::Certificate(error));
        expect(fault, refused, Err(ClientError::Disconnected(reason)))?;
    }
    user.connect(environment).await
}

async fn server_proof(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.handset("server-proof").await?;
    for (fault, _) in CERTIFICATES {
        environment.control("faults", json!({ "certificate": fault })).await?;
        let refused = user.refused(environment.issue("server-proof").await?, Why::Certificate).await;
        environment.control("faults", json!({ "certificate": null })).await?;
        refused.map_err(|it| it.of(fault))?;
        let account = environment.observe(&format!("accounts/{}", user.login)).await?;
        expect("handshakes that came to a login", account.get("handshake"), Some(&Value::Null))?;
    }
    user.connect(environment).await
}

async fn expired_token(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["token-expired"]);
    let mut user = environment.handset("login-expired").await?;
    user.refused(environment.dated("login-expired", -7200, 600)?, Why::Token).await?;
    // It was the date.
    let token = environment.dated("login-expired", 0, 600)?;
    user.tell(Command::Connect { token }).await.map(drop)
}

async fn other_user(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["token-subject"]);
    let mut user = environment.handset("login-victim").await?;
    user.refused(environment.issue("login-mallory").await?, Why::Token).await?;
    user.connect(environment).await
}

async fn other_key(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["login-static-key"]);
    let other = |keys: &mut AccountKeys| {
        keys.noise = PrivateKey::generate(&mut UnwrapErr(SysRng));
    };
    let user = environment.user_with_keys("login-key", other).await?;
    let login = user.client.connect(environment.issue(&user.name).await?).await;
    let refused = DisconnectReason::Refused(Refusal::Token);
    expect("login", login, Err(ClientError::Disconnected(refused)))
}

async fn ping(environment: &Environment) -> Result<(), Failure> {
    let mut wire = Wire::connect(environment, "ping").await?;
    let answer = wire.ask(Iq::get("a-ping", environment.profile().chat.ping.client_xmlns)).await?;
    expect("answer", answer.kind, IqKind::Result)
}

async fn server_ping(environment: &Environment) -> Result<(), Failure> {
    let user = environment.online("server-ping").await?;
    let ping = environment.control(&format!("accounts/{}/ping", user.login), json!({})).await?;
    let id = ping.get("id").cloned().ok_or_else(|| Failure::new("no ping was sent"))?;
    eventually(async || {
        let pongs = environment.observe("pongs").await?;
        Ok(pongs.get("pongs").and_then(Value::as_array).is_some_and(|pongs| pongs.contains(&id)))
    })
    .await
}

async fn prekeys_uploaded(environment: &Environment) -> Result<(), Failure> {
    let user = environment.online("prekeys").await?;
    let wanted = u64::from(environment.profile().encryption.one_time_prekeys.first_upload);
    // Each client may upload as many as it likes.
    let is_enough = |number: u64| match environment.client {
        ClientSetting::Own => number == wanted,
        ClientSetting::Shim(_) => number > 0,
    };
    eventually(async || {
        let account = environment.observe(&format!("accounts/{}", user.login)).await?;
        Ok(account.get("prekeys").and_then(Value::as_u64).is_some_and(is_enough))
    })
    .await
}

async fn keys_fetched(environment: &Environment) -> Result<(), Failure> {
    let mut wire = Wire::connect(environment, "keys-fetched").await?;
    let phone = Jid::phone(PHONE)?;
    let users = vec![WantedUser { jid: phone.clone(), identity_changed: false }];
    let answer = wire.ask(PrekeyFetch { users }.into_iq("keys")).await?;
    let users = PrekeyBundles::try_from(&answer)?.users;
    let fetched = users.first().filter(|user| user.jid == phone);
    let bundle = fetched.and_then(|user| user.bundle.as_ref().ok());
    let bundle = bundle.ok_or_else(|| Failure::new("no bundle of the phone"))?;
    ensure("there is no one-time prekey", bundle.one_time.is_some())?;
    let signed = PublicKey::from_bytes(bundle.signed.value).to_prefixed();
    let signature = Signature::from_bytes(bundle.signed.signature);
    PublicKey::from_bytes(bundle.identity).verify(&signed, &signature)?;
    let left = wire.ask(PrekeyCount::request("count")).await?;
    PrekeyCount::try_from(&left)?;
    Ok(())
}

async fn keys_stored(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.online("keys-stored").await?;
    user.write("1", "before").await?;
    expect("answer", user.text().await?, "echo: before".to_owned())?;
    let before = fetches(environment).await?;
    let mut user = user.restart(environment).await?;
    user.connect(environment).await?;
    user.write("2", "after").await?;
    expect("answer", user.text().await?, "echo: after".to_owned())?;
    expect("key fetches", fetches(environment).await?, before)
}

/// How many bundles of the phone were handed out.
async fn fetches(environment: &Environment) -> Result<u64, Failure> {
    let phone = environment.observe(&format!("phones/{PHONE}")).await?;
    phone.get("bundles").and_then(Value::as_u64).ok_or_else(|| Failure::new("no number of bundles"))
}

/// Asks again and again, until it is so.
pub(crate) async fn eventually(is_so: impl AsyncFn() -> Result<bool, Failure>) -> Result<(), Failure> {
    let mut turn = tokio::time::interval(TURN);
    for _ in 0..patience(PATIENCE).as_millis() / TURN.as_millis() {
        turn.tick().await;
        if is_so().await? {
            return Ok(());
        }
    }
    Err(Failure::new("did not become so in time"))
}
