//! Reading the input, and bytes from the ways they are written down.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::arguments::{Form, Source};
use crate::failure::{Failure, Malformed};

impl Source {
    /// All of the input.
    pub(crate) fn read(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        self.open()?.read_to_end(&mut bytes).map_err(|error| self.failure(error))?;
        Ok(bytes)
    }

    /// Each line of the input as it comes, without its end, to be answered before the next is read.
    pub(crate) fn for_each_line(
        &self,
        mut answer: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut reader = self.open()?;
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).map_err(|error| self.failure(error))? > 0 {
            let end = line.strip_suffix(b"\n").unwrap_or(&line);
            answer(end.strip_suffix(b"\r").unwrap_or(end))?;
            line.clear();
        }
        Ok(())
    }

    fn open(&self) -> Result<Box<dyn BufRead + '_>, Failure> {
        Ok(match (&self.data, &self.file) {
            (Some(data), _) if data != "-" => Box::new(data.as_bytes()),
            (_, Some(path)) => {
                Box::new(BufReader::new(File::open(path).map_err(|error| self.failure(error))?))
            }
            _ => Box::new(io::stdin().lock()),
        })
    }

    fn failure(&self, error: io::Error) -> Failure {
        match &self.file {
            Some(path) => Failure::File { path: path.display().to_string(), error },
            None => Failure::Input(error),
        }
    }
}

impl Form {
    /// The bytes that are written down like this.
    pub(crate) fn read(self, text: Vec<u8>) -> Result<Vec<u8>, Malformed> {
        match self {
            Self::Raw => Ok(text),
            Self::Hex => hexadecimal(&text),
            Self::Base64 => base64(&text),
        }
    }

    /// The bytes, written down like this.
    pub(crate) fn write(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Raw => bytes.to_vec(),
            Self::Hex => hex::encode(bytes).into_bytes(),
            Self::Base64 => PADDED.encode(bytes).into_bytes(),
        }
    }
}

fn hexadecimal(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let (mut half, mut last, mut prefix) = (None, b' ', None);
    for (at, character) in text.iter().enumerate() {
        let before = std::mem::replace(&mut last, *character);
        if let Some(digit) = char::from(*character).to_digit(16).and_then(|digit| u8::try_from(digit).ok()) {
            prefix = None;
            match half.take() {
                None => half = Some(digit),
                Some(high) => bytes.push(high << 4 | digit),
            }
            continue;
        }
        // `0x`, whose 0 was taken for a byte's first digit, or `\x`; a digit must follow.
        let is_prefix = before == b'\\' && half.is_none() || before == b'0' && half == Some(0);
        let is_between = half.is_none() && b",\"'[]{}\\".contains(character);
        match character {
            _ if prefix.is_some() => break,
            b'x' | b'X' if is_prefix => (half, prefix) = (None, Some(at)),
            b':' => {}
            _ if is_between || character.is_ascii_whitespace() => {}
            _ => return Err(Malformed::Hex(at)),
        }
    }
    match (prefix, half) {
        (Some(at), _) => Err(Malformed::Hex(at)),
        (None, Some(_)) => Err(Malformed::HalfByte(text.len())),
        (None, None) => Ok(bytes),
    }
}

fn base64(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    let places: Vec<usize> = (0..text.len())
        .filter(|at| text.get(*at).is_some_and(|character| !character.is_ascii_whitespace()))
        .collect();
    let packed: Vec<u8> = places.iter().filter_map(|at| text.get(*at).copied()).collect();
    let for_urls = packed.iter().any(|character| matches!(character, b'-' | b'_'));
    let engine = if for_urls { FOR_URLS } else { PADDED };
    engine.decode(&packed).map_err(|error| {
        let at = match error {
            base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => at,
            _ => packed.len(),
        };
        Malformed::Base64(places.get(at).copied().unwrap_or(text.len()))
    })
}

const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const PADDED: GeneralPurpose = GeneralPurpose::new(&STANDARD, CONFIG);
const FOR_URLS: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, CONFIG);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_as_people_write_it() {
        let plain = ["f80102", "F8 01 02", "f8:01:02\n", " f8\r\n0102 ", "f 801\n02"];
        let dumps = [
            "0xf8, 0x01, 0x02",
            "[0xF8,0X01,0x02]",
            r"\xf8\x01\x02",
            r#""\xF8\x01\x02""#,
            "0xf80102",
            "{0xf8, 01, 02}",
        ];
        for text in plain.into_iter().chain(dumps) {
            assert_eq!(Form::Hex.read(text.into()), Ok(vec![0xf8, 1, 2]), "{text}");
        }
        for (text, at) in [("f8 x0", 3), ("f8 0x", 4), ("f8 0x 1", 4), (r"\g0", 1), ("f8 1x", 4), ("f\"8", 1)]
        {
            assert_eq!(Form::Hex.read(text.into()), Err(Malformed::Hex(at)), "{text}");
        }
        assert_eq!(Form::Hex.read("f8 0".into()), Err(Malformed::HalfByte(4)));
    }

    #[test]
    fn base64_of_both_alphabets() {
        for text in ["+P/+", "-P_-", "+P/+\n", " +P /+"] {
            assert_eq!(Form::Base64.read(text.into()), Ok(vec![0xf8, 0xff, 0xfe]), "{text}");
        }
        for text in ["+A==", "+A", "-A"] {
            assert_eq!(Form::Base64.read(text.into()), Ok(vec![0xf8]), "{text}");
        }
        assert_eq!(Form::Base64.read(" +A!!".into()), Err(Malformed::Base64(3)));
        assert_eq!(Form::Base64.read("+".into()), Err(Malformed::Base64(1)));
    }
}
