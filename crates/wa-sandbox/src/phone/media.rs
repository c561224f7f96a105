//! Media messages as a phone writes and shows them (seed §4.1; fields observed).

use bytes::Bytes;
use serde_json::{Value, json};
use wa_proto::content::{AudioMessage, DocumentMessage, ImageMessage, Message, StickerMessage, VideoMessage};

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
}

/// A message of this kind with the fields that every kind has.
macro_rules! written {
    ($kind:ident, $file:expr, $($extra:tt)*) => {
        Some($kind {
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
    /// The protobuf; `None` for a kind that phones do not send.
    pub(crate) fn message(&self) -> Option<Message> {
        let empty = Message::default();
        Some(match self.kind.as_str() {
            "image" => Message { image_message: written!(ImageMessage, self,), ..empty },
            "video" => Message { video_message: written!(VideoMessage, self,), ..empty },
            "audio" => Message { audio_message: written!(AudioMessage, self,), ..empty },
            "voice" => Message { audio_message: written!(AudioMessage, self, ptt: Some(true),), ..empty },
            "document" => Message { document_message: written!(DocumentMessage, self,), ..empty },
            "sticker" => Message { sticker_message: written!(StickerMessage, self,), ..empty },
            _ => return None,
        })
    }
}

/// A media message as the phone's user sees it, with all that is needed to open it.
pub(crate) fn describe(message: &Message) -> Option<Value> {
    if let Some(image) = &message.image_message {
        return Some(shown!("image", image, {
            "width": image.width, "height": image.height, "thumbnail": text(image.jpeg_thumbnail.as_ref()),
        }));
    }
    if let Some(video) = &message.video_message {
        return Some(shown!("video", video, {
            "width": video.width, "height": video.height, "seconds": video.seconds,
        }));
    }
    if let Some(audio) = &message.audio_message {
        let kind = if audio.ptt == Some(true) { "voice" } else { "audio" };
        return Some(shown!(kind, audio, { "seconds": audio.seconds }));
    }
    if let Some(document) = &message.document_message {
        return Some(shown!("document", document, { "file_name": document.file_name }));
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
