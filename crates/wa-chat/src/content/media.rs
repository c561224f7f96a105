//! Media as content: where the file lies, its key and hashes, and what is known of it (overview §4.1; fields observed).

use std::fmt;

use bytes::Bytes;
use subtle::ConstantTimeEq;
use wa_binary::Jid;
use wa_media::{FileFacts, MediaClass, MediaKey};
use wa_proto::content;

use super::{Reply, context, of_context};

/// A file that a message carries. Its bytes are not in it.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Where it lies and how to decrypt it.
    pub file: MediaFile,
    /// The text beneath it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub caption: Option<String>,
    /// The name of a document.
    #[cfg_attr(feature = "serde", serde(default))]
    pub file_name: Option<String>,
    /// The width in pixels.
    #[cfg_attr(feature = "serde", serde(default))]
    pub width: Option<u32>,
    /// The height in pixels.
    #[cfg_attr(feature = "serde", serde(default))]
    pub height: Option<u32>,
    /// How long it plays.
    #[cfg_attr(feature = "serde", serde(default))]
    pub seconds: Option<u32>,
    /// A small JPEG.
    #[cfg_attr(feature = "serde", serde(default, with = "crate::json::maybe"))]
    pub thumbnail: Option<Bytes>,
    /// What lets a player verify a video or a recording piece by piece.
    #[cfg_attr(feature = "serde", serde(default, with = "crate::json::maybe"))]
    pub sidecar: Option<Bytes>,
    /// The loudness of a voice note, 64 values from 0 to 100.
    #[cfg_attr(feature = "serde", serde(default, with = "crate::json::maybe"))]
    pub waveform: Option<Bytes>,
    /// What it answers.
    #[cfg_attr(feature = "serde", serde(default))]
    pub reply: Option<Reply>,
    /// Users that the caption names.
    #[cfg_attr(feature = "serde", serde(default))]
    pub mentions: Vec<Jid>,
}

/// Kinds of media. They decide the keys' derivation and how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum MediaKind {
    /// A picture, usually a JPEG.
    Image,
    /// A video, usually an MP4.
    Video,
    /// A video that is shown as a moving picture, without sound.
    Gif,
    /// Music or the like.
    Audio,
    /// A voice note.
    Voice,
    /// A file of any type, with its name.
    Document,
    /// A sticker, usually a WebP.
    Sticker,
}

/// An encrypted file and what verifies it. Its key is compared in constant time.
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct MediaFile {
    /// Its path at the media host.
    pub direct_path: String,
    /// What its keys are derived from.
    #[cfg_attr(feature = "serde", serde(with = "crate::json::key"))]
    pub key: MediaKey,
    /// SHA-256 of the plaintext.
    #[cfg_attr(feature = "serde", serde(with = "crate::json::digest"))]
    pub sha256: [u8; 32],
    /// SHA-256 of the encrypted file.
    #[cfg_attr(feature = "serde", serde(with = "crate::json::digest"))]
    pub enc_sha256: [u8; 32],
    /// Bytes of plaintext.
    pub length: u64,
    /// Its MIME type.
    pub mime: String,
}

impl PartialEq for MediaFile {
    fn eq(&self, other: &Self) -> bool {
        let Self { direct_path, key, sha256, enc_sha256, length, mime } = self;
        bool::from(key.ct_eq(&other.key))
            && (direct_path, sha256, enc_sha256) == (&other.direct_path, &other.sha256, &other.enc_sha256)
            && (length, mime) == (&other.length, &other.mime)
    }
}

impl Eq for MediaFile {}

impl MediaFile {
    /// A file that lies at a path, as it was encrypted.
    pub fn new(
        direct_path: impl Into<String>,
        key: MediaKey,
        facts: FileFacts,
        mime: impl Into<String>,
    ) -> Self {
        let FileFacts { sha256, enc_sha256, length } = facts;
        Self { direct_path: direct_path.into(), key, sha256, enc_sha256, length, mime: mime.into() }
    }

    /// The hashes and the length that identify the file.
    pub fn facts(&self) -> FileFacts {
        FileFacts { sha256: self.sha256, enc_sha256: self.enc_sha256, length: self.length }
    }
}

impl MediaKind {
    /// What its keys are derived for.
    pub const fn class(self) -> MediaClass {
        match self {
            Self::Image | Self::Sticker => MediaClass::Image,
            Self::Video | Self::Gif => MediaClass::Video,
            Self::Audio | Self::Voice => MediaClass::Audio,
            Self::Document => MediaClass::Document,
        }
    }

    /// The word in a stanza's `mediatype`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Gif => "gif",
            Self::Audio => "audio",
            Self::Voice => "ptt",
            Self::Document => "document",
            Self::Sticker => "sticker",
        }
    }
}

impl Media {
    /// A file of which nothing more is known.
    pub fn new(kind: MediaKind, file: MediaFile) -> Self {
        Self {
            kind,
            file,
            caption: None,
            file_name: None,
            width: None,
            height: None,
            seconds: None,
            thumbnail: None,
            sidecar: None,
            waveform: None,
            reply: None,
            mentions: Vec::new(),
        }
    }

    pub(super) fn message(&self) -> content::Message {
        let mut message = content::Message::default();
        match self.kind {
            MediaKind::Image => message.image_message = Some(Box::new(self.image())),
            MediaKind::Video | MediaKind::Gif => message.video_message = Some(Box::new(self.video())),
            MediaKind::Audio | MediaKind::Voice => message.audio_message = Some(Box::new(self.audio())),
            MediaKind::Document => message.document_message = Some(Box::new(self.document())),
            MediaKind::Sticker => message.sticker_message = Some(Box::new(self.sticker())),
        }
        message
    }
}

/// A message of this type with what every file has, and the fields that are its own. The types share no trait.
macro_rules! written {
    ($media:expr, $message:ident { $($field:ident: $value:expr),* $(,)? }) => {
        content::$message {
            mimetype: Some($media.file.mime.clone()),
            file_sha256: Some($media.file.sha256.to_vec().into()),
            file_length: Some($media.file.length),
            media_key: Some($media.file.key.as_bytes().to_vec().into()),
            file_enc_sha256: Some($media.file.enc_sha256.to_vec().into()),
            direct_path: Some($media.file.direct_path.clone()),
            context_info: context($media.reply.as_ref(), &$media.mentions),
            $($field: $value,)*
            ..Default::default()
        }
    };
}

/// What every file has, of a message of any type.
macro_rules! read {
    ($kind:expr, $message:ident) => {{
        let (reply, mentions) = of_context($message.context_info);
        let file = MediaFile {
            direct_path: $message.direct_path?,
            key: MediaKey::from_bytes(array(&$message.media_key?)?),
            sha256: array(&$message.file_sha256?)?,
            enc_sha256: array(&$message.file_enc_sha256?)?,
            length: $message.file_length?,
            mime: $message.mimetype.unwrap_or_default(),
        };
        Self { reply, mentions, ..Self::new($kind, file) }
    }};
}

impl Media {
    fn image(&self) -> content::ImageMessage {
        written!(
            self,
            ImageMessage {
                caption: self.caption.clone(),
                width: self.width,
                height: self.height,
                jpeg_thumbnail: self.thumbnail.clone(),
            }
        )
    }

    fn video(&self) -> content::VideoMessage {
        written!(
            self,
            VideoMessage {
                caption: self.caption.clone(),
                width: self.width,
                height: self.height,
                seconds: self.seconds,
                jpeg_thumbnail: self.thumbnail.clone(),
                streaming_sidecar: self.sidecar.clone(),
                gif_playback: (self.kind == MediaKind::Gif).then_some(true),
            }
        )
    }

    fn audio(&self) -> content::AudioMessage {
        written!(
            self,
            AudioMessage {
                seconds: self.seconds,
                streaming_sidecar: self.sidecar.clone(),
                waveform: self.waveform.clone(),
                ptt: Some(self.kind == MediaKind::Voice),
            }
        )
    }

    fn document(&self) -> content::DocumentMessage {
        written!(
            self,
            DocumentMessage {
                caption: self.caption.clone(),
                file_name: self.file_name.clone(),
                jpeg_thumbnail: self.thumbnail.clone(),
            }
        )
    }

    fn sticker(&self) -> content::StickerMessage {
        written!(self, StickerMessage { width: self.width, height: self.height })
    }

    pub(super) fn from_image(message: content::ImageMessage) -> Option<Self> {
        Some(Self {
            caption: message.caption,
            width: message.width,
            height: message.height,
            thumbnail: message.jpeg_thumbnail,
            ..read!(MediaKind::Image, message)
        })
    }

    pub(super) fn from_video(message: content::VideoMessage) -> Option<Self> {
        let is_gif = message.gif_playback.unwrap_or_default();
        let kind = if is_gif { MediaKind::Gif } else { MediaKind::Video };
        Some(Self {
            caption: message.caption,
            width: message.width,
            height: message.height,
            seconds: message.seconds,
            thumbnail: message.jpeg_thumbnail,
            sidecar: message.streaming_sidecar,
            ..read!(kind, message)
        })
    }

    pub(super) fn from_audio(message: content::AudioMessage) -> Option<Self> {
        let is_voice = message.ptt.unwrap_or_default();
        let kind = if is_voice { MediaKind::Voice } else { MediaKind::Audio };
        Some(Self {
            seconds: message.seconds,
            sidecar: message.streaming_sidecar,
            waveform: message.waveform,
            ..read!(kind, message)
        })
    }

    pub(super) fn from_document(message: content::DocumentMessage) -> Option<Self> {
        Some(Self {
            caption: message.caption,
            file_name: message.file_name.or(message.title),
            thumbnail: message.jpeg_thumbnail,
            ..read!(MediaKind::Document, message)
        })
    }

    pub(super) fn from_sticker(message: content::StickerMessage) -> Option<Self> {
        Some(Self { width: message.width, height: message.height, ..read!(MediaKind::Sticker, message) })
    }
}

fn array(bytes: &[u8]) -> Option<[u8; 32]> {
    bytes.try_into().ok()
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl fmt::Debug for MediaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaFile(..)")
    }
}
