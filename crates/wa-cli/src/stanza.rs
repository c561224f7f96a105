//! Overview §2.1.2: the bytes of one stanza in its envelope: a flag byte, a length.

use wa_binary::{DecodeErrorKind, EncodeOptions, Limits, Node, decode, encode, pack, unpack};
use wa_noise::{FrameDecoder, FrameError, MAX_FRAME, frame};

use crate::arguments::Envelope;
use crate::failure::Malformed;

impl Envelope {
    /// Hands over each stanza of the input, until one is malformed.
    pub(crate) fn read<F>(
        self,
        input: Vec<u8>,
        mut stanza: impl FnMut(Node) -> Result<(), F>,
    ) -> Result<(), F>
    where
        F: From<Malformed>,
    {
        if !self.framed {
            return stanza(self.open(input, 0)?);
        }
        let mut decoder = FrameDecoder::new(MAX_FRAME);
        decoder.push(&input);
        let mut start = 0;
        loop {
            match decoder.next_frame() {
                Ok(Some(body)) => {
                    let end = start + LENGTH + body.len();
                    stanza(self.open(body.to_vec(), start + LENGTH)?)?;
                    start = end;
                }
                Ok(None) if start == input.len() => return Ok(()),
                Ok(None) => return Err(Malformed::PartialFrame(start).into()),
                Err(error) => return Err(Malformed::Frame { start, error }.into()),
            }
        }
    }

    /// The bytes of a stanza.
    pub(crate) fn write(self, node: &Node, options: &EncodeOptions) -> Result<Vec<u8>, Malformed> {
        let write = if self.packed { pack } else { encode };
        let body = write(node, options).map_err(Malformed::Unwritable)?;
        if !self.framed {
            return Ok(body);
        }
        match frame(&body) {
            Ok(framed) => Ok(framed.to_vec()),
            Err(error @ FrameError::Unframeable(_)) => Err(Malformed::Unframeable(error)),
            Err(error) => Err(Malformed::Frame { start: 0, error }),
        }
    }

    /// Reads a body that begins at byte `start` of the input.
    fn open(self, body: Vec<u8>, start: usize) -> Result<Node, Malformed> {
        let limits = Limits::new();
        let compressed = body.first() == Some(&COMPRESSED);
        if !self.packed {
            return decode(&body.into(), &limits).map_err(|error| match error.kind {
                DecodeErrorKind::ExpectedList(PLAIN | COMPRESSED) if error.offset == 0 => {
                    Malformed::PerhapsPacked { start, error }
                }
                _ => Malformed::Stanza { start, error },
            });
        }
        let bytes = unpack(body.into(), &limits).map_err(|error| Malformed::Flag { start, error })?;
        decode(&bytes, &limits).map_err(|error| match compressed {
            true => Malformed::Inflated(error),
            false => Malformed::Stanza { start: start + 1, error },
        })
    }
}

/// The flag byte of a body that is not compressed.
const PLAIN: u8 = 0;
/// The flag byte of one that is.
const COMPRESSED: u8 = 2;
/// Bytes of the length before a frame's body.
const LENGTH: usize = 3;
