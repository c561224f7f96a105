//! What a client does when the server ends a stream, refuses a login, sends it elsewhere or runs short (observed; codes
//! assumed).

use serde_json::{Value, json};
use wa_interop::ClientError;
use wa_interop::chat::{DisconnectReason, Event, Status};

use crate::checks::Drives::{Client, Own};
use crate::checks::channel::eventually;
use crate::checks::{Check, check};
use crate::report::failure::{Failure, ensure, expect};
use crate::target::device::Why;
use crate::target::environment::{Environment, PHONE};
use crate::target::user::User;

pub(super) const CHECKS: &[Check] = &[
    check!(
        "stream-restart",
        2,
        Client(&[]),
        "a stream that is to be restarted is, and nothing is lost",
        restart
    ),
    check!(
        "stream-errors",
        2,
        Own,
        "each stream error has its own end, and says whether to try again",
        errors
    ),
    check!("login-busy", 2, Client(&[]), "a login that a full server refuses is tried again later", busy),
    check!("go-away", 2, Own, "a client that is sent away comes back", go_away),
    check!("edge-routing", 2, Own, "routing information is kept and said with the next connection", routing),
    check!("prekeys-low", 2, Own, "one-time prekeys that run low are refilled", prekeys_low),
    check!("bad-bundle", 3, Own, "nothing is encrypted for a signed prekey that is another's", bad_bundle),
    check!(
        "phone-blocks",
        3,
        Own,
        "a user whom a WhatsApp user has blocked does not reach them",
        phone_blocks
    ),
    check!("phone-unblocks", 3, Own, "a user who is unblocked reaches them again", phone_unblocks),
    check!("mailbox-count", 3, Own, "a client is told how much waits, and when that was all", mailbox_count),
    check!(
        "long-text",
        3,
        Client(&[]),
        "a text that is long enough to be compressed comes and goes whole",
        long_text
    ),
];

fn ended(event: &Event) -> Option<DisconnectReason> {
    match event {
        Event::Disconnected(reason) => Some(reason.clone()),
        _ => None,
    }
}

async fn round_trip(user: &mut User, id: &str) -> Result<(), Failure> {
    user.write(id, id).await?;
    expect("answer", user.text().await?, format!("echo: {id}"))
}

/// A client that has resumed counts as connected once something has come from it.
async fn stream_error(environment: &Environment, user: &User, error: Value) -> Result<(), Failure> {
    environment.is_connected(&user.login, true).await?;
    environment.control(&format!("accounts/{}/stream-error", user.login), error).await.map(drop)
}

async fn restart(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.online("stream-restart").await?;
    user.round_trip("before").await?;
    let path = format!("accounts/{}/stream-error", user.login);
    environment.control(&path, json!({ "code": 515 })).await?;
    user.ended().await?;
    environment.phone_writes(&user.login, "between").await?;
    user.connect(environment).await?;
    expect("text", user.text().await?, "between".to_owned())?;
    user.round_trip("after").await
}

async fn errors(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("stream-errors").await?;
    for (error, reason, is_terminal) in [
        (json!({ "code": 429 }), DisconnectReason::StreamError(Some(429)), false),
        (json!({ "code": 503 }), DisconnectReason::StreamError(Some(503)), false),
        (json!({ "xml": "<ack/>" }), DisconnectReason::StreamError(None), false),
        (json!({ "code": 409, "xml": "<conflict type='replaced'/>" }), DisconnectReason::Replaced, true),
        (
            json!({ "code": 401, "xml": "<conflict type='device_removed'/>" }),
            DisconnectReason::LoggedOut,
            true,
        ),
    ] {
        stream_error(environment, &user, error).await?;
        let end = user.until(ended).await?;
        expect("whether it is final", end.is_terminal(), is_terminal)?;
        expect("the end", end, reason)?;
        user.connect(environment).await?;
    }
    round_trip(&mut user, "after").await
}

async fn busy(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.handset("login-busy").await?;
    environment.control("faults", json!({ "login_failure": 503 })).await?;
    let refused = user.refused(environment.issue("login-busy").await?, Why::Busy).await;
    environment.control("faults", json!({ "login_failure": null })).await?;
    refused?;
    user.connect(environment).await?;
    user.round_trip("after").await
}

async fn go_away(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.user("go-away").await?;
    environment.control("faults", json!({ "go_away": 1 })).await?;
    let refused = user.client.connect(environment.issue("go-away").await?).await;
    expect("login", refused, Err(ClientError::Disconnected(DisconnectReason::GoAway)))?;
    user.connect(environment).await?;
    round_trip(&mut user, "after").await
}

async fn routing(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("edge-routing").await?;
    let path = format!("accounts/{}", user.login);
    environment.control(&format!("{path}/routing-info"), json!({ "routing_info": "0a0bff" })).await?;
    round_trip(&mut user, "before").await?;
    for _ in 0..2 {
        user = user.restart(environment).await?;
        user.connect(environment).await?;
        environment.is_connected(&user.login, true).await?;
        let account = environment.observe(&path).await?;
        expect("routing information", account.get("routing_info"), Some(&json!("0a0bff")))?;
    }
    Ok(())
}

async fn prekeys(environment: &Environment, user: &User) -> Result<u64, Failure> {
    let account = environment.observe(&format!("accounts/{}", user.login)).await?;
    account.get("prekeys").and_then(Value::as_u64).ok_or_else(|| Failure::new("no number of prekeys"))
}

/// A phone that forgets its session takes one prekey for each text.
async fn prekeys_low(environment: &Environment) -> Result<(), Failure> {
    let user = environment.connected("prekeys-low").await?;
    eventually(async || Ok(prekeys(environment, &user).await? > 0)).await?;
    let first = prekeys(environment, &user).await?;
    // A client may make new ones only so often; another run of it begins afresh.
    let mut user = user.restart(environment).await?;
    user.connect(environment).await?;
    let mut least = first;
    for number in 0..first {
        environment.phone_does("forget", json!({ "to": user.login.to_string() })).await?;
        environment.phone_writes(&user.login, &number.to_string()).await?;
        expect("text", user.text().await?, number.to_string())?;
        let left = prekeys(environment, &user).await?;
        if left > least {
            return Ok(());
        }
        least = left;
    }
    eventually(async || Ok(prekeys(environment, &user).await? > least)).await
}

async fn bad_bundle(environment: &Environment) -> Result<(), Failure> {
    let manners = format!("phones/{PHONE}/manners");
    environment.control(&manners, json!({ "missigned": true })).await?;
    let mut user = environment.connected("bad-bundle").await?;
    user.write("1", "for you alone").await?;
    user.until(|event| matches!(event, Event::NoSession { .. }).then_some(())).await?;
    expect("what was sent", environment.received(&user.login.to_string()).await?, vec![])?;
    let account = environment.observe(&format!("accounts/{}", user.login)).await?;
    expect("messages", account.get("messages"), Some(&json!(0)))?;
    environment.control(&manners, json!({ "missigned": false })).await?;
    // The next connection asks again.
    let mut user = user.restart(environment).await?;
    user.connect(environment).await?;
    expect("answer", user.text().await?, "echo: for you alone".to_owned())
}

async fn blocks(environment: &Environment, user: &User, blocked: bool) -> Result<(), Failure> {
    environment
        .phone_does("block", json!({ "login": user.login.to_string(), "blocked": blocked }))
        .await
        .map(drop)
}

/// Writes, and waits until the server has the message.
async fn taken(user: &mut User, id: &str) -> Result<(), Failure> {
    user.write(id, id).await?;
    loop {
        let event = user.next_of_all().await?;
        if let Some(event) = event.id() {
            user.client.confirm(event).await?;
        }
        match event {
            Event::Receipt { ids, status: Status::Sent, .. } if ids.iter().any(|it| it.0 == id) => {
                return Ok(());
            }
            _ => {}
        }
    }
}

async fn phone_blocks(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("phone-blocks").await?;
    round_trip(&mut user, "before").await?;
    blocks(environment, &user, true).await?;
    taken(&mut user, "blocked").await?;
    expect("texts", environment.received(&user.login.to_string()).await?, vec!["before".to_owned()])
}

async fn phone_unblocks(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("phone-unblocks").await?;
    round_trip(&mut user, "before").await?;
    blocks(environment, &user, true).await?;
    taken(&mut user, "blocked").await?;
    blocks(environment, &user, false).await?;
    round_trip(&mut user, "after").await?;
    expect("texts", environment.received(&user.login.to_string()).await?.last(), Some(&"after".to_owned()))
}

async fn mailbox_count(environment: &Environment) -> Result<(), Failure> {
    let user = environment.connected("mailbox-count").await?;
    let mut user = user.restart(environment).await?;
    environment.is_connected(&user.login, false).await?;
    for number in 0..3 {
        environment.phone_writes(&user.login, &number.to_string()).await?;
    }
    user.connect(environment).await?;
    let (mut announced, mut read) = (None, 0);
    loop {
        match user.next_of_all().await? {
            Event::MailboxWaits { messages, .. } => announced = Some(messages),
            Event::Message { event, .. } => {
                user.client.confirm(event).await?;
                read += 1;
            }
            Event::MailboxEmpty { .. } => break,
            _ => {}
        }
    }
    expect("announced and read", (announced, read), (Some(3), 3))
}

async fn long_text(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.online("long-text").await?;
    let text = "All work and no play makes a long text. ".repeat(200);
    environment.phone_writes(&user.login, &text).await?;
    ensure("the text that came is another", user.text().await? == text)?;
    user.write("long", &text).await?;
    ensure("the answer is another", user.text().await? == format!("echo: {text}"))
}
