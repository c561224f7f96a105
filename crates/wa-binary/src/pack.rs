//! Overview §2.1.2, last note ("compressed and encrypted following this step"): the flag byte of a frame's body.
//!
//! The first byte of every decrypted frame holds flags. Bit `0x02` says that the rest is a zlib stream; no
//! other bit is known. Source: the public clients.

use std::io::{Read, Write};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use flate2::Compression;
use flate2::bufread::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::encode::{EncodeOptions, encode_after};
use crate::error::{EncodeError, UnpackError};
use crate::limits::Limits;
use crate::node::Node;

/// Writes a node as the body of a frame: the flag byte, then the node, compressed only if
/// [`EncodeOptions::compress_above`] says so.
///
/// # Errors
/// As [`encode`](crate::encode).
pub fn pack(node: &Node, options: &EncodeOptions) -> Result<Vec<u8>, EncodeError> {
    let out = encode_after(&[FLAG_NONE], node, options)?;
    match options.compress_above {
        Some(limit) if out.len() - 1 > limit => Ok(compressed(&out).unwrap_or(out)),
        _ => Ok(out),
    }
}

/// Writes the body of a frame for a node that is encoded already, uncompressed; `after` bytes more have room behind it.
#[must_use]
pub fn pack_encoded(node: &[u8], after: usize) -> BytesMut {
    let mut out = BytesMut::with_capacity(1 + node.len() + after);
    out.put_u8(FLAG_NONE);
    out.extend_from_slice(node);
    out
}

/// Opens the body of a frame: checks the flags, inflates what is compressed, and returns an encoded node.
///
/// # Errors
/// An [`UnpackError`]; after one, the stream cannot be trusted any more.
pub fn unpack(mut body: Bytes, limits: &Limits) -> Result<Bytes, UnpackError> {
    match body.first().copied().ok_or(UnpackError::Empty)? {
        FLAG_NONE => {
            body.advance(1);
            Ok(body)
        }
        FLAG_ZLIB => inflate(body.get(1..).unwrap_or_default(), limits.inflated_bytes),
        flags => Err(UnpackError::UnknownFlags(flags)),
    }
}

const FLAG_NONE: u8 = 0;
const FLAG_ZLIB: u8 = 2;

/// The body with its part after the flag byte compressed.
fn compressed(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(vec![FLAG_ZLIB], Compression::default());
    encoder.write_all(body.get(1..)?).ok()?;
    encoder.finish().ok()
}

fn inflate(stream: &[u8], limit: usize) -> Result<Bytes, UnpackError> {
    let mut decoder = ZlibDecoder::new(stream);
    let mut inflated = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.by_ref().take(most).read_to_end(&mut inflated).map_err(|_| UnpackError::Zlib)?;
    if inflated.len() > limit {
        return Err(UnpackError::TooLong);
    }
    match decoder.into_inner().len() {
        0 => Ok(Bytes::from(inflated)),
        rest => Err(UnpackError::TrailingBytes(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::decode;

    /// `zlib.compress(bytes([0xf8, 1, 2]))` of another implementation (zlib 1.3).
    const ZLIB: &[u8] = &[0x78, 0x9c, 0xfb, 0xc1, 0xc8, 0x04, 0x00, 0x02, 0xef, 0x00, 0xfc];

    fn flagged(flag: u8, rest: &[u8]) -> Bytes {
        [&[flag], rest].concat().into()
    }

    #[test]
    fn opens_plain_and_compressed() {
        let limits = Limits::new();
        assert_eq!(unpack(flagged(0, b"\xf8\x01\x02"), &limits), Ok(Bytes::from_static(b"\xf8\x01\x02")));
        assert_eq!(unpack(flagged(2, ZLIB), &limits), Ok(Bytes::from_static(b"\xf8\x01\x02")));
        assert_eq!(unpack(flagged(0, b""), &limits), Ok(Bytes::new()));
    }

    #[test]
    fn refuses_what_it_cannot_open() {
        let unpack = |body| unpack(body, &Limits::new()).unwrap_err();
        assert_eq!(unpack(Bytes::new()), UnpackError::Empty);
        for flags in [1, 3, 4, 0x82, 0xff] {
            assert_eq!(unpack(flagged(flags, ZLIB)), UnpackError::UnknownFlags(flags));
        }
        assert_eq!(unpack(flagged(2, b"")), UnpackError::Zlib);
        assert_eq!(unpack(flagged(2, b"\xf8\x01\x02")), UnpackError::Zlib);
        for end in 1..ZLIB.len() {
            assert_eq!(unpack(flagged(2, &ZLIB[..end])), UnpackError::Zlib, "{end}");
        }
        assert_eq!(unpack(flagged(2, &[ZLIB, b"ab"].concat())), UnpackError::TrailingBytes(2));
        let mut damaged = ZLIB.to_vec();
        damaged[10] ^= 1;
        assert_eq!(unpack(flagged(2, &damaged)), UnpackError::Zlib);
    }

    #[test]
    fn inflates_to_the_limit_and_no_further() {
        let node = Node::new("message").with_bytes(vec![0; 1 << 20]);
        let body = pack(&node, &EncodeOptions::new().with_compress_above(100)).unwrap();
        assert!(body.len() < 2048);
        let body = Bytes::from(body);
        let inflated = unpack(body.clone(), &Limits::new()).unwrap();
        let exact = Limits::new().with_inflated_bytes(inflated.len());
        assert_eq!(unpack(body.clone(), &exact).as_ref(), Ok(&inflated));
        let short = Limits::new().with_inflated_bytes(inflated.len() - 1);
        assert_eq!(unpack(body, &short), Err(UnpackError::TooLong));
        assert_eq!(decode(&inflated, &Limits::new()), Ok(node));
    }

    #[test]
    fn packs_short_bodies_plain() {
        let end = Node::stream_end();
        assert_eq!(pack(&end, &EncodeOptions::new()), Ok(vec![0, 0xf8, 1, 2]));
        assert_eq!(pack(&end, &EncodeOptions::new().with_compress_above(3)), Ok(vec![0, 0xf8, 1, 2]));
        let compressed = pack(&end, &EncodeOptions::new().with_compress_above(2)).unwrap();
        assert_eq!(compressed[0], 2);
        assert_eq!(unpack(compressed.into(), &Limits::new()), Ok(Bytes::from_static(b"\xf8\x01\x02")));
    }
}
