//! Frames: a 3-byte big-endian length and a body; before the first, the prologue; to be left alone, `GOA` (observed).

use bytes::{Buf, Bytes, BytesMut};

use crate::FrameError;

/// Bytes of the longest body: 2^24 - 1.
pub const MAX_FRAME: usize = 0x00FF_FFFF;

const HEADER: usize = 3;
/// What a server writes in place of a length to be left alone, as a number; as a length it is above four megabytes.
const GO_AWAY: usize = u32::from_be_bytes([0, b'G', b'O', b'A']) as usize;
const EDGE: &[u8; 4] = b"ED\x00\x01";

/// The body with its length in front, ready to send.
pub fn frame(body: &[u8]) -> Result<Bytes, FrameError> {
    let mut out = BytesMut::with_capacity(HEADER + body.len());
    out.extend_from_slice(&frame_header(body.len())?);
    out.extend_from_slice(body);
    Ok(out.freeze())
}

/// What goes before a body of so many bytes.
///
/// # Errors
/// [`FrameError::Unframeable`] above [`MAX_FRAME`].
pub fn frame_header(length: usize) -> Result<[u8; HEADER], FrameError> {
    match u32::try_from(length).map(u32::to_be_bytes) {
        Ok([0, length @ ..]) => Ok(length),
        _ => Err(FrameError::Unframeable(length)),
    }
}

/// The length that three bytes announce, once they are there.
fn announced(bytes: &[u8]) -> Option<usize> {
    let [a, b, c] = *bytes.first_chunk()?;
    Some(usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
}

/// Cuts frames out of a byte stream that arrives in any pieces.
///
/// A length is checked before anything is kept for it, and never more is kept than has arrived. Bodies are slices of
/// what arrived, to be opened in place.
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: BytesMut,
    cap: usize,
}

impl FrameDecoder {
    /// A decoder that refuses bodies longer than `cap` bytes (at most [`MAX_FRAME`]).
    pub fn new(cap: usize) -> Self {
        Self { buffer: BytesMut::new(), cap: cap.min(MAX_FRAME) }
    }

    /// Refuses bodies longer than this from now on, in bytes (at most [`MAX_FRAME`]).
    ///
    /// Before a login nothing long is to be expected, and only there a server may ask to be left alone
    /// ([`FrameError::GoAway`]): its three letters are known from a length by being over the cap.
    pub fn set_cap(&mut self, cap: usize) {
        self.cap = cap.min(MAX_FRAME);
    }

    /// Takes bytes as they came from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole body, if it has arrived. After an error the stream has lost its place: close it.
    pub fn next_frame(&mut self) -> Result<Option<BytesMut>, FrameError> {
        let Some(length) = announced(&self.buffer) else {
            return Ok(None);
        };
        if length > self.cap {
            return Err(match length {
                GO_AWAY => FrameError::GoAway,
                _ => FrameError::TooLong { length, cap: self.cap },
            });
        }
        if self.buffer.len() < HEADER + length {
            return Ok(None);
        }
        self.buffer.advance(HEADER);
        let body = self.buffer.split_to(length);
        if self.buffer.is_empty() {
            // An idle connection keeps no buffer.
            self.buffer = BytesMut::new();
        }
        Ok(Some(body))
    }

    /// Whether [`next_frame`](Self::next_frame) would give a body or an error: what has arrived may wait here.
    pub fn is_ready(&self) -> bool {
        let Some(length) = announced(&self.buffer) else { return false };
        length > self.cap || self.buffer.len() >= HEADER + length
    }

    /// Takes what comes before the first frame off the stream; `None` until it is whole. For servers.
    pub fn next_intro(&mut self, prologue: &[u8]) -> Result<Option<Intro>, FrameError> {
        let (skip, routing) = match edge_preamble(&self.buffer, prologue)? {
            Preamble::Partial => return Ok(None),
            Preamble::Absent => (0, None),
            Preamble::Present(length) => (EDGE.len() + HEADER, Some(length)),
        };
        let start = skip + routing.unwrap_or(0);
        let Some(rest) = self.buffer.get(start..) else {
            return Ok(None);
        };
        if !prologue.starts_with(rest.get(..prologue.len()).unwrap_or(rest)) {
            return Err(FrameError::Prologue);
        }
        if rest.len() < prologue.len() {
            return Ok(None);
        }
        self.buffer.advance(skip);
        let routing_info = routing.map(|length| self.buffer.split_to(length).freeze());
        self.buffer.advance(prologue.len());
        Ok(Some(Intro { routing_info }))
    }
}

/// What a client sends before its first frame, apart from the prologue itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intro {
    /// The routing information of an earlier session's `<ib>`; sent in front, not part of the handshake hash.
    pub routing_info: Option<Bytes>,
}

impl Intro {
    /// The bytes before the first frame: the edge preamble if there is one, then the prologue.
    pub fn encode(&self, prologue: &[u8]) -> Result<Bytes, FrameError> {
        let mut out = BytesMut::new();
        if let Some(routing_info) = &self.routing_info {
            out.extend_from_slice(EDGE);
            out.extend_from_slice(&frame_header(routing_info.len())?);
            out.extend_from_slice(routing_info);
        }
        out.extend_from_slice(prologue);
        Ok(out.freeze())
    }
}

enum Preamble {
    Absent,
    Partial,
    /// Bytes of the routing information that follows the preamble's own seven.
    Present(usize),
}

/// Bytes of the longest routing information. It is short; a server keeps at most this much of a stranger's before the
/// handshake.
pub const MAX_ROUTING_INFO: usize = 4096;

fn edge_preamble(buffer: &[u8], prologue: &[u8]) -> Result<Preamble, FrameError> {
    let seen = buffer.get(..EDGE.len()).unwrap_or(buffer);
    if prologue.starts_with(seen) || !EDGE.starts_with(seen) {
        return Ok(Preamble::Absent);
    }
    let Some(length) = buffer.get(EDGE.len()..).and_then(announced) else {
        return Ok(Preamble::Partial);
    };
    if length > MAX_ROUTING_INFO {
        return Err(FrameError::TooLong { length, cap: MAX_ROUTING_INFO });
    }
    Ok(Preamble::Present(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROLOGUE: &[u8] = &[0x57, 0x41, 6, 3];

    #[test]
    fn frames_come_out_of_any_split() {
        let stream = [frame(b"one").unwrap(), frame(b"").unwrap(), frame(&[7; 300]).unwrap()].concat();
        for step in 1..stream.len() {
            let mut decoder = FrameDecoder::new(MAX_FRAME);
            let mut bodies = Vec::new();
            for piece in stream.chunks(step) {
                decoder.push(piece);
                loop {
                    let is_ready = decoder.is_ready();
                    let Some(body) = decoder.next_frame().unwrap() else { break assert!(!is_ready) };
                    assert!(is_ready);
                    bodies.push(body.to_vec());
                }
            }
            assert_eq!(bodies, [b"one".to_vec(), Vec::new(), vec![7; 300]]);
        }
    }

    #[test]
    fn lengths_are_big_endian_and_bounded() {
        assert_eq!(&frame(&[0; 0x010203]).unwrap()[..3], [1, 2, 3]);
        assert_eq!(frame(&vec![0; MAX_FRAME + 1]), Err(FrameError::Unframeable(MAX_FRAME + 1)));
        let mut decoder = FrameDecoder::new(10);
        decoder.push(&[0, 0, 11]);
        assert!(decoder.is_ready());
        assert_eq!(decoder.next_frame(), Err(FrameError::TooLong { length: 11, cap: 10 }));
    }

    #[test]
    fn what_is_as_long_as_it_may_be_passes() {
        let mut decoder = FrameDecoder::new(10);
        decoder.push(&[0, 0, 10]);
        assert!(!decoder.is_ready() && decoder.next_frame() == Ok(None));
        decoder.push(&[7; 10]);
        assert!(decoder.is_ready());
        assert_eq!(decoder.next_frame().unwrap().unwrap().len(), 10);

        let intro = |length| Intro { routing_info: Some(vec![7; length].into()) }.encode(PROLOGUE).unwrap();
        decoder.push(&intro(MAX_ROUTING_INFO));
        let routing_info = decoder.next_intro(PROLOGUE).unwrap().unwrap().routing_info;
        assert_eq!(routing_info.unwrap().len(), MAX_ROUTING_INFO);
        decoder.push(&intro(MAX_ROUTING_INFO + 1));
        let refused = FrameError::TooLong { length: MAX_ROUTING_INFO + 1, cap: MAX_ROUTING_INFO };
        assert_eq!(decoder.next_intro(PROLOGUE), Err(refused));
    }

    #[test]
    fn a_server_may_ask_to_be_left_alone_where_nothing_long_is_expected() {
        let mut decoder = FrameDecoder::new(0xFFFF);
        decoder.push(b"GO");
        assert_eq!(decoder.next_frame(), Ok(None));
        decoder.push(b"A");
        assert_eq!(decoder.next_frame(), Err(FrameError::GoAway));
        // After the login it is a length like any other.
        decoder.set_cap(MAX_FRAME);
        assert_eq!(decoder.next_frame(), Ok(None));
        decoder.push(&vec![7; GO_AWAY]);
        assert_eq!(decoder.next_frame().unwrap().unwrap().len(), 0x47_4F41);
    }

    #[test]
    fn intros_come_out_of_any_split() {
        for routing_info in [None, Some(Bytes::from_static(b"route"))] {
            let intro = Intro { routing_info };
            let stream = [intro.encode(PROLOGUE).unwrap(), frame(b"x").unwrap()].concat();
            for step in 1..=stream.len() {
                let mut decoder = FrameDecoder::new(MAX_FRAME);
                let mut seen = None;
                for piece in stream.chunks(step) {
                    decoder.push(piece);
                    if seen.is_none() {
                        seen = decoder.next_intro(PROLOGUE).unwrap();
                    }
                }
                assert_eq!(seen, Some(intro.clone()));
                assert_eq!(decoder.next_frame().unwrap().unwrap(), b"x".as_slice());
            }
        }
    }

    #[test]
    fn other_beginnings_are_refused_at_once() {
        for (bytes, error) in [
            (b"W".as_slice(), None),
            (b"G", Some(FrameError::Prologue)),
            (b"WA\x06\x02", Some(FrameError::Prologue)),
            (b"ED\x00\x02", Some(FrameError::Prologue)),
            (b"ED\x00\x01\x00\x00\x01aX", Some(FrameError::Prologue)),
            (b"ED\x00\x01\x01\x00\x00", Some(FrameError::TooLong { length: 65_536, cap: MAX_ROUTING_INFO })),
        ] {
            let mut decoder = FrameDecoder::new(MAX_FRAME);
            decoder.push(bytes);
            assert_eq!(decoder.next_intro(PROLOGUE), error.map_or(Ok(None), Err), "{bytes:?}");
        }
    }
}
