//! What a message says, in records that every language has.

use wa_interop::binary::Jid;
use wa_interop::chat::{self, FileFacts, MediaFile, MediaKey, MediaKind, MessageId, Target, Text};

use crate::error::WaError;

/// The decrypted body of a message.
#[derive(Clone, Debug, uniffi::Enum)]
#[expect(clippy::large_enum_variant, reason = "a box is nothing that UniFFI knows")]
#[non_exhaustive]
pub enum Content {
    /// Text, perhaps in reply to something.
    Text {
        /// What is written.
        body: String,
        /// What it answers.
        reply: Option<Reply>,
        /// Users that are named in it.
        mentions: Vec<String>,
    },
    /// A reaction to a message.
    Reaction {
        /// The id of the message that the reaction is to.
        message: String,
        /// Whether the sender of the reaction wrote that message.
        by_sender: bool,
        /// Empty takes the reaction back.
        emoji: String,
    },
    /// New text for an earlier message of the same sender.
    Edit {
        /// The id of the message that is edited.
        message: String,
        /// What it says from now on.
        body: String,
        /// What it answers.
        reply: Option<Reply>,
        /// Users that are named in it.
        mentions: Vec<String>,
    },
    /// An earlier message of the same sender is taken back.
    Revoke {
        /// The id of the message that is revoked.
        message: String,
    },
    /// A file, which lies elsewhere.
    File {
        /// Where, and how it is opened.
        media: Media,
    },
    /// What this version does not read, as its protobuf bytes.
    Unknown {
        /// They can be read by a later version.
        protobuf: Vec<u8>,
    },
}

/// The message that is answered.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Reply {
    /// The id of the quoted message.
    pub message: String,
    /// Who wrote it.
    pub author: String,
    /// What it said, in protobuf, for readers that do not have it; may be empty.
    pub quoted: Vec<u8>,
}

/// Kinds of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Kind {
    Image,
    Video,
    Gif,
    Audio,
    Voice,
    Document,
    Sticker,
}

/// A file that a message carries. `key` and the path are all that it takes to read it.
#[derive(Clone, uniffi::Record)]
pub struct Media {
    /// What it is.
    pub kind: Kind,
    /// Its path at the media host.
    pub direct_path: String,
    /// The media key: 32 bytes.
    pub key: Vec<u8>,
    /// SHA-256 of the file.
    pub sha256: Vec<u8>,
    /// SHA-256 of the encrypted file.
    pub enc_sha256: Vec<u8>,
    /// Bytes of the file.
    pub length: u64,
    /// Its MIME type.
    pub mime: String,
    /// The text beneath it.
    pub caption: Option<String>,
    /// The name of a document.
    pub file_name: Option<String>,
    /// The width in pixels.
    pub width: Option<u32>,
    /// The height in pixels.
    pub height: Option<u32>,
    /// How long it plays.
    pub seconds: Option<u32>,
    /// A small JPEG.
    pub thumbnail: Option<Vec<u8>>,
    /// What lets a player verify it piece by piece.
    pub sidecar: Option<Vec<u8>>,
    /// The loudness of a voice note.
    pub waveform: Option<Vec<u8>>,
    /// What it answers.
    pub reply: Option<Reply>,
    /// Users that the caption names.
    pub mentions: Vec<String>,
}

/// Without its key.
impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Media")
            .field("kind", &self.kind)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl From<chat::Content> for Content {
    fn from(content: chat::Content) -> Self {
        match content {
            chat::Content::Text(text) => Self::Text {
                body: text.body,
                reply: text.reply.map(Reply::from),
                mentions: written(&text.mentions),
            },
            chat::Content::Reaction { target, emoji } => {
                Self::Reaction { message: target.id.to_string(), by_sender: target.by_sender, emoji }
            }
            chat::Content::Edit { id, text } => Self::Edit {
                message: id.to_string(),
                body: text.body,
                reply: text.reply.map(Reply::from),
                mentions: written(&text.mentions),
            },
            chat::Content::Revoke { id } => Self::Revoke { message: id.to_string() },
            chat::Content::Media(media) => Self::File { media: Media::from(*media) },
            chat::Content::Unknown(bytes) => Self::Unknown { protobuf: bytes.to_vec() },
            // A kind of content that this crate does not know yet.
            _ => Self::Unknown { protobuf: Vec::new() },
        }
    }
}

impl TryFrom<Content> for chat::Content {
    type Error = WaError;

    fn try_from(content: Content) -> Result<Self, WaError> {
        Ok(match content {
            Content::Text { body, reply, mentions } => Self::Text(text(body, reply, &mentions)?),
            Content::Reaction { message, by_sender, emoji } => {
                Self::Reaction { target: Target { id: MessageId::from(message), by_sender }, emoji }
            }
            Content::Edit { message, body, reply, mentions } => {
                Self::Edit { id: MessageId::from(message), text: text(body, reply, &mentions)? }
            }
            Content::Revoke { message } => Self::Revoke { id: MessageId::from(message) },
            Content::File { media } => Self::Media(Box::new(chat::Media::try_from(media)?)),
            Content::Unknown { protobuf } => Self::Unknown(protobuf.into()),
        })
    }
}

fn text(body: String, reply: Option<Reply>, mentions: &[String]) -> Result<Text, WaError> {
    Ok(Text { body, reply: reply.map(chat::Reply::try_from).transpose()?, mentions: addresses(mentions)? })
}

fn written(addresses: &[Jid]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

fn addresses(written: &[String]) -> Result<Vec<Jid>, WaError> {
    written.iter().map(|jid| address(jid)).collect()
}

impl From<chat::Reply> for Reply {
    fn from(reply: chat::Reply) -> Self {
        let (message, author) = (reply.id.to_string(), reply.author.to_string());
        Self { message, author, quoted: reply.quoted.to_vec() }
    }
}

impl TryFrom<Reply> for chat::Reply {
    type Error = WaError;

    fn try_from(reply: Reply) -> Result<Self, WaError> {
        let author = address(&reply.author)?;
        Ok(Self { id: MessageId::from(reply.message), author, quoted: reply.quoted.into() })
    }
}

impl From<chat::Media> for Media {
    fn from(media: chat::Media) -> Self {
        let chat::Media { kind, file, caption, file_name, width, height, seconds, .. } = media;
        Self {
            kind: kind.into(),
            direct_path: file.direct_path,
            key: file.key.as_bytes().to_vec(),
            sha256: file.sha256.to_vec(),
            enc_sha256: file.enc_sha256.to_vec(),
            length: file.length,
            mime: file.mime,
            caption,
            file_name,
            width,
            height,
            seconds,
            thumbnail: media.thumbnail.map(Vec::from),
            sidecar: media.sidecar.map(Vec::from),
            waveform: media.waveform.map(Vec::from),
            reply: media.reply.map(Reply::from),
            mentions: written(&media.mentions),
        }
    }
}

impl TryFrom<Media> for chat::Media {
    type Error = WaError;

    fn try_from(media: Media) -> Result<Self, WaError> {
        let sha256 = bytes32(media.sha256, "sha256")?;
        let facts =
            FileFacts { sha256, enc_sha256: bytes32(media.enc_sha256, "enc_sha256")?, length: media.length };
        let key = MediaKey::from_bytes(bytes32(media.key, "key")?);
        let file = MediaFile::new(media.direct_path, key, facts, media.mime);
        Ok(Self {
            caption: media.caption,
            file_name: media.file_name,
            width: media.width,
            height: media.height,
            seconds: media.seconds,
            thumbnail: media.thumbnail.map(Into::into),
            sidecar: media.sidecar.map(Into::into),
            waveform: media.waveform.map(Into::into),
            reply: media.reply.map(chat::Reply::try_from).transpose()?,
            mentions: addresses(&media.mentions)?,
            ..Self::new(media.kind.into(), file)
        })
    }
}

impl From<MediaKind> for Kind {
    fn from(kind: MediaKind) -> Self {
        match kind {
            MediaKind::Image => Self::Image,
            MediaKind::Video => Self::Video,
            MediaKind::Gif => Self::Gif,
            MediaKind::Audio => Self::Audio,
            MediaKind::Voice => Self::Voice,
            MediaKind::Sticker => Self::Sticker,
            _ => Self::Document,
        }
    }
}

impl From<Kind> for MediaKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Image => Self::Image,
            Kind::Video => Self::Video,
            Kind::Gif => Self::Gif,
            Kind::Audio => Self::Audio,
            Kind::Voice => Self::Voice,
            Kind::Document => Self::Document,
            Kind::Sticker => Self::Sticker,
        }
    }
}

/// An address, or a phone number in E.164.
pub(crate) fn address(text: &str) -> Result<Jid, WaError> {
    let parsed = if text.starts_with('+') { Jid::e164(text) } else { text.parse() };
    parsed.map_err(|error| WaError::argument(format!("{error}: {text:?}")))
}

pub(crate) fn bytes32(bytes: Vec<u8>, what: &str) -> Result<[u8; 32], WaError> {
    bytes.try_into().map_err(|_| WaError::argument(format!("{what} has 32 bytes")))
}
