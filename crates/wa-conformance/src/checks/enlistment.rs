//! Milestone 1: enlistment, accepted and refused (overview §1.2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use wa_interop::chat::{AccountKeys, DisconnectReason, Refusal};
use wa_interop::enlist::Reason;
use wa_interop::profile::{EnlistmentSpelling, IntegratorOfLogin, ProtocolVersion, VersionAtLogin};
use wa_interop::{ClientError, EnlistmentError};

use crate::checks::Drives::{Client, Own};
use crate::checks::{Check, check};
use crate::report::failure::{Failure, ensure, expect};
use crate::target::device::Command;
use crate::target::environment::{Environment, INTEGRATOR};
use crate::target::form::Form;
use crate::target::handset::done;
use crate::target::recorder::{Asked, Recorder};

pub(super) const CHECKS: &[Check] = &[
    check!("enlist-ok", 1, Client(&[]), "a user enlists and gets an interop login", accepted),
    check!("enlist-form", 1, Client(&[]), "a client posts a form with each argument in its exact form", form),
    check!(
        "enlist-bad-integrator",
        1,
        Own,
        "an unknown integrator is refused as bad_integrator",
        bad_integrator
    ),
    check!("enlist-forged-token", 1, Own, "a token signed by another key is refused", forged),
    check!("enlist-expired-token", 1, Own, "an expired token is refused", expired),
    check!(
        "enlist-other-identifier",
        1,
        Own,
        "an identifier that is not the token's is refused",
        other_identifier
    ),
    check!(
        "enlist-bad-prekey",
        1,
        Own,
        "a signed prekey that the identity did not sign is refused",
        bad_prekey
    ),
    check!("enlist-old-version", 1, Own, "a protocol version that is too old is refused", old_version),
    check!(
        "login-old-version",
        2,
        Own,
        "a login in a version that is too old is refused for good",
        old_login
    ),
];

async fn accepted(environment: &Environment) -> Result<(), Failure> {
    let user = environment.handset("enlist-ok").await?;
    let named = user.login.as_interop().ok_or_else(|| Failure::new("no interop login"))?;
    expect("integrator", named.0, INTEGRATOR)?;
    ensure("the login has no user", named.1 > 0)
}

async fn form(environment: &Environment) -> Result<(), Failure> {
    let recorder = Recorder::start().await?;
    let (mut device, ..) = environment.device(Some(&recorder.url)).await?;
    let (user, token) = ("enlist-form".to_owned(), environment.issue("enlist-form").await?);
    done(device.ask(Command::Enlist { user, token: token.clone() }).await?)?;
    judge(environment, &recorder.only()?, "enlist-form", &token)
}

/// Whether a request has the form of the documents: method, type, names, sizes, alphabet (overview §1.2.2; RO 1.0.3 §1.3).
fn judge(environment: &Environment, asked: &Asked, user: &str, token: &str) -> Result<(), Failure> {
    expect("method", asked.method.as_str(), "POST")?;
    expect("path", asked.path.as_str(), Asked::PATH)?;
    let kind = asked.content_type.split(';').next().unwrap_or_default().trim();
    expect("content type", kind, "application/x-www-form-urlencoded")?;
    let form = Form::decode(&asked.body)?;
    // Each printed spelling is right.
    let is_used = |it: &EnlistmentSpelling| form.get(it.prekey_id()).is_some();
    let spelling = EnlistmentSpelling::ALL.into_iter().filter(is_used);
    let spelling = spelling.max_by_key(|it| form.get(it.prekey_signature()).is_some());
    let spelling = spelling.ok_or_else(|| Failure::new("the signed prekey's id is missing"))?;
    for (name, length) in [
        ("authkey", 32),
        ("e_keytype", 1),
        ("e_regid", 4),
        ("e_ident", 32),
        (spelling.prekey_id(), 3),
        (spelling.prekey_value(), 32),
        (spelling.prekey_signature(), 64),
    ] {
        let text = form.get(name).ok_or_else(|| Failure(format!("{name} is missing")))?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|error| Failure(format!("{name}: {error}")))?;
        expect(&format!("bytes of {name}"), bytes.len(), length)?;
    }
    expect("e_keytype", form.get("e_keytype"), Some("BQ"))?;
    expect("token", form.get("token"), Some(token))?;
    let own = environment.profile().enlistment.identity_arguments;
    expect("integrator_id", form.get("integrator_id"), own.then_some(INTEGRATOR.to_string()).as_deref())?;
    expect("user_identifier", form.get("user_identifier"), own.then_some(user))
}

async fn bad_integrator(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["enlist-integrator"]);
    // One document names the integrator by an argument, the other by the token's issuer.
    let token = match environment.profile().enlistment.integrator_of_login {
        IntegratorOfLogin::Argument => environment.issue("bad-integrator").await?,
        _ => environment.of_stranger("bad-integrator")?,
    };
    let answer = environment.enlist(999, "bad-integrator", &keys(), &token).await?;
    expect("answer", answer, Err(EnlistmentError::Refused(Reason::BadIntegrator)))
}

async fn forged(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["token-signature"]);
    refused(environment, "forged", &environment.forged("forged")?, "sandbox_bad_token").await
}

async fn expired(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["token-expired"]);
    let token = environment.dated("expired", -7200, 600)?;
    refused(environment, "expired", &token, "sandbox_bad_token").await?;
    // The same key and claims with good dates pass: it was the date.
    let token = environment.dated("expired", 0, 600)?;
    environment.enlist(INTEGRATOR, "expired", &keys(), &token).await??;
    Ok(())
}

async fn other_identifier(environment: &Environment) -> Result<(), Failure> {
    let token = environment.issue("mallory").await?;
    if !environment.profile().enlistment.identity_arguments {
        // There is no such argument: the token alone names the user.
        return environment
            .enlist(INTEGRATOR, "alice", &keys(), &token)
            .await?
            .map(drop)
            .map_err(Failure::from);
    }
    environment.provokes(&["enlist-identifier"]);
    refused(environment, "alice", &token, "sandbox_bad_identifier").await
}

async fn bad_prekey(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["enlist-signature"]);
    let token = environment.issue("bad-prekey").await?;
    let mut keys = keys();
    keys.signed.signature = AccountKeys::generate(&mut UnwrapErr(SysRng)).signed.signature;
    let answer = environment.enlist(INTEGRATOR, "bad-prekey", &keys, &token).await?;
    expect("answer", answer, Err(other("sandbox_bad_signature")))
}

async fn old_version(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["enlist-version-old"]);
    let token = environment.issue("old-version").await?;
    let profile = environment.profile().with_version(ProtocolVersion::new(0, 9, 0));
    let answer = environment.enlist_as(&profile, INTEGRATOR, "old-version", &keys().public(), &token).await?;
    expect("answer", answer, Err(other("sandbox_version_too_old")))
}

async fn old_login(environment: &Environment) -> Result<(), Failure> {
    let user = environment.user("old-login").await?;
    let profile = environment.profile().with_version(ProtocolVersion::new(0, 9, 0));
    let (client, _events) = environment.open_with(&user.store, profile).await?;
    let refused = client.connect(environment.issue(&user.name).await?).await;
    if environment.profile().chat.login.version == VersionAtLogin::Omitted {
        return expect("login, which says no version", refused, Ok(()));
    }
    environment.provokes(&["login-version-old"]);
    let reason = DisconnectReason::Refused(Refusal::VersionTooOld { until: None });
    ensure("that is terminal", reason.is_terminal())?;
    expect("login", refused, Err(ClientError::Disconnected(reason)))
}

async fn refused(environment: &Environment, name: &str, token: &str, reason: &str) -> Result<(), Failure> {
    let answer = environment.enlist(INTEGRATOR, name, &keys(), token).await?;
    expect("answer", answer, Err(other(reason)))
}

fn other(reason: &str) -> EnlistmentError {
    EnlistmentError::Refused(Reason::Other(reason.to_owned()))
}

fn keys() -> AccountKeys {
    AccountKeys::generate(&mut UnwrapErr(SysRng))
}
