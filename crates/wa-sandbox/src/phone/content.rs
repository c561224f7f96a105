//! What a phone writes and reads: the protobuf of a message, as its user would describe it.

use prost::Message as _;
use serde_json::{Value, json};
use wa_binary::Jid;
use wa_proto::content::{
    ContextInfo, ExtendedTextMessage, FutureProofMessage, Message, MessageKey, ProtocolMessage,
    ReactionMessage,
};

use crate::phone::Composed;
use crate::phone::media::{MediaWritten, Picture};

/// What a protocol message is about.
const REVOKE: i32 = 0;
const EDIT: i32 = 14;

/// What a phone's user writes: exactly one of these.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) enum Written {
    /// A text without more.
    Text(String),
    /// Text in reply to a message.
    Reply { id: String, author: String, text: String },
    /// A reaction; an empty emoji takes it back. `own`: the phone wrote the message.
    Reaction { id: String, own: bool, emoji: String },
    /// New text for a message of the phone's.
    Edit { id: String, text: String },
    /// A message of the phone's is taken back.
    Revoke(String),
    /// A file that lies at the media host already.
    Media(MediaWritten),
    /// A picture that is made for it.
    Picture(Picture),
    /// A voice note of so many seconds that is made for it.
    Voice { seconds: u32 },
    /// Text that is to disappear.
    Ephemeral(String),
    /// Text to be read once.
    ViewOnce(String),
    /// Any protobuf, field by field.
    Message(Composed),
    /// Any protobuf, in hex.
    Raw(String),
}

/// The stanza's attributes beside the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrapping {
    pub(crate) kind: &'static str,
    pub(crate) edit: Option<&'static str>,
    /// What kind of file it says that it has.
    pub(crate) mediatype: Option<&'static str>,
    /// Whether the recipient is to say nothing if it cannot be decrypted.
    pub(crate) hides: bool,
}

/// A message, the stanza's type, and what kind of edit it is.
type Shaped = (Message, &'static str, Option<&'static str>);

impl Written {
    /// The protobuf, as written to `login`.
    pub(crate) fn encode(&self, login: &Jid) -> Option<(Vec<u8>, Wrapping)> {
        if let Self::Raw(bytes) = self {
            let wrapping = Wrapping { kind: "media", edit: None, mediatype: None, hides: false };
            return Some((hex::decode(bytes).ok()?, wrapping));
        }
        if let Self::Message(composed) = self {
            let Composed { plain, kind, edit, mediatype } = composed.clone();
            return Some((plain, Wrapping { kind, edit, mediatype, hides: kind == "reaction" }));
        }
        let (message, kind, edit) = self.shaped(login)?;
        let mediatype = match self {
            Self::Media(file) => Some(file.mediatype()),
            _ => None,
        };
        let hides = kind == "reaction";
        Some((message.encode_to_vec(), Wrapping { kind, edit, mediatype, hides }))
    }

    fn shaped(&self, login: &Jid) -> Option<Shaped> {
        let empty = Message::default();
        Some(match self {
            Self::Text(text) => (plain(text), "text", None),
            Self::Reply { id, author, text } => (reply(id, author, text), "text", None),
            Self::Reaction { id, own, emoji } => {
                let reaction = ReactionMessage {
                    key: Some(key(login, id, *own)),
                    text: Some(emoji.clone()),
                    sender_timestamp_ms: None,
                };
                (Message { reaction_message: Some(reaction), ..empty }, "reaction", None)
            }
            Self::Edit { id, text } => {
                let inner = protocol(login, id, EDIT, Some(Box::new(plain(text))));
                (Message { edited_message: around(inner), ..empty }, "text", Some("1"))
            }
            Self::Revoke(id) => (protocol(login, id, REVOKE, None), "text", Some("7")),
            Self::Media(file) => (file.message()?, "media", None),
            Self::Ephemeral(text) => {
                (Message { ephemeral_message: around(plain(text)), ..empty }, "text", None)
            }
            Self::ViewOnce(text) => {
                (Message { view_once_message: around(plain(text)), ..empty }, "text", None)
            }
            // The first two are files first, and the last are no messages of ours.
            Self::Picture(_) | Self::Voice { .. } | Self::Message(_) | Self::Raw(_) => return None,
        })
    }
}

fn plain(text: &str) -> Message {
    Message { conversation: Some(text.to_owned()), ..Message::default() }
}

fn reply(id: &str, author: &str, text: &str) -> Message {
    let context = ContextInfo {
        stanza_id: Some(id.to_owned()),
        participant: Some(author.to_owned()),
        ..ContextInfo::default()
    };
    let extended = ExtendedTextMessage { text: Some(text.to_owned()), context_info: Some(Box::new(context)) };
    Message { extended_text_message: Some(Box::new(extended)), ..Message::default() }
}

fn key(login: &Jid, id: &str, from_me: bool) -> MessageKey {
    MessageKey {
        remote_jid: Some(login.to_string()),
        from_me: Some(from_me),
        id: Some(id.to_owned()),
        participant: None,
    }
}

/// A word about a message of the writer's own.
fn protocol(login: &Jid, id: &str, kind: i32, edited_message: Option<Box<Message>>) -> Message {
    let key = Some(key(login, id, true));
    let protocol = ProtocolMessage { key, r#type: Some(kind), edited_message, timestamp_ms: None };
    Message { protocol_message: Some(Box::new(protocol)), ..Message::default() }
}

fn around(inner: Message) -> Option<Box<FutureProofMessage>> {
    Some(Box::new(FutureProofMessage { message: Some(Box::new(inner)) }))
}

/// A message as the phone's user sees it; what is none of these is shown in hex.
pub(crate) fn describe(plain: &[u8]) -> Value {
    let read = Message::decode(plain).ok().and_then(of_message);
    read.unwrap_or_else(|| json!({ "raw": hex::encode(plain) }))
}

/// The text of a message that is nothing but text.
pub(crate) fn text_alone(plain: &[u8]) -> Option<String> {
    let content = describe(plain);
    let is_alone = content.as_object().is_some_and(|content| content.len() == 1);
    content.get("text").filter(|_| is_alone)?.as_str().map(str::to_owned)
}

fn of_message(message: Message) -> Option<Value> {
    if let Some(media) = super::media::describe(&message) {
        return Some(media);
    }
    if let Some(text) = message.conversation {
        return Some(json!({ "text": text }));
    }
    if let Some(extended) = message.extended_text_message {
        let context = extended.context_info.unwrap_or_default();
        let quoted = context.quoted_message.map(|quoted| describe(&quoted.encode_to_vec()));
        return Some(json!({
            "text": extended.text,
            "reply_to": context.stanza_id,
            "author": context.participant,
            "quoted": quoted,
            "mentions": context.mentioned_jid,
        }));
    }
    if let Some(reaction) = message.reaction_message {
        let key = reaction.key?;
        return Some(json!({ "reaction": reaction.text, "to": key.id, "own": !key.from_me? }));
    }
    let around = [
        message.ephemeral_message,
        message.view_once_message,
        message.view_once_message_v2,
        message.document_with_caption_message,
    ];
    if let Some(inner) = around.into_iter().flatten().find_map(|around| around.message) {
        return of_message(*inner);
    }
    let edited = message.edited_message.and_then(|wrapped| wrapped.message);
    let protocol = message.protocol_message.or(edited.and_then(|inner| inner.protocol_message))?;
    let id = protocol.key.filter(|key| key.from_me == Some(true))?.id?;
    match protocol.r#type {
        Some(REVOKE) | None => Some(json!({ "revoke": id })),
        Some(EDIT) => Some(json!({ "edit": id, "text": text_of(*protocol.edited_message?) })),
        Some(_) => None,
    }
}

/// The text of a message, in either of its two places.
fn text_of(message: Message) -> Option<String> {
    message.conversation.or_else(|| message.extended_text_message?.text)
}
