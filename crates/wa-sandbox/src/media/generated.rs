//! Pictures and voice notes that are made here, so that nobody's are needed.

use bytes::BytesMut;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};

/// Longest side of a picture.
pub(crate) const MAX_SIDE: u32 = 4096;
/// Longest voice note, in seconds.
pub(crate) const MAX_SECONDS: u32 = 600;

/// A packet of Opus: 20 ms of silence in one frame.
const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];
/// Packets in a second, and samples in a packet at Opus' 48 kHz.
const PACKETS: u32 = 50;
const SAMPLES: u64 = 960;
/// Packets on a page: each takes one place in a table of 255.
const ON_A_PAGE: u32 = 250;

/// A picture in JPEG: colours that run across, in squares.
pub(crate) fn picture(width: u32, height: u32) -> Option<Vec<u8>> {
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return None;
    }
    let shade = |at: u32, side: u32| u8::try_from(at * 255 / side).unwrap_or(u8::MAX);
    let pixels = (0..height).flat_map(|y| {
        (0..width).flat_map(move |x| {
            let square = if (x / 16 + y / 16).is_multiple_of(2) { 200 } else { 40 };
            [shade(x, width), shade(y, height), square]
        })
    });
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, 80);
    encoder.write_image(&pixels.collect::<Vec<u8>>(), width, height, ExtendedColorType::Rgb8).ok()?;
    Some(jpeg)
}

/// A voice note in Ogg with Opus: so many seconds of silence (RFC 7845).
pub(crate) fn voice(seconds: u32) -> Option<Vec<u8>> {
    if !(1..=MAX_SECONDS).contains(&seconds) {
        return None;
    }
    let mut file = BytesMut::new();
    let mut head = b"OpusHead\x01\x01".to_vec();
    // No samples to skip, 16 kHz before it was encoded, no gain, one channel.
    head.extend([0, 0, 0x80, 0x3E, 0, 0, 0, 0, 0]);
    let mut tags = b"OpusTags".to_vec();
    tags.extend([10, 0, 0, 0]);
    tags.extend(b"wa-sandbox");
    tags.extend([0; 4]);
    page(&mut file, FIRST, 0, 0, &[&head]);
    page(&mut file, 0, 0, 1, &[&tags]);
    let (mut left, mut done, mut number) = (seconds * PACKETS, 0_u64, 2);
    while left > 0 {
        let count = left.min(ON_A_PAGE);
        left -= count;
        done += u64::from(count) * SAMPLES;
        let packets = vec![&SILENCE[..]; usize::try_from(count).unwrap_or(0)];
        page(&mut file, if left == 0 { LAST } else { 0 }, done, number, &packets);
        number += 1;
    }
    Some(file.to_vec())
}

const FIRST: u8 = 2;
const LAST: u8 = 4;

/// One page of Ogg (RFC 3533); packets are shorter than 255 bytes.
fn page(file: &mut BytesMut, kind: u8, granule: u64, number: u32, packets: &[&[u8]]) {
    let mut page = b"OggS\0".to_vec();
    page.push(kind);
    page.extend(granule.to_le_bytes());
    page.extend(0x5741_5341_u32.to_le_bytes());
    page.extend(number.to_le_bytes());
    page.extend([0; 4]);
    page.push(u8::try_from(packets.len()).unwrap_or(u8::MAX));
    page.extend(packets.iter().map(|packet| u8::try_from(packet.len()).unwrap_or(u8::MAX)));
    packets.iter().for_each(|packet| page.extend_from_slice(packet));
    let sum = checksum(&page).to_le_bytes();
    if let Some(place) = page.get_mut(22..26) {
        place.copy_from_slice(&sum);
    }
    file.extend_from_slice(&page);
}

/// Ogg's checksum: polynomial 0x04C11DB7, not reflected, from 0.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 24, |sum: u32, _| {
            if sum & 0x8000_0000 == 0 { sum << 1 } else { sum << 1 ^ 0x04C1_1DB7 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_read_by_a_decoder() {
        let jpeg = picture(320, 200).unwrap();
        assert_eq!(jpeg[..3], [0xFF, 0xD8, 0xFF]);
        let read = image::load_from_memory(&jpeg).unwrap();
        assert_eq!((read.width(), read.height()), (320, 200));
        assert_eq!([picture(0, 1), picture(1, MAX_SIDE + 1)], [None, None]);
    }

    #[test]
    fn a_voice_note_is_ogg_to_the_byte() {
        // CRC-32 of "123456789" with this polynomial, no reflection and no inversion (published check value).
        assert_eq!(checksum(b"123456789"), 0x89A1_897F);
        let ogg = voice(6).unwrap();
        let pages: Vec<usize> = (0..ogg.len() - 4).filter(|at| ogg[*at..].starts_with(b"OggS")).collect();
        assert_eq!(pages.len(), 4, "two of headers, 250 and 50 packets");
        for (index, start) in pages.iter().enumerate() {
            let mut page = ogg[*start..pages.get(index + 1).copied().unwrap_or(ogg.len())].to_vec();
            let written = u32::from_le_bytes(page[22..26].try_into().unwrap());
            page[22..26].fill(0);
            assert_eq!(checksum(&page), written);
            assert_eq!(u32::from_le_bytes(page[18..22].try_into().unwrap()), u32::try_from(index).unwrap());
        }
        let last = &ogg[pages[3]..];
        assert_eq!((last[5], u64::from_le_bytes(last[6..14].try_into().unwrap())), (LAST, 6 * 48_000));
        assert_eq!([voice(0), voice(MAX_SECONDS + 1)], [None, None]);
    }
}
