//! What is told of files agrees with what the programs say that made them (ffmpeg 5.1, libopus, libx264, exiftool;
//! the files hold test patterns and tones).
#![cfg(feature = "metadata")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Cursor;
use std::path::PathBuf;
use std::time::Duration;

use wa_media::{Metadata, THUMBNAIL_EDGE};

type Size = Option<(u32, u32)>;

/// Name, type, size as shown, and milliseconds as ffprobe tells them.
const FILES: [(&str, &str, Size, Option<u128>); 13] = [
    ("picture.jpg", "image/jpeg", Some((160, 90)), None),
    ("on-its-side.jpg", "image/jpeg", Some((90, 160)), None),
    ("picture.png", "image/png", Some((64, 48)), None),
    ("picture.webp", "image/webp", Some((48, 64)), None),
    ("moving.gif", "image/gif", Some((32, 32)), None),
    ("film.mp4", "video/mp4", Some((128, 72)), Some(2400)),
    ("turned.mp4", "video/mp4", Some((72, 128)), Some(2400)),
    ("film.mov", "video/quicktime", Some((128, 72)), Some(2400)),
    ("voice.ogg", "audio/ogg; codecs=opus", None, Some(1500)),
    ("music.mp3", "audio/mpeg", None, Some(1584)),
    ("music.m4a", "audio/mp4", None, Some(1500)),
    ("music.wav", "audio/x-wav", None, Some(100)),
    ("music.flac", "audio/x-flac", None, Some(500)),
];

fn file(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)).unwrap()
}

fn read(bytes: &[u8]) -> Metadata {
    Metadata::read(&mut Cursor::new(bytes)).unwrap()
}

#[test]
fn files_are_what_their_makers_say() {
    for (name, mime, size, milliseconds) in FILES {
        let metadata = read(&file(name));
        assert_eq!((metadata.mime, metadata.width.zip(metadata.height)), (mime, size), "{name}");
        let told = metadata.duration.as_ref().map(Duration::as_millis);
        // An encoder's delay is counted by some and not by others.
        let is_close = |told: u128| milliseconds.is_some_and(|expected| told.abs_diff(expected) <= 80);
        assert!(told.map_or(milliseconds.is_none(), is_close), "{name}: {told:?}");
        assert_eq!(metadata.thumbnail.is_some(), mime.starts_with("image/"), "{name}");
    }
}

#[test]
fn a_thumbnail_is_a_small_jpeg_the_right_way_up() {
    for (name, expected) in
        [("picture.jpg", (100, 56)), ("on-its-side.jpg", (56, 100)), ("moving.gif", (32, 32))]
    {
        let thumbnail = read(&file(name)).thumbnail.unwrap();
        assert!(thumbnail.len() < 8 * 1024, "{name}: {} bytes", thumbnail.len());
        let small = read(&thumbnail);
        assert_eq!((small.mime, small.width.zip(small.height)), ("image/jpeg", Some(expected)), "{name}");
        assert!(expected.0.max(expected.1) <= THUMBNAIL_EDGE);
    }
    let (upright, turned) = (read(&file("picture.jpg")), read(&file("on-its-side.jpg")));
    assert_ne!(upright.thumbnail, turned.thumbnail);
}

#[test]
fn what_is_none_of_these_is_a_file_of_bytes() {
    for bytes in [&b""[..], b"\xFF", b"text", &[0; 100_000]] {
        let metadata = read(bytes);
        let nothing = (metadata.width, metadata.height, metadata.duration, metadata.thumbnail);
        assert_eq!((metadata.mime, nothing), ("application/octet-stream", (None, None, None, None)));
    }
}

#[test]
fn a_picture_too_large_to_decode_has_a_size_and_no_thumbnail() {
    let mut png = file("picture.png");
    // Width and height of the first chunk, and its checksum.
    png.splice(16..24, [0, 0, 0x80, 0, 0, 0, 0x80, 0]);
    let checksum = crc32(&png[12..29]);
    png.splice(29..33, checksum.to_be_bytes());
    let metadata = read(&png);
    assert_eq!((metadata.width.zip(metadata.height), metadata.thumbnail), (Some((32_768, 32_768)), None));
}

#[test]
fn damaged_files_are_read_to_an_end() {
    for (name, ..) in FILES {
        let whole = file(name);
        for position in (0..whole.len()).step_by(1 + whole.len() / 150) {
            read(&whole[..position]);
            let mut damaged = whole.clone();
            damaged[position] ^= 0xFF;
            read(&damaged);
        }
    }
}

#[test]
fn boxes_that_lead_nowhere_end() {
    let moov = |content: &[u8]| [&[0, 0, 0, 20][..], b"ftypisom", &[0; 8], content].concat();
    let many = [&[0, 0, 0, 8][..], b"free"].concat().repeat(1_000_000);
    for content in [
        // A box of no length reaches to the end; of one that is too short there is no next.
        [&[0, 0, 0, 0][..], b"free"].concat(),
        [&[0, 0, 0, 4][..], b"moov"].concat(),
        [&[0, 0, 0, 1][..], b"moov", &[0xFF; 8]].concat(),
        [&[0, 0, 0, 1][..], b"moov", &[0, 0, 0, 0, 0, 0, 0, 16]].concat(),
        [&[0xFF, 0xFF, 0xFF, 0xFF][..], b"moov"].concat(),
        many,
    ] {
        let metadata = read(&moov(&content));
        assert_eq!((metadata.mime, metadata.duration), ("video/mp4", None));
    }
}

/// As PNG has it (ISO/IEC 15948 Annex D).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8)
            .fold(crc ^ u32::from(*byte), |crc: u32, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}
