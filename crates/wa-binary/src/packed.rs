//! Overview §2.1.2, "nibble & hex packing": two characters in one byte.
//!
//! After the tag (255 nibble, 251 hex) comes a header byte, the low seven bits counting bytes and the
//! high bit set when the number of characters is odd; then the last nibble is the filler `0xF`.

use crate::encode::put_bytes;
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

    /// Writes tag, header and nibbles of a text for which [`Alphabet::of`] gave this alphabet, and returns the
    /// room that is left.
    pub(crate) fn pack<'a>(self, text: &[u8], room: &'a mut [u8]) -> &'a mut [u8] {
        let (pairs, last) = text.as_chunks();
        let count = u8::try_from(text.len().div_ceil(2)).unwrap_or(0x7f);
        let odd = if last.is_empty() { 0 } else { 0x80 };
        let room = put_bytes([self.tag(), odd | count], room);
        let Some((to, room)) = room.split_at_mut_checked(pairs.len()) else { return &mut [] };
        for (to, [high, low]) in to.iter_mut().zip(pairs) {
            *to = value(*high) << 4 | value(*low);
        }
        match last {
            [last] => put_bytes([value(*last) << 4 | FILLER], room),
            _ => room,
        }
    }

    /// Writes the two characters of each byte, for as many as there is room; false if a nibble is no character.
    #[inline]
    #[must_use]
    pub(crate) fn unpack(self, packed: &[u8], out: &mut [u8]) -> bool {
        let pairs = self.pairs();
        let (room, _) = out.as_chunks_mut();
        let mut all = 0;
        for (to, byte) in room.iter_mut().zip(packed) {
            let pair = pairs.get(usize::from(*byte)).copied().unwrap_or(INVALID);
            all |= pair;
            *to = pair.to_be_bytes();
        }
        all & NOT_ASCII == 0
    }

    /// The one character of the last byte of an odd number.
    #[inline]
    pub(crate) fn unpack_last(self, byte: u8) -> Result<u8, DecodeErrorKind> {
        if byte & 0x0f != FILLER {
            return Err(DecodeErrorKind::PackedFiller);
        }
        match self.pairs().get(usize::from(byte & 0xf0)) {
            Some(&pair) if pair != INVALID => Ok(pair.to_be_bytes()[0]),
            _ => Err(DecodeErrorKind::PackedDigit),
        }
    }

    /// The first packed byte with a nibble that is no character.
    #[cold]
    pub(crate) fn first_wrong(self, packed: &[u8]) -> usize {
        let wrong = |byte: &u8| self.pairs().get(usize::from(*byte)) == Some(&INVALID);
        packed.iter().position(wrong).unwrap_or_default()
    }

    fn pairs(self) -> &'static [u16; 256] {
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
const INVALID: u16 = u16::MAX;
/// The bits that no two characters have.
const NOT_ASCII: u16 = 0x8080;
/// The characters of both nibbles of each byte, the first in the high byte.
static NIBBLE_PAIRS: [u16; 256] = pairs(b"0123456789-.\0\0\0\0");
static HEX_PAIRS: [u16; 256] = pairs(b"0123456789ABCDEF");

/// For each byte its value as a nibble (low half) and the alphabets it belongs to (bits 4 and 5).
static CHARACTERS: [u8; 256] = characters();

fn class(byte: u8) -> u8 {
    CHARACTERS.get(usize::from(byte)).copied().unwrap_or_default() >> 4
}

fn value(byte: u8) -> u8 {
    CHARACTERS.get(usize::from(byte)).copied().unwrap_or_default() & 0x0f
}

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, where a panic is a build error")]
const fn pairs(alphabet: &[u8; 16]) -> [u16; 256] {
    let mut table = [INVALID; 256];
    let mut byte = 0;
    while byte < 256 {
        let (high, low) = (alphabet[byte >> 4], alphabet[byte & 0x0f]);
        if high != 0 && low != 0 {
            table[byte] = u16::from_be_bytes([high, low]);
        }
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
        let packed = |alphabet: Alphabet, text: &[u8]| {
            let mut room = [0; 16];
            let left = alphabet.pack(text, &mut room).len();
            room[..16 - left].to_vec()
        };
        assert_eq!(packed(Alphabet::Nibble, b"14155551001"), [255, 134, 20, 21, 85, 81, 0, 31]);
        assert_eq!(packed(Alphabet::Nibble, b"123456"), [255, 3, 0x12, 0x34, 0x56]);
        assert_eq!(packed(Alphabet::Hex, b"3EB0C"), [251, 0x83, 0x3e, 0xb0, 0xcf]);
    }

    #[test]
    fn every_byte_is_its_two_characters_or_refused() {
        for (alphabet, characters) in
            [(Alphabet::Nibble, &b"0123456789-."[..]), (Alphabet::Hex, b"0123456789ABCDEF")]
        {
            for byte in 0..=255u8 {
                let [high, low] = [byte >> 4, byte & 0x0f].map(|nibble| characters.get(usize::from(nibble)));
                for len in 1..=9 {
                    let packed = vec![byte; len];
                    let mut text = [0; 20];
                    let right = alphabet.unpack(&packed, &mut text);
                    let Some((high, low)) = high.zip(low) else {
                        assert!(!right);
                        assert_eq!(alphabet.first_wrong(&packed), 0);
                        continue;
                    };
                    assert_eq!(text[..2 * len], [*high, *low].repeat(len));
                    assert!(right);
                }
            }
        }
    }

    #[test]
    fn every_last_byte_is_its_character_or_refused() {
        for byte in 0..=255u8 {
            let expected = |characters: &[u8]| match (byte & 0x0f, characters.get(usize::from(byte >> 4))) {
                (0x0f, Some(character)) => Ok(*character),
                (0x0f, None) => Err(DecodeErrorKind::PackedDigit),
                _ => Err(DecodeErrorKind::PackedFiller),
            };
            assert_eq!(Alphabet::Nibble.unpack_last(byte), expected(b"0123456789-."));
            assert_eq!(Alphabet::Hex.unpack_last(byte), expected(b"0123456789ABCDEF"));
        }
    }
}
