//! Media messages as a phone writes and shows them (overview §4.1; fields observed).

use bytes::Bytes;
use serde_json::{Value, json};
use wa_proto::content::{AudioMessage, DocumentMessage, ImageMessage, Message, StickerMessage, VideoMessage};

use crate::media::Described;

/// A file that a phone's user sends; bytes are hexadecimal.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MediaWritten {
    kind: String,
    mime: String,
    direct_path: String,
    key: String,
    sha256: String,
    enc_sha256: String,
    length: u64,
    #[serde(default)]
    caption: Option<String>,
    #[serde(default)]
    width: Option<u32>,
    #[serde(default)]
    height: Option<u32>,
    #[serde(default)]
    seconds: Option<u32>,
    #[serde(default)]
    file_name: Option<String>,
    /// When the file's key was made, in Unix seconds.
    #[serde(skip)]
    at: i64,
    /// Where the file lies.
    #[serde(skip)]
    origin: String,
}

/// A file that the phone's user makes: exactly one of these.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Picture {
    /// The width in pixels.
    #[serde(default = "side")]
    pub(crate) width: u32,
    /// The height in pixels.
    #[serde(default = "side")]
    pub(crate) height: u32,
    #[serde(default)]
    pub(crate) caption: Option<String>,
}

fn side() -> u32 {
    320
}

/// A message of this kind with the fields that every kind has.
macro_rules! written {
    ($kind:ident, $file:expr, $($extra:tt)*) => {
        Some($kind {
            url: Some(format!("{}{}", $file.origin, $file.direct_path)),
            media_key_timestamp: Some($file.at),
            direct_path: Some($file.direct_path.clone()),
            media_key: bytes(&$file.key),
            file_sha256: bytes(&$file.sha256),
            file_enc_sha256: bytes(&$file.enc_sha256),
            file_length: Some($file.length),
            mimetype: Some($file.mime.clone()),
            $($extra)*
            ..$kind::default()
        }.into())
    };
}

/// The fields that every kind has, and what else is told of the file.
macro_rules! shown {
    ($kind:expr, $message:expr, $about:tt) => {{
        let message = $message;
        json!({ "media": {
            "kind": $kind,
            "mime": message.mimetype,
            "direct_path": message.direct_path,
            "key": text(message.media_key.as_ref()),
            "sha256": text(message.file_sha256.as_ref()),
            "enc_sha256": text(message.file_enc_sha256.as_ref()),
            "length": message.file_length,
            "about": json!($about),
        } })
    }};
}

impl MediaWritten {
    /// A file that lies at the media host.
    pub(crate) fn new(kind: &str, mime: &str, file: Described) -> Self {
        let Described { direct_path, key, sha256, enc_sha256, length } = file;
        Self {
            kind: kind.to_owned(),
            mime: mime.to_owned(),
            direct_path,
            key,
            sha256,
            enc_sha256,
            length,
            caption: None,
            width: None,
            height: None,
            seconds: None,
            file_name: None,
            at: 0,
            origin: String::new(),
        }
    }

    /// The same as a picture of this size.
    pub(crate) fn sized(mut self, picture: &Picture) -> Self {
        (self.width, self.height) = (Some(picture.width), Some(picture.height));
        self.caption.clone_from(&picture.caption);
        self
    }

    /// The same as a recording of this length.
    pub(crate) fn lasting(mut self, seconds: u32) -> Self {
        self.seconds = Some(seconds);
        self
    }

    /// The same, sent at a time, from a media host.
    pub(crate) fn sent(mut self, at: u64, origin: &str) -> Self {
        self.at = i64::try_from(at).unwrap_or(i64::MAX);
        origin.clone_into(&mut self.origin);
        self
    }

    /// The file's kind, as `<enc mediatype>` has it.
    pub(crate) fn mediatype(&self) -> &'static str {
        match self.kind.as_str() {
            "image" => "image",
            "video" => "video",
            "voice" => "ptt",
            "audio" => "audio",
            "sticker" => "sticker",
            _ => "document",
        }
    }

    /// The protobuf; `None` for a kind that phones do not send.
    pub(crate) fn message(&self) -> Option<Message> {
        let empty = Message::default();
        Some(match self.kind.as_str() {
            "image" => {
                let image = written!(
                    ImageMessage,
                    self,
                    width: self.width, height: self.height, caption: self.caption.clone(),
                );
                Message { image_message: image, ..empty }
            }
            "video" => {
                let video = written!(
                    VideoMessage,
                    self,
                    width: self.width, height: self.height, caption: self.caption.clone(), seconds: self.seconds,
                );
                Message { video_message: video, ..empty }
            }
            "audio" => {
                let audio = written!(AudioMessage, self, seconds: self.seconds,);
                Message { audio_message: audio, ..empty }
            }
            "voice" => {
                let voice = written!(AudioMessage, self, seconds: self.seconds, ptt: Some(true),);
                Message { audio_message: voice, ..empty }
            }
            "document" => {
                let name = self.file_name.clone();
                let document =
                    written!(DocumentMessage, self, file_name: name, caption: self.caption.clone(),);
                Message { document_message: document, ..empty }
            }
            "sticker" => {
                let sticker = written!(StickerMessage, self, width: self.width, height: self.height,);
                Message { sticker_message: sticker, ..empty }
            }
            _ => return None,
        })
    }
}

/// A media message as the phone's user sees it, with all that is needed to open it.
pub(crate) fn describe(message: &Message) -> Option<Value> {
    if let Some(image) = &message.image_message {
        return Some(shown!("image", image, {
            "width": image.width, "height": image.height, "caption": image.caption, "thumbnail": text(image.jpeg_thumbnail.as_ref()),
        }));
    }
    if let Some(video) = &message.video_message {
        return Some(shown!("video", video, {
            "width": video.width, "height": video.height, "seconds": video.seconds, "caption": video.caption,
        }));
    }
    if let Some(audio) = &message.audio_message {
        let kind = if audio.ptt == Some(true) { "voice" } else { "audio" };
        return Some(shown!(kind, audio, { "seconds": audio.seconds }));
    }
    if let Some(document) = &message.document_message {
        return Some(
            shown!("document", document, { "file_name": document.file_name, "caption": document.caption }),
        );
    }
    message
        .sticker_message
        .as_ref()
        .map(|sticker| shown!("sticker", sticker, { "width": sticker.width, "height": sticker.height }))
}

fn bytes(text: &str) -> Option<Bytes> {
    hex::decode(text).ok().map(Bytes::from)
}

fn text(bytes: Option<&Bytes>) -> Option<String> {
    bytes.map(hex::encode)
}
