//! The user identifier: what a third party calls its user (overview §1.2.2 "user_identifier").

use std::fmt;

use thiserror::Error;

/// The name of a third party's user, for example `alice` or `16505551234`.
///
/// 1 to 40 characters of one to four bytes each (the profile says how many), compared byte by byte. Control
/// characters and characters that change the direction of text are refused (assumed; the published limit is
/// on the length only). Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserIdentifier(String);

/// Why a text is no user identifier; the caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UserIdentifierError {
    /// It is empty.
    #[error("the user identifier is empty")]
    Empty,
    /// It has more characters than a user identifier may.
    #[error("the user identifier has more than {max} characters")]
    TooLong {
        /// How many it may have.
        max: usize,
    },
    /// It has a control character, or one that changes the direction of text.
    #[error("character {position} of the user identifier is a control character")]
    Control {
        /// Which character, from 0.
        position: usize,
    },
}

impl UserIdentifier {
    /// The identifier with this text of at most `chars_max` characters.
    ///
    /// # Errors
    /// [`UserIdentifierError`]: empty, too long, or with a control character.
    pub fn new(text: &str, chars_max: usize) -> Result<Self, UserIdentifierError> {
        if text.is_empty() {
            return Err(UserIdentifierError::Empty);
        }
        if text.chars().nth(chars_max).is_some() {
            return Err(UserIdentifierError::TooLong { max: chars_max });
        }
        match text.chars().position(is_refused) {
            Some(position) => Err(UserIdentifierError::Control { position }),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The identifier's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UserIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserIdentifier(…)")
    }
}

fn is_refused(character: char) -> bool {
    let separates_lines = matches!(character, '\u{2028}' | '\u{2029}');
    let turns_text = matches!(character, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    character.is_control() || separates_lines || turns_text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_the_documents_show_and_the_extremes() {
        for text in ["alice", "16505551234", "a", "zoë 🦊", &"x".repeat(40), &"🦊".repeat(40)] {
            assert_eq!(UserIdentifier::new(text, 40).unwrap().as_str(), text);
        }
    }

    #[test]
    fn refuses_the_rest_with_the_exact_reason() {
        let table = [
            ("", UserIdentifierError::Empty),
            (&*"x".repeat(41), UserIdentifierError::TooLong { max: 40 }),
            (&*"🦊".repeat(41), UserIdentifierError::TooLong { max: 40 }),
            ("a\0b", UserIdentifierError::Control { position: 1 }),
            ("alice\n", UserIdentifierError::Control { position: 5 }),
            ("\u{7f}", UserIdentifierError::Control { position: 0 }),
            ("ab\u{202e}c", UserIdentifierError::Control { position: 2 }),
            ("é\u{2028}", UserIdentifierError::Control { position: 1 }),
        ];
        for (text, error) in table {
            assert_eq!(UserIdentifier::new(text, 40), Err(error), "{text:?}");
        }
    }

    #[test]
    fn debug_does_not_show_it() {
        let identifier = UserIdentifier::new("alice", 40).unwrap();
        assert!(!format!("{identifier:?}").contains("alice"));
    }
}
