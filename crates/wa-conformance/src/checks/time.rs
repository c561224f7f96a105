//! What WhatsApp does because time passes, on a clock that the check moves (overview §3.2.1, §5).

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use serde_json::{Value, json};
use wa_interop::ClientError;
use wa_interop::chat::{DisconnectReason, Refusal};

use crate::checks::Drives::{Client, WhatsApp};
use crate::checks::channel::eventually;
use crate::checks::{Check, check};
use crate::report::failure::{Failure, ensure, expect};
use crate::target::device::Why;
use crate::target::environment::Environment;
use crate::target::form::Form;
use crate::target::handset::Handset;
use crate::target::raw::{Payload, Raw};
use crate::target::server::Issuer;
use crate::target::user::User;

pub(super) const CHECKS: &[Check] = &[
    check!("away-29-days", 5, Client(&[]), "a user who was away for 29 days is still there", away_29),
    check!("away-30-days", 5, Client(&[]), "a user who was away for more than 30 days is gone", away_30),
    check!("mailbox-29-days", 3, Client(&[]), "a message that waited for 29 days still comes", mailbox_29),
    check!(
        "mailbox-30-days",
        3,
        WhatsApp,
        "a message that waited for more than 30 days does not",
        mailbox_30
    ),
    check!("enlist-again", 2, WhatsApp, "who enlists again gets another login, and it works", again),
    check!("enlist-again-old", 2, WhatsApp, "the old login is ended, and refused from then on", again_old),
];

const DAY: u64 = 86_400;

/// A user who was connected once and is not any more.
async fn away(apart: &Environment, name: &str) -> Result<User, Failure> {
    let user = apart.connected(name).await?;
    // Without prekeys at the server it would be told in its mailbox that they run low.
    let path = format!("accounts/{}", user.login);
    eventually(async || Ok(apart.observe(&path).await?.get("prekeys").and_then(Value::as_u64) > Some(10)))
        .await?;
    user.client.disconnect().await?;
    apart.is_connected(&user.login, false).await?;
    Ok(user)
}

/// The same, with any client.
async fn asleep(apart: &Environment, name: &str) -> Result<Handset, Failure> {
    let mut user = apart.online(name).await?;
    user.round_trip("before").await?;
    user.sleep(apart).await?;
    Ok(user)
}

async fn away_29(environment: &Environment) -> Result<(), Failure> {
    let (apart, issuer) = environment.apart().await?;
    let mut user = asleep(&apart, "away-29").await?;
    apart.advance(&issuer, 29 * DAY).await?;
    user.connect(&apart).await?;
    user.round_trip("back").await
}

async fn away_30(environment: &Environment) -> Result<(), Failure> {
    let (apart, issuer) = environment.apart().await?;
    apart.begin().await?;
    let mut user = asleep(&apart, "away-30").await?;
    apart.advance(&issuer, 30 * DAY + 60).await?;
    let account = apart.observe(&format!("accounts/{}", user.login)).await;
    ensure("WhatsApp still knows the user", account.is_err())?;
    user.refused(apart.issue("away-30").await?, Why::NotEnlisted).await?;
    apart.provokes(&["login-unenlisted"]);
    apart.judge(&apart.recorded().await?)
}

async fn mailbox_29(environment: &Environment) -> Result<(), Failure> {
    let (apart, issuer) = environment.apart().await?;
    let mut user = asleep(&apart, "mailbox-29").await?;
    apart.phone_writes(&user.login, "a month's post").await?;
    apart.advance(&issuer, 29 * DAY).await?;
    user.connect(&apart).await?;
    expect("text", user.text().await?, "a month's post".to_owned())
}

/// The user logs in on the way, so that the account stays, and fetches nothing, so that the message does not.
async fn mailbox_30(environment: &Environment) -> Result<(), Failure> {
    let (apart, issuer) = environment.apart().await?;
    let mut user = away(&apart, "mailbox-30").await?;
    apart.phone_writes(&user.login, "too old").await?;
    expect("mailbox", waiting(&apart, &user).await?, Some(1))?;
    apart.advance(&issuer, 20 * DAY).await?;
    drop(login(&apart, &issuer, &user).await?);
    apart.is_connected(&user.login, false).await?;
    expect("mailbox", waiting(&apart, &user).await?, Some(1))?;
    apart.advance(&issuer, 11 * DAY).await?;
    expect("mailbox", waiting(&apart, &user).await?, Some(0))?;
    user.client.connect(apart.issue("mailbox-30").await?).await?;
    apart.phone_writes(&user.login, "new").await?;
    expect("text", user.text().await?, "new".to_owned())
}

async fn waiting(apart: &Environment, user: &User) -> Result<Option<u64>, Failure> {
    let account = apart.observe(&format!("accounts/{}", user.login)).await?;
    Ok(account.get("mailbox").and_then(Value::as_u64))
}

/// Logs in, and does nothing.
async fn login(apart: &Environment, issuer: &Issuer, user: &User) -> Result<Raw, Failure> {
    let (_, account) = user.login.as_interop().ok_or_else(|| Failure::new("no interop login"))?;
    let token = Some(issuer.sign(&user.name, &json!({}), None)?);
    let payload = Payload { token, ..Payload::of(apart, account) };
    let mut raw = Raw::connect(apart, &user.keys, &payload).await?;
    raw.expect("success").await?;
    Ok(raw)
}

async fn again(environment: &Environment) -> Result<(), Failure> {
    let user = environment.user("again").await?;
    let mut second = environment.user("again").await?;
    ensure("the login is the same", user.login != second.login)?;
    second.connect(environment).await?;
    second.write("1", "again").await?;
    expect("answer", second.read().await?, "echo: again".to_owned())
}

async fn again_old(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["login-unenlisted"]);
    let mut user = environment.connected("again-old").await?;
    let keys = wa_interop::chat::AccountKeys::generate(&mut UnwrapErr(SysRng));
    let token = environment.issue("again-old").await?;
    Form::of(environment, "again-old", &keys, &token).accepted(environment).await?;
    let ended = user.until(|event| match event {
        wa_interop::chat::Event::Disconnected(reason) => Some(reason.clone()),
        _ => None,
    });
    expect("the old connection's end", ended.await?, DisconnectReason::Replaced)?;
    let refused = user.client.connect(environment.issue("again-old").await?).await;
    let reason = DisconnectReason::Refused(Refusal::NotEnlisted);
    expect("the old login", refused, Err(ClientError::Disconnected(reason)))
}
