//! Overview §2.1.2: strings as they stand in a node.

mod traits;

use std::mem;
use std::sync::Arc;

use crate::dictionary::Token;
use crate::error::DecodeErrorKind;
use crate::packed::Alphabet;

/// A string of a node: always UTF-8, cheap to clone, 24 bytes.
///
/// It is a [`Token`] of the dictionary, or up to 22 bytes held in place, or longer and shared. Equality, order
/// and hash are those of the text. Made from `&str`, `String` and unsigned integers; text that is in the
/// dictionary becomes its token at once, so writing it later is a copy.
#[derive(Clone)]
pub struct Str(Repr);

/// How a string is written when every form is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Token(Token),
    Packed(Alphabet),
    Raw,
}

impl Str {
    /// The empty string.
    pub const EMPTY: Self = Self(Repr::Short(Short { meta: Hint::Raw as u8, bytes: [0; SHORT] }));

    /// What a string is before it is read into place; a token because that is the least to write.
    pub(crate) const BLANK: Self = Self(Repr::Token(Token::FIRST));

    /// The string as `str`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Token(token) => token.as_str(),
            Repr::Short(short) => std::str::from_utf8(short.as_bytes()).unwrap_or_default(),
            Repr::Long(text) => text,
        }
    }

    /// The UTF-8 bytes of the text; cheaper than [`Str::as_str`] for comparing.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Token(token) => token.as_str().as_bytes(),
            Repr::Short(short) => short.as_bytes(),
            Repr::Long(text) => text.as_bytes(),
        }
    }

    /// The dictionary's token, if the text was recognised as one.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        match self.form() {
            Form::Token(token) => Some(token),
            Form::Packed(_) | Form::Raw => None,
        }
    }

    /// Bytes that a text that is too long to be held in place has allocated.
    #[must_use]
    pub fn allocated(&self) -> usize {
        match &self.0 {
            Repr::Token(_) | Repr::Short(_) => 0,
            // The text stands behind two counters.
            Repr::Long(text) => text.len() + 2 * size_of::<usize>(),
        }
    }

    /// The token, if the text is held as one.
    #[inline]
    pub(crate) fn held_token(&self) -> Option<Token> {
        match &self.0 {
            Repr::Token(token) => Some(*token),
            Repr::Short(_) | Repr::Long(_) => None,
        }
    }

    pub(crate) fn form(&self) -> Form {
        match &self.0 {
            Repr::Token(token) => Form::Token(*token),
            Repr::Short(short) => match short.hint() {
                Hint::Raw => Form::Raw,
                Hint::Nibble => Form::Packed(Alphabet::Nibble),
                Hint::Hex => Form::Packed(Alphabet::Hex),
                Hint::Unknown => form(short.as_bytes()),
            },
            Repr::Long(text) => form(text.as_bytes()),
        }
    }

    /// Becomes the text `raw`, which stands at the front of `rest`. Was [`Str::BLANK`] or is short.
    #[inline]
    pub(crate) fn set_raw(&mut self, raw: &[u8], rest: &[u8]) -> Result<(), DecodeErrorKind> {
        if !raw.is_ascii() && std::str::from_utf8(raw).is_err() {
            return Err(DecodeErrorKind::Utf8);
        }
        if raw.len() > SHORT {
            self.0 = Repr::Long(std::str::from_utf8(raw).unwrap_or_default().into());
            return Ok(());
        }
        match rest.first_chunk() {
            // A copy of fixed length is faster.
            Some(bytes) => {
                let meta = Short::meta(raw.len(), Hint::Unknown);
                put(&mut self.0, Repr::Short(Short { meta, bytes: *bytes }));
            }
            None => put(&mut self.0, Repr::Short(Short::new(raw, Hint::Unknown))),
        }
        Ok(())
    }

    /// Becomes the text that was packed, likewise; on error, what is wrong and in which packed byte.
    #[inline]
    pub(crate) fn set_packed(
        &mut self,
        alphabet: Alphabet,
        packed: &[u8],
        odd: bool,
    ) -> Result<(), (DecodeErrorKind, usize)> {
        if packed.len() > SHORT / 2 {
            return self.set_long_packed(alphabet, packed, odd);
        }
        let (full, last) = match packed.split_last() {
            Some((last, full)) if odd => (full, Some(*last)),
            None if odd => return Err((DecodeErrorKind::PackedFiller, 0)),
            _ => (packed, None),
        };
        put(self, Self::EMPTY);
        let Repr::Short(short) = &mut self.0 else { return Ok(()) };
        if !alphabet.unpack(full, &mut short.bytes) {
            return Err((DecodeErrorKind::PackedDigit, alphabet.first_wrong(full)));
        }
        let mut len = full.len() * 2;
        if let (Some(last), Some(to)) = (last, short.bytes.get_mut(len)) {
            *to = alphabet.unpack_last(last).map_err(|kind| (kind, full.len()))?;
            len += 1;
        }
        // No token that could be packed is longer than four characters.
        let known = len > 4 && alphabet == Alphabet::Nibble;
        short.meta = Short::meta(len, if known { Hint::Nibble } else { Hint::Unknown });
        Ok(())
    }

    #[cold]
    fn set_long_packed(
        &mut self,
        alphabet: Alphabet,
        packed: &[u8],
        odd: bool,
    ) -> Result<(), (DecodeErrorKind, usize)> {
        let (full, last) = packed.split_at(packed.len() - usize::from(odd));
        let mut text = vec![0; full.len() * 2];
        if !alphabet.unpack(full, &mut text) {
            return Err((DecodeErrorKind::PackedDigit, alphabet.first_wrong(full)));
        }
        if let [last] = last {
            text.push(alphabet.unpack_last(*last).map_err(|kind| (kind, full.len()))?);
        }
        self.0 = Repr::Long(std::str::from_utf8(&text).unwrap_or_default().into());
        Ok(())
    }

    /// A bound on the encoded length: exact for tokens, else the text with the longest header.
    #[inline]
    pub(crate) fn bound(&self) -> usize {
        match &self.0 {
            Repr::Token(_) => 2,
            Repr::Short(short) => 2 + short.len(),
            Repr::Long(text) => 5 + text.len(),
        }
    }

    /// Whether the text is empty.
    #[inline]
    pub(crate) fn is_blank(&self) -> bool {
        match &self.0 {
            Repr::Token(_) => false,
            Repr::Short(short) => short.len() == 0,
            Repr::Long(text) => text.is_empty(),
        }
    }

    /// Whether the text is known to be of the characters of packed nibbles.
    #[inline]
    pub(crate) fn is_nibbles(&self) -> bool {
        matches!(&self.0, Repr::Short(short) if matches!(short.hint(), Hint::Nibble))
    }

    /// The text in place or as a token; none if it is too long for both.
    fn classified(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        let hint = match form(text) {
            Form::Token(token) => return Some(Self(Repr::Token(token))),
            Form::Packed(Alphabet::Nibble) => Hint::Nibble,
            Form::Packed(Alphabet::Hex) => Hint::Hex,
            Form::Raw => Hint::Raw,
        };
        (text.len() <= SHORT).then(|| Self(Repr::Short(Short::new(text, hint))))
    }
}

/// Puts a value in the place of a blank one, which owns nothing and needs no drop.
#[inline]
pub(crate) fn put<T>(blank: &mut T, value: T) {
    mem::forget(mem::replace(blank, value));
}

#[derive(Clone)]
enum Repr {
    Token(Token),
    Short(Short),
    Long(Arc<str>),
}

/// Text in place: UTF-8, checked when made.
#[derive(Clone, Copy)]
struct Short {
    /// The length in the low bits, a [`Hint`] in the high ones.
    meta: u8,
    /// What stands after the text means nothing.
    bytes: [u8; SHORT],
}

impl Short {
    /// A text of at most [`SHORT`] bytes.
    fn new(text: &[u8], hint: Hint) -> Self {
        let mut bytes = [0; SHORT];
        bytes.iter_mut().zip(text).for_each(|(to, byte)| *to = *byte);
        Self { meta: Self::meta(text.len(), hint), bytes }
    }

    #[inline]
    fn meta(len: usize, hint: Hint) -> u8 {
        u8::try_from(len).unwrap_or_default() & LENGTH | hint as u8
    }

    #[inline]
    fn len(&self) -> usize {
        usize::from(self.meta & LENGTH)
    }

    #[inline]
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    #[inline]
    fn hint(&self) -> Hint {
        match self.meta & !LENGTH {
            NIBBLE => Hint::Nibble,
            HEX => Hint::Hex,
            RAW => Hint::Raw,
            _ => Hint::Unknown,
        }
    }
}

/// What is known of the [`Form`] of a text in place.
#[derive(Clone, Copy)]
enum Hint {
    Unknown = 0,
    Raw = RAW as isize,
    Nibble = NIBBLE as isize,
    Hex = HEX as isize,
}

const RAW: u8 = 0x40;
const NIBBLE: u8 = 0x80;
const HEX: u8 = 0xc0;
const LENGTH: u8 = 0x3f;
/// What remains of the 24 bytes that a shared text and its tag need; no identifier of a message by WhatsApp's
/// web client is longer.
const SHORT: usize = 22;
fn form(text: &[u8]) -> Form {
    if let Some(token) = Token::find_bytes(text) {
        return Form::Token(token);
    }
    Alphabet::of(text).map_or(Form::Raw, Form::Packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_kept_beside_the_length() {
        for hint in [Hint::Unknown, Hint::Raw, Hint::Nibble, Hint::Hex] {
            for length in [0, 1, SHORT] {
                let short = Short::new(&[b'1'; SHORT][..length], hint);
                assert_eq!((short.hint() as isize, short.len()), (hint as isize, length));
            }
        }
    }

    fn unpacked(alphabet: Alphabet, packed: &[u8], odd: bool) -> Result<Str, (DecodeErrorKind, usize)> {
        let mut text = Str::EMPTY;
        text.set_packed(alphabet, packed, odd).map(|()| text)
    }

    #[test]
    fn is_twenty_four_bytes() {
        assert_eq!(size_of::<Str>(), 24);
        assert_eq!(size_of::<Option<Str>>(), 24);
    }

    #[test]
    fn equal_however_it_is_held() {
        let input = b"message and a tail that is longer than twenty-two bytes";
        let mut raw = Str::EMPTY;
        raw.set_raw(&input[..7], input).unwrap();
        assert_eq!(raw, Str::from("message"));
        assert_eq!(raw.token(), Token::find("message"));
        let mut long = Str::EMPTY;
        long.set_raw(input, input).unwrap();
        assert_eq!(long, Str::from(String::from_utf8(input.to_vec()).unwrap()));
        assert_eq!(long.as_str(), std::str::from_utf8(input).unwrap());
        assert_ne!(long, raw);
        let (same, other) = ("message", "messages");
        assert!(raw == same && raw != other && raw == *same && raw != *other);
        assert_eq!([&raw, &long].map(AsRef::<str>::as_ref), [raw.as_str(), long.as_str()]);
    }

    #[test]
    fn numbers() {
        for (number, text) in
            [(0, "0"), (7, "7"), (1_700_000_000, "1700000000"), (u64::MAX, "18446744073709551615")]
        {
            assert_eq!(Str::from(number).as_str(), text);
        }
    }

    #[test]
    fn hints_agree_with_the_text() {
        for text in ["", "iq", "500", "54321", "3EB0C767", "joe", "+4", "1700000000"] {
            assert_eq!(Str::from(text).form(), form(text.as_bytes()), "{text}");
        }
        let packed = |alphabet, packed: &[u8], odd| unpacked(alphabet, packed, odd).unwrap().form();
        let token = Token::find("500").unwrap();
        assert_eq!(packed(Alphabet::Nibble, &[0x50, 0x0f], true), Form::Token(token));
        let token = Token::find("1020").unwrap();
        assert_eq!(packed(Alphabet::Nibble, &[0x10, 0x20], false), Form::Token(token));
        assert_eq!(packed(Alphabet::Hex, &[0x12, 0x34, 0x56], false), Form::Packed(Alphabet::Nibble));
    }

    #[test]
    fn refuses_malformed_packed_text() {
        let nibble = |packed: &[u8], odd| unpacked(Alphabet::Nibble, packed, odd);
        assert_eq!(nibble(&[0x12, 0xf4], false), Err((DecodeErrorKind::PackedDigit, 1)));
        assert_eq!(nibble(&[0x12, 0x3f, 0x4f], true), Err((DecodeErrorKind::PackedDigit, 1)));
        assert_eq!(nibble(&[0x12, 0x3c], false), Err((DecodeErrorKind::PackedDigit, 1)));
        assert_eq!(nibble(&[0x1f], false), Err((DecodeErrorKind::PackedDigit, 0)));
        assert_eq!(nibble(&[0x12, 0xff], true), Err((DecodeErrorKind::PackedDigit, 1)));
        assert_eq!(nibble(&[0x12, 0x30], true), Err((DecodeErrorKind::PackedFiller, 1)));
        assert_eq!(nibble(&[0x1f, 0x30], true), Err((DecodeErrorKind::PackedDigit, 0)));
        assert_eq!(nibble(&[], true), Err((DecodeErrorKind::PackedFiller, 0)));
        assert_eq!(nibble(&[], false), Ok(Str::EMPTY));
        assert_eq!(nibble(&[0xab, 0x9f], true), Ok("-.9".into()));
    }

    #[test]
    fn long_packed_text() {
        for len in 1..=127 {
            let packed: Vec<u8> = (0..len).map(|byte| ((byte % 10) << 4) | 7).collect();
            let text: String = packed.iter().map(|byte| format!("{byte:02x}")).collect();
            let read = unpacked(Alphabet::Nibble, &packed, false).unwrap();
            assert_eq!(read.as_str(), text);
            let mut odd = packed.clone();
            odd[usize::from(len) - 1] |= 0x0f;
            let read = unpacked(Alphabet::Nibble, &odd, true).unwrap();
            assert_eq!(read.as_str(), &text[..text.len() - 1]);
            let mut wrong = packed.clone();
            wrong[usize::from(len) / 2] = 0x1e;
            let at = usize::from(len) / 2;
            let error = unpacked(Alphabet::Nibble, &wrong, false);
            assert_eq!(error, Err((DecodeErrorKind::PackedDigit, at)));
        }
    }

    #[test]
    fn no_packable_token_is_longer_than_four() {
        let tokens = (1..=235).filter_map(Token::single);
        let double = (0..4).flat_map(|page| (0..=255).filter_map(move |index| Token::double(page, index)));
        let longest = tokens.chain(double).filter(|token| Alphabet::of(token.as_str().as_bytes()).is_some());
        assert_eq!(longest.map(|token| token.as_str().len()).max(), Some(4));
    }
}
