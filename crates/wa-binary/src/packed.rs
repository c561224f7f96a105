//! Seed §2.1.2, "nibble & hex packing": two characters in one byte.
//!
//! After the tag (255 nibble, 251 hex) comes a header byte, the low seven bits counting bytes and the
//! high bit set when the number of characters is odd; then the last nibble is the filler `0xF`.

use crate::error::DecodeErrorKind;

/// One of the two alphabets of packed strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// `0`–`9`, `-` and `.`.
    Nibble,
    /// `0`–`9` and `A`–`F`.
    Hex,
}

impl Alphabet {
    /// The alphabet that can write `text`, nibbles first; none for the empty string and above 127 characters.
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > LONGEST {
            return None;
        }
        match text.iter().fold(NIBBLE | HEX, |all, &byte| all & class(byte)) {
            0 => None,
            HEX => Some(Self::Hex),
            _ => Some(Self::Nibble),
        }
    }

    /// The tag of strings packed in this alphabet.
    pub(crate) const fn tag(self) -> u8 {
        match self {
            Self::Nibble => 255,
            Self::Hex => 251,
        }
    }

    /// Writes tag, header and nibbles of a text for which [`Alphabet::of`] gave this alphabet.
    pub(crate) fn pack(self, text: &[u8], out: &mut Vec<u8>) {
        let pairs = text.chunks_exact(2);
        let last = pairs.remainder().first();
        let count = u8::try_from(text.len().div_ceil(2)).unwrap_or(0x7f);
        let odd = if last.is_some() { 0x80 } else { 0 };
        out.extend_from_slice(&[self.tag(), odd | count]);
        out.extend(pairs.map(|pair| match *pair {
            [high, low] => value(high) << 4 | value(low),
            _ => 0,
        }));
        out.extend(last.map(|last| value(*last) << 4 | FILLER));
    }

    /// Reads nibbles into the front of `out` (which holds two bytes per packed one) and returns the number
    /// of characters, or what is wrong and in which packed byte.
    pub(crate) fn unpack(
        self,
        packed: &[u8],
        odd: bool,
        out: &mut [u8],
    ) -> Result<usize, (DecodeErrorKind, usize)> {
        let (full, last) = match packed.split_last() {
            Some((last, full)) if odd => (full, Some(*last)),
            None if odd => return Err((DecodeErrorKind::PackedFiller, 0)),
            _ => (packed, None),
        };
        let pairs = self.pairs();
        let mut valid = true;
        for (&byte, to) in full.iter().zip(out.chunks_exact_mut(2)) {
            let pair = pairs.get(usize::from(byte)).copied().unwrap_or_default();
            valid &= pair != INVALID;
            to.copy_from_slice(&pair);
        }
        if !valid {
            let invalid = |&byte: &u8| pairs.get(usize::from(byte)).is_none_or(|pair| *pair == INVALID);
            let at = full.iter().position(invalid).unwrap_or_default();
            return Err((DecodeErrorKind::PackedDigit, at));
        }
        match (last, out.get_mut(full.len() * 2)) {
            (Some(last), Some(to)) => *to = self.last(last).map_err(|kind| (kind, full.len()))?,
            _ => return Ok(full.len() * 2),
        }
        Ok(full.len() * 2 + 1)
    }

    fn last(self, byte: u8) -> Result<u8, DecodeErrorKind> {
        if byte & 0x0f != FILLER {
            return Err(DecodeErrorKind::PackedFiller);
        }
        match self.pairs().get(usize::from(byte & 0xf0)) {
            Some(&pair) if pair != INVALID => Ok(pair[0]),
            _ => Err(DecodeErrorKind::PackedDigit),
        }
    }

    fn pairs(self) -> &'static [[u8; 2]; 256] {
        match self {
            Self::Nibble => &NIBBLE_PAIRS,
            Self::Hex => &HEX_PAIRS,
        }
    }
}

/// Most characters that are ever packed, by agreement of the public clients; the header could count 254.
const LONGEST: usize = 127;
const FILLER: u8 = 0x0f;
const NIBBLE: u8 = 1;
const HEX: u8 = 2;

/// Stands for a byte of which a nibble is no character.
const INVALID: [u8; 2] = [0; 2];
/// Characters of both nibbles of each byte.
static NIBBLE_PAIRS: [[u8; 2]; 256] = pairs(b"0123456789-.\0\0\0\0");
static HEX_PAIRS: [[u8; 2]; 256] = pairs(b"0123456789ABCDEF");

/// For each byte its value as a nibble (low half) and the alphabets it belongs to (bits 4 and 5).
static CHARACTERS: [u8; 256] = characters();

fn class(byte: u8) -> u8 {
    CHARACTERS.get(usize::from(byte)).copied().unwrap_or_default() >> 4
}

fn value(byte: u8) -> u8 {
    CHARACTERS.get(usize::from(byte)).copied().unwrap_or_default() & 0x0f
}

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, where a panic is a build error")]
const fn pairs(alphabet: &[u8; 16]) -> [[u8; 2]; 256] {
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (high, low) = (alphabet[byte >> 4], alphabet[byte & 0x0f]);
        table[byte] = if high == 0 || low == 0 { INVALID } else { [high, low] };
        byte += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, where a panic is a build error")]
const fn characters() -> [u8; 256] {
    let mut table = [0; 256];
    let mut digit = 0;
    while digit < 16 {
        if digit < 10 {
            table[(b'0' + digit) as usize] = (NIBBLE | HEX) << 4 | digit;
        } else {
            table[(b'A' + digit - 10) as usize] = HEX << 4 | digit;
        }
        digit += 1;
    }
    table[b'-' as usize] = NIBBLE << 4 | 10;
    table[b'.' as usize] = NIBBLE << 4 | 11;
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabet_of_text() {
        for (text, alphabet) in [
            ("0123456789-.", Some(Alphabet::Nibble)),
            ("0123456789", Some(Alphabet::Nibble)),
            ("0123456789ABCDEF", Some(Alphabet::Hex)),
            ("F", Some(Alphabet::Hex)),
            ("F-", None),
            ("f", None),
            ("", None),
        ] {
            assert_eq!(Alphabet::of(text.as_bytes()), alphabet, "{text}");
        }
        assert_eq!(Alphabet::of(&[b'1'; 127]), Some(Alphabet::Nibble));
        assert_eq!(Alphabet::of(&[b'1'; 128]), None);
    }

    #[test]
    fn packs_as_the_seed_shows() {
        let mut out = Vec::new();
        Alphabet::Nibble.pack(b"14155551001", &mut out);
        assert_eq!(out, [255, 134, 20, 21, 85, 81, 0, 31]);
        out.clear();
        Alphabet::Nibble.pack(b"123456", &mut out);
        assert_eq!(out, [255, 3, 0x12, 0x34, 0x56]);
        out.clear();
        Alphabet::Hex.pack(b"3EB0C", &mut out);
        assert_eq!(out, [251, 0x83, 0x3e, 0xb0, 0xcf]);
    }

    #[test]
    fn refuses_malformed() {
        let mut out = [0; 8];
        let mut nibble = |packed: &[u8], odd| Alphabet::Nibble.unpack(packed, odd, &mut out);
        assert_eq!(nibble(&[0x12, 0xf4], false), Err((DecodeErrorKind::PackedDigit, 1)));
        assert_eq!(nibble(&[0x12, 0x3f, 0x4f], true), Err((DecodeErrorKind::PackedDigit, 1)));
        assert_eq!(nibble(&[0x12, 0x3c], false), Err((DecodeErrorKind::PackedDigit, 1)));
        assert_eq!(nibble(&[0x1f], false), Err((DecodeErrorKind::PackedDigit, 0)));
        assert_eq!(nibble(&[0x12, 0xff], true), Err((DecodeErrorKind::PackedDigit, 1)));
        assert_eq!(nibble(&[0x12, 0x30], true), Err((DecodeErrorKind::PackedFiller, 1)));
        assert_eq!(nibble(&[], true), Err((DecodeErrorKind::PackedFiller, 0)));
        assert_eq!(nibble(&[], false), Ok(0));
        assert_eq!(nibble(&[0xab, 0x9f], true), Ok(3));
        assert_eq!(&out[..3], b"-.9");
    }
}
