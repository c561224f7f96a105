//! `application/x-www-form-urlencoded`, as the enlistment's arguments travel (overview §1.2.1; WHATWG URL §5.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A form being written, argument by argument.
#[derive(Default)]
pub(crate) struct Form(String);

impl Form {
    /// Adds an argument with this text.
    pub(crate) fn push(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.escape(name);
        self.0.push('=');
        self.escape(value);
    }

    /// Adds an argument with these bytes, in base64url without padding.
    pub(crate) fn push_bytes(&mut self, name: &str, value: &[u8]) {
        self.push(name, &URL_SAFE_NO_PAD.encode(value));
    }

    /// The form's text, all ASCII.
    pub(crate) fn into_text(self) -> String {
        self.0
    }

    fn escape(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => self.0.push(char::from(byte)),
                b' ' => self.0.push('+'),
                _ => {
                    self.0.push('%');
                    self.0.push(hex_digit(byte >> 4));
                    self.0.push(hex_digit(byte & 0xF));
                }
            }
        }
    }
}

fn hex_digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_as_the_standard_says() {
        let mut form = Form::default();
        form.push("user_identifier", "a b+c&d=e%é");
        form.push_bytes("e_keytype", &[5]);
        form.push("", "");
        assert_eq!(form.into_text(), "user_identifier=a+b%2Bc%26d%3De%25%C3%A9&e_keytype=BQ&=");
    }

    proptest! {
        #[test]
        fn another_implementation_reads_it_back(arguments in vec((".+", ".*"), 1..8)) {
            let mut form = Form::default();
            for (name, value) in &arguments {
                form.push(name, value);
            }
            let text = form.into_text();
            prop_assert!(text.is_ascii());
            let read: Vec<(String, String)> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
            prop_assert_eq!(read, arguments);
        }
    }
}
