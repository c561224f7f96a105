//! The heads of frames in a stream of bytes (RFC 9113 §4.1).

/// Where in a stream of frames the next byte is.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    head: [u8; HEAD_BYTES],
    filled: usize,
    /// Bytes to pass over before the next head.
    payload_left: u32,
}

/// A frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) length: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
}

impl Frames {
    /// What a client sends, of which the first bytes are the preface.
    pub(crate) fn after_preface() -> Self {
        Self { payload_left: 24, ..Self::default() }
    }

    /// Calls for each head that is whole with these bytes, and says where among them it begins if it does.
    pub(crate) fn read<E>(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Head, Option<usize>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let skipped = usize::try_from(self.payload_left).unwrap_or(usize::MAX).min(rest.len());
            self.payload_left -= u32::try_from(skipped).unwrap_or(self.payload_left);
            rest = rest.get(skipped..).unwrap_or_default();
            let had = self.filled;
            while let (Some(place), Some((byte, after))) =
                (self.head.get_mut(self.filled), rest.split_first())
            {
                if self.payload_left > 0 {
                    break;
                }
                *place = *byte;
                self.filled += 1;
                rest = after;
            }
            if self.filled == HEAD_BYTES {
                self.filled = 0;
                let head = Head::from_bytes(self.head);
                self.payload_left = head.length;
                let read = bytes.len() - rest.len();
                each(head, read.checked_sub(HEAD_BYTES).filter(|_| had == 0))?;
            }
        }
        Ok(())
    }
}

impl Head {
    const fn from_bytes(bytes: [u8; HEAD_BYTES]) -> Self {
        let [high, middle, low, kind, flags, a, b, c, d] = bytes;
        Self {
            length: u32::from_be_bytes([0, high, middle, low]),
            kind,
            flags,
            stream: u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff,
        }
    }

    pub(crate) const fn ends_stream(self) -> bool {
        self.flags & 1 != 0
    }
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const CONTINUATION: u8 = 9;
const HEAD_BYTES: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_found_however_they_come() {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let sent = [
            &preface[..],
            b"\0\0\0\x04\0\0\0\0\0",
            b"\0\0\x03\x01\x05\x80\0\0\x07abc",
            b"\0\0\0\0\x01\0\0\0\x07",
        ]
        .concat();
        let expected = [
            Head { length: 0, kind: 4, flags: 0, stream: 0 },
            Head { length: 3, kind: HEADERS, flags: 5, stream: 7 },
            Head { length: 0, kind: DATA, flags: 1, stream: 7 },
        ];
        for piece in [1, 2, 5, 9, 24, 1000] {
            let (mut frames, mut found, mut before) = (Frames::after_preface(), Vec::new(), 0);
            for bytes in sent.chunks(piece) {
                let read: Result<(), ()> = frames.read(bytes, |head, at| {
                    found.push(head);
                    if let Some(at) = at {
                        let expected = [24, 33, 45][found.len() - 1];
                        assert_eq!(before + at, expected, "pieces of {piece}");
                    }
                    Ok(())
                });
                read.unwrap();
                before += bytes.len();
            }
            assert_eq!(found, expected, "pieces of {piece}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_have_the_same_heads_however_they_come(
            sent in proptest::collection::vec(0..3_u8, 0..200),
            piece in 1..30_usize,
        ) {
            let heads = |piece: usize| {
                let (mut frames, mut found) = (Frames::default(), Vec::new());
                for bytes in sent.chunks(piece) {
                    let Ok(()) = frames.read(bytes, |head, _| {
                        found.push(head);
                        Ok::<(), std::convert::Infallible>(())
                    });
                }
                found
            };
            proptest::prop_assert_eq!(heads(sent.len().max(1)), heads(piece));
        }
    }
}
