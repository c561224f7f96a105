//! Media as content: where the file lies, its key and hashes, and what is known of it (seed §4.1; fields observed).

use std::fmt;

use bytes::Bytes;
use wa_binary::Jid;
use wa_proto::content;
use zeroize::Zeroizing;

use super::{Reply, context, of_context};

/// A file that a message carries. Its bytes are not in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Where it lies and how to decrypt it.
    pub file: MediaFile,
    /// The text beneath it.
    pub caption: Option<String>,
    /// The name of a document.
    pub file_name: Option<String>,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// How long it plays.
    pub seconds: Option<u32>,
    /// A small JPEG.
    pub thumbnail: Option<Bytes>,
    /// What lets a player verify a video or a recording piece by piece.
    pub sidecar: Option<Bytes>,
    /// The loudness of a voice note, 64 values from 0 to 100.
    pub waveform: Option<Bytes>,
    /// What it answers.
    pub reply: Option<Reply>,
    /// Users that the caption names.
    pub mentions: Vec<Jid>,
}

/// Kinds of media. They decide the keys' derivation and how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A video.
    Video,
    /// A video that is shown as a moving picture, without sound.
    Gif,
    /// Music or the like.
    Audio,
    /// A voice note.
    Voice,
    /// Any file.
    Document,
    /// A sticker.
    Sticker,
}

/// An encrypted file and what verifies it.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// Its path at the media host.
    pub direct_path: String,
    /// What its keys are derived from.
    pub key: MediaKey,
    /// SHA-256 of the plaintext.
    pub sha256: [u8; 32],
    /// SHA-256 of the encrypted file.
    pub enc_sha256: [u8; 32],
    /// Bytes of plaintext.
    pub length: u64,
    /// Its MIME type.
    pub mime: String,
}

/// The secret of one file: whoever has it and the path can read the file.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaKey(Zeroizing<[u8; 32]>);

impl MediaKey {
    /// A key from its bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl MediaKind {
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

    fn context(&self) -> Option<Box<content::ContextInfo>> {
        context(self.reply.as_ref(), &self.mentions)
    }
}

impl Media {
    fn image(&self) -> content::ImageMessage {
        content::ImageMessage {
            mimetype: Some(self.file.mime.clone()),
            file_sha256: Some(self.file.sha256.to_vec().into()),
            file_length: Some(self.file.length),
            media_key: Some(self.file.key.as_bytes().to_vec().into()),
            file_enc_sha256: Some(self.file.enc_sha256.to_vec().into()),
            direct_path: Some(self.file.direct_path.clone()),
            context_info: self.context(),
            caption: self.caption.clone(),
            width: self.width,
            height: self.height,
            jpeg_thumbnail: self.thumbnail.clone(),
            ..Default::default()
        }
    }

    fn video(&self) -> content::VideoMessage {
        content::VideoMessage {
            mimetype: Some(self.file.mime.clone()),
            file_sha256: Some(self.file.sha256.to_vec().into()),
            file_length: Some(self.file.length),
            media_key: Some(self.file.key.as_bytes().to_vec().into()),
            file_enc_sha256: Some(self.file.enc_sha256.to_vec().into()),
            direct_path: Some(self.file.direct_path.clone()),
            context_info: self.context(),
            caption: self.caption.clone(),
            width: self.width,
            height: self.height,
            seconds: self.seconds,
            jpeg_thumbnail: self.thumbnail.clone(),
            streaming_sidecar: self.sidecar.clone(),
            gif_playback: (self.kind == MediaKind::Gif).then_some(true),
            ..Default::default()
        }
    }

    fn audio(&self) -> content::AudioMessage {
        content::AudioMessage {
            mimetype: Some(self.file.mime.clone()),
            file_sha256: Some(self.file.sha256.to_vec().into()),
            file_length: Some(self.file.length),
            media_key: Some(self.file.key.as_bytes().to_vec().into()),
            file_enc_sha256: Some(self.file.enc_sha256.to_vec().into()),
            direct_path: Some(self.file.direct_path.clone()),
            context_info: self.context(),
            seconds: self.seconds,
            streaming_sidecar: self.sidecar.clone(),
            waveform: self.waveform.clone(),
            ptt: Some(self.kind == MediaKind::Voice),
            ..Default::default()
        }
    }

    fn document(&self) -> content::DocumentMessage {
        content::DocumentMessage {
            mimetype: Some(self.file.mime.clone()),
            file_sha256: Some(self.file.sha256.to_vec().into()),
            file_length: Some(self.file.length),
            media_key: Some(self.file.key.as_bytes().to_vec().into()),
            file_enc_sha256: Some(self.file.enc_sha256.to_vec().into()),
            direct_path: Some(self.file.direct_path.clone()),
            context_info: self.context(),
            caption: self.caption.clone(),
            file_name: self.file_name.clone(),
            jpeg_thumbnail: self.thumbnail.clone(),
            ..Default::default()
        }
    }

    fn sticker(&self) -> content::StickerMessage {
        content::StickerMessage {
            mimetype: Some(self.file.mime.clone()),
            file_sha256: Some(self.file.sha256.to_vec().into()),
            file_length: Some(self.file.length),
            media_key: Some(self.file.key.as_bytes().to_vec().into()),
            file_enc_sha256: Some(self.file.enc_sha256.to_vec().into()),
            direct_path: Some(self.file.direct_path.clone()),
            context_info: self.context(),
            width: self.width,
            height: self.height,
            ..Default::default()
        }
    }

    pub(super) fn of_image(message: content::ImageMessage) -> Option<Self> {
        let kind = MediaKind::Image;
        let (reply, mentions) = of_context(message.context_info);
        let file = MediaFile {
            direct_path: message.direct_path?,
            key: MediaKey::from_bytes(array(message.media_key?.as_ref())?),
            sha256: array(message.file_sha256?.as_ref())?,
            enc_sha256: array(message.file_enc_sha256?.as_ref())?,
            length: message.file_length?,
            mime: message.mimetype.unwrap_or_default(),
        };
        Some(Self {
            caption: message.caption,
            width: message.width,
            height: message.height,
            thumbnail: message.jpeg_thumbnail,
            reply,
            mentions,
            ..Self::new(kind, file)
        })
    }

    pub(super) fn of_video(message: content::VideoMessage) -> Option<Self> {
        let is_gif = message.gif_playback.unwrap_or_default();
        let kind = if is_gif { MediaKind::Gif } else { MediaKind::Video };
        let (reply, mentions) = of_context(message.context_info);
        let file = MediaFile {
            direct_path: message.direct_path?,
            key: MediaKey::from_bytes(array(message.media_key?.as_ref())?),
            sha256: array(message.file_sha256?.as_ref())?,
            enc_sha256: array(message.file_enc_sha256?.as_ref())?,
            length: message.file_length?,
            mime: message.mimetype.unwrap_or_default(),
        };
        Some(Self {
            caption: message.caption,
            width: message.width,
            height: message.height,
            seconds: message.seconds,
            thumbnail: message.jpeg_thumbnail,
            sidecar: message.streaming_sidecar,
            reply,
            mentions,
            ..Self::new(kind, file)
        })
    }

    pub(super) fn of_audio(message: content::AudioMessage) -> Option<Self> {
        let is_voice = message.ptt.unwrap_or_default();
        let kind = if is_voice { MediaKind::Voice } else { MediaKind::Audio };
        let (reply, mentions) = of_context(message.context_info);
        let file = MediaFile {
            direct_path: message.direct_path?,
            key: MediaKey::from_bytes(array(message.media_key?.as_ref())?),
            sha256: array(message.file_sha256?.as_ref())?,
            enc_sha256: array(message.file_enc_sha256?.as_ref())?,
            length: message.file_length?,
            mime: message.mimetype.unwrap_or_default(),
        };
        Some(Self {
            seconds: message.seconds,
            sidecar: message.streaming_sidecar,
            waveform: message.waveform,
            reply,
            mentions,
            ..Self::new(kind, file)
        })
    }

    pub(super) fn of_document(message: content::DocumentMessage) -> Option<Self> {
        let kind = MediaKind::Document;
        let (reply, mentions) = of_context(message.context_info);
        let file = MediaFile {
            direct_path: message.direct_path?,
            key: MediaKey::from_bytes(array(message.media_key?.as_ref())?),
            sha256: array(message.file_sha256?.as_ref())?,
            enc_sha256: array(message.file_enc_sha256?.as_ref())?,
            length: message.file_length?,
            mime: message.mimetype.unwrap_or_default(),
        };
        Some(Self {
            caption: message.caption,
            file_name: message.file_name.or(message.title),
            thumbnail: message.jpeg_thumbnail,
            reply,
            mentions,
            ..Self::new(kind, file)
        })
    }

    pub(super) fn of_sticker(message: content::StickerMessage) -> Option<Self> {
        let kind = MediaKind::Sticker;
        let (reply, mentions) = of_context(message.context_info);
        let file = MediaFile {
            direct_path: message.direct_path?,
            key: MediaKey::from_bytes(array(message.media_key?.as_ref())?),
            sha256: array(message.file_sha256?.as_ref())?,
            enc_sha256: array(message.file_enc_sha256?.as_ref())?,
            length: message.file_length?,
            mime: message.mimetype.unwrap_or_default(),
        };
        Some(Self { width: message.width, height: message.height, reply, mentions, ..Self::new(kind, file) })
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

impl fmt::Debug for MediaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaKey(..)")
    }
}
