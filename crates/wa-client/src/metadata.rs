//! A file's metadata in the message that carries it (overview §4.1; fields observed).

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use wa_chat::{Media, MediaKind};
use wa_media::Metadata;

use crate::transfer::{MediaTransferError, SentFile, blocking};

/// Type, size, duration and thumbnail of the file at `path`.
///
/// # Errors
/// It cannot be read; what it holds is never an error.
pub async fn describe(path: &Path) -> Result<Metadata, MediaTransferError> {
    let path = path.to_owned();
    blocking(move || Ok(Metadata::read(&mut File::open(path)?)?)).await
}

/// What a file is sent as, by its type: a document unless every client can show or play it.
#[must_use]
pub fn kind_of(metadata: &Metadata) -> MediaKind {
    match metadata.mime {
        "image/jpeg" | "image/png" => MediaKind::Image,
        "image/webp" => MediaKind::Sticker,
        "video/mp4" | "video/quicktime" => MediaKind::Video,
        mime if mime.starts_with("audio/ogg") => MediaKind::Voice,
        mime if mime.starts_with("audio/") => MediaKind::Audio,
        _ => MediaKind::Document,
    }
}

impl SentFile {
    /// The content that carries this file and what is known of it; its fields may be changed before it is sent.
    #[must_use]
    pub fn into_media(self, kind: MediaKind, metadata: &Metadata) -> Media {
        // Rounded up: what plays for less than a second plays for one.
        let seconds = |duration: Duration| duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
        let mut media = Media::new(kind, self.file);
        media.sidecar = self.sidecar;
        media.width = metadata.width;
        media.height = metadata.height;
        media.seconds = metadata.duration.and_then(|duration| u32::try_from(seconds(duration)).ok());
        media.thumbnail = metadata.thumbnail.clone().map(Bytes::from);
        media
    }
}
