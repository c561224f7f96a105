//! An error in the operating system's own words.

use std::io;

use thiserror::Error;

/// An error of the operating system that can be cloned and compared, such as `no such file or directory`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{words}")]
pub struct SystemError {
    kind: io::ErrorKind,
    words: String,
}

impl SystemError {
    /// The kind of the error.
    #[must_use]
    pub const fn kind(&self) -> io::ErrorKind {
        self.kind
    }
}

impl From<&io::Error> for SystemError {
    fn from(error: &io::Error) -> Self {
        let text = error.to_string();
        // The number says nothing to a reader.
        let text = text.split(" (os error ").next().unwrap_or_default();
        let mut rest = text.chars();
        let words = rest.next().into_iter().flat_map(char::to_lowercase).chain(rest).collect();
        Self { kind: error.kind(), words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_kept() {
        for (error, words) in [
            (std::fs::File::open("/nowhere/x").unwrap_err(), "no such file or directory"),
            (io::Error::from(io::ErrorKind::ConnectionRefused), "connection refused"),
            (io::Error::other("something else"), "something else"),
        ] {
            let told = SystemError::from(&error);
            assert_eq!((told.to_string().as_str(), told.kind()), (words, error.kind()));
        }
    }
}
