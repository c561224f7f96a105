//! What a message says: protobuf inside padding inside the ratchet (overview §3.1; RO 1.0.1 to 1.0.3; fields observed).

use bytes::Bytes;
use prost::Message as _;
use wa_binary::{Jid, Str};
use wa_proto::content;
use wa_stanza::{Edit, MessageKind};

use crate::MessageId;

mod media;
mod padding;
#[cfg(test)]
mod tests;

pub use self::media::{Media, MediaFile, MediaKind};
pub(crate) use self::padding::{pad, unpad};

/// The decrypted body of a message.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Content {
    /// Text, perhaps in reply to something.
    Text(Text),
    /// A reaction to a message.
    Reaction {
        /// The message that the reaction is to.
        target: Target,
        /// An emoji; empty takes the reaction back.
        emoji: String,
    },
    /// New text for an earlier message of the same sender.
    Edit {
        /// The id of the message that is edited.
        id: MessageId,
        /// What it says from now on.
        text: Text,
    },
    /// An earlier message of the same sender is taken back.
    Revoke {
        /// The id of the message that is revoked.
        id: MessageId,
    },
    /// A picture, a recording or another file, which lies elsewhere.
    Media(Box<Media>),
    /// Something that this version does not read, as its protobuf bytes: nothing is lost.
    Unknown(#[cfg_attr(feature = "serde", serde(with = "crate::json::hex"))] Bytes),
}

/// Text and what it refers to. `Text::from("hello")` is the plain one.
#[derive(Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Text {
    /// What is written.
    pub body: String,
    /// What it answers.
    #[cfg_attr(feature = "serde", serde(default))]
    pub reply: Option<Reply>,
    /// Users that are named in it, as `@` and their number.
    #[cfg_attr(feature = "serde", serde(default))]
    pub mentions: Vec<Jid>,
}

/// The message that is answered.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Reply {
    /// The id of the message that is answered.
    pub id: MessageId,
    /// Who wrote it.
    pub author: Jid,
    /// What it said, in protobuf, for readers that do not have it; may be empty. [`Content::decode`] reads it.
    #[cfg_attr(feature = "serde", serde(with = "crate::json::hex"))]
    pub quoted: Bytes,
}

/// A message of the same conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Target {
    /// The id of the message.
    pub id: MessageId,
    /// Whether the sender of this content wrote that message; otherwise the receiver did.
    pub by_sender: bool,
}

/// What a message's stanza says of its content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) kind: MessageKind,
    pub(crate) edit: Option<Edit>,
    pub(crate) media_type: Option<&'static str>,
    /// Nothing is shown to the reader if it cannot be decrypted.
    pub(crate) hide_failure: bool,
}

/// Types of `ProtocolMessage`.
const REVOKE: i32 = 0;
const EDIT: i32 = 14;

impl Content {
    /// A text without mentions, and in reply to nothing.
    pub fn text(body: impl Into<String>) -> Self {
        Self::Text(Text::from(body.into()))
    }

    /// The text, if this is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.body),
            _ => None,
        }
    }

    /// The content in protobuf, as sent `to` a user at `now` (Unix seconds).
    pub fn encode(&self, to: &Jid, now: u64) -> Bytes {
        let milliseconds = i64::try_from(now.saturating_mul(1000)).ok();
        let key = |id: &MessageId, from_me| content::MessageKey {
            remote_jid: Some(to.to_string()),
            from_me: Some(from_me),
            id: Some(id.0.clone()),
            participant: None,
        };
        let protocol = |id: &MessageId, kind, edited_message| content::Message {
            protocol_message: Some(Box::new(content::ProtocolMessage {
                key: Some(key(id, true)),
                r#type: Some(kind),
                edited_message,
                timestamp_ms: milliseconds,
            })),
            ..Default::default()
        };
        let message = match self {
            Self::Text(text) => text.message(),
            Self::Reaction { target, emoji } => content::Message {
                reaction_message: Some(content::ReactionMessage {
                    key: Some(key(&target.id, target.by_sender)),
                    text: Some(emoji.clone()),
                    sender_timestamp_ms: milliseconds,
                }),
                ..Default::default()
            },
            Self::Edit { id, text } => {
                let edit = protocol(id, EDIT, Some(Box::new(text.message())));
                let wrapped = content::FutureProofMessage { message: Some(Box::new(edit)) };
                content::Message { edited_message: Some(Box::new(wrapped)), ..Default::default() }
            }
            Self::Revoke { id } => protocol(id, REVOKE, None),
            Self::Media(media) => media.message(),
            Self::Unknown(bytes) => return bytes.clone(),
        };
        message.encode_to_vec().into()
    }

    /// Reads content; what is not known here, or lacks what it must have, stays bytes.
    pub fn decode(bytes: Bytes) -> Self {
        let read = content::Message::decode(bytes.clone()).ok().and_then(Self::from_message);
        read.unwrap_or(Self::Unknown(bytes))
    }

    fn from_message(message: content::Message) -> Option<Self> {
        let message = unwrapped(message);
        if let Some(edited) = message.edited_message.and_then(|wrapped| wrapped.message) {
            return Self::from_protocol(*edited.protocol_message?);
        }
        if let Some(protocol) = message.protocol_message {
            return Self::from_protocol(*protocol);
        }
        if let Some(reaction) = message.reaction_message {
            let key = reaction.key?;
            let target = Target { id: MessageId(key.id?), by_sender: key.from_me.unwrap_or_default() };
            return Some(Self::Reaction { target, emoji: reaction.text.unwrap_or_default() });
        }
        if let Some(body) = message.conversation {
            return Some(Self::Text(body.into()));
        }
        if let Some(extended) = message.extended_text_message {
            return Text::from_extended(*extended).map(Self::Text);
        }
        let captioned = message.document_with_caption_message.and_then(|wrapped| wrapped.message);
        let document = message.document_message.or(captioned.and_then(|inner| inner.document_message));
        let media = message.image_message.map(|it| Media::from_image(*it));
        let media = media.or(message.video_message.map(|it| Media::from_video(*it)));
        let media = media.or(message.audio_message.map(|it| Media::from_audio(*it)));
        let media = media.or(document.map(|it| Media::from_document(*it)));
        let media = media.or(message.sticker_message.map(|it| Media::from_sticker(*it)));
        media?.map(|media| Self::Media(Box::new(media)))
    }

    /// A revoke or an edit, of the sender's own message only: nobody changes what another wrote.
    fn from_protocol(protocol: content::ProtocolMessage) -> Option<Self> {
        let key = protocol.key.filter(|key| key.from_me == Some(true))?;
        let id = MessageId(key.id?);
        match protocol.r#type.unwrap_or(REVOKE) {
            REVOKE => Some(Self::Revoke { id }),
            EDIT => match Self::from_message(*protocol.edited_message?)? {
                Self::Text(text) => Some(Self::Edit { id, text }),
                _ => None,
            },
            _ => None,
        }
    }

    /// What the stanza around it says in the clear. Bytes that the application made itself are looked into.
    pub(crate) fn envelope(&self) -> Envelope {
        if let Self::Unknown(bytes) = self
            && let known = Self::decode(bytes.clone())
            && !matches!(known, Self::Unknown(_))
        {
            return known.envelope();
        }
        let (kind, edit, hide_failure) = match self {
            Self::Text(_) => (MessageKind::Text, None, false),
            Self::Reaction { .. } => (MessageKind::Reaction, None, true),
            Self::Edit { .. } => (MessageKind::Text, Some(Edit::Message), true),
            Self::Revoke { .. } => (MessageKind::Text, Some(Edit::SenderRevoke), true),
            Self::Media(_) | Self::Unknown(_) => (MessageKind::Media, None, false),
        };
        let media_type = match self {
            Self::Media(media) => Some(media.kind.as_str()),
            _ => None,
        };
        Envelope { kind, edit, media_type, hide_failure }
    }
}

/// The message inside messages that only say how it is to be shown: to disappear after a time, or to be seen once
/// (observed). protobuf bounds how many there are.
fn unwrapped(mut message: content::Message) -> content::Message {
    loop {
        let wrapper = message.ephemeral_message.take();
        let wrapper = wrapper.or_else(|| message.view_once_message.take());
        let wrapper = wrapper.or_else(|| message.view_once_message_v2.take());
        let wrapper = wrapper.or_else(|| message.view_once_message_v2_extension.take());
        match wrapper.and_then(|wrapper| wrapper.message) {
            Some(inner) => message = *inner,
            None => return message,
        }
    }
}

impl Envelope {
    /// What the stanza's `<enc>` says of the media inside.
    pub(crate) fn media_type(&self) -> Option<Str> {
        self.media_type.map(Str::from)
    }
}

impl Text {
    fn message(&self) -> content::Message {
        let mut message = content::Message::default();
        match context(self.reply.as_ref(), &self.mentions) {
            None => message.conversation = Some(self.body.clone()),
            context => {
                let extended =
                    content::ExtendedTextMessage { text: Some(self.body.clone()), context_info: context };
                message.extended_text_message = Some(Box::new(extended));
            }
        }
        message
    }

    fn from_extended(extended: content::ExtendedTextMessage) -> Option<Self> {
        let (reply, mentions) = of_context(extended.context_info);
        Some(Self { body: extended.text?, reply, mentions })
    }
}

/// The context of a reply or of mentions; none for a message that stands alone.
fn context(reply: Option<&Reply>, mentions: &[Jid]) -> Option<Box<content::ContextInfo>> {
    if reply.is_none() && mentions.is_empty() {
        return None;
    }
    let quoted = reply.and_then(|reply| content::Message::decode(reply.quoted.clone()).ok());
    Some(Box::new(content::ContextInfo {
        stanza_id: reply.map(|reply| reply.id.0.clone()),
        participant: reply.map(|reply| reply.author.to_string()),
        quoted_message: quoted.map(Box::new),
        remote_jid: None,
        mentioned_jid: mentions.iter().map(ToString::to_string).collect(),
    }))
}

/// Reads a context; a reply without an id or an author is not a reply.
fn of_context(context: Option<Box<content::ContextInfo>>) -> (Option<Reply>, Vec<Jid>) {
    let Some(context) = context else { return (None, Vec::new()) };
    let reply = || {
        let author = context.participant.as_ref()?.parse().ok()?;
        let quoted = context.quoted_message.as_ref().map(|quoted| quoted.encode_to_vec().into());
        Some(Reply { id: MessageId(context.stanza_id.clone()?), author, quoted: quoted.unwrap_or_default() })
    };
    let mentions = context.mentioned_jid.iter().filter_map(|jid| jid.parse().ok()).collect();
    (reply(), mentions)
}

impl From<String> for Text {
    fn from(body: String) -> Self {
        Self { body, reply: None, mentions: Vec::new() }
    }
}

impl From<&str> for Text {
    fn from(body: &str) -> Self {
        Self::from(body.to_owned())
    }
}

/// Content is private: `Debug` says its kind only.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(..)",
            Self::Reaction { .. } => "Reaction(..)",
            Self::Edit { .. } => "Edit(..)",
            Self::Revoke { .. } => "Revoke(..)",
            Self::Media(_) => "Media(..)",
            Self::Unknown(_) => "Unknown(..)",
        })
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Text(..)")
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reply(..)")
    }
}
