//! Seed §2.1.2: strings as they stand in a node.

mod traits;

use bytes::Bytes;

use crate::dictionary::Token;
use crate::error::DecodeErrorKind;
use crate::packed::Alphabet;

/// A string of a node: always UTF-8, cheap to clone, 40 bytes.
///
/// It is a [`Token`] of the dictionary, or up to 37 bytes held in place, or a slice of shared [`Bytes`].
/// Equality, order and hash are those of the text. Made from `&str`, `String` and unsigned integers; text
/// that is in the dictionary becomes its token at once, so writing it later is a copy.
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
    pub const EMPTY: Self = Self(Repr::Inline(Inline { len: 0, hint: Hint::Raw, bytes: [0; INLINE] }));

    /// What a string is before it is read into place; a token because that is the least to write.
    pub(crate) const BLANK: Self = Self(Repr::Token(Token::FIRST));

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Token(token) => token.as_str(),
            Repr::Inline(inline) => std::str::from_utf8(inline.as_bytes()).unwrap_or_default(),
            Repr::Shared(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
        }
    }

    /// The UTF-8 bytes of the text; cheaper than [`Str::as_str`] for comparing.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Token(token) => token.as_str().as_bytes(),
            Repr::Inline(inline) => inline.as_bytes(),
            Repr::Shared(bytes) => bytes,
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

    /// The token, if the text is held as one.
    #[inline]
    pub(crate) fn held_token(&self) -> Option<Token> {
        match &self.0 {
            Repr::Token(token) => Some(*token),
            Repr::Inline(_) | Repr::Shared(_) => None,
        }
    }

    pub(crate) fn form(&self) -> Form {
        match &self.0 {
            Repr::Token(token) => Form::Token(*token),
            Repr::Inline(inline) => match inline.hint {
                Hint::Raw => Form::Raw,
                Hint::Nibble => Form::Packed(Alphabet::Nibble),
                Hint::Hex => Form::Packed(Alphabet::Hex),
                Hint::Unknown => form(inline.as_bytes()),
            },
            Repr::Shared(bytes) => form(bytes),
        }
    }

    /// Becomes the first `len` bytes of `rest`, a slice of `input`: copied in place when short, else shared.
    #[inline]
    pub(crate) fn set_raw(&mut self, input: &Bytes, rest: &[u8], len: usize) -> Result<(), DecodeErrorKind> {
        let raw = rest.get(..len).ok_or(DecodeErrorKind::UnexpectedEnd)?;
        if !raw.is_ascii() && std::str::from_utf8(raw).is_err() {
            return Err(DecodeErrorKind::Utf8);
        }
        if len > INLINE {
            self.0 = Repr::Shared(input.slice_ref(raw));
            return Ok(());
        }
        *self = Self::EMPTY;
        if let Repr::Inline(inline) = &mut self.0 {
            inline.hint = Hint::Unknown;
            inline.len = u8::try_from(len).unwrap_or_default();
            match rest.first_chunk() {
                // A copy of fixed length is faster; what follows the text is not looked at.
                Some(bytes) => inline.bytes = *bytes,
                None => inline.bytes.iter_mut().zip(raw).for_each(|(to, byte)| *to = *byte),
            }
        }
        Ok(())
    }

    /// Becomes a packed text; on error, what is wrong and in which packed byte.
    #[inline]
    pub(crate) fn set_packed(
        &mut self,
        alphabet: Alphabet,
        packed: &[u8],
        odd: bool,
    ) -> Result<(), (DecodeErrorKind, usize)> {
        if packed.len() > INLINE / 2 {
            let mut text = vec![0; packed.len() * 2];
            let len = alphabet.unpack(packed, odd, &mut text)?;
            text.truncate(len);
            self.0 = Repr::Shared(Bytes::from(text));
            return Ok(());
        }
        *self = Self::EMPTY;
        if let Repr::Inline(inline) = &mut self.0 {
            let len = alphabet.unpack(packed, odd, &mut inline.bytes)?;
            inline.len = u8::try_from(len).unwrap_or_default();
            // No token that could be packed is longer than four characters.
            let known = len > 4 && alphabet == Alphabet::Nibble;
            inline.hint = if known { Hint::Nibble } else { Hint::Unknown };
        }
        Ok(())
    }

    /// A bound on the encoded length: exact for tokens, else the text with the longest header.
    #[inline]
    pub(crate) fn bound(&self) -> usize {
        match &self.0 {
            Repr::Token(_) => 2,
            Repr::Inline(inline) => 2 + usize::from(inline.len),
            Repr::Shared(bytes) => 5 + bytes.len(),
        }
    }

    /// Whether the text is empty.
    #[inline]
    pub(crate) fn is_blank(&self) -> bool {
        match &self.0 {
            Repr::Token(_) => false,
            Repr::Inline(inline) => inline.len == 0,
            Repr::Shared(bytes) => bytes.is_empty(),
        }
    }

    /// Whether the text is known to be of the characters of packed nibbles.
    #[inline]
    pub(crate) fn is_nibbles(&self) -> bool {
        matches!(&self.0, Repr::Inline(Inline { hint: Hint::Nibble, .. }))
    }

    fn classified(text: &str) -> Option<Self> {
        let hint = match form(text.as_bytes()) {
            Form::Token(token) => return Some(Self(Repr::Token(token))),
            Form::Packed(Alphabet::Nibble) => Hint::Nibble,
            Form::Packed(Alphabet::Hex) => Hint::Hex,
            Form::Raw => Hint::Raw,
        };
        Some(Self(Repr::Inline(Inline::new(text.as_bytes(), hint)?)))
    }
}

#[derive(Clone)]
enum Repr {
    Token(Token),
    Inline(Inline),
    /// UTF-8, checked when made.
    Shared(Bytes),
}

/// UTF-8, checked when made.
#[derive(Clone, Copy)]
struct Inline {
    len: u8,
    hint: Hint,
    bytes: [u8; INLINE],
}

impl Inline {
    fn new(text: &[u8], hint: Hint) -> Option<Self> {
        let mut bytes = [0; INLINE];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { len: u8::try_from(text.len()).ok()?, hint, bytes })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// What is known of an inline string's [`Form`].
#[derive(Clone, Copy)]
enum Hint {
    Unknown,
    Raw,
    Nibble,
    Hex,
}

/// What remains of the 40 bytes that a slice of `Bytes` and its tag need.
const INLINE: usize = 37;

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
    fn is_forty_bytes() {
        assert_eq!(size_of::<Str>(), 40);
        assert_eq!(size_of::<Option<Str>>(), 40);
    }

    #[test]
    fn equal_however_it_is_held() {
        let input = Bytes::from_static(b"message and a tail that is longer than thirty-seven bytes");
        let mut raw = Str::EMPTY;
        raw.set_raw(&input, &input, 7).unwrap();
        assert_eq!(raw, Str::from("message"));
        assert_eq!(raw.token(), Token::find("message"));
        let mut long = Str::EMPTY;
        long.set_raw(&input, &input, input.len()).unwrap();
        assert_eq!(long, Str::from(String::from_utf8(input.to_vec()).unwrap()));
        assert_eq!(long.as_str(), std::str::from_utf8(&input).unwrap());
        assert_ne!(long, raw);
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
        let mut packed = Str::EMPTY;
        packed.set_packed(Alphabet::Nibble, &[0x50, 0x0f], true).unwrap();
        assert_eq!(packed.form(), Form::Token(Token::find("500").unwrap()));
        packed.set_packed(Alphabet::Hex, &[0x12, 0x34, 0x56], false).unwrap();
        assert_eq!(packed.form(), Form::Packed(Alphabet::Nibble));
    }

    #[test]
    fn no_packable_token_is_longer_than_four() {
        let tokens = (1..=235).filter_map(Token::single);
        let double = (0..4).flat_map(|page| (0..=255).filter_map(move |index| Token::double(page, index)));
        let longest = tokens.chain(double).filter(|token| Alphabet::of(token.as_str().as_bytes()).is_some());
        assert_eq!(longest.map(|token| token.as_str().len()).max(), Some(4));
    }
}
