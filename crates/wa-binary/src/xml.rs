//! Overview §2.1.1: nodes as XML text, written and read without loss.
//!
//! The markers are described in the crate's documentation.

mod escape;
mod read;
mod write;

use crate::jid::Jid;

/// Prefix of the attributes that say what plain XML cannot.
const PREFIX: &str = "wa:";
const TAG: &str = "wa:tag";
const NODE: &str = "wa:node";
const BYTES: &str = "wa:bytes";
const TYPE: &str = "wa:type";
const TEXT: &str = "wa:text";
const JID: &str = "wa:jid";
const NAME: &str = "wa:name";
const VALUE: &str = "wa:value";
/// Accepted and ignored, so that a strict XML parser can be given the prefix.
const NAMESPACE: &str = "xmlns:wa";

/// The address a plain attribute value reads as.
fn address(text: &str) -> Option<Jid> {
    if text == "s.whatsapp.net" {
        return Some(Jid::whatsapp());
    }
    if text.contains('@') { text.parse().ok() } else { None }
}

/// Whether a tag or attribute name can stand in XML as it is.
fn is_plain_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':'))
        && !name.starts_with(PREFIX)
        && name != NAMESPACE
}

/// Whether every character of the text may stand in XML.
fn is_plain_text(text: &str) -> bool {
    text.chars().all(|c| match c {
        '\t' | '\n' | '\r' | ' '..='~' => true,
        '\0'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}' => false,
        // The other non-characters and the marks that reorder text around them.
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => false,
        _ => u32::from(c) & 0xfffe != 0xfffe,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_character_is_not_plain() {
        for plane in 1..=16 {
            let last = |low: u32| char::from_u32(plane << 16 | low).unwrap().to_string();
            assert_eq!([0xfffd, 0xfffe, 0xffff].map(|low| is_plain_text(&last(low))), [true, false, false]);
        }
    }
}
