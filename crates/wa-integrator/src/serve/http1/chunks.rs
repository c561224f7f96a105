//! A chunked body, strictly (RFC 9112 §7.1): sizes in hexadecimal digits alone, lines that end with CR LF alone.

use super::{Ambiguous, may_follow};

/// The reading of one chunked body.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    place: Place,
    /// Bytes of the present line, or of all trailers.
    line: usize,
    previous: Option<u8>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Place {
    /// Digits of a size have come, making this number.
    #[default]
    NoDigit,
    Size(u64),
    /// After a size's semicolon.
    Extension(u64),
    Data(u64),
    /// CR LF after the data.
    DataCr,
    DataLf,
    /// Lines after the last chunk; whether the present one is empty so far.
    Trailers(bool),
}

impl Chunks {
    /// How many of these bytes belong to the body, and whether it has ended with them.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(usize, bool), Ambiguous> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let Place::Data(left) = self.place {
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += taken;
                let left = left - taken as u64;
                self.place = if left == 0 { Place::DataCr } else { Place::Data(left) };
                continue;
            }
            let ended = self.step(*byte).ok_or(Ambiguous { at })?;
            at += 1;
            if ended {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    /// Takes one byte that is no data; whether the body has ended with it.
    fn step(&mut self, byte: u8) -> Option<bool> {
        let previous = self.previous.replace(byte);
        self.line += 1;
        match (self.place, byte) {
            (Place::DataCr, b'\r') => self.place = Place::DataLf,
            (Place::DataLf, b'\n') => self.restart(Place::NoDigit),
            (Place::DataCr | Place::DataLf, _) => return None,
            (Place::NoDigit, byte) => self.place = Place::Size(digit(byte)?),
            (Place::Size(size) | Place::Extension(size), b'\n') if previous == Some(b'\r') => {
                self.restart(if size == 0 { Place::Trailers(true) } else { Place::Data(size) });
            }
            (Place::Size(_), _) if previous == Some(b'\r') => return None,
            (Place::Size(_), b'\r') => {}
            (Place::Size(size), b';') => self.place = Place::Extension(size),
            (Place::Size(size), byte) if self.line <= DIGITS_MAX => {
                self.place = Place::Size((size << 4) | digit(byte)?);
            }
            (Place::Extension(_), byte) if self.line <= LINE_BYTES_MAX && may_follow(previous, byte) => {}
            (Place::Trailers(empty), byte)
                if self.line <= TRAILERS_BYTES_MAX && may_follow(previous, byte) =>
            {
                if byte == b'\n' && empty {
                    return Some(true);
                }
                // A line that begins with a space would go on with the one before.
                if empty && matches!(byte, b' ' | b'\t') {
                    return None;
                }
                self.place = Place::Trailers(byte == b'\n' || (empty && byte == b'\r'));
            }
            _ => return None,
        }
        Some(false)
    }

    const fn restart(&mut self, place: Place) {
        self.place = place;
        self.line = 0;
        self.previous = None;
    }
}

/// A chunk is shorter than 4 GiB.
const DIGITS_MAX: usize = 8;
const LINE_BYTES_MAX: usize = 256;
const TRAILERS_BYTES_MAX: usize = 4096;

fn digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(sent: &[u8], piece: usize) -> Result<(usize, bool), usize> {
        let (mut chunks, mut taken) = (Chunks::default(), 0);
        for bytes in sent.chunks(piece) {
            let (more, ended) = chunks.receive(bytes).map_err(|Ambiguous { at }| taken + at)?;
            taken += more;
            if ended {
                return Ok((taken, true));
            }
        }
        Ok((taken, false))
    }

    #[test]
    fn bodies_end_where_they_say() {
        for sent in [
            &b"0\r\n\r\n"[..],
            b"000\r\n\r\n",
            b"5\r\nab\r\n\0\r\n0\r\n\r\n",
            b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
            b"1;name=value;other=\"x y\"\r\nx\r\n0;last\r\n\r\n",
            b"1\r\nx\r\n0\r\ntrailer: value\r\nother: value\r\n\r\n",
        ] {
            let whole = [sent, b"GET / "].concat();
            for piece in [1, 2, 3, 1000] {
                assert_eq!(
                    receive(&whole, piece),
                    Ok((sent.len(), true)),
                    "{:?}",
                    String::from_utf8_lossy(sent)
                );
                assert_eq!(receive(&sent[..sent.len() - 1], piece), Ok((sent.len() - 1, false)));
            }
        }
    }

    #[test]
    fn the_offending_byte_is_named() {
        for (sent, at) in [
            (&b"\r\n"[..], 0),
            (b";x\r\n", 0),
            (b"+1\r\n", 0),
            (b" 1\r\n", 0),
            (b"0x1\r\n", 1),
            (b"1 \r\nx", 1),
            (b"1\nx", 1),
            (b"1\r\r\n", 2),
            (b"1\rx", 2),
            (b"123456789\r\n", 8),
            (b"ffffffffffffffff1\r\n", 8),
            (b"1;\nx", 2),
            (b"1;\0", 2),
            (b"1\r\nxy", 4),
            (b"1\r\nx\n", 4),
            (b"1\r\nx\r0", 5),
            (b"0\r\na: b\nc", 7),
            (b"0\r\na: b\r\n c: d\r\n\r\n", 9),
            (b"0\r\n\n", 3),
            (b"0\r\n\0", 3),
        ] {
            for piece in [1, 2, 1000] {
                assert_eq!(receive(sent, piece), Err(at), "{:?}", String::from_utf8_lossy(sent));
            }
        }
        assert_eq!(receive(&[&b"1;"[..], &[b'x'; 300]].concat(), 7), Err(256));
        assert_eq!(receive(&[&b"0\r\nx:"[..], &[b'x'; 5000]].concat(), 7), Err(3 + 4096));
    }
}
