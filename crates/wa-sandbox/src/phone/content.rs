//! What a phone writes and reads: the protobuf of a message, as its user would describe it.

use prost::Message as _;
use serde_json::{Value, json};
use wa_proto::content::{
    ContextInfo, ExtendedTextMessage, FutureProofMessage, Message, MessageKey, ProtocolMessage,
    ReactionMessage,
};

use crate::phone::media::{MediaWritten, Picture};

/// What a phone's user writes: exactly one of these.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) enum Written {
    /// Text.
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

impl Written {
    /// The protobuf, as written to `login`.
    pub(crate) fn encode(&self, login: &str) -> Option<(Vec<u8>, Wrapping)> {
        let key = |id: &String, from_me| MessageKey {
            remote_jid: Some(login.to_owned()),
            from_me: Some(from_me),
            id: Some(id.clone()),
            participant: None,
        };
        let protocol = |id, kind, edited_message| Message {
            protocol_message: Some(Box::new(ProtocolMessage {
                key: Some(key(id, true)),
                r#type: Some(kind),
                edited_message,
                timestamp_ms: None,
            })),
            ..Message::default()
        };
        let around = |inner| Some(Box::new(FutureProofMessage { message: Some(Box::new(inner)) }));
        let plain = |text: &String| Message { conversation: Some(text.clone()), ..Message::default() };
        let (message, kind, edit) = match self {
            Self::Text(text) => (plain(text), "text", None),
            Self::Reply { id, author, text } => {
                let context = ContextInfo {
                    stanza_id: Some(id.clone()),
                    participant: Some(author.clone()),
                    ..ContextInfo::default()
                };
                let extended =
                    ExtendedTextMessage { text: Some(text.clone()), context_info: Some(Box::new(context)) };
                let message =
                    Message { extended_text_message: Some(Box::new(extended)), ..Message::default() };
                (message, "text", None)
            }
            Self::Reaction { id, own, emoji } => {
                let reaction = ReactionMessage {
                    key: Some(key(id, *own)),
                    text: Some(emoji.clone()),
                    sender_timestamp_ms: None,
                };
                (Message { reaction_message: Some(reaction), ..Message::default() }, "reaction", None)
            }
            Self::Edit { id, text } => {
                let inner = Box::new(protocol(id, 14, Some(Box::new(plain(text)))));
                let wrapped = FutureProofMessage { message: Some(inner) };
                (Message { edited_message: Some(Box::new(wrapped)), ..Message::default() }, "text", Some("1"))
            }
            Self::Revoke(id) => (protocol(id, 0, None), "text", Some("7")),
            Self::Media(file) => (file.message()?, "media", None),
            Self::Ephemeral(text) => {
                (Message { ephemeral_message: around(plain(text)), ..Message::default() }, "text", None)
            }
            Self::ViewOnce(text) => {
                (Message { view_once_message: around(plain(text)), ..Message::default() }, "text", None)
            }
            // These are files first.
            Self::Picture(_) | Self::Voice { .. } => return None,
            Self::Raw(bytes) => {
                let wrapping = Wrapping { kind: "media", edit: None, mediatype: None, hides: false };
                return Some((hex::decode(bytes).ok()?, wrapping));
            }
        };
        let mediatype = match self {
            Self::Media(file) => Some(file.mediatype()),
            _ => None,
        };
        let hides = kind == "reaction";
        Some((message.encode_to_vec(), Wrapping { kind, edit, mediatype, hides }))
    }
}

/// A message as the phone's user sees it; what is none of these is shown in hex.
pub(crate) fn describe(plain: &[u8]) -> Value {
    let read = Message::decode(plain).ok().and_then(of_message);
    read.unwrap_or_else(|| json!({ "raw": hex::encode(plain) }))
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
        Some(0) | None => Some(json!({ "revoke": id })),
        Some(14) => Some(json!({ "edit": id, "text": text_of(*protocol.edited_message?) })),
        Some(_) => None,
    }
}

/// The text of a message, in either of its two places.
fn text_of(message: Message) -> Option<String> {
    message.conversation.or_else(|| message.extended_text_message?.text)
}
