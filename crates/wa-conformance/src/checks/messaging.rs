//! Milestone 3: texts in both directions (overview §3).

use serde_json::json;
use wa_interop::binary::Jid;
use wa_interop::chat::{Content, Event, MessageId, Table};

use crate::checks::Drives::{Client, Own};
use crate::checks::channel::eventually;
use crate::checks::{Check, check};
use crate::report::failure::{Failure, expect};
use crate::target::device::Happening;
use crate::target::device::Verb::{Keep, Queue};
use crate::target::environment::{Environment, PHONE, SILENT_PHONE};
use crate::target::user::User;

pub(super) const CHECKS: &[Check] = &[
    check!("text-out", 3, Client(&[]), "a text is sent and decrypted by the phone", text_out),
    check!("text-in", 3, Client(&[]), "a text from the phone is decrypted by the client", text_in),
    check!("delivered", 3, Client(&[]), "delivery receipts arrive in both directions", delivered),
    check!("offline", 3, Client(&[]), "texts to an offline user wait in the mailbox, in order", offline),
    check!(
        "offline-batches",
        3,
        Client(&[]),
        "a mailbox of several batches is emptied, in order",
        offline_batches
    ),
    check!("backlog", 3, Own, "whoever has taken no event for long still connects and is answered", backlog),
    check!("waiting-peer", 3, Own, "a user without keys delays nobody else", waiting_peer),
    check!("silent-peer", 3, Own, "a user whose keys are never answered for delays nobody else", silent_peer),
    check!(
        "acked-once",
        3,
        Client(&[Keep]),
        "a confirmed text comes once: not after reconnecting, not after a restart",
        acked_once
    ),
    check!("unconfirmed", 3, Own, "an unconfirmed text comes again after a restart", unconfirmed),
    check!(
        "sent-offline",
        3,
        Client(&[Queue, Keep]),
        "a text written offline is sent at the next connection",
        sent_offline
    ),
    check!("same-id", 3, Own, "a text with the same id is sent once", same_id),
    check!("hundred", 3, Client(&[]), "a hundred texts each way, the ratchet turning", hundred),
    check!("hundred-burst", 3, Client(&[]), "a hundred texts at once keep their order", hundred_burst),
];

async fn text_out(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.online("text-out").await?;
    user.write("1", "hello, phone").await?;
    let login = user.login.to_string();
    eventually(async || Ok(!environment.received(&login).await?.is_empty())).await?;
    expect("the phone's inbox", environment.received(&login).await?, vec!["hello, phone".to_owned()])
}

async fn text_in(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.online("text-in").await?;
    environment.phone_writes(&user.login, "hello, client").await?;
    expect("text", user.text().await?, "hello, client".to_owned())?;
    // And the session that the phone began carries an answer.
    user.write("1", "and hello back").await?;
    expect("answer", user.text().await?, "echo: and hello back".to_owned())
}

async fn delivered(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.online("delivered").await?;
    user.write("delivered-1", "tick").await?;
    let ids = user.until(|event| match event {
        Happening::Delivered { ids, .. } => Some(ids.clone()),
        _ => None,
    });
    expect("ids", ids.await?, vec!["delivered-1".to_owned()])?;
    eventually(async || Ok(!environment.at_phone("receipts", &user.login).await?.is_empty())).await
}

async fn offline(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.online("offline").await?;
    environment.phone_writes(&user.login, "online").await?;
    expect("text", user.text().await?, "online".to_owned())?;
    user.sleep(environment).await?;
    let texts: Vec<String> = (0..5).map(|number| format!("offline {number}")).collect();
    for text in &texts {
        environment.phone_writes(&user.login, text).await?;
    }
    user.connect(environment).await?;
    for text in texts {
        expect("text", user.text().await?, text)?;
    }
    mailbox_is_empty(environment, &user.login).await
}

async fn offline_batches(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.online("offline-batches").await?;
    environment.phone_writes(&user.login, "online").await?;
    expect("text", user.text().await?, "online".to_owned())?;
    user.sleep(environment).await?;
    let texts = environment.profile().chat.offline_batch * 2 + 50;
    for number in 0..texts {
        environment.phone_writes(&user.login, &number.to_string()).await?;
    }
    user.connect(environment).await?;
    for number in 0..texts {
        expect("text", user.text().await?, number.to_string())?;
    }
    mailbox_is_empty(environment, &user.login).await
}

async fn backlog(environment: &Environment) -> Result<(), Failure> {
    let user = environment.connected("backlog").await?;
    // More than the client keeps ready for an application that does not take them.
    for number in 0..700 {
        environment.phone_writes(&user.login, &number.to_string()).await?;
    }
    mailbox_is_empty(environment, &user.login).await?;
    let mut user = user.restart(environment).await?;
    user.connect(environment).await?;
    user.client.blocklist().await?;
    for number in 0..700 {
        expect("text", user.text().await?, number.to_string())?;
    }
    Ok(())
}

async fn waiting_peer(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("waiting-peer").await?;
    let nobody = Jid::phone("19998887766")?;
    let content = Content::text("is anybody there?");
    user.client.send(nobody.clone(), MessageId("nobody".to_owned()), content).await?;
    user.write("somebody", "hello").await?;
    let (mut without_keys, mut answered) = (false, false);
    while !(without_keys && answered) {
        match user.next().await? {
            Event::NoSession { peer, .. } => without_keys = peer == nobody,
            Event::Message { event, .. } => {
                user.client.confirm(event).await?;
                answered = true;
            }
            other => {
                if let Some(id) = other.id() {
                    user.client.confirm(id).await?;
                }
            }
        }
    }
    expect("waiting contents", user.store.count(Table::Waiting), 1)
}

async fn silent_peer(environment: &Environment) -> Result<(), Failure> {
    environment.control(&format!("phones/{SILENT_PHONE}/manners"), json!({ "withheld": true })).await?;
    let mut user = environment.connected("silent-peer").await?;
    let silent = Jid::phone(SILENT_PHONE)?;
    let content = Content::text("are you there?");
    user.client.send(silent, MessageId("silent".to_owned()), content).await?;
    for number in 0..3 {
        user.write(&format!("meanwhile-{number}"), &format!("meanwhile {number}")).await?;
        expect("answer", user.read().await?, format!("echo: meanwhile {number}"))?;
    }
    expect("waiting contents", user.store.count(Table::Waiting), 1)?;
    // The next connection asks again.
    environment.control(&format!("phones/{SILENT_PHONE}/manners"), json!({ "withheld": false })).await?;
    let mut user = user.restart(environment).await?;
    user.connect(environment).await?;
    expect("answer", user.read().await?, "echo: are you there?".to_owned())
}

/// Everything that was received has been acked.
async fn mailbox_is_empty(environment: &Environment, login: &Jid) -> Result<(), Failure> {
    environment.account_says(login, "mailbox", &json!(0)).await
}

async fn acked_once(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.online("acked-once").await?;
    environment.phone_writes(&user.login, "first").await?;
    expect("text", user.text().await?, "first".to_owned())?;
    mailbox_is_empty(environment, &user.login).await?;
    user.sleep(environment).await?;
    user.connect(environment).await?;
    environment.phone_writes(&user.login, "second").await?;
    expect("text", user.text().await?, "second".to_owned())?;
    mailbox_is_empty(environment, &user.login).await?;
    let mut user = user.restart(environment).await?;
    user.connect(environment).await?;
    environment.phone_writes(&user.login, "third").await?;
    expect("text", user.text().await?, "third".to_owned())
}

async fn unconfirmed(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("unconfirmed").await?;
    environment.phone_writes(&user.login, "not yet").await?;
    let first = next_message(&mut user).await?;
    mailbox_is_empty(environment, &user.login).await?;
    let mut user = user.restart(environment).await?;
    expect("the same event", next_message(&mut user).await?, first)
}

async fn next_message(user: &mut User) -> Result<Event, Failure> {
    loop {
        match user.next().await? {
            event @ Event::Message { .. } => return Ok(event),
            Event::Connected => {}
            other => return Err(Failure(format!("instead of a message: {other:?}"))),
        }
    }
}

async fn sent_offline(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.handset("sent-offline").await?;
    for number in 0..3 {
        user.write(&format!("id-{number}"), &format!("written offline {number}")).await?;
    }
    user.connect(environment).await?;
    for number in 0..3 {
        expect("answer", user.text().await?, format!("echo: written offline {number}"))?;
    }
    let mut user = user.restart(environment).await?;
    // With a session this time.
    user.write("id-3", "written offline 3").await?;
    user.connect(environment).await?;
    expect("answer", user.text().await?, "echo: written offline 3".to_owned())
}

async fn same_id(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("same-id").await?;
    user.write("one", "said once").await?;
    user.write("one", "said once").await?;
    expect("answer", user.read().await?, "echo: said once".to_owned())?;
    user.write("one", "said once").await?;
    user.write("two", "said then").await?;
    expect("answer", user.read().await?, "echo: said then".to_owned())?;
    let received = environment.received(&user.login.to_string()).await?;
    expect("the phone's inbox", received, vec!["said once".to_owned(), "said then".to_owned()])?;
    let account = environment.observe(&format!("accounts/{}", user.login)).await?;
    expect("messages sent", account.get("messages"), Some(&json!(2)))
}

async fn hundred(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.online("hundred").await?;
    for number in 0..100 {
        let text = format!("text {number}");
        user.write(&format!("hundred-{number}"), &text).await?;
        expect("answer", user.text().await?, format!("echo: {text}"))?;
    }
    let received = environment.received(&user.login.to_string()).await?;
    expect("texts at the phone", received.len(), 100)?;
    // Each message has a key of its own (RO 1.0.3 §1.1: forward secrecy).
    let phone = environment.observe(&format!("phones/{PHONE}")).await?;
    expect("keys that were used twice", phone.get("reused"), Some(&json!(0)))
}

async fn hundred_burst(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.online("burst").await?;
    for number in 0..100 {
        user.write(&format!("burst-{number}"), &format!("{number}")).await?;
    }
    for number in 0..100 {
        expect("answer", user.text().await?, format!("echo: {number}"))?;
    }
    let login = user.login.to_string();
    let expected: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    expect("the phone's inbox", environment.received(&login).await?, expected)?;
    for number in 0..100 {
        environment.phone_writes(&user.login, &format!("from the phone {number}")).await?;
    }
    for number in 0..100 {
        match user.text().await? {
            text if text == format!("from the phone {number}") => {}
            text => return Err(Failure(format!("text {number} is {text}"))),
        }
    }
    Ok(())
}
