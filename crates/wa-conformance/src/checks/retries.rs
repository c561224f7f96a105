//! Messages that could not be decrypted, changed identities and several devices (RO 1.0.3 §1.1; forms observed).

use serde_json::{Value, json};
use wa_interop::binary::Jid;
use wa_interop::chat::{Event, Status};
use wa_interop::profile::RecipientDevices;

use crate::checks::Drives::{Client, Own};
use crate::checks::channel::eventually;
use crate::checks::{Check, check};
use crate::report::failure::{Failure, ensure, expect};
use crate::target::device::Happening;
use crate::target::device::Verb::Retry;
use crate::target::environment::{Environment, PHONE};
use crate::target::handset::Handset;
use crate::target::user::User;

pub(super) const CHECKS: &[Check] = &[
    check!(
        "retry-asked",
        3,
        Client(&[Retry]),
        "a message that does not decrypt is asked for again, and comes once",
        asked
    ),
    check!(
        "retry-answered",
        3,
        Client(&[Retry]),
        "a peer that lost its session gets the message in a new one",
        answered
    ),
    check!(
        "retry-limits",
        3,
        Own,
        "a peer that counts too far, or asks for nothing known, gets nothing",
        limits
    ),
    check!(
        "retry-asked-limit",
        3,
        Own,
        "what never decrypts is asked for five times, with keys from the second",
        asked_limit
    ),
    check!(
        "retry-answered-limit",
        3,
        Own,
        "a peer that asks for ever gets a message five times more, in one new session",
        answered_limit
    ),
    check!("retry-delivered", 3, Own, "what has arrived is encrypted for nobody again", delivered),
    check!("identity-changed", 3, Own, "a reinstalled phone is noticed and written to", identity_changed),
    check!("several-devices", 3, Own, "messages go to every device that the server lists", several_devices),
];

async fn acquainted(environment: &Environment, name: &str) -> Result<User, Failure> {
    let mut user = environment.connected(name).await?;
    user.write("hello", "hello").await?;
    expect("answer", user.read().await?, "echo: hello".to_owned())?;
    Ok(user)
}

/// The same, with any client.
async fn talking(environment: &Environment, name: &str) -> Result<Handset, Failure> {
    let mut user = environment.online(name).await?;
    user.round_trip("hello").await?;
    Ok(user)
}

async fn asked(environment: &Environment) -> Result<(), Failure> {
    let mut user = talking(environment, "retry-asked").await?;
    environment.phone_does("spoil", json!({})).await?;
    environment.phone_writes(&user.login, "spoilt on its way").await?;
    user.until(|event| matches!(event, Happening::Undecryptable { .. }).then_some(())).await?;
    expect("text", user.text().await?, "spoilt on its way".to_owned())?;
    environment.phone_writes(&user.login, "next").await?;
    expect("text", user.text().await?, "next".to_owned())?;
    let receipts = environment.at_phone("receipts", &user.login).await?;
    let retries = receipts.iter().filter(|receipt| receipt.get("kind") == Some(&json!("retry"))).count();
    expect("retry receipts", retries, 1)
}

async fn answered(environment: &Environment) -> Result<(), Failure> {
    let mut user = talking(environment, "retry-answered").await?;
    environment.phone_does("forget", json!({ "to": user.login.to_string() })).await?;
    user.write("lost", "are you there?").await?;
    expect("answer", user.text().await?, "echo: are you there?".to_owned())?;
    let received = environment.at_phone("received", &user.login).await?;
    let tries: Vec<(Value, Value)> = received
        .iter()
        .filter(|message| message.get("id") == Some(&json!("lost")))
        .map(|message| {
            let part = |name: &str| message.pointer(name).cloned().unwrap_or_default();
            (part("/stanza/count"), part("/text"))
        })
        .collect();
    // As it was, once more in the same session, and then with the keys of the second receipt.
    let expected =
        vec![(Value::Null, Value::Null), (json!("1"), Value::Null), (json!("2"), json!("are you there?"))];
    expect("tries", tries, expected)?;
    user.write("after", "good").await?;
    expect("answer", user.text().await?, "echo: good".to_owned())
}

async fn limits(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "retry-limits").await?;
    let path = format!("accounts/{}", user.login);
    // A message of which the phone does not say that it has arrived: of another, nothing is sent again anyway.
    environment.control(&format!("phones/{PHONE}/manners"), json!({ "silent": true })).await?;
    user.write("unheard", "unheard").await?;
    expect("answer", user.read().await?, "echo: unheard".to_owned())?;
    for xml in [retry("unheard", 11), retry("never-sent", 1)] {
        environment.control(&format!("{path}/notify"), json!({ "xml": xml })).await?;
    }
    // Both are acked all the same.
    environment.account_says(&user.login, "mailbox", &json!(0)).await?;
    user.write("behind", "behind").await?;
    expect("answer", user.read().await?, "echo: behind".to_owned())?;
    environment.control(&format!("phones/{PHONE}/manners"), json!({ "silent": false })).await?;
    let account = environment.observe(&path).await?;
    expect("messages of the account", account.get("messages"), Some(&json!(3)))
}

/// A retry receipt of the phone's, in another registration's name.
fn retry(id: &str, count: u32) -> String {
    format!(
        "<receipt from='{PHONE}@s.whatsapp.net' id='{id}' type='retry' t='1'>\
         <retry count='{count}' id='{id}' t='1' v='1'/><registration wa:bytes='00000001'/></receipt>"
    )
}

async fn asked_limit(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "retry-asked-limit").await?;
    let message = format!(
        "<message from='{PHONE}@s.whatsapp.net' id='never' type='text' t='1'>\
         <enc v='2' type='msg' wa:bytes='3300'/></message>"
    );
    let path = format!("accounts/{}/notify", user.login);
    for expected in [Some(1), Some(2), Some(3), Some(4), Some(5), None, None] {
        environment.control(&path, json!({ "xml": message })).await?;
        let asked = user
            .until(|event| match event {
                Event::Undecryptable { asked, .. } => Some(*asked),
                _ => None,
            })
            .await?;
        expect("how often it was asked for", asked, expected)?;
    }
    user.write("behind", "behind").await?;
    expect("answer", user.read().await?, "echo: behind".to_owned())?;
    let receipts = environment.at_phone("receipts", &user.login).await?;
    let of_this = receipts.iter().filter(|receipt| receipt.get("id") == Some(&json!("never")));
    let keys: Vec<bool> = of_this.map(|it| it.get("has_keys") == Some(&json!(true))).collect();
    expect("keys of the receipts", keys, vec![false, true, true, true, true])
}

async fn answered_limit(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "retry-answered-limit").await?;
    let path = format!("accounts/{}", user.login);
    let numbers = async || {
        let (account, phone) =
            (environment.observe(&path).await?, environment.observe(&format!("phones/{PHONE}")).await?);
        let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64);
        Ok::<_, Failure>((number(&account, "messages"), number(&phone, "bundles")))
    };
    // A message of which the phone does not say that it has arrived.
    environment.control(&format!("phones/{PHONE}/manners"), json!({ "silent": true })).await?;
    user.write("unheard", "unheard").await?;
    expect("answer", user.read().await?, "echo: unheard".to_owned())?;
    let (sent, bundles) = numbers().await?;
    for count in 1..=8 {
        environment.control(&format!("{path}/notify"), json!({ "xml": retry("unheard", count) })).await?;
    }
    let more = |now: Option<u64>, before: Option<u64>| Some(now? - before?);
    // What is written now may overtake what is asked for.
    eventually(async || Ok(more(numbers().await?.0, sent) >= Some(5))).await?;
    environment.account_says(&user.login, "mailbox", &json!(0)).await?;
    user.write("behind", "behind").await?;
    expect("answer", user.read().await?, "echo: behind".to_owned())?;
    environment.control(&format!("phones/{PHONE}/manners"), json!({ "silent": false })).await?;
    let (sent_now, bundles_now) = numbers().await?;
    expect("messages sent since then", more(sent_now, sent), Some(6))?;
    expect("bundles handed out since then", more(bundles_now, bundles), Some(1))
}

/// The server asks for a message again that the phone has, in a new session.
async fn delivered(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "retry-delivered").await?;
    let path = format!("accounts/{}", user.login);
    let status = |event: &Event| match event {
        Event::Receipt { status, .. } => Some(*status),
        _ => None,
    };
    user.write("had", "had").await?;
    expect("receipt", user.until(status).await?, Status::Delivered)?;
    expect("answer", user.read().await?, "echo: had".to_owned())?;
    for count in 1..=3 {
        environment.control(&format!("{path}/notify"), json!({ "xml": retry("had", count) })).await?;
    }
    environment.account_says(&user.login, "mailbox", &json!(0)).await?;
    user.write("behind", "behind").await?;
    expect("answer", user.read().await?, "echo: behind".to_owned())?;
    let account = environment.observe(&path).await?;
    expect("messages of the account", account.get("messages"), Some(&json!(3)))
}

async fn identity_changed(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "identity-changed").await?;
    environment.phone_does("reinstall", json!({})).await?;
    let identity = |event: &Event| match event {
        Event::IdentityChanged { peer, identity, .. } => Some((peer.clone(), *identity)),
        _ => None,
    };
    let phone = Jid::phone(PHONE)?;
    expect("who", user.until(identity).await?, (phone.clone(), None))?;
    user.write("again", "who are you?").await?;
    let (who, key) = user.until(identity).await?;
    expect("who", who, phone)?;
    ensure("the new key is known now", key.is_some())?;
    expect("answer", user.read().await?, "echo: who are you?".to_owned())
}

fn added(event: &Event) -> Option<Vec<u16>> {
    match event {
        Event::DevicesChanged { added, .. } => Some(added.iter().map(|(device, _)| *device).collect()),
        _ => None,
    }
}

async fn several_devices(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "several-devices").await?;
    environment.phone_does("devices", json!({ "id": 3 })).await?;
    // The server says so; the next message asks which devices there are.
    environment.account_says(&user.login, "mailbox", &json!(0)).await?;
    let are_listed = environment.profile().encryption.recipient_devices == RecipientDevices::PrimaryAndListed;
    for number in 0..3 {
        user.write(&format!("devices-{number}"), &format!("to all {number}")).await?;
        if number == 0 && are_listed {
            let added = user.until(added).await?;
            expect("devices that were told of", added, vec![3])?;
        }
        expect("answer", user.read().await?, format!("echo: to all {number}"))?;
    }
    // The phone of the checks behind this one has no second device.
    environment.phone_does("devices", json!({ "id": 3, "gone": true })).await?;
    let received = environment.at_phone("received", &user.login).await?;
    let at = |device: u16| {
        let here = received.iter().filter(|message| message.get("device") == Some(&json!(device)));
        here.filter_map(|message| message.get("text")?.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let texts: Vec<String> = (0..3).map(|number| format!("to all {number}")).collect();
    expect("at the phone", at(0), [vec!["hello".to_owned()], texts.clone()].concat())?;
    match environment.profile().encryption.recipient_devices {
        RecipientDevices::PrimaryAndListed => expect("at the other device", at(3), texts),
        _ => expect("at the other device, to which nothing goes", at(3), vec![]),
    }
}
