//! Overview §2.1.1: characters that XML reserves, and the backslash escapes for those it cannot hold.

use std::fmt::{self, Write};

use super::is_plain_text;
use crate::error::XmlErrorKind;

/// Writes text for an attribute value or element content, reserved characters as references.
pub(super) fn write_plain(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'', '\t', '\n', '\r']) {
        let (before, after) = rest.split_at(at);
        f.write_str(before)?;
        let mut chars = after.chars();
        f.write_str(match chars.next() {
            Some('&') => "&amp;",
            Some('<') => "&lt;",
            Some('>') => "&gt;",
            Some('"') => "&quot;",
            Some('\'') => "&apos;",
            Some('\t') => "&#9;",
            Some('\n') => "&#10;",
            _ => "&#13;",
        })?;
        rest = chars.as_str();
    }
    f.write_str(rest)
}

/// Writes text of any characters: a backslash doubled, what XML cannot hold as `\u{…}`.
pub(super) fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut escaped = String::with_capacity(text.len());
    let mut one = [0; 4];
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            c if is_plain_text(c.encode_utf8(&mut one)) => escaped.push(c),
            c => write!(escaped, "\\u{{{:x}}}", u32::from(c))?,
        }
    }
    write_plain(f, &escaped)
}

/// Reads what [`write_escaped`] writes, after XML's own references are resolved.
pub(super) fn unescape(text: &str) -> Result<String, XmlErrorKind> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let (c, tail) = match after.strip_prefix('\\') {
            Some(tail) => ('\\', tail),
            None => character(after).ok_or(XmlErrorKind::Escape)?,
        };
        out.push(c);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

fn character(text: &str) -> Option<(char, &str)> {
    let (digits, tail) = text.strip_prefix("u{")?.split_once('}')?;
    let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = if valid { u32::from_str_radix(digits, 16).ok()? } else { return None };
    Some((char::from_u32(number)?, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backslash_escapes() {
        for (text, value) in [
            ("", Ok("")),
            (r"a\\b", Ok(r"a\b")),
            (r"\u{0}\u{1F600}x", Ok("\0\u{1f600}x")),
            (r"a\", Err(XmlErrorKind::Escape)),
            (r"\n", Err(XmlErrorKind::Escape)),
            (r"\u{}", Err(XmlErrorKind::Escape)),
            (r"\u{+1}", Err(XmlErrorKind::Escape)),
            (r"\u{41", Err(XmlErrorKind::Escape)),
            (r"\u{d800}", Err(XmlErrorKind::Escape)),
            (r"\u{100000041}", Err(XmlErrorKind::Escape)),
        ] {
            assert_eq!(unescape(text), value.map(str::to_owned), "{text}");
        }
    }
}
