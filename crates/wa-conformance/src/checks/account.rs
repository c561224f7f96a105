//! An account's life: blocking, reporting, reachability, rotation, un-enlistment, deletion (overview §5; RO 1.0.3).

use serde_json::{Value, json};
use wa_interop::binary::Jid;
use wa_interop::chat::{
    DisconnectReason, Event, MessageId, NoAnswer, Reach, Refusal, Report, ReportedMessage, Table,
};
use wa_interop::{ClientError, NoToken};

use crate::checks::Drives::{Client, Own};
use crate::checks::{Check, check};
use crate::report::failure::{Failure, ensure, expect};
use crate::target::device::Command;
use crate::target::device::Verb::{Block, Delete};
use crate::target::environment::{Environment, INTEGRATOR, PHONE};

pub(super) const CHECKS: &[Check] = &[
    check!(
        "block",
        4,
        Client(&[Block]),
        "a blocked user's messages do not come, an unblocked one's do",
        block
    ),
    check!("no-connection", 4, Own, "what needs WhatsApp fails at once without a connection", no_connection),
    check!("report", 4, Own, "a report arrives", report),
    check!("reachability", 6, Own, "reachability, where the document has it", reachability),
    check!("reached", 6, Own, "a user who makes themselves known is told of by name", reached),
    check!("notification", 3, Own, "a notification of an unknown kind is shown and acked", notification),
    check!(
        "unenlisted",
        5,
        Own,
        "an account that WhatsApp has removed enlists again, its history intact",
        unenlisted
    ),
    check!("stay-connected", 2, Own, "a client reconnects by itself with fresh tokens", stay_connected),
    check!("refused-tokens", 2, Own, "two refused tokens end the attempts", refused_tokens),
    check!("deleted", 5, Client(&[Delete]), "a deleted account is gone on WhatsApp", deleted),
    check!("erased", 5, Own, "a deleted account is erased from the client's store", erased),
];

async fn block(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.online("block").await?;
    let (phone, nobody) = (PHONE.to_owned(), Some(Vec::new()));
    expect("blocklist", user.tell(Command::Blocklist).await?.blocked, nobody.clone())?;
    user.tell(Command::Block { user: phone.clone() }).await?;
    expect("blocklist", user.tell(Command::Blocklist).await?.blocked, Some(vec![phone.clone()]))?;
    environment.phone_writes(&user.login, "blocked").await?;
    user.tell(Command::Unblock { user: phone }).await?;
    expect("blocklist", user.tell(Command::Blocklist).await?.blocked, nobody)?;
    environment.phone_writes(&user.login, "unblocked").await?;
    expect("text", user.text().await?, "unblocked".to_owned())
}

async fn no_connection(environment: &Environment) -> Result<(), Failure> {
    let user = environment.user("no-connection").await?;
    let lost = Err(ClientError::Answer(NoAnswer::Lost));
    expect("blocklist", user.client.blocklist().await, lost.clone())?;
    expect("deletion", user.client.delete_account().await.map(|()| vec![]), lost)?;
    ensure("the account is still here", user.store.count(Table::Account) == 1)
}

async fn report(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("report").await?;
    environment.phone_writes(&user.login, "buy now!").await?;
    let (MessageId(id), content) = user.message().await?;
    let jid = Jid::phone(PHONE)?;
    let content = content.encode(&user.login, 0);
    let messages =
        vec![ReportedMessage { id: id.as_str().into(), t: 1_700_000_000, content: content.clone() }];
    user.client.report(Report { flow: "MessageMenu".into(), jid, messages }).await?;
    let reports = environment.observe("reports").await?.to_string();
    let body = hex::encode(&content);
    ensure("the report names the message", reports.contains(&id))?;
    ensure("the report has the content", reports.contains(&body) || reports.contains("buy now!"))
}

async fn reachability(environment: &Environment) -> Result<(), Failure> {
    let user = environment.connected("reachability").await?;
    let reached = user.client.reach(Jid::phone(PHONE)?).await;
    let phone = environment.observe(&format!("phones/{PHONE}")).await?;
    let by = phone.get("reached_by").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_known = by.contains(&json!(user.login.to_string()));
    if environment.profile().chat.reachability.is_none() {
        expect("answer", reached, Err(ClientError::Answer(NoAnswer::Unsupported)))?;
        return ensure("nothing was sent", !is_known);
    }
    expect("answer", reached, Ok(Reach::Told))?;
    ensure("the phone knows", is_known)?;
    let nobody = user.client.reach(Jid::phone("19998887766")?).await;
    expect("somebody unknown", nobody, Ok(Reach::Nobody))
}

async fn reached(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("reached").await?;
    let from = Jid::phone(PHONE)?;
    let xml = format!(
        "<notification from='{from}' id='r1' type='w:interop' t='1'>\
         <ping display_name='Ada'><integrator id='12' name='BirdyChat'/></ping></notification>"
    );
    environment.control(&format!("accounts/{}/notify", user.login), json!({ "xml": xml })).await?;
    let shown = user
        .until(|event| match event {
            Event::Reached { from, display_name, .. } => Some((from.clone(), display_name.clone())),
            _ => None,
        })
        .await?;
    expect("who", shown, (from, Some("Ada".to_owned())))
}

async fn notification(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("notification").await?;
    let xml = "<notification from='s.whatsapp.net' id='n1' type='w:interop' t='1'><ping/></notification>";
    let path = format!("accounts/{}/notify", user.login);
    environment.control(&path, json!({ "xml": xml })).await?;
    let shown = user
        .until(|event| match event {
            Event::Notification { node, .. } => Some(node.to_string()),
            _ => None,
        })
        .await?;
    ensure("the notification is whole", shown.contains("w:interop") && shown.contains("<ping/>"))?;
    environment.account_says(&user.login, "mailbox", &json!(0)).await
}

async fn unenlisted(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("unenlisted").await?;
    user.write("before", "before").await?;
    expect("answer", user.read().await?, "echo: before".to_owned())?;
    environment.control(&format!("accounts/{}/unenlist", user.login), json!({})).await?;
    let ended = |event: &Event| match event {
        Event::Disconnected(reason) => Some(reason.clone()),
        _ => None,
    };
    user.until(ended).await?;
    // Written while nobody is there to take it.
    user.write("between", "between").await?;
    environment.provokes(&["login-unenlisted"]);
    let gone = DisconnectReason::Refused(Refusal::NotEnlisted);
    let refused = user.client.connect(environment.issue(&user.name).await?).await;
    expect("login", refused, Err(ClientError::Disconnected(gone.clone())))?;
    ensure("that is terminal", gone.is_terminal())?;

    let keys = user.client.public_keys().await?;
    let token = environment.issue(&user.name).await?;
    let login = environment.enlist_public(INTEGRATOR, &user.name, &keys, &token).await??;
    ensure("another login", login != user.login)?;
    user.client.enlisted(login.clone()).await?;
    user.login = login;
    user.connect(environment).await?;
    expect("answer", user.text().await?, "echo: between".to_owned())?;
    user.write("before", "before").await?;
    user.write("after", "after").await?;
    // Its ids are remembered: what was sent before is not sent again.
    expect("answer", user.text().await?, "echo: after".to_owned())
}

async fn stay_connected(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.user("stay-connected").await?;
    let (tokens, mut taken) = tokio::sync::mpsc::channel(1);
    let staying = tokio::spawn(user.client.stay_connected(move || {
        let tokens = tokens.clone();
        async move {
            let (answer, token) = tokio::sync::oneshot::channel();
            tokens.send(answer).await.map_err(|_| NoToken::Never)?;
            token.await.map_err(|_| NoToken::Later)
        }
    }));
    for round in 0..3 {
        let answer: tokio::sync::oneshot::Sender<String> =
            taken.recv().await.ok_or_else(|| Failure::new("no token was asked for"))?;
        // The first attempt finds no token; a later one does.
        if round == 0 {
            continue;
        }
        answer.send(environment.issue(&user.name).await?).map_err(|_| Failure::new("the token came late"))?;
        let text = format!("round {round}");
        user.write(&text, &text).await?;
        expect("answer", user.text().await?, format!("echo: {text}"))?;
        environment.control(&format!("accounts/{}/cut", user.login), json!({})).await?;
    }
    user.client.disconnect().await?;
    staying.abort();
    Ok(())
}

async fn refused_tokens(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["token-form"]);
    let user = environment.user("refused-tokens").await?;
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = std::sync::Arc::clone(&asked);
    let ended = user
        .client
        .stay_connected(move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            async { Ok("not.a.token".to_owned()) }
        })
        .await;
    let refused = ClientError::Disconnected(DisconnectReason::Refused(Refusal::Token));
    expect("the end", ended, refused)?;
    expect("tokens", asked.load(std::sync::atomic::Ordering::Relaxed), 2)
}

async fn deleted(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.online("deleted").await?;
    user.round_trip("before").await?;
    user.tell(Command::Delete).await?;
    let accounts = environment.observe("accounts").await?;
    let accounts = accounts.get("accounts").and_then(Value::as_array).cloned().unwrap_or_default();
    let login = json!(user.login.to_string());
    ensure("WhatsApp still knows the user", accounts.iter().all(|it| it.get("login") != Some(&login)))
}

async fn erased(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("erased").await?;
    user.write("before", "before").await?;
    expect("answer", user.read().await?, "echo: before".to_owned())?;
    user.client.delete_account().await?;
    ensure("rows are left", user.store.is_empty())
}
