//! What a message says of a file besides its keys, from the bytes: type, size, length, a small picture (overview §4.1
//! leaves these to the sender; fields observed).
//!
//! With the feature `metadata`. An application that knows better, or has a player or an encoder at hand, gives its own instead.

use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

mod movie;
mod picture;
mod sound;

/// What can be told of a file from its bytes. What is not known, or not well-formed, is absent.
///
/// Read of JPEG, PNG, WebP and GIF: size and thumbnail; of MP4 and QuickTime: size and duration; of Ogg (Opus, Vorbis),
/// MP3, AAC, FLAC and WAV: duration. Of a video there is no thumbnail: its codec would be needed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// The type by the file's first bytes, never by its name; `application/octet-stream` if it is not known.
    pub mime: &'static str,
    /// Pixels across, as it is shown: a picture or video that says it lies on its side has been turned.
    pub width: Option<u32>,
    /// The height in pixels.
    pub height: Option<u32>,
    /// How long it plays.
    pub duration: Option<Duration>,
    /// The picture as a JPEG of at most [`THUMBNAIL_EDGE`] pixels a side.
    pub thumbnail: Option<Vec<u8>>,
}

/// Pixels along the longer side of a thumbnail.
pub const THUMBNAIL_EDGE: u32 = 100;

impl Metadata {
    /// Reads a file from its start. Time and memory are bounded whatever it holds: a picture that would take more than
    /// 256 MiB decoded has no thumbnail.
    ///
    /// # Errors
    /// The file cannot be read. What it holds is never an error.
    pub fn read(file: &mut (impl Read + Seek)) -> io::Result<Self> {
        let mut head = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.take(HEAD).read_to_end(&mut head)?;
        let mime = mime(&head);
        let mut metadata = Self { mime, width: None, height: None, duration: None, thumbnail: None };
        file.seek(SeekFrom::Start(0))?;
        match mime.split_once('/') {
            Some(("image", _)) => picture::read(file, &mut metadata),
            Some((_, "mp4" | "quicktime" | "x-m4v" | "m4a")) => movie::read(file, &mut metadata)?,
            Some(("audio", _)) => sound::read(file, &mut metadata),
            _ => {}
        }
        Ok(metadata)
    }
}

/// As much of a file as its type is told by.
const HEAD: u64 = 8 * 1024;

fn mime(head: &[u8]) -> &'static str {
    let opus = || head.windows(OPUS.len()).take(OPUS_BEFORE).any(|window| window == OPUS);
    match infer::get(head).map(|kind| kind.mime_type()) {
        // The form in which voice notes travel (observed).
        Some("audio/ogg" | "audio/opus" | "application/ogg") if opus() => "audio/ogg; codecs=opus",
        Some("audio/m4a") => "audio/mp4",
        Some(known) => known,
        None => "application/octet-stream",
    }
}

/// How an Opus stream names itself (RFC 7845 §5.1), in the first page of its file.
const OPUS: &[u8] = b"OpusHead";
const OPUS_BEFORE: usize = 512;
