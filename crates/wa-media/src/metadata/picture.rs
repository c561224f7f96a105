//! Pictures: their size as it is shown, and a small JPEG (fields observed).

use std::io::{BufReader, Cursor, Read, Seek};

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

use super::{Metadata, THUMBNAIL_EDGE};

/// What is not a picture after all leaves the metadata as they are.
pub(super) fn read(file: &mut (impl Read + Seek), metadata: &mut Metadata) {
    let Ok(reader) = ImageReader::new(BufReader::new(file)).with_guessed_format() else { return };
    let Ok(mut decoder) = reader.into_decoder() else { return };
    let (width, height) = decoder.dimensions();
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (width, height) = if is_on_its_side(orientation) { (height, width) } else { (width, height) };
    (metadata.width, metadata.height) = (Some(width), Some(height));
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODED_BYTES);
    if decoder.total_bytes() > DECODED_BYTES || decoder.set_limits(limits).is_err() {
        return;
    }
    if let Ok(mut picture) = DynamicImage::from_decoder(decoder) {
        picture.apply_orientation(orientation);
        metadata.thumbnail = thumbnail(&picture);
    }
}

/// How many bytes a decoded picture may take.
const DECODED_BYTES: u64 = 256 << 20;

/// JPEG's measure from 1 to 100: small beside the message that carries it.
const QUALITY: u8 = 60;

fn is_on_its_side(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

fn thumbnail(picture: &DynamicImage) -> Option<Vec<u8>> {
    let edge = THUMBNAIL_EDGE.min(picture.width().max(picture.height()));
    let small = picture.thumbnail(edge, edge).into_rgb8();
    let mut jpeg = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&small).ok()?;
    Some(jpeg.into_inner())
}
