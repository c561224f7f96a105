//! Receipts and typing, both ways (overview §2.1.1; RO 1.0.1: read receipts and typing are required).

use serde_json::json;
use wa_interop::binary::Jid;
use wa_interop::chat::{Event, Mark, MessageId, Status, Typing};
use wa_interop::profile::Receipts;

use crate::checks::Drives::Own;
use crate::checks::channel::eventually;
use crate::checks::{Check, check};
use crate::report::failure::{Failure, ensure, expect};
use crate::target::environment::{Environment, PHONE};
use crate::target::user::User;

pub(super) const CHECKS: &[Check] = &[
    check!("read-out", 3, Own, "read receipts, single and for several, as the document has them", read_out),
    check!("read-in", 3, Own, "the phone's read, played and media receipts are shown", read_in),
    check!("read-offline", 3, Own, "a read receipt survives a restart before it is sent", read_offline),
    check!("typing", 3, Own, "typing, recording and pausing, both ways", typing),
];

/// Ids of receipts of one kind that the phone has from a user.
async fn marks(environment: &Environment, user: &User, kind: &str) -> Result<Vec<String>, Failure> {
    let receipts = environment.at_phone("receipts", &user.login).await?;
    let of_kind = receipts.iter().filter(|receipt| receipt.get("kind") == Some(&json!(kind)));
    Ok(of_kind.filter_map(|receipt| Some(receipt.get("id")?.as_str()?.to_owned())).collect())
}

async fn three_texts(environment: &Environment, user: &mut User) -> Result<Vec<MessageId>, Failure> {
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        environment.phone_writes(&user.login, text).await?;
        ids.push(user.message().await?.0);
    }
    Ok(ids)
}

async fn read_out(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("read-out").await?;
    let ids = three_texts(environment, &mut user).await?;
    let phone = Jid::phone(PHONE)?;
    let expected: Vec<String> = ids.iter().map(|id| id.0.clone()).collect();
    let (first, more) = ids.split_first().ok_or_else(|| Failure::new("no text"))?;
    user.client.mark(phone.clone(), vec![first.clone()], Mark::Read).await?;
    user.client.mark(phone.clone(), more.to_vec(), Mark::Read).await?;
    user.client.mark(phone, vec![], Mark::Read).await?;
    // A text behind them: whatever was sent before has arrived when it is echoed.
    user.write("behind", "behind").await?;
    expect("answer", user.read().await?, "echo: behind".to_owned())?;
    let read = marks(environment, &user, "read").await?;
    match environment.profile().chat.receipts {
        Receipts::DeliveryAndRead => expect("read receipts", read, expected),
        _ => expect("read receipts, which the profile does not have", read, vec![]),
    }
}

async fn read_in(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("read-in").await?;
    for id in ["a", "b"] {
        user.write(id, id).await?;
        expect("answer", user.read().await?, format!("echo: {id}"))?;
    }
    for (kind, status) in
        [("read", Status::Read), ("played", Status::Played), ("server-error", Status::MediaUnavailable)]
    {
        let mark = json!({ "to": user.login.to_string(), "ids": ["a", "b"], "kind": kind });
        environment.phone_does("mark", mark).await?;
        let (by, ids) = user
            .until(|event| match event {
                Event::Receipt { by, ids, status: found, .. } if *found == status => {
                    Some((by.clone(), ids.clone()))
                }
                _ => None,
            })
            .await?;
        expect("who", by, Jid::phone(PHONE)?)?;
        expect("which", ids, vec![MessageId("a".to_owned()), MessageId("b".to_owned())])?;
    }
    Ok(())
}

async fn read_offline(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("read-offline").await?;
    let ids = three_texts(environment, &mut user).await?;
    let user = user.restart(environment).await?;
    user.client.mark(Jid::phone(PHONE)?, ids, Mark::Read).await?;
    let mut user = user.restart(environment).await?;
    user.connect(environment).await?;
    user.write("behind", "behind").await?;
    expect("answer", user.read().await?, "echo: behind".to_owned())?;
    let expected = if environment.profile().chat.receipts == Receipts::DeliveryAndRead { 3 } else { 0 };
    expect("read receipts", marks(environment, &user, "read").await?.len(), expected)
}

async fn typing(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("typing").await?;
    let phone = Jid::phone(PHONE)?;
    for (typing, state, media) in [
        (Typing::Composing, "composing", None),
        (Typing::Recording, "composing", Some("audio")),
        (Typing::Paused, "paused", None),
    ] {
        user.client.typing(phone.clone(), typing).await?;
        let expected = json!({ "from": user.login.to_string(), "state": state, "media": media });
        eventually(async || Ok(environment.at_phone("typing", &user.login).await?.last() == Some(&expected)))
            .await?;
    }
    for (state, expected) in
        [("composing", Typing::Composing), ("recording", Typing::Recording), ("paused", Typing::Paused)]
    {
        let what = json!({ "to": user.login.to_string(), "state": state });
        environment.phone_does("typing", what).await?;
        let shown = user
            .until(|event| match event {
                Event::Typing { from, typing, .. } => Some((from.clone(), *typing)),
                _ => None,
            })
            .await?;
        expect("typing", shown, (phone.clone(), expected))?;
    }
    // Nobody is told of what happened while there was no connection.
    user.client.disconnect().await?;
    user.client.typing(phone, Typing::Composing).await?;
    let mut user = user.restart(environment).await?;
    user.connect(environment).await?;
    user.write("behind", "behind").await?;
    expect("answer", user.read().await?, "echo: behind".to_owned())?;
    ensure("typing was kept", environment.at_phone("typing", &user.login).await?.len() == 3)
}
