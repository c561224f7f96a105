//! What a message can say, in both directions (RO 1.0.1 to 1.0.3: replies, reactions; edits, revokes and mentions as
//! observed).

use serde_json::{Value, json};
use wa_interop::binary::Jid;
use wa_interop::chat::{Content, Media, MediaFile, MediaKey, MediaKind, MessageId, Reply, Target, Text};

use crate::checks::Drives::Own;
use crate::checks::channel::eventually;
use crate::checks::{Check, check};
use crate::report::failure::{Failure, ensure, expect};
use crate::target::environment::{Environment, PHONE};
use crate::target::user::User;

pub(super) const CHECKS: &[Check] = &[
    check!("reply", 3, Own, "replies and mentions, both ways", reply),
    check!("reaction", 3, Own, "reactions and their removal, both ways", reaction),
    check!("edit", 3, Own, "edits and revokes, both ways", edit),
    check!("media-content", 4, Own, "a media message carries its keys and says its kind", media),
    check!("unknown-content", 3, Own, "content that is not known is kept as bytes", unknown),
    check!("foreign-edit", 3, Own, "nobody takes back what another wrote", foreign_edit),
];

/// A user and the phone with a session between them.
pub(super) async fn acquainted(environment: &Environment, name: &str) -> Result<User, Failure> {
    let mut user = environment.connected(name).await?;
    user.write("hello", "hello").await?;
    expect("answer", user.read().await?, "echo: hello".to_owned())?;
    Ok(user)
}

/// Sends content and gives what the phone makes of it: content and stanza.
pub(super) async fn at_phone(
    environment: &Environment,
    user: &User,
    id: &str,
    content: Content,
) -> Result<(Value, Value), Failure> {
    user.client.send(Jid::phone(PHONE)?, MessageId(id.to_owned()), content).await?;
    let find = async || {
        let received = environment.at_phone("received", &user.login).await?;
        Ok::<_, Failure>(received.into_iter().find(|message| message.get("id") == Some(&json!(id))))
    };
    eventually(async || Ok(find().await?.is_some())).await?;
    let message = find().await?.unwrap_or_default();
    let part = |name: &str| message.get(name).cloned().unwrap_or_default();
    Ok((part("content"), part("stanza")))
}

async fn reply(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "reply").await?;
    let asked = environment.phone_sends(&user.login, json!({ "text": "coming?" })).await?;
    let (_, content) = user.message().await?;
    let phone = Jid::phone(PHONE)?;
    let answered = Reply { id: asked.clone(), author: phone.clone(), quoted: content.encode(&phone, 0) };
    let text =
        Text { reply: Some(answered), mentions: vec![phone.clone()], ..Text::from("@14155551001 yes") };
    let (content, _) = at_phone(environment, &user, "reply-1", Content::Text(text)).await?;
    let expected = json!({
        "text": "@14155551001 yes",
        "reply_to": asked.0,
        "author": phone.to_string(),
        "quoted": { "text": "coming?" },
        "mentions": [phone.to_string()],
    });
    expect("reply at the phone", content, expected)?;

    let back = json!({ "reply": { "id": "reply-1", "author": user.login.to_string(), "text": "good" } });
    environment.phone_sends(&user.login, back).await?;
    let Content::Text(text) = user.message().await?.1 else { return Err(Failure::new("no text")) };
    expect("text", text.body, "good".to_owned())?;
    let reply = text.reply.ok_or_else(|| Failure::new("no reply"))?;
    expect("what it answers", (reply.id.0, reply.author), ("reply-1".to_owned(), user.login.clone()))
}

async fn reaction(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "reaction").await?;
    let id = environment.phone_sends(&user.login, json!({ "text": "look" })).await?;
    user.message().await?;
    for (name, emoji) in [("reaction-1", "\u{1F44D}"), ("reaction-2", "")] {
        let target = Target { id: id.clone(), by_sender: false };
        let content = Content::Reaction { target, emoji: emoji.to_owned() };
        let (content, stanza) = at_phone(environment, &user, name, content).await?;
        expect("reaction at the phone", content, json!({ "reaction": emoji, "to": id.0, "own": true }))?;
        expect("type of the stanza", stanza.get("type"), Some(&json!("reaction")))?;
    }
    for emoji in ["\u{2764}", ""] {
        let reaction = json!({ "reaction": { "id": "hello", "own": false, "emoji": emoji } });
        environment.phone_sends(&user.login, reaction).await?;
        let target = Target { id: MessageId("hello".to_owned()), by_sender: false };
        let expected = Content::Reaction { target, emoji: emoji.to_owned() };
        expect("reaction at the client", user.message().await?.1, expected)?;
    }
    Ok(())
}

async fn edit(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "edit").await?;
    let hello = MessageId("hello".to_owned());
    let new = Content::Edit { id: hello.clone(), text: "hallo".into() };
    let (content, stanza) = at_phone(environment, &user, "edit-1", new).await?;
    expect("edit at the phone", content, json!({ "edit": "hello", "text": "hallo" }))?;
    expect("edit of the stanza", stanza.get("edit"), Some(&json!("1")))?;
    let (content, stanza) = at_phone(environment, &user, "edit-2", Content::Revoke { id: hello }).await?;
    expect("revoke at the phone", content, json!({ "revoke": "hello" }))?;
    expect("edit of the stanza", stanza.get("edit"), Some(&json!("7")))?;

    let id = environment.phone_sends(&user.login, json!({ "text": "typo" })).await?;
    user.message().await?;
    let edit = json!({ "edit": { "id": id.0, "text": "type" } });
    environment.phone_sends(&user.login, edit).await?;
    let expected = Content::Edit { id: id.clone(), text: "type".into() };
    expect("edit at the client", user.message().await?.1, expected)?;
    environment.phone_sends(&user.login, json!({ "revoke": id.0 })).await?;
    expect("revoke at the client", user.message().await?.1, Content::Revoke { id })
}

async fn media(environment: &Environment) -> Result<(), Failure> {
    let user = acquainted(environment, "media-content").await?;
    let file = MediaFile {
        direct_path: "/interop/whatsapp/download/1/abc/".to_owned(),
        key: MediaKey::from_bytes([7; 32]),
        sha256: [1; 32],
        enc_sha256: [2; 32],
        length: 3,
        mime: "audio/ogg".to_owned(),
    };
    let media = Media { seconds: Some(5), ..Media::new(MediaKind::Voice, file) };
    let content = Content::Media(Box::new(media));
    let (content, stanza) = at_phone(environment, &user, "media-1", content).await?;
    let expected = json!({ "media": {
        "kind": "voice",
        "mime": "audio/ogg",
        "direct_path": "/interop/whatsapp/download/1/abc/",
        "key": "07".repeat(32),
        "sha256": "01".repeat(32),
        "enc_sha256": "02".repeat(32),
        "length": 3,
        "about": { "seconds": 5 },
    } });
    expect("media at the phone", content, expected)?;
    let said = (stanza.get("type").cloned(), stanza.get("mediatype").cloned());
    expect("the stanza", said, (Some(json!("media")), Some(json!("ptt"))))
}

async fn unknown(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "unknown-content").await?;
    // A contact card (field 4), which is not modelled.
    environment.phone_sends(&user.login, json!({ "raw": "220568656c6c6f" })).await?;
    let expected = Content::Unknown(hex::decode("220568656c6c6f")?.into());
    expect("content", user.message().await?.1, expected)
}

async fn foreign_edit(environment: &Environment) -> Result<(), Failure> {
    let mut user = acquainted(environment, "foreign-edit").await?;
    // A revoke whose key says that the client wrote the message: fromMe is false.
    environment.phone_sends(&user.login, json!({ "raw": "620d0a0910001a0568656c6c6f1000" })).await?;
    let content = user.message().await?.1;
    ensure("another's revoke was taken for one", matches!(content, Content::Unknown(_)))
}
